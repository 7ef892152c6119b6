"""Hold small layers of one function each, for ported programs; `nn` offers them."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from .. import init as initial
from ..engine.options import flag, kind, real, whole
from ..engine.tensor import Tensor
from ..functions import entries, losses, more_losses, products, shapes
from ..functions.random import Generator
from .layers import parameter, placed, sizes
from .module import Module, check_dtype


class PReLU(Module):
    """Return x if positive, else w · x: one w for all or one for each channel, which learns."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, device: str | None = None,
                 dtype: Any = None):  # fmt: skip
        self.num_parameters = whole(self, "num_parameters", num_parameters)
        device, dtype, _ = placed(self, device, dtype, None)
        start = np.full(num_parameters, real(self, "init", init), dtype)
        self.weight = parameter(start, device)

    def forward(self, x: Tensor) -> Tensor:
        return entries.prelu(x, self.weight)


class RMSNorm(Module):
    """Return x / √(mean x² + eps) · weight over the last axes."""

    def __init__(self, normalized_shape: int | tuple[int, ...], eps: float | None = None,
                 elementwise_affine: bool = True, *, device: str | None = None,
                 dtype: Any = None):  # fmt: skip
        self.normalized_shape = sizes(self, "normalized_shape", normalized_shape)
        self.eps = None if eps is None else real(self, "eps", eps, 0)
        device, dtype, _ = placed(self, device, dtype, None)
        ones = np.ones(self.normalized_shape, dtype)
        affine = flag(self, "elementwise_affine", elementwise_affine)
        self.weight = parameter(ones, device) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        check_dtype(self, x, self.weight)
        return more_losses.rms_norm(x, self.normalized_shape, self.weight, self.eps)


class GroupNorm(Module):
    """Return (B, C, …) of mean 0 and variance 1 over each group of channels, then scaled."""

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True,
                 *, device: str | None = None, dtype: Any = None):  # fmt: skip
        self.num_groups = whole(self, "num_groups", num_groups)
        self.num_channels = whole(self, "num_channels", num_channels)
        if num_channels % num_groups:
            told = f"num_channels={num_channels} must be divisible by num_groups={num_groups}"
            raise ValueError(f"GroupNorm: {told}")
        self.eps = real(self, "eps", eps, 0)
        device, dtype, _ = placed(self, device, dtype, None)
        affine = flag(self, "affine", affine)
        self.weight = parameter(np.ones(num_channels, dtype), device) if affine else None
        self.bias = parameter(np.zeros(num_channels, dtype), device) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        check_dtype(self, x, self.weight)
        return more_losses.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


class Bilinear(Module):
    """Return x₁ᵀ Wₖ x₂ + bₖ for each output k."""

    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True,
                 *, device: str | None = None, dtype: Any = None,
                 seed: int | Generator | None = None):  # fmt: skip
        names = ("in1_features", "in2_features", "out_features")
        self.in1_features, self.in2_features, self.out_features = (
            whole(self, n, v) for n, v in zip(names, (in1_features, in2_features, out_features))
        )
        device, dtype, draw = placed(self, device, dtype, seed)
        bound = 1 / math.sqrt(in1_features)
        make = lambda *s: parameter(
            initial.uniform(s, -bound, bound, generator=draw, dtype=dtype), device
        )
        self.weight = make(out_features, in1_features, in2_features)
        self.bias = make(out_features) if flag(self, "bias", bias) else None

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        check_dtype(self, x1, self.weight)
        return products.bilinear(x1, x2, self.weight, self.bias)


class CosineSimilarity(Module):
    """Return x₁·x₂ / (max(‖x₁‖, eps) max(‖x₂‖, eps)) along an axis."""

    def __init__(self, dim: int = 1, eps: float = 1e-8):
        self.dim, self.eps = whole(self, "dim", dim, -math.inf), real(self, "eps", eps, 0)

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return how alike the directions are, from −1 to 1."""
        return losses.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of x₁ − x₂ + eps along the last axis."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False):
        self.p, self.eps = real(self, "p", p), real(self, "eps", eps, 0)
        self.keepdim = flag(self, "keepdim", keepdim)

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the distance of each pair of rows."""
        return products.pairwise_distance(x1, x2, self.p, self.eps, self.keepdim)


class Padding(Module):
    """Base: entries before and after the last axis, a number for both or a pair."""

    mode: ClassVar[str] = "constant"
    value: float = 0.0

    def __init__(self, padding: int | tuple[int, int]):
        pair = padding if isinstance(padding, (tuple, list)) else (padding, padding)
        kind(self, "padding", pair, (tuple, list), "a whole number or a pair of them")
        self.padding = tuple(whole(self, "padding", n, -math.inf) for n in pair)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with more entries along its last axis."""
        return shapes.pad(x, self.padding, self.mode, self.value)


class ZeroPad1d(Padding):
    """Zeros before and after."""


class ConstantPad1d(Padding):
    """One number before and after."""

    def __init__(self, padding: int | tuple[int, int], value: float):
        super().__init__(padding)
        self.value = real(self, "value", value)


class ReflectionPad1d(Padding):
    """Entries mirrored at both ends."""

    mode = "reflect"


class ReplicationPad1d(Padding):
    """The first and the last entry again."""

    mode = "replicate"


class CircularPad1d(Padding):
    """Entries from the other end."""

    mode = "circular"


class AdaptiveAvgPool1d(Module):
    """Means of so many windows that cover the last axis evenly."""

    def __init__(self, output_size: int):
        self.output_size = whole(self, "output_size", output_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return one value of each window."""
        return more_losses.adaptive_avg_pool1d(x, self.output_size)


class AdaptiveMaxPool1d(Module):
    """Largest values of so many windows that cover the last axis evenly."""

    def __init__(self, output_size: int):
        self.output_size = whole(self, "output_size", output_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return one value of each window."""
        return more_losses.adaptive_max_pool1d(x, self.output_size)
