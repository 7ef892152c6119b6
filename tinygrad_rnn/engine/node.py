"""Keep how one value was made: parents, operation, saved arrays; `tensor` and `backward` use it.

Nodes point to the nodes of their inputs, never to Tensors, so there are no cycles, and an array
that no gradient rule will read is freed as soon as the last Tensor holding it is gone.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from .context import SCOPE, enclosing
from .freeing import Knot

if TYPE_CHECKING:
    from .primitive import Primitive

age = itertools.count().__next__  # a creation number, larger than any before
NO_PARAMS: dict[str, Any] = {}  # one for all nodes that have none; never written to


class Node:
    """Tell how one value was made. `parents` has an entry per input: its Node, or None for a
    constant.

    `saved` is `(y, *inputs)` with only those arrays in it that a gradient rule reads; for the
    others the parent's Node stands in, which has the same shape, dtype and ndim. Creation order
    (`index`) is a topological order: a parent is always older than its child. What few nodes have
    (a name, a gradient, hooks, …) is in `special`, so that the others do not pay for it.
    """

    __slots__ = tuple("dtype index needs op params parents saved scope shape special".split())

    op: Primitive | None
    parents: tuple[Node | None, ...]
    saved: tuple | None
    params: dict[str, Any]
    shape: tuple[int, ...]
    dtype: np.dtype
    needs: bool
    special: dict[str, Any] | None

    def __init__(self, op, parents, saved, params, shape, dtype, needs):  # type: ignore[no-untyped-def]
        self.op, self.parents, self.saved = op, parents, saved
        self.params, self.needs, self.special = params, needs, None
        self.shape, self.dtype, self.scope = shape, dtype, SCOPE.get()
        self.index = index = age()
        if index >= next_knot:
            tie(self)

    def _rare(key: str) -> Any:  # type: ignore[misc]
        def put(self: Node, value: Any) -> None:
            self.special = {**(self.special or {}), key: value}

        return property(lambda self: self.special.get(key) if self.special else None, put)

    grad = _rare("grad")  # of a leaf, or where retain_grad() was called
    hooks = _rare("hooks")
    retains = _rare("retains")
    name = _rare("name")
    parameter = _rare("parameter")  # of a leaf that modules are to count among their own
    value = _rare("value")  # the array, when traced
    inputs = _rare("inputs")  # the arrays it was computed from, when traced
    record = _rare("record")  # what backward(record=…) saw
    where = _rare("where")  # the user's line, within detect_anomaly()

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def labels(self) -> dict[str, Any]:
        """Return all labels of the scopes around this node, inner ones winning."""
        return {k: v for s in enclosing(self.scope) for k, v in s.labels.items()}

    @property
    def path(self) -> tuple[str, ...]:
        """Return the names of the scopes around this node, outermost first."""
        return tuple(s.name for s in enclosing(self.scope) if s.name)

    def __repr__(self) -> str:
        what = self.op.name if self.op else "leaf"
        return f"<Node {self.index} {what} {self.name or ''}{list(self.shape)}>"


next_knot = chance = 0


def tie(node: Node) -> None:
    """Give the node a knot and draw the index of the next, some 32 on.

    They fall by chance, so that no program's period steps over them: a chain of a million nodes
    then nests some 300 deep.
    """
    global next_knot, chance
    chance = (chance * 1_103_515_245 + 12_345) % 2**31
    next_knot = node.index + 1 + (chance >> 16) % 64
    node.special = {"knot": Knot(node.parents)}


def toposort(*roots: Node) -> list[Node]:
    """Return every node the roots were made from, parents before children."""
    seen, stack = set(roots), list(roots)
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=lambda node: node.index)
