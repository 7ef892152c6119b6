"""Layers without a memory: each is its parameters and one call of a function.

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
from ..engine.tensor import Tensor, tensor, wrap
from ..functions import losses as functions
from ..functions import windows
from ..functions.random import Generator
from .module import Module

Seed = int | Generator | None


def parameter(values: Any, device: str | None = None) -> Tensor:
    """A Tensor that learns."""
    return tensor(values, device=device, requires_grad=True)


class Linear(Module):
    """y = x Wᵀ + b."""

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
        self.in_features, self.out_features = in_features, out_features
        shape = (out_features, in_features)
        self.weight, self.bias = _weight_and_bias(shape, bias, device, dtype, seed)

    def forward(self, x: Tensor) -> Tensor:
        return functions.linear(x, self.weight, self.bias)


class Embedding(Module):
    """Row x of a table: whole numbers (…) to vectors (…, D); row padding_idx is 0 and stays so."""

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
        table = initial.normal((num_embeddings, embedding_dim), generator=seed, dtype=dtype)
        self.padding_idx = None if padding_idx is None else range(num_embeddings)[padding_idx]
        if padding_idx is not None:
            table[padding_idx] = 0
        self.weight = parameter(table, device)

    def forward(self, x: Tensor) -> Tensor:
        rows = functions.embedding(x, self.weight)
        if self.padding_idx is None:
            return rows
        return where(equal(x, self.padding_idx).unsqueeze(-1), wrap(rows._array, None), rows)


class Dropout(Module):
    """x with entries set to 0 at rate p and the rest scaled by 1/(1 − p), while training."""

    def __init__(self, p: float = 0.5, *, seed: Seed = None):
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.generator = p, initial.generator_from(seed)

    def forward(self, x: Tensor) -> Tensor:
        return functions.dropout(x, self.p, training=self.training, generator=self.generator)


class LayerNorm(Module):
    """(x − mean) / √(var + eps) · weight + bias over the last axes."""

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
        shape = (
            (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        )
        self.normalized_shape, self.eps = shape, eps
        dtype = dtype or get_default_dtype()
        self.weight = parameter(np.ones(shape, dtype), device) if elementwise_affine else None
        bias = bias and elementwise_affine
        self.bias = parameter(np.zeros(shape, dtype), device) if bias else None

    def forward(self, x: Tensor) -> Tensor:
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
        padding: int | tuple[int, ...] = 0,
        bias: bool = True,
        *,
        device: str | None = None,
        dtype: Any = None,
        seed: Seed = None,
    ):
        kernel = (kernel_size,) * self.axes if isinstance(kernel_size, int) else tuple(kernel_size)
        self.stride, self.padding = stride, padding
        shape = (out_channels, in_channels, *kernel)
        self.weight, self.bias = _weight_and_bias(shape, bias, device, dtype, seed)


class Conv1d(_Conv):
    """Cross-correlation of (B, C, L) with kernels (O, C, K)."""

    axes = 1

    def forward(self, x: Tensor) -> Tensor:
        return windows.conv1d(x, self.weight, self.bias, self.stride, self.padding)


class Conv2d(_Conv):
    """Cross-correlation of (B, C, Y, X) with kernels (O, C, Ky, Kx)."""

    axes = 2

    def forward(self, x: Tensor) -> Tensor:
        return windows.conv2d(x, self.weight, self.bias, self.stride, self.padding)


class Sequential(Module):
    """One after the other: Modules or plain functions."""

    def __init__(self, *steps: Callable):
        self.steps = steps

    def named_members(self) -> Any:
        return ((str(k), step) for k, step in enumerate(self.steps) if isinstance(step, Module))

    def forward(self, x: Any) -> Any:
        for step in self.steps:
            x = step(x)
        return x

    def __getitem__(self, k: int) -> Callable:
        return self.steps[k]

    def __len__(self) -> int:
        return len(self.steps)


def _weight_and_bias(
    shape: tuple[int, ...], bias: bool, device: str | None, dtype: Any, seed: Seed
) -> tuple[Tensor, Tensor | None]:
    """PyTorch's default: both U(−b, b) with b = 1/√fan_in."""
    generator, bound = initial.generator_from(seed), 1 / math.sqrt(max(initial.fans(shape)[0], 1))
    make = lambda s: initial.uniform(s, -bound, bound, generator=generator, dtype=dtype)
    weight = parameter(make(shape), device)
    return weight, parameter(make(shape[:1]), device) if bias else None
