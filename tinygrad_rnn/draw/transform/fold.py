"""Fold groups of nodes into one node each, by label or pattern, for `views` and `drawing`.

A folded graph is a graph again, so all views and renderers work on it. A group that a path
leaves and enters again cannot be one node without a cycle; it stays unfolded and a note says so.
Gradients of merged edges add as vectors whose angle is not kept, so the norm shown for several
edges from one source is the root of the sum of squares; for a single edge it is exact.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import takewhile
from types import MappingProxyType
from typing import Any, TypeVar

from ..graph import Graph, GraphNode, Place, topological_order
from ..labels import sign_of
from .convex import convex

LINEAR = {
    "matmul",
    "transpose",
    "add",
    "getitem",
    "concatenate",
    "reshape",
    "broadcast_to",
    "stack",
}
T = TypeVar("T")
Names = Mapping[Hashable, str]
NOTHING: frozenset[int] = frozenset()


def fold(graph: Graph, groups: dict[int, Hashable], names: Names = MappingProxyType({})) -> Graph:
    """Return the graph with each group of node ids merged into one node.

    A node is called by what its group is called in `names`, else by the number of its operations.
    """
    links = [(parent.id, child.id) for parent, _, child in graph.edges()]
    sound = convex({node.id: groups.get(node.id) for node in graph.nodes}, links)
    home: dict[int, Hashable] = {
        n.id: groups[n.id] if groups.get(n.id) in sound else n.id for n in graph.nodes
    }
    folded = _merge(graph, home, names)
    left = set(groups.values()) - sound - {None}
    if left:
        folded.notes.append(f"{len(left)} groups stay unfolded: they are entered twice")
    return folded


def _merge(graph: Graph, home: dict[int, Hashable], names: Names = MappingProxyType({})) -> Graph:
    members: dict[Hashable, list[int]] = defaultdict(list)
    for node in graph.nodes:
        members[home[node.id]].append(node.id)
    order = _order(graph, home, members)
    number = {group: i for i, group in enumerate(order)}
    made = Graph(title=graph.title, notes=list(graph.notes), code=graph.code)
    place = {i: number[group] for i, group in home.items()}
    for group in order:
        made.nodes.append(_merged(graph, members[group], place, made, names.get(group)))
    heads = {ids[0] for ids in members.values() if _is_leaf(graph, ids)}
    late = (i for i in graph.order if members[home[i]][0] not in heads or i in heads)
    seen: dict[int, None] = dict.fromkeys(place[i] for i in late)  # a leaf waits for all its uses
    made.order = list(seen)
    inner = graph.members or [[i] for i in range(len(graph))]  # a fold of a fold tells all
    made.members = [[j for i in members[group] for j in inner[i]] for group in order]
    made.param_uses = _moved_uses(graph, place, made)
    made.unfolded = graph
    return made


def _order(
    graph: Graph, home: dict[int, Hashable], members: dict[Hashable, list[int]]
) -> list[Hashable]:
    """Return the groups in topological order, by the age of the last member; leaves are old."""
    ages = {g: ids[0] if _is_leaf(graph, ids) else ids[-1] for g, ids in members.items()}
    homes = ((home[parent.id], home[child.id]) for parent, _, child in graph.edges())
    return topological_order(ages, [pair for pair in homes if pair[0] != pair[1]])


def unfold(graph: Graph) -> Graph:
    """Return what a graph was folded from, through all folds; itself if it is not folded."""
    while graph.unfolded is not None:
        graph = graph.unfolded
    return graph


def _is_leaf(graph: Graph, ids: list[int]) -> bool:
    """Return whether a group is a leaf, alone or with its transposes."""
    first, *others = (graph.nodes[i] for i in ids)
    return first.op is None and all(node.op == "transpose" for node in others)


def _merged(
    graph: Graph, ids: list[int], place: dict[int, int], made: Graph, op: str | None
) -> GraphNode:
    number = place[ids[0]]
    last = graph.nodes[ids[-1]]
    if len(ids) == 1:
        parents = [None if p is None else place[p] for p in last.parents]
        for slot in range(len(parents)):
            _carry(graph, made, f"{last.id}:{slot}", f"{number}:{slot}")
        return last.moved(number, tuple(parents))
    if _is_leaf(graph, ids):
        first = graph.nodes[ids[0]]
        leaf = first.moved(number, ())
        leaf.name, leaf.shape = f"{first.name or first.role}ᵀ", last.shape
        return leaf
    sources, norms = _outer(graph, ids, place, number)
    ids = [i for i in ids if graph.nodes[i].op]  # what only they read is inside, and not told
    last = graph.nodes[ids[-1]]
    for slot, norm in enumerate(norms):
        if norm is not None:
            made.edge_grads[f"{number}:{slot}"] = norm
    places = [graph.nodes[i].place for i in ids]
    place_of_all = Place(*(all_same(part) for part in zip(*places, strict=True)))
    role = "loss" if last.role == "loss" else "op"
    turns = len({graph.nodes[i].place.moment for i in ids} - {("", None)})
    op = (op or f"{len(ids)} ops") + (f" ×{turns}" if turns > 1 else "")
    return GraphNode(
        number, op, tuple(sources), last.shape, last.dtype, last.name, role,
        _common([graph.nodes[i].labels for i in ids]), last.path, last.value, last.grad,
        place_of_all, lines=tuple(dict.fromkeys(x for i in ids for x in graph.nodes[i].lines)),
        options=_numbers_in([graph.nodes[i] for i in ids]),
        calls=tuple(common_start([graph.nodes[i].calls for i in ids])),
    )  # fmt: skip


def common_start(chains: Sequence[Sequence[T]]) -> Sequence[T]:
    """Return what all sequences begin with.

    >>> common_start([(1, 2, 3), (1, 2), (1, 2, 4)])
    (1, 2)
    """
    alike = takewhile(lambda items: len(set(items)) == 1, zip(*chains, strict=False))
    return chains[0][: sum(1 for _ in alike)] if chains else ()


def _numbers_in(nodes: list[GraphNode]) -> dict[str, str]:
    """Return the operations of a group that have numbers of their own, each once."""
    known = (n.options.get("with") or (sign_of(n) if n.numbers or n.options else "") for n in nodes)
    found = dict.fromkeys(part for text in known for part in text.split(", ") if part)
    return {"with": ", ".join(found)} if found else {}


def _carry(graph: Graph, made: Graph, old: str, new: str) -> None:
    if old in graph.edge_grads:
        made.edge_grads[new] = graph.edge_grads[old]
    if old in graph.edge_samples:
        made.edge_samples[new] = graph.edge_samples[old]


def _outer(
    graph: Graph, ids: list[int], place: dict[int, int], number: int
) -> tuple[list[int], list[float | None]]:
    """Return what a group is made from, each source once, and the gradient to each."""
    norms: dict[int, float | None] = {}
    for i in ids:
        for slot, parent in enumerate(graph.nodes[i].parents):
            if parent is None or place[parent] == number:
                continue
            norm = graph.edge_grad(i, slot)
            before = norms.get(place[parent])
            norms[place[parent]] = before if norm is None else math.hypot(before or 0.0, norm)
    return list(norms), list(norms.values())


def all_same(values: tuple[Any, ...]) -> Any:
    """Return the value if all are the same, else None."""
    return values[0] if values.count(values[0]) == len(values) else None


def _common(all_labels: list[dict[str, Any]]) -> dict[str, Any]:
    first = all_labels[0]
    return {k: v for k, v in first.items() if all(other.get(k) == v for other in all_labels)}


def _moved_uses(
    graph: Graph, place: dict[int, int], made: Graph
) -> dict[int, list[dict[str, Any]]]:
    moved: dict[int, list[dict[str, Any]]] = {}
    children = graph.children()
    for param, uses in graph.param_uses.items():
        if made.nodes[place[param]].role != "param":
            continue
        moved[place[param]] = [_moved_use(made, place, param, use, children) for use in uses]
    return moved


def _moved_use(
    made: Graph, place: dict[int, int], param: int, use: dict[str, Any], children: list
) -> dict[str, Any]:
    user = use["node"]
    if place[user] == place[param] and children[user]:  # its transpose: what reads that is the use
        user = children[user][0][0]
    parents = made.nodes[place[user]].parents
    slot = parents.index(place[param]) if place[param] in parents else use["k"]
    return use | {"node": place[user], "k": slot}


def to_gates(graph: Graph, keep: frozenset[int] = NOTHING) -> Graph:
    """Return the graph with one node per gate and one for the products that gates share.

    Here and below, the nodes of `keep` stay what they are.
    """
    groups: dict[int, tuple[str, Place] | None] = {
        node.id: ("gate", node.place)
        for node in graph.nodes
        if node.place.gate is not None and node.op
    }
    children = graph.children()
    for node in reversed(graph.nodes):
        users = {groups.get(child) for child, _ in children[node.id]}
        if node.id in groups or not node.op or node.op not in LINEAR or not users:
            continue
        here = node.place.cell_place
        if None in users or node.name or {u[1].cell_place for u in users if u} != {here}:
            continue
        groups[node.id] = users.pop() if len(users) == 1 else ("affine", here)
    folded = fold(graph, _without(groups, keep))
    for node in folded.nodes:
        if (node.op or "").endswith(" ops") and node.name is None:
            node.name = "W·+b"
    return folded


def _without(groups: Mapping[int, Hashable], keep: frozenset[int]) -> dict[int, Hashable]:
    return {i: group for i, group in groups.items() if i not in keep}


def to_cells(graph: Graph, keep: frozenset[int] = NOTHING) -> Graph:
    """Return the graph with one node per cell and step, and one per step for what follows."""
    groups: dict[int, Hashable] = {}
    after: set[int] = set()
    for node in graph.nodes:
        if node.place.cell is not None and node.op:
            groups[node.id] = ("cell", node.place.cell_place)
            after.add(node.id)
        elif node.op and node.step is not None:
            late = any(p in after for p in node.parents)
            if late:
                after.add(node.id)
            groups[node.id] = ("after" if late else "before", node.place.moment)
    return fold(graph, _without(groups, keep))


def to_steps(graph: Graph, keep: frozenset[int] = NOTHING) -> Graph:
    """Return the graph with one node per time step."""
    groups: dict[int, Hashable] = {
        n.id: ("step", n.place.moment) for n in graph.nodes if n.op and n.step is not None
    }
    return fold(graph, _without(groups, keep))


def to_layers(graph: Graph, keep: frozenset[int] = NOTHING) -> Graph:
    """Return the graph with one node per layer and direction: the steps disappear."""
    groups: dict[int, Hashable] = {
        n.id: ("layer", n.place.row)
        for n in graph.nodes
        if n.op and (n.place.layer is not None or n.place.cell is not None)
    }
    return fold(graph, _without(groups, keep))


LEVELS: dict[str, Callable[..., Graph]] = {
    "gate": to_gates,
    "cell": to_cells,
    "step": to_steps,
    "layer": to_layers,
}


def fold_sums(graph: Graph) -> Graph:
    """Return the graph with each chain of additions outside of time as one Σ, and each parameter
    that is only used transposed as one chip Wᵀ."""
    groups = _sums(graph) | _transposed(graph)
    if not groups:
        return graph
    folded = _merge(graph, {n.id: groups.get(n.id, n.id) for n in graph.nodes})
    for node in folded.nodes:
        if (node.op or "").endswith(" ops"):
            node.op = "sum"
    return folded


def _sums(graph: Graph) -> dict[int, Hashable]:
    """Return the group of each addition that is part of a chain outside of time."""
    children = graph.children()
    groups: dict[int, Hashable] = {}
    for node in reversed(graph.nodes):
        if node.op != "add" or node.step is not None:
            continue
        users = [child for child, _ in children[node.id]]
        chained = len(users) == 1 and users[0] in groups
        groups[node.id] = groups[users[0]] if chained else ("sum", node.id)
    count = Counter(groups.values())
    return {i: group for i, group in groups.items() if count[group] > 1}


def _transposed(graph: Graph) -> dict[int, Hashable]:
    """Return the group of each lasting leaf, and of its transposes where it has no other use."""
    groups: dict[int, Hashable] = {}
    for leaf, uses in zip(graph.nodes, graph.children(), strict=True):
        users = [graph.nodes[child] for child, _ in uses]
        plain = leaf.op is None and leaf.step is None and leaf.role != "state"
        if plain and users and all(u.op == "transpose" and not u.name for u in users):
            groups |= dict.fromkeys([leaf.id, *(u.id for u in users)], ("transposed", leaf.id))
    return groups
