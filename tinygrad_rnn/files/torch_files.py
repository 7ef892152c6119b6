"""Read what `torch.save` wrote, without torch: tensors and plain values; `files` calls it.

The file is a zip archive: `data.pkl` is a program for the `stack_machine`, `data/0`, `data/1` … are
the storages that its tensors look into. The functions in `CALLS` are all that a program may call.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..engine.tensor import Tensor
from .bounded_file import CheckpointError
from .safetensors import DTYPES, decoded
from .stack_machine import Name, StackMachine
from .zip_entries import ZipEntries

CODES = {  # torch's names of storages and of dtypes → safetensors' names of dtypes
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8",
    "ByteStorage": "U8", "BoolStorage": "BOOL", "uint64": "U64", "uint32": "U32", "uint16": "U16",
}  # fmt: skip
GROWTH = 64 << 20  # bytes that views may take beyond the storages they look into


def read_torch(entries: ZipEntries, make: Callable[[np.ndarray], Tensor]) -> Any:
    """Return what was given to `torch.save`; `make` makes Tensors of arrays."""
    program = next(name for name in entries.entries if name.endswith("/data.pkl"))
    reading = _Reading(entries, program.removesuffix("data.pkl"), make)
    calls: dict[str, Callable[..., Any]] = {
        "collections.OrderedDict": _empty,  # what is in it is set afterwards, key by key
        "torch.Size": _tuple,
        "_codecs.encode": _encoded,
        "torch._utils._rebuild_tensor_v2": reading.tensor,
        "torch._utils._rebuild_tensor_v3": reading.tensor_of_bytes,
        "torch._utils._rebuild_parameter": _parameter,
    }
    return StackMachine(entries.read(program), calls, reading.storage).run()


class Storage(NamedTuple):
    """The bytes `data/KEY` of an archive, and the dtype they were given when they were saved."""

    key: str
    code: str


class _Reading:
    """The storages of one archive, each read once: tensors that shared one share its memory."""

    def __init__(self, entries: ZipEntries, folder: str, make: Callable[[np.ndarray], Tensor]):
        self.entries, self.folder, self.make, self.growth = entries, folder, make, 0
        order = f"{folder}byteorder"
        self.big = order in entries.entries and entries.read(order) == b"big"
        self.arrays: dict[Storage, np.ndarray] = {}

    def storage(self, told: Any) -> Storage:
        """Return what a program refers to by ("storage", kind, key, device, length)."""
        word, kind, key, _, length = told
        if [type(part) for part in (word, kind, key)] != [str, Name, str] or word != "storage":
            raise CheckpointError("the file refers to something that is no storage")
        code = "U8" if kind.name == "UntypedStorage" else CODES.get(kind.name)
        if not kind.module.startswith("torch") or code is None:
            raise CheckpointError(f"a storage of kind {kind}: no Tensor has this dtype")
        size = self.entries.size(f"{self.folder}data/{key}")
        if type(length) is not int or length * _size_of(code) != size:
            raise CheckpointError(f"storage {key} has {size} bytes, for {length} values of {code}")
        return Storage(key, code)

    def array(self, storage: Storage) -> np.ndarray:
        if storage not in self.arrays:
            raw = np.frombuffer(self.entries.read(f"{self.folder}data/{storage.key}"), np.uint8)
            if self.big:
                raw = raw.reshape(-1, _size_of(storage.code))[:, ::-1].reshape(-1)
            self.arrays[storage] = decoded(raw, storage.code, f"storage {storage.key}")
        return self.arrays[storage]

    def tensor(self, storage: Storage, offset: int, size: tuple, stride: tuple,
               requires_grad: bool, hooks: Any, metadata: Any = None) -> Tensor:  # fmt: skip
        """Return the view of a storage that starts at `offset` and goes by `stride`."""
        if type(storage) is not Storage:
            raise CheckpointError("a tensor that is not made of a storage")
        array = self.array(storage)
        _check_view(array.size, offset, size, stride)
        if stride == _contiguous(size):
            values = array[offset : offset + math.prod(size)].reshape(size)
        else:
            values = self._copied(array[offset:], size, stride)
        return _flagged(self.make(values), requires_grad)

    def tensor_of_bytes(self, storage: Storage, offset: int, size: tuple, stride: tuple,
                        requires_grad: bool, hooks: Any, dtype: Name,
                        metadata: Any = None) -> Tensor:  # fmt: skip
        """Return a tensor of a dtype that has no storage of its own, as torch's uint16."""
        if type(dtype) is not Name or dtype.name not in CODES:
            raise CheckpointError(f"no Tensor has dtype {dtype}")
        typed = Storage(storage.key, CODES[dtype.name])
        return self.tensor(typed, offset, size, stride, requires_grad, hooks)

    def _copied(self, array: np.ndarray, size: tuple, stride: tuple) -> np.ndarray:
        """Copy a tensor unless its size was made up: a transposed one is as large as its storage,
        an expanded one could be of any size."""
        self.growth += max(0, math.prod(size) - array.size) * array.itemsize
        if self.growth > GROWTH:
            raise CheckpointError(f"an expanded tensor of shape {size}: save a contiguous() one")
        steps = [s * array.itemsize for s in stride]
        return np.lib.stride_tricks.as_strided(array, size, steps).copy()


def _check_view(length: int, offset: Any, size: Any, stride: Any) -> None:
    numbers = (offset, *size, *stride)
    if not all(type(n) is int and 0 <= n < 2**63 for n in numbers) or len(size) != len(stride):
        raise CheckpointError("a tensor whose shape and strides are no row of small numbers")
    if len(size) > 32:
        raise CheckpointError(f"a tensor of {len(size)} axes; 32 is the most")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride))
    if last >= length if math.prod(size) else offset > length:
        raise CheckpointError(f"a tensor of shape {size} reaches beyond its storage of {length}")


def _contiguous(size: tuple) -> tuple:
    return tuple(math.prod(size[k + 1 :]) for k in range(len(size)))


def _size_of(code: str) -> int:
    return np.dtype(DTYPES[code]).itemsize


def _parameter(data: Tensor, requires_grad: bool, hooks: Any) -> Tensor:
    return _flagged(data, requires_grad)


def _flagged(tensor: Tensor, requires_grad: Any) -> Tensor:
    if type(tensor) is not Tensor or type(requires_grad) is not bool:
        raise CheckpointError("a parameter that is not made of a tensor")
    return tensor.requires_grad_() if requires_grad else tensor


def _empty() -> dict:
    return {}


def _tuple(sizes: tuple) -> tuple:
    if type(sizes) is not tuple:
        raise CheckpointError("a torch.Size that is not made of a tuple")
    return sizes


def _encoded(text: str, encoding: str) -> bytes:
    """Return the bytes that old protocols write as text of the same numbers."""
    if encoding != "latin1":
        raise CheckpointError(f"bytes encoded as {encoding!r}")
    return text.encode("latin1")
