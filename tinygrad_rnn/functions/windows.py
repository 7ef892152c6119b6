"""Slide a window over the last axes: convolution and pooling, for `nn.layers` and `nn.pooling`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.arguments import check_arguments
from ..engine.tensor import Tensor
from .reductions import mean
from .shapes import pad, stack


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, str):
        raise ValueError(f"expected a number or a pair of numbers, not {value!r}")
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def _sides(padding: Any, size: Any, stride: Any, dilation: Any) -> list[tuple[int, int]]:
    """Return (before, after) for rows and columns; "same" keeps the size, an odd one goes after."""
    if padding == "same" and {*_pair(stride)} != {1}:
        raise ValueError(f"padding='same' needs stride 1, got stride={stride}")
    if padding == "same":
        wanted = [d * (n - 1) for n, d in zip(_pair(size), _pair(dilation))]
        return [(n // 2, n - n // 2) for n in wanted]
    return [(n, n) for n in _pair(0 if padding == "valid" else padding)]


def _windows(x: Tensor, size: tuple[int, ...], stride: Any, padding: Any, dilation: Any = 1,
             fill: float = 0.0) -> list[Tensor]:  # fmt: skip
    """List for each place (i, j) of a window the slice (…, rows, columns) that all see there."""
    (sh, sw), (dh, dw) = _pair(stride), _pair(dilation)
    (top, bottom), (left, right) = _sides(padding, size, stride, dilation)
    x = pad(x, (left, right, top, bottom), value=fill) if top or bottom or left or right else x
    rows = (x.shape[-2] - dh * (size[0] - 1) - 1) // sh + 1
    columns = (x.shape[-1] - dw * (size[1] - 1) - 1) // sw + 1
    if rows <= 0 or columns <= 0:
        raise ValueError(
            f"a window of {size} (dilation {dilation}) is larger than the input {x.shape}"
        )
    return [
        x[
            ...,
            i * dh : i * dh + sh * (rows - 1) + 1 : sh,
            j * dw : j * dw + sw * (columns - 1) + 1 : sw,
        ]
        for i in range(size[0])
        for j in range(size[1])
    ]


def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1,
           padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Tensor:  # fmt: skip
    """Return the cross-correlation of (N, C, H, W) with (O, C/groups, kh, kw): one product, all
    windows.

    >>> t.conv2d(t.ones(1, 2, 5, 5), t.ones(3, 2, 3, 3), padding=1).shape
    (1, 3, 5, 5)
    """
    if input.ndim == 3:
        return conv2d(input.unsqueeze(0), weight, bias, stride, padding, dilation, groups).squeeze(
            0
        )
    out, per_group = weight.shape[:2]
    if input.ndim != 4 or input.shape[1] != per_group * groups or out % groups:
        raise ValueError(f"conv2d: input {input.shape} has not the {per_group}·{groups} channels "
                         f"that weight {weight.shape} with groups={groups} expects")  # fmt: skip
    seen = stack(_windows(input, weight.shape[-2:], stride, padding, dilation), 2)  # N C k R S
    n, _, k, rows, columns = seen.shape
    seen = seen.reshape(n, groups, per_group * k, rows * columns)
    flat = weight.reshape(groups, out // groups, per_group * k)
    y = (flat @ seen).reshape(n, out, rows, columns)
    return y if bias is None else y + bias.reshape(-1, 1, 1)


def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1,
           padding: int = 0, dilation: int = 1, groups: int = 1) -> Tensor:  # fmt: skip
    """Return the cross-correlation of (N, C, L) with (O, C/groups, k).

    >>> t.conv1d(t.ones(1, 2, 7), t.ones(3, 2, 3)).shape
    (1, 3, 5)
    """
    step, apart = (next(iter(v)) if isinstance(v, (tuple, list)) else v for v in (stride, dilation))
    ((before, after),) = _sides(padding, weight.shape[-1], step, apart)[:1]
    if before != after:
        input, before = pad(input, (before, after)), 0
    return conv2d(input.unsqueeze(-2), weight.unsqueeze(-2), bias, (1, step), (0, before),
                  (1, apart), groups).squeeze(-2)  # fmt: skip


def max_pool2d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Tensor:
    """Return the largest value of each window; of equal ones the first gets the gradient.

    >>> t.max_pool2d(t.ones(1, 1, 4, 4), 2).shape
    (1, 1, 2, 2)
    """
    size, stride = _pair(kernel_size), kernel_size if stride is None else stride
    if 2 * np.max(_pair(padding)) > np.min(size):
        raise ValueError("pad should be at most half of effective kernel size")
    return stack(_windows(input, size, stride, padding, fill=-math.inf), 0).max(axis=0).values


def max_pool1d(input: Tensor, kernel_size: int, stride: int | None = None,
               padding: int = 0) -> Tensor:  # fmt: skip
    """Return the largest value of each window of the last axis.

    >>> t.max_pool1d(t.tensor([[[1.0, 3.0, 2.0, 4.0]]]), 2)
    tensor([[[3., 4.]]])
    """
    step = kernel_size if stride is None else stride
    return max_pool2d(input.unsqueeze(-2), (1, kernel_size), (1, step), (0, padding)).squeeze(-2)


def avg_pool1d(input: Tensor, kernel_size: int, stride: int | None = None,
               padding: int = 0) -> Tensor:  # fmt: skip
    """Return the mean of each window of the last axis, padding counted as zeros.

    >>> t.avg_pool1d(t.tensor([[[1.0, 3.0, 2.0, 4.0]]]), 2)
    tensor([[[2., 3.]]])
    """
    step = kernel_size if stride is None else stride
    return avg_pool2d(input.unsqueeze(-2), (1, kernel_size), (1, step), (0, padding)).squeeze(-2)


def avg_pool2d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Tensor:
    """Return the mean of each window, padding counted as zeros.

    >>> t.avg_pool2d(t.ones(1, 1, 4, 4), 2).shape
    (1, 1, 2, 2)
    """
    stride = kernel_size if stride is None else stride
    return mean(stack(_windows(input, _pair(kernel_size), stride, padding), 0), axis=0)


check_arguments(globals())
