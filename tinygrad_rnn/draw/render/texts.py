"""Renderers that write text for others to draw or to read: Mermaid, TikZ, and a plain table."""

from __future__ import annotations

from .. import labels
from ..graph import Graph
from ..palette import Stroke
from ..scene import Box, Scene
from .svg import arrow

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
    text = _mermaid_text("<br>".join(_entities(line) for line in lines), escape=False)
    if len(lines) == 1 and lines[0] in labels.ROUND:
        return f"(({text}))"
    return f"({text})" if op else f"([{text}])"


def _entities(text: str) -> str:
    """Return text in which nothing can end a label or start markup: Mermaid's #code; form."""
    return "".join(c if c.isalnum() or c in " .,+-=_⟨⟩()/" else f"#{ord(c)};" for c in text)


def _mermaid_text(text: str, escape: bool = True) -> str:
    return f'"{_entities(text) if escape else text}"'


TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\^{}", "~": r"\~{}",
    "⟨": r"$\langle$", "⟩": r"$\rangle$", "Γ": r"$\Gamma$", "σ": r"$\sigma$", "Σ": r"$\Sigma$",
    "×": r"$\times$", "÷": r"$\div$", "−": "$-$", "∂": r"$\partial$", "‖": r"$\|$", "·": r"$\cdot$",
    "∘": r"$\circ$", "√": r"$\surd$", "→": r"$\to$", "←": r"$\leftarrow$", "⋯": r"$\cdots$",
    "ᵀ": r"${}^\top$", "ⁿ": "${}^n$", "²": "${}^2$", "ŷ": r"$\hat{y}$", "ĝ": r"$\hat{g}$",
    "…": r"\dots{}", "✖": r"$\times$", "Δ": r"$\Delta$", "ₜ": "${}_t$", "≤": r"$\le$",
    "◧": "[A]", "◨": "[B]", "—": "---",
}  # fmt: skip


def tex(text: str) -> str:
    """Return text for TeX: specials escaped, the book's signs as mathematics."""
    for sign, plain in (("c̃", "\x00"), ("ŷ", "ŷ")):
        text = text.replace(sign, plain)
    out = "".join(TEX.get(c, c) for c in text)
    return out.replace("\x00", r"$\tilde{c}$")


def tikz(scene: Scene) -> str:
    """Return a standalone LaTeX document with the scene as a TikZ picture."""
    high = scene.height
    colours = _colours(scene)
    lines = [r"\documentclass[tikz,border=4pt]{standalone}", r"\usepackage[utf8]{inputenc}"]
    lines += [
        f"\\definecolor{{{name}}}{{HTML}}{{{code[1:].upper()}}}" for code, name in colours.items()
    ]
    lines += [r"\begin{document}", r"\begin{tikzpicture}[x=1pt,y=1pt,font=\sffamily\footnotesize]"]
    theme = scene.theme
    for frame in scene.frames:
        fill = {"step": theme.panel, "gate": theme.inner}.get(frame.kind)
        paint = f"fill={colours[fill]}," if fill else "dashed,"
        corner = f"({frame.x:.1f},{high - frame.y - frame.h:.1f})"
        box = f"{corner} rectangle ++({frame.w:.1f},{frame.h:.1f})"
        lines.append(f"\\draw[{paint}draw={colours[theme.edge]},rounded corners=4pt] {box};")
        x = frame.x + frame.w / 2 if frame.label_x is None else frame.label_x
        y = high - frame.y - frame.h + (11 if frame.kind == "step" else 6)
        if frame.label:
            lines.append(f"\\node at ({x:.1f},{y:.1f}) {{{_small(frame.kind)}{tex(frame.label)}}};")
    for p in scene.patches:
        box = f"({p.x:.1f},{high - p.y - p.h:.1f}) rectangle ++({p.w:.2f},{p.h:.2f})"
        lines.append(f"\\fill[{colours[p.fill]}] {box};")
    lines += [_tikz_wire(scene, wire, colours) for wire in scene.wires]
    lines += [_tikz_box(scene, box, colours) for box in scene.boxes]
    for p in scene.above:
        corner = f"({p.x:.1f},{high - p.y - p.h:.1f})"
        lines.append(f"\\fill[{colours[p.fill]}] {corner} rectangle ++({p.w:.2f},{p.h:.2f});")
    for w in scene.words:
        anchor = {"start": "base west", "middle": "base", "end": "base east"}[w.anchor]
        at = f"({w.x:.1f},{high - w.y:.1f})"
        lines.append(f"\\node[anchor={anchor},inner sep=0pt] at {at} {{{tex(w.text)}}};")
    return "\n".join([*lines, r"\end{tikzpicture}", r"\end{document}"]) + "\n"


def _small(kind: str) -> str:
    return "" if kind == "step" else r"\tiny "


def _colours(scene: Scene) -> dict[str, str]:
    """Return each colour of a scene with a name for TeX."""
    theme = scene.theme
    used = [theme.paper, theme.panel, theme.inner, theme.edge, theme.ink, theme.param_edge]
    used += [*theme.fills.values(), *(p.fill for p in (*scene.patches, *scene.above))]
    used += [box.fill for box in scene.boxes if box.fill]
    used += [scene.scale.stroke(wire.norm).colour for wire in scene.wires]
    return {code: f"c{i}" for i, code in enumerate(dict.fromkeys(used))}


def _tikz_wire(scene: Scene, wire: object, colours: dict[str, str]) -> str:
    points, norm = wire.points, wire.norm  # type: ignore[attr-defined]
    stroke: Stroke = scene.scale.stroke(norm)
    high, colour = scene.height, colours[stroke.colour]
    dash = wire.dash or stroke.dash  # type: ignore[attr-defined]
    style = f"{colour},line width={stroke.width * 0.8:.2f}pt" + (",dashed" if dash else "")
    head: list = []
    if wire.arrow:  # type: ignore[attr-defined]
        points, head = arrow(points, stroke.width)
    at = [f"({x:.1f},{high - y:.1f})" for x, y in points]
    curves = "".join(
        f" .. controls {at[i]} and {at[i + 1]} .. {at[i + 2]}" for i in range(1, len(at) - 2, 3)
    )
    line = f"\\draw[{style}] {at[0]}{curves};"
    if head:
        line += (
            f" \\fill[{colour}] " + " -- ".join(f"({x:.1f},{high - y:.1f})" for x, y in head) + ";"
        )
    return line


def _tikz_box(scene: Scene, box: Box, colours: dict[str, str]) -> str:
    theme = scene.theme
    fill = colours[box.fill or theme.fills.get(box.role, theme.paper)]
    edge = colours[theme.param_edge if box.role == "param" else theme.ink]
    shape = {"circle": "circle", "round": "rounded corners=4pt", "dashed": "dashed"}.get(
        box.shape, ""
    )
    size = r"\tiny " if box.size < 9 else ""
    text = r"\\[-2pt]".join(
        size + tex(line) for line in (*box.lines, *([box.mark] if box.mark else []))
    )
    thick = ",thick" if box.bold else ""
    return (
        f"\\node[draw={edge},fill={fill},{shape}{thick},inner sep=0pt,align=center,"
        f"minimum width={box.w:.1f}pt,minimum height={box.h:.1f}pt]"
        f" at ({box.x:.1f},{scene.height - box.y:.1f}) {{{text}}};"
    )


def table(graph: Graph, limit: int = 200_000) -> str:
    """Return a line per node: step, id, op, name, shape, ‖v‖, ‖g‖, parents; "–" is not computed."""
    rows = [("step", "id", "op", "name", "shape", "‖v‖", "‖g‖", "from")]
    for node in graph.nodes[:limit]:
        step = "" if node.step is None else str(node.step)
        value = node.value.get("norm") if node.value else None
        parents = " ".join("·" if p is None else str(p) for p in node.parents)
        rows.append(
            (
                step,
                str(node.id),
                labels.clean(node.op or node.role),
                labels.clean(node.name or ""),
                labels.shape_text(node.shape),
                labels.number(value),
                labels.number(node.grad_norm),
                parents,
            )
        )
    wide = [max(len(row[k]) for row in rows) for k in range(7)]
    lines = [labels.clean(graph.title, 200)] if graph.title else []
    lines += [
        "  ".join([*(c.ljust(w) for c, w in zip(row, wide)), row[7]]).rstrip() for row in rows
    ]
    lines += [labels.clean(note, 400) for note in graph.notes]
    return "\n".join(lines) + "\n"
