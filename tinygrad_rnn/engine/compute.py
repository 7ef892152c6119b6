"""Computations that NumPy does not have in one call, for `ops.py`.

½ and 1 are kept as arrays: NumPy makes one of a Python number at every call, which costs as much
again as the arithmetic of a small cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .accumulate import add_at
from .arrays import Array, library_of

FLOATS = (np.float16, np.float32, np.float64)
HALF = {np.dtype(t): np.array(0.5, t) for t in FLOATS}
ONE = {np.dtype(t): np.array(1, t) for t in FLOATS}


def compute_sigmoid(a: Array) -> Array:
    """½ + ½ tanh(a/2): no overflow anywhere, one allocation."""
    half = HALF.get(a.dtype, 0.5) if type(a) is np.ndarray else 0.5
    y = a * half
    y = np.tanh(y, y) if y.ndim else np.tanh(y)
    y *= half
    y += half
    return y


def through_sigmoid(g: Any, y: Any) -> Any:
    """g ∘ y ∘ (1 − y), of NumPy arrays with one allocation."""
    if type(g) is not np.ndarray or not g.ndim or y.dtype not in ONE:
        return g * (y * (1 - y))
    slope = ONE[y.dtype] - y
    slope *= y
    slope *= g
    return slope


def through_tanh(g: Any, y: Any) -> Any:
    """g ∘ (1 − y²), of NumPy arrays with one allocation."""
    if type(g) is not np.ndarray or not g.ndim or y.dtype not in ONE:
        return g * (1 - y * y)
    slope = y * y
    np.subtract(ONE[y.dtype], slope, slope)
    slope *= g
    return slope


def compute_sum(a: Array, axis: Any, keepdims: bool) -> Array:
    if a.dtype == np.float16:  # half precision would stop counting at 2048
        return np.sum(a, axis=axis, keepdims=keepdims, dtype=np.float32).astype(a.dtype)
    return np.sum(a, axis=axis, keepdims=keepdims)


def compute_softmax(a: Array, axis: int) -> Array:
    y = np.exp(_below_max(a, axis))
    return y / np.sum(y, axis=axis, keepdims=True)


def compute_log_softmax(a: Array, axis: int) -> Array:
    z = _below_max(a, axis)
    return z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))


def _below_max(a: Array, axis: int) -> Array:
    return a - np.max(a, axis=axis, keepdims=True) if a.size else a


def compute_put(g: Array, index: Any, shape: tuple, dtype: Any) -> Array:
    """Zeros of `shape` with `g` added at `index`; places named twice get both."""
    y = library_of(g).xp.zeros(shape, dtype)
    return add_at(y, index, g)
