"""Move values without changing them: reshape, cat, pad, flip; `methods` and programs call it.

Axes may be called `axis` or `dim`. Results that are views share their memory with the input, as
PyTorch's are: a write through one is seen in the other. `flip`, `roll`, `tile`, `repeat`, `pad`,
`cat` and `stack` make new ones.
"""

from __future__ import annotations

import math
import operator
from builtins import all as all_true
from builtins import any as any_true
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from ..engine.arguments import check_arguments
from ..engine.arrays import library_of
from ..engine.ops import broadcast_to as _broadcast_to
from ..engine.ops import concatenate, getitem, put, where
from ..engine.ops import reshape as _reshape
from ..engine.ops import stack as _stack
from ..engine.ops import transpose as _transpose
from ..engine.shared_memory import leave
from ..engine.tensor import Tensor, wrap
from .memory_views import pieces, shown, viewed


def axis_of(x: Any, axis: int, extra: int = 0) -> int:
    """Return `axis` counted from the front; IndexError in PyTorch's words if there is none such."""
    n = x.ndim + extra or 1
    if type(axis) is int and -n <= axis < n:
        return axis % n
    if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)):
        raise TypeError(f"an axis is an integer, not {axis!r} ({type(axis).__name__}); "
                        "options such as keepdims go by their names")  # fmt: skip
    if not -n <= axis < n:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {axis})"
        )
    return axis % n


def _sizes(shape: tuple) -> tuple[int, ...]:
    nested = len(shape) == 1 and isinstance(shape[0], (tuple, list))
    return tuple(map(operator.index, shape[0] if nested else shape))


def reshape(x: Tensor, *shape: Any) -> Tensor:
    """Return the same values in another shape, a view if possible; one size may be -1.

    >>> t.arange(6).reshape(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    return _view_or_copy(x, _shape_of(x, shape))


def view(x: Tensor, *shape: Any) -> Tensor:
    """Return x in another shape: `reshape` that is a view whatever the order in memory."""
    return viewed(x, _reshape, shape=_shape_of(x, shape))


def _view_or_copy(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Reshape as PyTorch does: numbers whose order in memory does not fit the shape are copied."""
    a = x._array
    if a.flags.c_contiguous or min(a.strides) < 0:
        return viewed(x, _reshape, shape=shape)
    y = viewed(x, _reshape, shape=shape)
    if not library_of(a).xp.may_share_memory(y._array, a):
        leave(y)
    return y


def _shape_of(x: Tensor, shape: tuple) -> tuple[int, ...]:
    """Return the sizes a user gave, with the number that -1 stands for."""
    sizes, count = _sizes(shape), x._array.size
    known = math.prod(sizes)
    if -1 in sizes:
        known = -known
        if known > 0 and count % known == 0 and sizes.count(-1) == 1:
            sizes = tuple([count // known if n == -1 else n for n in sizes])
            known = count
    if known != count or min(sizes, default=0) < 0:
        raise ValueError(f"shape '{list(_sizes(shape))}' is invalid for input of size {count}")
    return sizes


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Join the axes from `start_dim` to `end_dim` into one.

    >>> t.ones(2, 3, 4).flatten(1).shape, t.ones(2, 3, 4).flatten().shape
    ((2, 12), (24,))
    """
    first, last = axis_of(x, start_dim), axis_of(x, end_dim)
    if first > last:
        raise ValueError("flatten() has invalid args: start_dim cannot come after end_dim")
    size = math.prod(x.shape[first : last + 1])
    return _view_or_copy(x, (*x.shape[:first], size, *x.shape[last + 1 :]))


def ravel(x: Tensor) -> Tensor:
    """Join all axes into one."""
    return flatten(x) if x.ndim != 1 else x


def unflatten(x: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Split one axis into several of `sizes` (one may be -1).

    >>> t.ones(2, 12).unflatten(1, (3, -1)).shape
    (2, 3, 4)
    """
    dim = axis_of(x, dim)
    known = math.prod([n for n in sizes if n != -1])
    filled = [x.shape[dim] // max(known, 1) if n == -1 else n for n in sizes]
    if math.prod(filled) != x.shape[dim]:
        raise ValueError(f"unflatten: sizes {list(sizes)} don't multiply up to {x.shape[dim]}")
    return viewed(x, _reshape, shape=(*x.shape[:dim], *filled, *x.shape[dim + 1 :]))


def permute(x: Tensor, *axes: Any) -> Tensor:
    """Return the axes in another order, all of them given.

    >>> t.ones(2, 3, 4).permute(2, 0, 1).shape
    (4, 2, 3)
    """
    order = tuple(axis_of(x, a) for a in _sizes(axes))
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"permute: {order} is no order of the {x.ndim} axes of shape {x.shape}")
    return viewed(x, _transpose, axes=order)


def transpose(x: Tensor, *axes: Any) -> Tensor:
    """Exchange two axes (PyTorch), reverse all of them (none named), or permute them (NumPy).

    >>> t.ones(2, 3, 4).transpose(0, 2).shape, t.ones(2, 3).transpose().shape
    ((4, 3, 2), (3, 2))
    """
    axes = _sizes(axes) if axes and axes[0] is not None else ()
    if not axes:
        return viewed(x, _transpose, axes=tuple(range(x.ndim))[::-1])
    if len(axes) == x.ndim and sorted(axis_of(x, a) for a in axes) == list(range(x.ndim)):
        return x if axes == tuple(range(x.ndim)) and x.ndim != 2 else _pair_or_order(x, axes)
    return swapaxes(x, *axes)


def _pair_or_order(x: Tensor, axes: tuple) -> Tensor:
    return swapaxes(x, *axes) if x.ndim == 2 else permute(x, axes)


def swapaxes(x: Tensor, axis0: int, axis1: int) -> Tensor:
    """Exchange two axes.

    >>> t.ones(2, 3, 4).swapaxes(0, 1).shape
    (3, 2, 4)
    """
    axes = list(range(x.ndim))
    first, second = axis_of(x, axis0), axis_of(x, axis1)
    if axes:
        axes[first], axes[second] = axes[second], axes[first]
    return viewed(x, _transpose, axes=tuple(axes))


def movedim(x: Tensor, source: Any, destination: Any) -> Tensor:
    """Move axes `source` to the places `destination`; the others keep their order.

    >>> t.ones(2, 3, 4).movedim(0, -1).shape
    (3, 4, 2)
    """
    froms = [axis_of(x, a) for a in (source if isinstance(source, (tuple, list)) else (source,))]
    tos = [
        axis_of(x, a)
        for a in (destination if isinstance(destination, (tuple, list)) else (destination,))
    ]
    if len(froms) != len(tos) or len(set(froms)) < len(froms) or len(set(tos)) < len(tos):
        raise ValueError(f"movedim: {source} and {destination} must name as many different axes")
    order = [a for a in range(x.ndim) if a not in froms]
    for to, origin in sorted(zip(tos, froms, strict=True)):
        order.insert(to, origin)
    return viewed(x, _transpose, axes=tuple(order))


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """Insert an axis of size 1 at `dim`.

    >>> t.ones(2, 3).unsqueeze(1).shape, t.ones(2, 3).unsqueeze(-1).shape
    ((2, 1, 3), (2, 3, 1))
    """
    dim, shape = axis_of(x, dim, 1), x._array.shape
    return viewed(x, _reshape, shape=(*shape[:dim], 1, *shape[dim:]))


def squeeze(x: Tensor, axis: Any = None, *, dim: Any = None) -> Tensor:
    """Remove the axes of size 1, or those named that have size 1.

    >>> t.ones(1, 3, 1).squeeze().shape, t.ones(1, 3, 1).squeeze(0).shape
    ((3,), (3, 1))
    """
    named = dim if axis is None else axis
    axes = (
        range(x.ndim) if named is None else named if isinstance(named, (tuple, list)) else (named,)
    )
    gone = {axis_of(x, a) for a in axes}
    left = tuple(n for i, n in enumerate(x.shape) if not (n == 1 and i in gone))
    return viewed(x, _reshape, shape=left)


def broadcast_to(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Return `x` repeated along new axes and axes of size 1, without copying.

    >>> t.ones(3, 1).broadcast_to((2, 3, 4)).shape
    (2, 3, 4)
    """
    shape = tuple(shape)
    ends = shape[len(shape) - x.ndim :] if len(shape) >= x.ndim else ()
    if len(ends) != x.ndim or any(n not in (1, m) for n, m in zip(x.shape, ends)):
        raise ValueError(f"broadcast_to: shape {x.shape} does not broadcast to {shape}")
    return viewed(x, _broadcast_to, shape=shape)


def expand(x: Tensor, *sizes: Any) -> Tensor:
    """Broadcast x to a shape, where -1 keeps an axis as it is.

    >>> t.ones(3, 1).expand(-1, 4).shape
    (3, 4)
    """
    sizes = _sizes(sizes)
    lead = len(sizes) - x.ndim
    if lead < 0 or -1 in sizes[:lead]:
        raise ValueError(
            f"expand: sizes {list(sizes)} have no place for the axes of shape {x.shape}"
        )
    shape = tuple(x.shape[i - lead] if n == -1 else n for i, n in enumerate(sizes))
    return viewed(x, _broadcast_to, shape=shape)


def expand_as(x: Tensor, other: Tensor) -> Tensor:
    """Repeat along axes of size 1 to the shape of `other`.

    >>> t.ones(3, 1).expand_as(t.ones(3, 4)).shape
    (3, 4)
    """
    return expand(x, other.shape)


def tile(x: Tensor, dims: Any, *more: int) -> Tensor:
    """Return the whole tensor laid side by side, `dims` times along each axis (from the last).

    >>> t.tensor([1, 2]).tile((2, 2))
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    times = _sizes((dims, *more))
    times = (1,) * (x.ndim - len(times)) + times
    shape = (1,) * (len(times) - x.ndim) + x.shape
    pairs = [s for t, n in zip(times, shape, strict=True) for s in (t, n)]
    ones = [s for n in shape for s in (1, n)]
    wide = _broadcast_to(_reshape(x, shape=tuple(ones)), shape=tuple(pairs))
    return _reshape(wide, shape=tuple(t * n for t, n in zip(times, shape, strict=True)))


def repeat(x: Tensor, *repeats: Any) -> Tensor:
    """Tile x with at least one count per axis, as PyTorch's repeat does.

    >>> t.ones(2, 3).repeat(2, 1, 4).shape
    (2, 2, 12)
    """
    if len(_sizes(repeats)) < x.ndim:
        raise ValueError(
            "repeat: Number of dimensions of repeat dims can not be smaller than "
            f"number of dimensions of tensor ({_sizes(repeats)}, {x.shape})"
        )
    return tile(x, *repeats)


def along(x: Any, dim: int, part: Any) -> tuple:
    """Return the index that takes `part` of axis `dim` and all of those before it."""
    return (slice(None),) * axis_of(x, dim) + (part,)


def flip(x: Tensor, dims: Any, *more: int) -> Tensor:
    """Return the values in reverse order along `dims`.

    >>> t.arange(3).flip(0)
    tensor([2, 1, 0])
    """
    gone = {axis_of(x, d) for d in (dims if isinstance(dims, (tuple, list)) else (dims, *more))}
    turned = tuple(slice(None, None, -1 if i in gone else None) for i in range(x.ndim))
    y = getitem(x, index=turned)
    if (
        not y._array.flags.c_contiguous and not y.requires_grad
    ):  # of its own, in an order of memory that views understand
        y._array = x.xp.ascontiguousarray(y._array)
    return y


def roll(x: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Move values round by `shifts`; without `dims` over the flattened tensor.

    >>> t.arange(4).roll(1)
    tensor([3, 0, 1, 2])
    """
    if dims is None:
        return _reshape(roll(flatten(x), shifts, 0), shape=x.shape)
    both = [v if isinstance(v, (tuple, list)) else (v,) for v in (shifts, dims)]
    if len(both[0]) != len(both[1]):
        raise ValueError(f"roll: as many shifts as dims are needed, not {shifts} and {dims}")
    for shift, dim in zip(*both):
        n = x.shape[axis_of(x, dim)]
        if n:
            parts = narrow(x, dim, n - shift % n, shift % n), narrow(x, dim, 0, n - shift % n)
            x = concatenate(*parts, axis=axis_of(x, dim))
    return x


def cat(tensors: Sequence[Tensor], axis: int = 0, *, dim: int | None = None) -> Tensor:
    """Return one tensor after the other along an axis they may differ in.

    >>> t.cat([t.ones(2, 3), t.zeros(2, 1)], dim=1).shape
    (2, 4)
    """
    if not len(tensors):
        raise ValueError("cat: expected a non-empty list of Tensors")
    try:
        return concatenate(*tensors, axis=axis_of(tensors[0], axis if dim is None else dim))
    except (ValueError, IndexError):
        whole = [x for x in tensors if x.shape != (0,)]
        if len(whole) == len(tensors) or not any_true(x.ndim > 1 for x in whole):
            raise
    return cat(whole, axis, dim=dim)  # PyTorch leaves out tensor([]), which is a start for a loop


def stack(tensors: Sequence[Tensor], axis: int = 0, *, dim: int | None = None) -> Tensor:
    """Stack Tensors of one shape along a new axis.

    >>> t.stack([t.ones(3), t.zeros(3)]).shape, t.stack([t.ones(3), t.zeros(3)], -1).shape
    ((2, 3), (3, 2))
    """
    if not len(tensors):
        raise ValueError("stack: expected a non-empty list of Tensors")
    return _stack(*tensors, axis=axis_of(tensors[0], axis if dim is None else dim, extra=1))


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join tensors side by side: along the second axis, vectors along the first.

    >>> t.hstack([t.ones(2, 1), t.zeros(2, 3)]).shape
    (2, 4)
    """
    return cat([_at_least_1d(t) for t in tensors], axis=0 if tensors[0].ndim <= 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Lay tensors below each other; a vector is a row.

    >>> t.vstack([t.ones(3), t.zeros(2, 3)]).shape
    (3, 3)
    """
    return cat([_at_least_1d(t).reshape(1, -1) if t.ndim < 2 else t for t in tensors], axis=0)


def _at_least_1d(x: Tensor) -> Tensor:
    return x.reshape(1) if x.ndim == 0 else x


def narrow(x: Tensor, dim: int, start: int, length: int) -> Tensor:
    """Return `length` entries from `start` on along `dim`; all must exist.

    >>> t.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3])
    """
    n = x.shape[axis_of(x, dim)]
    start = start + n if start < 0 else start
    if not 0 <= start <= start + length <= n:
        raise IndexError(
            f"narrow: start ({start}) + length ({length}) exceeds dimension size ({n})"
        )
    return viewed(x, getitem, index=along(x, dim, slice(start, start + length)))


def split(x: Tensor, sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Split x into pieces of one size (the last may be smaller), or of the given sizes.

    >>> [p.shape[0] for p in t.arange(5).split(2)], [p.shape[0] for p in t.arange(5).split([1, 4])]
    ([2, 2, 1], [1, 4])
    """
    axis = axis_of(x, dim)
    sizes = sizes if isinstance(sizes, int) else tuple(sizes)
    cuts = _cuts(x._array.shape[axis], sizes, axis)
    return pieces(x, cuts)


@lru_cache(maxsize=256)
def _cuts(n: int, sizes: int | tuple[int, ...], axis: int) -> list[tuple]:
    """Return the index of each piece of an axis of length n; a recurrent cell asks the same every
    step."""
    if isinstance(sizes, int):
        if sizes <= 0:
            raise ValueError(f"split expects split_size be positive, but got {sizes}")
        ends = [*range(0, n, sizes), n] if n else [0, 0]
    else:
        ends = [0, *accumulate(sizes)]
        if ends[-1] != n or min(sizes, default=0) < 0:
            raise ValueError(
                f"split: sizes {list(sizes)} must add up to {n}, the size of dimension {axis}"
            )
    return [(*(slice(None),) * axis, slice(a, b)) for a, b in pairwise(ends)]


split_with_sizes = split


def chunk(x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Split x into at most `chunks` pieces of equal size, the last perhaps smaller.

    >>> [p.shape for p in t.ones(2, 8).chunk(4, dim=1)]
    [(2, 2), (2, 2), (2, 2), (2, 2)]
    """
    if chunks <= 0:
        raise ValueError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    return split(x, -(-x._array.shape[axis_of(x, dim)] // chunks) or 1, dim)


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Return the slices along an axis, that axis gone.

    >>> a, b = t.ones(2, 3).unbind()
    >>> a.shape
    (3,)
    """
    axis = axis_of(x, dim)
    lead = (slice(None),) * axis
    return pieces(x, [(*lead, i) for i in range(x._array.shape[axis])])


def unfold(x: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Return all windows of `size` along an axis, `step` apart, as a new last axis.

    >>> t.arange(5).unfold(0, 3, 1)
    tensor([[0, 1, 2],
            [1, 2, 3],
            [2, 3, 4]])
    """
    dim = axis_of(x, dimension)
    if not x.ndim:
        return unfold(x.reshape(1), 0, size, step)[0]
    if size > x.shape[dim] or step <= 0:
        raise ValueError(
            f"unfold: size {size}, step {step} do not fit dimension of size {x.shape[dim]}"
        )
    starts = np.arange(0, x.shape[dim] - size + 1, step)
    places = x.xp.asarray(starts[:, None] + np.arange(size))
    y = getitem(x, index=along(x, dim, places))
    return movedim(shown(x, y, _windows, dim=dim, size=size, step=step), dim + 1, -1)


def _windows(a: Any, dim: int, size: int, step: int) -> Any:
    """Return a view of the windows of an axis: their number and their size in its place."""
    count, stride = (a.shape[dim] - size) // step + 1, a.strides[dim]
    shape = (*a.shape[:dim], count, size, *a.shape[dim + 1 :])
    strides = (*a.strides[:dim], step * stride, stride, *a.strides[dim + 1 :])
    return library_of(a).xp.lib.stride_tricks.as_strided(a, shape, strides)


def pad(x: Tensor, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """Return `value` around `x`; `pad` counts from the last axis: (left, right, top, bottom, …).

    >>> t.pad(t.ones(2), (1, 2))
    tensor([0., 1., 1., 0., 0.])
    """
    if mode not in ("constant", "reflect", "replicate", "circular"):
        wanted = "'constant', 'reflect', 'replicate' or 'circular'"
        raise ValueError(f"pad: mode must be {wanted}, not {mode!r}")
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(f"pad: {list(pad)} is not a pair per axis of shape {x.shape}")
    both = [(0, 0)] * (x.ndim - len(pad) // 2) + [(pad[i], pad[i + 1]) for i in
                                                      range(len(pad) - 2, -1, -2)]  # fmt: skip
    if mode != "constant":
        return _pad_from_within(x, both, mode)
    cut = tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(both, x.shape, strict=True))
    both, x = [(max(a, 0), max(b, 0)) for a, b in both], getitem(x, index=cut)
    shape = tuple(a + n + b for (a, b), n in zip(both, x.shape, strict=True))
    inside = tuple(slice(a, a + n) for (a, b), n in zip(both, x.shape, strict=True))
    placed = put(x, index=inside, shape=shape, dtype=x.dtype)
    if value == 0:
        return placed
    rim = x.xp.full(shape, value, x.dtype)
    rim[inside] = 0
    return placed + wrap(rim, None)


def _pad_from_within(x: Tensor, both: Sequence[tuple[int, int]], mode: str) -> Tensor:
    """Pad x with entries of its own: mirrored, the last ones repeated, or from the other end."""
    for axis, (a, b) in enumerate(both):
        n = x.shape[axis]
        if not a and not b:
            continue
        if min(a, b) < 0 and mode == "circular":
            raise ValueError(f"pad: circular cuts nothing off, got {a, b} for axis {axis}")
        if mode != "replicate" and max(a, b) > n - (mode == "reflect"):
            most = n - (mode == "reflect")
            raise ValueError(f"pad: {mode} takes at most {most} entries of axis {axis}, got {a, b}")
        places = np.arange(-a, n + b)
        if mode == "replicate":
            places = np.clip(places, 0, n - 1)
        elif mode == "circular":
            places = places % n
        else:
            places = n - 1 - np.abs(n - 1 - np.abs(places))
        x = getitem(x, index=(*(slice(None),) * axis, x.xp.asarray(places)))
    return x


def contiguous(x: Tensor) -> Tensor:
    """Return the Tensor itself, or a copy of it if it is a view with another order in memory."""
    if x._array.flags.c_contiguous or x.requires_grad:
        return x
    return wrap(x.xp.ascontiguousarray(x._array), x.node)


def diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Return the entries (i, i + offset) of two axes, as a new last axis.

    >>> t.arange(6).reshape(2, 3).diagonal()
    tensor([0, 4])
    """
    a, b = axis_of(x, dim1), axis_of(x, dim2)
    y = _on_diagonal(x, offset, a, b)
    return shown(x, y, np.diagonal, offset=offset, axis1=a, axis2=b)


def _on_diagonal(x: Tensor, offset: int, a: int, b: int) -> Tensor:
    """Return a copy of the entries (i, i + offset) of the axes a and b."""
    n = max(min(x.shape[a] + min(offset, 0), x.shape[b] - max(offset, 0)), 0)
    rows = x.xp.asarray(np.arange(n) + max(-offset, 0))
    return getitem(movedim(x, (a, b), (-2, -1)), index=(Ellipsis, rows, rows + offset))


def diag(x: Tensor, diagonal: int = 0) -> Tensor:
    """Return a vector on the diagonal of a matrix, or a copy of the diagonal of a matrix.

    >>> t.diag(t.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    if x.ndim == 2:
        return _on_diagonal(x, diagonal, 0, 1)
    if x.ndim != 1:
        raise ValueError(f"diag(): Supports 1D or 2D tensors. Got {x.ndim}D")
    n = x.shape[0] + np.abs(diagonal)
    rows = x.xp.asarray(np.arange(x.shape[0]) + max(-diagonal, 0))
    return put(x, index=(rows, rows + diagonal), shape=(int(n), int(n)), dtype=x.dtype)


def tril(x: Tensor, diagonal: int = 0) -> Tensor:
    """Return the lower triangle; zeros above the given diagonal.

    >>> t.ones(2, 3).tril()
    tensor([[1., 0., 0.],
            [1., 1., 0.]])
    """
    return where(_beyond("tril", x) <= diagonal, x, x.dtype.type(0))


def triu(x: Tensor, diagonal: int = 0) -> Tensor:
    """Return the upper triangle; zeros below the given diagonal."""
    return where(_beyond("triu", x) >= diagonal, x, x.dtype.type(0))


def _beyond(name: str, x: Tensor) -> Any:
    """Return column - row of each entry of a matrix."""
    if x.ndim < 2:
        raise ValueError(f"{name}: a matrix or several are needed, got shape {x.shape}")
    rows, columns = np.ogrid[: x.shape[-2], : x.shape[-1]]
    return x.xp.asarray(columns - rows)


def same_shape(name: str, *tensors: Any) -> None:
    """Raise ValueError unless all shapes agree: (4,) against (4, 1) is nearly always a slip."""
    if not all_true(t.shape == tensors[0].shape for t in tensors):
        raise ValueError(f"{name}: shapes {' and '.join(str(t.shape) for t in tensors)} differ")


check_arguments(globals())
