"""Make results that share their input's memory; `shapes` and `indexing` call it.

The view operations of `shapes` and `indexing` go through here. What a graph records is a value, not
a view: it keeps the numbers that it was given, and refuses to be written (see `in_place`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..engine.primitive import PRIMITIVES, apply_primitive
from ..engine.shared_memory import alias
from ..engine.tensor import Tensor

GETITEM = PRIMITIVES["getitem"]


def viewed(x: Tensor, primitive: Any, **params: Any) -> Tensor:
    """Return the result of a primitive that computes a view of `x`, joined to the memory of `x`."""
    y = apply_primitive(primitive.op, (x,), params)
    if y.node is None or not y.node.needs:
        return alias(y, x, primitive.op.compute, params)
    y._way = None  # it is a view, though of numbers that stay what they are
    return y


def pieces(x: Tensor, indices: Iterable[tuple]) -> tuple[Tensor, ...]:
    """Return the views `x[index]` of `x`, as `viewed` makes each."""
    made = []
    for index in indices:
        y = apply_primitive(GETITEM, (x,), params := {"index": index})
        if y.node is None or not y.node.needs:
            alias(y, x, GETITEM.compute, params)
        else:
            y._way = None
        made.append(y)
    return tuple(made)


def shown(x: Tensor, y: Tensor, show: Callable, **params: Any) -> Tensor:
    """Return `y`, which copied numbers of `x`, as the view `show(x, **params)` of these."""
    if y.node is None or not y.node.needs:
        y._array = show(x._array, **params)
        return alias(y, x, show, params)
    y._way = None
    return y
