"""Slide a window over the last axes: convolution and pooling, for `nn.layers` and `nn.pooling`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.arguments import check_arguments
from ..engine.tensor import Tensor, wrap
from .reductions import mean
from .shapes import pad, stack


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, str):
        raise ValueError(f"expected a number or a pair of numbers, not {value!r}")
    if isinstance(value, (tuple, list)) and len(value) == 1:
        value = value[0]
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


def max_pool2d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
               dilation: Any = 1, ceil_mode: bool = False,
               return_indices: bool = False) -> Any:  # fmt: skip
    """Return the largest value of each window; of equal ones the first gets the gradient.

    With ceil_mode a last window may reach beyond the end; with return_indices also the place of
    each value in its image, counted row by row.

    >>> t.max_pool2d(t.ones(1, 1, 4, 4), 2).shape
    (1, 1, 2, 2)
    """
    size, step = _pair(kernel_size), kernel_size if stride in (None, (), []) else stride
    if any(2 * p > n for p, n in zip(_pair(padding), size)):
        raise ValueError("pad should be at most half of effective kernel size")
    x, before = _to_the_end(input, size, step, padding, dilation, ceil_mode, -math.inf)
    seen = stack(_windows(x, size, step, 0, dilation), 0)
    values, which = seen.max(axis=0)
    return (
        (values, _places(input, which, size, step, dilation, before)) if return_indices else values
    )


def _places(x: Tensor, which: Tensor, size: tuple, stride: Any, dilation: Any, before: tuple
            ) -> Tensor:  # fmt: skip
    """Return where in its image each window's entry number `which` lies."""
    found = []
    for k, n in enumerate(which.shape[-2:]):
        entry = which._array // size[1] if k == 0 else which._array % size[1]
        start = np.arange(n) * _pair(stride)[k] - before[k]
        start = start[:, None] if k == 0 else start
        found.append(start + entry * _pair(dilation)[k])
    return wrap(found[0] * x.shape[-1] + found[1], None)


def _to_the_end(x: Tensor, size: tuple, stride: Any, padding: Any, dilation: Any, ceil: bool,
                fill: float) -> tuple[Tensor, tuple[int, int]]:  # fmt: skip
    """Return x padded, with `ceil` as far as a last window reaches, and the rims before it."""
    rims = []
    for n, k, s, p, d in zip(x.shape[-2:], size, _pair(stride), _pair(padding), _pair(dilation)):
        over = n + 2 * p - d * (k - 1) - 1
        count = -(-over // s) + 1 if ceil else over // s + 1
        if (count - 1) * s >= n + p:  # a window that begins in the padding sees nothing
            count -= 1
        rims.append((p, max((count - 1) * s + d * (k - 1) + 1 - n - p, 0) if ceil else p))
    (top, bottom), (left, right) = rims
    rim = (left, right, top, bottom)
    return pad(x, rim, value=fill) if any(rim) else x, (top, left)


def max_pool1d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
               dilation: Any = 1, ceil_mode: bool = False,
               return_indices: bool = False) -> Any:  # fmt: skip
    """Return the largest value of each window of the last axis.

    >>> t.max_pool1d(t.tensor([[[1.0, 3.0, 2.0, 4.0]]]), 2)
    tensor([[[3., 4.]]])
    """
    size, step, rim, apart = _of_rows(kernel_size, stride, padding, dilation)
    rows = input.unsqueeze(-2)
    y = max_pool2d(rows, size, step, rim, apart, ceil_mode, return_indices)
    return tuple(v.squeeze(-2) for v in y) if return_indices else y.squeeze(-2)


def _of_rows(size: Any, stride: Any, padding: Any, dilation: Any = 1) -> list[tuple[int, int]]:
    """Return options of the last axis for pictures of one row."""
    one = lambda v: v[0] if isinstance(v, (tuple, list)) else v
    stride = size if stride in (None, (), []) else stride
    return [(1, one(size)), (1, one(stride)), (0, one(padding)), (1, one(dilation))]


def avg_pool1d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
               ceil_mode: bool = False, count_include_pad: bool = True) -> Tensor:  # fmt: skip
    """Return the mean of each window of the last axis, padding counted as zeros (or not at all).

    >>> t.avg_pool1d(t.tensor([[[1.0, 3.0, 2.0, 4.0]]]), 2)
    tensor([[[2., 3.]]])
    """
    size, step, rim, _ = _of_rows(kernel_size, stride, padding)
    rows = input.unsqueeze(-2)
    return avg_pool2d(rows, size, step, rim, ceil_mode, count_include_pad).squeeze(-2)


def avg_pool2d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
               ceil_mode: bool = False, count_include_pad: bool = True,
               divisor_override: int | None = None) -> Tensor:  # fmt: skip
    """Return the mean of each window, padding counted as zeros (or not at all).

    A number in `divisor_override` divides the sums instead of how many entries were counted.

    >>> t.avg_pool2d(t.ones(1, 1, 4, 4), 2).shape
    (1, 1, 2, 2)
    """
    size, stride = _pair(kernel_size), kernel_size if stride in (None, (), []) else stride
    x, _ = _to_the_end(input, size, stride, padding, 1, ceil_mode, 0.0)
    seen = stack(_windows(x, size, stride, 0), 0)
    if divisor_override == 0:
        raise ValueError("avg_pool2d: divisor_override must not be 0")
    if divisor_override is not None:
        return seen.sum(0) * (1 / divisor_override)
    if not ceil_mode and (count_include_pad or not any(_pair(padding))):
        return mean(seen, axis=0)
    inside = input.xp.ones(input.shape[-2:], x.dtype)
    rim = _pair(padding) if count_include_pad else (0, 0)
    inside = np.pad(inside, [(p, p) for p in rim], constant_values=1)
    more = [p if not count_include_pad else 0 for p in _pair(padding)]
    after = [n - m - p for n, m, p in zip(x.shape[-2:], inside.shape, more)]
    inside = np.pad(inside, [(p, a) for p, a in zip(more, after)])
    counted = sum(w._array for w in _windows(wrap(inside, None), size, stride, 0))
    return seen.sum(0) / wrap(counted, None)


check_arguments(globals())
