"""Fold what a reader names, "softmax in decoder" or "linear over t", for `views`.

A name is that of a scope, a module or its class, a function, a phase, cell or gate, with `*` for
any letters; `in` says what it lies inside of; `over t` makes one box of all steps.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterator
from fnmatch import fnmatchcase

from ..draw_error import DrawError
from ..graph import Graph, GraphNode
from .fold import fold

Container = tuple[tuple[str, ...], Hashable]  # what it is called, and what tells it from others


def collapse(graph: Graph, where: str) -> Graph:
    """Return the graph with each place that fits folded to one node, step by step.

    Two names with a stroke between, `lstm/step*`, are held against the outermost scopes.
    """
    names, over, time = where.partition(" over ")
    if over and time.strip() not in ("t", "time"):
        raise DrawError(f"--collapse '{where}': there is only `over t`, all time steps in one box")
    wanted = [part.strip() for part in names.split(" in ")]
    found = {node.id: _group(node, wanted, bool(over)) for node in graph.nodes if node.op}
    groups = {i: group for i, group in found.items() if group is not None}
    if not groups:
        raise DrawError(_none(graph, where, wanted[0]))
    told: dict[Hashable, str] = {group: str(group[0]) for group in groups.values()}
    return fold(graph, dict(groups), told)


def _group(node: GraphNode, wanted: list[str], over: bool) -> tuple[str, Hashable] | None:
    """Return name and place of the outermost container that fits, None where none does."""
    left = wanted[::-1]  # the outermost first
    for names, key in _containers(node, over):
        fitting = next((name for name in names if fnmatchcase(name, left[0])), None)
        if fitting is None:
            continue
        if len(left) == 1:
            return fitting, key
        left = left[1:]
    return None


def _containers(node: GraphNode, over: bool) -> Iterator[Container]:
    """Yield what a node lies in, the outermost first."""
    place = node.place.cell_place.timeless if over else node.place.cell_place
    phase = None if node.path else place.phase  # the path knows better: steps may join a phase
    for part in (phase, place.direction, place.cell):
        if part is not None:
            yield (str(part),), ("place", place)
    for k in range(len(node.path)):
        names = {node.path[k]: None, "/".join(node.path[: k + 1]): None}
        yield tuple(names), (node.path[: k + 1], place)
    for k, (name, kind, _) in enumerate(node.calls):
        chain = node.calls[: k + 1]
        yield tuple(filter(None, (name, kind))), tuple(c[:2] for c in chain) if over else chain
    if node.place.gate is not None:
        yield (str(node.place.gate),), ("gate", node.place.gate, place)


def _none(graph: Graph, where: str, name: str) -> str:
    names = (n for node in graph.nodes for each, _ in _containers(node, False) for n in each)
    known = list(dict.fromkeys(names))
    near = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    some = f" There are: {', '.join(known[:12])}." if known else " Nothing here has a name."
    return f"nothing fits --collapse '{where}'.{hint}{some}"
