"""Turn Python values into a JSON text and arrays, and back, exactly; `files` calls it.

The text is called the tree. None, booleans, strings, finite floats and integers up to 2⁵³ stand in
it as they are, and so does a list; everything else is an object with one key that names its kind:

>>> tree, arrays = flatten({"w": np.zeros(3), "step": (1, 2**70)})
>>> tree
{'dict': {'w': {'array': 'w'}, 'step': {'tuple': [1, {'int': '0x400000000000000000'}]}}}
>>> list(arrays)
['w']
>>> rebuild(tree, arrays.pop, Tensor)
{'w': array([0., 0., 0.]), 'step': (1, 1180591620717411303424)}
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.arrays import is_array, to_numpy
from ..engine.tensor import Tensor
from ..functions.random import Generator
from .bounded_file import CheckpointError
from .safetensors import CODES

DEEPEST = 100  # levels of lists in lists; a list that holds itself has no end
LONG = 64  # a list of so many numbers of one kind is kept as an array
EXACT = 2**53  # readers of JSON in other languages keep integers up to here

Path = tuple[str, ...]


# ------------------------------------------------------------------------------------- to a tree


class Flattening:
    """One walk over a value: its arrays by name, as far as they have been met."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def tree(self, value: Any, path: Path = ()) -> Any:
        if len(path) > DEEPEST:
            start = ".".join(path[:4])
            raise ValueError(f"save: {start}… nests deeper than {DEEPEST}: does it hold itself?")
        for kind, write in WRITERS:
            if isinstance(value, kind):
                return write(self, value, path)
        if is_array(value):
            return self.array(value, path)
        raise TypeError(f"save: {_told(path)} is a {type(value).__name__}; {_advice(value)}")

    def array(self, value: Any, path: Path, kind: str = "array") -> dict[str, str]:
        array = to_numpy(value)
        if array.dtype.newbyteorder("<") not in CODES:
            known = ", ".join(str(dtype) for dtype in CODES)
            raise TypeError(f"save: {_told(path)} has dtype {array.dtype}; a file holds {known}")
        name = _unused(".".join(path), self.arrays)
        self.arrays[name] = array
        return {kind: name}

    def tensor(self, value: Tensor, path: Path) -> Any:
        return self.array(value, path, "parameter" if value.requires_grad else "tensor")

    def scalar(self, value: np.generic, path: Path) -> Any:
        return self.array(np.asarray(value), path, "scalar")

    def bytes(self, value: bytes, path: Path) -> Any:
        return self.array(np.frombuffer(value, np.uint8), path, "bytes")

    def generator(self, value: Generator, path: Path) -> Any:
        parts = value.device, value.initial_seed(), value.state
        return {"generator": [self.tree(part, path) for part in parts]}

    def complex(self, value: complex, path: Path) -> Any:
        return {"complex": [self.tree(part, path) for part in (value.real, value.imag)]}

    def list(self, values: list, path: Path) -> Any:
        if len(values) >= LONG:
            if all(type(v) is float for v in values):
                return self.array(np.array(values, np.float64), path, "floats")
            if all(type(v) is int and -(2**63) <= v < 2**63 for v in values):
                return self.array(np.array(values, np.int64), path, "ints")
        return [self.tree(v, (*path, str(k))) for k, v in enumerate(values)]

    def tuple(self, values: tuple, path: Path) -> Any:
        return {"tuple": self.list([*values], path)}

    def dict(self, value: dict, path: Path) -> Any:
        trees = [self.tree(v, (*path, str(k))) for k, v in value.items()]
        if all(isinstance(k, str) for k in value):
            return {"dict": dict(zip(value, trees))}
        return {"pairs": [[self.tree(k, (*path, "key")) for k in value], trees]}


def _integer(_: Any, value: int, path: Path) -> Any:
    return int(value) if abs(value) <= EXACT else {"int": hex(value)}


def _floating(_: Any, value: float, path: Path) -> Any:
    return float(value) if math.isfinite(value) else {"float": struct.pack(">d", value).hex()}


def _itself(_: Any, value: Any, path: Path) -> Any:
    return value


# The first row that fits is taken: np.float64 is a float too, and a bool an int.
WRITERS: list[tuple[Any, Callable[[Any, Any, Path], Any]]] = [
    (Tensor, Flattening.tensor),
    (np.generic, Flattening.scalar),
    ((bool, str, type(None)), _itself),
    (int, _integer),
    (float, _floating),
    (complex, Flattening.complex),
    (bytes, Flattening.bytes),
    (dict, Flattening.dict),
    (list, Flattening.list),
    (tuple, Flattening.tuple),
    (Generator, Flattening.generator),
]


def flatten(value: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """Return the tree of a value and its arrays by name; TypeError for what no file can hold.

    Names are the paths to the arrays, so the file of a plain state_dict has its very names.
    """
    walk = Flattening()
    return walk.tree(value), walk.arrays


def _unused(name: str, taken: Any) -> str:
    """Return the name, or the name with primes: {"a": {"b": x}, "a.b": y} makes a.b and a.b′."""
    name = name.encode("utf-8", "backslashreplace").decode()  # no JSON in Rust has lone surrogates
    while name in taken or name in ("", "__metadata__"):
        name += "′"
    return name


def _told(path: Path) -> str:
    return repr(".".join(path)) if path else "the value"


def _advice(value: Any) -> str:
    if hasattr(value, "state_dict"):
        return "save its state_dict()"
    return ("a file holds Tensors, arrays, numbers, strings, bytes, None, Generators, and dicts, "
            "lists and tuples of them")  # fmt: skip


# ----------------------------------------------------------------------------------- from a tree


class Rebuilding:
    """Go the way back: `take(name)` gives each array, once, and `make` makes Tensors of arrays."""

    def __init__(self, take: Callable[[str], np.ndarray], make: Callable[[np.ndarray], Tensor]):
        self.take, self.make = take, make

    def value(self, tree: Any, depth: int = 0) -> Any:
        if depth > DEEPEST:
            raise CheckpointError("values nested too deeply")
        if isinstance(tree, list):
            return [self.value(part, depth + 1) for part in tree]
        if not isinstance(tree, dict):
            return tree
        if len(tree) != 1:
            raise CheckpointError(f"a value has to name one kind, not {list(tree)[:5]}")
        ((kind, content),) = tree.items()
        if kind in OF_ARRAY:
            return OF_ARRAY[kind](self, self.take(content))
        if kind not in OF_TREE:
            raise CheckpointError(f"a value of unknown kind {kind!r}")
        return OF_TREE[kind](content, lambda part: self.value(part, depth + 1))


def rebuild(tree: Any, take: Callable[[str], np.ndarray],
            make: Callable[[np.ndarray], Tensor]) -> Any:  # fmt: skip
    """Return the value of a tree."""
    return Rebuilding(take, make).value(tree)


def _generator(content: Any, again: Callable[[Any], Any]) -> Generator:
    device, seed, state = map(again, content)
    generator = Generator(seed, device)
    generator.state = state
    return generator


def _pairs(content: Any, again: Callable[[Any], Any]) -> dict[Any, Any]:
    keys, values = content
    return dict(zip([again(key) for key in keys], [again(v) for v in values], strict=True))


OF_ARRAY: dict[str, Callable[[Rebuilding, np.ndarray], Any]] = {
    "array": lambda walk, array: array,
    "tensor": lambda walk, array: walk.make(array),
    "parameter": lambda walk, array: walk.make(array).requires_grad_(),
    "scalar": lambda walk, array: array[()],
    "bytes": lambda walk, array: array.tobytes(),
    "floats": lambda walk, array: array.tolist(),
    "ints": lambda walk, array: array.tolist(),
}
OF_TREE: dict[str, Callable[[Any, Callable[[Any], Any]], Any]] = {
    "int": lambda content, again: int(content, 16),
    "float": lambda content, again: struct.unpack(">d", bytes.fromhex(content))[0],
    "complex": lambda content, again: complex(again(content[0]), again(content[1])),
    "tuple": lambda content, again: tuple(again(content)),
    "dict": lambda content, again: {key: again(part) for key, part in content.items()},
    "pairs": _pairs,
    "generator": _generator,
}
