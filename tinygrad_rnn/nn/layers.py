"""Offer layers without a memory, each one call of a function, to `language_model` and programs.

Names, shapes and starting values are PyTorch's. Whatever draws takes `seed=`: an integer, a
Generator to share, or None for values that differ in every run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import init as initial
from ..engine.arrays import get_default_dtype
from ..engine.ops import equal, where
from ..engine.options import (
    called,
    choice,
    flag,
    floating,
    probability,
    real,
    shown,
    unfit,
    whole,
)
from ..engine.options import device as checked_device
from ..engine.tensor import Tensor, tensor, wrap
from ..functions import losses as functions
from ..functions import windows
from ..functions.random import Generator
from .module import Module, check_dtype

Seed = int | Generator | None


def parameter(values: Any, device: str | None = None) -> Tensor:
    """Return a Tensor that learns."""
    return tensor(values, device=device, requires_grad=True)


class Linear(Module):
    """Return y = x Wᵀ + b, with W (out_features, in_features)."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        device: str | None = None,
        dtype: Any = None,
        seed: Seed = None,
    ):
        self.in_features = whole(self, "in_features", in_features)
        self.out_features = whole(self, "out_features", out_features)
        where = placed(self, device, dtype, seed)
        self.weight, self.bias = _weight_and_bias(self, (out_features, in_features), bias, *where)

    def forward(self, x: Tensor) -> Tensor:
        check_dtype(self, x, self.weight)
        if x.shape[-1:] != (self.in_features,):
            told = f"the last axis of x must be in_features={self.in_features}, x is {x.shape}"
            raise ValueError(f"Linear({self.in_features}, {self.out_features}): {told}")
        return functions.linear(x, self.weight, self.bias)


class Embedding(Module):
    """Look up rows of a table: whole numbers (…) → vectors (…, D); row padding_idx stays 0."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        device: str | None = None,
        dtype: Any = None,
        seed: Seed = None,
    ):
        self.num_embeddings = rows = whole(self, "num_embeddings", num_embeddings)
        self.embedding_dim = whole(self, "embedding_dim", embedding_dim)
        device, dtype, seed = placed(self, device, dtype, seed)
        table = initial.normal((rows, embedding_dim), generator=seed, dtype=dtype)
        self.padding_idx = padding_idx
        if padding_idx is not None:
            self.padding_idx = whole(self, "padding_idx", padding_idx, -rows, rows - 1) % rows
        if padding_idx is not None:
            table[padding_idx] = 0
        self.weight = parameter(table, device)

    def forward(self, x: Tensor) -> Tensor:
        rows = functions.embedding(x, self.weight)
        if self.padding_idx is None:
            return rows
        return where(equal(x, self.padding_idx).unsqueeze(-1), wrap(rows._array, None), rows)

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True,
                        padding_idx: int | None = None) -> Embedding:  # fmt: skip
        """Return a layer whose table is a given one (N, D), frozen unless `freeze` is False."""
        count, size = embeddings.shape
        layer = cls(count, size, padding_idx, seed=0, dtype=embeddings.dtype)
        layer.weight.data = embeddings.detach()
        layer.weight.requires_grad_(not freeze)
        return layer


class Dropout(Module):
    """Set entries to 0 at rate p and scale the rest by 1/(1 − p), while training."""

    def __init__(self, p: float = 0.5, *, seed: Seed = None):
        self.p, self.generator = probability(self, "p", p), initial.seeded(self, seed)

    def forward(self, x: Tensor) -> Tensor:
        return functions.dropout(x, self.p, training=self.training, generator=self.generator)


class LayerNorm(Module):
    """Normalise: (x − mean) / √(var + eps) · weight + bias over the last axes."""

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        device: str | None = None,
        dtype: Any = None,
    ):
        shape = sizes(self, "normalized_shape", normalized_shape)
        self.normalized_shape, self.eps = shape, real(self, "eps", eps, 0)
        device, dtype, _ = placed(self, device, dtype, None)
        self.elementwise_affine = affine = flag(self, "elementwise_affine", elementwise_affine)
        self.weight = parameter(np.ones(shape, dtype), device) if affine else None
        bias = flag(self, "bias", bias) and affine
        self.bias = parameter(np.zeros(shape, dtype), device) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        check_dtype(self, x, self.weight)
        return functions.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)


class _Conv(Module):
    axes: int
    stride: Any
    padding: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] | str = 0,
        bias: bool = True,
        *,
        device: str | None = None,
        dtype: Any = None,
        seed: Seed = None,
    ):
        self.in_channels = whole(self, "in_channels", in_channels)
        self.out_channels = whole(self, "out_channels", out_channels)
        self.kernel_size = sizes(self, "kernel_size", kernel_size, self.axes)
        strides = sizes(self, "stride", stride, self.axes)
        if isinstance(padding, str):
            choice(self, "padding", padding, ("valid", "same"))
        else:
            sizes(self, "padding", padding, self.axes, 0)
        if padding == "same" and set(strides) != {1}:
            raise ValueError(f"{called(self)}: padding='same' needs stride 1, got stride={stride}")
        self.stride, self.padding = stride, padding
        shape = (out_channels, in_channels, *self.kernel_size)
        where = placed(self, device, dtype, seed)
        self.weight, self.bias = _weight_and_bias(self, shape, bias, *where)


class Conv1d(_Conv):
    """Cross-correlate (B, C, L) with kernels (O, C, K)."""

    axes = 1

    def forward(self, x: Tensor) -> Tensor:
        check_dtype(self, x, self.weight)
        return windows.conv1d(x, self.weight, self.bias, self.stride, self.padding)


class Conv2d(_Conv):
    """Cross-correlate (B, C, Y, X) with kernels (O, C, Ky, Kx)."""

    axes = 2

    def forward(self, x: Tensor) -> Tensor:
        check_dtype(self, x, self.weight)
        return windows.conv2d(x, self.weight, self.bias, self.stride, self.padding)


class Sequential(Module):
    """One after the other: Modules or plain functions."""

    def __init__(self, *steps: Callable):
        for k, step in enumerate(steps):
            if not callable(step):
                cure = "; write Sequential(*steps)" if isinstance(step, (list, tuple)) else ""
                told = f"step {k} must be a Module or a function, got {shown(step)}{cure}"
                raise TypeError(f"Sequential: {told}")
        self.steps = steps

    def named_members(self) -> Any:
        return ((str(k), step) for k, step in enumerate(self.steps) if isinstance(step, Module))

    def forward(self, x: Any) -> Any:
        for step in self.steps:
            x = step(x)
        return x

    def append(self, step: Callable) -> Sequential:
        """Add a last step and return the whole."""
        self.steps = (*self.steps, step)
        return self

    def __getitem__(self, k: int) -> Callable:
        return self.steps[k]

    def __len__(self) -> int:
        return len(self.steps)


def placed(owner: Any, device: str | None, dtype: Any, seed: Seed) -> tuple[Any, Any, Generator]:
    """Return device, dtype and generator of an owner's parameters, each checked."""
    dtype = floating(owner, "dtype", dtype or get_default_dtype())
    return checked_device(owner, device), dtype, initial.seeded(owner, seed)


def sizes(owner: Any, option: str, value: Any, axes: int | None = None, least: int = 1) -> Any:
    """Return a size for each axis, of which a number alone is one for all."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * (axes or 1)
    if axes is not None and len(values) != axes:
        raise unfit(owner, option, f"a whole number or {axes} of them", value)
    return tuple(whole(owner, option, one, least) for one in values)


def _weight_and_bias(
    owner: Any, shape: tuple[int, ...], bias: bool, device: Any, dtype: Any, generator: Generator
) -> tuple[Tensor, Tensor | None]:
    """Draw PyTorch's default: both U(−b, b) with b = 1/√fan_in."""
    bound = 1 / math.sqrt(max(initial.fans(shape)[0], 1))
    make = lambda s: initial.uniform(s, -bound, bound, generator=generator, dtype=dtype)
    weight = parameter(make(shape), device)
    return weight, parameter(make(shape[:1]), device) if flag(owner, "bias", bias) else None
