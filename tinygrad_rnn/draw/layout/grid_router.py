"""Lead wires through the channels of a grid so that no two share one, for `cell_grid`.

Boxes stand in rows and columns. A wire leaves a box at its top, or below if it goes down, runs
along a channel between rows, changes rows in the channel right of a column, enters from below. In
each channel every source has a track of its own, and a channel is as wide as its tracks need.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from ..scene import Box, Point

TRACK, STUB = 7.0, 8.0  # the distance of two tracks, and of two ends on one box
Spans = dict[int, dict[Hashable, tuple[float, float]]]  # channel → net → where it runs


@dataclass(slots=True)
class Slot:
    """Hold where a box stands: the columns that it spans, its row."""

    box: Box
    first: int
    last: int
    row: int


@dataclass(slots=True)
class GridWire:
    """Lead one wire from a source's box to another; `net` is what shares its tracks."""

    net: Hashable
    tail: Slot
    head: Slot
    turn: int  # the row above which it first runs along
    start: float = 0.0
    end: float = 0.0
    side: int | None = None  # the column right of which it changes rows


@dataclass(slots=True)
class GridRouter:
    """Collect links, give them tracks, and draw them when rows and columns have their places."""

    links: list[GridWire] = field(default_factory=list)
    across: Spans = field(default_factory=dict)  # row below → where each net runs
    upward: Spans = field(default_factory=dict)  # column left → where each net runs
    tracks: dict[tuple[bool, int], dict[Hashable, int]] = field(default_factory=dict)
    stubs: dict[int, list[tuple[float, Hashable]]] = field(default_factory=dict)
    taken: set[tuple[int, int]] = field(default_factory=set)  # (column, row) of the boxes

    def add(self, net: Hashable, tail: Slot, head: Slot) -> GridWire:
        """Add a wire; it needs no track where it can go straight up."""
        link = GridWire(net, tail, head, tail.row if tail.row < head.row else tail.row - 1)
        self.links.append(link)
        between = range(tail.row + 1, head.row)
        free = not any((tail.first, row) in self.taken for row in between)
        if tail.row <= head.row and free:
            link.turn = head.row - 1
        else:
            link.side = self._side(tail, head)
            rows = sorted((tail.row, head.row - 1))
            _stretch(self.upward, link.side, net, rows)
            _stretch(self.across, head.row - 1, net, [head.first, head.last, link.side + 0.5])
        ends = [link.side + 0.5] if link.side is not None else [head.first, head.last]
        _stretch(self.across, link.turn, net, [tail.first, tail.last, *ends])
        return link

    def _side(self, tail: Slot, head: Slot) -> int:
        """Return the column right of which a wire changes rows: beside its head, if it can."""
        return head.first if head.first >= tail.last else head.last

    def allot(self) -> None:
        """Give tracks: nets that run nowhere beside each other may have the same."""
        for upward, channels in ((False, self.across), (True, self.upward)):
            for channel, spans in channels.items():
                self.tracks[(upward, channel)] = _packed(spans)

    def _count(self, upward: bool, channel: int) -> int:
        return 1 + max(self.tracks.get((upward, channel), {}).values(), default=-1)

    def height(self, row: int) -> float:
        """Return how much room the channel above a row needs."""
        return 28.0 + TRACK * max(0, self._count(False, row) - 1)

    def width(self, column: int) -> float:
        """Return how much room the channel right of a column needs."""
        count = self._count(True, column)
        return 16.0 + TRACK * count if count else 0.0

    def attach(self) -> None:
        """Choose where each wire leaves and enters, straight wires first."""
        for link in sorted(self.links, key=self._bends):
            up = link.tail.row < link.head.row
            alike = (one for one in self.links if one.net == link.net and one.start)
            known = [one.start for one in alike if up == (one.tail.row < one.head.row)]
            near = link.head.box.x if self._over(link.tail, link.head) else link.tail.box.x
            link.start = known[0] if known else self._free(link.tail, link.turn, near, link)
            below = link.start if self._over(link.head, link.tail) else link.head.box.x
            link.end = self._free(link.head, link.head.row - 1, below, link)

    def _bends(self, link: GridWire) -> tuple[bool, float]:
        straight = link.side is None and self._over(link.head, link.tail)
        return not straight, abs(link.tail.box.x - link.head.box.x)

    @staticmethod
    def _over(wide: Slot, other: Slot) -> bool:
        return wide.first <= other.first and other.last <= wide.last

    def _free(self, slot: Slot, channel: int, near: float, link: GridWire) -> float:
        """Return a place on a box, close to a wanted one, where no other wire ends."""
        used = self.stubs.setdefault(channel, [])
        half = max(slot.box.w / 2 - 5.0, 0.0)
        steps = range(int(4 * half / STUB) + 2)
        spots = [near + sign * k * STUB for k in steps for sign in (1, -1)]
        inside = [x for x in spots if abs(x - slot.box.x) <= half] or [slot.box.x]
        free = (x for x in inside if all(abs(x - u) >= STUB - 1 or n == link.net for u, n in used))
        found = next(free, inside[0])
        used.append((found, link.net))
        return found

    def path(
        self, link: GridWire, floors: dict[int, float], sides: dict[int, float]
    ) -> list[Point]:
        """Return the corners of a wire; `floors` and `sides` say where the channels begin."""
        bottom = link.head.box.y + link.head.box.h / 2
        first = self._y(link, link.turn, floors)
        way = -1 if link.tail.row < link.head.row else 1
        corners = [(link.start, link.tail.box.y + way * link.tail.box.h / 2), (link.start, first)]
        if link.side is not None:
            x = sides[link.side] + TRACK * (1 + self.tracks[(True, link.side)][link.net])
            last = self._y(link, link.head.row - 1, floors)
            corners += [(x, first), (x, last), (link.end, last)]
        else:
            corners.append((link.end, first))
        return _plain([*corners, (link.end, bottom)])

    def _y(self, link: GridWire, row: int, floors: dict[int, float]) -> float:
        return floors[row] - 13.0 - TRACK * self.tracks[(False, row)][link.net]


def _stretch(spans: Spans, channel: int, net: Hashable, ends: Sequence[float]) -> None:
    """Let a net run as far as these ends in a channel."""
    low, high = spans.setdefault(channel, {}).get(net, (ends[0], ends[0]))
    spans[channel][net] = (min(low, *ends), max(high, *ends))


def _packed(spans: dict[Hashable, tuple[float, float]]) -> dict[Hashable, int]:
    """Return a track for each net, the first that is free where it runs."""
    ends: list[float] = []
    found: dict[Hashable, int] = {}
    for net, (low, high) in sorted(spans.items(), key=lambda item: item[1]):
        track = next((k for k, end in enumerate(ends) if end < low), len(ends))
        ends[track : track + 1] = [high]
        found[net] = track
    return found


def _plain(points: list[Point]) -> list[Point]:
    """Return the corners without those at which a wire goes straight on."""
    kept = points[:1]
    for here, after in zip(points[1:], [*points[2:], None], strict=True):
        if after is None or not _on_line(kept[-1], here, after):
            kept.append(here)
    return kept


def _on_line(a: Point, b: Point, c: Point) -> bool:
    level = abs(a[1] - b[1]) < 0.01 and abs(b[1] - c[1]) < 0.01
    return level or abs(a[0] - b[0]) < 0.01 and abs(b[0] - c[0]) < 0.01
