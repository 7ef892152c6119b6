"""Set the templates of all steps side by side and join them to a scene, for `views`.

Time runs from left to right and depth from bottom to top. Every step of one template has the
same picture; states leave and enter through lanes at the same height in each step, and the
vertical pieces between two steps each get an x of their own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .. import labels
from ..graph import Graph, GraphNode
from ..palette import signed
from ..scene import Box, Frame, Patch, Point, Scene, Wire, Words
from ..settings import Settings
from ..transform.columns import ColumnPlan, plan
from .blocks import Edge, Key
from .edge_shapes import add_shapes, first_alike
from .templates import Shape, Template, column_title, templates
from .wires import Piece, arrives, drawn, spread

PAD = 12.0
HEADER = 26.0
TOP = 30.0
ELLIPSIS = 74.0
OWN_LANES = 24  # edges into one node; more share one line

Lane = tuple[int, int]  # the edge that a lane of a gather is for, or the first of those


@dataclass(slots=True)
class _Slot:
    """Say where one column went: its row, the origin of its block, its frame's edges."""

    x: float
    y: float
    row: int
    left: float
    right: float


Loops = Sequence[tuple[int, int]]  # (state, the delay box that it goes back to)


def unrolled(graph: Graph, settings: Settings | None = None, loops: Loops = ()) -> Scene:
    """Return the scene of a graph, unrolled where it has steps, layered where it has none."""
    return _Stamper(graph, settings or Settings(), loops).scene()


class _Stamper:
    def __init__(self, graph: Graph, settings: Settings, loops: Loops) -> None:
        self.graph, self.settings, self.loops = graph, settings, loops
        self.plan: ColumnPlan = plan(graph)
        self.plan.states |= {(delay, 0) for _, delay in loops}
        self.shown = _visible(len(self.plan.columns), settings.kept, self._steps())
        self.plan.share_lanes(set(self.shown), OWN_LANES)
        self.made: list[tuple[Shape, Template]] = templates(self.plan, settings.values)
        norms = [node.grad_norm or 0.0 for node in graph.nodes]
        self.out = settings.sheet([*graph.edge_grads.values(), *norms], graph.title)
        self.slots: dict[int, _Slot] = {}
        self.pieces: list[Piece] = []
        self.gap = 34.0

    def _steps(self) -> list[int]:
        return [i for i, c in enumerate(self.plan.columns) if c.step is not None or c.label is None]

    def scene(self) -> Scene:
        """Return the finished scene; edges of hidden steps are in `folded`."""
        self._plan_gaps()
        self._place()
        for index in self.shown:
            self._stamp(index)
        self._states()
        self._finish_wires()
        self._fold_hidden()
        if self.settings.values == "shape":
            columns = zip(self.made, self.plan.columns, strict=True)
            add_shapes(self.out, self.graph, first_alike((t, c.ids) for (_, t), c in columns))
        self.out.notes += self.graph.notes
        self.out.description = f"{len(self.graph)} nodes in {len(self.plan.columns)} columns"
        return self.out

    # -- where the columns go

    def _plan_gaps(self) -> None:
        crossing: dict[int, set[int]] = defaultdict(set)
        for child, slot in sorted(self.plan.states):
            parent = self.graph.nodes[child].parents[slot]
            home = self.plan.where.get(parent)  # type: ignore[arg-type]
            if home is not None:
                crossing[min(home, self.plan.where[child])].add(parent)  # type: ignore[arg-type]
        self.crossing = {gap: sorted(ids) for gap, ids in crossing.items()}
        self._plan_gathers()
        self._plan_names()
        across = (len(self.crossing.get(c, ())) + len(self.up.get(c, ())) for c in self.shown)
        self.gap = 24.0 + 8.0 * max(across, default=0)

    def _plan_gathers(self) -> None:
        """Order the lanes of gathers so that few cross: the first column and row go outermost."""
        self.up: dict[int, list[Lane]] = defaultdict(list)
        self.down: dict[int, list[Lane]] = defaultdict(list)
        self.track: dict[Lane, int] = {}
        for home, _, lane, here in sorted(self._gathered()):
            if lane not in self.down[here]:
                self.down[here].append(lane)
            if home + 1 != here and lane not in self.up[home]:
                self.up[home].append(lane)
                self.track.setdefault(lane, len(self.track))
        self.pace = max(3.0, min(9.0, 200.0 / max(1, len(self.track))))

    def _gathered(self) -> Iterator[tuple[int, float, Lane, int]]:
        """Yield column, height over its floor, lane and last column of the edges into gathers."""
        shown = set(self.shown)
        for (child, slot), lane in self.plan.lanes.items():
            parent: int = self.graph.nodes[child].parents[slot]  # type: ignore[assignment]
            home, here = self.plan.where[parent], self.plan.where[child]
            if home in shown and here in shown:
                block = self.made[home][1].block
                local = self.plan.columns[home].ids.index(parent)
                yield home, block.exits[(local,)][0] - block.h, lane, here

    def _stub_room(self) -> float:
        """Return the room left of a row for the names of states that come from outside."""
        names = [labels.width(labels.caption(node)) + 12.0 for node in self._stub_nodes()]
        return max(names, default=-20.0) + 34.0 + 8.0 * len(self.loops)

    def _plan_names(self) -> None:
        """Leave room beside a column, (it, on the right), for names of states from outside."""
        self.named: dict[tuple[int, bool], float] = defaultdict(float)
        for child, slot in self.plan.states:
            parent: int = self.graph.nodes[child].parents[slot]  # type: ignore[assignment]
            here = self.plan.where[child]
            if parent not in self.plan.where:
                side = (here, self._on_right(parent, here))
                wide = labels.width(labels.caption(self.graph.nodes[parent])) + 26.0
                self.named[side] = max(wide, self.named[side])

    def _on_right(self, state: int, here: int) -> bool:
        home = self.plan.where.get(state)
        late = self.graph.nodes[state].place.direction == "rev"
        return late if home is None else home > here

    def _stub_nodes(self) -> list[GraphNode]:
        whole = self.settings.kept is None and not self.settings.wrap
        states = [self.graph.nodes[c].parents[s] for c, s in sorted(self.plan.states)]
        picked = {p for p in states if not whole or p not in self.plan.where}
        return [self.graph.nodes[p] for p in picked if p is not None]

    def _place(self) -> None:
        high = max((t.block.h for _, t in self.made), default=0.0)
        self.lift = TOP + (8.0 + self.pace * len(self.track) if self.track else 0.0)
        row_height = self.lift + high + 2 * PAD + HEADER
        room = self._stub_room()
        x, row, count = room, 0, 0
        for position, index in enumerate(self.shown):
            hidden = position and self.shown[position - 1] != index - 1
            last = self.plan.columns[index].label == "after"
            if self.settings.wrap and count == self.settings.wrap and not last:
                x, row, count = room, row + 1, 0
            elif hidden:
                x += ELLIPSIS + room - 34.0
                self._ellipsis(x, row * row_height + self.lift, high, index, position)
            x += self.pace * len(self.down.get(index, ()))
            x += self.named[(index, False)] if count else 0.0
            wide = self.made[index][1].block.w + 2 * PAD
            top = row * row_height + self.lift
            block = self.made[index][1].block
            drop = 0.0 if self.plan.columns[index].label == "after" else high - block.h
            self.slots[index] = _Slot(x + PAD, top + PAD + drop, row, x, x + wide)
            self._frame(index, x, top, wide, high)
            x += wide + self.named[(index, True)] + self.gap
            count += 1
            self.out.width = max(self.out.width, x)
        self.out.height = (row + 1) * row_height + 8.0
        self.row_height, self.high = row_height, high

    def _frame(self, index: int, x: float, top: float, wide: float, high: float) -> None:
        label = column_title(self.plan.columns[index])
        if label:
            self.out.frames.append(Frame(x, top, wide, high + 2 * PAD + 14.0, label, "step"))

    def _ellipsis(self, x: float, top: float, high: float, index: int, position: int) -> None:
        count = index - self.shown[position - 1] - 1
        at = x - self._stub_room() + 34.0 - ELLIPSIS / 2 - self.gap / 2
        self.out.words.append(Words(at, top + high / 2, "⋯", 16.0, "middle"))
        self.out.words.append(Words(at, top + high / 2 + 16.0, f"{count} steps", 10.0, "middle"))

    # -- what each column shows

    def _stamp(self, index: int) -> None:
        shape, made = self.made[index]
        slot = self.slots[index]
        for frame in made.block.frames:
            self.out.frames.append(_frame_at(frame, slot))
        for key, (x, y) in made.block.places.items():
            self._box(shape, made, key, x + slot.x, y + slot.y)
        for edge, path in made.block.wires.items():
            child = shape.nodes[edge[1]].id
            source = -1 if len(edge[0]) == 2 else edge[0][0]
            tail = shape.nodes[source].id if source >= 0 else -1 - child
            points = [(x + slot.x, y + slot.y) for x, y in path]
            self.pieces.append((points, [], (child, edge[2]), tail))

    def _box(self, shape: Shape, made: Template, key: Key, x: float, y: float) -> None:
        node = shape.chips[key] if len(key) == 2 else shape.nodes[key[0]]
        face = labels.chip(node) if len(key) == 2 else labels.face(node, self.settings.values)
        box = Box(x, y, made.faces[key].w, made.faces[key].h, face.lines, face.shape, node.role)
        box.node, box.title, box.size = node.id, labels.title(node), face.size
        box.bold = node.role == "loss" and len(key) == 1
        box.mark = "✖" if _broken(node) and len(key) == 1 else ""
        self.out.boxes.append(box)
        if self.settings.values == "full" and face.shape not in ("circle", "dashed"):
            self._heat(box, labels.heat(node))

    def _heat(self, box: Box, values: list[float]) -> None:
        """Draw the first values of a node as small cells in its box, the text above them."""
        if not values:
            return
        box.lift = (labels.HEAT + 3.0) / 2
        cell = (box.w - 10.0) / len(values)
        largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
        top = box.y + box.h / 2 - labels.HEAT - 3.0
        for i, value in enumerate(values):
            fill = signed(value, largest)
            x = box.x - box.w / 2 + 5.0 + i * cell
            self.out.above.append(Patch(x, top, cell, labels.HEAT, fill, labels.number(value)))

    # -- wires between columns

    def _states(self) -> None:
        self._loops()
        for child, slot in sorted(self.plan.states - {(delay, 0) for _, delay in self.loops}):
            if self.plan.where[child] in self.slots:
                self._state(child, slot)
        for child, edges in sorted(self.plan.gathers.items()):
            if self.plan.where[child] in self.slots:
                for edge in edges:
                    self._gather(child, edge)
        self._leaving_stubs()

    def _entry(self, child: int, slot: int) -> tuple[list[Point], float, int]:
        """Return the path from the lane to the child, the lane's height, its column."""
        index = self.plan.where[child]
        shape, made = self.made[index]
        place = self.slots[index]
        local = self.plan.columns[index].ids.index(child)
        parent = self.graph.nodes[child].parents[slot]
        known = self.plan.lanes.get((child, slot), parent)
        source: Key = (-1 - shape.outer[known],)  # type: ignore[index]
        edge: Edge = (source, local, slot)
        path = [(x + place.x, y + place.y) for x, y in made.block.entries[source][1][edge]]
        return path, path[0][1], index

    def _exit(self, node: int) -> tuple[list[Point], float]:
        index = self.plan.where[node]
        place = self.slots[index]
        local = self.plan.columns[index].ids.index(node)
        lane, path = self.made[index][1].block.exits[(local,)]
        return [(x + place.x, y + place.y) for x, y in path], lane + place.y

    def _state(self, child: int, slot: int) -> None:
        parent = self.graph.nodes[child].parents[slot]
        path, lane, here = self._entry(child, slot)
        home = self.plan.where.get(parent)  # type: ignore[arg-type]
        near = home in self.slots and self.slots[home].row == self.slots[here].row
        if home is None or not near:
            self._stub(child, slot, path, lane, here)
            return
        out, out_lane = self._exit(parent)  # type: ignore[arg-type]
        between = self._between(min(home, here), parent)  # type: ignore[arg-type]
        lead = [*out, (between, out_lane), (between, lane)]
        self.pieces.append((lead, path, (child, slot), parent))  # type: ignore[arg-type]

    def _loops(self) -> None:
        """Lead states round their column and back into it, the highest in the widest circle."""
        heights = {state: self._exit(state)[1] for state, _ in self.loops}
        ordered = sorted(self.loops, key=lambda loop: -heights[loop[0]])
        for number, (state, delay) in enumerate(ordered):
            path, lane, here = self._entry(delay, 0)
            out, out_lane = self._exit(state)
            room, slot = 8.0 + 8.0 * number, self.slots[here]
            right, left = slot.right + room, slot.left - room
            bottom = self.lift + self.high + 2 * PAD + room
            round_it = [(right, out_lane), (right, bottom), (left, bottom), (left, lane)]
            self.pieces.append(([*out, *round_it], path, (delay, 0), state))
            self.out.height = max(self.out.height, bottom + 16.0)

    def _between(self, gap: int, what: int | Lane) -> float:
        """Return the x of the vertical piece that carries a state or a lane in one gap.

        What comes from the left stands left: at one height the two would share a line.
        """
        states = self.crossing.get(gap, [])
        left = [state for state in states if self.plan.where[state] == gap]
        found = [*left, *self.up.get(gap, ()), *(state for state in states if state not in left)]
        part = (found.index(what) + 1) / (len(found) + 1)
        return self.slots[gap].right + self.named[(gap, True)] + self.gap * part

    def _stub(self, child: int, slot: int, path: list[Point], lane: float, here: int) -> None:
        """Draw a state that comes from outside the picture: its name, then the lane."""
        node = self.graph.nodes[self.graph.nodes[child].parents[slot]]  # type: ignore[index]
        wide = labels.width(labels.caption(node)) + 12.0
        place = self.slots[here]
        right_side = self._on_right(node.id, here)
        x = place.right + 20.0 + wide / 2 if right_side else place.left - 20.0 - wide / 2
        box = Box(x, lane, wide, 20.0, (labels.caption(node),), "round", node.role, node.id)
        box.title = labels.title(node)
        box.role = "state"
        if not any(b.node == node.id and b.x == x for b in self.out.boxes):
            self.out.boxes.append(box)
        start = x - wide / 2 if right_side else x + wide / 2
        self.pieces.append(([(start, lane)], path, (child, slot), -1 - child))

    def _leaving_stubs(self) -> None:
        """Draw the beginning of states that go on in a step that is not shown beside this."""
        for child, slot in sorted(self.plan.states):
            parent = self.graph.nodes[child].parents[slot]
            home, here = self.plan.where.get(parent), self.plan.where[child]  # type: ignore[arg-type]
            if home not in self.slots or home == here:
                continue
            if here in self.slots and self.slots[here].row == self.slots[home].row:
                continue
            out, lane = self._exit(parent)  # type: ignore[arg-type]
            end = self.slots[home].left - 16.0 if here < home else self.slots[home].right + 16.0
            self.pieces.append(([*out, (end, lane)], [], (child, slot), parent))  # type: ignore[arg-type]

    def _gather(self, child: int, edge: tuple[int, int]) -> None:
        """Draw one of many edges into a node: up to the bus, along it, down to the node."""
        parent = self.graph.nodes[child].parents[edge[1]]
        home = self.plan.where[parent]  # type: ignore[index]
        if home not in self.slots:
            return
        path, lane, here = self._entry(*edge)
        out, out_lane = self._exit(parent)  # type: ignore[arg-type]
        own = self.plan.lanes[edge]
        down = self.slots[here].left - self.pace * (1.0 + self.down[here].index(own))
        if here == home + 1:  # the step beside the node needs no way over the top
            lead = [*out, (down, out_lane), (down, lane)]
            self.pieces.append((lead, path, edge, parent))  # type: ignore[arg-type]
            return
        up = self._between(home, own)
        height = self.slots[home].row * self.row_height + 28.0 + self.pace * self.track[own]
        lead = [*out, (up, out_lane), (up, height)]
        if self.slots[home].row != self.slots[here].row:  # it goes on in another row of the page
            end = max(slot.right for slot in self.slots.values()) + 16.0
            self.pieces.append(([*lead, (max(end, up + 1.0), height)], [], edge, parent))  # type: ignore[arg-type]
            return
        lead += [(down, height), (down, lane)]
        self.pieces.append((lead, path, edge, parent))  # type: ignore[arg-type]

    # -- last touches

    def _finish_wires(self) -> None:
        boxes = {box.node: box for box in self.out.boxes if box.shape != "dashed"}
        arrivals, departures = spread(self.pieces, boxes)
        for number, (lead, path, edge, _) in enumerate(self.pieces):
            points = drawn(lead, path, arrivals.get(number), departures.get(number), boxes, edge)
            norm = self.graph.edge_grad(*edge)
            title = f"‖gradient‖ = {labels.number(norm)}" if norm is not None else ""
            self.out.wires.append(Wire(points, edge, norm, bool(path) or arrives(lead), title))
        self.out.wires.sort(key=lambda wire: wire.norm or 0.0)

    def _fold_hidden(self) -> None:
        drawn = {wire.edge for wire in self.out.wires}
        every = {(child.id, slot) for _, slot, child in self.graph.edges()}
        self.out.folded = every - drawn


def _broken(node: GraphNode) -> bool:
    """Return whether a node failed to compute, or has something that is not finite in it."""
    stats = [s for s in (node.value, node.grad) if s]
    return bool(node.labels.get("failed")) or any(s.get("nonfinite") for s in stats)


def _visible(count: int, elide: tuple[int, int] | None, steps: list[int]) -> list[int]:
    """Return the columns that are drawn: all, or the first and the last few steps."""
    if elide is None or len(steps) <= sum(elide) + 1:
        return list(range(count))
    hidden = set(steps[elide[0] : len(steps) - elide[1]])
    return [i for i in range(count) if i not in hidden]


def _frame_at(frame: Frame, slot: _Slot) -> Frame:
    at = None if frame.label_x is None else frame.label_x + slot.x
    return Frame(frame.x + slot.x, frame.y + slot.y, frame.w, frame.h, frame.label, frame.kind, at)
