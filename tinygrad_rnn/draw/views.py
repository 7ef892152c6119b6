"""Choose view, folding and cuts from a reader's wishes and make the scene, for `drawing`.

A picture that would be too large becomes a smaller one, and `said` tells what was done instead;
nothing is cut silently.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .draw_error import TOO_LARGE, DrawError
from .graph import Graph, GraphNode
from .labels import ascii_only
from .layout.architectures import arch_view
from .layout.cell_grid import cell_view
from .layout.legend import finish
from .layout.overlays import diff_view, rolled_view
from .layout.strips import flow_view, params_view
from .layout.unrolled import unrolled
from .scene import Scene
from .settings import Settings
from .transform import fold as folding
from .transform.backward_graph import backward_graph
from .transform.boxes import to_boxes
from .transform.collapse import collapse
from .transform.select import chosen

VIEWS = {  # and what each shows
    "arch": "one of the five architectures as boxes x → cell → ŷ (with --arch)",
    "rolled": "one step, and delay boxes for what it hands to the next",
    "cell": "a box per layer and step, with the states between them",
    "gate": "each gate as one box, and what is done with them",
    "op": "every operation",
    "flow": "cells above strips of ‖∂L/∂state‖ and of the gates, over time",
    "params": "per parameter what each step contributed to its gradient",
    "backward": "the backward pass: each rule, and where gradients meet",
    "diff": "two programs in one picture: only in one, only in the other, changed",
    "table": "text, a line per node",
}
OP_LIMIT, GATE_LIMIT = 300, 3_000
ELEMENTS, MOST_OPS, PLAIN_OPS = 6_000, 5_000, 4_000
CELL_COLUMNS = 40
BYTES_PER_ELEMENT = 125


def scene_of(graphs: Sequence[Graph], settings: Settings) -> Scene:
    """Return the finished scene of the first graph; of all of them for `flow` and `diff`."""
    graphs = [prepared(graph, settings) for graph in graphs]
    for graph in graphs:
        _say_timeless(graph, settings)
    scene = _made(graphs, settings)
    scene = finish(scene)
    return in_ascii(scene) if settings.ascii else scene


def _say_timeless(graph: Graph, settings: Settings) -> None:
    """Say so where parameters serve again and again but no loop over time was found."""
    shared = max((len(uses) for uses in graph.param_uses.values()), default=0)
    if shared > 1 and not graph.steps():
        settings.said.append(
            f"no loop over time was found, though a parameter is used {shared} times: no steps are "
            'drawn. Name them with scope("step", step=t) if there are any'
        )


def prepared(graph: Graph, settings: Settings) -> Graph:
    """Return the graph with the wished measure of gradients and the wished folds."""
    graph = measured(graph, settings.grad)
    keep = chosen(graph, settings.expand) if settings.expand else folding.NOTHING
    for pattern in settings.collapse:
        graph = collapse(graph, pattern)
    if settings.view == "auto":
        graph = to_boxes(graph, keep)
    for level in settings.fold:
        keep = chosen(graph, settings.expand) if settings.expand else folding.NOTHING
        graph = folding.LEVELS[level](graph, keep)
    if settings.expand and not settings.fold:
        chosen(graph, settings.expand)  # a typo is told even where nothing is folded
    return folding.fold_sums(graph)


def view_of(graph: Graph, settings: Settings) -> str:
    """Return the view to draw; a graph too large for the wished one gets a coarser one."""
    ops = sum(node.op is not None for node in graph.nodes)
    if settings.view == "auto":
        if not graph.steps():
            return "op"
        if ops > GATE_LIMIT:
            settings.said.append(
                f"graph has {ops:,} ops: drew cells; --view gate or --view op shows more"
            )
        return "op" if ops <= OP_LIMIT else "gate" if ops <= GATE_LIMIT else "cell"
    if settings.view in ("op", "gate") and settings.elide == "auto" and ops > MOST_OPS:
        _say_folded(graph, ops, settings)
        return "cell"
    return settings.view


def _say_folded(graph: Graph, ops: int, settings: Settings) -> None:
    size = BYTES_PER_ELEMENT * _elements(graph) / 1e6
    steps = f"T={len(graph.steps()):,}" if graph.steps() else "it"
    settings.said.append(
        f"graph has {ops:,} ops; drawing {steps} at {settings.view} level would make a "
        f"{size:.0f} MB SVG. Wrote cell level instead. "
        f"Use --view {settings.view} --elide 2,2, or -o x.html."
    )


def _elements(graph: Graph) -> int:
    return 3 * len(graph) + 3 * sum(len(node.parents) for node in graph.nodes)


def _made(graphs: list[Graph], settings: Settings) -> Scene:
    graph, view = graphs[0], view_of(graphs[0], settings)
    if view == "arch":
        return arch_view(graph, settings)
    if view == "flow":
        return flow_view(graphs, settings.keeping(None))
    if view == "params":
        return params_view(graph, settings.keeping(None))
    if view == "diff":
        if len(graphs) != 2:
            raise DrawError("--view diff needs two sources: the second with --against SOURCE")
        elide = _elision(graph, settings, ELEMENTS)
        return diff_view(graph, graphs[1], settings.keeping(elide))
    if view == "rolled":
        return rolled_view(graph, settings.keeping(None))
    if view == "cell":
        if not graph.steps():
            return _whole(folding.to_layers(graph), settings)
        many = len(graph.steps()) > CELL_COLUMNS
        return cell_view(graph, settings.keeping(_wished(settings, many)))
    if view == "backward":
        graph = backward_graph(graph)
    if view == "gate":
        if settings.view == "gate" and not any(n.place.gate is not None for n in graph.nodes):
            settings.said.append("there are no gates in this graph: --view gate drew operations")
        keep = chosen(graph, settings.expand) if settings.expand else folding.NOTHING
        graph = folding.to_gates(graph, keep)
    return _whole(graph, settings)


def _whole(graph: Graph, settings: Settings) -> Scene:
    """Return the unrolled scene; a graph with too many columns shows the first and the last."""
    if not graph.steps() and len(graph) > PLAIN_OPS:
        raise DrawError(
            f"graph has {len(graph):,} nodes and no time steps; that is too many to draw. "
            "Use -o x.txt, --collapse PATTERN, or scope(..., step=t) in your code",
            TOO_LARGE,
        )
    if settings.params != "chips":
        if settings.params == "once":
            settings.said.append("--params once drew the shelf: each parameter in a list below")
        graph = without_params(graph, settings)
    elide = _elision(graph, settings, ELEMENTS)
    return unrolled(graph, settings.keeping(elide))


def _elision(graph: Graph, settings: Settings, most: int) -> tuple[int, int] | None:
    steps = len(graph.steps())
    many = _elements(graph) > most and steps > 5
    elide = _wished(settings, many)
    if settings.elide == "auto" and elide and many:
        settings.said.append(
            f"drew steps 1, 2, {steps - 1:,} and {steps:,} of {steps:,}; --elide none draws all"
        )
    return elide


def _wished(settings: Settings, many: bool) -> tuple[int, int] | None:
    if not isinstance(settings.elide, str) or settings.elide == "none":
        return settings.kept
    if settings.elide == "auto":
        return (2, 2) if many else None
    try:
        first, last = (int(part) for part in settings.elide.split(","))
    except ValueError:
        raise DrawError(f"--elide wants FIRST,LAST or none, got '{settings.elide}'") from None
    if first < 1 or last < 1:
        raise DrawError(f"--elide keeps at least 1,1 steps, got '{settings.elide}'")
    return (first, last)


def without_params(graph: Graph, settings: Settings) -> Graph:
    """Return the graph without parameters; a note lists them (the shelf)."""
    params = [node for node in graph.nodes if node.role == "param"]
    most = max((_times(graph, node) for node in params), default=0)
    if settings.params == "once" and most > 8 and not settings.force:
        raise DrawError(
            f"--params once refused: a parameter is used {most} times, and one node with {most} "
            "wires pulls every layout to pieces. Use --params chips, or --force"
        )
    gone = {node.id for node in params}
    number = {n.id: i for i, n in enumerate(n for n in graph.nodes if n.id not in gone)}
    made = Graph(title=graph.title, notes=list(graph.notes), code=graph.code)
    for node in graph.nodes:
        if node.id in gone:
            continue
        parents = tuple(None if p is None or p in gone else number[p] for p in node.parents)
        made.nodes.append(replace(node, id=number[node.id], parents=parents))
        for slot in range(len(parents)):
            norm = graph.edge_grad(node.id, slot)
            if norm is not None and parents[slot] is not None:
                made.edge_grads[f"{number[node.id]}:{slot}"] = norm
    shelf = ", ".join(f"{n.name or 'parameter'} used {_times(graph, n)}×" for n in params)
    made.notes.append(f"parameters: {shelf}")
    return made


def _times(graph: Graph, node: GraphNode) -> int:
    uses = graph.param_uses.get(node.id)
    return len(uses) if uses else sum(p.id == node.id for p, _, _ in graph.edges())


def measured(graph: Graph, grad: str) -> Graph:
    """Return the graph with another measure on its edges, or without gradients."""
    if grad == "norm" or not graph.has_gradients:
        return graph
    made = replace(graph, nodes=[replace(node) for node in graph.nodes])
    made.edge_grads = {}
    if grad == "none":
        for node in made.nodes:
            node.grad = None
        return made
    for key, norm in graph.edge_grads.items():
        child, _, _ = key.partition(":")
        made.edge_grads[key] = _measure(graph, key, norm, graph.nodes[int(child)], grad)
    return made


def _measure(graph: Graph, key: str, norm: float, child: GraphNode, grad: str) -> float:
    if grad == "ratio":
        above = child.grad_norm
        return norm / above if above else math.nan if norm else 0.0
    sample: Any = graph.edge_samples.get(key)
    if sample is None:
        raise DrawError("--grad maxabs needs the values of gradients, which were not recorded")
    return max((abs(v) for v in sample), default=0.0)


def in_ascii(scene: Scene) -> Scene:
    """Return the scene with every text in ASCII."""
    scene.title = ascii_only(scene.title)
    for box in scene.boxes:
        box.lines = tuple(map(ascii_only, box.lines))
        box.title, box.mark = ascii_only(box.title), ascii_only(box.mark)
    for words in scene.words:
        words.text = ascii_only(words.text)
    for frame in scene.frames:
        frame.label = ascii_only(frame.label)
    for wire in scene.wires:
        wire.title = ascii_only(wire.title)
    for patch in scene.patches:
        patch.title = ascii_only(patch.title)
    scene.description = ascii_only(scene.description)
    return scene
