"""Sort nodes into columns of time and say how each edge reaches its column, for `layout`.

A column is a time step, or what comes before or after all steps. An edge inside a column is a
plain wire; one from a neighbouring column is a state and gets a lane; many edges that meet in
one node run above the steps; all others end in a chip, a small copy of their source.
Shared parameters are always chips: drawn once, they would pull every layout to pieces.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from ..graph import Graph, GraphNode
from ..labels import clean

GATHER = 3


@dataclass(slots=True)
class Column:
    """One column; `label` is written below its frame, None means no frame is drawn."""

    label: str | None
    ids: list[int]
    step: int | None = None
    phase: str = ""


@dataclass(slots=True)
class ColumnPlan:
    """The columns of a graph, and the edges by the way they are drawn."""

    graph: Graph
    columns: list[Column] = field(default_factory=list)
    where: dict[int, int] = field(default_factory=dict)
    chips: set[tuple[int, int]] = field(default_factory=set)  # (child, slot)
    states: set[tuple[int, int]] = field(default_factory=set)
    gathers: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    lanes: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)

    def share_lanes(self, shown: Collection[int], most: int) -> None:
        """Let each edge of a gather have a lane of its own, if so few come from shown columns."""
        for child, edges in self.gathers.items():
            parents = self.graph.nodes[child].parents
            seen = [e for e in edges if self.where[parents[e[1]]] in shown]  # type: ignore[index]
            alone = set(seen if len(seen) <= most else ())
            self.lanes |= {e: e if e in alone else (seen or edges)[0] for e in edges}


def plan(graph: Graph, chips: str = "chips") -> ColumnPlan:
    """Return the columns of a graph and how each edge is drawn."""
    made = ColumnPlan(graph)
    loose = _loose(graph)
    made.columns = _columns(graph, loose)
    for index, column in enumerate(made.columns):
        for node in column.ids:
            made.where[node] = index
    _sort_edges(made)
    return made


def _loose(graph: Graph) -> set[int]:
    """Return the nodes that stand in no column: leaves shared by several, or parameters."""
    homes: dict[int, set[tuple[str, int | None]]] = defaultdict(set)
    for parent, _, child in graph.edges():
        if parent.op is None:
            homes[parent.id].add(child.place.moment)
    stepped = any(node.step is not None for node in graph.nodes)
    loose = set()
    for node in graph.nodes:
        if node.op is not None or node.step is not None:
            continue
        shared = stepped and len(homes[node.id]) > 1
        if homes[node.id] and (node.role in ("param", "const", "state") or shared):
            loose.add(node.id)
    if not stepped:
        loose = {i for i in loose if graph.nodes[i].role in ("param", "const")}
    return loose


def _columns(graph: Graph, loose: set[int]) -> list[Column]:
    """Return the columns in time order; what has no step stands before or after the steps."""
    steps: dict[tuple[str, int], list[int]] = defaultdict(list)
    unplaced = []
    for node in graph.nodes:
        if node.id in loose:
            continue
        if node.step is None:
            unplaced.append(node)
        else:
            steps[node.place.moment].append(node.id)  # type: ignore[index]
    if not steps:
        return [Column(None, [node.id for node in unplaced])] if unplaced else []
    early, after = _ends(graph, unplaced, steps)
    before, between = _between(graph, early)
    phases = list(dict.fromkeys(key[0] for key in steps))
    keys = sorted(steps, key=lambda key: (phases.index(key[0]), key[1]))
    made = [Column(_step_label(*key), sorted(steps[key]), key[1], key[0]) for key in keys]
    for name in phases:
        if between.get(name):
            last = max(i for i, column in enumerate(made) if column.phase == name)
            made.insert(last + 1, Column("between", between[name], phase=name))
    made = [Column("before", before), *made] if before else made
    return [*made, Column("after", after)] if after else made


def _step_label(phase: str, step: int) -> str:
    return f"{clean(phase, 24)}  t = {step}" if phase else f"t = {step}"


def _ends(
    graph: Graph, unplaced: list[GraphNode], steps: dict[tuple[str, int], list[int]]
) -> tuple[list[int], list[int]]:
    """Return the nodes before and after the steps; a leaf of one step joins that step."""
    children: dict[int, list[GraphNode]] = {node.id: [] for node in unplaced}
    for parent, _, child in graph.edges():
        if parent.id in children:
            children[parent.id].append(child)
    early: set[int] = {i for ids in steps.values() for i in ids}
    before, after = [], []
    for node in reversed(unplaced):
        users = {child.place.moment for child in children[node.id]}
        home = next(iter(users)) if len(users) == 1 else None
        if node.op is None and home in steps:
            steps[home].append(node.id)  # type: ignore[index]
        elif any(child.id in early for child in children[node.id]):
            early.add(node.id)
            before.append(node.id)
        else:
            after.append(node.id)
    return sorted(before), sorted(after)


def _between(graph: Graph, early: list[int]) -> tuple[list[int], dict[str, list[int]]]:
    """Return the nodes before all steps, and those between two phases, by the earlier one."""
    source: dict[int, str] = {}
    for node in graph.nodes if early else ():
        for parent in node.parents:
            if parent is not None and graph.nodes[parent].step is not None:
                source[node.id] = graph.nodes[parent].place.moment[0]
            elif parent is not None and parent in source:
                source.setdefault(node.id, source[parent])
    between: dict[str, list[int]] = defaultdict(list)
    for i in early:
        if i in source:
            between[source[i]].append(i)
    return [i for i in early if i not in source], between


def _sort_edges(made: ColumnPlan) -> None:
    """Put each edge that is not inside one column among chips, states or gathers."""
    far: dict[int, list[tuple[int, int]]] = defaultdict(list)
    users: dict[int, set[int]] = defaultdict(set)
    for parent, _, child in made.graph.edges():
        if parent.role == "state":
            users[parent.id].add(made.where[child.id])
    outer = {0, len(made.columns) - 1} | _first_steps(made)
    for parent, slot, child in made.graph.edges():
        edge = (child.id, slot)
        home = made.where.get(parent.id)
        if home is None:
            lone = parent.role == "state" and len(users[parent.id]) == 1
            ends = made.where[child.id] in outer
            (made.states if lone and ends else made.chips).add(edge)
        elif home != made.where[child.id]:
            far[child.id].append(edge)
    for child_id, edges in far.items():
        _sort_far(made, child_id, edges)


def _first_steps(made: ColumnPlan) -> set[int]:
    """Return the first and the last column that is a step: beside them there is room."""
    steps = [i for i, column in enumerate(made.columns) if column.step is not None]
    if not steps:
        return set()
    last = steps[-1] == len(made.columns) - 1 or made.columns[-1].label == "after"
    return {steps[0]} | ({steps[-1]} if last else set())


def _sort_far(made: ColumnPlan, child: int, edges: list[tuple[int, int]]) -> None:
    parents = made.graph.nodes[child].parents
    homes = {made.where[parents[slot]] for _, slot in edges}  # type: ignore[index]
    if len(homes) >= GATHER:
        made.gathers[child] = edges
        return
    for edge in edges:
        home = made.where[parents[edge[1]]]  # type: ignore[index]
        near = abs(home - made.where[child]) == 1
        (made.states if near else made.chips).add(edge)


def masked(text: str | None) -> str:
    """Return a name with its digits replaced, so that names of two steps compare equal."""
    return re.sub(r"\d+", "#", text or "")
