"""Write a graph as a Mermaid flow chart, steps as subgraphs, for `drawing`."""

from __future__ import annotations

from .. import labels
from ..escapes import mermaid as entities
from ..graph import Graph

MERMAID_EDGES = 450


def mermaid(graph: Graph) -> str:
    """Return a Mermaid flow chart: steps as subgraphs, gradient size as the width of links."""
    lines = ["flowchart BT"]
    chips: list[str] = []
    steps = graph.steps()
    for step in [None, *steps]:
        inside = [n for n in graph.nodes if n.step == step and n.role != "param"]
        if step is not None:
            lines.append(f'  subgraph t{step}["t = {step}"]')
        lines += [f"    n{n.id}{_mermaid_shape(n.op, labels.face(n).lines)}" for n in inside]
        if step is not None:
            lines.append("  end")
    links = []
    for parent, slot, child in graph.edges():
        tail = f"n{parent.id}"
        if parent.role == "param":
            tail = f"p{child.id}_{slot}"
            chips.append(f"  {tail}[{_mermaid_text(labels.caption(parent))}]:::param")
        norm = graph.edge_grad(child.id, slot)
        links.append(f"  {tail} {'-.->' if norm == 0 else '-->'} n{child.id}")
    classes = ["  classDef param fill:#d3e5f6,stroke:#44607a,stroke-dasharray:3 2"]
    return "\n".join([*lines, *chips, *links, *classes]) + "\n"


def _mermaid_shape(op: str | None, lines: tuple[str, ...]) -> str:
    text = _mermaid_text("<br>".join(entities(line) for line in lines), escape=False)
    if len(lines) == 1 and lines[0] in labels.ROUND:
        return f"(({text}))"
    return f"({text})" if op else f"([{text}])"


def _mermaid_text(text: str, escape: bool = True) -> str:
    return f'"{entities(text) if escape else text}"'
