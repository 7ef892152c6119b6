"""Make results that share their input's memory; `shapes` and `indexing` call it.

The view operations of `shapes` and `indexing` go through here. What a graph records is a value, not
a view: it keeps the numbers that it was given, and refuses to be written (see `in_place`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..engine.context import MODE
from ..engine.primitive import PRIMITIVES, Primitive, apply_primitive, failed
from ..engine.shared_memory import alias
from ..engine.tensor import Tensor, bare

GETITEM = PRIMITIVES["getitem"]


def viewed(x: Tensor, primitive: Any, **params: Any) -> Tensor:
    """Return the result of a primitive that computes a view of `x`, joined to the memory of `x`."""
    return look(x, primitive.op, params)


def look(x: Tensor, op: Primitive, params: dict[str, Any]) -> Tensor:
    """Return the view of `x` that `op` computes, joined to the memory of `x`; what a graph records
    is a value.

    Where nothing is recorded only the array is made, for such looks are many and cheap.
    """
    mode, node = MODE.get(), x.node
    if not mode.plain or node is not None and node.needs and mode.grad:
        y = apply_primitive(op, (x,), params)
        if y.node is not None and y.node.needs:
            y._way = None  # it is a view, though of numbers that stay what they are
            return y
    else:
        try:
            array = op.compute(x._array, **params)
        except Exception as error:
            raise failed(op, (x,), params, error) from error
        y = bare(Tensor)
        y._array = np.asarray(array) if isinstance(array, np.generic) else array
        y.node = None
    return alias(y, x, op.compute, params)


def pieces(x: Tensor, indices: Iterable[tuple]) -> tuple[Tensor, ...]:
    """Return the views `x[index]` of `x`."""
    return tuple([look(x, GETITEM, {"index": index}) for index in indices])


def shown(x: Tensor, y: Tensor, show: Callable, **params: Any) -> Tensor:
    """Return `y`, which copied numbers of `x`, as the view `show(x, **params)` of these."""
    if y.node is None or not y.node.needs:
        y._array = show(x._array, **params)
        return alias(y, x, show, params)
    y._way = None
    return y
