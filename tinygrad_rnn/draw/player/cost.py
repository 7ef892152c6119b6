"""Count the arithmetic of a node, whatever the machine, for `player.data`."""

from __future__ import annotations

import math

from ..graph import Graph, GraphNode

MOVES = frozenset(
    "transpose getitem concatenate reshape broadcast_to stack astype detach copy flip".split()
)


def cost(graph: Graph, node: GraphNode) -> int:
    """Return the additions, multiplications and function values that a node takes.

    >>> x, w = GraphNode(0, shape=(2, 3)), GraphNode(1, shape=(3, 4))
    >>> made = GraphNode(2, "matmul", (0, 1), (2, 4))
    >>> cost(Graph([x, w, made]), made)
    48
    """
    if node.op is None or node.op in MOVES:
        return 0
    below = [graph.nodes[p].shape for p in node.parents if p is not None]
    size = math.prod(node.shape)
    if node.op == "matmul" and below:
        return 2 * size * (below[0][-1] if below[0] else 1)
    if len(below) > 2:  # a folded chain of additions
        return size * (len(below) - 1)
    return max([size, *map(math.prod, below)])  # what a reduction reads counts
