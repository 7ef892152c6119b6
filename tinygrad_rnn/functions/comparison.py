"""Compare Tensors, and repair or count what they hold; `later` loads it for programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.arguments import check_arguments
from ..engine.arrays import to_numpy
from ..engine.dtypes import common_dtype
from ..engine.ops import absolute, equal, isnan, logical_and, logical_or, where
from ..engine.tensor import Tensor, tensor
from .creation import full_like
from .elementwise import as_real
from .later import attach
from .shapes import axis_of


def isclose(a: Tensor, b: Any, rtol: float = 1e-5, atol: float = 1e-8,
            equal_nan: bool = False) -> Tensor:  # fmt: skip
    """Return where |a − b| ≤ atol + rtol |b|; infinities are close to themselves."""
    b = b if isinstance(b, Tensor) else full_like(a, b)
    a, b = a.detach(), b.detach()
    same = equal(a, b)
    finite = logical_and((absolute(a) < np.inf), (absolute(b) < np.inf))
    gap = absolute(where(finite, a, 0) - where(finite, b, 0))
    near = logical_and(finite, gap <= atol + rtol * absolute(where(finite, b, 0)))
    close = logical_or(same, near)
    return logical_or(close, logical_and(isnan(a), isnan(b))) if equal_nan else close


def allclose(a: Tensor, b: Any, rtol: float = 1e-5, atol: float = 1e-8,
             equal_nan: bool = False) -> bool:  # fmt: skip
    """Return True if all entries are close.

    >>> import tinygrad_rnn as t
    >>> t.allclose(t.ones(3), t.ones(3) + 1e-7)
    True
    """
    return bool(to_numpy(isclose(a, b, rtol, atol, equal_nan)).all())


def nan_to_num(x: Tensor, nan: float = 0.0, posinf: float | None = None,
               neginf: float | None = None) -> Tensor:  # fmt: skip
    """Return x with NaN and infinities replaced, the latter by the dtype's largest numbers."""
    if x.dtype.kind != "f":
        return x
    limits = np.finfo(x.dtype)
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    x = where(isnan(x), nan, x)
    return where(equal(x, np.inf), high, where(equal(x, -np.inf), low, x))


def copysign(a: Tensor, b: Any) -> Tensor:
    """Return |a| with the sign of b, that of −0.0 too."""
    sign = tensor(np.signbit(to_numpy(b)), device=a.device)
    wide = common_dtype([a._array, getattr(b, "_array", b)])
    size = absolute(as_real(a if a.dtype == wide else a.astype(wide)))
    return where(sign, -size, size)


def nonzero(x: Tensor, as_tuple: bool = False) -> Any:
    """Return the places of all entries that are not 0: (N, ndim), or a tuple of ndim Tensors.

    >>> import tinygrad_rnn as t
    >>> t.nonzero(t.tensor([[0, 3], [5, 0]])).tolist()
    [[0, 1], [1, 0]]
    """
    places = np.argwhere(to_numpy(x)).astype(np.int64)
    if as_tuple:
        places = places if x.ndim else np.zeros((len(places), 1), np.int64)
        return tuple(tensor(column, device=x.device) for column in places.T)
    return tensor(places, device=x.device)


def unique(x: Tensor, sorted: bool = True, return_inverse: bool = False,
           return_counts: bool = False, dim: int | None = None) -> Any:  # fmt: skip
    """Return the values that occur, sorted; on request where each entry's value is, and counts.

    With `dim` it is whole slices of that axis that are compared.

    >>> import tinygrad_rnn as t
    >>> values, counts = t.unique(t.tensor([3, 1, 3]), return_counts=True)
    >>> values.tolist(), counts.tolist()
    ([1, 3], [1, 2])
    """
    axis = None if dim is None else axis_of(x, dim)
    options: Any = {"axis": axis, "return_inverse": True, "return_counts": True}
    values, inverse, counts = np.unique(to_numpy(x), **options)
    found = [tensor(values, device=x.device)]
    shape = x.shape if dim is None else (-1,)
    found += [tensor(inverse.reshape(shape), device=x.device)] if return_inverse else []
    found += [tensor(counts, device=x.device)] if return_counts else []
    return tuple(found) if len(found) > 1 else found[0]


def is_tensor(x: Any) -> bool:
    """Return True for a Tensor of this library."""
    return isinstance(x, Tensor)


check_arguments(globals())
attach(globals())
