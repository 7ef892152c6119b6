"""A laid-out scene cut into columns that can be drawn one by one.

A column is a time step, or what stands before or after all steps. Columns that look alike (same
operations, joined the same way) share one picture, and only the ids of their nodes differ; so of a
thousand steps only the few in the scene need a layout. A wire between columns keeps which of its
points move with the column it comes from: the player may then widen or fold a step by itself.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from .columns import Column, Plan, masked, plan
from .graph import Graph
from .labels import face
from .scene import Box, Frame, Scene, Wire
from .stamp import Options, unrolled

MARGIN = 8.0
SHOWN = (4, 3)  # steps that are laid out at the start and at the end of a long graph


@dataclass(frozen=True, slots=True)
class Level:
    """A layout for the player: the scene, the columns of the whole graph and their kinds.

    `drawn.graph` may be a folded form of `base`; the ids that the player gets are those of `base`.
    """

    scene: Scene
    drawn: Plan
    signs: list[tuple[Any, ...]]
    base: Graph

    @property
    def members(self) -> list[list[int]]:
        """Return for each drawn node the nodes of `base` that it stands for."""
        return self.drawn.graph.members or [[i] for i in range(len(self.base))]


def lay_out(graph: Graph, base: Graph | None = None) -> Level:
    """Return a layout in which every kind of column appears; steps that repeat are left out."""
    drawn = plan(graph)
    signs = signatures(drawn)
    steps = [i for i, column in enumerate(drawn.columns) if column.step is not None]
    few, many = SHOWN
    clean = set(range(len(signs))) - set(steps[few - 1 : len(steps) - many + 1])
    enough = {signs[i] for i in clean} >= set(signs)
    long = len(steps) > 2 * (few + many)
    scene = unrolled(graph, Options(elide=SHOWN if enough and long else None))
    return Level(scene, drawn, signs, base or graph)


def signatures(drawn: Plan) -> list[tuple[Any, ...]]:
    """Return for each column what must be equal for two of them to share a picture."""
    places = {node: i for column in drawn.columns for i, node in enumerate(column.ids)}
    return [_signature(drawn, index, column, places) for index, column in enumerate(drawn.columns)]


def _signature(
    drawn: Plan, index: int, column: Column, places: dict[int, int]
) -> tuple[Any, ...]:
    nodes = drawn.graph.nodes
    made = []
    for number in column.ids:
        node = nodes[number]
        joined = []
        for slot, parent in enumerate(node.parents):
            home = drawn.where.get(parent) if parent is not None else None
            if home is None or (number, slot) in drawn.chips:
                loose = parent is None or nodes[parent].role != "input"
                joined.append(("chip", parent if loose and home is None else -1))
            else:
                joined.append((home - index, places[parent]))  # type: ignore[index]
        labels = tuple((k, str(v)) for k, v in node.labels.items() if k != "step")
        made.append((node.op, node.role, masked(node.name), labels, tuple(joined)))
    return (column.step is None, tuple(made))


class _Part:
    """A column that the scene shows: its span, and what lies in it."""

    def __init__(self, left: float, right: float, frame: Frame | None) -> None:
        self.left, self.right, self.frame = left, right, frame
        self.boxes: list[Box] = []
        self.frames: list[Frame] = []
        self.wires: list[Wire] = []
        self.ids: list[int] = []
        self.places: dict[int, int] = {}

    def local(self, node: int) -> int:
        """Return the place of a node among the column's ids; it is added when new."""
        if node not in self.places:
            self.places[node] = len(self.ids)
            self.ids.append(node)
        return self.places[node]

    def gap(self, x: float) -> float:
        """Return how far x lies outside the column, 0 inside."""
        return max(self.left - x, x - self.right, 0.0)


class _Cutter:
    def __init__(self, level: Level) -> None:
        scene, self.drawn = level.scene, level.drawn
        self.graph, self.base = self.drawn.graph, level.base
        self.members = level.members
        self.owner = {i: node for node, ids in enumerate(self.members) for i in ids}
        self.where = dict(self.drawn.where)
        self.columns = list(self.drawn.columns)
        self.signs = list(level.signs)
        self._add_stubs(scene)
        self.parts = self._parts(scene)
        self.solid: dict[int, int] = {}  # node → place of its box in its column
        self.chips: dict[tuple[int, int], list[int]] = defaultdict(list)
        self._fill(scene)
        ys = [box.y - box.h / 2 for box in scene.boxes] + [frame.y for frame in scene.frames]
        ys += [y for wire in scene.wires for _, y in wire.points]
        self.top = min(ys, default=0.0) - MARGIN
        lowest = [box.y + box.h / 2 for box in scene.boxes]
        lowest += [frame.y + frame.h for frame in scene.frames]
        self.height = max(lowest, default=0.0) + MARGIN - self.top

    def _add_stubs(self, scene: Scene) -> None:
        """Give states that come from outside a column of their own, before all others."""
        outside = {b.node for b in scene.boxes if b.shape != "dashed" and b.node is not None}
        loose = sorted(outside - set(self.where))
        if loose:
            self.columns.insert(0, Column("before", loose))
            self.signs.insert(0, ("stubs",))
            self.where = {node: index + 1 for node, index in self.where.items()}
            self.where |= dict.fromkeys(loose, 0)

    def _parts(self, scene: Scene) -> dict[int, _Part]:
        """Return the columns that the scene shows, with their spans."""
        inside: dict[int, list[Box]] = defaultdict(list)
        for box in scene.boxes:
            home = self.where.get(box.node) if box.shape != "dashed" else None  # type: ignore[arg-type]
            if home is not None and not self._is_stub(box, inside[home]):
                inside[home].append(box)
        frames = sorted((f for f in scene.frames if f.kind == "step"), key=lambda f: f.x)
        parts = {}
        for index, boxes in sorted(inside.items()):
            middle = boxes[0].x if boxes else 0.0
            frame = next((f for f in frames if f.x <= middle <= f.x + f.w), None)
            left = min(box.x - box.w / 2 for box in boxes) - MARGIN
            right = max(box.x + box.w / 2 for box in boxes) + MARGIN
            span = (frame.x, frame.x + frame.w) if frame else (left, right)
            parts[index] = _Part(*span, frame)
        return parts

    def _is_stub(self, box: Box, before: list[Box]) -> bool:
        """True for the copy of a node that an elided picture shows beside the gap."""
        return any(other.node == box.node for other in before)

    def _fill(self, scene: Scene) -> None:
        for box in scene.boxes:
            if box.node is None:
                continue
            home = self.where.get(box.node) if box.shape != "dashed" else self._at(box.x)
            if home not in self.parts or box.node in self.solid and box.shape != "dashed":
                continue
            part = self.parts[home]
            if part.gap(box.x):
                continue
            if box.shape == "dashed":
                self.chips[(home, box.node)].append(len(part.boxes))
            else:
                self.solid[box.node] = len(part.boxes)
            part.boxes.append(box)
        for frame in scene.frames:
            if frame.kind != "step":
                self.parts[self._at(frame.x + frame.w / 2)].frames.append(frame)
        for wire in scene.wires:
            home = self.where.get(wire.edge[0]) if wire.edge else None
            if home in self.parts:
                self.parts[home].wires.append(wire)

    def _at(self, x: float) -> int:
        return min(self.parts, key=lambda index: self.parts[index].gap(x))

    def level(self) -> dict[str, Any]:
        """Return pictures `T`, and per column `S` [step, picture, ids, gap, label]."""
        models: dict[tuple[Any, ...], int] = {}
        for index in sorted(self.parts, key=lambda i: not self._clean(i)):
            models.setdefault(self.signs[index], index)
        used = sorted(set(models.values()))
        pictures = [self._picture(index) for index in used]
        for index, picture in zip(used, pictures, strict=True):
            self._gather(index, picture)
        columns = []
        for index, column in enumerate(self.columns):
            model = models[self.signs[index]]
            ids = self._ids(model, column)
            place = used.index(model)
            columns.append([column.step, place, ids, self._gap(model), _title(column)])
        return {"height": _r(self.height), "T": pictures, "S": columns}

    def _clean(self, index: int) -> bool:
        """True for a column whose neighbours are shown too: none of its wires is a stub."""
        around = [i for i in (index - 1, index + 1) if 0 <= i < len(self.columns)]
        return all(i in self.parts for i in around)

    def _gap(self, index: int) -> float:
        after = self.parts.get(index + 1)
        return _r(after.left - self.parts[index].right) if after else 30.0

    def _ids(self, model: int, column: Column) -> list[int]:
        """Return the nodes of a column in the order of the picture's places."""
        own, others = self._flat(self.columns[model]), self._flat(column)
        twin = dict(zip(own, others, strict=True))
        nodes = self.base.nodes
        for child in own:  # what a chip stands for in this column
            for parent, other in zip(nodes[child].parents, nodes[twin[child]].parents, strict=True):
                if parent is not None and other is not None:
                    twin.setdefault(parent, other)
        return [twin.get(node, node) for node in self.parts[model].ids]

    def _flat(self, column: Column) -> list[int]:
        return [i for node in column.ids for i in self.members[node]]

    def _edges(self, child: int, slot: int) -> list[tuple[int, int]]:
        """Return the edges of the base that one drawn edge stands for."""
        parent = self.graph.nodes[child].parents[slot]
        return [
            (i, k)
            for i in self.members[child]
            for k, source in enumerate(self.base.nodes[i].parents)
            if source is not None and self.owner[source] == parent
        ]

    def _picture(self, index: int) -> dict[str, Any]:
        part = self.parts[index]
        boxes = [self._box(part, box) for box in part.boxes]
        wires = [self._wire(index, part, wire) for wire in part.wires]
        frames = [self._frame(part, frame) for frame in part.frames]
        picture: dict[str, Any] = {"w": _r(part.right - part.left), "B": boxes, "C": frames}
        if part.frame is not None:
            picture["P"] = [_r(part.frame.y - self.top), _r(part.frame.h)]
        picture["E"] = [wire for wire in wires if wire[0] == 0]
        return picture | {"X": [wire for wire in wires if wire[0] != 0]}

    def _frame(self, part: _Part, f: Frame) -> list[Any]:
        middle = f.label_x if f.label_x is not None else f.x + f.w / 2
        corner = [_r(f.x - part.left), _r(f.y - self.top), _r(f.w), _r(f.h)]
        return [f.label, f.kind, *corner, _r(middle - part.left)]

    def _box(self, part: _Part, box: Box) -> list[Any]:
        ids = self.members[box.node or 0]
        main = self.base.nodes[max(ids)]
        usual = box.shape == "dashed" or tuple(box.lines) == face(main).lines
        lines = 0 if usual else [0 if line == main.name else line for line in box.lines]
        place = [_r(box.x - part.left), _r(box.y - self.top), _r(box.w), _r(box.h)]
        return [*place, box.shape, lines, [part.local(i) for i in ids]]

    def _wire(self, index: int, part: _Part, wire: Wire) -> list[Any]:
        """Return [column offset, source box, target box, points of the source, points, edges]."""
        child, slot = wire.edge or (0, 0)
        parent: int = self.graph.nodes[child].parents[slot]  # type: ignore[assignment]
        chips = self.chips.get((index, parent), [])
        near = min(chips, key=lambda i: _far(part.boxes[i], wire.points[0]), default=None)
        home = index if near is not None else self.where.get(parent, index)
        source = self.parts.get(home, part)
        split = _split(wire, source, part) if source is not part else 0
        flat = []
        for place, (x, y) in enumerate(wire.points):
            flat += [_r(x - (source if place < split else part).left), _r(y - self.top)]
        from_box = near if near is not None else self.solid.get(parent, -1)
        edges = [[part.local(i), k] for i, k in self._edges(child, slot)]
        return [home - index, from_box, self.solid[child], split, flat, edges]

    def _gather(self, index: int, picture: dict[str, Any]) -> None:
        """Add the wires that come from columns the scene leaves out, like those that it shows."""
        if len(self.parts) == len(self.columns):
            return
        part = self.parts[index]
        known = {wire.edge for wire in part.wires}
        like = {self.signs[index + wire[0]]: wire for wire in picture["X"]}
        for child in (c for c in self.drawn.gathers if self.where[c] == index):
            for edge in self.drawn.gathers[child]:
                home = self.where[self.graph.nodes[child].parents[edge[1]]]  # type: ignore[index]
                wire = like.get(self.signs[home])
                if edge not in known and wire is not None:
                    edges = [[part.local(i), k] for i, k in self._edges(*edge)]
                    picture["X"].append([home - index, *wire[1:5], edges])


def pack(level: Level) -> dict[str, Any]:
    """Return a layout as pictures of columns, and the columns of the whole graph."""
    return _Cutter(level).level()


def _title(column: Column) -> str:
    return column.label if column.step is not None and column.label else ""


def _split(wire: Wire, source: _Part, target: _Part) -> int:
    """Return how many leading points of a wire belong to the column it comes from."""
    for place, (x, _) in enumerate(wire.points):
        if target.gap(x) < source.gap(x):
            return place
    return len(wire.points)


def _far(box: Box, point: tuple[float, float]) -> float:
    return abs(box.x - point[0]) + abs(box.y - point[1])


def _r(number: float) -> float | int:
    rounded = round(number, 1)
    return int(rounded) if rounded == int(rounded) else rounded
