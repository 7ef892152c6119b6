"""Hold gradients until many can be summed at once, which is cheaper; `backward` calls it.

A slice sends back a `SlicedGradient`, a product with weights a `PendingMatmul`; an `Accumulator`
adds them up. The weights of a recurrent cell then cost a few large multiplications instead of one
per time step.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .arrays import Array, library_of

BLOCK = 1 << 16  # so many numbers are added at their places at once
ROWS = 64  # so many rows of postponed products are stacked before they are multiplied


NARROW = {"e": "f", **dict.fromkeys("?bBhH", "i")}  # CuPy has no add.at of these: a wider one


def add_at(total: Array, index: tuple, g: Array) -> Array:
    """Add `g` into `total[index]` in place, right for repeated indices; return the sum."""
    if not is_basic(index):
        xp = library_of(total).xp
        if xp is not np and total.dtype.char in NARROW:
            return add_at(total.astype(NARROW[total.dtype.char]), index, g).astype(total.dtype)
        if xp is np and len(index) == 1 and total.ndim > 1 and total.flags.c_contiguous:
            add_rows(total, index[0], g)
        else:
            xp.add.at(total, index, g)
        return total
    part = total[index]
    if isinstance(part, np.generic):
        total[index] = part + g
    else:
        np.add(part, g, out=part)
    return total


def add_rows(total: np.ndarray, rows: np.ndarray, g: np.ndarray) -> None:
    """Add `g` into total[rows], number by number: for a single axis NumPy's `add.at` is four
    times as fast, and adds in the same order."""
    width = math.prod(total.shape[1:])
    flat, step = total.reshape(-1), max(BLOCK // max(width, 1), 1)
    rows, g = rows.reshape(-1, 1), np.broadcast_to(g, (*rows.shape, *total.shape[1:]))
    g = g.reshape(len(rows), width)
    for k in range(0, len(rows), step):
        places = rows[k : k + step] * width + np.arange(width)
        np.add.at(flat, places.reshape(-1), g[k : k + step].reshape(-1))


def is_basic(index: tuple) -> bool:
    """True if `index` has only slices, integers, None and …: it then names no place twice."""
    for i in index:
        if type(i) is not slice and i is not None and i is not Ellipsis and type(i) is not int:
            return False
    return True


class SlicedGradient:
    """A gradient that is zero except at `index`: what `y = a[index]` sends to `a`, not spread out.

    Ten thousand slices of one long sequence then cost ten thousand small additions into one array.
    """

    __slots__ = ("dtype", "g", "index", "shape")

    def __init__(self, g: Array, index: tuple, a: Any):
        self.g, self.index, self.shape, self.dtype = g, index, a.shape, a.dtype

    def dense(self) -> Array:
        return add_at(library_of(self.g).xp.zeros(self.shape, self.dtype), self.index, self.g)


class PendingMatmul:
    """A gradient `leftᵀ @ right` not multiplied yet: what `a @ b` sends to the weights `b`.

    The sum over time Σ_t x_tᵀ g_t is one product of stacked rows: fewer, larger multiplications.
    """

    __slots__ = ("left", "right")

    def __init__(self, left: Array, right: Array):
        self.left, self.right = left, right

    @property
    def shape(self) -> tuple[int, int]:
        return self.left.shape[1], self.right.shape[1]

    @property
    def dtype(self) -> np.dtype:
        return self.right.dtype

    def astype(self, dtype: np.dtype) -> Array:
        return self.dense().astype(dtype)

    def transpose(self, axes: Any) -> PendingMatmul:
        return PendingMatmul(self.right, self.left) if axes == (1, 0) else self

    def dense(self) -> Array:
        return self.left.T @ self.right


class Accumulator:
    """A sum of gradients. It adds in place, but only into an array that it made itself."""

    __slots__ = ("left", "right", "rows", "sum")

    def __init__(self, first: Any, second: Any) -> None:
        self.left: list[Array] = []
        self.right: list[Array] = []
        self.rows = 0
        self.sum: Array | None = None
        if type(first) in DELAYED or type(second) in DELAYED:
            self.add(first)
            self.add(second)
        else:
            self.sum = first + second

    def add(self, g: Any) -> None:
        if type(g) is PendingMatmul:
            self.left.append(g.left)
            self.right.append(g.right)
            self.rows += len(g.left)
            if self.rows >= ROWS:
                self.multiply()
        elif type(g) is SlicedGradient:
            self.sum = g.dense() if self.sum is None else add_at(self.sum, g.index, g.g)
        elif self.sum is None:
            self.sum = np.copy(g)
        elif self.sum.ndim:
            np.add(self.sum, g, out=self.sum)
        else:
            self.sum = self.sum + g

    def multiply(self) -> None:
        """Turn the postponed products into one product of stacked rows."""
        left, right, self.left, self.right, self.rows = self.left, self.right, [], [], 0
        product = stacked(left).T @ stacked(right)
        self.sum = product if self.sum is None else np.add(self.sum, product, out=self.sum)

    def dense(self) -> Array:
        if self.left:
            self.multiply()
        return self.sum


def stacked(rows: list[Array]) -> Array:
    """Return all rows as one array; those of one array, which may be large, are not copied."""
    return rows[0] if len(rows) == 1 else np.concatenate(rows)


DELAYED = (Accumulator, PendingMatmul, SlicedGradient)
