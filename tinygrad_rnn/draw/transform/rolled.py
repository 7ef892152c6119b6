"""Roll equal steps up into one whose states go back through a delay, for `overlays`.

Parameters appear with how often they are used. This is how papers draw a recurrent network; it
hides the order of evaluation, so it is never chosen unasked.
"""

from __future__ import annotations

from ..graph import Graph, GraphNode
from ..labels import sign_of


def rolled_graph(graph: Graph) -> tuple[Graph, list[tuple[int, int]]]:
    """Return one step of a graph, and (state, delayed state) for each loop through time.

    A delay stands for what the step has from the one before, and for nothing else.
    """
    moment = _typical(graph)
    inside = [node for node in graph.nodes if node.place.moment == moment]
    made = Graph(title=graph.title, notes=list(graph.notes), code=graph.code)
    number: dict[int, int] = {}
    outer, twins = _outside(graph, inside), _twins(graph, inside)
    times = len({node.step for node in graph.nodes if node.place.moment[0] == moment[0]} - {None})
    for node in (*outer, *inside):
        number[node.id] = len(made.nodes)
        made.nodes.append(_copied(node, number, node in outer, node.id in twins, times))
    for node in inside:
        for slot in range(len(node.parents)):
            norm = graph.edge_grad(node.id, slot)
            if norm is not None:
                made.edge_grads[f"{number[node.id]}:{slot}"] = norm
    loops = [(number[twins[node.id]], number[node.id]) for node in outer if node.id in twins]
    return made.validate(), loops


def _typical(graph: Graph) -> tuple[str, int | None]:
    """Return a moment in the middle of the longest phase: its first and last steps are special."""
    phases: dict[str, set[int]] = {}
    for node in graph.nodes:
        if node.step is not None:
            phases.setdefault(node.place.moment[0], set()).add(node.step)
    phase = max(phases, key=lambda name: len(phases[name]), default="")
    steps = sorted(phases.get(phase, ()))
    return (phase, steps[len(steps) // 2] if len(steps) > 2 else steps[-1] if steps else None)


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


def _outside(graph: Graph, inside: list[GraphNode]) -> list[GraphNode]:
    known = {node.id for node in inside}
    found = {p for node in inside for p in node.parents if p is not None and p not in known}
    return [graph.nodes[i] for i in sorted(found)]


def _bare(name: str | None) -> str:
    return (name or "").split("⟨")[0]


def _copied(
    node: GraphNode, number: dict[int, int], outside: bool, delayed: bool, times: int
) -> GraphNode:
    parents = () if outside else tuple(None if p is None else number[p] for p in node.parents)
    made = node.moved(number[node.id], parents)
    made.place = node.place.timeless
    name = node.name
    if name and "⟨" in name:
        before = "⟨t+1⟩" if node.place.direction == "rev" else "⟨t−1⟩"
        made.name = _bare(name) + (before if delayed else "⟨t⟩")
    if delayed:
        sign = f"{sign_of(node)}⟨t−1⟩" if node.op else "state"
        made.op, made.role, made.name = "delay", "state", made.name or sign
    elif outside:
        made.op, made.role = None, node.role if node.op is None else "input"
        made.name = (
            f"{name or node.role} ×{times}" if node.role == "param" else made.name or node.op
        )
    return made
