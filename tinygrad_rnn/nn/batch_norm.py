"""Normalise each feature over the batch (Ioffe and Szegedy 2015); programs call it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.arrays import get_default_dtype
from ..engine.context import no_grad
from ..engine.options import device as checked_device
from ..engine.options import flag, floating, real, whole
from ..engine.tensor import Tensor, tensor
from ..functions.reductions import var_mean
from .module import Module, check_dtype


def batch_norm(input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
               weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False,
               momentum: float = 0.1, eps: float = 1e-5) -> Tensor:  # fmt: skip
    """Return (B, C, …) with mean 0 and variance 1 of each of the C features, then weight and bias.

    In training they are the batch's own, and the running ones move towards them.

    >>> import tinygrad_rnn as t
    >>> batch_norm(t.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.],
            [ 1.]])
    """
    if input.ndim < 2:
        raise ValueError(f"batch_norm: input must be (B, C, …), got {input.shape}")
    axes = (0, *range(2, input.ndim))
    along = lambda v: v.reshape(1, -1, *(1,) * (input.ndim - 2))
    if training or running_mean is None or running_var is None:
        count = input._array.size // max(input.shape[1], 1)
        if count < 2:
            raise ValueError(
                f"batch_norm: one value of each feature has no variance: {input.shape}"
            )
        variance, middle = var_mean(input, axes, 0)
        if training and running_mean is not None and running_var is not None:
            with no_grad():
                running_mean.lerp_(middle, momentum)
                running_var.lerp_(variance * (count / (count - 1)), momentum)
    else:
        variance, middle = running_var, running_mean
    y = (input - along(middle)) / (along(variance) + eps).sqrt()
    y = y if weight is None else y * along(weight)
    return y if bias is None else y + along(bias)


class BatchNorm1d(Module):
    """Normalise each feature of (B, C) or (B, C, L): (x − mean) / √(var + eps) · weight + bias.

    While training the batch's own mean and variance; in evaluation the running ones.
    """

    running_mean: Tensor | None
    running_var: Tensor | None

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1,
                 affine: bool = True, track_running_stats: bool = True, *,
                 device: str | None = None, dtype: Any = None):  # fmt: skip
        self.num_features = whole(self, "num_features", num_features)
        self.eps, self.momentum = real(self, "eps", eps, 0), real(self, "momentum", momentum, 0, 1)
        flag(self, "affine", affine), flag(self, "track_running_stats", track_running_stats)
        device = checked_device(self, device)
        dtype = floating(self, "dtype", dtype or get_default_dtype())
        full = lambda value: tensor(np.full(num_features, value, dtype), device=device)
        self.weight = full(1.0).requires_grad_() if affine else None
        self.bias = full(0.0).requires_grad_() if affine else None
        self.register_buffer("running_mean", full(0.0) if track_running_stats else None)
        self.register_buffer("running_var", full(1.0) if track_running_stats else None)

    def forward(self, x: Tensor) -> Tensor:
        """Return x normalised."""
        check_dtype(self, x, self.weight)
        if x.ndim not in (2, 3) or x.shape[1] != self.num_features:
            wanted = f"(B, {self.num_features}) or (B, {self.num_features}, L)"
            raise ValueError(f"BatchNorm1d: x must be {wanted}, got {x.shape}")
        return batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias,
                          self.training, self.momentum, self.eps)  # fmt: skip
