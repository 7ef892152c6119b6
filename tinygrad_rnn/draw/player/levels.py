"""Cut a laid-out scene into columns that can be drawn one by one, for `player.data`.

A column is a time step, or what stands before or after all steps. Columns that look alike share
one picture, and only the ids of their nodes differ. A wire between columns keeps which of its
points move with the column it comes from: the player may then widen or fold a step by itself.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from ..graph import Graph
from ..labels import clean
from ..layout.unrolled import unrolled
from ..scene import Box, Frame, Scene, Wire
from ..transform.fold import LEVELS
from .excerpt import Excerpt
from .states import state_ids

MARGIN = 8.0
REACH = 40.0
COARSE = {"arch": "step", "cell": "cell", "gate": "gate"}  # level of the player → way to fold


def levels(short: Excerpt) -> dict[str, Any]:
    """Return a picture book per level of detail, the coarsest first; only those that differ."""
    made: dict[str, Any] = {}
    size = 0
    for name, way in COARSE.items():
        folded = LEVELS[way](short.graph)
        if name == "arch":
            folded = _by_states(_without_parameters(folded), short.graph)
        if size < len(folded) < len(short.graph):
            made[name], size = pack(short, folded), len(folded)
    return made | {"op": pack(short, short.graph)}


def _without_parameters(graph: Graph) -> Graph:
    """Return the graph that shows where states go and nothing else."""
    kept = [node for node in graph.nodes if node.role != "param"]
    number = {node.id: i for i, node in enumerate(kept)}
    nodes = [
        node.moved(number[node.id], tuple(number[p] for p in node.parents if p in number))
        for node in kept
    ]
    members = graph.members or [[node.id] for node in graph.nodes]
    return Graph(nodes, graph.title, code=graph.code, members=[members[node.id] for node in kept])


def _by_states(folded: Graph, graph: Graph) -> Graph:
    """Name each folded step after the states that it hands on, not after its last operation."""
    states = state_ids(graph)
    for node, ids in zip(folded.nodes, folded.members, strict=True):
        handed = [graph.nodes[i].name for i in ids if i in states]
        if len(ids) > 1 and all(handed):
            node.name, node.role = ", ".join(map(clean, handed)) or node.name, "op"
    return folded


def pack(short: Excerpt, graph: Graph) -> dict[str, Any]:
    """Return pictures `T` of columns, and per column `S` [step, picture, ids, gap, label].

    `graph` is the excerpt or a folded form of it; the ids are those of the whole graph.
    """
    return _Cutter(short, graph, unrolled(graph)).level()


class _Part:
    """One column of the scene: its span, and what lies in it."""

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

    def along(self, x: float) -> float:
        """Return x counted from the column's left edge, kept close to the column.

        Only handles of long straight pieces lie far away, and may move along their piece: so the
        same wire fits when it comes from a column that is nearer or farther.
        """
        return min(max(x, self.left - REACH), self.right + REACH) - self.left

    def gap(self, x: float) -> float:
        """Return how far x lies outside the column, 0 inside."""
        return max(self.left - x, x - self.right, 0.0)


class _Cutter:
    def __init__(self, short: Excerpt, graph: Graph, scene: Scene) -> None:
        self.short, self.graph, self.scene = short, graph, scene
        inner = graph.members or [[i] for i in range(len(graph))]
        self.members = [[short.ids[i] for i in ids] for ids in inner]  # drawn → whole graph
        self.owner = {i: node for node, ids in enumerate(self.members) for i in ids}
        self.states = state_ids(short.base)
        self.parts: dict[int, _Part] = {}  # column of the whole graph, −1 −2 for loose states
        self.solid: dict[int, int] = {}  # drawn node → place of its box in its column
        self.chips: dict[tuple[int, int], list[int]] = defaultdict(list)
        frames = [frame.x + frame.w / 2 for frame in scene.frames if frame.kind == "step"]
        middle = sum(frames) / len(frames) if frames else math.inf
        self.outside = {box.node: -1 if box.x < middle else -2 for box in scene.boxes}
        self._fill()
        ys = [box.y - box.h / 2 for box in scene.boxes] + [frame.y for frame in scene.frames]
        ys += [y for wire in scene.wires for _, y in wire.points]
        self.top = min(ys, default=0.0) - MARGIN
        lowest = [box.y + box.h / 2 for box in scene.boxes]
        lowest += [frame.y + frame.h for frame in scene.frames]
        self.height = max(lowest, default=0.0) + MARGIN - self.top

    def _home(self, node: int) -> int:
        """Return the column of a drawn node; for a state from outside −1 left, −2 right of all."""
        return self.short.drawn.where.get(self.members[node][-1], self.outside.get(node, -1))

    def _fill(self) -> None:
        """Find the columns, then put boxes, frames and wires into them."""
        solid = [b for b in self.scene.boxes if b.shape != "dashed" and b.node is not None]
        inside: dict[int, list[Box]] = defaultdict(list)
        for box in solid:
            inside[self._home(box.node)].append(box)  # type: ignore[arg-type]
        steps = [frame for frame in self.scene.frames if frame.kind == "step"]
        for home, boxes in inside.items():
            self.parts[home] = _span(boxes, steps)
        for box in self.scene.boxes:
            if box.node is not None:
                self._put(box)
        for frame in self.scene.frames:
            if frame.kind != "step":
                self.parts[self._at(frame.x + frame.w / 2)].frames.append(frame)
        for wire in self.scene.wires:
            if wire.edge is not None:
                self.parts[self._home(wire.edge[0])].wires.append(wire)

    def _put(self, box: Box) -> None:
        node: int = box.node  # type: ignore[assignment]
        home = self._at(box.x) if box.shape == "dashed" else self._home(node)
        if box.shape == "dashed":
            self.chips[(home, node)].append(len(self.parts[home].boxes))
        else:
            self.solid[node] = len(self.parts[home].boxes)
        self.parts[home].boxes.append(box)

    def _at(self, x: float) -> int:
        return min(self.parts, key=lambda index: self.parts[index].gap(x))

    def level(self) -> dict[str, Any]:
        """Return the pictures, and the columns of the whole graph."""
        like = dict(enumerate(self.short.like)) | {-1: -1, -2: -2}
        used = sorted({i for i in like.values() if i in self.parts})
        pictures = [self._picture(index) for index in used]
        order = [i for i in [-1, *range(len(self.short.like)), -2] if like[i] in self.parts]
        for index, picture in zip(used, pictures, strict=True):
            self._spread(index, picture, order)
        columns = [self._column(i, like[i], used.index(like[i])) for i in order]
        return {"height": _r(self.height), "T": pictures, "S": columns}

    def _column(self, index: int, model: int, picture: int) -> list[Any]:
        ids, gap = self.parts[model].ids, self._gap(model)
        if index < 0:
            return [None, picture, ids, gap, ""]
        column = self.short.drawn.columns[index]
        twin = self.short.twins(index)
        title = column.label if column.step is not None and column.label else ""
        return [column.step, picture, [twin.get(node, node) for node in ids], gap, title]

    def _gap(self, index: int) -> float:
        right = self.parts[index].right
        after = [part.left - right for part in self.parts.values() if part.left > right]
        return _r(min(after, default=30.0))

    def _picture(self, index: int) -> dict[str, Any]:
        part = self.parts[index]
        boxes = [self._box(part, box) for box in part.boxes]
        wires = [self._wire(index, part, wire) for wire in part.wires]
        frames = [self._frame(part, frame) for frame in part.frames]
        picture: dict[str, Any] = {"w": _r(part.right - part.left), "B": boxes, "C": frames}
        if part.frame is not None:
            picture["P"] = [_r(part.frame.y - self.top), _r(part.frame.h)]
        picture["E"] = [[0, *wire[1:]] for wire in wires if wire[0] == index]
        for _, source, _, _, _, edges in picture["E"]:
            if boxes[source][4] == "dashed":
                boxes[source][7:] = [boxes[source][7] + edges if boxes[source][7:] else edges]
        return picture | {"X": [wire for wire in wires if wire[0] != index]}

    def _frame(self, part: _Part, f: Frame) -> list[Any]:
        middle = f.label_x if f.label_x is not None else f.x + f.w / 2
        corner = [_r(f.x - part.left), _r(f.y - self.top), _r(f.w), _r(f.h)]
        return [f.label, f.kind, *corner, _r(middle - part.left)]

    def _box(self, part: _Part, box: Box) -> list[Any]:
        """Return [x, y, w, h, shape, lines, places of its nodes], for a chip also its uses.

        A line that is the node's name is 0, since the name differs from step to step; a line that
        names the states of a step is the list of their places.
        """
        ids, nodes = self.members[box.node or 0], self.short.base.nodes
        name = clean(nodes[max(ids)].name or "")
        lines: list[Any] = [0 if line == name else line for line in box.lines]
        handed = [i for i in ids if i in self.states and nodes[i].name]
        if len(ids) > 1 and box.lines[0] == ", ".join(clean(nodes[i].name) for i in handed):
            lines[0] = [part.local(i) for i in handed]
        place = [_r(box.x - part.left), _r(box.y - self.top), _r(box.w), _r(box.h)]
        return [*place, box.shape, lines, [part.local(i) for i in ids]]

    def _wire(self, index: int, part: _Part, wire: Wire) -> list[Any]:
        """Return [source column, source box, target box, points of the source, points, edges]."""
        child, slot = wire.edge or (0, 0)
        parent: int = self.graph.nodes[child].parents[slot]  # type: ignore[assignment]
        chips = self.chips.get((index, parent), [])
        near = min(chips, key=lambda i: _far(part.boxes[i], wire.points[0]), default=None)
        home = index if near is not None else self._home(parent)
        source = self.parts[home]
        split = _split(wire, source, part) if source is not part else 0
        flat = []
        for place, (x, y) in enumerate(wire.points):
            flat += [_r((source if place < split else part).along(x)), _r(y - self.top)]
        from_box = near if near is not None else self.solid[parent]
        edges = [[part.local(i), k] for i, k in self._edges(child, slot)]
        return [home, from_box, self.solid[child], split, flat, edges]

    def _edges(self, child: int, slot: int) -> list[tuple[int, int]]:
        """Return the edges of the whole graph that one drawn edge stands for.

        In x ∘ x two wires lead from one node to another: each is one edge, not both.
        """
        nodes, parents = self.short.base.nodes, self.graph.nodes[child].parents
        edges = [
            (i, k)
            for i in self.members[child]
            for k, source in enumerate(nodes[i].parents)
            if source is not None and self.owner.get(source) == parents[slot]
        ]
        alike = [k for k, parent in enumerate(parents) if parent == parents[slot]]
        return [edges[alike.index(slot)]] if len(alike) == len(edges) else edges

    def _spread(self, index: int, picture: dict[str, Any], order: list[int]) -> None:
        """Turn source columns into offsets; repeat for each column what comes from many."""
        at = {column: place for place, column in enumerate(order)}
        gathers, part = self.short.drawn.gathers, self.parts[index]
        made: list[list[Any]] = []
        farthest: dict[tuple[int, int], list[Any]] = {}  # per kind of source and target
        for wire in sorted(picture["X"], key=lambda wire: -abs(wire[0] - index)):
            edges = [(part.ids[place], slot) for place, slot in wire[5]]
            if not any(edge in gathers.get(edge[0], ()) for edge in edges):
                made.append([at[wire[0]] - at[index], *wire[1:]])
            elif farthest.setdefault((self.short.like[wire[0]], wire[2]), wire) is wire:
                made += self._repeated(index, wire, edges, at)
        picture["X"] = made

    def _repeated(
        self, index: int, wire: list[Any], edges: list[tuple[int, int]], at: dict[int, int]
    ) -> list[list[Any]]:
        """Return a wire for each column that looks like the one this wire comes from."""
        nodes, like, columns = self.short.base.nodes, self.short.like, self.short.drawn.columns
        own = {node: place for place, node in enumerate(columns[wire[0]].ids)}
        slots = {c: {p: k for k, p in enumerate(nodes[c].parents)} for c, _ in edges}
        places = [(c, own[nodes[c].parents[k]]) for c, k in edges]  # type: ignore[index]
        made = []
        for column in (i for i in at if i >= 0 and like[i] == like[wire[0]]):
            ids = columns[column].ids
            local = [[self.parts[index].local(c), slots[c][ids[place]]] for c, place in places]
            made.append([at[column] - at[index], *wire[1:5], local])
        return made


def _span(boxes: list[Box], steps: list[Frame]) -> _Part:
    """Return the column round some boxes: their step's frame, or just as wide as they are."""
    frame = next((f for f in steps if f.x <= boxes[0].x <= f.x + f.w), None)
    if frame is not None:
        return _Part(frame.x, frame.x + frame.w, frame)
    left = min(box.x - box.w / 2 for box in boxes) - MARGIN
    return _Part(left, max(box.x + box.w / 2 for box in boxes) + MARGIN, None)


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
