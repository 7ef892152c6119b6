"""More ways to arrange entries, for programs: grids, diagonals, blocks, splits at places."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..engine.arguments import check_arguments
from ..engine.arrays import to_numpy
from ..engine.tensor import Tensor, tensor, wrap
from .creation import zeros
from .indexing import index_put
from .later import attach
from .shapes import (
    axis_of,
    broadcast_to,
    cat,
    diagonal,
    flatten,
    flip,
    hstack,
    movedim,
    narrow,
    stack,
    swapaxes,
)
from .sizes import numel


def _given(tensors: tuple) -> list[Tensor]:
    """Return Tensors given one by one or in one list."""
    many = len(tensors) == 1 and isinstance(tensors[0], (list, tuple))
    return list(tensors[0] if many else tensors)


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """Return the shape in which shapes meet."""
    return np.broadcast_shapes(*shapes)


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Return Tensors spread to the shape in which they meet."""
    given = _given(tensors)
    shape = np.broadcast_shapes(*(x.shape for x in given))
    return tuple(broadcast_to(x, shape) for x in given)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Return for each vector its value at every place of the grid of all.

    >>> import tinygrad_rnn as t
    >>> a, b = t.meshgrid(t.arange(2), t.arange(3), indexing="ij")
    >>> a.shape, b.tolist()
    ((2, 3), [[0, 1, 2], [0, 1, 2]])
    """
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: indexing must be 'ij' or 'xy', not {indexing!r}")
    given = [x.reshape(-1) for x in _given(tensors)]
    n = len(given)
    made = broadcast_tensors(
        *(x.reshape((1,) * k + (-1,) + (1,) * (n - k - 1)) for k, x in enumerate(given))
    )
    turned = indexing == "xy" and n > 1
    return tuple(swapaxes(y, 0, 1) for y in made) if turned else tuple(made)


def cartesian_prod(*tensors: Any) -> Tensor:
    """Return all choices of one entry from each vector, as rows."""
    given = _given(tensors)
    if len(given) == 1:
        return given[0]
    return stack([x.reshape(-1) for x in meshgrid(*given)], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Return all choices of r entries of a vector, as rows."""
    choose: Any = itertools.combinations_with_replacement if with_replacement else None
    places = list((choose or itertools.combinations)(range(len(input)), r))
    return input[tensor(np.array(places, np.int64).reshape(-1, r))] if r else input[:0]


def block_diag(*tensors: Any) -> Tensor:
    """Return matrices one after the other down the diagonal, zeros elsewhere."""
    given = [x.reshape(1, -1) if x.ndim < 2 else x for x in _given(tensors)]
    width, at, rows = sum(x.shape[1] for x in given), 0, []
    for x in given:
        rest = width - at - x.shape[1]
        sides = [zeros(x.shape[0], n, dtype=x.dtype, device=x.device) for n in (at, rest)]
        rows.append(cat([sides[0], x, sides[1]], 1))
        at += x.shape[1]
    return cat(rows, 0)


def _each(function: Any, tensors: tuple) -> Any:
    """Return function(x) of each Tensor: of one alone, a tuple of several."""
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return function(tensors[0])
    return tuple(function(x) for x in _given(tensors))


def atleast_1d(*tensors: Any) -> Any:
    """Return Tensors with one axis or more."""
    return _each(lambda x: x if x.ndim else x.reshape(1), tensors)


def atleast_2d(*tensors: Any) -> Any:
    """Return Tensors with two axes or more, new ones in front."""
    return _each(lambda x: x if x.ndim > 1 else x.reshape(1, -1), tensors)


def atleast_3d(*tensors: Any) -> Any:
    """Return Tensors with three axes or more."""
    return _each(
        lambda x: x if x.ndim > 2 else x.unsqueeze(-1) if x.ndim == 2 else x.reshape(1, -1, 1),
        tensors,
    )


def column_stack(tensors: Any) -> Tensor:
    """Return vectors and matrices as columns side by side."""
    return hstack([x.reshape(-1, 1) if x.ndim < 2 else x for x in tensors])


def dstack(tensors: Any) -> Tensor:
    """Return Tensors joined along a third axis."""
    return cat([atleast_3d(x) for x in tensors], 2)


def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Return the parts between places, or so many parts, the first ones larger by one.

    >>> import tinygrad_rnn as t
    >>> [p.tolist() for p in t.tensor_split(t.arange(5), 2)]
    [[0, 1, 2], [3, 4]]
    """
    if not input.ndim:
        raise ValueError("tensor_split: a single number has no axis to split")
    n, given = input.shape[axis_of(input, dim)], indices_or_sections
    given = to_numpy(given).tolist() if isinstance(given, Tensor) else given
    if isinstance(given, int):
        if given < 1:
            raise ValueError(f"tensor_split: sections must be at least 1, got {given}")
        size, more = divmod(n, given)
        given = [k * size + min(k, more) for k in range(1, given)]
    places = [0, *(min(max(p + n if p < 0 else p, 0), n) for p in given), n]
    pairs = itertools.pairwise(places)
    return tuple(narrow(input, dim, a, max(b - a, 0)) for a, b in pairs)


def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Return parts side by side."""
    return _even(input, indices_or_sections, 0 if input.ndim == 1 else 1, "hsplit")


def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Return parts one above the other."""
    return _even(input, indices_or_sections, 0, "vsplit")


def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Return parts along the third axis."""
    return _even(input, indices_or_sections, 2, "dsplit")


def _even(x: Tensor, parts: Any, dim: int, name: str) -> tuple[Tensor, ...]:
    least = {"hsplit": 1, "vsplit": 2, "dsplit": 3}[name]
    if x.ndim < least:
        raise ValueError(f"{name}: needs {least} axes or more, got shape {x.shape}")
    if isinstance(parts, int) and (parts < 1 or x.shape[dim] % parts):
        raise ValueError(f"{name}: {parts} parts do not divide axis {dim} of shape {x.shape}")
    return tensor_split(x, parts, dim)


def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """Return the plane of two axes turned by k quarters, from the first towards the second."""
    a, b = dims
    turns = [lambda x: x, lambda x: swapaxes(flip(x, b), a, b), lambda x: flip(x, (a, b)),
             lambda x: flip(swapaxes(x, a, b), b)]  # fmt: skip
    return turns[k % 4](input).clone()


def fliplr(input: Tensor) -> Tensor:
    """Return columns in reverse order."""
    return flip(input, 1)


def flipud(input: Tensor) -> Tensor:
    """Return rows in reverse order."""
    return flip(input, 0)


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return matrices with the last axis as their diagonal.

    >>> import tinygrad_rnn as t
    >>> t.diag_embed(t.tensor([1, 2])).tolist()
    [[1, 0], [0, 2]]
    """
    n = input.shape[-1]
    side = n + abs(offset)
    y = zeros(*input.shape[:-1], side, side, dtype=input.dtype, device=input.device)
    rows, columns = np.arange(n) + max(-offset, 0), np.arange(n) + max(offset, 0)
    y = index_put(y, (Ellipsis, rows, columns), input)
    a, b = (axis_of(y, d) for d in (dim1, dim2))
    return movedim(y, (-2, -1), (a, b))


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """Return a matrix with all entries on its diagonal."""
    return diag_embed(flatten(input) if input.ndim else input.reshape(1), offset)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None
                 ) -> Tensor:  # fmt: skip
    """Return the places (2, N) of a lower triangle."""
    places = np.stack(np.tril(np.ones((row, col), bool), offset).nonzero())
    return tensor(places, dtype or np.int64, device)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None
                 ) -> Tensor:  # fmt: skip
    """Return the places (2, N) of an upper triangle."""
    places = np.stack(np.triu(np.ones((row, col), bool), offset).nonzero())
    return tensor(places, dtype or np.int64, device)


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Return the powers of a vector's entries as columns, the highest first."""
    count = len(x) if N is None else N
    powers = range(count) if increasing else range(count - 1, -1, -1)
    columns = [x**k for k in powers]
    return stack(columns, 1) if columns else x.reshape(-1, 1)[:, :0]


def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """Return places counted row by row as places along each axis."""
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    return tuple(tensor(a) for a in np.unravel_index(to_numpy(indices), sizes))


def take(input: Tensor, index: Tensor) -> Tensor:
    """Return entries by their places in the flattened Tensor."""
    return flatten(input)[index] if input.ndim else input.reshape(1)[index]


def _filled(x: Tensor, dim: int, index: Tensor, values: Any) -> Tensor:
    places = index.reshape(1) if not index.ndim else index
    if not x.ndim:
        shaped = values.reshape(-1) if isinstance(values, Tensor) else values
        return index_put(x.reshape(1), (places,), shaped).reshape(())
    return index_put(x, (*(slice(None),) * axis_of(x, dim), places), values)


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """Return a copy with one value at the places of an axis that `index` names."""
    return _filled(input, dim, index, value)


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """Return a copy with the slices of `source` at the places of an axis that `index` names."""
    return _filled(input, dim, index, source)


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Return a copy with the first entries of `source`, in order, where `mask` holds."""
    shape = np.broadcast_shapes(input.shape, mask.shape)
    x, there = broadcast_to(input, shape), broadcast_to(mask, shape)
    count = int(to_numpy(there).sum())
    if count > numel(source):
        raise ValueError(f"masked_scatter: {count} places, but source has {numel(source)} entries")
    return index_put(x, there, source.reshape(-1)[:count])


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """Return a copy with `src` at one place of an axis."""
    if src.shape != input.select(dim, index).shape:
        raise ValueError(f"select_scatter: src {src.shape} does not fit {input.shape}")
    return index_put(input, (*(slice(None),) * axis_of(input, dim), index), src)


def slice_scatter(input: Tensor, src: Tensor, dim: int = 0, start: int | None = None,
                  end: int | None = None, step: int = 1) -> Tensor:  # fmt: skip
    """Return a copy with `src` at a slice of an axis."""
    key = (*(slice(None),) * axis_of(input, dim), slice(start, end, step))
    if src.shape != input[key].shape:
        raise ValueError(f"slice_scatter: src {src.shape} does not fit {input[key].shape}")
    return index_put(input, key, src)


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
                     ) -> Tensor:  # fmt: skip
    """Return a copy with `src` on a diagonal."""
    y = diagonal(wrap(np.arange(numel(input)).reshape(input.shape), None), offset, dim1, dim2)
    if y.shape != src.shape:
        raise ValueError(f"diagonal_scatter: src {src.shape} does not fit a diagonal {y.shape}")
    return index_put(flatten(input), y, src).reshape(input.shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """Return the values in another Tensor's shape."""
    return input.reshape(other.shape)


def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """Return the sums that undo broadcasting from a shape."""
    shape = tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    if np.broadcast_shapes(shape, input.shape) != input.shape:
        raise ValueError(f"sum_to_size: {shape} cannot be broadcast to {input.shape}")
    lead = input.ndim - len(shape)
    axes = [k for k, n in enumerate(input.shape) if k < lead or shape[k - lead] != n]
    return (input.sum(tuple(axes)) if axes else input).reshape(shape)


def logspace(start: float, end: float, steps: int, base: float = 10.0, dtype: Any = None
             ) -> Tensor:  # fmt: skip
    """Return powers of `base` with exponents from start to end."""
    exponents = np.linspace(start, end, steps)
    made = tensor(np.float64(base) ** exponents)
    return made.astype(dtype) if dtype is not None else made.float()


def scalar_tensor(s: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
                  ) -> Tensor:  # fmt: skip
    """Return a Tensor of one number."""
    return tensor(float(s) if dtype is None else s, dtype, device, requires_grad)


def is_nonzero(input: Tensor) -> bool:
    """Return whether the one entry is not 0."""
    if numel(input) != 1:
        raise ValueError(f"is_nonzero: expected one entry, got shape {input.shape}")
    return bool(input)


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Return whether two Tensors have one shape."""
    return input.shape == other.shape


check_arguments(globals())
attach(globals())
