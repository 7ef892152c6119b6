"""Lay out gates inside cells inside steps, each alone and then as one box, for `templates`.

A block hides its inside and shows ports: wires enter at its bottom and leave at its top, and
what comes from or goes to another time step runs through a horizontal lane. So nothing that
is outside a gate can overlap it, however odd the graph is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ..labels import width
from ..scene import Frame, Point
from .layered import Link, Problem, arrange

Key = tuple[int, ...]  # (node,) for a node, (child, slot) for the chip of one use
Edge = tuple[Key, int, int]  # source, child, slot


@dataclass(slots=True)
class Block:
    """A laid-out part: centres, finished wires, and the paths that lead in and out."""

    w: float
    h: float
    places: dict[Key, Point] = field(default_factory=dict)
    wires: dict[Edge, list[Point]] = field(default_factory=dict)
    inward: dict[Edge, list[Point]] = field(default_factory=dict)
    outward: dict[Key, list[Point]] = field(default_factory=dict)
    entries: dict[Key, tuple[float, dict[Edge, list[Point]]]] = field(default_factory=dict)
    exits: dict[Key, tuple[float, list[Point]]] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)
    kind: str = "leaf"

    def moved(self, dx: float, dy: float) -> Block:
        """Return the same block at another place."""

        def shift(points: list[Point]) -> list[Point]:
            return [(x + dx, y + dy) for x, y in points]

        return Block(
            self.w,
            self.h,
            {key: (x + dx, y + dy) for key, (x, y) in self.places.items()},
            {edge: shift(path) for edge, path in self.wires.items()},
            {edge: shift(path) for edge, path in self.inward.items()},
            {key: shift(path) for key, path in self.outward.items()},
            {
                key: (y + dy, {edge: shift(path) for edge, path in paths.items()})
                for key, (y, paths) in self.entries.items()
            },
            {key: (y + dy, shift(path)) for key, (y, path) in self.exits.items()},
            [_moved(frame, dx, dy) for frame in self.frames],
            self.kind,
        )

    def framed(self, label: str, kind: str) -> Block:
        """Return the block with a frame and its label round it, ports on the frame."""
        side, top, bottom = (7.0, 6.0, 6.0) if kind == "band" else (5.0, 5.0, 5.0)
        bottom += 11.0 if label else 0.0
        need = width(label, 8.0) + 8.0 if label else 0.0
        room, at = self._label_room(need)
        wide = self.w + 2 * side + room
        inner = self.moved(side, top)
        inner.w, inner.h = wide, self.h + top + bottom
        inner.inward = {e: [(p[0][0], inner.h), *p] for e, p in inner.inward.items()}
        inner.outward = {k: [*p, (p[-1][0], 0.0)] for k, p in inner.outward.items()}
        frame = Frame(0.0, 0.0, wide, inner.h, label, kind, at + side)
        inner.frames = [frame, *inner.frames]
        inner.kind = kind
        return inner

    def _label_room(self, need: float) -> tuple[float, float]:
        """Return extra width and centre that keep a label clear of the wires coming in."""
        ports = sorted({path[0][0] for path in self.inward.values()})
        free = [(0.0, self.w)] if not ports else [(0.0, ports[0]), (ports[-1], self.w)]
        low, high = max(free, key=lambda span: span[1] - span[0])
        extra = max(0.0, need + 4.0 - (high - low))
        return (extra, (low + high + extra) / 2 if high >= self.w else (low + high) / 2)


def _moved(frame: Frame, dx: float, dy: float) -> Frame:
    at = None if frame.label_x is None else frame.label_x + dx
    return replace(frame, x=frame.x + dx, y=frame.y + dy, label_x=at)


def leaf(key: Key, w: float, h: float) -> Block:
    """Return the block of a single node or chip."""
    return Block(w, h, places={key: (w / 2, h / 2)})


class Composer:
    """One level of nesting: parts and the edges between them become a single block."""

    def __init__(
        self,
        parts: list[Block],
        edges: Iterable[Edge],
        entering: set[Key] | None = None,
        leaving: set[Key] | None = None,
        rising: set[Key] | None = None,
        thin: set[Key] | None = None,
    ) -> None:
        self.parts = parts
        self.owner = {key: i for i, part in enumerate(parts) for key in part.places}
        self.entering, self.leaving = entering or set(), leaving or set()
        self.thin: frozenset[object] = frozenset(thin or ())
        self.sizes = [(part.w, part.h) for part in parts]
        self.links: list[Link] = []
        self.users: list[list[Edge]] = []
        self.seen: dict[tuple[Key, int], int] = {}
        self.floor: dict[Key, int] = {}
        self.roof: dict[Key, int] = {}
        for edge in edges:
            self._connect(edge)
        for key in sorted(rising or set()):
            self._raise(key)

    def _connect(self, edge: Edge) -> None:
        source, child, _ = edge
        head = self.owner[(child,)]
        tail = self.owner.get(source)
        target = self.parts[head]
        if tail == head and target.kind != "leaf":
            return  # drawn inside the part already
        if tail is None and source in self.entering and source in target.entries:
            return  # the part has its own lane for it
        shared = (source, head)
        if target.kind != "leaf" and shared in self.seen:
            self.users[self.seen[shared]].append(edge)
            return
        self.seen[shared] = len(self.links)
        self.links.append(self._link(source, tail, head, edge))
        self.users.append([edge])

    def _link(self, source: Key, tail: int | None, head: int, edge: Edge) -> Link:
        inward = self.parts[head].inward.get(edge)
        head_dx = inward[0][0] - self.parts[head].w / 2 if inward else 0.0
        if tail is not None:
            return Link(tail, head, self._out_dx(tail, source), head_dx)
        if source in self.entering:
            return Link(None, head, 0.0, head_dx, source)
        if source not in self.floor:
            self.floor[source] = self._port()
        return Link(self.floor[source], head, 0.0, head_dx)

    def _out_dx(self, part: int, source: Key) -> float:
        path = self.parts[part].outward.get(source)
        return path[-1][0] - self.parts[part].w / 2 if path else 0.0

    def _raise(self, key: Key) -> None:
        part = self.owner[key]
        self.roof[key] = self._port()
        self.links.append(Link(part, self.roof[key], self._out_dx(part, key)))
        self.users.append([])

    def _port(self) -> int:
        self.sizes.append((0.0, 0.0))
        return len(self.sizes) - 1

    def block(self) -> Block:
        """Return the composed block."""
        exits = {
            self.owner[key]: self._out_dx(self.owner[key], key)
            for key in sorted(self.leaving)
            if key in self.owner and key not in self.parts[self.owner[key]].exits
        }
        kinds = [(i, part.kind) for i, part in enumerate(self.parts)]
        gates = tuple(i for i, kind in kinds if kind == "gate")
        problem = Problem(
            self.sizes,
            self.links,
            exits,
            frozenset(i for i, kind in kinds if kind == "band"),
            frozenset(self.floor.values()),
            frozenset(self.roof.values()),
            gates if len(gates) <= 6 else (),
            frozenset(gates),
            self.thin,
        )
        found = arrange(problem)
        made = Block(found.width, found.height, kind="group")
        placed = []
        for i, part in enumerate(self.parts):
            placed.append(part.moved(found.x[i] - part.w / 2, found.y[i] - part.h / 2))
            _absorb(made, placed[-1])
        self._wire(made, placed, found.routes, found.entry_lanes)
        self._leave(made, placed, found.exit_lanes)
        return made

    def _wire(
        self,
        made: Block,
        placed: list[Block],
        routes: list[list[Point]],
        lanes: dict[object, float],
    ) -> None:
        """Join the paths inside the parts with the route between them."""
        roofs = {port: key for key, port in self.roof.items()}
        floors = {port: key for key, port in self.floor.items()}
        for link, route, users in zip(self.links, routes, self.users, strict=True):
            if link.head in roofs:
                key = roofs[link.head]
                made.outward[key] = _join(placed[link.tail or 0].outward.get(key, []), route)
            for edge in users:
                path = _join(route, placed[link.head].inward.get(edge, []))
                if link.tail is None:
                    lane = made.entries.setdefault(edge[0], (lanes[edge[0]], {}))
                    lane[1][edge] = path
                elif link.tail in floors:
                    made.inward[edge] = path
                else:
                    inside = placed[link.tail].outward.get(edge[0], [])
                    made.wires[edge] = _join(inside, path)

    def _leave(self, made: Block, placed: list[Block], lanes: dict[int, float]) -> None:
        for key in sorted(self.leaving):
            part = self.owner.get(key)
            if part is None or part not in lanes or key in made.exits:
                continue
            box = placed[part]
            path = box.outward.get(key) or [(box.places[key][0], box.places[key][1] - box.h / 2)]
            made.exits[key] = (lanes[part], [*path, (path[-1][0], lanes[part])])


def _absorb(made: Block, part: Block) -> None:
    made.places |= part.places
    made.wires |= part.wires
    made.frames += part.frames
    for key, (lane, paths) in part.entries.items():  # two parts may use one source
        made.entries.setdefault(key, (lane, {}))[1].update(paths)
    made.exits |= part.exits


def _join(first: list[Point], second: list[Point]) -> list[Point]:
    """Return two paths as one; the point where they meet is kept once."""
    return first + (second[1:] if first and second else second)
