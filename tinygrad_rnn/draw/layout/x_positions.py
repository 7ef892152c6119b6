"""Place nodes of a row near their neighbours and apart from each other, for `layered`.

Each row in turn moves to where the rows beside it want it. That is isotonic regression: the
wanted places, less the room that neighbours need, made non-decreasing at least cost.
"""

from __future__ import annotations

from typing import Protocol

End = tuple[int, float, float]  # neighbour, own offset, its offset


class NodeRows(Protocol):
    """Hold what placing reads: rows of nodes, the links up and down, widths."""

    rank: list[int]
    rows: list[list[int]]
    below: list[list[End]]
    above: list[list[End]]
    width: list[float]
    real: int

    def gap(self, left: int, right: int) -> float:
        """Return the least distance of two neighbours."""

    def lone(self, node: int) -> bool:
        """Return whether a node is a leaf with one user."""


def x_positions(rows: NodeRows) -> list[float]:
    """Return x of every node: near the mean of its neighbours, never closer than the gap."""
    x = [0.0] * len(rows.rank)
    for row in rows.rows:
        at = 0.0
        for index, node in enumerate(row):
            at += rows.gap(row[index - 1], node) if index else 0.0
            x[node] = at
    # fewer sweeps on large graphs: the last ones move nodes by less than a pixel
    for sweep in range(24 if len(x) < 2000 else 10):
        upward = sweep % 2 == 0
        for row in rows.rows if upward else reversed(rows.rows):
            _relax(rows, row, x, sweep, upward)
    left = min((x[n] - rows.width[n] / 2 for n in range(len(x))), default=0.0)
    return [value - left for value in x]


def _relax(rows: NodeRows, row: list[int], x: list[float], sweep: int, upward: bool) -> None:
    """Move one row to where its neighbours want it: isotonic regression over the gaps."""
    offset, offsets, want = 0.0, [], []
    for index, node in enumerate(row):
        offset += rows.gap(row[index - 1], node) if index else 0.0
        near = rows.below[node] if upward else rows.above[node]
        if sweep >= 16 or not near:
            near = rows.below[node] + rows.above[node]
        offsets.append(offset)
        want.append((_ideal(rows, node, near, x) - offset, _weight(rows, node)))
    for node, base, spot in zip(row, offsets, pooled(want), strict=True):
        x[node] = base + spot


def _ideal(rows: NodeRows, node: int, near: list[End], x: list[float]) -> float:
    """Return where the neighbours want a node: leaves pull little, long wires stay straight."""
    if not near:
        return x[node]
    long = node >= rows.real
    weights = [
        0.02 if rows.lone(m) else 8.0 if long and m >= rows.real else 1.0 for m, _, _ in near
    ]
    spots = [w * (x[m] + mx - dx) for w, (m, dx, mx) in zip(weights, near, strict=True)]
    return sum(spots) / sum(weights)


def _weight(rows: NodeRows, node: int) -> float:
    if node >= rows.real:
        return 3.0
    return 0.1 if rows.lone(node) else 1.0


def pooled(wants: list[tuple[float, float]]) -> list[float]:
    """Return the non-decreasing values nearest to the wanted (value, weight) pairs."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in wants:
        count = 1
        while blocks and blocks[-1][0] > value:
            other, more, size = blocks.pop()
            value = (value * weight + other * more) / (weight + more)
            weight, count = weight + more, count + size
        blocks.append((value, weight, count))
    return [value for value, _, count in blocks for _ in range(count)]
