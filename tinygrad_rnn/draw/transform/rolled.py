"""One step that stands for all: the cell at op level, its states going back through a delay.

Parameters appear with how often they are used. This is how papers draw a recurrent network; it
hides the order of evaluation, so it is never chosen unasked.
"""

from __future__ import annotations

from ..graph import Graph, GraphNode


def rolled_graph(graph: Graph) -> tuple[Graph, list[tuple[int, int]]]:
    """Return one step of a graph, and (state, delayed state) for each loop through time."""
    step = _typical(graph)
    inside = [n for n in graph.nodes if n.step == step and n.op or _leaf_of(graph, n, step)]
    made = Graph(title=graph.title, notes=list(graph.notes))
    number: dict[int, int] = {}
    delays: dict[int, int] = {}
    outer = _outside(graph, inside)
    times = len(graph.steps())
    for node in (*outer, *inside):
        number[node.id] = len(made.nodes)
        made.nodes.append(_copied(graph, node, number, node in outer, times))
        if node in outer and node.role != "param" and _state_of(graph, node, inside) is not None:
            delays[node.id] = number[node.id]
    for node in inside:
        for slot in range(len(node.parents)):
            norm = graph.edge_grad(node.id, slot)
            if norm is not None:
                made.edge_grads[f"{number[node.id]}:{slot}"] = norm
    loops = [
        (number[twin.id], delays[node.id])
        for node in outer
        if node.id in delays and (twin := _state_of(graph, node, inside)) is not None
    ]
    return made.validate(), loops


def _typical(graph: Graph) -> int:
    """Return a step in the middle: the first and the last are special."""
    steps = graph.steps()
    return steps[len(steps) // 2] if len(steps) > 2 else steps[-1] if steps else 0


def _leaf_of(graph: Graph, node: GraphNode, step: int) -> bool:
    return node.op is None and node.step == step


def _outside(graph: Graph, inside: list[GraphNode]) -> list[GraphNode]:
    known = {node.id for node in inside}
    found = {p for node in inside for p in node.parents if p is not None and p not in known}
    return [graph.nodes[i] for i in sorted(found)]


def _bare(name: str | None) -> str:
    return (name or "").split("⟨")[0]


def _state_of(graph: Graph, node: GraphNode, inside: list[GraphNode]) -> GraphNode | None:
    """Return the node of this step that becomes `node` one step later."""
    for other in inside:
        if node.name and other.op and _bare(other.name) == _bare(node.name) and other is not node:
            return other
    return None


def _copied(
    graph: Graph, node: GraphNode, number: dict[int, int], outside: bool, times: int
) -> GraphNode:
    parents = () if outside else tuple(None if p is None else number[p] for p in node.parents)
    name = node.name
    if name and "⟨" in name:
        before = "⟨t+1⟩" if node.place.direction == "rev" else "⟨t−1⟩"
        name = _bare(name) + (before if outside and node.role != "param" else "⟨t⟩")
    role, op = node.role, node.op
    if outside:
        role = role if role in ("param", "const") else "state"
        op = "delay" if role == "state" else None
        name = f"{name or role} ×{times}" if role == "param" else name or node.op
    made = node.moved(number[node.id], parents)
    made.op, made.name, made.role, made.place = op, name, role, node.place.timeless
    return made
