"""Bring inputs to one dtype, as PyTorch does; `primitive` and `ops` call it.

Booleans give way to integers and these to floats. Within a kind an array that has axes decides,
else a 0-d one, else a Python or NumPy number: float32 · float64(2.5) is float32, uint8 + 1 uint8.
NumPy alone would turn float32 · int64 into float64, and before NumPy 2 also a 0-d float32 · 2.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .arrays import get_default_dtype

WEAK_SCALARS = not np.__version__.startswith("1.")  # NumPy 2: a Python number has no dtype
WEAK = (float, int)
PYTHON_NUMBERS = (float, int, bool)
BOOLEAN = np.dtype(np.bool_)
FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)  # inputs of one need no cast at all
KINDS = {"b": 0, "u": 1, "i": 1, "f": 2}


def promoted(arrays: list) -> list:
    """Return arithmetic's inputs in their common dtype."""
    a, b = arrays
    kind = type(a)
    if kind is type(b):
        if a.dtype is b.dtype:
            return arrays
    elif WEAK_SCALARS and (
        type(b) in WEAK and a.dtype.kind == "f" or kind in WEAK and b.dtype.kind == "f"
    ):
        return arrays
    return together(arrays)


def together(arrays: Sequence) -> list:
    """Return any number of inputs in their common dtype.

    >>> [a.dtype.name for a in together([np.zeros(2, np.uint8), np.zeros((), np.int64)])]
    ['uint8', 'uint8']
    """
    dtypes = {getattr(a, "dtype", None) for a in arrays}
    if len(dtypes) == 1 and None not in dtypes:
        return list(arrays)
    numbers = [a.item() if isinstance(a, np.generic) else a for a in arrays]
    dtype = common_dtype(numbers)
    return [cast(x, dtype) for x in numbers]


def common_dtype(values: Sequence) -> np.dtype:
    """Return the dtype of a result: of the widest kind there is, and within it of arrays that have
    axes, before 0-d ones, before numbers."""
    ranked: tuple[list, list, list] = ([], [], [])
    for x in values:
        known = getattr(x, "dtype", None)
        rank = 2 if known is None else 0 if x.shape else 1
        ranked[rank].append(dtype_of_number(x) if known is None else known)
    widest = max(KINDS[dtype.kind] for dtypes in ranked for dtype in dtypes)
    wide = ([d for d in dtypes if KINDS[d.kind] == widest] for dtypes in ranked)
    return np.result_type(*next(filter(None, wide)))


def dtype_of_number(x: Any) -> np.dtype:
    """Return int64 for Python's integers on every platform, the default dtype for its floats."""
    if isinstance(x, int):
        return np.dtype(np.bool_ if isinstance(x, bool) else np.int64)
    return get_default_dtype()


def counted(arrays: list) -> list:
    """Return the inputs of a power or a remainder, in their common dtype; NumPy gives booleans
    int8."""
    arrays = promoted(arrays) if len(arrays) == 2 else together(arrays)
    if getattr(arrays[0], "dtype", None) == BOOLEAN:
        raise TypeError("there is none of booleans; use astype('int64') first")
    return arrays


def divided(arrays: list) -> list:
    """Return a remainder's inputs; refuse the integer divisor 0, where NumPy would give 0."""
    arrays = counted(arrays)
    whole = getattr(arrays[1], "dtype", BOOLEAN).kind in "iu"
    if whole and np.size(arrays[0]) and not np.all(arrays[1]):
        raise ZeroDivisionError("integers are not divided by 0")
    return arrays


def multiplied(arrays: list) -> list:
    """Return the factors of a product of matrices; refuse booleans, where NumPy would return
    whether any product is true."""
    first = arrays[0].dtype
    if first is not BOOLEAN and len(arrays) == 2 and first is arrays[1].dtype:
        return arrays
    return counted(together(arrays))


def compared(arrays: list) -> list:
    """Return a comparison's inputs; a number that an integer array cannot hold stays as it is."""
    for array, number in (arrays, arrays[::-1]):
        whole = isinstance(number, (int, np.integer)) and array.dtype.kind in "iu"
        if whole and not fits(int(number), array.dtype):
            return [array, int(number)] if array is arrays[0] else [int(number), array]
    return promoted(arrays)


def as_floats(arrays: list) -> list:
    """Return the inputs of a function of real numbers: integers become the default float dtype."""
    if len(arrays) == 1 and arrays[0].dtype.kind == "f":
        return arrays
    for x in arrays:
        if not _is_integer(x):
            return promoted(arrays) if len(arrays) == 2 else arrays
    return [cast(x, get_default_dtype()) for x in arrays]


def typed_floats(arrays: list) -> list:
    """Return what `as_floats` does, with Python numbers in the other's dtype, for functions that
    are not one ufunc."""
    a, b = as_floats(arrays)
    return [x if hasattr(x, "dtype") else cast(x, y.dtype) for x, y in ((a, b), (b, a))]


def branches(arrays: list) -> list:
    """Return the inputs of `where`: a condition, and two values that come to one dtype."""
    condition, a, b = arrays
    numbers = type(a) in PYTHON_NUMBERS and type(b) in PYTHON_NUMBERS
    return [condition, *(together if numbers else promoted)([a, b])]


def unwidened(y: Any, arrays: list) -> Any:
    """Undo NumPy 1's widening: a 0-d float32 with a Python number came to float64 there."""
    floats = [a.dtype for a in arrays if getattr(getattr(a, "dtype", None), "kind", "") == "f"]
    return y.astype(np.result_type(*floats)) if floats and y.dtype == np.float64 else y


def _is_integer(x: Any) -> bool:
    return isinstance(x, int) or getattr(getattr(x, "dtype", None), "kind", "f") in "iub"


def fits(number: int, dtype: np.dtype) -> bool:
    """Return True if an integer dtype holds `number`."""
    limits = np.iinfo(dtype)
    return bool(limits.min <= number <= limits.max)


def cast(x: Any, dtype: np.dtype) -> Any:
    """Return an array or a number in `dtype`; refuse an integer that it cannot hold rather than
    wrap it."""
    if not isinstance(x, (bool, int, float)):
        return x.astype(dtype) if x.dtype != dtype else x
    if dtype.kind in "iu" and not fits(int(x), dtype):
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        raise ValueError(f"{x} is not among the numbers of {dtype}, {low} … {high}; "
                         "use astype('int64') first")  # fmt: skip
    return dtype.type(x)
