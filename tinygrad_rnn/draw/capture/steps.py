"""Which time step a node belongs to, also where nobody said so.

Scopes say it for the library's cells. Without scopes: the k-th use of a shared parameter marks
step k, a step is inherited by what is computed from it, and a leaf joins the step of its first
user. Nodes that only serve one step join it, so x[t] stands below the step that reads it.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from ..graph import Graph, GraphNode

PHASES = ("encoder", "decoder")
Moment = tuple[str, int | None]


def assign_steps(graph: Graph) -> Graph:
    """Return the graph, changed in place, with a `step` label wherever one is known."""
    _name_phases(graph)
    if not graph.steps():
        infer_steps(graph)
    else:
        _number_from_one(graph)
    _free_shared(graph)
    _join_users(graph)
    _join_makers(graph)
    return graph


def _name_phases(graph: Graph) -> None:
    """Let the steps of an encoder and of a decoder count apart, where scopes have these names."""
    for node in graph.nodes:
        found = next((part for part in node.path if part.lower() in PHASES), None)
        if found and node.place.phase is None and node.role != "param":
            node.put(phase=found.lower())


def infer_steps(graph: Graph) -> None:
    """Label all nodes with the step that the uses of shared parameters tell; none, none."""
    marks = _marks(graph)
    if not marks:
        return
    known = _leaf_steps(graph, marks)
    for node in graph.nodes:
        found = [known[p] for p in node.parents if p in known]
        found += [marks[node.id]] if node.id in marks else []
        if found and node.op is not None:
            known[node.id] = max(found)
    for node in graph.nodes:
        if node.id in known:
            node.put(step=known[node.id])


def _leaf_steps(graph: Graph, marks: dict[int, int]) -> dict[int, int]:
    """Return the step of each leaf: that of its first descendant that uses a parameter."""
    first: dict[int, int] = {}
    for node in reversed(graph.nodes):
        if node.id in marks:
            first[node.id] = marks[node.id]
        if node.id in first:
            for parent in node.parents:
                if parent is not None:
                    first[parent] = min(first[node.id], first.get(parent, first[node.id]))
    leaves = (n.id for n in graph.nodes if n.op is None and n.role not in ("param", "const"))
    return {i: first[i] for i in leaves if i in first}


def _marks(graph: Graph) -> dict[int, int]:
    """Return, per node that uses a shared parameter, which use of it this is."""
    uses = {
        node.id: [child for child, _ in users]
        for node, users in zip(graph.nodes, graph.children(), strict=True)
        if node.role == "param" and len(users) > 1
    }
    if not uses:
        return {}
    # a parameter of another count (an embedding, an output layer) would number other things
    times = Counter(len(users) for users in uses.values())
    usual = max(times, key=lambda count: (times[count], count))
    return {
        child: k
        for users in uses.values()
        if len(users) == usual
        for k, child in enumerate(users, start=1)
    }


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
