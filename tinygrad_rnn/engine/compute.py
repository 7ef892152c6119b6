"""Compute what NumPy has no single call for; the table in `ops` names these functions.

Constants such as 1 are kept as arrays: NumPy makes an array of a Python number at every call,
which costs as much again as the arithmetic of a small cell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .accumulate import add_at
from .arrays import Array, library_of

FLOATS = (np.float16, np.float32, np.float64)
ENOUGH = {np.dtype(t): np.array(11 if t is np.float16 else 40, t) for t in FLOATS}  # there σ is 1
MANY = 8192  # numbers; of these NumPy finds the largest faster than the smaller of each and 40
ONE = {np.dtype(t): np.array(1, t) for t in FLOATS}


def multiply_rows(a: Array, b: Array) -> Array:
    """Return a @ b of many matrices; by one matrix it is a single product of all rows, which is
    faster."""
    if b.ndim != 2 or not a.size:
        return np.matmul(a, b)
    rows = a.reshape(-1, a.shape[-1])
    return np.matmul(rows, b).reshape(*a.shape[:-1], b.shape[1])


def einstein(*arrays: Array, subscripts: str) -> Array:
    """Return a sum of products; those of half precision are added up in float32, as in matmul."""
    if arrays[0].dtype != np.float16:
        return np.einsum(subscripts, *arrays)
    wide = [a.astype(np.float32) for a in arrays]
    return np.einsum(subscripts, *wide).astype(np.float16)


def square(a: Any) -> Any:
    """Return a² for use as a divisor or a decay: infinite without a warning if it is large."""
    if type(a) is not np.ndarray:
        return a * a
    with np.errstate(over="ignore"):
        return a * a


# Methods where `np.sum(a)` would do: its way through NumPy's dispatch costs as much as the sum
def total(a: Array, axis: Any, keepdims: bool) -> Array:
    """Return the sum; integers and booleans are counted in int64, as PyTorch does."""
    if a.dtype.kind != "f":
        return a.sum(axis=axis, keepdims=keepdims, dtype=np.int64)
    if a.dtype == np.float16:  # half precision would stop counting at 2048
        return a.sum(axis=axis, keepdims=keepdims, dtype=np.float32).astype(a.dtype)
    return a.sum(axis=axis, keepdims=keepdims)


def cumsum(a: Array, axis: int) -> Array:
    """Return running sums, counted as `total` does."""
    if a.dtype.kind != "f":
        return np.cumsum(a, axis=axis, dtype=np.int64)
    if a.dtype == np.float16:
        return np.cumsum(a, axis=axis, dtype=np.float32).astype(a.dtype)
    return np.cumsum(a, axis=axis)


def whole(function: Callable) -> Callable:
    """Return a rounding function that leaves integers as they are; old NumPy makes them floats."""

    def compute(a: Array, **params: Any) -> Array:
        if a.dtype.kind == "b":
            raise TypeError("booleans are not rounded; use astype('int64') first")
        return a if a.dtype.kind in "iu" else function(a, **params)

    return compute


def place_of(function: Callable) -> Callable:
    """Return `function`, which finds places, with int64 on every platform."""
    return lambda a, axis: function(a, axis=axis).astype(np.int64, copy=False)


def softmax(a: Array, axis: int) -> Array:
    y = np.exp(_below_max(a, axis))
    return y / y.sum(axis=axis, keepdims=True)


def log_softmax(a: Array, axis: int) -> Array:
    z = _below_max(a, axis)
    if not a.size:
        return z  # the logarithm of an empty sum would warn
    return z - np.log(np.exp(z).sum(axis=axis, keepdims=True))


def _below_max(a: Array, axis: int) -> Array:
    return a - a.max(axis=axis, keepdims=True) if a.size else a


def choose(c: Any, a: Any, b: Any) -> Array:
    """Return `a` where `c` holds, else `b`; c is no number, which would hold unless it is 0."""
    kind = c.dtype if hasattr(c, "dtype") else np.dtype(type(c))
    if kind.kind != "b":
        raise TypeError(f"expected a condition of booleans, got {kind}; compare first")
    return np.where(c, a, b)


def put(g: Array, index: Any, shape: tuple, dtype: Any) -> Array:
    """Return zeros of `shape` with `g` added at `index`; places named twice get both."""
    y = library_of(g).xp.zeros(shape, dtype)
    return add_at(y, index, g)
