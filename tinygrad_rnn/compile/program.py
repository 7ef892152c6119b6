"""Hold one time step, forward and backward, as instructions; all of `compile` reads it.

Every instruction remembers what it gave when it was captured, twice: for a batch of B rows and for
another of a few, with other numbers. An axis that differs is the batch, and a size that
differs follows it (`Rows`), so a program can be run for any number of rows: for B inside the time
loop, for all T·B at once outside of it. New instructions are made by `make`, which runs the
primitive on its operands' captured values: shapes and dtypes need no rules of their own, and a
rewrite that changes a value is found at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..engine.accumulate import is_basic
from ..engine.primitive import PRIMITIVES

MOVING = ("x", "state", "dy", "dstate")  # leaves with other values at every step


class Uncompilable(Exception):
    """Say why a cell, or one emitter, cannot be compiled; the caller then runs unrolled."""


class Rows(int):
    """A size that follows the batch: `times` the number of rows; `other` in the second batch."""

    other: int
    times: int

    @classmethod
    def of(cls, size: int, other: int) -> Rows:
        made = cls(size)
        made.other, made.times = other, math.gcd(size, other)  # the batches have no common divisor
        return made


@dataclass(frozen=True)
class Index:
    """Stand for operand `number` in the index of a `getitem` or `put`."""

    number: int


class Instr:
    """One instruction. `params` are the primitive's keyword arguments; a leaf has its number there.

    `batch` lists the axes that follow the batch: [0] for rows of values, [] for a weight.
    """

    __slots__ = ("args", "batch", "dtype", "gate", "op", "params", "shape", "value", "values")

    def __init__(self, op: str, args: tuple[Instr, ...], params: dict, values: tuple[Any, Any],
                 gate: str = ""):  # fmt: skip
        self.op, self.args, self.params, self.values, self.gate = op, args, params, values, gate
        self.value, self.shape = values[0], np.shape(values[0])
        self.dtype: Any = getattr(self.value, "dtype", None)  # None: a Python number, which is weak
        sizes = enumerate(zip(self.shape, np.shape(values[1])))
        self.batch = [k for k, (m, n) in sizes if m != n]

    @property
    def width(self) -> int:
        """Return entries per row, 1 for a number."""
        return self.shape[-1] if self.shape else 1

    def run(self, arrays: Iterable[Any], rows: int) -> Any:
        """Return what the instruction gives for other operands, of so many rows."""
        params = {k: _sized(v, lambda size: size.times * rows) for k, v in self.params.items()}
        return execute(self.op, list(arrays), params)

    def __repr__(self) -> str:
        return f"<{self.op} {list(self.shape)}>"


def _sized(value: Any, size: Callable[[Rows], int]) -> Any:
    """Return a parameter with other sizes in the place of those that follow the batch."""
    if isinstance(value, tuple):
        return tuple([_sized(v, size) for v in value])
    return size(value) if type(value) is Rows else value


def execute(op: str, arrays: list, params: dict) -> Any:
    """Return the primitive on arrays."""
    if op in ("getitem", "put"):
        index = tuple([arrays[k.number] if type(k) is Index else k for k in params["index"]])
        arrays, params = arrays[:1], {**params, "index": index}
    return PRIMITIVES[op].compute(*arrays, **params)


def const(value: Any) -> Instr:
    return Instr("const", (), {}, (value, value))


def make(op: str, *args: Instr, gate: str = "", **params: Any) -> Instr:
    """Return the instruction `op(*args)`, its values computed from the operands' values."""
    more = {k: _sized(v, lambda size: size.other) for k, v in params.items()}
    with np.errstate(all="ignore"):
        values = [execute(op, [a.values[k] for a in args], options)
                  for k, options in enumerate((params, more))]  # fmt: skip
    return Instr(op, args, params, (values[0], values[1]), gate or args[0].gate)


@dataclass
class Step:
    """One step: `y, news = step(xs, states)` and the gradients of its inputs; None for "none".

    `news[k]` replaces `states[k]`; `dolds[k]` replaces `dstates[k]` while time runs backwards.
    `dparams` are what the given rows contribute. The last of `xs` are the step's random numbers,
    which `draws` says how to make, and before them what the cell holds for each row.
    """

    xs: list[Instr]
    states: list[Instr]
    params: list[Instr]
    dy: Instr
    dstates: list[Instr]
    y: Instr
    news: list[Instr]
    dxs: list[Instr | None]
    dolds: list[Instr | None]
    dparams: list[Instr | None]
    draws: list

    def roots(self) -> list[Instr]:
        return [i for i in (self.y, *self.news, *self.dxs, *self.dolds, *self.dparams) if i]

    def order(self) -> list[Instr]:
        """Return every instruction that a result needs, operands first."""
        return toposort(self.roots())

    def forward(self) -> set[Instr]:
        """Return what `y` and the new states are made of; all else is there for the gradients."""
        return set(toposort([self.y, *self.news]))

    def rewritten(self, new: Mapping[Instr, Instr]) -> Step:
        """Return the step with each key of `new` exchanged for its value, wherever it is read.

        A replacement with another value than the original's is an error in a pass, so it raises.
        """
        if not new:
            return self
        for old, i in new.items():
            if i.shape != old.shape or not close(i.values[1], old.values[1]):
                raise Uncompilable(f"a rewrite of {old} into {i} changed its value")
        built: dict[Instr, Instr] = {}
        for old in toposort(self.roots(), lambda i: new.get(i, i).args):
            i = new.get(old, old)
            args = tuple([built[a] for a in i.args])
            built[old] = i if args == i.args else Instr(i.op, args, i.params, i.values, i.gate)
        ends: Any = {name: [i and built[i] for i in getattr(self, name)]
                     for name in ("news", "dxs", "dolds", "dparams")}  # fmt: skip
        return replace(self, y=built[self.y], **ends)

    def mixes_rows(self) -> bool:
        """Return True unless rows are independent: nothing they are made of is a number for all of
        them, and the second batch in two parts must give the rows of the whole, and of each
        parameter's gradient the sum (a product of rows with rows is one by itself)."""
        rows = [i for i in self.roots() if i not in self.dparams]
        adds = lambda i: i.op == "matmul" and [a.batch for a in i.args] == [[1], [0]]
        ends = rows + [a for i in self.dparams if i for a in (i.args if adds(i) else [i])]
        shared = any(kinds and not i.batch for i, kinds in depends(toposort(rows)).items())
        if shared or any(i.batch != [0] for i in rows):
            return True
        order = toposort(ends)
        parts = [self._of_rows(part, order) for part in (slice(2), slice(2, None))]
        for i in ends:
            found = [part[i] for part in parts]
            whole = np.concatenate(found, i.batch[0]) if i.batch else np.add(*found)
            terms = [] if i.batch else [a.values[1] for a in i.args]
            most = max([largest(a) for a in terms], default=0)  # where a sum cancels out
            if not close(whole, i.values[1], 1e-4, most):
                return True
        return False

    def _of_rows(self, part: slice, order: Iterable[Instr]) -> dict[Instr, Any]:
        """Return what instructions give for some rows of the second batch."""
        found: dict[Instr, Any] = {}
        rows = len(self.y.values[1][part])
        with np.errstate(all="ignore"):
            for i in order:
                given = i.values[1][part] if i.batch else i.values[1]
                found[i] = i.run([found[a] for a in i.args], rows) if i.args else given
        return found


def toposort(roots: Iterable[Instr], reads: Callable = lambda i: i.args) -> list[Instr]:
    """Return everything that the roots are made of, operands first, in a repeatable order (no
    recursion)."""
    order: dict[Instr, None] = {}
    stack = list(roots)[::-1]
    while stack:
        i = stack.pop()
        waiting = [a for a in reads(i) if a not in order]
        if waiting:
            stack += [i, *reversed(waiting)]
        else:
            order[i] = None
    return list(order)


def is_view(i: Instr) -> bool:
    """Return True if arrays may show `i` as another view of its operand and compute nothing."""
    cut = i.op == "getitem" and is_basic(i.params["index"])
    return cut or i.op in ("transpose", "broadcast_to", "reshape")


def is_always_view(i: Instr) -> bool:
    """True if NumPy returns a view for every stride; axes that a reshape merges may need a copy."""
    return is_view(i) and (i.op != "reshape" or splits(i.args[0], i))


def splits(whole: Instr, parts: Instr) -> bool:
    """Return True if each axis of `whole` is the product of neighbouring axes of `parts`."""
    todo = list(np.shape(parts.values[1]))
    for size in np.shape(whole.values[1]):
        made = 1
        while todo and (made < size or todo[0] == 1):
            made *= todo.pop(0)
        if made != size:
            return False
    return not todo


def close(a: Any, b: Any, tiny: float = 1e-3, most: float = 0) -> bool:
    """Tell whether arrays are equal up to `tiny` of the largest entry, or of `most`, in double
    precision up to its third power; of large arrays a grid is looked at."""
    if np.shape(a) != np.shape(b):
        return False
    grid = tuple([slice(None, None, -(-n // 128) or 1) for n in np.shape(b)])
    a, b = np.asarray(a)[grid] * 1.0, np.asarray(b)[grid] * 1.0
    tiny = tiny if b.dtype.itemsize <= 4 else tiny**3
    limit = tiny * (max(largest(b), most) + tiny)
    return np.array_equal(a, b) or np.allclose(a, b, 0, limit, equal_nan=True)


def largest(a: Any) -> float:
    """Return the size of the largest finite entry."""
    return float(np.abs(a[np.isfinite(a)] * 1.0).max(initial=0)) if np.ndim(a) else 0.0


def consumers(order: Iterable[Instr]) -> dict[Instr, list[Instr]]:
    """List for each instruction those that read it."""
    found: dict[Instr, list[Instr]] = {i: [] for i in order}
    for i in found:
        for a in i.args:
            found[a].append(i)
    return found


def depends(order: Iterable[Instr]) -> dict[Instr, frozenset[str]]:
    """Return for every instruction the kinds of leaves that it is made from and that change with
    time."""
    kinds: dict[Instr, frozenset[str]] = {}
    for i in order:
        kinds[i] = frozenset({i.op}.intersection(MOVING)).union(*[kinds[a] for a in i.args])
    return kinds


def names_of(order: Iterable[Instr]) -> dict[Instr, str]:
    """Return a short name for each instruction, valid in C and Python: leaves by kind, others
    numbered."""
    leaf = lambda i: i.op in MOVING or i.op == "param"
    return {i: f"{i.op}{i.params['number']}" if leaf(i) else f"v{k}" for k, i in enumerate(order)}
