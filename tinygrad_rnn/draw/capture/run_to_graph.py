"""Run a computation and turn it into a `Graph`, for `drawing`, `runs` and `sources`.

The function is run once within `trace()`, so that operations without gradient are seen too, and
a function that raises half-way still leaves the operations before the error. Names of local
variables become names of nodes, so that a user's drawing speaks the user's language.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from ...engine.backward import BackwardRecord
from ...engine.context import mode
from ...engine.node import Node, toposort
from ...engine.record import lone_numbers
from ...engine.tensor import Tensor, leaf_of
from ..draw_error import DrawError
from ..graph import Graph, GraphNode, Place, place_of
from ..layout.legend import NOT_RUN
from .call_options import options_of
from .calls import Running, add_calls
from .lines import Chain, LinedTrace, add_lines
from .names import name_nodes, spread_names, tell_apart
from .statistics import flat, measured, size, statistics
from .steps import assign_steps
from .turn_counter import Pass, turns_of
from .variables import shortened, watched

FREED = "the graph was freed by backward(); call backward(retain_graph=True) or draw first."
NOT_KEPT = 'backward() ran without record="norm" — gradients not shown'


@dataclass(slots=True)
class TracedRun:
    """Hold what happened when a function ran: its nodes, its result, what it raised."""

    nodes: list[Node] = field(default_factory=list)
    result: Any = None
    error: BaseException | None = None
    names: dict[Node, str] = field(default_factory=dict)
    lines: dict[Node, Chain] = field(default_factory=dict)
    passes: dict[Node, tuple[Pass, ...]] = field(default_factory=dict)
    calls: dict[Node, Running] = field(default_factory=dict)


def run(function: Callable[[], Any]) -> TracedRun:
    """Return what a function computed; an exception is kept, not raised."""
    made = TracedRun()
    nodes = LinedTrace()
    with mode(nodes=nodes), watched(function, nodes, made.names):
        try:
            made.result = function()
        except (Exception, SystemExit) as error:  # the drawing of what came before is the point
            made.error = error
    made.nodes, made.lines, made.passes = nodes, nodes.lines, nodes.passes
    made.calls = nodes.stack.made
    return made


def tensors(value: Any) -> list[Tensor]:
    """Return the Tensors in a result: itself, or those in tuples, lists and dictionaries."""
    found, stack = [], [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Tensor):
            found.append(item)
        elif isinstance(item, list | tuple):
            stack.extend(reversed(item))
        elif isinstance(item, dict):
            stack.extend(reversed(list(item.values())))
    return found


def check_result(result: Any, name: str = "x") -> list[Tensor]:
    """Return the Tensors of a result; a DrawError says why there is nothing to draw."""
    found = tensors(result)
    if found:
        return found
    kind = "a numpy array" if isinstance(result, np.ndarray) else f"a {type(result).__name__}"
    raise DrawError(
        f"'{name}' is {kind}, not a Tensor: nothing was recorded. "
        "Return the Tensor itself (did you call .numpy()?)"
    )


def graph_of(
    roots: Iterable[Tensor],
    names: dict[Node, str] | None = None,
    title: str = "",
    flow: BackwardRecord | None = None,
    values: bool = True,
    ran: TracedRun | None = None,
) -> Graph:
    """Return the graph of everything some Tensors were made from."""
    roots = list(roots)
    nodes = toposort(*(leaf_of(root) for root in roots))
    flow = flow or next((leaf_of(r).record for r in roots if leaf_of(r).record is not None), None)
    return convert(nodes, [leaf_of(r) for r in roots], names, title, flow, values, ran)


def convert(
    nodes: list[Node],
    roots: list[Node],
    names: dict[Node, str] | None = None,
    title: str = "",
    flow: BackwardRecord | None = None,
    values: bool = True,
    ran: TracedRun | None = None,
) -> Graph:
    """Return nodes of the engine as a graph: dense ids, roles, the book's names, gradients.

    `ran` tells the lines and the loops that made them.
    """
    nodes = sorted(nodes, key=lambda node: node.index)
    ids = {node: i for i, node in enumerate(nodes)}
    names = shortened(names or {}, nodes)
    graph = Graph(title=title, live=(nodes, roots))
    stats = measured([node.value if values else None for node in nodes])
    homes = {scope: _home(one) for scope, one in {one.scope: one for one in nodes}.items()}
    for node, value in zip(nodes, stats, strict=True):
        made = _graph_node(node, ids, names.get(node), value)
        made.place, labels, made.path = homes[node.scope]
        made.labels = dict(labels)
        graph.nodes.append(made)
    _roles(graph, nodes, roots, ids)
    if flow is not None:
        _overlay(graph, nodes, ids, flow)
    spoken = {ids[node] for node in names if node in ids and not node.name}
    add_lines(graph, ran.lines if ran else {})
    add_calls(graph, ran.calls if ran else {}, names)
    passes = {ids[n]: found for n, found in ran.passes.items() if n in ids} if ran else {}
    spread_names(graph, assign_steps(graph, turns_of(passes), _copies(nodes)), spoken)
    name_nodes(graph)
    tell_apart(graph)
    _uses(graph, flow, nodes)
    if not graph.has_gradients:
        passed = any(node.op is None and node.grad is not None for node in nodes)
        graph.notes.append(NOT_KEPT if passed else NOT_RUN)
    return graph


def _copies(nodes: list[Node]) -> dict[int, int]:
    """Return for each leaf that shares the array of an operation, as detached, the latter."""
    made = {id(n.value): i for i, n in enumerate(nodes) if n.op and n.value is not None}
    shared = {i: made.get(id(n.value)) for i, n in enumerate(nodes) if not n.op}
    return {leaf: op for leaf, op in shared.items() if op is not None}


def _home(node: Node) -> tuple[Place, dict[str, Any], tuple[str, ...]]:
    """Return the place, the other labels and the path of a scope, told by any node within."""
    place, labels = place_of({key: _plain(value) for key, value in node.labels.items()})
    return place, labels, tuple(map(str, node.path))


def _graph_node(node: Node, ids: dict[Node, int], name: str | None, value: Any) -> GraphNode:
    op, role = (node.op.name, "op") if node.op else (None, "input")
    parents = tuple([None if p is None else ids.get(p) for p in node.parents])
    made = (ids[node], op, parents, node.shape, _word(node.dtype), node.name or name, role)
    lone = lone_numbers(node) if None in node.parents else {}
    numbers = {k: float(x.item() if hasattr(x, "item") else x) for k, x in lone.items()}
    return GraphNode(*made, value=value, numbers=numbers, options=options_of(node.params))


_word = lru_cache(str)  # NumPy takes long to spell a dtype


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str | bool) or value is None else str(value)


def _roles(graph: Graph, nodes: list[Node], roots: list[Node], ids: dict[Node, int]) -> None:
    for node, made in zip(nodes, graph.nodes, strict=True):
        if node.op is None:
            made.role = _leaf_role(node, made)
        if made.role == "param":  # it may have been made within a step, but serves them all
            made.labels, kept = {}, made.place
            made.place = Place(layer=kept.layer, direction=kept.direction)
    for root in roots:
        made = graph.nodes[ids[root]]
        if root.op is not None and len(roots) == 1 and not made.shape:
            made.role = "loss"
            made.name = made.name if made.name and made.name != "loss" else "L"


def _leaf_role(node: Node, made: GraphNode) -> str:
    if node.needs:
        return "param"
    name = (made.name or "").lower()
    whole = np.dtype(node.dtype).kind in "iub"
    if name.startswith(("target", "label", "y")) or (whole and not name.startswith("x")):
        return "target"
    return "input" if made.name or made.shape else "const"


def _overlay(graph: Graph, nodes: list[Node], ids: dict[Node, int], flow: BackwardRecord) -> None:
    """Put the recorded gradients on nodes and edges; what was not reached has none."""
    reached = measured([flow.nodes.get(node) for node in nodes])
    for made, grad in zip(graph.nodes, reached, strict=True):
        made.grad = grad
    shares = {
        f"{made.id}:{slot}": share
        for node, made in zip(nodes, graph.nodes, strict=True)
        for slot, share in enumerate(flow.edges.get(node, ()))
        if share is not None and made.parents[slot] is not None
    }
    for key, found in zip(shares, measured(list(shares.values())), strict=True):
        if found is not None:
            graph.edge_grads[key] = found["norm"]
            if flow.full:
                graph.edge_samples[key] = found["sample"]
    graph.order = [ids[node] for node in flow.order if node in ids]
    _check_sums(graph, nodes, flow)


def _check_sums(graph: Graph, nodes: list[Node], flow: BackwardRecord) -> None:
    """Say so when `.grad` holds more than this one backward pass."""
    for node in nodes:
        if node.op is None and node.grad is not None and node in flow.nodes:
            here, kept = size(flow.nodes[node]), statistics(node.grad._array)["norm"]
            ratio = kept / here if here > 0 and np.isfinite(kept) else 1
            if ratio > 1.5:  # norms of different passes add up to no whole multiple
                whole = abs(ratio - round(ratio)) < 1e-3
                many = f"{round(ratio)} backward passes" if whole else "several backward passes"
                graph.notes.append(f"gradients are the sum of {many}")
                return


def _uses(graph: Graph, flow: BackwardRecord | None, nodes: list[Node]) -> None:
    """List for each parameter its uses, their steps and what they gave to the gradient."""
    for parent, slot, child in graph.edges():
        if parent.role != "param":
            continue
        use: dict[str, Any] = {"node": child.id, "k": slot, "step": child.step}
        key = f"{child.id}:{slot}"
        use["norm"] = graph.edge_grads.get(key)
        if key in graph.edge_samples:
            use["sample"] = graph.edge_samples[key]
        graph.param_uses.setdefault(parent.id, []).append(use)
    if flow is not None and flow.full:
        for param, uses in graph.param_uses.items():
            _check_param(graph.nodes[param], uses, nodes, flow)


def _check_param(
    made: GraphNode, uses: list[dict[str, Any]], nodes: list[Node], flow: BackwardRecord
) -> None:
    """Note the cosine of each contribution with the total, and how far their sum is from it."""
    total = flow.nodes.get(nodes[made.id])
    if total is None or made.grad is None:
        return
    whole = flat(total)
    norm, summed = made.grad["norm"], np.zeros_like(whole)
    for use in uses:
        shares = flow.edges.get(nodes[use["node"]], ())
        share = shares[use["k"]] if shares else None  # a use that no gradient went through
        if share is not None:
            part = flat(share)
            both = use["norm"] * norm
            use["cos"] = float(part @ whole) / both if 0 < both < math.inf else None
            summed += part
    kept = nodes[made.id].grad
    target = whole if kept is None else flat(kept._array)
    made.grad["check"] = float(np.abs(summed - target).max()) if whole.size else 0.0
