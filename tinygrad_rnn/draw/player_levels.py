"""A laid-out scene cut into columns that can be drawn one by one.

A column is a time step (its frame) or what stands before or after all steps. Columns whose boxes,
wires and frames have the same places share one picture, and only the ids of their nodes differ.
A wire between columns keeps which of its points move with the column it comes from, so that the
player may widen, fold or leave out a step without a new layout.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .graph import Graph
from .labels import face
from .scene import Box, Frame, Scene, Wire

MARGIN = 8.0


@dataclass(slots=True)
class _Column:
    """One column while it is cut out: its span, and what lies in it."""

    left: float
    right: float
    frame: Frame | None = None
    boxes: list[Box] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)  # node id → place in ids

    def local(self, node: int) -> int:
        """Return the place of a node among the column's ids; it is added when new."""
        if node not in self.places:
            self.places[node] = len(self.ids)
            self.ids.append(node)
        return self.places[node]


class _Cutter:
    def __init__(self, scene: Scene, graph: Graph, members: Sequence[Sequence[int]] | None) -> None:
        self.scene, self.graph, self.members = scene, graph, members
        self.columns = _spans(scene)
        self.home: dict[int, int] = {}  # drawn node → column
        self.chips: dict[tuple[int, int], list[tuple[int, Box]]] = defaultdict(list)
        self.solid: dict[int, int] = {}  # drawn node → place of its box in the column
        self._fill()
        lowest = [box.y - box.h / 2 for box in scene.boxes] + [f.y for f in scene.frames]
        lowest += [y for wire in scene.wires for _, y in wire.points]
        self.top = min(lowest, default=0.0) - MARGIN

    def _fill(self) -> None:
        for box in self.scene.boxes:
            if box.node is None:
                continue
            index = self._at(box.x)
            column = self.columns[index]
            if box.shape == "dashed":
                self.chips[(index, box.node)].append((len(column.boxes), box))
            else:
                self.home[box.node] = index
                self.solid[box.node] = len(column.boxes)
            column.boxes.append(box)
        for frame in self.scene.frames:
            if frame.kind != "step":
                self.columns[self._at(frame.x + frame.w / 2)].frames.append(frame)
        for wire in self.scene.wires:
            if wire.edge is not None and wire.edge[0] in self.home:
                self.columns[self.home[wire.edge[0]]].wires.append(wire)

    def _at(self, x: float) -> int:
        """Return the column at x, the nearest one for what lies between two."""
        gaps = [max(c.left - x, x - c.right, 0.0) for c in self._near(x)]
        return self._first + gaps.index(min(gaps))

    def _near(self, x: float) -> list[_Column]:
        low, high = 0, len(self.columns)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.columns[middle].right < x else (low, middle)
        self._first = max(0, low - 1)
        return self.columns[self._first : low + 1]

    def level(self) -> dict[str, Any]:
        """Return the whole level: pictures `T`, and per column [step, picture, ids, gap, label]."""
        pictures: dict[str, int] = {}
        made, columns = [], []
        for index, column in enumerate(self.columns):
            picture = self._picture(index, column)
            place = pictures.setdefault(repr(picture), len(made))
            if place == len(made):
                made.append(picture)
            columns.append([self._step(column), place, column.ids, self._gap(index), self._label(column)])
        bottom = [box.y + box.h / 2 for box in self.scene.boxes]
        bottom += [frame.y + frame.h for frame in self.scene.frames]
        height = _r(max(bottom, default=0.0) + MARGIN - self.top)
        return {"height": height, "T": made, "S": columns}

    def _step(self, column: _Column) -> int | None:
        if column.frame is None:
            return None
        steps = [self.graph.nodes[i].step for i in column.ids]
        return next((step for step in steps if step is not None), None)

    def _label(self, column: _Column) -> str:
        return column.frame.label if column.frame else ""

    def _gap(self, index: int) -> float:
        after = self.columns[index + 1 : index + 2]
        return _r(after[0].left - self.columns[index].right) if after else 0.0

    def _picture(self, index: int, column: _Column) -> dict[str, Any]:
        boxes = [self._box(column, box) for box in column.boxes]
        inner, outer = [], []
        for wire in column.wires:
            (inner if (packed := self._wire(index, column, wire))[0] == 0 else outer).append(packed)
        frames = [
            [f.label, f.kind, _r(f.x - column.left), _r(f.y - self.top), _r(f.w), _r(f.h),
             _r((f.label_x if f.label_x is not None else f.x + f.w / 2) - column.left)]
            for f in column.frames
        ]  # fmt: skip
        picture = {"w": _r(column.right - column.left), "B": boxes, "E": inner, "X": outer}
        if column.frame is not None:
            picture["P"] = [_r(column.frame.y - self.top), _r(column.frame.h)]
        return picture | {"C": frames}

    def _box(self, column: _Column, box: Box) -> list[Any]:
        node = box.node or 0
        ids = [node] if self.members is None else list(self.members[node])
        usual = self.members is None and tuple(box.lines) == face(self.graph.nodes[node]).lines
        known = usual or box.shape == "dashed"
        place = [_r(box.x - column.left), _r(box.y - self.top), _r(box.w), _r(box.h)]
        return [*place, box.shape, 0 if known else list(box.lines), [column.local(i) for i in ids]]

    def _wire(self, index: int, column: _Column, wire: Wire) -> list[Any]:
        """Return [column offset, source box, target box, points of the source, points, edges]."""
        child, slot = wire.edge or (0, 0)
        parent = self.graph.nodes[child].parents[slot]
        start = wire.points[0]
        chips = self.chips.get((index, parent), []) if parent is not None else []
        near = min(chips, key=lambda chip: _far(chip[1], start), default=None)
        source, home = (near[0], index) if near else (self.solid.get(parent, -1), self.home.get(parent, index))  # type: ignore[arg-type]
        if home == index:
            split = 0
        else:
            split = self._split(wire, self.columns[home], column)
        flat = []
        for place, (x, y) in enumerate(wire.points):
            left = self.columns[home].left if place < split else column.left
            flat += [_r(x - left), _r(y - self.top)]
        edges = [[column.local(child), slot]]
        return [home - index, source, self.solid[child], split, flat, edges]

    def _split(self, wire: Wire, source: _Column, target: _Column) -> int:
        """Return how many leading points belong to the column the wire comes from."""
        for place, (x, _) in enumerate(wire.points):
            there = max(source.left - x, x - source.right, 0.0)
            here = max(target.left - x, x - target.right, 0.0)
            if here < there:
                return place
        return len(wire.points)


def pack(
    scene: Scene, graph: Graph, members: Sequence[Sequence[int]] | None = None
) -> dict[str, Any]:
    """Return a scene as pictures of columns; `members` lists what each drawn node stands for."""
    return _Cutter(scene, graph, members).level()


def _spans(scene: Scene) -> list[_Column]:
    """Return the columns from left to right: frames of steps, and what stands between them."""
    frames = sorted((f for f in scene.frames if f.kind == "step"), key=lambda f: f.x)
    columns = [_Column(f.x, f.x + f.w, f) for f in frames]
    starts = [f.x for f in frames]
    loose: dict[int, list[Box]] = defaultdict(list)
    for box in scene.boxes:
        after = _count_below(starts, box.x)
        if not after or box.x > frames[after - 1].x + frames[after - 1].w:
            loose[after].append(box)
    for after, boxes in loose.items():
        left = min(box.x - box.w / 2 for box in boxes) - MARGIN
        columns.append(_Column(left, max(box.x + box.w / 2 for box in boxes) + MARGIN))
    return sorted(columns, key=lambda column: column.left) or [_Column(0.0, scene.width)]


def _count_below(sorted_values: list[float], x: float) -> int:
    low, high = 0, len(sorted_values)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if sorted_values[middle] <= x else (low, middle)
    return low


def _far(box: Box, point: tuple[float, float]) -> float:
    return abs(box.x - point[0]) + abs(box.y - point[1])


def _r(number: float) -> float | int:
    rounded = round(number, 1)
    return int(rounded) if rounded == int(rounded) else rounded
