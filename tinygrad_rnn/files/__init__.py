"""Save any nesting of values and load it bit for bit, or say why not; programs call it.

`save` writes any nesting of tensors, numbers and strings in the safetensors format, which other
tools read; every bit of the file is covered by a SHA-256. The path holds the old file whole or the
new one whole, whatever happens meanwhile. `load` reads such files, any other safetensors file,
PyTorch's `.pt` and NumPy's `.npz` and `.npy`. No file can make it run anything.

Read in this order: `values` (Python values as a tree and arrays), `safetensors` (their bytes); then
`zip_entries`, `stack_machine`, `torch_files`, `numpy_files` (what others wrote). All of these take
their bytes from a `bounded_file`.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from typing import Any, BinaryIO

from ..engine.arrays import library, move
from ..engine.atomic_write import atomic_write
from ..engine.tensor import Tensor, wrap
from . import safetensors
from .bounded_file import BoundedFile, CheckpointError
from .numpy_files import MAGIC, read_npy, read_npz
from .torch_files import read_torch
from .values import flatten, rebuild
from .zip_entries import ZipEntries

__all__ = ["CheckpointError", "load", "save"]

Make = Callable[[Any], Tensor]
PathOrFile = str | os.PathLike[str] | BinaryIO


def save(value: Any, path: PathOrFile) -> None:
    """Write a state_dict, or any nesting of tensors, arrays, numbers and strings, to a file.

    The file is a safetensors file whatever its name ends with. Dicts, lists, tuples, Tensors with
    their `requires_grad`, arrays, integers of any size, floats with NaN and infinities, strings,
    bytes, booleans, None and Generators come back as they were; a subclass comes back as its base.
    Anything else is a TypeError that names its place, before anything is written.

    >>> import io, tinygrad_rnn as t
    >>> file = io.BytesIO()
    >>> t.save({"w": t.tensor([1.0, 2.0]), "epoch": 3, "seen": (10**20, None)}, file)
    >>> t.load(file)
    {'w': tensor([1., 2.]), 'epoch': 3, 'seen': (100000000000000000000, None)}
    """
    tree, arrays = flatten(value)
    metadata = {"tree": json.dumps(tree, separators=(",", ":"))}
    pieces = safetensors.pieces(arrays, metadata)
    if isinstance(path, (str, os.PathLike)):
        atomic_write(os.fspath(path), pieces)
    else:
        path.writelines(pieces)


def load(path: PathOrFile, map_location: str | None = None, weights_only: bool = True) -> Any:
    """Return what was saved at `path`: by `save`, by safetensors, `torch.save` or `numpy.savez`.

    The content decides, not the name. A file of `save` gives what was saved; one of safetensors a
    dict of Tensors; one of PyTorch what was saved there, its tensors as Tensors, bfloat16 as
    float32, which holds it; NumPy's give arrays. Tensors are made on the device `map_location`, by
    default "cpu". CheckpointError says what is damaged, or more than values (`weights_only=False`
    is refused: no file makes this function run anything).

    >>> import io, numpy, tinygrad_rnn as t
    >>> file = io.BytesIO()
    >>> numpy.savez(file, x=numpy.arange(3))
    >>> t.load(file)
    {'x': array([0, 1, 2])}
    """
    if weights_only is not True:
        raise ValueError("load: weights_only=False would run code from the file; there is no such")
    there = library(map_location or "cpu").device
    make = lambda array: wrap(move(array, there), None)
    if not isinstance(path, (str, os.PathLike)):
        return _loaded(path, make, getattr(path, "name", "the file"))
    with open(path, "rb") as file:
        return _loaded(file, make, os.fspath(path))


def _loaded(file: BinaryIO, make: Make, name: str) -> Any:
    """Read a file; whatever goes wrong with its content becomes one kind of error."""
    try:
        return _read(BoundedFile(file), make)
    except CheckpointError as error:
        raise CheckpointError(f"{name}: {error}") from None
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # these two come of offsets found in the file
            raise
        raise CheckpointError(f"{name}: damaged ({error})") from error
    except Exception as error:  # what no check foresaw is still the file's fault
        raise CheckpointError(f"{name}: damaged ({type(error).__name__}: {error})") from error


def _read(file: BoundedFile, make: Make) -> Any:
    start = file.read(0, min(file.size, 9))
    if start[:4] == b"PK\x03\x04":
        return _read_zip(ZipEntries(file), make)
    if start[:6] == MAGIC:
        return read_npy(file)
    if start[:1] == b"\x80" and start[8:] != b"{":
        raise CheckpointError(
            "a pickle, which could run code; save it anew with torch >= 1.6, or where it was made, "
            "by np.savez(path, **layer.state_dict())"
        )
    return _read_safetensors(file, make)


def _read_zip(entries: ZipEntries, make: Make) -> Any:
    if all(name.endswith(".npy") for name in entries.entries):
        return read_npz(entries)
    if any(name.endswith("/data.pkl") for name in entries.entries):
        return read_torch(entries, make)
    raise CheckpointError("an archive that neither torch nor NumPy wrote")


def _read_safetensors(file: BoundedFile, make: Make) -> Any:
    header = safetensors.read_header(file)
    left = dict.fromkeys(header.entries)

    def take(name: str) -> Any:
        del left[name]  # twice the same name: no file of ours, and a way to fill the memory
        return safetensors.read_array(file, header, name)

    if not header.ours:
        return {name: make(take(name)) for name in header.entries}
    value = rebuild(safetensors.parse_json(header.metadata["tree"]), take, make)
    if left:
        raise CheckpointError(f"nothing refers to {next(iter(left))!r}")
    return value
