"""Tell which box of a cell view each node is part of, for `cell_grid` and `strips`.

A box is a cell in a step, its output in that step, an input, or a value computed from several
steps: between two phases, or at the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..graph import Graph, GraphNode

Row = tuple[object, object]  # layer, direction
Step = tuple[str, int]  # phase, time step
Cell = tuple[Row, Step]


@dataclass(slots=True)
class Cells:
    """Keep a graph sorted into boxes; `inputs` and `targets` have (source, step) for each."""

    graph: Graph
    rows: list[Row] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    home: dict[int, Cell] = field(default_factory=dict)
    names: dict[Row, str] = field(default_factory=dict)
    heads: dict[Step, list[int]] = field(default_factory=dict)
    inputs: dict[tuple[int, Step], list[int]] = field(default_factory=dict)
    targets: dict[tuple[int, Step], list[int]] = field(default_factory=dict)
    gathered: list[list[int]] = field(default_factory=list)
    through: set[int] = field(default_factory=set)  # between two cells of one step
    crossing: list[tuple[int, Cell, Cell]] | None = None

    def states(self) -> list[tuple[int, Cell, Cell]]:
        """Return (source node, its cell, the cell that reads it) for each state, once."""
        if self.crossing is None:
            found: dict[tuple[int, Cell, Cell], None] = {}
            for parent, _, child in self.graph.edges():
                here, there = self.home.get(parent.id), self.home.get(child.id)
                if here and there and here[0] == there[0] and here[1] != there[1]:
                    found[(parent.id, here, there)] = None
            self.crossing = list(found)
        return self.crossing


def cells_of(graph: Graph) -> Cells:
    """Return the nodes of a graph by box; without cell labels a whole step is the cell."""
    labelled = {node.place.moment[0] for node in graph.nodes if node.place.cell is not None}
    made = Cells(graph, through=_between_cells(graph) if labelled else set())
    late = _gathering(graph)
    made.through -= late
    for node in graph.nodes:
        step: Step = node.place.moment  # type: ignore[assignment]
        part = _slice_of(graph, node, late)
        if node.op and (node.id in late or step[1] is None):
            continue
        if part is not None:
            made.inputs.setdefault((part, step), []).append(node.id)
        elif node.role == "loss":
            made.heads.setdefault(step, []).append(node.id)
        elif node.op and (node.place.cell is not None or step[0] not in labelled):
            made.home[node.id] = (node.place.row, step)
            made.names.setdefault(node.place.row, str(node.place.cell or step[0] or "cell"))
        elif node.op and node.id not in made.through and _follows(made, node, step):
            made.heads.setdefault(step, []).append(node.id)
        elif node.op is None and step[1] is not None:
            kind = made.targets if node.role == "target" else made.inputs
            kind.setdefault((node.id, step), []).append(node.id)
    moments = [node.place.moment for node in graph.nodes if node.step is not None]
    phases = list(dict.fromkeys(moment[0] for moment in moments))
    made.steps = sorted(set(moments), key=lambda s: (phases.index(s[0]), s[1]))  # type: ignore
    made.rows = sorted(made.names, key=lambda row: (str(row[0]), str(row[1])))
    made.gathered = _components(graph, late)
    return made


def _follows(made: Cells, node: GraphNode, step: Step) -> bool:
    return any(p in made.home or p in made.heads.get(step, ()) for p in node.parents)


def _slice_of(graph: Graph, node: GraphNode, late: set[int]) -> int | None:
    """Return what x⟨t⟩ is cut out of: something outside of time that is no parameter."""
    if node.op != "getitem" or node.step is None or node.parents[0] is None:
        return None
    whole = graph.nodes[node.parents[0]]
    plain = whole.step is None and whole.role != "param" and whole.id not in late
    return whole.id if plain else None


def _gathering(graph: Graph) -> set[int]:
    """Return the operations computed from several steps, and what follows, up to a cell."""
    found: set[int] = set()
    for node in graph.nodes:
        if not node.op or node.place.cell is not None:
            continue
        parents = [graph.nodes[p] for p in node.parents if p is not None]
        moments = {p.place.moment for p in parents if p.op and p.step is not None}
        after = any(p.id in found for p in parents)
        apart = bool(moments - {node.place.moment}) and node.step is not None
        inside = any(p.place.cell is not None for p in parents if p.op)
        if after or (node.step is None and moments) or (apart and inside):
            found.add(node.id)
    return found


def _components(graph: Graph, ids: Iterable[int]) -> list[list[int]]:
    """Return operations in groups that hang together, as they are made."""
    group = {i: [i] for i in ids}
    for i in sorted(group):
        for p in graph.nodes[i].parents:
            if p in group and group[p] is not group[i]:
                group[p] += group[i]
                for moved in group[i]:
                    group[moved] = group[p]
    return [sorted(one) for one in {id(one): one for one in group.values()}.values()]


def _between_cells(graph: Graph) -> set[int]:
    """Return the operations outside of cells that lead from one cell to another."""
    inside = {node.id for node in graph.nodes if node.place.cell is not None}
    after: set[int] = set()
    for node in graph.nodes:
        known = [p for p in node.parents if p is not None]
        if any(p in inside and graph.nodes[p].op or p in after for p in known):
            after.add(node.id)
    before: set[int] = set()
    for node in reversed(graph.nodes):
        if node.id in inside or node.id in before:
            before |= {p for p in node.parents if p is not None}
    stepped = {node.id for node in graph.nodes if node.op and node.step is not None}
    return (after & before & stepped) - inside


def sources_of(cells: Cells, node: int) -> list[int]:
    """Return the node itself, or the nodes in cells that lead to it between two cells."""
    found, stack = [], [node]
    while stack:
        one = stack.pop()
        if one in cells.through:
            stack += [p for p in reversed(cells.graph.nodes[one].parents) if p is not None]
        else:
            found.append(one)
    return list(dict.fromkeys(found))
