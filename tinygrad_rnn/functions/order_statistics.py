"""Give medians, quantiles, counts, histograms and running sums to programs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine import ops
from ..engine.arguments import check_arguments
from ..engine.arrays import get_default_dtype, to_numpy
from ..engine.tensor import Tensor, tensor, wrap
from .elementwise import as_real
from .indexing import ValuesIndices, sort, take_along_dim
from .later import attach
from .products import outer
from .reductions import vector_norm
from .shapes import axis_of, cat, diagonal, flatten, narrow


def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """Return the k-th smallest value along an axis, counted from 1, and where it is.

    >>> import tinygrad_rnn as t
    >>> t.kthvalue(t.tensor([3.0, 1.0, 2.0]), 2).values
    tensor(2.)
    """
    size = input.shape[axis_of(input, dim)] if input.ndim else 1
    if not 1 <= k <= size:
        raise ValueError(f"kthvalue: k must be from 1 to {size}, got {k}")
    if not input.ndim:
        return sort(input)
    found = (narrow(v, dim, k - 1, 1) for v in sort(input, dim))
    return ValuesIndices(*(v if keepdim else v.squeeze(dim) for v in found))


def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the middle value, of two the lower one; along an axis (values, indices).

    >>> import tinygrad_rnn as t
    >>> t.median(t.tensor([4.0, 1.0, 3.0, 2.0]))
    tensor(2.)
    """
    if dim is None:
        return median(flatten(input), 0).values
    size = input.shape[axis_of(input, dim)] if input.ndim else 1
    nan = ops.isnan(input).any(dim, keepdims=True)
    k = np.where(to_numpy(nan), max(size - 1, 0), max((size - 1) // 2, 0))
    return _taken(input, k, dim, keepdim)


def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the median of the entries that are no NaN."""
    if dim is None:
        return nanmedian(flatten(input), 0).values
    count = to_numpy(ops.logical_not(ops.isnan(input)).sum(dim, keepdims=True))
    return _taken(input, np.maximum((count - 1) // 2, 0), dim, keepdim)


def _taken(x: Tensor, k: np.ndarray, dim: int, keep: bool) -> ValuesIndices:
    """Return the entry number k of each sorted line: NaN is the last."""
    if not x.ndim:
        return sort(x)
    if not x.shape[axis_of(x, dim)]:
        raise IndexError(f"median() of an empty axis (shape {x.shape}, dim {dim})")
    places = tensor(k, device=x.device)
    found = (take_along_dim(v, places, dim) for v in sort(x, dim))
    return ValuesIndices(*(v if keep else v.squeeze(dim) for v in found))


def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """Return the most frequent value of each line, of several the smallest, and its last place."""
    if not input.ndim:
        return sort(input)
    values, order = sort(input, dim)
    axis = axis_of(input, dim)
    a = np.moveaxis(to_numpy(values.detach()), axis, -1)
    count = (a[..., :, None] == a[..., None, :]).sum(-1)
    last = (
        a.shape[-1]
        - 1
        - (a == np.take_along_axis(a, count.argmax(-1)[..., None], -1))[..., ::-1].argmax(-1)
    )
    places = tensor(np.moveaxis(last[..., None], -1, axis), device=input.device)
    found = (take_along_dim(v, places, dim) for v in (values, order))
    return ValuesIndices(*(v if keepdim else v.squeeze(dim) for v in found))


def quantile(input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
             interpolation: str = "linear") -> Tensor:  # fmt: skip
    """Return the value below which a share q of the entries lies, between two by interpolation.

    >>> import tinygrad_rnn as t
    >>> t.quantile(t.tensor([0.0, 1.0, 2.0, 3.0]), 0.5)
    tensor(1.5)
    """
    ways = ("linear", "lower", "higher", "nearest", "midpoint")
    if interpolation not in ways:
        raise ValueError(f"quantile: interpolation must be one of {ways}, not {interpolation!r}")
    if getattr(q, "requires_grad", False):
        raise ValueError("quantile: no gradient flows to q; use q.detach()")
    shares = np.asarray(getattr(q, "_array", q), np.float64)
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(f"quantile: q must be from 0 to 1, got {shares.tolist()}")
    x, axis = (flatten(input), 0) if dim is None else (input, axis_of(input, dim))
    x = x if x.ndim else x.reshape(1)
    values = sort(x, axis).values
    places = shares.reshape(-1) * (x.shape[axis] - 1)
    picked = [_between(values, float(p), axis, interpolation) for p in places]
    picked = [ops.where(ops.isnan(x).any(axis, keepdims=True), math.nan, y) for y in picked]
    shape = input.shape if keepdim else None
    if shape is not None:
        shape = tuple(1 if dim is None or k == axis else n for k, n in enumerate(shape))
    parts = [(y.squeeze(axis) if shape is None else y.reshape(shape)).unsqueeze(0) for y in picked]
    y = cat(parts, 0) if parts else x[:0]
    return y if shares.ndim else y.squeeze(0)


def _between(values: Tensor, place: float, axis: int, way: str) -> Tensor:
    """Return the entry of sorted values at a place that may lie between two."""
    low, high = math.floor(place), math.ceil(place)
    part = {"linear": place - low, "lower": 0.0, "higher": 1.0, "midpoint": 0.5,
            "nearest": float(round(place) == high)}[way]  # fmt: skip
    a, b = narrow(values, axis, low, 1), narrow(values, axis, high, 1)
    return a if low == high or part == 0 else b if part == 1 else a + part * (b - a)


def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return the sum of what is no NaN."""
    return ops.where(ops.isnan(input), 0, input).sum(dim, keepdim, dtype=dtype)


def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return the mean of what is no NaN."""
    x = as_real(input if dtype is None else input.astype(dtype))
    real = ops.logical_not(ops.isnan(x)).astype(x.dtype)
    return nansum(x, dim, keepdim) / real.sum(dim, keepdim)


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> tuple:
    """Return (the smallest value, the largest)."""
    return input.amin(dim, keepdim), input.amax(dim, keepdim)


def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """Return how many entries are not 0."""
    return ops.not_equal(input, 0).sum(dim)


def cummin(input: Tensor, dim: int) -> ValuesIndices:
    """Return running minima and where they were (of equal ones the latest)."""
    whole = input.dtype.kind in "ub"
    places = (input.astype(np.int64) if whole else input).neg().cummax(dim).indices
    return ValuesIndices(take_along_dim(input, places, dim) if input.ndim else input, places)


def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """Return the running log Σ exp, in log₂ n steps of pairs."""
    x, axis, shift = as_real(input), axis_of(input, dim), 1
    while x.ndim and shift < x.shape[axis]:
        rest = x.shape[axis] - shift
        both = ops.logaddexp(narrow(x, axis, shift, rest), narrow(x, axis, 0, rest))
        x, shift = ops.concatenate(narrow(x, axis, 0, shift), both, axis=axis), 2 * shift
    return x


def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None,
         append: Tensor | None = None) -> Tensor:  # fmt: skip
    """Return the differences of neighbours along an axis, n times over.

    >>> import tinygrad_rnn as t
    >>> t.diff(t.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    if not input.ndim:
        raise ValueError("diff: input needs an axis, got a single number")
    if n == 0:
        return input
    parts = [x for x in (prepend, input, append) if x is not None]
    x = cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, x.shape[dim])):
        rest = x.shape[dim] - 1
        a, b = narrow(x, dim, 1, rest), narrow(x, dim, 0, rest)
        x = ops.logical_xor(a, b) if x.dtype.kind == "b" else a - b
    return x


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """Return the p-norm of a difference."""
    return vector_norm(input - other, p)


def trace(input: Tensor) -> Tensor:
    """Return the sum of a matrix's diagonal."""
    if input.ndim != 2:
        raise ValueError(f"trace: expected a matrix, got shape {input.shape}")
    return diagonal(input).sum()


def cov(input: Tensor, *, correction: int = 1, fweights: Any = None, aweights: Any = None
        ) -> Tensor:  # fmt: skip
    """Return the covariances of variables in rows, seen together in columns."""
    if input.ndim > 2:
        raise ValueError(f"cov: expected at most two axes, got shape {input.shape}")
    x = as_real(input)
    x = x if x.ndim == 2 else x.reshape(1, -1)
    weights = [w for w in (fweights, aweights) if w is not None]
    w = weights[0] if weights else tensor(np.ones(x.shape[1], x.dtype))
    w = (w * weights[1] if len(weights) > 1 else w).astype(x.dtype)
    total = w.sum()
    away = x - (x * w).sum(1, keepdims=True) / total
    lost = total if aweights is None else (w * aweights).sum()
    free = total - correction * lost / total
    y = (away * w) @ away.T / ops.clamp(free, low=0.0, high=None)
    return y if input.ndim == 2 and input.shape[0] != 1 else y.reshape(())


def corrcoef(input: Tensor) -> Tensor:
    """Return the correlations of variables in rows."""
    c = cov(input)
    if not c.ndim:
        return c / c
    spread = ops.sqrt(diagonal(c))
    return ops.clamp(c / outer(spread, spread), low=-1.0, high=1.0)


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """Return how often each whole number from 0 on occurs, or the sums of their weights.

    >>> import tinygrad_rnn as t
    >>> t.bincount(t.tensor([1, 1, 3]))
    tensor([0, 2, 0, 1])
    """
    places = to_numpy(input)
    if places.dtype.kind not in "iu" or places.ndim != 1 or (places < 0).any():
        raise ValueError(f"bincount: expected whole numbers (N,) from 0 on, got {input!r}")
    given = None if weights is None else to_numpy(weights)
    counts = np.bincount(places, given, minlength)
    kept = counts if given is None or given.dtype != np.float32 else counts.astype(np.float32)
    return tensor(kept, device=input.device)


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Return how many entries lie in each of equal bins, by default from the smallest on."""
    a = to_numpy(input).ravel()
    if min == max:
        min, max = (a.min(), a.max()) if a.size else (0, 1)
    if min == max:
        min, max = min - 1, max + 1
    counts, _ = np.histogram(a, bins, (min, max))
    return tensor(counts.astype(a.dtype if a.dtype.kind == "f" else get_default_dtype()))


def msort(input: Tensor) -> Tensor:
    """Return the values sorted along the first axis."""
    return sort(input, 0).values


def unique_consecutive(input: Tensor, return_inverse: bool = False, return_counts: bool = False,
                       dim: int | None = None) -> Any:  # fmt: skip
    """Return the values with repeats next to each other left out, on request places and counts.

    >>> import tinygrad_rnn as t
    >>> t.unique_consecutive(t.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    a = to_numpy(input).ravel() if dim is None or not input.ndim else to_numpy(input)
    rows = np.moveaxis(a, dim or 0, 0)
    new = (rows[1:] != rows[:-1]).any(tuple(range(1, rows.ndim)))
    new = np.concatenate([np.ones(min(len(rows), 1), bool), new])
    inverse, counts = new.cumsum() - 1, np.diff(np.append(np.flatnonzero(new), len(rows)))
    found = [np.moveaxis(rows[new], 0, dim or 0)]
    found += [inverse.reshape(input.shape if dim is None else -1)] if return_inverse else []
    found += [counts] if return_counts else []
    made = [tensor(y, device=input.device) for y in found]
    return tuple(made) if len(made) > 1 else made[0]


def argwhere(input: Tensor) -> Tensor:
    """Return the places (N, ndim) of all entries that are not 0."""
    return tensor(np.argwhere(to_numpy(input)).astype(np.int64), device=input.device)


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """Return the area under a line through the values, which are `dx` apart, or at x."""
    return _strips(y, x, dx, dim).sum(dim)


def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = 1, dim: int = -1
                         ) -> Tensor:  # fmt: skip
    """Return the area under a line through the values up to each of them."""
    return _strips(y, x, dx, dim).cumsum(dim)


def _strips(y: Tensor, x: Tensor | None, dx: Any, dim: int) -> Tensor:
    y, axis = as_real(y), axis_of(y, dim)
    rest = max(y.shape[axis] - 1, 0)
    means = (narrow(y, axis, 1 if rest else 0, rest) + narrow(y, axis, 0, rest)) / 2
    if x is None:
        return means * dx
    if x.ndim == 1:
        x = x.reshape(*(-1 if k == axis else 1 for k in range(y.ndim)))
    return means * diff(x, dim=axis - y.ndim)


def searchsorted(sorted_sequence: Tensor, input: Any, *, right: bool = False,
                 side: str | None = None, out_int32: bool = False,
                 sorter: Tensor | None = None) -> Tensor:  # fmt: skip
    """Return where each value would be put into sorted ones (each line into its own).

    >>> import tinygrad_rnn as t
    >>> t.searchsorted(t.tensor([1, 3, 5]), t.tensor([3, 4]))
    tensor([1, 2])
    """
    if side not in (None, "left", "right"):
        raise ValueError(f"searchsorted: side must be 'left' or 'right', not {side!r}")
    if right and side == "left":
        raise ValueError("searchsorted: right=True and side='left' say different things")
    a, v = to_numpy(sorted_sequence), np.asarray(getattr(input, "_array", input))
    a = a if sorter is None else np.take_along_axis(a, to_numpy(sorter), -1)
    way: Any = "right" if right or side == "right" else "left"
    if a.ndim == 1:
        found = np.searchsorted(a, v, way)
    else:
        if v.shape[:-1] != a.shape[:-1]:
            raise ValueError(f"searchsorted: lines of {v.shape} do not fit lines of {a.shape}")
        count = math.prod(a.shape[:-1])
        lines = zip(a.reshape(count, a.shape[-1]), v.reshape(count, v.shape[-1]))
        found = np.array([np.searchsorted(line, some, way) for line, some in lines])
    shaped = np.asarray(found, np.int32 if out_int32 else np.int64).reshape(v.shape)
    return wrap(shaped, None)


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False,
              right: bool = False) -> Tensor:  # fmt: skip
    """Return the number of the bucket between boundaries in which each value lies."""
    return searchsorted(boundaries, input, right=right, out_int32=out_int32)


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False
         ) -> Tensor:  # fmt: skip
    """Return whether each entry is one of the others."""
    a, b = (np.asarray(getattr(x, "_array", x)) for x in (elements, test_elements))
    return wrap(np.asarray(np.isin(a, b, assume_unique=assume_unique, invert=invert)), None)


trapz = trapezoid

check_arguments(globals())
attach(globals())
