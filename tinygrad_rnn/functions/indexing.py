"""Read and write at places, and sort: `x[...]`, gather, scatter; `methods` and programs call it.

`index_put`, `scatter` and others return a new Tensor. `x[key] = values` changes `x` and all that
look at its memory; x then has a new array, and a graph that saved the old one keeps it.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import numpy as np

from ..engine.accumulate import is_basic
from ..engine.arguments import check_arguments
from ..engine.arrays import as_array, is_array
from ..engine.context import is_grad_enabled, report_use
from ..engine.ops import argsort as _argsort
from ..engine.ops import broadcast_to as _broadcast_to
from ..engine.ops import getitem, put, where
from ..engine.ops import reshape as _reshape
from ..engine.shared_memory import rebind, written
from ..engine.tensor import Tensor, wrap
from .in_place import bind, refuse_leaf, refuse_recorded_view
from .memory_views import GETITEM, look, viewed
from .shapes import along, axis_of, flatten, flip, narrow


class ValuesIndices(tuple):  # a NamedTuple would take as long to define as the rest of this file
    """Hold the (values, indices) that max, min, sort, topk and cummax return along an axis."""

    __slots__ = ()
    values: Tensor = property(itemgetter(0))  # type: ignore[assignment]
    indices: Tensor = property(itemgetter(1))  # type: ignore[assignment]

    def __new__(cls, values: Tensor, indices: Tensor) -> ValuesIndices:
        return tuple.__new__(cls, (values, indices))

    def __getnewargs__(self) -> tuple:
        return tuple(self)

    def __repr__(self) -> str:
        return f"ValuesIndices(values={self.values!r}, indices={self.indices!r})"


def index_of(x: Tensor, key: Any) -> tuple:
    """Return a user's index as a tuple of slices, integers, None, … and integer arrays of x's
    library."""
    keys = [_index_part(x, k) for k in (key if isinstance(key, tuple) else (key,))]
    widths = [0 if k is None or k is Ellipsis else k.ndim if _is_mask(k) else 1 for k in keys]
    parts: list[Any] = []
    axis = 0
    for i, (k, width) in enumerate(zip(keys, widths)):
        axis = x.ndim - sum(widths[i:]) if k is Ellipsis else axis
        masked = x.shape[axis : axis + width]
        if _is_mask(k) and k.shape != masked:
            raise IndexError(f"a mask of shape {k.shape} on axes of sizes {masked}, in {x.shape}")
        parts += k.nonzero() if _is_mask(k) and width else (k,)
        axis += width
    return tuple(parts)


def _is_mask(k: Any) -> bool:
    return is_array(k) and k.dtype.kind == "b"


def _index_part(x: Tensor, k: Any) -> Any:
    if k is None or k is Ellipsis or isinstance(k, slice):
        return k
    if isinstance(k, (int, np.integer)) and not isinstance(k, (bool, np.bool_)):
        return int(k)
    if isinstance(k, Tensor):
        array = k._array if k.ndim else k._read("index")
    elif is_array(k):
        array = as_array(k)  # a copy: the graph must not see it change
    else:
        array = x.xp.asarray(_whole_numbers(k))
    if array.dtype.kind not in "iub":
        raise IndexError(f"tensors used as indices must be integers or booleans, not {array.dtype}")
    return int(array.item()) if array.ndim == 0 and array.dtype.kind != "b" else array


def _whole_numbers(k: Any) -> np.ndarray:
    """Return a list as an index; Python's integers are int64 on every platform."""
    array = np.asarray(k, np.int64 if np.size(k) == 0 else None)
    return array.astype(np.int64) if array.dtype.kind == "i" else array


def take(x: Tensor, key: Any) -> Tensor:
    """Return `x[key]`: basic slices, integer arrays (repeats add up in the gradient), boolean
    masks."""
    if type(key) is int or type(key) is slice:
        return look(x, GETITEM, {"index": (key,)})
    index = index_of(x, key)
    if not any(map(is_array, index)):
        return look(x, GETITEM, {"index": index})
    if any(type(k) is int for k in index):
        return _integers_first(x, index)
    return getitem(x, index=index)


def _integers_first(x: Tensor, index: tuple) -> Tensor:
    """Take integers' axes away before arrays meet, as PyTorch does. NumPy counts an integer among
    the arrays, so that x[0, :, [1, 2]] would have the axis of the array in front."""
    alone = (k if type(k) is int or k is Ellipsis else slice(None) for k in index if k is not None)
    rest = tuple(k for k in index if type(k) is not int)
    return getitem(getitem(x, index=tuple(alone)), index=rest)


def index_put(x: Tensor, key: Any, values: Any, accumulate: bool = False) -> Tensor:
    """Return a copy of `x` with `values` at `key`: added if `accumulate`, else the last stays."""
    index = index_of(x, key)
    values = (
        values if isinstance(values, Tensor) else wrap(as_array(values, x.dtype, x.device), None)
    )
    place = x._array[index]
    values = _broadcast_to(values, shape=place.shape)
    if accumulate:
        return x + put(values, index=index, shape=x.shape, dtype=x.dtype)
    writer = x.xp.full(x.shape, -1.0)  # which entry of values was written last where
    entries = x.xp.arange(float(place.size)).reshape(place.shape)
    if _last_stays(x, index):
        writer[index] = entries
    else:
        x.xp.maximum.at(writer, index, entries)
    values, last = _reshape(values, shape=(place.size,)), writer.clip(0).astype(np.int64)
    chosen = getitem(values, index=(last,)) if place.size else x
    return where(writer >= 0, chosen.astype(x.dtype), x)


def _last_stays(x: Tensor, index: tuple) -> bool:
    """Return True if an assignment leaves the last of several values written to one place: NumPy's
    does, CuPy's leaves any of them."""
    return x.xp is np or is_basic(index)


def set_items(x: Tensor, key: Any, values: Any) -> None:
    """Set `x[key] = values` for all views of `x`; in a graph if `x` or `values` have one."""
    report_use("changes a Tensor", "x[key] = values")
    if is_grad_enabled() and (x.requires_grad or getattr(values, "requires_grad", False)):
        refuse_leaf(x, ", or x = index_put(x, key, values) for a changed copy")
        bind(x, index_put(x, key, values), "x[key] = values")
        return
    index = index_of(x, key)
    if isinstance(values, Tensor) and _is_there(x, index, values):
        return  # the last step of `x[key] += …`, whose `+=` wrote through the view
    array = values._array if isinstance(values, Tensor) else values
    refuse_recorded_view(x, "x[key] = values")
    if not _last_stays(x, index):
        rebind(x, index_put(x, key, values)._array)
    elif hasattr(x, "_memory"):
        x._memory.bind(written(x._memory.array, x._way, index, array))
    else:
        changed = x._array.copy()
        changed[index] = array
        x._array = changed


def _is_there(x: Tensor, index: tuple, values: Tensor) -> bool:
    """Return True if `values` is the view x[index]."""
    memory = getattr(values, "_memory", None)
    if memory is None or memory is not getattr(x, "_memory", None) or values._way is None:
        return False
    show, params, before = values._way
    return (
        show is GETITEM.compute
        and before is x._way
        and is_basic(index)
        and params["index"] == index
    )


def take_along_dim(x: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """Return for each place of `indices` the entry of `x` that many along `dim`; other axes
    broadcast.

    >>> take_along_dim(tensor([[1, 2], [3, 4]]), tensor([[1]]), 1).tolist()
    [[2], [4]]
    """
    if dim is None:
        return take_along_dim(flatten(x), flatten(indices), 0)
    axis = axis_of(x, dim)
    if x.ndim == indices.ndim:
        shapes = [(*t.shape[:axis], 1, *t.shape[axis + 1 :]) for t in (x, indices)]
        wide = np.broadcast_shapes(*shapes)
        x, indices = (t if (fits := (*wide[:axis], t.shape[axis], *wide[axis + 1 :])) == t.shape
                      else _broadcast_to(t, shape=fits) for t in (x, indices))  # fmt: skip
    return getitem(x, index=_grid(x, indices, axis))


def gather(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """Return `out[i, j] = x[index[i, j], j]` for dim 0, and so on; index may be smaller than x.

    >>> t.gather(t.tensor([[1, 2], [3, 4]]), 1, t.tensor([[1], [0]]))
    tensor([[2],
            [3]])
    """
    return getitem(x, index=_grid(x, index, axis_of(x, dim)))


def scatter_add(x: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Return a copy of `x` with `src` added at the places `gather` would read; repeats add up.

    >>> t.zeros(3).scatter_add(0, t.tensor([0, 0, 2]), t.tensor([1.0, 2.0, 3.0]))
    tensor([3., 0., 3.])
    """
    places = _grid(x, index, axis_of(x, dim))
    part = getitem(src, index=tuple(slice(n) for n in index.shape))
    return x + put(part, index=places, shape=x.shape, dtype=x.dtype)


def scatter(x: Tensor, dim: int, index: Tensor, src: Any, *, reduce: str | None = None) -> Tensor:
    """Return a copy of `x` with `src` written at those places; of repeats the last one stays.

    With reduce="add" it is added there, with "multiply" multiplied.
    """
    if reduce is not None:
        if reduce not in ("add", "multiply"):
            raise ValueError(f"scatter: reduce must be 'add' or 'multiply', not {reduce!r}")
        src = src if isinstance(src, Tensor) else wrap(x.xp.full(index.shape, src, x.dtype), None)
        return scatter_reduce(x, dim, index, src, {"add": "sum", "multiply": "prod"}[reduce])
    places = _grid(x, index, axis_of(x, dim))
    if isinstance(src, Tensor):
        src = getitem(src, index=tuple(slice(n) for n in index.shape))
    return index_put(x, places, src)


def scatter_reduce(x: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *,
                   include_self: bool = True) -> Tensor:  # fmt: skip
    """Return a copy of `x` with what `src` sends to each place summed, multiplied, … into it.

    `reduce` is "sum", "prod", "mean", "amax" or "amin"; with include_self=False the old value of a
    place that gets some does not count.

    >>> t.zeros(2).scatter_reduce(0, t.tensor([0, 0, 1]), t.tensor([1.0, 3.0, 5.0]), "mean",
    ...                           include_self=False)
    tensor([2., 5.])
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        wanted = "'sum', 'prod', 'mean', 'amax' or 'amin'"
        raise ValueError(f"scatter_reduce: reduce must be {wanted}, not {reduce!r}")
    places = _grid(x, index, axis_of(x, dim))
    part = getitem(src, index=tuple(slice(n) for n in index.shape))
    flat = x.xp.arange(x._array.size).reshape(x.shape)[places].reshape(-1)
    return _sent_together(x.reshape(-1), part.reshape(-1), flat, reduce, include_self).reshape(
        x.shape
    )


def _sent_together(x: Tensor, part: Tensor, places: Any, reduce: str, own: bool) -> Tensor:
    """Return `scatter_reduce` of vectors: what is sent to one place is one row of a table."""
    count = np.bincount(places, minlength=len(x._array)) + own
    width = max(int(count.max()), 1) if count.size else 1
    order = np.argsort(places, kind="stable")
    starts = np.cumsum(count - own) - (count - own)
    rank = np.empty(len(places), np.int64)
    rank[order] = np.arange(len(places)) - starts[places[order]] + own
    fill: Any = {"sum": 0, "mean": 0, "prod": 1}.get(reduce)
    if fill is None:
        limits = np.iinfo(x.dtype) if x.dtype.kind in "iu" else None
        low, high = (limits.min, limits.max) if limits else (-np.inf, np.inf)
        fill = low if reduce == "amax" else high
    table = wrap(x.xp.full((len(x._array), width), fill, x.dtype), None)
    if own and width:
        table = index_put(table, (slice(None), 0), x)
    table = index_put(table, (wrap(places, None), wrap(rank, None)), part)
    y = getattr(table, "sum" if reduce == "mean" else reduce)(1).astype(x.dtype)
    if reduce == "mean":
        total = x.xp.maximum(count, 1).astype(x.dtype)
        y = y / total if x.dtype.kind == "f" else y // total
    return where(wrap(count > 0, None), y, x)


def _grid(x: Tensor, index: Any, dim: int) -> tuple:
    array = index._array if isinstance(index, Tensor) else x.xp.array(index)
    if array.ndim == x.ndim == 0:  # of one entry there is one place
        return ()
    if array.ndim != x.ndim:
        raise ValueError(f"index has {array.ndim} axes, the tensor {x.ndim}: they must agree")
    if array.size and not -x.shape[dim] <= int(array.min()) <= int(array.max()) < x.shape[dim]:
        raise IndexError(f"an index in [{array.min()}, {array.max()}] is out of bounds for "
                         f"dimension {dim} with size {x.shape[dim]}")  # fmt: skip
    return tuple(
        array
        if i == dim
        else x.xp.arange(n, dtype=np.int64).reshape((1,) * i + (n,) + (1,) * (x.ndim - i - 1))
        for i, n in enumerate(array.shape)
    )


def index_add(x: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """Return x with alpha · source added at the places of one axis that `index` (K,) names.

    >>> t.zeros(3).index_add(0, t.tensor([0, 2, 2]), t.ones(3))
    tensor([1., 0., 2.])
    """
    key = (*(slice(None),) * axis_of(x, dim), index)
    if not x.ndim:
        return index_add(x.reshape(1), 0, index, source.reshape(-1), alpha=alpha).reshape(())
    return index_put(x, key, source if alpha == 1 else source * alpha, accumulate=True)


def index_select(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """Return the entries `index` (a vector) along `dim`, repeats allowed.

    >>> t.arange(6).reshape(2, 3).index_select(1, t.tensor([2, 0]))
    tensor([[2, 0],
            [5, 3]])
    """
    y = x.reshape(1) if not x.ndim else x
    y = getitem(y, index=along(x, dim, index_of(x, index)[0]))
    return y if x.ndim else y.reshape(())


def select(x: Tensor, dim: int, index: int) -> Tensor:
    """Take one index of an axis, which is gone then.

    >>> t.ones(2, 3).select(1, 0).shape
    (2,)
    """
    return viewed(x, getitem, index=along(x, dim, int(index)))


def masked_select(x: Tensor, mask: Tensor) -> Tensor:
    """Return the values where `mask` holds, as a vector.

    >>> x = t.arange(4)
    >>> x.masked_select(x > 1)
    tensor([2, 3])
    """
    shape = np.broadcast_shapes(x.shape, mask.shape)
    return take(_broadcast_to(x, shape=shape), _broadcast_to(mask, shape=shape))


def masked_fill(x: Tensor, mask: Any, value: Any) -> Tensor:
    """Return `value` where `mask` holds, else `x`; no gradient there, not even of NaN.

    >>> t.ones(3).masked_fill(t.tensor([True, False, True]), 0.0)
    tensor([0., 1., 0.])
    """
    if isinstance(value, (int, float)) and x.dtype.kind != "f":
        if x.dtype.type(value) != value:
            raise TypeError(f"masked_fill: {value!r} is no number of {x.dtype}; use astype first")
        value = x.dtype.type(value)
    return where(mask, value, x)


def argsort(
    x: Tensor,
    axis: int = -1,
    descending: bool = False,
    *,
    dim: int | None = None,
    stable: bool = True,  # PyTorch's option: it is always so here
) -> Tensor:
    """Return the order that sorts, equal values as they came.

    >>> t.tensor([3, 1, 2]).argsort()
    tensor([1, 2, 0])
    """
    axis = axis_of(x, axis if dim is None else dim)
    if not descending or x.ndim == 0:
        return _argsort(x, axis=axis) if x.ndim else wrap(x.xp.zeros((), np.int64), None)
    turned = _argsort(flip(x, axis), axis=axis)  # reversed twice, so that ties keep their order
    return flip(x.shape[axis] - 1 - turned, axis)


def sort(
    x: Tensor,
    axis: int = -1,
    descending: bool = False,
    *,
    dim: int | None = None,
    stable: bool = True,  # PyTorch's option: it is always so here
) -> ValuesIndices:
    """Sort along an axis: (values, indices), equal values as they came.

    >>> t.tensor([3, 1, 2]).sort(descending=True).values
    tensor([3, 2, 1])
    """
    if x.ndim == 0:
        return ValuesIndices(x, argsort(x))
    axis = axis_of(x, axis if dim is None else dim)
    order = argsort(x, axis, descending)
    return ValuesIndices(take_along_dim(x, order, axis), order)


def topk(x: Tensor, k: int, dim: int = -1, largest: bool = True,
         sorted: bool = True) -> ValuesIndices:  # fmt: skip
    """Return the k largest (or smallest) values along an axis and where they are, always sorted.

    >>> t.tensor([3.0, 1.0, 2.0]).topk(2)
    ValuesIndices(values=tensor([3., 2.]), indices=tensor([0, 2]))
    """
    n = x.shape[axis_of(x, dim)] if x.ndim else 1
    if not 0 <= k <= n:
        raise ValueError(f"topk: k={k} is out of range for dimension of size {n}")
    if not x.ndim and k:
        return sort(x)
    values, indices = sort(x, dim, descending=largest)
    return ValuesIndices(narrow(values, dim, 0, k), narrow(indices, dim, 0, k))


check_arguments(globals())
