"""Lay out a small graph in layers: ranks, dummies on long links, straight x; for `blocks`.

Data flows from the bottom to the top. A link without a tail enters from the left through a
horizontal lane below the lowest row that uses it; an exit leaves to the right through a lane
above its own row. Lanes get room of their own between two rows, so they cross no node.
Nodes are numbers 0…n−1; all loops are explicit, so a graph of any depth is laid out.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice, permutations

from ..graph import topological_order
from .x_positions import x_positions

ROW_GAP = 22.0
NODE_GAP = 10.0
WIRE_GAP = 7.0
LANE, THIN = 13.0, 7.0
LABEL = 23.0  # between two entries that may each carry a name outside the picture
SLACK = 14.0


@dataclass(slots=True)
class Link:
    """A wire from `tail` (None: from the lane of `entry`) to `head`, at offsets from centre."""

    tail: int | None
    head: int
    tail_dx: float = 0.0
    head_dx: float = 0.0
    entry: object = None


@dataclass(slots=True)
class Problem:
    """Hold what is to be laid out; `floor` and `roof` are forced to the first and the last row.

    `alone` nodes get a row each, `heavy` ones stay as low as they can, `thin` entries bear no name.
    """

    sizes: list[tuple[float, float]]
    links: list[Link]
    exits: dict[int, float] = field(default_factory=dict)
    alone: frozenset[int] = frozenset()
    floor: frozenset[int] = frozenset()
    roof: frozenset[int] = frozenset()
    shuffle: tuple[int, ...] = ()
    heavy: frozenset[int] = frozenset()
    thin: frozenset[object] = frozenset()


@dataclass(slots=True)
class Arrangement:
    """Centres of the nodes, way-points of the links, heights of the lanes; y points down."""

    x: list[float]
    y: list[float]
    routes: list[list[tuple[float, float]]]
    entry_lanes: dict[object, float]
    exit_lanes: dict[int, float]
    width: float
    height: float


class _RankedRows:
    """The working state: nodes and dummies in rows, edges only between neighbouring rows."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.rank = _ranks(problem)
        self.width = [w for w, _ in problem.sizes]
        self.real = len(problem.sizes)
        self.entry_rank = self._entry_ranks()
        self.below: list[list[tuple[int, float, float]]] = [[] for _ in self.rank]
        self.above: list[list[tuple[int, float, float]]] = [[] for _ in self.rank]
        self.chains = [self._chain(link) for link in problem.links]
        self.rows: list[list[int]] = [[] for _ in range(max(self.rank, default=-1) + 1)]
        for node, rank in enumerate(self.rank):
            self.rows[rank].append(node)

    def _entry_ranks(self) -> dict[object, int]:
        lowest: dict[object, int] = {}
        for link in self.problem.links:
            if link.tail is None:
                rank = self.rank[link.head]
                lowest[link.entry] = min(rank, lowest.get(link.entry, rank))
        return lowest

    def _chain(self, link: Link) -> list[int]:
        """Return the dummies of a link, bottom first; they carry its wire across rows."""
        first = self.entry_rank[link.entry] if link.tail is None else self.rank[link.tail] + 1
        chain = [self._dummy(rank) for rank in range(first, self.rank[link.head])]
        path = [*chain, link.head] if link.tail is None else [link.tail, *chain, link.head]
        for low, high in zip(path, path[1:], strict=False):
            low_dx = link.tail_dx if low == link.tail else 0.0
            high_dx = link.head_dx if high == link.head else 0.0
            self.above[low].append((high, low_dx, high_dx))
            self.below[high].append((low, high_dx, low_dx))
        return chain

    def _dummy(self, rank: int) -> int:
        self.rank.append(rank)
        self.width.append(4.0)
        self.below.append([])
        self.above.append([])
        return len(self.rank) - 1

    def lone(self, node: int) -> bool:
        """Return whether a node is a leaf with one user: a chip, an input."""
        once = not self.below[node] and len(self.above[node]) == 1
        return once and node < self.real and self.problem.sizes[node][1] > 0

    def gap(self, left: int, right: int) -> float:
        """Return the least distance between the centres of two neighbours."""
        space = NODE_GAP if left < self.real and right < self.real else WIRE_GAP
        return (self.width[left] + self.width[right]) / 2 + space


def arrange(problem: Problem) -> Arrangement:
    """Return where everything goes: no two nodes overlap, and no lane crosses a node."""
    rows = _RankedRows(problem)
    rows.rows = _best_order(rows)
    x = x_positions(rows)
    tops, bottoms, entries, exits, height = _heights(rows, x)
    y = [(tops[r] + bottoms[r]) / 2 for r in rows.rank[: rows.real]]
    routes = [
        _route(rows, link, chain, x, tops, bottoms, entries)
        for link, chain in zip(problem.links, rows.chains, strict=True)
    ]
    width = max((x[n] + rows.width[n] / 2 for n in range(len(x))), default=0.0)
    return Arrangement(x[: rows.real], y, routes, entries, exits, width, height)


def _ranks(problem: Problem) -> list[int]:
    """Return the row of each node: longest path, then sources pulled up to their users."""
    count = len(problem.sizes)
    below: list[list[int]] = [[] for _ in range(count)]
    above: list[list[int]] = [[] for _ in range(count)]
    for link in problem.links:
        if link.tail is not None:
            below[link.head].append(link.tail)
            above[link.tail].append(link.head)
    edges = [(link.tail, link.head) for link in problem.links if link.tail is not None]
    order = topological_order(dict.fromkeys(range(count), 0), edges)
    rank = [0] * count
    for node in order:
        least = 1 if problem.floor and node not in problem.floor else 0
        rank[node] = max([least, *(rank[p] + 1 for p in below[node])])
    fixed = problem.floor | problem.heavy
    for node in reversed(order):
        if above[node] and len(below[node]) <= len(above[node]) and node not in fixed:
            rank[node] = max(rank[node], min(rank[s] for s in above[node]) - 1)
    top = max(rank, default=0) + 1
    for node in problem.roof:
        rank[node] = top
    return _spread(rank, problem.alone)


def _spread(rank: list[int], alone: frozenset[int]) -> list[int]:
    """Return dense ranks in which each node of `alone` has a row of its own."""
    members: dict[int, list[int]] = defaultdict(list)
    for node, r in enumerate(rank):
        members[r].append(node)
    rows: list[list[int]] = []
    for r in sorted(members):
        rows += [[n] for n in members[r] if n in alone]
        rest = [n for n in members[r] if n not in alone]
        rows += [rest] if rest else []
    return _inverse(rows, len(rank))


def _inverse(rows: list[list[int]], count: int) -> list[int]:
    rank = [0] * count
    for r, row in enumerate(rows):
        for node in row:
            rank[node] = r
    return rank


def _best_order(rows: _RankedRows) -> list[list[int]]:
    """Return the order within rows with the fewest crossings found by barycentre sweeps."""
    best, fewest = rows.rows, None
    small = len(rows.rank) <= 200
    tries = permutations(rows.problem.shuffle) if small else iter([rows.problem.shuffle])
    for chosen in islice(tries, 120):
        order = _start(rows, chosen)
        for sweep in range(8):
            _sweep(rows, order, upward=sweep % 2 == 0)
            crossings = _crossings(rows, order)
            if fewest is None or crossings < fewest:
                best, fewest = [list(row) for row in order], crossings
        if not fewest:
            break
    return best


def _start(rows: _RankedRows, chosen: Iterable[int]) -> list[list[int]]:
    """Return rows in creation order, the shuffled nodes of each in the order that is tried."""
    turn = {node: k for k, node in enumerate(chosen)}
    order = []
    for row in rows.rows:
        queue = iter(sorted((n for n in row if n in turn), key=turn.__getitem__))
        order.append([next(queue) if n in turn else n for n in row])
    return order


def _sweep(rows: _RankedRows, order: list[list[int]], upward: bool) -> None:
    """Sort each row by the mean position of its neighbours in the row before it."""
    position = _positions(order)
    links = rows.below if upward else rows.above
    for row in order if upward else reversed(order):
        want = {}
        for node in row:
            near = links[node]
            spots = [position[m] + dx / (rows.width[m] + 9) for m, _, dx in near]
            want[node] = sum(spots) / len(spots) if spots else float(position[node])
        row.sort(key=want.__getitem__)
        for index, node in enumerate(row):
            position[node] = index


def _positions(order: list[list[int]]) -> dict[int, int]:
    return {node: index for row in order for index, node in enumerate(row)}


def _crossings(rows: _RankedRows, order: list[list[int]]) -> int:
    """Return how many pairs of wires cross."""
    position = _positions(order)
    total = 0
    for row in order[:-1]:
        seen: list[float] = []
        for node in row:
            ports = sorted((dx, position[high] + hx / 999) for high, dx, hx in rows.above[node])
            for _, end in ports:
                total += len(seen) - bisect_right(seen, end)
            for _, end in ports:
                insort(seen, end)
    return total


def _heights(
    rows: _RankedRows, x: list[float]
) -> tuple[list[float], list[float], dict[object, float], dict[int, float], float]:
    """Return tops and bottoms of the rows, heights of both kinds of lanes, total height."""
    entries = _lanes_of_entries(rows, x)
    exits: dict[int, list[int]] = defaultdict(list)
    for node in sorted(rows.problem.exits, key=lambda n: (-x[n] - rows.problem.exits[n], n)):
        exits[rows.rank[node]].append(node)
    up = 0.0  # measured from the bottom, turned round at the end
    bottoms, tops, entry_y, exit_y = [], [], {}, {}
    for rank, row in enumerate(rows.rows):
        for number, name in enumerate(entries.get(rank, [])):
            named = name not in rows.problem.thin
            up += LABEL - LANE if number and named else 0.0
            entry_y[name] = up
            up += LANE if named else THIN
        height = max((rows.problem.sizes[n][1] for n in row if n < rows.real), default=0.0)
        bottoms.append(up)
        tops.append(up + height)
        up += height + (_row_gap(rows, rank, x) if rank + 1 < len(rows.rows) else 0.0)
        for node in exits.get(rank, []):
            exit_y[node] = up + LANE / 2 - (ROW_GAP / 2 if rank + 1 < len(rows.rows) else 0.0)
            up += LANE
    turn = {name: up - v for name, v in entry_y.items()}
    out = {node: up - v for node, v in exit_y.items()}
    return [up - v for v in tops], [up - v for v in bottoms], turn, out, up


def _lanes_of_entries(rows: _RankedRows, x: list[float]) -> dict[int, list[object]]:
    """Return per row the entries whose lane runs below it, the farthest reaching lowest."""
    reach: dict[object, float] = {}
    for link, chain in zip(rows.problem.links, rows.chains, strict=True):
        if link.tail is None:
            end = x[chain[0]] if chain else x[link.head] + link.head_dx
            reach[link.entry] = max(end, reach.get(link.entry, end))
    lanes: dict[int, list[object]] = defaultdict(list)
    for name in sorted(reach, key=lambda n: -reach[n]):
        lanes[rows.entry_rank[name]].append(name)
    return lanes


def _row_gap(rows: _RankedRows, rank: int, x: list[float]) -> float:
    """Return the room above a row: more where wires run far to the side."""
    ends = [
        abs(x[node] + dx - x[high] - hx)
        for node in rows.rows[rank]
        for high, dx, hx in rows.above[node]
    ]
    small = all(rows.problem.sizes[n][1] == 0 for n in rows.rows[rank] if n < rows.real)
    return (ROW_GAP / 2 if small else ROW_GAP) + min(26.0, 0.07 * max(ends, default=0.0))


def _route(
    rows: _RankedRows,
    link: Link,
    chain: list[int],
    x: list[float],
    tops: list[float],
    bottoms: list[float],
    entries: dict[object, float],
) -> list[tuple[float, float]]:
    """Return the way-points of a link from its tail's top to its head's bottom."""
    sizes = rows.problem.sizes
    head_x, head_rank = x[link.head] + link.head_dx, rows.rank[link.head]
    middle = (tops[head_rank] + bottoms[head_rank]) / 2
    if link.tail is None:
        points = [(x[chain[0]] if chain else head_x, entries[link.entry])]
    else:
        rank = rows.rank[link.tail]
        start = (tops[rank] + bottoms[rank]) / 2 - sizes[link.tail][1] / 2
        points = [(x[link.tail] + link.tail_dx, start)]
        if start - tops[rank] > SLACK:  # straight up to the row's edge, past taller neighbours
            points.append((points[0][0], tops[rank]))
    for dummy in chain:
        rank = rows.rank[dummy]
        points += [(x[dummy], bottoms[rank]), (x[dummy], tops[rank])]
    end = middle + sizes[link.head][1] / 2
    if bottoms[head_rank] - end > SLACK and link.tail is not None:
        points.append((head_x, bottoms[head_rank]))
    return [*points, (head_x, end)]
