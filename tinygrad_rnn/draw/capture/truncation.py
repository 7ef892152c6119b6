"""Cut back-propagation after k steps in a recorded graph, without a new run, for `player.page`.

Detaching the state changes no value, only what flows back. So the recorded nodes are copied with
the cut parents left out, and the engine's own `pull` runs over the copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...engine.arrays import is_array, library_of
from ...engine.backward import BackwardRecord, pull, reachable
from ...engine.node import Node
from ..graph import Graph, GraphNode

EVERY = (1, 2, 4, 8)


@dataclass(slots=True)
class Cut:
    """Gradients with the state detached every `k` steps: norms per node, per edge "child:slot"."""

    k: int
    nodes: dict[int, float]
    edges: dict[str, float]
    detached: list[str]
    cosines: dict[int, float] = field(default_factory=dict)  # per parameter, with the full gradient


def truncations(
    graph: Graph, nodes: Sequence[Node], root: Node, every: Iterable[int] = EVERY
) -> list[Cut]:
    """Return what truncated BPTT gives for each number of steps; `nodes[i]` made `graph.nodes[i]`.

    The steps are counted back from the last, so its loss sees exactly k steps. Empty when there
    is nothing to cut or when the graph was freed.
    """
    steps = graph.steps()
    freed = any(node.op is not None and node.needs and node.saved is None for node in nodes)
    if freed or len(steps) < 2 or not root.needs:
        return []
    full = _pulled(nodes, root, set())[1]
    made = []
    for k in every:
        edges = [edge for edge in state_edges(graph) if _is_cut(graph, edge, steps, k)]
        if k < len(steps) and edges:
            made.append(_cut(k, graph, nodes, root, edges, full))
    return made


def state_edges(graph: Graph) -> list[tuple[int, int]]:
    """Return the edges (child, slot) that carry an array from a step to its neighbour."""
    return [
        (child.id, slot)
        for parent, slot, child in graph.edges()
        if parent.op is not None and parent.shape and _neighbours(parent, child)
    ]


def _neighbours(parent: GraphNode, child: GraphNode) -> bool:
    if parent.step is None or child.step is None:
        return False
    return abs(parent.step - child.step) == 1


def _is_cut(graph: Graph, edge: tuple[int, int], steps: Sequence[int], k: int) -> bool:
    """Tell whether an edge crosses a boundary that lies a multiple of k steps from the end."""
    child = graph.nodes[edge[0]]
    parent = graph.nodes[child.parents[edge[1]]]  # type: ignore[index]
    there, here = parent.step or 0, child.step or 0
    done = steps[-1] - there if there < here else there - steps[0]
    return done % k == 0


def _cut(
    k: int,
    graph: Graph,
    nodes: Sequence[Node],
    root: Node,
    edges: Sequence[tuple[int, int]],
    full: dict[int, Any],
) -> Cut:
    flow, found = _pulled(nodes, root, set(edges))
    made = Cut(k, {}, {}, [f"{child}:{slot}" for child, slot in edges])
    for i, (g, shares) in flow.items():
        made.nodes[i] = g
        for slot, share in enumerate(shares):
            if share is not None:
                made.edges[f"{i}:{slot}"] = share
    made.cosines = {i: cosine(found[i], g) for i, g in full.items() if i in found}
    return made


def _pulled(
    nodes: Sequence[Node], root: Node, cut: set[tuple[int, int]]
) -> tuple[dict[int, tuple[float, tuple]], dict[int, Any]]:
    """Return (norm, norms per edge) per node, and the gradients of the leaves, with edges cut."""
    twins: dict[Node, Node] = {}
    for i, node in enumerate(nodes):
        parents = tuple(
            None if parent is None or (i, slot) in cut else twins[parent]
            for slot, parent in enumerate(node.parents)
        )
        twins[node] = Node(
            node.op, parents, node.saved, node.params, node.shape, node.dtype, node.needs
        )
    number = {twin: i for i, twin in enumerate(twins.values())}
    flow, start = BackwardRecord("norm"), twins[root]
    saved = (a for node in nodes for a in node.saved or () if is_array(a))
    ones = library_of(next(saved, np.empty(0))).xp.ones(root.shape, root.dtype)
    ends = {twin for twin in number if twin.op is None and twin.needs}
    found = pull({start: ones}, reachable([start]), ends, record=flow)
    norms = {number[twin]: (g, flow.edges[twin]) for twin, g in flow.nodes.items()}
    return norms, {number[twin]: g for twin, g in found.items()}


def cosine(a: Any, b: Any) -> float:
    """Return the cosine of the angle between two arrays; 0 when one of them is zero."""
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / size if size else 0.0
