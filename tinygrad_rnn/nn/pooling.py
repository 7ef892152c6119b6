"""Offer pooling as modules, the largest value or the mean of a window, to programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ..engine.tensor import Tensor
from ..functions import windows
from .layers import sizes
from .module import Module


class Pooling(Module):
    """Base of pooling: windows of `kernel_size`, `stride` apart (their own size if None)."""

    function: ClassVar[Callable]
    axes: ClassVar[int | None] = None

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0):
        for name, value in (("kernel_size", kernel_size), ("stride", stride), ("padding", padding)):
            if value is not None or name != "stride":
                sizes(self, name, value, self.axes, name != "padding")
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """Return what is found in each window of x."""
        return type(self).function(x, self.kernel_size, self.stride, self.padding)


class MaxPool1d(Pooling):
    """The largest value of each window of (B, C, L)."""

    function = staticmethod(windows.max_pool1d)
    axes = 1


class MaxPool2d(Pooling):
    """The largest value of each window of (B, C, Y, X)."""

    function = staticmethod(windows.max_pool2d)
    axes = 2


class AvgPool1d(Pooling):
    """The mean of each window of (B, C, L), padding counted as zeros."""

    function = staticmethod(windows.avg_pool1d)
    axes = 1


class AvgPool2d(Pooling):
    """The mean of each window of (B, C, Y, X), padding counted as zeros."""

    function = staticmethod(windows.avg_pool2d)
    axes = 2
