"""What looks on during a backward pass: the record of what it carried, NaN watch and hooks."""

from __future__ import annotations

from typing import Any

import numpy as np

from .accumulate import POSTPONED
from .context import MODE
from .errors import watch
from .node import Node
from .tensor import Tensor, wrap


class Flow:
    """What one backward pass carried: `nodes` what met at each node, `edges` what each edge sent.

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
        self.order.append(node)
        self.nodes[node] = self._kept(g)
        self.edges[node] = (None,) * len(node.parents)

    def cross(self, node: Node, k: int, share: Any) -> None:
        edges = self.edges[node]
        self.edges[node] = (*edges[:k], self._kept(share), *edges[k + 1 :])

    def _kept(self, g: Any) -> Any:
        array = g._array if isinstance(g, Tensor) else g
        return array if self.full else float((array.astype(np.float64) ** 2).sum()) ** 0.5


def observed(share: Any, node: Node, k: int, flow: Flow | None) -> Any:
    """`share`, multiplied out, after flow and anomaly mode have looked at it."""
    share = share.dense() if type(share) in POSTPONED else share
    if MODE.get().anomaly:
        place = str(node.scope or "")
        watch(node.op.name, place, getattr(share, "_array", share), node.where or "?",  # type: ignore[union-attr]
              f"gradient (of input {k})")  # fmt: skip
    if flow is not None:
        flow.cross(node, k, share)
    return share


def hooked(node: Node, g: Any) -> Any:
    """The gradient after the user's hooks, each of which may replace it."""
    for hook in list(node.hooks.values()):
        given = g if isinstance(g, Tensor) else wrap(np.asarray(g) if np.isscalar(g) else g, None)
        new = hook(given)
        if new is not None:
            if not isinstance(new, Tensor):
                raise TypeError(f"hook: expected a Tensor or None, got {type(new).__name__}")
            if new.shape != node.shape:
                raise ValueError(f"hook: returned shape {new.shape} for a gradient {node.shape}")
            new = new.astype(node.dtype)
            g = new if isinstance(g, Tensor) else new._array
    return g
