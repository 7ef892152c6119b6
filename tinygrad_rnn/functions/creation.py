"""New Tensors from nothing: sizes, ranges, constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.arguments import check_arguments
from ..engine.arrays import get_default_dtype, library
from ..engine.tensor import Tensor, wrap

__all__ = ["arange", "eye", "from_dlpack", "full", "full_like", "linspace", "ones", "ones_like",
           "zeros", "zeros_like"]  # fmt: skip


def full(shape: Any, value: float, dtype: Any = None, device: str = "cpu",
         requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A Tensor of `shape` with `value` everywhere; the dtype is the value's."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(n < 0 for n in shape):
        raise ValueError(f"a tensor cannot have the negative size in shape {shape}")
    if dtype is None:
        python = {bool: np.bool_, int: np.int64}.get(type(value))
        dtype = python or get_default_dtype()
    new = wrap(library(device).xp.full(shape, value, dtype), None)
    return new.requires_grad_() if requires_grad else new


def _shape(sizes: tuple) -> tuple[int, ...]:
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes


def zeros(
    *shape: Any, dtype: Any = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    return full(_shape(shape), 0.0, dtype, device, requires_grad)


def ones(
    *shape: Any, dtype: Any = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    return full(_shape(shape), 1.0, dtype, device, requires_grad)


def full_like(x: Tensor, value: float, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    return full(x.shape, value, dtype or x.dtype, x.device, requires_grad)


def zeros_like(x: Tensor, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    return full_like(x, 0, dtype, requires_grad)


def ones_like(x: Tensor, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    return full_like(x, 1, dtype, requires_grad)


def arange(start: float, end: float | None = None, step: float = 1, dtype: Any = None,
           device: str = "cpu", requires_grad: bool = False) -> Tensor:  # fmt: skip
    """start, start + step, … below end; `arange(n)` counts from 0. Integers stay integers."""
    if end is None:
        start, end = 0, start
    if step == 0:
        raise ValueError("arange: step must be nonzero")
    whole = all(isinstance(v, (int, np.integer)) for v in (start, end, step))
    dtype = dtype or (np.int64 if whole else get_default_dtype())
    new = wrap(library(device).xp.arange(start, end, step, dtype=dtype), None)
    return new.requires_grad_() if requires_grad else new


def linspace(start: float, end: float, steps: int, dtype: Any = None, device: str = "cpu",
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`steps` numbers from start to end, both included."""
    if steps < 0:
        raise ValueError(f"linspace: number of steps must be non-negative, got {steps}")
    new = wrap(
        library(device).xp.linspace(start, end, steps).astype(dtype or get_default_dtype()), None
    )
    return new.requires_grad_() if requires_grad else new


def eye(n: int, m: int | None = None, dtype: Any = None, device: str = "cpu") -> Tensor:
    return wrap(library(device).xp.eye(n, m, dtype=dtype or get_default_dtype()), None)


def from_dlpack(source: Any) -> Tensor:
    """A Tensor with a copy of what any DLPack exporter holds (torch, JAX, CuPy, NumPy)."""
    kind, _ = source.__dlpack_device__()
    xp = library("cuda" if int(kind) == 2 else "cpu").xp
    return Tensor(xp.from_dlpack(source))


check_arguments(globals())
