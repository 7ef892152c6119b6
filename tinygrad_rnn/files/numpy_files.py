"""Read `.npy` and `.npz` without the part of them that can run code; `files` calls it.

Arrays of objects are pickles and are refused. The header of an array is a Python literal; it is
matched by a pattern here, not parsed as Python.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from .bounded_file import BoundedFile, CheckpointError
from .zip_entries import ZipEntries

MAGIC = b"\x93NUMPY"
LONGEST_HEADER = 10_000  # NumPy's own limit
HEADER = re.compile(
    r"\{'descr': '([<>|=][fiubcSU]\d{1,9})', 'fortran_order': (True|False), "
    r"'shape': \(((?:\d{1,19}, ?)*(?:\d{1,19})?)\), ?\} *\n"
)


def read_npy(file: BoundedFile) -> np.ndarray:
    """Return the array of a `.npy` file."""
    return decoded_npy(file.read_array(0, file.size))


def read_npz(entries: ZipEntries) -> dict[str, np.ndarray]:
    """Return the arrays of a `.npz` file by name."""
    return {
        name.removesuffix(".npy"): decoded_npy(np.frombuffer(entries.read(name), np.uint8))
        for name in entries.entries
    }


def decoded_npy(raw: np.ndarray) -> np.ndarray:
    """Return the array that the bytes of a `.npy` file describe, contiguous and in native order."""
    dtype, fortran, shape, start = _header(raw[: 12 + LONGEST_HEADER].tobytes())
    size = math.prod(shape) * dtype.itemsize
    if raw.size - start != size:
        raise CheckpointError(f"an array of shape {shape} and {dtype} has {raw.size - start} bytes")
    flat = np.frombuffer(raw[start:].tobytes() if start % 16 else raw[start:], dtype)
    _check_values(flat)
    array = flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
    return np.array(array, dtype.newbyteorder("="), order="C")


def _header(raw: bytes) -> tuple[np.dtype[Any], bool, tuple[int, ...], int]:
    """Return dtype, whether the first axis runs fastest, shape, and where the numbers begin."""
    if raw[:6] != MAGIC or len(raw) < 12 or raw[6] not in (1, 2, 3) or raw[7] != 0:
        raise CheckpointError("an array that does not begin as NumPy's files do")
    wide = 2 if raw[6] == 1 else 4
    start = 8 + wide + int.from_bytes(raw[8 : 8 + wide], "little")
    text = raw[8 + wide : start].decode("latin1")
    found = HEADER.fullmatch(text)
    if start > len(raw) or not found:
        raise CheckpointError(f"an array of objects, or a damaged header: {text[:60]!r}")
    shape = tuple(int(n) for n in found[3].replace(",", " ").split())
    return np.dtype(found[1]), found[2] == "True", shape, start


def _check_values(flat: np.ndarray) -> None:
    """Refuse bit patterns that are no value of the dtype: NumPy would go wrong with them later."""
    if flat.dtype.kind == "b" and flat.size and flat.view(np.uint8).max() > 1:
        raise CheckpointError("a boolean that is neither 0 nor 1")
    if flat.dtype.kind == "U" and flat.size and flat.dtype.itemsize:
        codes = flat.view(flat.dtype.byteorder.replace("=", "<") + "u4")
        if codes.max() > 0x10FFFF:
            raise CheckpointError("a character that does not exist")
