"""Shorten a long graph to one or two steps of every kind, for `player.data` and `levels`.

Laying out and folding cost time per node, and in a thousand equal steps there is nothing new to
lay out. The excerpt keeps the first and the last steps and joins them as neighbours; for every
column of the long graph it knows the kept column that looks the same, node by node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..graph import Graph, GraphNode
from ..labels import sign_of
from ..transform.columns import ColumnPlan, masked, plan

KEPT = (4, 3)  # steps at the start and at the end


@dataclass(slots=True)
class Excerpt:
    """Hold the short `graph`; `ids` are its nodes' ids in `base`, `like` each column's twin."""

    base: Graph
    drawn: ColumnPlan  # the columns of base
    graph: Graph
    ids: list[int]
    like: list[int]  # column of base → the kept column of base that looks like it
    _twins: dict[int, dict[int, int]] = field(default_factory=dict)

    def models(self) -> dict[int, int]:
        """Return node → the node at its place in the column that looks the same."""
        columns = self.drawn.columns
        same: dict[int, int] = {}
        for index, model in enumerate(self.like):
            if model != index:
                same |= dict(zip(columns[index].ids, columns[model].ids, strict=True))
        return same

    def twins(self, column: int) -> dict[int, int]:
        """Return, for the nodes that the twin of a column shows, what this column has instead."""
        if column not in self._twins:
            self._twins[column] = self._matched(column)
        return self._twins[column]

    def _matched(self, column: int) -> dict[int, int]:
        columns, nodes = self.drawn.columns, self.base.nodes
        own, other = columns[self.like[column]].ids, columns[column].ids
        twin = dict(zip(own, other, strict=True))
        for child in own:  # leaves that are drawn at each use
            for parent, there in zip(nodes[child].parents, nodes[twin[child]].parents, strict=True):
                if parent is not None and there is not None:
                    twin.setdefault(parent, there)
        return twin


def excerpt(graph: Graph) -> Excerpt:
    """Return the excerpt of a graph; the whole graph when it is short or nowhere repeats."""
    drawn = plan(graph)
    signs = _signatures(drawn)
    steps = [i for i, column in enumerate(drawn.columns) if column.step is not None]
    first, last = KEPT
    dropped = steps[first:-last] if len(steps) > 2 * (first + last) else []
    kept = [i for i in range(len(signs)) if i not in set(dropped)]
    joint = dropped and signs[dropped[-1]] == signs[dropped[0] - 1]
    if not joint or {signs[i] for i in dropped} - {signs[i] for i in kept}:
        kept = list(range(len(signs)))
    latest = {signs[i]: i for i in kept}
    like = [latest[sign] for sign in signs]
    if len(kept) == len(signs):
        return Excerpt(graph, drawn, graph, list(range(len(graph))), like)
    return _cut(
        Excerpt(graph, drawn, Graph(title=graph.title, code=graph.code), [], like), kept, dropped
    )


def _cut(made: Excerpt, kept: Sequence[int], dropped: Sequence[int]) -> Excerpt:
    """Fill in the short graph: the kept columns, and the leaves that stand in no column."""
    drawn, nodes = made.drawn, made.base.nodes
    gone = {i for column in dropped for i in drawn.columns[column].ids}
    made.ids = [node.id for node in nodes if node.id not in gone]
    small = {number: i for i, number in enumerate(made.ids)}
    before = drawn.columns[dropped[0] - 1].ids
    bridge = dict(zip(drawn.columns[dropped[-1]].ids, before, strict=True))
    for number in made.ids:
        gathered = {slot for _, slot in drawn.gathers.get(number, ())}
        parents = [
            None if parent is None else small.get(parent, small.get(bridge.get(parent, -1)))
            for slot, parent in enumerate(nodes[number].parents)
            if not (slot in gathered and parent in gone)
        ]
        made.graph.nodes.append(_renumbered(nodes[number], len(made.graph.nodes), parents))
    return made


def _renumbered(node: GraphNode, number: int, parents: Sequence[int | None]) -> GraphNode:
    made = node.moved(number, tuple(parents))
    made.value = made.grad = None
    return made


def _signatures(drawn: ColumnPlan) -> list[tuple[Any, ...]]:
    """Return for each column what must be equal for two of them to share a picture."""
    places = {node: i for column in drawn.columns for i, node in enumerate(column.ids)}
    shapes = _shapes(drawn, places)
    signs = []
    for index, column in enumerate(drawn.columns):
        made = [_sign(drawn, index, drawn.graph.nodes[i], places) for i in column.ids]
        sources = {h - index for *_, joins in made for h in _homes(joins, index) if h != index}
        seen = tuple((by, shapes[index + by]) for by in sorted(sources))
        signs.append((column.step is None, column.phase, tuple(made), seen))
    return signs


def _homes(joins: Sequence[tuple[int | None, int | None]], index: int) -> list[int]:
    return [index + by for by, _ in joins if by is not None]


def _shapes(drawn: ColumnPlan, places: dict[int, int]) -> list[int]:
    """Return a number per column, the same where boxes stand alike: wires begin at a box there."""
    known: dict[Any, int] = {}
    shapes = []
    for index, column in enumerate(drawn.columns):
        inner = []
        for node in map(drawn.graph.nodes.__getitem__, column.ids):
            kind, ways = _sign(drawn, index, node, places)[:-1], []
            for slot, parent in enumerate(node.parents):
                inside = parent is not None and drawn.where.get(parent) == index
                chip = (node.id, slot) in drawn.chips
                ways.append("chip" if chip else places[parent] if inside else None)  # type: ignore
            inner.append((kind, tuple(ways)))
        shapes.append(known.setdefault((column.step is None, tuple(inner)), len(known)))
    return shapes


def _sign(
    drawn: ColumnPlan, index: int, node: GraphNode, places: dict[int, int]
) -> tuple[Any, ...]:
    joined: list[tuple[int | None, int | None]] = []
    for slot, parent in enumerate(node.parents):
        home = drawn.where.get(parent) if parent is not None else None
        if home is not None and (node.id, slot) not in drawn.chips:
            joined.append((home - index, places[parent]))  # type: ignore[index]
        else:  # a parameter is the same everywhere, another leaf is one of each step
            joined.append((None, parent if home is None else -1))
    labels = tuple((key, str(value)) for key, value in node.labels.items())
    kind = (node.op, node.role, masked(node.name), sign_of(node))
    return (*kind, node.place.timeless, labels, tuple(joined))
