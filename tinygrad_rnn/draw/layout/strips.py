"""Draw gradients over time: strips below the cells, bars per use of a parameter; for `views`.

Strips show log10 ‖∂L/∂state⟨t⟩‖ for each state and the mean of each gate; several models stand
below each other on one scale. Bars show what each time step contributed to a parameter's
gradient, which is their sum: the check line says how exactly.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from .. import labels
from ..graph import Graph, GraphNode
from ..scene import Box, Frame, Patch, Scene, Wire, Words, elbow
from ..settings import Settings
from ..transform.cell_of_node import cells_of

LEFT = 120.0


def flow_view(graphs: list[Graph], settings: Settings | None = None) -> Scene:
    """Return the scene of one or more models, cells above and strips below, one scale for all."""
    settings = settings or Settings()
    series = [state_series(graph) for graph in graphs]
    norms = [v for s in series for line in s.values() for v in line.values() if v is not None]
    out = settings.sheet(norms, " and ".join(g.title for g in graphs if g.title))
    count = max((len(graph.steps()) for graph in graphs), default=1)
    cell = max(12.0, min(40.0, 1000.0 / max(1, count)))
    out.height = 20.0
    for graph, lines in zip(graphs, series, strict=True):
        _model(out, graph, lines, cell)
    _fit(out)
    out.notes = list(dict.fromkeys(note for graph in graphs for note in graph.notes))
    out.folded = {(c.id, s) for g in graphs for _, s, c in g.edges()}
    out.description = "gradient norms of the states per time step"
    return out


def _fit(out: Scene) -> None:
    """Make the sheet as wide as what is on it."""
    ends = [box.x + box.w / 2 for box in out.boxes]
    ends += [words.x + labels.width(words.text, words.size) for words in out.words]
    out.width = 22.0 + max(ends, default=238.0)


def state_series(graph: Graph) -> dict[str, dict[int, float | None]]:
    """Return, per state, step → ‖∂L/∂state⟨t⟩‖; None where backward did not arrive."""
    lines: dict[str, dict[int, float | None]] = {}
    sources = {source for source, _, _ in cells_of(graph).states()}
    letters = {_line_name(graph.nodes[s]) for s in sources}
    for node in graph.nodes:
        if node.step is not None and node.op and _line_name(node) in letters:
            lines.setdefault(_line_name(node), {})[node.step] = node.grad_norm
    return dict(sorted(lines.items()))


def _line_name(node: GraphNode) -> str:
    return (node.name or "").split("⟨")[0] if "⟨" in (node.name or "") else node.name or ""


def gate_series(graph: Graph) -> dict[str, dict[int, float]]:
    """Return, per gate that is a sigmoid, step → mean value; empty when values were not kept."""
    lines: dict[str, dict[int, float]] = {}
    for node in graph.nodes:
        named = (node.name or "").startswith("Γ")
        if named and node.step is not None and node.value and "mean" in node.value:
            layer = node.place.layer
            number = layer + 1 if isinstance(layer, int) else layer
            key = node.name if layer in (None, 0) else f"{node.name}[{number}]"
            lines.setdefault(str(key), {})[node.step] = node.value["mean"]
    return lines


def _model(
    out: Scene, graph: Graph, lines: dict[str, dict[int, float | None]], cell: float
) -> None:
    steps = graph.steps()
    x = {step: LEFT + i * cell for i, step in enumerate(steps)}
    y = out.height + 16.0
    tall = 26.0 + 14.0 * max(0, len(lines) - 1)
    out.words.append(Words(14.0, y + tall / 2 + 4.0, labels.clean(graph.title), 12.0, bold=True))
    _cells(out, lines, x, y, tall, cell)
    if x:
        _loss(out, graph, lines, max(x.values()) + cell * 0.82, y, tall)
    every = max(1, round(28.0 / cell))
    for i, step in enumerate(steps):
        if i % every == 0 or step == steps[-1]:
            out.words.append(Words(x[step] + cell / 2, y + tall + 18.0, str(step), 9.0, "middle"))
    y += tall + 26.0
    for name, values in lines.items():
        y = _strip(out, f"‖∂L/∂{labels.clean(name)}⟨t⟩‖", values, x, y, cell)
    for name, means in gate_series(graph).items():
        y = _gate_strip(out, f"mean {name}", means, x, y, cell)
    out.height = y + 14.0


def _cells(
    out: Scene, lines: dict[str, dict[int, float | None]], x: dict[int, float],
    y: float, tall: float, cell: float,
) -> None:  # fmt: skip
    """Draw small cells and, between them, one line per state."""
    steps = list(x)
    for step in steps:
        out.frames.append(Frame(x[step] + cell * 0.18, y, cell * 0.64, tall, "", "gate"))
    for k, values in enumerate(lines.values()):
        height = y + tall * (k + 1) / (len(lines) + 1)
        for here, there in zip(steps, steps[1:], strict=False):
            ends = [(x[here] + cell * 0.82, height), (x[there] + cell * 0.18, height)]
            out.wires.append(Wire(elbow(ends), None, values.get(here), arrow=False))


def _loss(
    out: Scene, graph: Graph, lines: dict[str, dict[int, float | None]], x: float, y: float,
    tall: float,
) -> None:  # fmt: skip
    """Draw L behind the last cell, which hands it every state that has a gradient."""
    losses = [node for node in graph.nodes if node.role == "loss"]
    if not losses:
        return
    box = Box(x + 34.0, y + tall / 2, 22.0, tall, ("L",), "round", "loss", losses[-1].id)
    box.title, box.bold = labels.title(losses[-1]), True
    out.boxes.append(box)
    for k, values in enumerate(lines.values()):
        height = y + tall * (k + 1) / (len(lines) + 1)
        ends = [(x, height), (x + 23.0, height)]
        out.wires.append(Wire(elbow(ends), None, values.get(max(values)), arrow=True))


def _strip(
    out: Scene,
    name: str,
    values: dict[int, float | None],
    x: dict[int, float],
    y: float,
    cell: float,
) -> float:
    out.words.append(Words(14.0, y + 13.0, name, 10.0))
    for step, norm in values.items():
        title = f"{name}, t = {step}: {labels.number(norm)}"
        fill = out.theme.paper if norm is None else out.scale.stroke(norm).colour
        out.patches.append(Patch(x[step], y, cell - 0.6, 17.0, fill, title))
    known = [v for v in values.values() if v is not None]
    if known:
        first, last = known[0], known[-1]
        ratio = labels.number(first / last) if last else "–"
        at = max(x.values()) + cell + 8.0
        out.words.append(Words(at, y + 13.0, f"{ratio} first/last", 10.0))
    return y + 21.0


def _gate_strip(
    out: Scene, name: str, means: dict[int, float], x: dict[int, float], y: float, cell: float
) -> float:
    """Draw means of a gate as bars from 0 (closed) to 1 (open)."""
    out.words.append(Words(14.0, y + 13.0, name, 10.0))
    for step, mean in means.items():
        title = f"{name}, t = {step}: {labels.number(mean)}"
        high = 17.0 * min(1.0, max(0.0, mean))
        out.patches.append(Patch(x[step], y, cell - 0.6, 17.0, out.theme.inner, title))
        out.patches.append(Patch(x[step], y + 17.0 - high, cell - 0.6, high, out.theme.edge, title))
    values = list(means.values())
    low, top = labels.number(min(values)), labels.number(max(values))
    out.words.append(Words(max(x.values()) + cell + 8.0, y + 13.0, f"{low} … {top}", 10.0))
    return y + 21.0


def params_view(graph: Graph, settings: Settings | None = None) -> Scene:
    """Return the scene with a bar per use of each parameter, and their sum."""
    settings = settings or Settings()
    uses = {p: u for p, u in graph.param_uses.items() if graph.nodes[p].role == "param"}
    norms = [use["norm"] for us in uses.values() for use in us if use.get("norm") is not None]
    out = settings.sheet(norms, f"{graph.title}: Σ over time")
    out.height = 16.0
    for param, every in uses.items():
        _param(out, graph.nodes[param], every)
    _fit(out)
    out.notes = list(graph.notes)
    out.folded = {(c.id, s) for _, s, c in graph.edges()}
    out.description = "what each time step contributed to the gradient of each parameter"
    return out


def _param(out: Scene, node: GraphNode, uses: list[dict[str, Any]]) -> None:
    """Draw one parameter: its chip, a bar per step, and the check of the sum."""
    y = out.height + 8.0
    face = labels.chip(node)
    wide = max(40.0, labels.width(face.lines[0], 10.0) + 12.0)
    out.boxes.append(
        Box(14.0 + wide / 2, y + 10.0, wide, 20.0, face.lines, "dashed", "param", node.id,
            labels.title(node))
    )  # fmt: skip
    by_step = _by_step(uses)
    top = max((norm or 0.0 for norm, _ in by_step.values()), default=0.0)
    text = f"{labels.shape_text(node.shape)}, used {len(uses)}×,  ‖∂L/∂{face.lines[0]}‖ = "
    text += labels.number(node.grad_norm) if node.grad else "not computed"
    out.words.append(Words(max(LEFT, 24.0 + wide), y + 13.0, text, 10.0))
    y += 26.0
    for step, (norm, cosine) in by_step.items():
        name = "all t" if step is None else f"t = {step}"
        out.words.append(Words(LEFT - 10.0, y + 8.0, name, 9.0, "end"))
        long = 0.0 if norm is None else 300.0 * (norm / top if top else 0.0)
        colour = out.scale.stroke(norm).colour
        out.patches.append(Patch(LEFT, y, max(long, 0.6), 9.0, colour, f"{name}: {norm}"))
        value = labels.number(norm) if norm is not None else "not computed"
        value += f"   cos {cosine:+.2f}" if cosine is not None else ""
        out.words.append(Words(LEFT + max(long, 0.6) + 6.0, y + 8.0, value, 9.0, faint=True))
        y += 13.0
    check = (node.grad or {}).get("check")
    if check is not None:
        line = f"Σₜ contributions = {face.lines[0]}.grad (max diff {check:.0e})"
        out.words.append(Words(LEFT, y + 9.0, line, 9.0, faint=True))
        y += 15.0
    out.height = y + 6.0


def _by_step(uses: list[dict[str, Any]]) -> dict[int | None, tuple[float | None, float | None]]:
    """Return step → (norm, cosine); several uses in one step add by root of squares."""
    found: dict[int | None, list[dict[str, Any]]] = defaultdict(list)
    for use in uses:
        found[use.get("step")].append(use)
    merged = {}
    for step in sorted(found, key=lambda s: (s is None, s)):
        known = [use["norm"] for use in found[step] if use.get("norm") is not None]
        norm = sum(n * n for n in known) ** 0.5 if known else None
        merged[step] = (norm, found[step][0].get("cos") if len(found[step]) == 1 else None)
    return merged
