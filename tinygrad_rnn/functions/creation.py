"""Make new Tensors from nothing: sizes, ranges, constants; `sampling` and programs call it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.arguments import check_arguments
from ..engine.arrays import get_default_dtype, library, named_dtype
from ..engine.tensor import Tensor, wrap

__all__ = [
    "arange",
    "as_tensor",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "linspace",
    "one_hot",
    "ones",
    "ones_like",
    "zeros",
    "zeros_like",
]  # fmt: skip

WHOLE = {bool: np.bool_, int: np.int64}  # int64 on every platform


def full(shape: Any, value: float, dtype: Any = None, device: str = "cpu",
         requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Return a Tensor of `shape` with `value` everywhere; the dtype is the value's."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if min(shape, default=0) < 0:
        raise ValueError(f"a tensor cannot have the negative size in shape {shape}")
    if dtype is None:
        dtype = WHOLE.get(type(value)) or get_default_dtype()
    new = wrap(library(device).xp.full(shape, value, named_dtype(dtype)), None)
    return new.requires_grad_() if requires_grad else new


def sizes_of(name: str, sizes: tuple) -> tuple[int, ...]:
    """Return a shape from `f(2, 3)` or `f((2, 3))`."""
    shape = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    if wrong := [n for n in shape if not isinstance(n, (int, np.integer))]:
        raise TypeError(f"{name}() takes whole numbers as sizes, got {wrong[0]!r}")
    return tuple(map(int, shape))


def zeros(
    *shape: Any, dtype: Any = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Return a Tensor of zeros, sizes given one by one or as a tuple.

    >>> t.zeros(2, 3).shape, t.zeros((2, 3)).shape
    ((2, 3), (2, 3))
    """
    return full(sizes_of("zeros", shape), 0.0, dtype, device, requires_grad)


def ones(
    *shape: Any, dtype: Any = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Return a Tensor of ones, sizes given one by one or as a tuple.

    >>> t.ones(3)
    tensor([1., 1., 1.])
    """
    return full(sizes_of("ones", shape), 1.0, dtype, device, requires_grad)


def full_like(x: Tensor, value: float, dtype: Any = None, device: Any = None,
              requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Return a Tensor of the shape, dtype and device of `x` with `value` everywhere."""
    return full(x.shape, value, dtype or x.dtype, device or x.device, requires_grad)


def zeros_like(x: Tensor, dtype: Any = None, device: Any = None,
               requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Return zeros of the shape, dtype and device of `x`."""
    return full_like(x, 0, dtype, device, requires_grad)


def ones_like(x: Tensor, dtype: Any = None, device: Any = None,
              requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Return ones of the shape, dtype and device of `x`."""
    return full_like(x, 1, dtype, device, requires_grad)


def arange(start: float, end: float | None = None, step: float = 1, dtype: Any = None,
           device: str = "cpu", requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Return start, start + step, … below end; `arange(n)` counts from 0. Integers stay integers.

    >>> t.arange(3), t.arange(1.0, 2.0, 0.5)
    (tensor([0, 1, 2]), tensor([1. , 1.5]))
    """
    if end is None:
        start, end = 0, start
    if step == 0:
        raise ValueError("arange: step must be nonzero")
    whole = all(isinstance(v, (int, np.integer)) for v in (start, end, step))
    dtype = named_dtype(dtype or (np.int64 if whole else get_default_dtype()))
    new = wrap(library(device).xp.arange(start, end, step, dtype=dtype), None)
    return new.requires_grad_() if requires_grad else new


def linspace(start: float, end: float, steps: int, dtype: Any = None, device: str = "cpu",
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Return `steps` numbers from start to end, both included.

    >>> t.linspace(0.0, 1.0, 3)
    tensor([0. , 0.5, 1. ])
    """
    if steps < 0:
        raise ValueError(f"linspace: number of steps must be non-negative, got {steps}")
    new = wrap(
        library(device).xp.linspace(start, end, steps).astype(dtype or get_default_dtype()), None
    )
    return new.requires_grad_() if requires_grad else new


def eye(n: int, m: int | None = None, dtype: Any = None, device: str = "cpu",
        requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Return ones on the diagonal of an (n, m) matrix of zeros.

    >>> t.eye(2, 3)
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    new = wrap(library(device).xp.eye(n, m, dtype=dtype or get_default_dtype()), None)
    return new.requires_grad_() if requires_grad else new


def from_dlpack(source: Any) -> Tensor:
    """Return a Tensor with a copy of what any DLPack exporter holds (torch, JAX, CuPy, NumPy)."""
    kind, _ = source.__dlpack_device__()
    xp = library("cuda" if int(kind) == 2 else "cpu").xp
    return Tensor(xp.from_dlpack(source))


def empty(
    *shape: Any, dtype: Any = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Return a Tensor to be filled; it holds zeros, since chance is no value."""
    return full(sizes_of("empty", shape), 0.0, dtype, device, requires_grad)


def empty_like(x: Tensor, dtype: Any = None, device: Any = None,
               requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Return a Tensor of zeros to be filled, of the shape, dtype and device of x."""
    return full_like(x, 0, dtype, device, requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: str | None = None) -> Tensor:
    """Return `data` itself if it is such a Tensor already, else a new one."""
    if not isinstance(data, Tensor):
        return Tensor(data, dtype, device)
    data = data if device is None else data.to(device)
    return data if dtype is None else data.astype(dtype)


def from_numpy(array: Any) -> Tensor:
    """Return a Tensor with a copy of an array: ours is never written to by others.

    >>> import numpy as np, tinygrad_rnn as t
    >>> t.from_numpy(np.ones((2, 3))).dtype
    dtype('float64')
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, got a {type(array).__name__}")
    return Tensor(array)


def one_hot(x: Tensor, num_classes: int = -1) -> Tensor:
    """Return whole numbers (…) as rows (…, C) that are 1 at that place.

    A recurrent layer takes the numbers themselves and looks up rows: it needs no one-hot input.

    >>> import tinygrad_rnn as t
    >>> t.one_hot(t.tensor([1, 0]), 3).tolist()
    [[0, 1, 0], [1, 0, 0]]
    """
    array = x._array
    if array.dtype.kind not in "iu":
        raise TypeError(f"one_hot: expected whole numbers, got {array.dtype}")
    count = int(array.max()) + 1 if num_classes < 0 and array.size else max(num_classes, 0)
    if array.size and not (array.min() >= 0 and array.max() < count):
        raise IndexError(f"one_hot: {array.min()} … {array.max()} are not within 0 … {count - 1}")
    classes = x.xp.arange(count)
    return wrap((array[..., None] == classes).astype(np.int64), None)


check_arguments(globals())
