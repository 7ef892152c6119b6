"""Keep only a function's inputs and run it again for its gradient; `nn.scan` calls it.

The compiler's loops are such nodes too, with a faster way to their first derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from ..engine.accumulate import SlicedGradient
from ..engine.arguments import check_arguments
from ..engine.arrays import Array
from ..engine.backward import leading_to, pull, reachable, seeds
from ..engine.context import enable_grad, is_grad_enabled, mode
from ..engine.node import Node, age
from ..engine.ops import concatenate, put
from ..engine.primitive import PRIMITIVES, Primitive, primitive
from ..engine.tensor import Tensor, leaf_of, wrap
from .random import replayable

Many = Any  # a Tensor or a tuple of Tensors


def _tuple(x: Many) -> tuple:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _like(values: tuple, given: Many) -> Many:
    return values if isinstance(given, (tuple, list)) else values[0]


# Recomputing instead of remembering
def again(func: Callable[[], Tensor], g: Any, ends: set[Node]) -> dict[Node, Any]:
    """Return what `g`, the gradient of func(), sends to those of the older nodes `ends` that it
    reaches.

    It is a graph if `g` is a Tensor. Hooks of `ends` wait for all that arrives there.
    """
    start, as_tensors = age(), isinstance(g, Tensor)
    with enable_grad():
        y = func()
    hooks = {n: n.hooks for n in ends if n.hooks}
    try:
        for n in hooks:
            n.hooks = None
        with mode(grad=as_tensors):
            adjoints = seeds([y], [g if as_tensors else wrap(g, None)], as_tensors)
            order = leading_to(ends, reachable(adjoints, start))
            return pull(adjoints, order, ends, as_tensors)
    finally:
        for n, own in hooks.items():
            n.hooks = own


class Again:
    """The rules of a node whose function runs again, with the same draws, to be differentiated.

    One run serves all inputs: the shares of the others wait until the engine asks for them.
    """

    digits = 64.0  # so many roundings of the largest entry may lie between the two runs

    def __init__(self, func: Callable[[], Many], inputs: list[Node], set_back: Callable):
        self.func, self.inputs, self.set_back = func, inputs, set_back
        self.g: Any = None
        self.shares: dict[int, Any] = {}

    def __getitem__(self, k: int) -> Callable:
        return partial(self.share, k)

    def share(self, k: int, g: Any, y: Any, *inputs: Any) -> Any:
        if self.g is not g or k not in self.shares:
            self.g, self.shares = g, dict(enumerate(self.all_shares(g, y)))
        return self.shares.pop(k)  # None: the function did not use this input

    def all_shares(self, g: Any, y: Any) -> list[Any]:
        found = again(lambda: self.run(getattr(y, "_array", y)), g, set(self.inputs))
        return [found.pop(n, None) for n in self.inputs]  # an input given twice has one share

    def run(self, y: Array) -> Tensor:
        """Return the results once more, which must be `y`."""
        set_forth = self.set_back()
        try:
            flat = packed(self.func())
        finally:
            set_forth()
        if not alike(flat._array, y, self.digits):
            raise RuntimeError(OTHERWISE)
        return flat


OTHERWISE = (
    "run again for its gradient, a function gave other values than at first: a tensor it uses was "
    "changed since, or it draws random numbers that are not from a Generator"
)


def alike(a: Array, b: Array, digits: float) -> bool:
    """Return True if two runs gave the same numbers, up to the order of sums."""
    tiny = digits * float(np.finfo(b.dtype).eps)
    scale = tiny * float(np.abs(np.where(np.isfinite(b), b, 0)).max()) if b.size else 0.0
    return bool(a.shape == b.shape and np.allclose(a, b, tiny, scale, equal_nan=True))


def packed(outputs: Many) -> Tensor:
    """Return all outputs in one vector."""
    flat = [t.reshape(-1) for t in _tuple(outputs)]
    return flat[0] if len(flat) == 1 else concatenate(*flat, axis=0)


def unpacked(flat: Tensor, shapes: Iterable[tuple[int, ...]]) -> list[Tensor]:
    """Return the vector's parts, in these shapes."""
    parts, start = [], 0
    for shape in shapes:
        parts.append(unpack(flat, start=start, shape=shape))
        start += parts[-1]._array.size
    return parts


def _one_part(g: Any, y: Any, a: Any, start: int, shape: tuple) -> Any:
    """Return the gradient of one part, not yet spread out."""
    index = (slice(start, start + math.prod(shape)),)
    if isinstance(g, Tensor):
        return put(g.reshape(-1), index=index, shape=a.shape, dtype=a.dtype)
    return SlicedGradient(g.reshape(-1), index, a)


unpack = primitive(
    "unpack", lambda a, start, shape: a[start : start + math.prod(shape)].reshape(shape), _one_part
)


def checkpoint(func: Callable, *inputs: Any) -> Many:
    """Return func(*inputs), remembering only the inputs: the backward pass runs it once more.

    Gradients also reach Tensors that `func` uses without being given them, such as weights. Dropout
    draws the same mask again. `func` returns a Tensor or a tuple of Tensors.
    """
    if not is_grad_enabled():
        return func(*inputs)
    start = age()
    with replayable() as set_back:
        outputs = func(*inputs)
    used = reachable([leaf_of(t) for t in _tuple(outputs)], start)
    outside = [n for n in used if n.index < start]
    if not outside:
        return outputs
    flat = packed(tuple(t.detach() for t in _tuple(outputs)))
    given = tuple(wrap(x._array, x.node) if isinstance(x, Tensor) else x for x in inputs)
    op = Primitive("checkpoint", func, Again(partial(func, *given), outside, set_back))
    node = Node(op, tuple(outside), (flat._array, *outside), {}, flat.shape, flat.dtype, True)
    parts = unpacked(wrap(flat._array, node), [t.shape for t in _tuple(outputs)])
    return _like(tuple(p.astype(t.dtype) for p, t in zip(parts, _tuple(outputs))), outputs)


del PRIMITIVES["unpack"]  # it belongs to one run: no part of the vocabulary of programs


check_arguments(globals())
