"""Find the cell that each node is part of: layer, direction, step; for `layout`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ..graph import Graph

Row = tuple[object, object]  # layer, direction
Step = tuple[str, int]  # phase, time step


@dataclass(slots=True)
class Cells:
    """A graph sorted into cells: which row and step each node belongs to."""

    graph: Graph
    rows: list[Row] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    home: dict[int, tuple[Row, Step]] = field(default_factory=dict)
    heads: dict[Step, list[int]] = field(default_factory=dict)
    names: dict[Row, str] = field(default_factory=dict)
    below: dict[Step, list[int]] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    through: set[int] = field(default_factory=set)  # between two cells of one step
    crossing: list[tuple] | None = None
    sizes: Counter[tuple[Row, Step]] = field(default_factory=Counter)

    def states(self) -> list[tuple[int, tuple[Row, Step], tuple[Row, Step]]]:
        """Return (source node, its cell, the cell that reads it) for each state, once."""
        if self.crossing is not None:
            return self.crossing
        found: dict[tuple, None] = {}
        for parent, _, child in self.graph.edges():
            here, there = self.home.get(parent.id), self.home.get(child.id)
            if here and there and here[0] == there[0] and here[1] != there[1]:
                found[(parent.id, here, there)] = None
        self.crossing = list(found)
        return self.crossing


def cells_of(graph: Graph) -> Cells:
    """Return the nodes of a graph by cell; without cell labels a whole step is the cell."""
    labelled = {node.place.moment[0] for node in graph.nodes if node.place.cell is not None}
    made = Cells(graph, through=_between_cells(graph) if labelled else set())
    rows: dict[Row, None] = {}
    steps: dict[Step, None] = {}
    for node in graph.nodes:
        if node.step is None:
            if node.op:
                made.ends.append(node.id)
            continue
        step: Step = node.place.moment  # type: ignore[assignment]
        steps[step] = None
        if node.op and (node.place.cell is not None or step[0] not in labelled):
            row = node.place.row
            rows[row] = None
            made.home[node.id] = (row, step)
            made.names.setdefault(row, str(node.place.cell or step[0] or "cell"))
        elif node.id in made.through:
            continue
        elif node.op and any(p in made.home or in_step(made.heads, step, p) for p in node.parents):
            made.heads.setdefault(step, []).append(node.id)
        else:
            made.below.setdefault(step, []).append(node.id)
    phases = list(dict.fromkeys(step[0] for step in steps))
    made.sizes = Counter(made.home.values())
    made.steps = sorted(steps, key=lambda s: (phases.index(s[0]), s[1]))
    made.rows = sorted(rows, key=lambda row: (str(row[0]), str(row[1])))
    return made


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


def in_step(table: dict[Step, list[int]], step: tuple[str, int | None], node: int | None) -> bool:
    return node in table.get(step, ())  # type: ignore[arg-type]
