"""Roll equal steps up into one whose states go back through a delay, for `overlays`.

Parameters appear with how often they are used. This is how papers draw a recurrent network; it
hides the order of evaluation, so it is never chosen unasked.
"""

from __future__ import annotations

from ..graph import Graph, GraphNode
from ..labels import sign_of

AFTER = "after"  # the phase of what follows the loop


def rolled_graph(graph: Graph) -> tuple[Graph, list[tuple[int, int]]]:
    """Return one step of a graph and what follows, and (state, delayed state) for each loop.

    A delay stands for what the step has from the one before, and for nothing else.
    """
    moment = _typical(graph)
    inside = [node for node in graph.nodes if node.place.moment == moment]
    made = Graph(title=graph.title, notes=[*graph.notes, *_left_out(graph, moment[0])])
    made.code = graph.code
    number: dict[int, int] = {}
    followed = _after(graph, inside)
    after = [node for node, _ in followed]
    outer, twins = _outside(graph, inside, after), _twins(graph, inside)
    turns = len({node.step for node in graph.nodes if node.place.moment[0] == moment[0]} - {None})
    again = {p for node in inside for p in node.parents}
    for node in outer:
        number[node.id] = len(made.nodes)
        times = turns if node.id in again else 1
        made.nodes.append(_outer(node, number[node.id], node.id in twins, times))
    for node in (*inside, *after):
        number[node.id] = len(made.nodes)
        made.nodes.append(_inner(node, number))
    slots = [(node, list(range(len(node.parents)))) for node in inside]
    for node, kept in [*slots, *followed]:
        for spot, slot in enumerate(kept):
            norm = graph.edge_grad(node.id, slot)
            if norm is not None:
                made.edge_grads[f"{number[node.id]}:{spot}"] = norm
    loops = [(number[twins[node.id]], number[node.id]) for node in outer if node.id in twins]
    return made.validate(), loops


def _after(graph: Graph, inside: list[GraphNode]) -> list[tuple[GraphNode, list[int]]]:
    """Return what is made of the steps when all are done, and which slots of it are left."""
    late = _last_words(graph, inside)
    steps = {node.id for node in graph.nodes if node.step is not None} - late
    for node in graph.nodes:
        if node.step is None and (_reads(node, steps) or _reads(node, late)):
            late.add(node.id)
    for node in reversed(graph.nodes):
        if node.id in steps:
            steps |= {p for p in node.parents if p is not None}
    after = sorted(late - steps)
    return [_reading(graph, graph.nodes[i], inside, late) for i in after]


def _reads(node: GraphNode, sources: set[int]) -> bool:
    return not sources.isdisjoint(node.parents)


def _last_words(graph: Graph, inside: list[GraphNode]) -> set[int]:
    """Return what the last step has at its end and the drawn one has not, as the sum of a loss."""
    phase, step = inside[0].place.moment if inside else ("", None)
    last = max((n.step or 0 for n in graph.nodes if n.place.moment[0] == phase), default=0)
    found: set[int] = set()
    for node in reversed(graph.nodes) if last != step else ():
        if node.place.moment == (phase, last):
            if _same_place(graph, node, inside) is not None:
                break
            found.add(node.id)
    return found


def _reading(
    graph: Graph, node: GraphNode, inside: list[GraphNode], late: set[int]
) -> tuple[GraphNode, list[int]]:
    """Return a node that reads from the drawn step what it read from all, and the slots left.

    Where it reads the same from each step, one wire stands for all.
    """
    own, parents, slots = late | {n.id for n in inside}, list[int | None](), list[int]()
    for slot, parent in enumerate(node.parents):
        stepped = parent is not None and graph.nodes[parent].step is not None
        if stepped and parent not in own:
            parent = _same_place(graph, graph.nodes[parent], inside)  # type: ignore[index]
        if not stepped or parent is not None and parent not in parents:
            parents.append(parent)
            slots.append(slot)
    made = node.moved(node.id, tuple(parents))
    made.place = node.place._replace(phase=AFTER, step=None)
    return made, slots


def _typical(graph: Graph) -> tuple[str, int | None]:
    """Return a moment in the middle of the last phase: its first and last steps are special."""
    phases: dict[str, set[int]] = {}
    for node in graph.nodes:
        if node.step is not None:
            phases.setdefault(node.place.moment[0], set()).add(node.step)
    loops = [name for name in phases if len(phases[name]) > 1] or list(phases)
    phase = loops[-1] if loops else ""
    steps = sorted(phases.get(phase, ()))
    return (phase, steps[len(steps) // 2] if len(steps) > 2 else steps[-1] if steps else None)


def _left_out(graph: Graph, drawn: str) -> list[str]:
    """Return a note about the loops that are not drawn, as the encoder's beside a decoder's."""
    others = {n.place.moment[0] for n in graph.nodes if n.step is not None} - {drawn}
    told = ", ".join(sorted(name or "one without a name" for name in others))
    return [f"the loop {drawn}".strip() + f"; not drawn: {told}"] if told else []


def _twins(graph: Graph, inside: list[GraphNode]) -> dict[int, int]:
    """Return the values of a neighbouring step that this one reads → what stands there in it."""
    own = [node.id for node in inside]
    twins: dict[int, int] = {}
    for node in inside:
        for slot, parent in enumerate(node.parents):
            if parent is None or parent in own:
                continue
            other = _same_place(graph, graph.nodes[parent], inside)
            if other is None:  # the state before the first step: its reader's twin reads the state
                other = _read_by_twin(graph, node, slot, own)
            if other is not None:
                twins[parent] = other
    return twins


def _same_place(graph: Graph, state: GraphNode, inside: list[GraphNode]) -> int | None:
    """Return the node of this step that stands where a node of another step stands in its own."""
    if state.step is None or not inside or state.place.moment[0] != inside[0].place.moment[0]:
        return None
    there = [node for node in graph.nodes if node.place.moment == state.place.moment]
    alike = [node for node in there if _kind(node) == _kind(state)]
    here = [node for node in inside if _kind(node) == _kind(state)]
    spot = alike.index(state)
    return here[spot].id if len(here) == len(alike) else None


def _read_by_twin(graph: Graph, node: GraphNode, slot: int, own: list[int]) -> int | None:
    """Return what the same operation reads one step later, if that is of this step."""
    way = -1 if node.place.direction == "rev" else 1
    later = node.place._replace(step=(node.step or 0) + way)
    for other in graph.nodes:
        if other.place == later and _kind(other) == _kind(node):
            parent = other.parents[slot]
            return parent if parent in own and graph.nodes[parent].op else None
    return None


def _kind(node: GraphNode) -> tuple[object, ...]:
    return (node.op, node.role, node.place.timeless, node.shape)


def _outside(graph: Graph, inside: list[GraphNode], after: list[GraphNode]) -> list[GraphNode]:
    drawn = [*inside, *after]
    known = {node.id for node in drawn}
    found = {p for node in drawn for p in node.parents if p is not None and p not in known}
    return [graph.nodes[i] for i in sorted(found)]


def _inner(node: GraphNode, number: dict[int, int]) -> GraphNode:
    """Return an operation of the step, with the step's letter for its number."""
    made = node.moved(
        number[node.id], tuple(None if p is None else number[p] for p in node.parents)
    )
    made.place = node.place.timeless
    made.name = _timeless(node, "⟨t⟩")
    return made


def _outer(node: GraphNode, number: int, delayed: bool, times: int) -> GraphNode:
    """Return what the step reads from elsewhere: a delay, a parameter, an input."""
    made = node.moved(number, ())
    made.place = node.place.timeless
    before = "⟨t+1⟩" if node.place.direction == "rev" else "⟨t−1⟩"
    made.name = _timeless(node, before if delayed else "⟨t⟩")
    if delayed:
        sign = f"{sign_of(node)}⟨t−1⟩" if node.op else "state"
        made.op, made.role, made.name = "delay", "state", made.name or sign
        return made
    made.op, made.role = None, node.role if node.op is None else "input"
    if node.role == "param":
        made.name = f"{node.name or node.role} ×{times}" if times > 1 else node.name
    else:
        made.name = made.name or node.op
    return made


def _timeless(node: GraphNode, moment: str) -> str | None:
    """Return a name with a letter for the number of its step."""
    name = node.name
    return f"{name.split('⟨')[0]}{moment}" if name and "⟨" in name else name
