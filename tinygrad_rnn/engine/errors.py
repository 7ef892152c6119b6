"""Explain why an operation failed and where a NaN began; `primitive` and `record` call it.

Nothing here runs while all goes well: a primitive calls `explained` only after its computation
failed, and `watch` only inside `detect_anomaly()`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from .arrays import Array, is_array, library_of

NO_GRAPH = "element 0 of tensors does not require grad and does not have a grad_fn"
FREED = (
    "the graph was already freed by backward() (at {}); pass retain_graph=True to the first call, "
    "or detach() the hidden state for truncated BPTT"
)
PACKAGE = __name__.partition(".")[0]
REAL = (bool, int, float, np.bool_, np.integer, np.floating)


def explained(name: str, inputs: Sequence[Any], error: Exception) -> Exception:
    """Return the error to raise instead: same type, naming the operation and what it was given."""
    arrays = [getattr(x, "_array", x) for x in inputs]
    devices = {library_of(a).device for a in arrays if is_array(a)}
    if len(devices) > 1:
        return TypeError(different_devices(name, arrays))
    if not all(is_array(a) or isinstance(a, REAL) for a in arrays):
        kinds = ", ".join(type(a).__name__ for a in arrays)
        return TypeError(f"{name}: cannot compute with ({kinds}); make Tensors of them first")
    told = f"{name}: {' and '.join(_described(x) for x in inputs)}: {_reason(name, arrays, error)}"
    kind = type(error) if type(error) in (ValueError, TypeError, IndexError) else ValueError
    return kind(told)


def different_devices(name: str, arrays: Sequence[Array]) -> str:
    """Name the device of each input that is an array, and the way out."""
    where = [f"{library_of(a).device} (input {k})" for k, a in enumerate(arrays) if is_array(a)]
    return (f"{name}: operands live on different devices: {' and '.join(where)}; "
            'use .to("cuda") or .to("cpu")')  # fmt: skip


def _described(x: Any) -> str:
    shape = getattr(x, "shape", None)
    named = getattr(x, "name", None)
    return f"{x!r}" if shape is None else f"{named + ' ' if named else ''}{tuple(shape)}"


def _reason(name: str, arrays: Sequence[Array], error: Exception) -> str:
    if name == "matmul" and all(is_array(a) and a.ndim for a in arrays):
        inner = arrays[0].shape[-1], arrays[1].shape[max(-2, -arrays[1].ndim)]
        if inner[0] != inner[1]:
            return f"shapes cannot be multiplied: {inner[0]} ≠ {inner[1]}"
    return str(error)


def watch(name: str, place: str, values: Array, where: str, what: str = "value",
          given: Sequence[Any] = ()) -> None:  # fmt: skip
    """Raise FloatingPointError naming op, scope and line if `values` has a NaN or an infinity.

    If an infinity came in with the inputs `given`, as the -inf of a mask does, only a NaN is new.
    """
    if values.dtype.kind != "f" or bool(np.isfinite(values).all()):
        return
    masks = any(bool(np.isinf(a).any()) for a in given)
    wrong = np.isnan(values) if masks else ~np.isfinite(values)
    bad = int(wrong.sum())
    if bad:
        inside = f" in {place}" if place else ""
        raise FloatingPointError(
            f"first non-finite {what}: {name}{inside}, at {where}: "
            f"{bad} of {values.size} entries, shape {values.shape}"
        )


def line_of_user() -> str:
    """Return `file.py:12` of the innermost frame outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}"
