"""Find the library an array belongs to and move arrays between them; `tensor` calls it.

A library is a namespace (``numpy``, ``cupy``), the type of its arrays and a device name. All
arithmetic reaches it through NumPy's own dispatch (``np.exp(array)``), so this file holds only what
dispatch cannot do: make new arrays, move them, and the two functions that libraries spell
differently. CuPy is imported when an array or the word "cuda" asks for it, never before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any  # numpy.ndarray, cupy.ndarray or a registered type
_default_dtype = np.dtype(np.float32)


class Library:
    """One array library: where its arrays live and how they come back to NumPy."""

    __slots__ = ("device", "erf", "to_numpy", "xp")

    def __init__(self, xp: Any, device: str, to_numpy: Callable, erf: Callable):
        self.xp, self.device, self.to_numpy, self.erf = xp, device, to_numpy, erf


def _erf(a: np.ndarray) -> np.ndarray:
    """Return the error function, right to the last digit; NumPy itself has none."""
    flat = [math.erf(v) for v in a.ravel().tolist()]
    return np.array(flat, a.dtype).reshape(a.shape)


NUMPY = Library(np, "cpu", np.array, _erf)
_by_type: dict[type, Library] = {np.ndarray: NUMPY}
_by_device: dict[str, Library] = {"cpu": NUMPY}


def register(array_type: type, xp: Any, device: str, to_numpy: Callable, erf: Callable) -> None:
    """Make a further array library known: its arrays' type, namespace and device name."""
    library = Library(xp, device, to_numpy, erf)
    register_type(array_type, library)
    _by_device[device] = library


def register_type(array_type: type, library: Library) -> None:
    """Make a type known as that of a library's arrays, which no device is named after."""
    _by_type[array_type] = library


def library(device: str) -> Library:
    """Return the library whose arrays live on ``device``; "cuda" imports CuPy the first time."""
    name = {"numpy": "cpu", "cupy": "cuda"}.get(device, device)
    if name not in _by_device and name == "cuda":
        _register_cupy()
    if name not in _by_device:
        raise ValueError(f"unknown device {device!r}; known here: {', '.join(_by_device)}, cuda")
    return _by_device[name]


def is_device(name: object) -> bool:
    """True for the name of a known device, "cuda" included before CuPy was ever asked for."""
    return isinstance(name, str) and (name in _by_device or name in ("cuda", "numpy", "cupy"))


def library_of(array: Array) -> Library:
    """Return the library that made ``array``; TypeError if it is no array of a known one."""
    found = _by_type.get(type(array))
    if found is None and type(array).__module__.partition(".")[0] == "cupy":
        found = library("cuda")
    if found is None and isinstance(array, (np.ndarray, np.generic)):
        found = NUMPY
    if found is None:
        raise TypeError(f"{type(array).__name__} is not an array of NumPy, CuPy or a known library")
    return found


def is_array(value: object) -> bool:
    """Return True for an array of any known library (Python and NumPy scalars are not arrays)."""
    kind = type(value)
    return kind in _by_type or kind.__module__ == "cupy" or isinstance(value, np.ndarray)


def move(array: Array, device: str) -> Array:
    """Return ``array`` on ``device``: itself when it is there already, else a copy over there."""
    here, there = library_of(array), library(device)
    return array if here is there else there.xp.asarray(here.to_numpy(array))


def to_numpy(value: Any) -> np.ndarray:
    """Return a NumPy array, not always a copy, of a Tensor (PyTorch's too), an array of any
    library, a number or a nested list."""
    for step in ("detach", "cpu"):
        value = getattr(value, step)() if hasattr(value, step) else value
    return move(value, "cpu") if is_array(value) else np.asarray(value)


def named_dtype(name: Any) -> np.dtype:
    """Return the dtype of that name: "float" is the default one, Python's int int64 on every
    platform."""
    if name is int:
        return np.dtype(np.int64)
    return _default_dtype if isinstance(name, str) and name == "float" else np.dtype(name)


def as_array(data: Any, dtype: Any = None, device: str | None = None) -> Array:
    """Return `data` as a fresh native array of its library (or `device`'s), floats as `tensor`
    says."""
    data = getattr(data, "_array", data)  # a Tensor
    if not is_array(data) and not isinstance(data, np.generic):
        data = _from_python(data, dtype is not None)
    array = move(data, device) if device is not None and is_array(data) else data
    xp = library(device).xp if device is not None else library_of(array).xp
    if dtype is None:
        dtype = array.dtype.newbyteorder("=")
    dtype = named_dtype(dtype)
    if dtype.kind not in "fiub":
        raise TypeError(f"a tensor holds real numbers or booleans, not {dtype}")
    array = xp.array(array, dtype=dtype, order="C")
    own = np.dtype(array.dtype.type)  # an unpickled array has an equal dtype that is another object
    return array if array.dtype is own else array.view(own)


def _from_python(data: Any, named: bool) -> Array:
    """Return an array of numbers, nested sequences (of Tensors too) or foreign arrays; Python
    floats get the default dtype, unless one is `named`, which they are rounded to at once."""
    if isinstance(data, (list, tuple)) and any(hasattr(v, "_array") for v in data):
        data = [v.tolist() if hasattr(v, "_array") else v for v in data]
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"tensor: the nested sequences differ in length: {error}") from None
    python = isinstance(data, (bool, int, float, list, tuple, range))
    if python and not _holds_numpy(data):
        if array.dtype == np.float64 and not named:
            return array.astype(_default_dtype)
        if array.dtype.kind == "i":  # 32 bits where a C long has them
            return array.astype(np.int64)
    return array


def _holds_numpy(data: Any) -> bool:
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return isinstance(data, (np.ndarray, np.generic))


def set_default_dtype(dtype: Any) -> None:
    """Set the dtype of Tensors made from Python floats, and of parameters (float32 at first)."""
    global _default_dtype
    if np.dtype(dtype).kind != "f":
        raise TypeError(f"only floating-point types are supported as the default, not {dtype}")
    _default_dtype = np.dtype(dtype)


def get_default_dtype() -> np.dtype:
    """Return the dtype of Tensors made from Python floats, and of parameters."""
    return _default_dtype


def _register_cupy() -> None:
    try:
        import cupy  # type: ignore[import-not-found,import-untyped,unused-ignore]
        from cupyx.scipy.special import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
            erf,
        )
    except ImportError as error:
        hint = 'pip install "tinygrad_rnn[gpu]" (or the cupy wheel of your CUDA version)'
        raise ImportError(
            f"device 'cuda' needs CuPy, which does not import here: {hint}"
        ) from error
    register(cupy.ndarray, cupy, "cuda", cupy.asnumpy, erf)
