"""Write a graph as a plain table, one line per node, for terminals; `drawing` calls it."""

from __future__ import annotations

from .. import labels
from ..graph import Graph


def table(graph: Graph, limit: int = 200_000) -> str:
    """Return a line per node: step, id, op, name, shape, ‖v‖, ‖g‖, parents; "–" is not computed."""
    rows = [("step", "id", "op", "name", "shape", "‖v‖", "‖g‖", "from")]
    for node in graph.nodes[:limit]:
        step = "" if node.step is None else str(node.step)
        value = node.value.get("norm") if node.value else None
        beside = labels.operands(node)
        parents = " ".join(
            f"={beside[slot]}" if p is None else str(p) for slot, p in enumerate(node.parents)
        )
        beside_op = labels.options_text(node)
        rows.append(
            (
                step,
                str(node.id),
                labels.clean(node.op or node.role),
                labels.clean(node.name or ""),
                labels.shape_text(node.shape),
                labels.number(value),
                labels.number(node.grad_norm),
                f"{parents}  {beside_op}".strip(),
            )
        )
    wide = [max(len(row[k]) for row in rows) for k in range(7)]
    lines = [labels.clean(graph.title, 200)] if graph.title else []
    lines += [
        "  ".join([*(c.ljust(w) for c, w in zip(row, wide)), row[7]]).rstrip() for row in rows
    ]
    lines += [labels.clean(note, 400) for note in graph.notes]
    return "\n".join(lines) + "\n"
