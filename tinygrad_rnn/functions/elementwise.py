"""Compute entry by entry: powers, logarithms, activations; `methods` and programs call it.

Where two libraries disagree about a gradient at a corner, PyTorch's value holds; the tests list
every such corner.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine import ops
from ..engine.arguments import check_arguments
from ..engine.arrays import get_default_dtype
from ..engine.dtypes import common_dtype
from ..engine.ops import absolute, expm1, log, logaddexp, power, sigmoid, sqrt, tanh, where
from ..engine.tensor import Tensor
from .shapes import axis_of

SQRT_HALF = math.sqrt(0.5)


# Powers and logarithms
def as_real(x: Tensor) -> Tensor:
    """Return `x` itself, integers as the default float dtype."""
    return x if x.dtype.kind == "f" else x.astype(get_default_dtype())


def square(x: Tensor) -> Tensor:
    """Multiply each entry by itself."""
    x = x.astype(np.int64) if x.dtype.kind == "b" else x
    return x * x


def pow(x: Any, exponent: Any) -> Tensor:
    """Return x ** exponent; an integer to a negative integer is refused as NumPy does."""
    return power(x, exponent)


def float_power(x: Tensor, exponent: Any) -> Tensor:
    """Return x ** exponent computed in double precision."""
    both = [v.astype(np.float64) if isinstance(v, Tensor) else float(v) for v in (x, exponent)]
    return power(*both)


def reciprocal(x: Tensor) -> Tensor:
    """Return 1 / x of each entry."""
    return 1 / x


def rsqrt(x: Tensor) -> Tensor:
    """Return 1 / √x of each entry."""
    return 1 / sqrt(x)


def exp2(x: Tensor) -> Tensor:
    """Return 2ˣ of each entry."""
    return power(2.0, as_real(x))


def log2(x: Tensor) -> Tensor:
    """Return the logarithm of each entry to base 2."""
    return log(x) * (1 / math.log(2))


def log10(x: Tensor) -> Tensor:
    """Return the logarithm of each entry to base 10."""
    return log(x) * (1 / math.log(10))


def lerp(start: Tensor, end: Tensor, weight: Any) -> Tensor:
    """Return start + weight · (end - start), from the nearer end: exact at both."""
    away = end - start
    first, last = start + weight * away, end - (1 - weight) * away
    return (
        where(weight < 0.5, first, last)
        if isinstance(weight, Tensor)
        else first
        if weight < 0.5
        else last
    )


def clamp(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Return x held between two bounds, numbers or Tensors; at a bound the gradient is x's.

    >>> t.clamp(t.tensor([-2.0, 0.5, 2.0]), -1.0, 1.0)
    tensor([-1. ,  0.5,  1. ])
    """
    if min is None and max is None:
        raise ValueError("clamp: At least one of 'min' or 'max' must not be None")
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        low = x if min is None else _held(x, min, ops.greater_equal)
        return low if max is None else _held(low, max, ops.less_equal)
    if x.dtype.kind != "f":
        x, min, max = _whole_bounds(x, min, max)
    return ops.clamp(x, low=min, high=max)


def _held(x: Any, bound: Any, inside: Any) -> Tensor:
    """Return x where it is inside, else the bound; NaN where either is NaN. Ties are x's."""
    stays = inside(x, bound)
    y = where(stays, x, bound)
    if y.dtype.kind != "f":
        return y
    return where(ops.logical_or(stays, inside(bound, x)), y, math.nan)


def _whole_bounds(x: Tensor, *bounds: Any) -> tuple:
    """Return integers and bounds of one dtype; a bound beyond it becomes its last number."""
    dtype = common_dtype([x, *(b for b in bounds if b is not None)])
    if dtype.kind in "iu":
        last = np.iinfo(dtype)
        bounds = tuple(b if b is None else np.clip(b, last.min, last.max).item() for b in bounds)
    return (x.astype(dtype), *bounds)


clip = clamp


def round(x: Tensor, decimals: int = 0) -> Tensor:
    """Round to the nearest number of so many decimals, halves to even."""
    return ops.rounded(x, decimals=decimals)


# Activations
def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Return each entry, scaled by `negative_slope` where it is not positive.

    >>> t.leaky_relu(t.tensor([-1.0, 2.0]), 0.1)
    tensor([-0.1,  2. ])
    """
    return where(x > 0, x, negative_slope * x)


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """Return x if positive, else α(eˣ - 1)"""
    return where(x > 0, x, alpha * expm1(clamp(x, max=0.0)))


def silu(x: Tensor) -> Tensor:
    """Return x σ(x), also called swish."""
    return x * sigmoid(x)


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """Return x Φ(x); with approximate="tanh" the usual approximation."""
    if approximate == "tanh":
        return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    if approximate != "none":
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', not {approximate!r}")
    return 0.5 * x * (1 + ops.erf(x * SQRT_HALF))


def softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return log(1 + e^(βx)) / β, the smooth relu.

    Where βx exceeds `threshold` it is x itself, which at 20 differs by less than 1e-8.
    """
    y = logaddexp(x, 0.0) if beta == 1.0 else logaddexp(x * beta, 0.0) / beta
    return y if threshold >= 20 else where(x * beta > threshold, x, y)


def logsigmoid(x: Tensor) -> Tensor:
    """Return log σ(x) = -softplus(-x), exact where σ rounds to 0."""
    return -softplus(-as_real(x))


def softsign(x: Tensor) -> Tensor:
    """Return x / (1 + |x|)."""
    return x / (1 + absolute(x))


def hardtanh(x: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Return x cut off at two bounds; unlike clamp the gradient at a bound is 0."""
    if x.dtype.kind in "iu" and min_val == int(min_val) and max_val == int(max_val):
        min_val, max_val = int(min_val), int(max_val)  # integers stay integers
    return where(x <= min_val, min_val, where(x >= max_val, max_val, x))


def relu6(x: Tensor) -> Tensor:
    """Cut each entry off at 0 and 6."""
    return hardtanh(x, 0.0, 6.0)


def hardsigmoid(x: Tensor) -> Tensor:
    """Return the sigmoid's piecewise linear stand-in, 0 below -3 and 1 above 3."""
    return hardtanh(as_real(x) + 3, 0.0, 6.0) / 6


def mish(x: Tensor) -> Tensor:
    """Return x tanh(softplus(x))."""
    return x * tanh(softplus(x))


def tanhshrink(x: Tensor) -> Tensor:
    """Return x - tanh(x)."""
    return x - tanh(x)


def glu(x: Tensor, dim: int = -1) -> Tensor:
    """Return the first half times the sigmoid of the second.

    >>> t.glu(t.tensor([3.0, 0.0]))
    tensor([1.5])
    """
    if x.ndim == 0 or x.shape[axis_of(x, dim)] % 2:
        raise ValueError(f"glu: halving dimension needs an even size, shape is {x.shape}")
    a, b = x.chunk(2, dim)
    return a * sigmoid(b)


check_arguments(globals())
