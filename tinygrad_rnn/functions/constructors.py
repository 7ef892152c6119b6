"""Offer PyTorch's old constructors, one for each dtype, to ported programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.tensor import Tensor
from .creation import zeros

__all__ = ["BoolTensor", "DoubleTensor", "FloatTensor", "IntTensor", "LongTensor"]


def typed(name: str, dtype: Any) -> Any:
    """Return the old constructor of one dtype: of data, or of sizes, which it fills with zeros."""

    def make(*data: Any) -> Tensor:
        sizes = data and all(isinstance(n, (int, np.integer)) for n in data)
        if not data or sizes:
            return zeros(*(data or (0,)), dtype=dtype)
        if len(data) > 1:
            raise TypeError(f"{name}: give data, or sizes one by one")
        return Tensor(data[0], dtype)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Return a Tensor of {np.dtype(dtype)} of data, or of sizes, filled with zeros."
    return make


FloatTensor, DoubleTensor = typed("FloatTensor", np.float32), typed("DoubleTensor", np.float64)
LongTensor, IntTensor = typed("LongTensor", np.int64), typed("IntTensor", np.int32)
BoolTensor = typed("BoolTensor", np.bool_)
