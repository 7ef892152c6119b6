"""Reduce over axes: means, extremes, norms, softmax; `losses`, `methods` and programs call it.

Axes may be called `axis` or `dim`, and kept axes `keepdims` or `keepdim`. Where two libraries
disagree about a gradient at a corner, PyTorch's value holds; the tests list every such corner.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine import ops
from ..engine.arguments import check_arguments
from ..engine.context import MODE
from ..engine.ops import absolute, equal, exp, log, maximum, power, sqrt, total, where
from ..engine.tensor import Tensor, wrap
from .elementwise import as_real
from .indexing import ValuesIndices, take_along_dim
from .shapes import axis_of, flatten, narrow, squeeze


def _axes(x: Tensor, axis: Any, dim: Any) -> Any:
    """Return None, one axis or a tuple of axes, counted from the front and checked."""
    named = dim if axis is None else axis
    if type(named) is int:
        first = axis_of(x, named)
        return first if x.ndim else None
    if named is None or (isinstance(named, (tuple, list)) and not len(named)):
        return None
    if isinstance(named, (tuple, list)):
        axes = tuple(axis_of(x, a) for a in named)
        if len(set(axes)) < len(axes):
            raise ValueError(f"an axis appears twice in {tuple(named)}")
        return axes if x.ndim else None
    first = axis_of(x, named)
    return first if x.ndim else None


def _count(x: Tensor, axis: Any) -> int:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return math.prod(x.shape[a] for a in axes)


def _nonempty(name: str, x: Tensor, axis: Any) -> None:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    for a in axes:
        if x.shape[a] == 0:
            raise ValueError(f"{name}() of an empty axis (shape {x.shape}, dim {a})")


def sum(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
        keepdim: bool = False, dtype: Any = None) -> Tensor:  # fmt: skip
    """Return the sum over all axes or those named; integers and booleans are counted in int64.

    >>> t.ones(2, 3).sum(0).shape, t.ones(2, 3).sum(dim=1, keepdim=True).shape
    ((3,), (2, 1))
    """
    x = x if dtype is None else x.astype(dtype)
    y = total(x, axis=_axes(x, axis, dim), keepdims=keepdims or keepdim)
    return y if dtype is None else y.astype(dtype)


def mean(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
         keepdim: bool = False, dtype: Any = None) -> Tensor:  # fmt: skip
    """Return the mean; NaN of nothing.

    >>> t.tensor([[1.0, 3.0], [5.0, 7.0]]).mean(dim=1)
    tensor([2., 6.])
    """
    axes, keep = _axes(x, axis, dim), keepdims or keepdim
    x = x if dtype is None else x.astype(dtype)
    if x.dtype == np.float16:  # the sum may exceed what half precision holds
        return mean(x.astype(np.float32), axes, keep).astype(np.float16)
    x = as_real(x)
    n = _count(x, axes)
    return total(x, axis=axes, keepdims=keep) * (1 / n if n else math.nan)


def var(x: Tensor, axis: Any = None, ddof: int = 1, keepdims: bool = False, *, dim: Any = None,
        keepdim: bool = False, correction: int | None = None,
        unbiased: bool | None = None) -> Tensor:  # fmt: skip
    """Return the variance, divided by n - ddof (1 as in PyTorch; NumPy has 0).

    >>> t.tensor([1.0, 2.0, 3.0]).var(), t.tensor([1.0, 2.0, 3.0]).var(correction=0)
    (tensor(1.), tensor(0.6667))
    """
    return var_mean(
        x, axis, ddof, keepdims, dim=dim, keepdim=keepdim, correction=correction, unbiased=unbiased
    )[0]


def var_mean(x: Tensor, axis: Any = None, ddof: int = 1, keepdims: bool = False, *,
             dim: Any = None, keepdim: bool = False, correction: int | None = None,
             unbiased: bool | None = None) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return (variance, mean)."""
    if isinstance(axis, bool):  # PyTorch's var(x, unbiased)
        axis, unbiased = None, axis
    if unbiased is not None:
        correction = int(unbiased)
    axes, keep = _axes(x, axis, dim), keepdims or keepdim
    if x.dtype == np.float16:
        both = var_mean(x.astype(np.float32), axes, ddof, keep, correction=correction)
        return both[0].astype(np.float16), both[1].astype(np.float16)
    x = as_real(x)
    middle = mean(x, axes, keepdims=True)
    n = _count(x, axes) - (ddof if correction is None else correction)
    away = x - middle
    variance = total(away * away, axis=axes, keepdims=keep) * (1 / n if n > 0 else math.nan)
    return variance, middle if keep else middle.reshape(variance.shape)


def std(x: Tensor, axis: Any = None, ddof: int = 1, keepdims: bool = False, *, dim: Any = None,
        keepdim: bool = False, correction: int | None = None,
        unbiased: bool | None = None) -> Tensor:  # fmt: skip
    """Return the square root of `var`; its gradient at constant input is 0, not NaN.

    >>> t.tensor([1.0, 2.0, 3.0]).std()
    tensor(1.)
    """
    return std_mean(
        x, axis, ddof, keepdims, dim=dim, keepdim=keepdim, correction=correction, unbiased=unbiased
    )[0]


def std_mean(x: Tensor, axis: Any = None, ddof: int = 1, keepdims: bool = False, *,
             dim: Any = None, keepdim: bool = False, correction: int | None = None,
             unbiased: bool | None = None) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return (standard deviation, mean)."""
    both = var_mean(
        x, axis, ddof, keepdims, dim=dim, keepdim=keepdim, correction=correction, unbiased=unbiased
    )
    return safe_sqrt(both[0]), both[1]


def safe_sqrt(x: Tensor) -> Tensor:
    """Return the square root with gradient 0 at 0."""
    # the inner where keeps the infinite slope at 0 out of the graph: 0 · inf would be NaN
    zero = equal(x, 0)
    return where(zero, 0.0, sqrt(where(zero, 1.0, x)))


def prod(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: int | None = None,
         keepdim: bool = False, dtype: Any = None) -> Tensor:  # fmt: skip
    """Return the product, its gradients exact even where entries are 0; integers multiply in int64.

    >>> t.tensor([[1.0, 2.0], [3.0, 4.0]]).prod(dim=0)
    tensor([3., 8.])
    """
    if dtype is not None:
        return prod(x.astype(dtype), axis, keepdims, dim=dim, keepdim=keepdim).astype(dtype)
    axis, x = _axes(x, axis, dim), x if x.dtype.kind == "f" else x.astype(np.int64)
    keep = keepdims or keepdim
    if axis is None:
        return prod(flatten(x), 0).reshape((1,) * x.ndim if keep else ())
    y = x
    # halves, not the product divided by each entry: 0 / 0 is NaN where an entry is 0
    while y.shape[axis] > 1:
        half = y.shape[axis] // 2
        pairs = narrow(y, axis, 0, half) * narrow(y, axis, half, half)
        rest = y.shape[axis] - 2 * half
        y = ops.concatenate(pairs, narrow(y, axis, 2 * half, rest), axis=axis) if rest else pairs
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    y = y if y.shape[axis] else x.sum(axis, keepdims=True) + 1
    return y if keep else y.reshape(shape[:axis] + shape[axis + 1 :])


def amax(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
         keepdim: bool = False) -> Tensor:  # fmt: skip
    """Return the largest value; ties share the gradient evenly."""
    axis = _axes(x, axis, dim)
    _nonempty("max", x, axis)
    return ops.amax(x, axis=axis, keepdims=keepdims or keepdim)


def amin(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
         keepdim: bool = False) -> Tensor:  # fmt: skip
    """Return the smallest value; ties share the gradient evenly."""
    axis = _axes(x, axis, dim)
    _nonempty("min", x, axis)
    return ops.amin(x, axis=axis, keepdims=keepdims or keepdim)


def max(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
        keepdim: bool = False, other: Tensor | None = None) -> Any:  # fmt: skip
    """Return the largest value of all; along an axis (values, indices), of ties the first.

    >>> values, indices = t.tensor([[1.0, 5.0], [7.0, 2.0]]).max(dim=1)
    >>> values, indices
    (tensor([5., 7.]), tensor([1, 0]))
    """
    axis = axis if other is None else other
    if isinstance(axis, Tensor):
        return maximum(x, axis)
    if axis is None and dim is None:
        return amax(x, None, keepdims or keepdim)
    return _extreme(argmax, x, dim if axis is None else axis, keepdims or keepdim)


def min(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
        keepdim: bool = False, other: Tensor | None = None) -> Any:  # fmt: skip
    """Return the smallest value of all; along an axis (values, indices), of ties the first."""
    axis = axis if other is None else other
    if isinstance(axis, Tensor):
        return ops.minimum(x, axis)
    if axis is None and dim is None:
        return amin(x, None, keepdims or keepdim)
    return _extreme(argmin, x, dim if axis is None else axis, keepdims or keepdim)


def _extreme(where_is: Any, x: Tensor, axis: int, keep: bool) -> ValuesIndices:
    places = where_is(x, axis)
    if not x.ndim:
        return ValuesIndices(x, places)
    axis, rest, xp = axis_of(x, axis), x.ndim - 2, x.xp  # the grid of `gather`, nothing to check
    index = [xp.arange(n).reshape((-1,) + (1,) * (rest - k)) for k, n in enumerate(places.shape)]
    index.insert(axis, places._array)
    found = ValuesIndices(ops.getitem(x, index=tuple(index)), places)
    return ValuesIndices(*(f.unsqueeze(axis) for f in found)) if keep else found


def argmax(x: Tensor, axis: int | None = None, keepdims: bool = False, *, dim: int | None = None,
           keepdim: bool = False) -> Tensor:  # fmt: skip
    """Return the place of the largest value, the first of several; without an axis, in the
    flattened tensor.

    >>> x = t.tensor([[1.0, 5.0], [7.0, 2.0]])
    >>> x.argmax(), x.argmax(dim=0)
    (tensor(2), tensor([1, 0]))
    """
    axis = _axes(x, axis, dim)
    _nonempty("argmax", x, axis)
    y = ops.argmax(x, axis=axis)
    return y if not (keepdims or keepdim) or axis is None else y.unsqueeze(axis)


def argmin(x: Tensor, axis: int | None = None, keepdims: bool = False, *, dim: int | None = None,
           keepdim: bool = False) -> Tensor:  # fmt: skip
    """Return where the smallest value is, the first of several."""
    axis = _axes(x, axis, dim)
    _nonempty("argmin", x, axis)
    y = ops.argmin(x, axis=axis)
    return y if not (keepdims or keepdim) or axis is None else y.unsqueeze(axis)


def all(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
        keepdim: bool = False) -> Tensor:  # fmt: skip
    """Tell whether all entries hold, over all axes or those named.

    >>> t.tensor([[True, False], [True, True]]).all(dim=1)
    tensor([False,  True])
    """
    return ops.all_of(x, axis=_axes(x, axis, dim), keepdims=keepdims or keepdim)


def any(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
        keepdim: bool = False) -> Tensor:  # fmt: skip
    """Tell whether any entry holds, over all axes or those named.

    >>> t.tensor([[True, False], [False, False]]).any(dim=1)
    tensor([ True, False])
    """
    return ops.any_of(x, axis=_axes(x, axis, dim), keepdims=keepdims or keepdim)


def logsumexp(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
              keepdim: bool = False) -> Tensor:  # fmt: skip
    """Return log Σ exp, finite wherever the answer is; -inf of nothing. Where the largest is
    infinite it is the answer, and no gradient flows.

    >>> t.tensor([[1000.0, 1000.0]]).logsumexp(dim=1)
    tensor([1000.6932])
    """
    axes, keep, x = _axes(x, axis, dim), keepdims or keepdim, as_real(x)
    if not _count(x, axes):
        return total(x, axis=axes, keepdims=keep) - math.inf
    top = ops.amax(wrap(x._array, None), axis=axes, keepdims=True)
    if type(x._array) is np.ndarray and MODE.get().plain and np.isfinite(top._array).all():
        y = log(total(exp(x - top), axis=axes, keepdims=True)) + top
        return y if keep else squeeze(y, axes)
    # ∞ − ∞ is NaN: an infinite largest entry is left out of the sum and put in as the answer
    wild = ops.isinf(top)
    near = where(wild, 0.0, x - where(wild, 0.0, top))
    y = where(wild, top, log(total(exp(near), axis=axes, keepdims=True)) + top)
    return y if keep else squeeze(y, axes)


def cumsum(x: Tensor, axis: int | None = None, *, dim: int | None = None,
           dtype: Any = None) -> Tensor:  # fmt: skip
    """Return running sums along an axis (of the flattened tensor if none is named).

    >>> t.tensor([[1, 2], [3, 4]]).cumsum(dim=1)
    tensor([[1, 3],
            [3, 7]])
    """
    if dtype is not None:
        return cumsum(x.astype(dtype), axis, dim=dim).astype(dtype)
    axis = _axes(x, axis, dim)
    if not x.ndim:
        return total(x, axis=None, keepdims=False)
    return ops.cumsum(flatten(x) if axis is None else x, axis=axis or 0)


def cumprod(x: Tensor, axis: int | None = None, *, dim: int | None = None,
            dtype: Any = None) -> Tensor:  # fmt: skip
    """Return running products, in log₂ n steps of pairwise products, so zeros leave gradients
    exact."""
    if dtype is not None:
        return cumprod(x.astype(dtype), axis, dim=dim).astype(dtype)
    axis = axis_of(x, (0 if dim is None else dim) if axis is None else axis)
    x, shift = x if x.dtype.kind == "f" else x.astype(np.int64), 1
    while x.ndim and shift < x.shape[axis]:
        rest = x.shape[axis] - shift
        moved = narrow(x, axis, shift, rest) * narrow(x, axis, 0, rest)
        x = ops.concatenate(narrow(x, axis, 0, shift), moved, axis=axis)
        shift *= 2
    return x


def cummax(x: Tensor, dim: int) -> ValuesIndices:
    """Return running maxima and where they were (of equal ones the latest).

    >>> t.tensor([1.0, 3.0, 2.0]).cummax(0)
    ValuesIndices(values=tensor([1., 3., 3.]), indices=tensor([0, 1, 1]))
    """
    if not x.ndim:
        return ValuesIndices(x, wrap(x.xp.zeros((), np.int64), None))
    dim, a, xp = axis_of(x, dim), x._array, x.xp
    lead = (slice(None),) * dim
    places = xp.broadcast_to(
        xp.arange(a.shape[dim], dtype=np.int64).reshape((-1,) + (1,) * (a.ndim - dim - 1)), a.shape
    )
    shift = 1
    while shift < a.shape[dim]:
        now, before = (*lead, slice(shift, None)), (*lead, slice(None, -shift))
        keeps = np.greater_equal(a[now], a[before]) | np.isnan(a[now])
        first = (*lead, slice(shift))
        places = np.concatenate(
            [places[first], np.where(keeps, places[now], places[before])], axis=dim
        )
        a = np.concatenate([a[first], np.where(keeps, a[now], a[before])], axis=dim)
        shift *= 2
    indices = wrap(places, None)
    return ValuesIndices(take_along_dim(x, indices, dim), indices)


def vector_norm(x: Tensor, ord: float = 2, axis: Any = None, keepdims: bool = False, *,
                dim: Any = None, keepdim: bool = False) -> Tensor:  # fmt: skip
    """Return (Σ|x|ᵖ)^(1/p), also for p = ∞, -∞, 0 and 1; its gradient at 0 is 0."""
    axis, keep, x = _axes(x, axis, dim), keepdims or keepdim, as_real(x)
    if ord in (math.inf, -math.inf):
        return (amax if ord > 0 else amin)(absolute(x), axis, keep)
    if ord == 0:
        return total(where(equal(x, 0), ops.sign(x), 1.0), axis=axis, keepdims=keep)
    if ord == 1:
        return total(absolute(x), axis=axis, keepdims=keep)
    if ord == 2:
        return safe_sqrt(total(x * x, axis=axis, keepdims=keep))
    size, none = absolute(x), equal(x, 0)
    powers = where(none, 0.0 if ord > 0 else math.inf, power(where(none, 1.0, size), ord))
    sums = total(powers, axis=axis, keepdims=keep)
    zero = equal(sums, 0) if ord > 0 else ops.isinf(sums)
    return where(zero, 0.0, power(where(zero, 1.0, sums), 1 / ord))


def norm(x: Tensor, p: Any = 2, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
         keepdim: bool = False) -> Tensor:  # fmt: skip
    """Return the p-norm of all entries or along axes ("fro" is 2).

    >>> t.tensor([[3.0, 4.0], [6.0, 8.0]]).norm(dim=1)
    tensor([ 5., 10.])
    """
    if isinstance(p, str) and p != "fro":
        raise ValueError(f"norm: p must be a number or 'fro', not {p!r}; for singular values use "
                         "numpy.linalg.svd of x.numpy()")  # fmt: skip
    return vector_norm(x, 2 if p == "fro" else p, axis, keepdims, dim=dim, keepdim=keepdim)


def softmax(x: Tensor, axis: int | None = None, *, dim: int | None = None,
            dtype: Any = None) -> Tensor:  # fmt: skip
    """Return exp(x) / Σ exp(x) along an axis (the last), without overflow.

    >>> t.tensor([[0.0, 0.0], [0.0, 1000.0]]).softmax(dim=1)
    tensor([[0.5, 0.5],
            [0. , 1. ]])
    """
    x = x if dtype is None else x.astype(dtype)
    axis = axis_of(x, (-1 if dim is None else dim) if axis is None else axis)
    return ops.softmax(x, axis=axis) if x.ndim else softmax(x.reshape(1)).reshape()


def softmin(x: Tensor, axis: int | None = None, *, dim: int | None = None,
            dtype: Any = None) -> Tensor:  # fmt: skip
    """Return the softmax of -x: the smallest entry gets the largest share.

    >>> t.softmin(t.tensor([0.0, 1000.0]), dim=0)
    tensor([1., 0.])
    """
    return softmax(-as_real(x), axis, dim=dim, dtype=dtype)


def log_softmax(x: Tensor, axis: int | None = None, *, dim: int | None = None,
                dtype: Any = None) -> Tensor:  # fmt: skip
    """Return log softmax(x), exact where softmax itself would round to 0."""
    x = x if dtype is None else x.astype(dtype)
    axis = axis_of(x, (-1 if dim is None else dim) if axis is None else axis)
    return ops.log_softmax(x, axis=axis) if x.ndim else log_softmax(x.reshape(1)).reshape()


def masked_softmax(x: Tensor, mask: Any, axis: int = -1) -> Tensor:
    """Return the softmax of the entries where `mask` is true; where none is, 0 and no gradient.

    >>> t.masked_softmax(t.tensor([1.0, 1.0, 9.0]), t.tensor([True, True, False]))
    tensor([0.5, 0.5, 0. ])
    """
    some = any(
        mask if isinstance(mask, Tensor) else wrap(x.xp.asarray(mask), None), axis, keepdims=True
    )
    filled = where(mask, x, where(some, -math.inf, 0.0).astype(x.dtype))
    return where(mask, softmax(filled, axis), 0.0)


check_arguments(globals())
