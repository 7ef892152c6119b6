"""Differentiate functions: vjp, jvp, jacobian, hessian, hvp; programs and `autograd` call it.

All of it is `grad` used well. Forward mode is the gradient of a gradient: with u a dummy,
u ↦ uᵀJ is linear, and its own vjp with v is J v. So no primitive needs a second kind of rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..engine.backward import grad
from ..engine.context import enable_grad, mode
from ..engine.ops import concatenate
from ..engine.tensor import Tensor, wrap
from ..functions.checkpoint import Many, _like, _tuple


def _fresh(inputs: Many) -> tuple[Tensor, ...]:
    """Return the inputs cut off from their graph, asking for gradients."""
    return tuple(x.detach().requires_grad_() for x in _tuple(inputs))


def vjp(func: Callable, inputs: Many, v: Many = None) -> tuple[Many, Many]:
    """Return (func(inputs), vᵀJ): what a backward pass gives. v may be left out for a scalar
    result."""
    xs = _fresh(inputs)
    with enable_grad():
        y = func(*xs)
    given = _tuple(v) if v is not None else (None,) * len(_tuple(y))
    grads = _pulled(_tuple(y), xs, given)
    filled = tuple(x.detach() * 0 if g is None else g for x, g in zip(xs, grads, strict=True))
    return _like(tuple(t.detach() for t in _tuple(y)), y), _like(filled, inputs)


def jvp(func: Callable, inputs: Many, v: Many) -> tuple[Many, Many]:
    """Return (func(inputs), J v): how the result changes as the inputs move along v."""
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
    """Return `grad` of those results that depend on anything; None for an input that none depends
    on."""
    kept = [(y, w) for y, w in zip(ys, weights, strict=True) if y.requires_grad]
    if not kept:
        return (None,) * len(xs)
    outputs, given = zip(*kept, strict=True)
    return grad(outputs, xs, given, create_graph=create_graph, allow_unused=True)


def jacobian(func: Callable, inputs: Many, create_graph: bool = False) -> Many:
    """Return ∂func/∂input, shape (*output, *input), for a `func` that returns one Tensor; a tuple
    of them for several inputs."""
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
    """Return the gradient of the i-th entry of y."""
    one = y.xp.zeros(y._array.size, y.dtype)
    one[i] = 1
    if not y.requires_grad:
        return tuple(x.detach() * 0 for x in xs)
    unit = wrap(one.reshape(y.shape), None)
    grads = grad(y, xs, unit, retain_graph=True, create_graph=create_graph, allow_unused=True)
    return tuple(x.detach() * 0 if g is None else g for x, g in zip(xs, grads, strict=True))


def _slope(y: Tensor, x: Tensor) -> Tensor:
    """Return the gradient of a single number, with a graph of its own."""
    if y._array.size != 1:
        raise RuntimeError(f"a hessian is that of a scalar; the function returned shape {y.shape}")
    return _row(y, 0, (x,), create_graph=True)[0]


def hessian(func: Callable, inputs: Tensor) -> Tensor:
    """Return ∂²func/∂input², shape (*input, *input), for a function with a single number as its
    result."""

    def slope(x: Tensor) -> Tensor:
        return _slope(func(x), x)

    return jacobian(slope, inputs)


def hvp(func: Callable, inputs: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Return (func(inputs), H v), without ever forming the Hessian H."""
    (x,) = _fresh(inputs)
    with enable_grad():
        y = func(x)
        slope = _slope(y, x)
    if not slope.requires_grad:
        return y.detach(), x.detach() * 0
    (product,) = grad(slope, x, v, allow_unused=True)
    return y.detach(), x.detach() * 0 if product is None else product


def detect_anomaly() -> Any:
    """Raise FloatingPointError at the first value or gradient in the block that is not finite,
    naming the operation, its scope and your source line."""
    return mode(anomaly=True)
