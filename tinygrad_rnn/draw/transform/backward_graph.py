"""Draw the backward pass as a graph: what each rule computes, where gradients meet; for `views`.

For each node that backward reached there is its gradient ∂L/∂node, and for each edge the product
of the upstream gradient ĝ with the local derivative. Where a value was used several times the
gradients add, so there stands a "+". Time runs backward: the wires go from later to earlier steps.
"""

from __future__ import annotations

from collections import defaultdict

from .. import labels
from ..graph import Graph, GraphNode
from .formulas import rule


def backward_graph(graph: Graph) -> Graph:
    """Return the graph of the backward pass, for nodes that a gradient reached.

    Without recorded gradients the pass is drawn for all edges that lead to a parameter.
    """
    live = _live(graph)
    made = Graph(title=f"backward pass of {graph.title}".strip(), notes=list(graph.notes))
    users: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for parent, slot, child in graph.edges():
        if parent.id in live and child.id in live:
            users[parent.id].append((child.id, slot))
    number: dict[int, int] = {}
    for node in reversed(graph.nodes):
        if node.id in live and (users[node.id] or not _leads_on(graph, node, live)):
            _gradient_of(graph, made, node, users[node.id], number)
    made.order = [number[i] for i in graph.order if i in number]
    _start_late(made, max(graph.steps(), default=None))
    return made.validate()


def _start_late(made: Graph, last: int | None) -> None:
    """Put what belongs to no step, the start of the pass, into the last step."""
    for node in made.nodes:
        if last is not None and node.step is None and node.role != "param":
            node.put(step=last)


def _live(graph: Graph) -> set[int]:
    reached = {node.id for node in graph.nodes if node.grad is not None}
    if reached:
        return reached
    live = {node.id for node in graph.nodes if node.role == "param"}
    for node in graph.nodes:
        if any(p in live for p in node.parents):
            live.add(node.id)
    return live


def _leads_on(graph: Graph, node: GraphNode, live: set[int]) -> bool:
    """Return whether a live node is computed further; the last one starts the pass."""
    return node.op is None


def _gradient_of(
    graph: Graph, made: Graph, node: GraphNode, uses: list[tuple[int, int]], number: dict[int, int]
) -> None:
    """Add the contributions to one node's gradient, and their sum when there are several."""
    parts = []
    for child, slot in uses:
        several = graph.nodes[child].op == "sum" and len(graph.nodes[child].parents) > 1
        text = "ĝ" if several else _rule(graph.nodes[child], slot)
        part = _add(made, graph.nodes[child], text, (number[child],))
        norm = graph.edge_grad(child, slot)
        made.nodes[part].grad = None if norm is None else {"norm": norm}
        if norm is not None:
            made.edge_grads[f"{part}:0"] = norm
        parts.append(part)
    name = "∂L/∂" + labels.caption(node) if node.name else None
    if len(parts) == 1:
        last = made.nodes[parts[0]]
        last.name, number[node.id] = name, parts[0]
        last.place = node.place if node.op else last.place
        last.role = "param" if node.role == "param" else last.role
        return
    whole = _add(made, node, "+" if parts else "1", tuple(parts), name)
    for slot, part in enumerate(parts):
        norm = made.nodes[part].grad_norm
        if norm is not None:
            made.edge_grads[f"{whole}:{slot}"] = norm
    made.nodes[whole].grad = node.grad
    made.nodes[whole].role = "loss" if not parts else node.role if node.role == "param" else "op"
    number[node.id] = whole


def _rule(node: GraphNode, slot: int) -> str:
    """Return a rule in the letters a, b, … of the inputs, with the numbers that are known."""
    beside = labels.operands(node)
    inputs = tuple(beside.get(k, "abcde"[min(k, 4)]) for k in range(len(node.parents)))
    return rule(node.op, min(slot, 4), "y", inputs)


def _add(
    made: Graph, like: GraphNode, text: str, parents: tuple[int, ...], name: str | None = None
) -> int:
    made.nodes.append(
        GraphNode(
            len(made.nodes), text, parents, like.shape, like.dtype, name, "op", dict(like.labels),
            like.path, place=like.place,
        )
    )  # fmt: skip
    return len(made.nodes) - 1
