"""Ask a Tensor for its size, dtype and device by PyTorch's names; `methods` calls it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.arguments import check_arguments
from ..engine.arrays import is_device
from ..engine.tensor import Tensor, tensor
from . import creation
from .shapes import axis_of


def size(x: Tensor, dim: int | None = None) -> Any:
    """Return the shape, or the size of one axis."""
    return x.shape if dim is None else x.shape[axis_of(x, dim)]


def dim(x: Tensor) -> int:
    """Return how many axes there are."""
    return x.ndim


def numel(x: Tensor) -> int:
    """Return how many entries there are."""
    return math.prod(x.shape)


def t(x: Tensor) -> Tensor:
    """Return a matrix with its axes exchanged; a vector as it is."""
    if x.ndim > 2:
        raise ValueError(f"t() expects at most 2 axes, but x has shape {tuple(x.shape)}; use .mT")
    return x.T if x.ndim == 2 else x


def type(x: Tensor, dtype: Any = None) -> Any:
    """Return the name of the dtype, or x in another one."""
    return str(x.dtype) if dtype is None else x.astype(dtype)


def type_as(x: Tensor, other: Tensor) -> Tensor:
    """Return x in the dtype and on the device of another Tensor."""
    return x.to(other.device).astype(other.dtype)


def view_as(x: Tensor, other: Tensor) -> Tensor:
    """Return x in the shape of another Tensor."""
    return x.reshape(other.shape)


def is_contiguous(x: Tensor) -> bool:
    """Return True if the entries lie in memory in their order."""
    return bool(x._array.flags.c_contiguous)


def stride(x: Tensor, dim: int | None = None) -> Any:
    """Return by how many entries one goes on in memory along each axis, or along one."""
    steps = tuple(n // x.dtype.itemsize for n in x._array.strides)
    return steps if dim is None else steps[axis_of(x, dim)]


nelement, ndimension = numel, dim


def element_size(x: Tensor) -> int:
    """Return how many bytes an entry has."""
    return x.dtype.itemsize


def new_tensor(x: Tensor, data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a Tensor of `data` with the dtype and device of x."""
    return tensor(data, dtype or x.dtype, x.device, requires_grad)


def new_zeros(x: Tensor, *size: Any, dtype: Any = None, device: Any = None,
              requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Return zeros of another shape with the dtype and device of x."""
    return creation.zeros(*size, dtype=dtype or x.dtype, device=device or x.device,
                          requires_grad=requires_grad)  # fmt: skip


def new_ones(x: Tensor, *size: Any, dtype: Any = None, device: Any = None,
              requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Return ones of another shape with the dtype and device of x."""
    return creation.ones(*size, dtype=dtype or x.dtype, device=device or x.device,
                          requires_grad=requires_grad)  # fmt: skip


def new_full(x: Tensor, size: Any, fill_value: float, dtype: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Return a constant of another shape with the dtype and device of x."""
    return creation.full(size, fill_value, dtype or x.dtype, device or x.device, requires_grad)


def new_empty(x: Tensor, *size: Any, dtype: Any = None, device: Any = None,
              requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Return `empty` of another shape with the dtype and device of x."""
    return creation.zeros(*size, dtype=dtype or x.dtype, device=device or x.device,
                          requires_grad=requires_grad)  # fmt: skip


def repeat_interleave(x: Tensor, repeats: Any, dim: int | None = None, *,
                      output_size: int | None = None) -> Tensor:  # fmt: skip
    """Return x with each entry (along `dim`) repeated in its place; `output_size` is only checked.

    >>> import tinygrad_rnn as t
    >>> t.repeat_interleave(t.tensor([1, 2]), 2).tolist()
    [1, 1, 2, 2]
    """
    x, axis = (x.reshape(-1), 0) if dim is None else (x, axis_of(x, dim))
    counts = np.broadcast_to(np.asarray(getattr(repeats, "_array", repeats)), x.shape[axis])
    places = np.repeat(np.arange(x.shape[axis]), counts)
    if output_size is not None and output_size != len(places):
        raise ValueError(f"repeat_interleave: output_size is {output_size}, it is {len(places)}")
    return x.index_select(axis, tensor(places, device=x.device))


class device(str):
    """The name of a device, "cpu" or "cuda": a string, with PyTorch's `type` and `index`.

    >>> device("cuda:0").type
    'cuda'
    """

    index = None  # type: ignore[assignment]  # PyTorch's name, which str has for something else

    def __new__(cls, name: str, index: int | None = None) -> device:
        plain = str(name).partition(":")[0]
        if not is_device(plain):
            raise ValueError(f"device: expected cpu or cuda, got {name!r}")
        return super().__new__(cls, plain)

    @property
    def type(self) -> str:
        """Return the name without a number."""
        return str(self)


check_arguments(globals())
