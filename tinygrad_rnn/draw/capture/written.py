"""Tell which loops that the reader wrote are time, and which of them is in which, for `steps`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping

from ...analysis.turns import Loop, carries_array, handed_on
from ...engine.context import enclosing
from ..graph import Graph

Turns = Mapping[int, tuple[tuple[int, int], ...]]  # node → (loop, turn), the outermost first
Copies = Mapping[int, int]  # a detached leaf → the operation whose value it has


def written_loops(
    graph: Graph, turns: Turns, copies: Copies, ids: Iterable[int], depth: int = 0
) -> list[Loop]:
    """Return the loops over time, at this depth or deeper, among some operations.

    It is time where a turn reads what the turn before made, with the same parameters.
    """
    loops: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i in ids:
        if len(turns.get(i, ())) > depth:
            number, turn = turns[i][depth]
            loops[number][turn].append(i)
    found: list[Loop] = []
    for bodies in loops.values():
        for run in _runs(graph, copies, [body for _, body in sorted(bodies.items())]):
            all_ids = [i for body in run for i in body]
            inner = written_loops(graph, turns, copies, all_ids, depth + 1)
            loop = _loop(graph, run)
            deeper = any(carries_array(graph, one) for one in inner)
            if len(run) < 2 or deeper and not carries_array(graph, loop):
                found += inner  # a sum over examples is not time, the sequence in each is
            else:
                found.append(loop)
    return found


def _runs(graph: Graph, copies: Copies, bodies: list[list[int]]) -> list[list[list[int]]]:
    """Return the turns in runs, each linked to the one before."""
    runs = [bodies[:1]]
    for before, after in zip(bodies, bodies[1:], strict=False):
        if _goes_on(graph, copies, before, after):
            runs[-1].append(after)
        else:
            runs.append([after])
    return runs


def _goes_on(graph: Graph, copies: Copies, before: list[int], after: list[int]) -> bool:
    leaves = {p for i in after for p in graph.nodes[i].parents if p is not None}
    detached = {copies[leaf] for leaf in leaves if leaf in copies}
    one, other = _params(graph, before), _params(graph, after)
    linked = handed_on(graph, before, after) or detached.intersection(before)
    return bool(linked) and (one <= other or other <= one)


def _params(graph: Graph, body: list[int]) -> set[int]:
    parents = {p for i in body for p in graph.nodes[i].parents if p is not None}
    return {p for p in parents if graph.nodes[p].role == "param"}


def _loop(graph: Graph, bodies: list[list[int]]) -> Loop:
    """Return the loop in which what one line makes in each turn stands at one spot."""
    spots: list[list[Hashable]] = []
    for body in bodies:
        count: Counter[Hashable] = Counter()
        spots.append([])
        for i in body:
            spot = (graph.nodes[i].op, graph.nodes[i].lines)
            count[spot] += 1
            spots[-1].append((*spot, count[spot]))
    return Loop(tuple(map(tuple, bodies)), tuple(map(tuple, spots)))


def nest(graph: Graph, turns: Turns, copies: Copies) -> list[Loop]:
    """Put the turn of the inner loop beside the step of the outer one, where scopes told both.

    The inner scopes win: without this the first character of every word would be step 1.
    """
    every = [node.id for node in graph.nodes if node.op]
    found = []
    for loop in written_loops(graph, turns, copies, every):
        told = [{graph.nodes[i].place.moment for i in body} for body in loop.bodies]
        told = [{moment for moment in one if moment[1] is not None} for one in told]
        count = Counter(moment for one in told for moment in one)
        if max(count.values(), default=1) > 1 and min(map(len, told)) > 1:
            found.append(loop)
            for turn, body in enumerate(loop.bodies, 1):
                _nest_turn(graph, turn, body)
    inside = {i for loop in found for i in loop.ids}
    for parent, _, child in graph.edges():
        if parent.op is None and child.id in inside:
            parent.put(step=None)  # it joins its users
    return found


def _nest_turn(graph: Graph, turn: int, body: tuple[int, ...]) -> None:
    """Put what an inner loop or a layer of the library made in one turn at its turn there."""
    nodes = graph.live[0]
    depth = {i: sum("step" in s.labels for s in enclosing(nodes[i].scope)) for i in body}
    for node in (graph.nodes[i] for i in body):
        if depth[node.id] > min(depth.values()):
            node.labels["turn"] = node.step
        node.put(step=turn)


def put_inner_turns(
    graph: Graph, turns: Turns, copies: Copies, found: Iterable[Loop]
) -> list[Loop]:
    """Label the turns of loops over time inside the turns of others, and return these loops."""
    inner = []
    for loop in found:
        for body in loop.bodies:
            depth = min(len(turns.get(i, ())) for i in body)
            inner += written_loops(graph, turns, copies, body, depth)
    for one in inner:
        for i, turn in one.turns().items():
            graph.nodes[i].labels.setdefault("turn", turn)
    return inner
