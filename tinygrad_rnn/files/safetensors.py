"""Write and read the safetensors format, every bit under a checksum; `files` calls it.

Files of ours carry `__metadata__` that any reader of the format passes over: our format version,
the SHA-256 of every tensor ("sha256:NAME") and a checksum of the header itself, which stands first
and is compared before the header is read. So every changed bit is found. A file without these marks
is read as well; then nothing but its form can be checked.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .bounded_file import BoundedFile, CheckpointError

FORMAT_VERSION = "1"
HEADER_LIMIT = 8 << 20  # bytes
BRACKET_LIMIT = 400_000  # each becomes a Python object of some hundred bytes
PREFIX = b'{"__metadata__":{"checksum":"'
BLANK = b"0" * 64
DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "C64": "<c8", "BOOL": "|b1",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1",
}  # fmt: skip
CODES: dict[np.dtype[Any], str] = {
    np.dtype(kind): code for code, kind in DTYPES.items() if code != "BF16"
}


class Entry(NamedTuple):
    """Hold what the header says of one tensor; `begin` and `end` count from the header's end."""

    code: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Header(NamedTuple):
    """Hold all of a file but the tensors' bytes, which begin at `start`."""

    entries: dict[str, Entry]
    metadata: dict[str, str]
    start: int

    @property
    def ours(self) -> bool:
        """Return True if this project wrote the file; one mark that survived damage is enough."""
        marks = ("tinygrad_rnn", "checksum", "tree")
        return any(m in marks or m.startswith("sha256") for m in self.metadata)


# ------------------------------------------------------------------------------------- writing


def pieces(
    arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> Iterator[bytes | memoryview]:
    """Yield a file piece by piece: the header with its hashes, then each array's bytes.

    An array that has to be copied (another byte order, a transposed view) is copied alone, once to
    be hashed and once to be written: so a file needs no more memory than its largest array.
    """
    hashes = {name: hashlib.sha256(_bytes_of(a)).hexdigest() for name, a in arrays.items()}
    header = _header(arrays, metadata, hashes)
    checksum = hashlib.sha256(header).hexdigest().encode()
    yield header.replace(PREFIX + BLANK, PREFIX + checksum, 1)
    for array in arrays.values():
        yield _bytes_of(array)


def _header(
    arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str], hashes: Mapping[str, str]
) -> bytes:
    marks = {"checksum": BLANK.decode(), "tinygrad_rnn": FORMAT_VERSION, "format": "pt", **metadata}
    marks |= {f"sha256:{name}": value for name, value in hashes.items()}
    content: dict[str, Any] = {"__metadata__": marks}
    end = 0
    for name, array in arrays.items():
        begin, end = end, end + array.nbytes
        content[name] = {
            "dtype": CODES[array.dtype.newbyteorder("<")],
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(content, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the tensors begin at a multiple of 8
    return struct.pack("<Q", len(text)) + _limited(text)


def _bytes_of(array: np.ndarray) -> memoryview:
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    return little.reshape(-1).view(np.uint8).data


def _limited(text: bytes) -> bytes:
    """Return a header; CheckpointError if its objects might fill the memory."""
    brackets = text.count(b"[") + text.count(b"{")
    if len(text) > HEADER_LIMIT or brackets > BRACKET_LIMIT:
        raise CheckpointError(
            f"a header of {len(text)} bytes with {brackets} lists and objects; "
            f"at most {HEADER_LIMIT} and {BRACKET_LIMIT} are written and read"
        )
    return text


# ------------------------------------------------------------------------------------- reading


def read_header(file: BoundedFile) -> Header:
    """Return what the header says, everything in it compared with the file's size."""
    (length,) = struct.unpack("<Q", file.read(0, 8))
    if not 2 <= length <= min(HEADER_LIMIT, file.size - 8):
        raise CheckpointError(f"a header of {length} bytes in a file of {file.size}")
    text = file.read(8, length)
    verified = text.startswith(PREFIX)
    if verified:
        _compare_checksum(struct.pack("<Q", length) + text)
    content = parse_json(_limited(text).decode("utf-8"))
    if text[:1] != b"{" or not isinstance(content, dict):
        raise CheckpointError("the header is not a JSON object")
    metadata = content.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(type(v) is str for v in metadata.values()):
        raise CheckpointError("__metadata__ maps names to something else than strings")
    entries = {name: _entry(name, value) for name, value in content.items()}
    _check_tiling(entries, file.size - 8 - length)
    header = Header(entries, metadata, 8 + length)
    if header.ours:
        _check_marks(header, verified)
    return header


def _compare_checksum(head: bytes) -> None:
    place = 8 + len(PREFIX)
    told = head[place : place + 64]
    blank = head[:place] + BLANK + head[place + 64 :]
    if hashlib.sha256(blank).hexdigest().encode() != told:
        raise CheckpointError("the header is damaged: its checksum differs")


def _check_marks(header: Header, verified: bool) -> None:
    if not verified:
        raise CheckpointError("the header is damaged: its checksum is missing")
    version = header.metadata.get("tinygrad_rnn")
    if version != FORMAT_VERSION:
        raise CheckpointError(f"written in format {version!r}; this version reads {FORMAT_VERSION}")
    hashed = {name[7:] for name in header.metadata if name.startswith("sha256:")}
    if hashed != set(header.entries):
        raise CheckpointError("the tensors and their hashes have different names")


def parse_json(text: str) -> Any:
    """Return the value of a JSON text; a name that stands twice in an object is an error."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise CheckpointError("lists nested too deeply") from None
    except ValueError as error:
        raise CheckpointError(f"not valid JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise CheckpointError("a name stands twice in one object")
    return found


def _refuse_constant(name: str) -> Any:
    raise CheckpointError(f"{name} is not JSON")


def _entry(name: str, value: Any) -> Entry:
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"{name!r} is not described by dtype, shape and data_offsets")
    code, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if type(code) is not str or code not in DTYPES:
        raise CheckpointError(f"{name!r} has dtype {code!r}; known: {', '.join(DTYPES)}")
    if not (_whole(shape) and _whole(offsets) and len(offsets) == 2 and len(shape) <= 32):
        raise CheckpointError(f"{name!r} has shape {shape!r} and data_offsets {offsets!r}")
    begin, end = offsets
    size = math.prod(shape) * np.dtype(DTYPES[code]).itemsize
    if end - begin != size:
        raise CheckpointError(f"{name!r} needs {size} bytes and has {end - begin}")
    return Entry(code, tuple(shape), begin, end)


def _whole(values: Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**63 for v in values)


def _check_tiling(entries: Mapping[str, Entry], size: int) -> None:
    """Refuse overlaps, holes and bytes left over: each byte belongs to exactly one tensor."""
    reached = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != reached:
            raise CheckpointError(
                f"{name!r} begins at {entry.begin}, the one before ends {reached}"
            )
        reached = entry.end
    if reached != size:
        raise CheckpointError(f"the tensors have {reached} bytes, the file has {size} for them")


def read_array(file: BoundedFile, header: Header, name: str) -> np.ndarray:
    """Return one tensor's array, its hash compared; bfloat16 comes as float32, which holds it."""
    entry = header.entries[name]
    raw = file.read_array(header.start + entry.begin, entry.end - entry.begin)
    if header.ours and hashlib.sha256(raw.data).hexdigest() != header.metadata[f"sha256:{name}"]:
        raise CheckpointError(f"{name!r} is damaged: its SHA-256 differs")
    return decoded(raw, entry.code, name).reshape(entry.shape)


def decoded(raw: np.ndarray, code: str, name: str) -> np.ndarray:
    """Return bytes (uint8) as numbers of this machine's byte order."""
    if code == "BOOL" and raw.size and raw.max() > 1:
        raise CheckpointError(f"{name!r} holds a boolean that is neither 0 nor 1")
    array = raw.view(DTYPES[code])
    if code == "BF16":  # the upper half of a float32
        wide = np.zeros((array.size, 2), "<u2")
        wide[:, 1] = array
        array = wide.reshape(-1).view("<f4")
    return array.astype(array.dtype.newbyteorder("="), copy=False)
