"""Match two graphs and mark additions, losses and changes, for `overlays`.

Nodes made alike of equal nodes are the same. The other nodes are matched by where they stand
(scopes and step), their role and operation, and their rank among such nodes; so two variants of a
cell line up without any annotation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable
from dataclasses import replace

from ..graph import Graph, GraphNode, topological_order
from .columns import masked


def union(a: Graph, b: Graph) -> tuple[Graph, dict[int, str]]:
    """Return both graphs in one, and node id → a, b, changed or first for what is not the same.

    `first` is the first node whose value differs, where its structure does not.
    """
    at_b = _matched(a, b)
    extra = [i for i in range(len(b.nodes)) if i not in at_b]
    at_b |= {i: len(a.nodes) + number for number, i in enumerate(extra)}
    rows: list[tuple[GraphNode, list[int | None]]] = [(n, list(n.parents)) for n in a.nodes]
    rows += [(b.nodes[i], []) for i in extra]
    marks = _compare(a, b, at_b, rows)
    return _sorted(f"{a.title} ◧ and {b.title} ◨", rows, marks, _ages(a, b, at_b))


def _ages(a: Graph, b: Graph, at_b: dict[int, int]) -> list[tuple[int, int]]:
    """Return the age of each node: that in A, or of what stands before it in B; leaves are old.

    A leaf is as old as its first use, which may come sooner in B.
    """
    ages, latest = [(node.id if node.op else -1, -1) for node in a.nodes], -1
    for node in b.nodes:
        spot = at_b[node.id]
        if spot >= len(a.nodes):
            ages.append((latest if node.op else -1, node.id))
        elif node.op:
            latest = spot
    return ages


def _matched(a: Graph, b: Graph) -> dict[int, int]:
    """Return node of the second graph → node of the first that stands for the same."""
    found: dict[int, int] = {}
    known: dict[Hashable, int] = {}  # a number for each structure, the same in both graphs
    for keys_of in (lambda graph, left: _structures(graph, known), _places):
        spots: dict[Hashable, list[int]] = {}
        for i, key in keys_of(a, set(range(len(a.nodes))) - set(found.values())).items():
            spots.setdefault(key, []).append(i)
        taken = set(found.values())
        for i, key in keys_of(b, set(range(len(b.nodes))) - set(found)).items():
            free = [spot for spot in spots.get(key, ()) if spot not in taken]
            if i not in found and free:
                found[i] = free[0]
                taken.add(free[0])
    return found


def _structures(graph: Graph, known: dict[Hashable, int]) -> dict[int, Hashable]:
    """Return what each node is made of, as a number: equal numbers are made alike of equals."""
    made: dict[int, Hashable] = {}
    for i, node in enumerate(graph.nodes):
        parents = tuple(None if p is None else made[p] for p in node.parents)
        key = (node.op, node.role, node.name, _scope(node), parents, _own(node))
        made[i] = known.setdefault(key, len(known))
    return made


def _places(graph: Graph, left: set[int]) -> dict[int, Hashable]:
    """Return scopes, step, role, operation, name and a running number of the nodes `left`."""
    counts: Counter[Hashable] = Counter()
    keys: dict[int, Hashable] = {}
    for i in sorted(left):
        node = graph.nodes[i]
        key = (_scope(node), node.role if not node.op else "op", node.op, masked(node.name))
        keys[i] = (key, counts[key])
        counts[key] += 1
    return keys


def _scope(node: GraphNode) -> Hashable:
    return tuple(sorted((k, str(v)) for k, v in node.scopes.items() if k != "cell"))


def _own(node: GraphNode) -> Hashable:
    """Return what a node is by itself, apart from its place and what it is made of."""
    return (node.shape, *node.numbers.items(), *node.options.items())


def _compare(
    a: Graph, b: Graph, at_b: dict[int, int], rows: list[tuple[GraphNode, list[int | None]]]
) -> dict[int, str]:
    """Return the marks, and add the parents that only the second graph has to `rows`."""
    seen = {at_b[i] for i in range(len(b.nodes))}
    marks = {i: "a" for i in range(len(a.nodes)) if i not in seen}
    for i, node in enumerate(b.nodes):
        spot = at_b[i]
        parents = [None if p is None else at_b[p] for p in node.parents]
        if spot >= len(a.nodes):
            marks[spot] = "b"
            rows[spot][1].extend(parents)
            continue
        same = a.nodes[spot]
        moved = sorted(map(str, parents)) != sorted(map(str, same.parents))
        if moved or _own(node) != _own(same):
            marks[spot] = "changed"
        rows[spot][1].extend(p for p in parents if p not in rows[spot][1])
    pairs = ((at_b[i], node) for i, node in enumerate(b.nodes) if at_b[i] < len(a.nodes))
    first = next((spot for spot, node in pairs if _differs(a.nodes[spot], node)), None)
    return marks if first is None else {first: "first"} | marks


def _differs(a: GraphNode, b: GraphNode) -> bool:
    """Return whether the values of two nodes are known and not the same."""
    one, other = a.value or {}, b.value or {}
    if "norm" not in one or "norm" not in other or a.shape != b.shape:
        return False
    keys = [key for key in ("norm", "min", "max", "mean") if key in one and key in other]
    pairs = [(one[key], other[key]) for key in keys]
    pairs += zip(one.get("sample", ()), other.get("sample", ()), strict=False)
    return not all(math.isclose(x, y, rel_tol=1e-5, abs_tol=1e-9) or x != x and y != y
                   for x, y in pairs)  # fmt: skip


def _sorted(
    title: str,
    rows: list[tuple[GraphNode, list[int | None]]],
    marks: dict[int, str],
    ages: list[tuple[int, int]],
) -> tuple[Graph, dict[int, str]]:
    """Return the union in topological order, by age, so that alike steps are ordered alike.

    An edge that would close a cycle is left out.
    """
    edges = [(p, i) for i, (_, parents) in enumerate(rows) for p in parents if p is not None]
    order = topological_order(dict(enumerate(ages)), edges)
    order += sorted(set(range(len(rows))) - set(order))
    number = {i: k for k, i in enumerate(order)}
    made = Graph(title=title)
    for k, i in enumerate(order):
        node, parents = rows[i]
        kept = tuple(number[p] for p in parents if p is not None and number[p] < k)
        made.nodes.append(replace(node.moved(k, kept), value=None, grad=None, lines=()))
    return made.validate(), {number[i]: mark for i, mark in marks.items()}
