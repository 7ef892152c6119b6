"""Derivatives of functions: vjp, jvp, jacobian, hessian, hvp; and `checkpoint`, `detect_anomaly`.

All of it is `grad` used well. Forward mode is the gradient of a gradient: with u a dummy,
u ↦ uᵀJ is linear, and its own vjp with v is J v. So no primitive needs a second kind of rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .autodiff import grad, leading_to, pull, reachable, seeds
from .backend import Array
from .context import enable_grad, is_grad_enabled, mode
from .ops import concatenate, put
from .postponed import Piece
from .random import undone
from .tensor import PRIMITIVES, Node, Primitive, Tensor, age, leaf_of, primitive, wrap

Many = Any  # a Tensor or a tuple of Tensors


def _tuple(x: Many) -> tuple:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _like(values: tuple, given: Many) -> Many:
    return values if isinstance(given, (tuple, list)) else values[0]


def _fresh(inputs: Many) -> tuple[Tensor, ...]:
    """The inputs cut off from their graph, asking for gradients."""
    return tuple(x.detach().requires_grad_() for x in _tuple(inputs))


def vjp(func: Callable, inputs: Many, v: Many = None) -> tuple[Many, Many]:
    """(func(inputs), vᵀJ): what a backward pass gives. v may be left out for a scalar result."""
    xs = _fresh(inputs)
    with enable_grad():
        y = func(*xs)
    given = _tuple(v) if v is not None else (None,) * len(_tuple(y))
    grads = _pulled(_tuple(y), xs, given)
    filled = tuple(x.detach() * 0 if g is None else g for x, g in zip(xs, grads, strict=True))
    return _like(tuple(t.detach() for t in _tuple(y)), y), _like(filled, inputs)


def jvp(func: Callable, inputs: Many, v: Many) -> tuple[Many, Many]:
    """(func(inputs), J v): how the result changes as the inputs move along v."""
    xs = _fresh(inputs)
    with enable_grad():
        y = func(*xs)
        ys = _tuple(y)
        dummies = tuple((t.detach() * 0).requires_grad_() for t in ys)
        pulled = _pulled(ys, xs, dummies, create_graph=True)
    used = [
        (p, d) for p, d in zip(pulled, _tuple(v), strict=True) if p is not None and p.requires_grad
    ]
    if used:
        pushed = grad([p for p, _ in used], dummies, [d for _, d in used], allow_unused=True)
    else:
        pushed = (None,) * len(ys)
    filled = tuple(t.detach() * 0 if p is None else p for t, p in zip(ys, pushed, strict=True))
    return _like(tuple(t.detach() for t in ys), y), _like(filled, y)


def _pulled(ys: tuple, xs: tuple, weights: tuple, create_graph: bool = False) -> tuple:
    """`grad` of those results that depend on anything; None for an input that none depends on."""
    kept = [(y, w) for y, w in zip(ys, weights, strict=True) if y.requires_grad]
    if not kept:
        return (None,) * len(xs)
    outputs, given = zip(*kept, strict=True)
    return grad(outputs, xs, given, create_graph=create_graph, allow_unused=True)


def jacobian(func: Callable, inputs: Many, create_graph: bool = False) -> Many:
    """∂func/∂input, shape (*output, *input), for a `func` that returns one Tensor; a tuple of
    them for several inputs."""
    xs = _tuple(inputs) if create_graph else _fresh(inputs)
    with enable_grad():
        y = func(*xs)
        rows = [_row(y, i, xs, create_graph) for i in range(y._array.size)]
    blocks = []
    for k, x in enumerate(xs):
        flat = [r[k].reshape(1, -1) for r in rows]
        empty = wrap(x.xp.zeros((0, x._array.size), x.dtype), None)
        blocks.append((concatenate(*flat, axis=0) if flat else empty).reshape(*y.shape, *x.shape))
    return _like(tuple(blocks), inputs)


def _row(y: Tensor, i: int, xs: Sequence[Tensor], create_graph: bool) -> tuple[Tensor, ...]:
    """The gradient of the i-th entry of y."""
    one = y.xp.zeros(y._array.size, y.dtype)
    one[i] = 1
    if not y.requires_grad:
        return tuple(x.detach() * 0 for x in xs)
    unit = wrap(one.reshape(y.shape), None)
    grads = grad(y, xs, unit, retain_graph=True, create_graph=create_graph, allow_unused=True)
    return tuple(x.detach() * 0 if g is None else g for x, g in zip(xs, grads, strict=True))


def _slope(y: Tensor, x: Tensor) -> Tensor:
    """The gradient of a single number, with a graph of its own."""
    if y._array.size != 1:
        raise RuntimeError(f"a hessian is that of a scalar; the function returned shape {y.shape}")
    return _row(y, 0, (x,), create_graph=True)[0]


def hessian(func: Callable, inputs: Tensor) -> Tensor:
    """∂²func/∂input², shape (*input, *input), for a function with a single number as its result."""

    def slope(x: Tensor) -> Tensor:
        return _slope(func(x), x)

    return jacobian(slope, inputs)


def hvp(func: Callable, inputs: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """(func(inputs), H v), without ever forming the Hessian H."""
    (x,) = _fresh(inputs)
    with enable_grad():
        y = func(x)
        slope = _slope(y, x)
    if not slope.requires_grad:
        return y.detach(), x.detach() * 0
    (product,) = grad(slope, x, v, allow_unused=True)
    return y.detach(), x.detach() * 0 if product is None else product


# Recomputing instead of remembering
def again(func: Callable[[], Tensor], g: Any, ends: set[Node]) -> dict[Node, Any]:
    """What `g`, the gradient of func(), sends to those of the older nodes `ends` that it reaches.

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
        """The results once more, which must be `y`."""
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
    """True if two runs gave the same numbers, up to the order of sums."""
    tiny = digits * float(np.finfo(b.dtype).eps)
    scale = tiny * float(np.abs(np.where(np.isfinite(b), b, 0)).max()) if b.size else 0.0
    return bool(a.shape == b.shape and np.allclose(a, b, tiny, scale, equal_nan=True))


def packed(outputs: Many) -> Tensor:
    """All outputs in one vector."""
    flat = [t.reshape(-1) for t in _tuple(outputs)]
    return flat[0] if len(flat) == 1 else concatenate(*flat, axis=0)


def unpacked(flat: Tensor, shapes: Iterable[tuple[int, ...]]) -> list[Tensor]:
    """The vector's parts, in these shapes."""
    parts, start = [], 0
    for shape in shapes:
        parts.append(unpack(flat, start=start, shape=shape))
        start += parts[-1]._array.size
    return parts


def _one_part(g: Any, y: Any, a: Any, start: int, shape: tuple) -> Any:
    """The gradient of one part, not yet spread out."""
    index = (slice(start, start + math.prod(shape)),)
    if isinstance(g, Tensor):
        return put(g.reshape(-1), index=index, shape=a.shape, dtype=a.dtype)
    return Piece(g.reshape(-1), index, a)


unpack = primitive(
    "unpack", lambda a, start, shape: a[start : start + math.prod(shape)].reshape(shape), _one_part
)
del PRIMITIVES["unpack"]  # it belongs to one run: no part of the vocabulary of programs


def checkpoint(func: Callable, *inputs: Any) -> Many:
    """func(*inputs), remembering only the inputs: the backward pass runs it once more.

    Gradients also reach Tensors that `func` uses without being given them, such as weights. Dropout
    draws the same mask again. `func` returns a Tensor or a tuple of Tensors.
    """
    if not is_grad_enabled():
        return func(*inputs)
    start = age()
    with undone() as set_back:
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


def detect_anomaly() -> Any:
    """Within the block, the first value or gradient that is not finite raises FloatingPointError,
    naming the operation, its scope and your source line."""
    return mode(anomaly=True)
