"""Compute upstream × local = contribution for each input of a node, for `player.data`.

The engine's own rule computes it, from the sampled values and an upstream gradient of 1.
"""

from __future__ import annotations

import math
from typing import Any

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
    inputs: list[Any] = [_input(graph, node, slot) for slot in range(len(node.parents))]
    if op is None or not y.size or any(x is None for x in inputs):
        return none
    try:
        with np.errstate(all="ignore"):
            inputs = op.casts(inputs) if op.casts else inputs
            if not _is_elementwise(op, y, inputs):
                return none
            shares = [op.rules[slot](np.ones_like(y), y, *inputs) for slot in range(len(inputs))]
    except (TypeError, ValueError):  # the operation has options, or looks at whole axes
        return none
    known = (p is not None and s is not None for p, s in zip(node.parents, shares, strict=True))
    return [
        np.broadcast_to(share, y.shape)[:SHOWN].tolist() if told else []
        for share, told in zip(shares, known, strict=True)
    ]


def _is_elementwise(op: Primitive, y: np.ndarray, inputs: list[Any]) -> bool:
    """Tell whether the operation makes the sampled result of the samples, without options."""
    if not isinstance(op.rules, tuple) or len(op.rules) != len(inputs):
        return False
    again = op.compute(*inputs)
    same = np.shape(again) == y.shape
    return same and np.allclose(again, y, rtol=1e-3, atol=1e-5, equal_nan=True)


def _input(graph: Graph, node: GraphNode, slot: int) -> np.ndarray | float | None:
    """Return the sampled values of an input as large as the node, or the number it is."""
    parent = node.parents[slot]
    if parent is None:
        return node.numbers.get(slot)
    below = graph.nodes[parent]
    as_large = math.prod(below.shape) == math.prod(node.shape)
    return _sample(below) if as_large and _sample(below).size else None


def _sample(node: GraphNode) -> np.ndarray:
    return np.array((node.value or {}).get("sample") or [], float)
