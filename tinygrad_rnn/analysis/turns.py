"""Find the turns of a loop in the order in which operations were made, for `draw.capture.steps`.

A loop's body is created again and again: in the list of all operations it is a tandem repeat. It is
time where a turn uses what the turn before made and the same parameters stand in the same places:
equal layers differ in the latter, a function of each element alone in the former.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..engine.node import Node

LEAST = 2  # operations in a body


class Computation(Protocol):
    """Operations by number, a parent's number smaller than its child's."""

    @property
    def nodes(self) -> Sequence[Any]: ...

    def children(self) -> list[list[tuple[int, int]]]: ...


@dataclass(slots=True)
class Operation:
    """Tell one operation from another by its name, inputs and step (None until scopes say it)."""

    id: int
    op: str | None
    parents: tuple[int | None, ...]
    shape: tuple[int, ...]
    role: str
    step: int | None


@dataclass(slots=True)
class Recorded:
    """The nodes of a backward pass as a graph."""

    nodes: list[Operation] = field(default_factory=list)

    def children(self) -> list[list[tuple[int, int]]]:
        """Return, per number, the (child, slot) pairs that use it."""
        uses: list[list[tuple[int, int]]] = [[] for _ in self.nodes]
        for node in self.nodes:
            for slot, parent in enumerate(node.parents):
                if parent is not None:
                    uses[parent].append((node.id, slot))
        return uses


def recorded(nodes: Iterable[Node]) -> tuple[Recorded, list[Node]]:
    """Return the engine's nodes as a graph, and the node of each number."""
    order = sorted(nodes, key=lambda node: node.index)
    ids = {node: k for k, node in enumerate(order)}
    made = Recorded()
    for k, node in enumerate(order):
        parents = tuple(None if p is None else ids.get(p) for p in node.parents)
        op = node.op.name if node.op else None
        role = "op" if op else "param" if node.needs else "input"
        step = node.labels.get("step") if op else None
        made.nodes.append(Operation(k, op, parents, node.shape, role, step))
    return made, order


@dataclass(frozen=True, slots=True)
class Loop:
    """Keep the operations of each turn in creation order, and their `spots` in the body."""

    bodies: tuple[tuple[int, ...], ...]
    spots: tuple[tuple[Hashable, ...], ...]

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(node for body in self.bodies for node in body)

    @property
    def count(self) -> int:
        return len(self.bodies)

    def turns(self) -> dict[int, int]:
        """Return node → its turn, from 1."""
        return {node: turn for turn, body in enumerate(self.bodies, 1) for node in body}

    def columns(self) -> list[tuple[int, ...]]:
        """Return for each operation of the body what it made in every turn."""
        made: dict[Hashable, list[int]] = {}
        for body, spots in zip(self.bodies, self.spots, strict=True):
            for node, spot in zip(body, spots, strict=True):
                made.setdefault(spot, []).append(node)
        return [tuple(nodes) for nodes in made.values()]


def loops(graph: Computation, told: bool = False, known: Iterable[Loop] = ()) -> list[Loop]:
    """Return the loops over time of a graph, none inside another; the longest is found first.

    They are looked for outside the steps that scopes told, or inside them, and outside `known`.
    """
    kinds, uses = _kinds(graph), graph.children()
    found: list[Loop] = []
    pieces = _pieces(graph, told, {node for loop in known for node in loop.ids})
    while pieces:
        piece = pieces.pop()
        loop = _longest(graph, piece, kinds, uses)
        if loop is None:
            continue
        found.append(loop)
        first, last = piece.index(loop.ids[0]), piece.index(loop.ids[-1])
        pieces += [piece[:first], piece[last + 1 :]]
    return sorted(_sure(graph, kinds, found), key=lambda loop: loop.ids[0])


def _sure(graph: Computation, kinds: dict[int, int], found: list[Loop]) -> list[Loop]:
    """Return the loops whose parameters do the same nowhere else.

    Of a tree the last two levels look like turns, but the other nodes are made alike.
    """
    inside = {node for loop in found for node in loop.ids}
    params = {node.id for node in graph.nodes if node.role == "param"}
    elsewhere = {
        kind for node, kind in kinds.items()
        if node not in inside and params.intersection(graph.nodes[node].parents)
    }  # fmt: skip
    return [loop for loop in found if elsewhere.isdisjoint(kinds[node] for node in loop.ids)]


def _pieces(graph: Computation, told: bool, known: set[int]) -> list[list[int]]:
    """Return the operations whose steps scopes told, or did not tell, between known loops."""
    pieces: list[list[int]] = [[]]
    for node in graph.nodes:
        if node.id in known:
            pieces.append([])
        elif node.op is not None and (node.step is None) != told:
            pieces[-1].append(node.id)
    return [piece for piece in pieces if piece]


def _kinds(graph: Computation) -> dict[int, int]:
    """Return a number per operation: equal ones do the same with the same parameters."""
    known: dict[tuple, int] = {}
    params = {node.id for node in graph.nodes if node.role == "param"}
    kinds = {}
    for node in graph.nodes:
        if node.op is not None:
            used = tuple(parent if parent in params else None for parent in node.parents)
            kinds[node.id] = known.setdefault((node.op, node.shape, used), len(known))
    return kinds


def _longest(
    graph: Computation, piece: list[int], kinds: dict[int, int], uses: list[list[tuple[int, int]]]
) -> Loop | None:
    """Return the loop that explains most of a piece, the shortest body of several."""
    sign = np.array([kinds[i] for i in piece])
    weighted = np.cumsum([0, *(_reads_shared(graph, i, uses) for i in piece)])
    best, longest = None, 0
    for period in range(LEAST, len(piece) // 2 + 1):
        for start, stop in _runs(sign[:-period] == sign[period:]):
            whole = stop - start + period
            if whole < 2 * period or best is not None and whole <= longest + period:
                continue
            if weighted[stop + period] == weighted[start]:
                continue
            loop = _aligned(graph, piece[start : stop + period], period)
            if loop and loop.count * period > longest:
                best, longest = loop, loop.count * period
    return best


def _reads_shared(graph: Computation, node: int, uses: list[list[tuple[int, int]]]) -> bool:
    """Return True if an operation reads a leaf that others read too, as the turns of a loop do."""
    parents = (p for p in graph.nodes[node].parents if p is not None)
    return any(graph.nodes[p].op is None and len(uses[p]) > 1 for p in parents)


def _runs(same: np.ndarray) -> list[tuple[int, int]]:
    """Return where an array is True without a break, as (start, stop)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _aligned(graph: Computation, ids: list[int], period: int) -> Loop | None:
    """Return the loop whose turns begin where the fewest values cross from one to the next.

    Of several a turn that begins with a parameter is likelier: what stood before the loop may end
    like its body.
    """
    best: tuple[tuple[int, bool], Loop] | None = None
    for shift in range(len(ids) % period + 1):
        count = (len(ids) - shift) // period
        starts = range(shift, shift + count * period, period)
        bodies = tuple(tuple(ids[start : start + period]) for start in starts)
        loop = Loop(bodies, (tuple(range(period)),) * count)
        parents = graph.nodes[bodies[0][0]].parents
        plain = not any(p is not None and graph.nodes[p].role == "param" for p in parents)
        cost = (len(_crossing(graph, loop)), plain)
        if count > 1 and (best is None or cost < best[0]) and _is_time(graph, loop):
            best = cost, loop
    return best[1] if best else None


def _crossing(graph: Computation, loop: Loop) -> set[tuple[int, int]]:
    """Return (place that makes, place that reads) of what the second turn has from the first."""
    first, second = loop.bodies[:2]
    place = {node: k for k, node in enumerate(first)}
    return {
        (place[parent], k)
        for k, node in enumerate(second)
        for parent in graph.nodes[node].parents
        if parent in place
    }


def _is_time(graph: Computation, loop: Loop) -> bool:
    """Return True if each turn is made like the first and reads the same of the turn before."""
    crossing = _crossing(graph, loop)
    alike = len({_inside(graph, turn) for turn in loop.bodies}) == 1
    return bool(crossing) and alike and _shares_leaf(graph, *loop.bodies[:2]) and all(
        before[made] in graph.nodes[after[read]].parents
        for before, after in zip(loop.bodies, loop.bodies[1:], strict=False)
        for made, read in crossing
    )  # fmt: skip


def _shares_leaf(graph: Computation, one: Sequence[int], other: Sequence[int]) -> bool:
    """Return True if two turns read the same leaf: those of a sum of like terms do not."""
    read = [{p for node in turn for p in graph.nodes[node].parents} for turn in (one, other)]
    return any(p is not None and graph.nodes[p].op is None for p in read[0] & read[1])


def _inside(graph: Computation, turn: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return for each operation of a turn which places of the turn it reads."""
    place = {node: k for k, node in enumerate(turn)}
    return tuple(
        tuple(place.get(parent, -1) for parent in graph.nodes[node].parents)  # type: ignore[arg-type]
        for node in turn
    )


def carries_array(graph: Computation, loop: Loop) -> bool:
    """Return True if something larger than a number goes from turn to turn."""
    return any(
        graph.nodes[made].shape
        for before, after in zip(loop.bodies, loop.bodies[1:], strict=False)
        for made in handed_on(graph, before, after)
    )


def handed_on(graph: Computation, before: Iterable[int], after: Iterable[int]) -> set[int]:
    """Return what a turn made that the next one reads."""
    read = {parent for node in after for parent in graph.nodes[node].parents}
    return read.intersection(before)


def reversed_ones(graph: Computation, found: list[Loop]) -> set[int]:
    """Return the numbers of the loops that run against the first one of as many turns.

    Whatever joins two loops, a leaf that both read or an operation on both, tells the direction.
    """
    turn = [loop.turns() for loop in found]
    back: set[int] = set()
    for k, loop in enumerate(found):
        other = next((i for i in range(k) if found[i].count == loop.count), None)
        if other is None:
            continue
        votes: Counter[bool] = Counter()
        for a, b in _meetings(graph, turn[other], turn[k]):
            votes[True] += a + b == loop.count + 1
            votes[False] += a == b
        if votes[True] > votes[False]:
            back.add(k)
    return back


def _meetings(
    graph: Computation, one: dict[int, int], other: dict[int, int]
) -> list[tuple[int, int]]:
    """Return the turns of two loops that read one leaf, or that one operation reads."""
    found = [
        (one[a], other[b])
        for node in graph.nodes
        if node.id not in one and node.id not in other
        for a in node.parents
        for b in node.parents
        if a in one and b in other
    ]
    for leaf, uses in zip(graph.nodes, graph.children(), strict=True):
        if leaf.op is None:
            readers: list[list[int]] = [
                [turn[child] for child, _ in uses if child in turn] for turn in (one, other)
            ]
            if len(readers[0]) == len(readers[1]) == 1:
                found.append((readers[0][0], readers[1][0]))
    return found


def states(graph: Computation, loop: Loop) -> list[int]:
    """Return the places of a turn whose values the next turn reads, as they are made."""
    return sorted({made for made, _ in _crossing(graph, loop)})
