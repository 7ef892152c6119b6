"""Offer norms and products of matrices, as NumPy and PyTorch name them, to programs.

Factorisations are NumPy's: `numpy.linalg`, on `x.numpy()`.
"""

from __future__ import annotations

import math
from typing import Any, NoReturn

from .absent import signpost
from .engine.arguments import check_arguments
from .engine.ops import absolute
from .engine.tensor import Tensor
from .functions import products
from .functions.products import matrix_power, multi_dot, vecdot
from .functions.reductions import vector_norm
from .functions.shapes import axis_of, diagonal

__all__ = [
    "cross",
    "diagonal",
    "matrix_norm",
    "matrix_power",
    "multi_dot",
    "norm",
    "vecdot",
    "vector_norm",
]


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """Return the vector product along an axis of size 3."""
    return products.cross(input, other, dim)


def norm(x: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *,
         dtype: Any = None) -> Tensor:  # fmt: skip
    """Return the norm of all entries, of vectors (one dim), or of matrices (two dims).

    >>> import tinygrad_rnn as t
    >>> t.linalg.norm(t.tensor([[1.0, -2.0], [3.0, 4.0]]), 1)  # the largest sum of a column
    tensor(6.)
    """
    x = x if dtype is None else x.astype(dtype)
    pair = isinstance(dim, (tuple, list)) and len(dim) == 2
    if isinstance(ord, str) or (ord is not None and (pair or (dim is None and x.ndim == 2))):
        return matrix_norm(x, ord, tuple(dim) if pair else (-2, -1), keepdim)
    return vector_norm(x, 2 if ord is None else ord, dim=dim, keepdim=keepdim)


def matrix_norm(x: Tensor, ord: Any = "fro", dim: tuple[int, int] = (-2, -1),
                keepdim: bool = False, *, dtype: Any = None) -> Tensor:  # fmt: skip
    """Return the norm of matrices: Frobenius', or the largest (smallest) sum of a column or row."""
    x = x if dtype is None else x.astype(dtype)
    rows, columns = (axis_of(x, d) for d in dim)
    if ord == "fro":
        return vector_norm(x, 2, dim=(rows, columns), keepdim=keepdim)
    if ord not in (1, -1, math.inf, -math.inf):
        told = f"linalg.norm: ord={ord!r} of a matrix needs its singular values"
        raise ValueError(f"{told}; use numpy.linalg.norm of x.numpy(), or ord 'fro', 1, inf")
    first, second = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = absolute(x).sum(first, keepdims=True)
    y = (sums.amax if ord > 0 else sums.amin)(second, keepdims=True)
    return y if keepdim else y.squeeze((rows, columns))


def __getattr__(name: str) -> NoReturn:
    """Say what to use instead of a name that is missing here."""
    signpost(__name__, name, __all__)


check_arguments(globals())
