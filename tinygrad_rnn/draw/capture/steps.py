"""Find the time step of every node, also where no scope says it, for `run_to_graph`.

Scopes say it for the library's cells. Without scopes the turns of loops say it: what is computed
from one turn alone joins it, and a leaf joins the step of its only user. Nodes that only serve one
step join it, so x[t] stands below the step that reads it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ...analysis.turns import Loop, carries_array, loops, reversed_ones
from ..graph import Graph, GraphNode
from .written import Copies, Turns, nest, put_inner_turns, written_loops

PHASES = ("encoder", "decoder")
LOOP = "loop"  # the phase of a loop written by hand beside layers of the library
Moment = tuple[str, int | None]


def assign_steps(
    graph: Graph, turns: Turns | None = None, copies: Copies | None = None
) -> list[Loop]:
    """Put a `step` label wherever one is known, and return the loops, also those of scopes.

    `turns` are those of the reader's loops where they are known.
    """
    _name_phases(graph)
    scoped = bool(graph.steps())
    turns, copies = turns or {}, copies or {}
    nested = []
    if scoped:
        _number_from_one(graph)
        nested = nest(graph, turns, copies)
    told = loops(graph, told=True, known=nested) if scoped else []
    free = [node.id for node in graph.nodes if node.op and node.step is None]
    written = written_loops(graph, turns, copies, free)
    inner = put_inner_turns(graph, turns, copies, nested + written)
    found = infer_steps(graph, scoped, written)
    _free_shared(graph)
    _join_users(graph)
    _join_makers(graph)
    return [*inner, *nested, *told, *found, *inner]


def _name_phases(graph: Graph) -> None:
    """Let the steps of an encoder and of a decoder count apart, where scopes have these names."""
    for node in graph.nodes:
        found = next((part for part in node.path if part.lower() in PHASES), None)
        if found and node.place.phase is None and node.role != "param":
            node.put(phase=found.lower())


def infer_steps(graph: Graph, beside: bool = False, written: Sequence[Loop] = ()) -> list[Loop]:
    """Label the turns of loops and what is computed from them, and return the loops.

    Beside steps that scopes told, a loop that carries an array is a phase of its own: a decoder
    written by hand, but not the sum of the losses.
    """
    every = [*written, *loops(graph, known=written)]
    found = [loop for loop in every if not beside or carries_array(graph, loop)]
    found.sort(key=lambda loop: loop.ids[0])
    against = reversed_ones(graph, found)
    known: dict[int, int] = {}
    for k, loop in enumerate(found):
        turns = loop.turns().items()
        known |= {i: loop.count + 1 - turn if k in against else turn for i, turn in turns}
    for node in graph.nodes:
        before = [known[p] for p in node.parents if p in known]
        free = node.op is not None and node.id not in known and node.step is None
        if free and len(set(before)) == 1:
            known[node.id] = before[0]
    for i, step in known.items():
        graph.nodes[i].put(
            step=step, phase=graph.nodes[i].place.phase or (LOOP if beside else None)
        )
    return found


def _number_from_one(graph: Graph) -> None:
    """Count steps from 1, as the books do, in each phase whose first step is 0."""
    zero = {node.place.phase for node in graph.nodes if node.step == 0}
    for node in graph.nodes:
        if node.step is not None and node.place.phase in zero:
            node.put(step=node.step + 1)


def _free_shared(graph: Graph) -> None:
    """Take a leaf that several steps use out of the step that happened to make it."""
    homes: dict[int, set[Moment]] = defaultdict(set)
    for parent, _, child in graph.edges():
        if parent.op is None and parent.step is not None:
            homes[parent.id].add(child.place.moment)
    for leaf, users in homes.items():
        if len(users) > 1:
            graph.nodes[leaf].put(step=None)


def _join_users(graph: Graph) -> None:
    """Give a node without a step the step of its users when they all share one."""
    children = graph.children()
    for node in reversed(graph.nodes):
        if node.step is not None or node.role in ("param", "state", "const"):
            continue
        _adopt(node, {graph.nodes[child].place.moment for child, _ in children[node.id]})


def _join_makers(graph: Graph) -> None:
    """Give an operation without a step the step that all it is computed from belongs to."""
    for node in graph.nodes:
        if node.step is not None or node.op is None:
            continue
        makers = [p for p in node.parents if p is not None]
        _adopt(node, {graph.nodes[p].place.moment for p in makers if not _timeless(graph, p)})


def _timeless(graph: Graph, node: int) -> bool:
    return graph.nodes[node].op is None and graph.nodes[node].step is None


def _adopt(node: GraphNode, moments: set[Moment]) -> None:
    """Put a node into the step of all its neighbours, if they share one."""
    if len(moments) == 1:
        phase, step = moments.pop()
        if step is not None:
            node.put(step=step, phase=phase or node.place.phase)
