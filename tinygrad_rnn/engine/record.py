"""Look on while a graph grows or is walked back: traces, hooks, NaN watch; for `backward`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, final

import numpy as np

from .accumulate import DELAYED
from .arrays import Array
from .context import MODE, Mode, mode
from .errors import line_of_user, watch
from .node import NO_PARAMS, Node
from .tensor import Tensor, leaf_of, wrap


class BackwardRecord:
    """Hold what one backward pass carried: in `nodes` the sum at each node, in `edges` its shares.

    With "norm" an entry is a Euclidean norm, with "full" the array; an edge without gradient has
    None. `order` lists the nodes as they were processed.
    """

    def __init__(self, record: str):
        if record not in ("norm", "full"):
            raise ValueError(f"record must be 'norm' or 'full', not {record!r}")
        self.full = record == "full"
        self.order: list[Node] = []
        self.nodes: dict[Node, Any] = {}
        self.edges: dict[Node, tuple] = {}

    def reach(self, node: Node, g: Any) -> None:
        """Write down what met at a node."""
        self.order.append(node)
        self.nodes[node] = self._kept(g)
        self.edges[node] = (None,) * len(node.parents)

    def cross(self, node: Node, k: int, share: Any) -> None:
        """Record the gradient that a node sent to its k-th input."""
        edges = self.edges[node]
        self.edges[node] = (*edges[:k], self._kept(share), *edges[k + 1 :])

    def _kept(self, g: Any) -> Any:
        array = g._array if isinstance(g, Tensor) else g
        return array if self.full else float((array.astype(np.float64) ** 2).sum()) ** 0.5


@final
class Watch:
    """Look at all that a pass carries: record it, and in anomaly mode tell where a NaN began."""

    def __init__(self, record: BackwardRecord | None):
        self.record, self.anomaly = record, MODE.get().anomaly

    def node(self, node: Node, g: Any) -> None:
        """See what met at a node."""
        if self.record is not None:
            self.record.reach(node, g)

    def share(self, node: Node, k: int, share: Any) -> Any:
        """See the share that a node sends to its k-th input, and pass it on multiplied out."""
        share = share.dense() if type(share) in DELAYED else share
        if self.anomaly and node.op is not None:
            watch(node.op.name, str(node.scope or ""), getattr(share, "_array", share),
                  node.where or "?", f"gradient (of input {k})")  # fmt: skip
        if self.record is not None:
            self.record.cross(node, k, share)
        return share


def arrived(g: Any, node: Node, final: bool, watch: Watch | None) -> Any:
    """Return all of what arrived at a node: multiplied out, through its hooks, in its dtype.

    A delayed sum stays delayed where the node's own rules take it as it is.
    """
    waits = type(g) in DELAYED
    passes = node.op is not None and type(g) is node.op.postpones
    if waits and (final or watch or node.hooks or not passes):
        g = g.dense()
    g = g.astype(node.dtype) if g.dtype != node.dtype else g
    if node.hooks:
        g = hooked(node, g)
    if watch:
        watch.node(node, g)
    return g


def hooked(node: Node, g: Any) -> Any:
    """Return the gradient after the user's hooks, each of which may replace it."""
    for hook in list(node.hooks.values()):
        given = g if isinstance(g, Tensor) else wrap(np.asarray(g) if np.isscalar(g) else g, None)
        with mode(grad=isinstance(g, Tensor)):
            new = hook(given)
        if new is not None:
            if not isinstance(new, Tensor):
                raise TypeError(f"hook: expected a Tensor or None, got {type(new).__name__}")
            if new.shape != node.shape:
                raise ValueError(f"hook: returned shape {new.shape} for a gradient {node.shape}")
            new = new.astype(node.dtype)
            g = new if isinstance(g, Tensor) else new._array
    return g


# While a graph grows
def trace_node(mode: Mode, node: Node, inputs: Sequence[Any], arrays: list, y: Array) -> None:
    """Hand a node just made to tracing and to anomaly mode."""
    node.inputs = tuple(arrays)
    if mode.nodes is not None:
        trace_leaves(inputs, mode.nodes)
        node.value = y
        mode.nodes.add(node)
    if mode.anomaly and node.op is not None:
        node.where = line_of_user()
        watch(node.op.name, str(node.scope or ""), y, node.where, given=node.inputs or ())


def trace_leaves(inputs: Iterable[Any], nodes: Any) -> None:
    """Add the inputs that were made outside to a trace the first time they are used in it."""
    for x in inputs:
        if isinstance(x, Tensor) and leaf_of(x) not in nodes.seen:
            leaf_of(x).value = x._array
            nodes.add(leaf_of(x))


# Inputs that are constants, which no node stands for
def told(a: Any) -> Any:
    """Return what a node keeps of a constant that no rule reads: a picture tells a number, for
    1 − x is not −x; of more, rules see the shape and the dtype."""
    lone = isinstance(a, (int, float)) or getattr(a, "size", 0) == 1 or not hasattr(a, "shape")
    return a if lone else Node(None, (), (None,), NO_PARAMS, a.shape, a.dtype, False)


def lone_numbers(node: Node) -> dict[int, Any]:
    """Return the numbers among a node's inputs, by slot, as far as they are known."""
    given = node.inputs or (node.saved or ())[1:]
    kept = (node.special or {}).get("numbers")
    return kept or {
        k: a
        for k, (a, p) in enumerate(zip(given, node.parents))
        if p is None and (isinstance(a, (int, float)) or getattr(a, "size", 0) == 1)
    }


def numbers_alone(node: Node) -> Any:
    """Return None for what a freed node saved, and let it keep the numbers that a picture tells."""
    node.special = {**(node.special or {}), "numbers": lone_numbers(node)}
    return None
