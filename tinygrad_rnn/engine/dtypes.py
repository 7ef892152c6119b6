"""Bringing inputs to one dtype: Python numbers are weak, integers give way to floats.

NumPy alone would turn float32 · int64 into float64, and before NumPy 2 also a 0-d float32 · 2.5.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import get_default_dtype

WEAK_SCALARS = not np.__version__.startswith("1.")  # NumPy 2: a Python number has no dtype


def promoted(arrays: list) -> list:
    """Arithmetic's inputs with one dtype: the widest float among arrays, else as NumPy has it.
    As in PyTorch a 0-d float64 does not widen a float32 that has axes."""
    a, b = arrays
    kind = type(a)
    if kind is type(b):
        if a.dtype is b.dtype:
            return arrays
    elif WEAK_SCALARS and type(b) in (float, int) and a.dtype.kind == "f":
        return arrays
    floating = [x for x in arrays if isinstance(getattr(x, "shape", None), tuple)
                and not isinstance(x, np.generic) and x.dtype.kind == "f"]  # fmt: skip
    floats = [x.dtype for x in floating if x.ndim] or [x.dtype for x in floating]
    numbers = [x.item() if isinstance(x, np.generic) else x for x in arrays]
    if floats or any(isinstance(x, float) for x in numbers):
        dtype = np.result_type(*floats) if floats else get_default_dtype()
        return [_cast(x, dtype) for x in numbers]
    return numbers


def as_floats(arrays: list) -> list:
    """The inputs of a function of real numbers: integers become the default float dtype."""
    if len(arrays) == 2:
        arrays = promoted(arrays)
    elif arrays[0].dtype.kind == "f":
        return arrays
    for x in arrays:
        if not _is_integer(x):
            return arrays
    return [_cast(x, get_default_dtype()) for x in arrays]


def typed_floats(arrays: list) -> list:
    """As `as_floats`, and a Python number has the other's dtype: for what is not one ufunc."""
    a, b = as_floats(arrays)
    return [x if hasattr(x, "dtype") else _cast(x, y.dtype) for x, y in ((a, b), (b, a))]


def branches(arrays: list) -> list:
    """The inputs of `where`: a condition, and two values that come to one dtype."""
    condition, a, b = arrays
    kind = getattr(condition, "dtype", np.dtype(type(condition)))
    if kind.kind != "b":
        raise TypeError(f"expected a condition of booleans, got {kind}; compare first")
    if {type(a), type(b)} in ({float}, {float, int}):
        return [condition, _cast(a, get_default_dtype()), _cast(b, get_default_dtype())]
    return (
        arrays
        if type(a) in (int, bool) and type(b) in (int, bool)
        else [condition, *promoted([a, b])]
    )


def unwidened(y: Any, arrays: list) -> Any:
    """Before NumPy 2 a 0-d float32 with a Python number came to float64: this takes it back."""
    floats = [a.dtype for a in arrays if getattr(getattr(a, "dtype", None), "kind", "") == "f"]
    return y.astype(np.result_type(*floats)) if floats and y.dtype == np.float64 else y


def _is_integer(x: Any) -> bool:
    return isinstance(x, int) or getattr(getattr(x, "dtype", None), "kind", "f") in "iub"


def _cast(x: Any, dtype: np.dtype) -> Any:
    if isinstance(x, (bool, int, float)):
        return dtype.type(x)
    return x.astype(dtype) if x.dtype != dtype else x
