"""Settle where each wire meets its nodes and the curve it takes, for `unrolled`.

Wires that meet in one node arrive side by side, in the order of where they come from, and leave
likewise; inside a step they are smooth, between steps square with round corners.
"""

from __future__ import annotations

from collections import defaultdict

from ..scene import Box, Point, curve, elbow
from .x_positions import pooled

# the way to the lane and along it, the way from the lane to the child, (child, slot), the tail
Piece = tuple[list[Point], list[Point], tuple[int, int], int]


def arrives(lead: list[Point]) -> bool:
    """Return whether a wire inside a column ends in a node: it then ends going up."""
    return len(lead) < 2 or lead[-1][1] != lead[-2][1]


def spread(
    pieces: list[Piece],
    boxes: dict[int | None, Box],
) -> tuple[dict[int, float], dict[int, float]]:
    """Return how far from the centre each wire arrives at its head and leaves its tail."""
    into: dict[int, list[tuple[Point, int]]] = defaultdict(list)
    outof: dict[int, list[tuple[Point, int]]] = defaultdict(list)
    shared: dict[tuple[int, Point], Point] = {}  # wires with one second point leave as one
    for number, (lead, path, edge, tail) in enumerate(pieces):
        whole = lead + path
        if path or arrives(lead):
            before = _bend(whole[::-1])
            into[edge[0]].append((before, number))
        if tail >= 0:
            after = _bend(whole)
            outof[tail].append((shared.setdefault((tail, whole[1]), after), number))
    arrivals: dict[int, float] = {}
    departures: dict[int, float] = {}
    for table, found in ((into, arrivals), (outof, departures)):
        for node, ends in table.items():
            if node in boxes:
                found |= _offsets(ends, boxes[node])
    return arrivals, departures


def _bend(points: list[Point]) -> Point:
    """Return the first point of a way that is not straight above or below its start."""
    aside = (p for p in points if abs(p[0] - points[0][0]) > 0.01)  # not by rounding alone
    return next(aside, points[0])


def _offsets(ends: list[tuple[Point, int]], box: Box) -> dict[int, float]:
    """Return offsets that point to where each wire goes, apart but inside the box."""
    keys = {number: _turn(end, box) for end, number in ends}
    spots = sorted(set(keys.values()))
    room = box.w * 0.6 if box.shape == "circle" else max(4.0, box.w - 14.0)
    gap = min(9.0, room / max(1, len(spots) - 1))
    want = [min(room / 2, max(-room / 2, 0.5 * (x - box.x))) for x, _ in spots]
    steps = [i * gap for i in range(len(spots))]
    loose = [(w - s, 1.0) for w, s in zip(want, steps, strict=True)]
    held = (max(-room / 2, min(v, room / 2 - steps[-1])) for v in pooled(loose))
    place = {spot: v + s for spot, v, s in zip(spots, held, steps, strict=True)}
    return {number: place[key] for number, key in keys.items()}


def _turn(end: Point, box: Box) -> tuple[float, float]:
    """Return what sorts wires by where they come from: of two lanes the far one meets outside."""
    x, y = end
    return round(x, 1), round(y if x < box.x else -y, 1)


def drawn(
    lead: list[Point],
    path: list[Point],
    arrive: float | None,
    leave: float | None,
    boxes: dict[int | None, Box],
    edge: tuple[int, int],
) -> list[Point]:
    """Return the curves of one wire: smooth inside a step, square with round corners between."""
    lead, path = list(lead), list(path)
    if leave is not None and abs(leave) > 0.01:
        x = lead[0][0] + leave
        straight = len(lead) > 1 and lead[1][0] == lead[0][0] and (path or not arrives(lead))
        lead[0] = (x, lead[0][1])
        if straight:
            lead[1] = (x, lead[1][1])
    last = path or lead
    box = boxes.get(edge[0])
    if arrive is not None and box is not None:
        x = last[-1][0] + arrive
        if path and len(path) == 2:
            path[0] = (x, path[0][1])
        if box.shape == "circle":
            drop = (box.w / 2) ** 2 - arrive**2
            last[-1] = (x, box.y + max(0.0, drop) ** 0.5)
        else:
            last[-1] = (x, last[-1][1])
    if not path:
        return curve(lead) if arrives(lead) else _between_steps(lead)
    if len(path) == 2:
        return _between_steps([*lead, *path])
    return [*_between_steps([*lead, path[0], path[1]]), *curve(path[1:])[1:]]


def _between_steps(points: list[Point]) -> list[Point]:
    """Return a wire that rises smoothly to its lane and is square with round corners from there."""
    flat = (k for k, (a, b) in enumerate(zip(points, points[1:], strict=False)) if a[1] == b[1])
    lane = next(flat, 1)
    if lane < 2:
        return elbow(points)
    return [*curve(points[:lane]), *elbow(points[lane - 1 :])[1:]]
