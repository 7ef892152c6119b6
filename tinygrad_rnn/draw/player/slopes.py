"""The local slope of each input as numbers: upstream × local = contribution, entry by entry.

The engine's own rule computes it, from the sampled values and an upstream gradient of 1.
"""

from __future__ import annotations

import numpy as np

from ...engine.primitive import PRIMITIVES, Primitive
from ..graph import Graph, GraphNode

SHOWN = 4  # entries that the panel has rows for


def slopes(graph: Graph, node: GraphNode) -> list[list[float]]:
    """Return the first slopes of each input; none where the rule is not element-wise.

    >>> x = GraphNode(0, value={"sample": [2.0, 3.0]})
    >>> y = GraphNode(1, "mul", (0, None), value={"sample": [8.0, 12.0]}, numbers={1: 4.0})
    >>> slopes(Graph([x, y]), y)
    [[4.0, 4.0], []]
    """
    none: list[list[float]] = [[] for _ in node.parents]
    op, y = PRIMITIVES.get(node.op or ""), _sample(node)
    inputs = [_input(graph, node, slot) for slot in range(len(node.parents))]
    if op is None or not y.size or any(x is None for x in inputs):
        return none
    if not _is_elementwise(op, y, inputs):
        return none
    found = [_slope(op, slot, y, inputs) for slot in range(len(inputs))]
    return [one if p is not None else [] for one, p in zip(found, node.parents, strict=True)]


def _slope(op: Primitive, slot: int, y: np.ndarray, inputs: list) -> list[float]:
    with np.errstate(all="ignore"):
        share = op.rules[slot](np.ones_like(y), y, *inputs)
    return [] if share is None else np.broadcast_to(share, y.shape)[:SHOWN].tolist()


def _is_elementwise(op: Primitive, y: np.ndarray, inputs: list) -> bool:
    """True if the operation, without its options, makes the sampled result of the samples."""
    if not isinstance(op.rules, tuple) or len(op.rules) != len(inputs):
        return False
    try:
        with np.errstate(all="ignore"):
            again = op.compute(*inputs)
    except (TypeError, ValueError):
        return False
    same = np.shape(again) == y.shape
    return same and np.allclose(again, y, rtol=1e-3, atol=1e-5, equal_nan=True)


def _input(graph: Graph, node: GraphNode, slot: int) -> np.ndarray | float | None:
    """Return the sampled values of an input of the node's own shape, or the number it is."""
    parent = node.parents[slot]
    if parent is None:
        return node.numbers.get(slot)
    below = graph.nodes[parent]
    return _sample(below) if below.shape == node.shape and _sample(below).size else None


def _sample(node: GraphNode) -> np.ndarray:
    return np.array((node.value or {}).get("sample") or [], float)
