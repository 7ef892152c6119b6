"""Address rows of several axes, (B, S, K) and more, in nested loops, for `row_text` and `emit_c`.

A row's entries lie at `strides`, one for each axis; what is another view of them has other strides
and is no work. A loop over columns is then the innermost of a nest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...engine.accumulate import is_basic
from ..passes import is_product
from ..program import Instr, Step, is_always_view, make
from . import rows
from .memory import Location, MemoryPlan
from .rows import FORMULA, START, axes_of, is_cut, is_merge, nest, same_rows

LEAST = 8  # columns from which a product with a weight is worth panels of packed columns


class Reach(NamedTuple):
    """Place a row's entries: from `place` on, `strides` apart along the axes of the row."""

    place: Location
    strides: tuple[int, ...]


def is_view(i: Instr) -> bool:
    """Return True for rows that are read where their operand lies."""
    if is_cut(i) or not i.args or i.op == "broadcast_to":
        return is_cut(i)
    return is_always_view(i) and same_rows(i)


def light(i: Instr) -> bool:
    """Tell whether C does this work row by row, within the loops."""
    if rows.light(i) or is_view(i) or is_merge(i):
        return True
    if len(i.shape) < 2 or i.batch != [0]:
        return False
    if i.op in START:
        return len(i.args[0].shape) > 2 and 0 not in axes_of(i)
    if i.op == "matmul":
        return len(i.shape) > 2 and min(len(a.shape) for a in i.args) > 1
    if i.op in ("put", "concatenate", "stack"):
        return (
            same_rows(i) and is_basic(i.params.get("index", ())) and i.params.get("axis", -1) != 0
        )
    return i.op in FORMULA or i.op == "clamp"


def is_rows_product(i: Instr) -> bool:
    """Return a product of rows, or of all rows within them, with a matrix."""
    if is_product(i):
        return is_straight(i.args[0])
    if i.op != "matmul" or [a.batch for a in i.args] != [[0], []] or len(i.args[1].shape) != 2:
        return False
    return min(i.args[1].shape) >= LEAST and not is_view(i.args[0])


def pieces(memory: MemoryPlan, i: Instr) -> list[tuple[Reach, Instr]]:
    """Return what is put into a row side by side, and where."""
    axis, at, found = i.params.get("axis", 0) % len(i.shape), 0, []
    place = memory.where(i)
    whole = strided(i.shape, place.wide)
    for part in i.args:
        size = 1 if i.op == "stack" else part.shape[axis]
        index = i.params.get("index", (*[slice(None)] * axis, slice(at, at + size)))
        shown = whole[index].reshape(part.shape) if i.op == "stack" else whole[index]
        start, at = shown.ctypes.data - whole.ctypes.data, at + size
        found.append((Reach(place._replace(at=place.at + start), shown.strides[1:]), part))
    return found


def is_straight(i: Instr) -> bool:
    """Return True if the entries of a row are side by side, wherever the row lies."""
    found, source = shown_by(i)
    array = strided(source.shape, source.width + 1)
    for view in found:
        array = view.run([array], len(source.value))
    return i.width == 1 or array.strides[-1] == 1


def copied(step: Step) -> Step:
    """Copy the rows that a product with a weight reads where their entries are not side by side."""
    crooked = [i for i in step.order() if is_product(i) and not is_straight(i.args[0])]
    return step.rewritten({i: make("matmul", make("clone", i.args[0]), i.args[1]) for i in crooked})


def summed(i: Instr) -> list[Instr]:
    """Return the matrices over whose rows `i` is a sum, if their entries are side by side."""
    found = rows.summed(i)
    return found if all(map(is_straight, found)) else []


def shown_by(i: Instr) -> tuple[list[Instr], Instr]:
    """Return the views that lead to `i`, first to last, and what they show."""
    found = []
    while is_view(i):
        found.append(i)
        i = i.args[0]
    return found[::-1], i


def reach(memory: MemoryPlan, i: Instr) -> Reach:
    """Return where the entries of a row lie; along axes of one entry, the stride is 0."""
    found, source = shown_by(i) if i in memory.program.views else ([], i)
    place = memory.where(source)
    array = whole = strided(source.shape, place.wide)
    for view in found:
        array = view.run([array], memory.rows)
    start = array.ctypes.data - whole.ctypes.data
    strides = [0 if n == 1 else s for n, s in zip(i.shape, array.strides)]
    return Reach(place._replace(at=place.at + start), tuple(strides[bool(i.batch) :]))


def strided(shape: Sequence[int], wide: int) -> np.ndarray:
    """Return an array that is never read, whose strides are those of rows in a buffer."""
    strides = [1] * len(shape)
    for k in range(len(shape) - 2, -1, -1):
        strides[k] = strides[k + 1] * (wide if k == len(shape) - 2 else shape[k + 1])
    return as_strided(np.empty(1, np.int8), shape, strides)


def against(strides: Sequence[int], count: int) -> tuple[int, ...]:
    """Return strides for so many axes: those that are missing in front repeat."""
    return (0,) * (count - len(strides)) + tuple(strides[len(strides) - count :])


def result_strides(memory: MemoryPlan, i: Instr) -> tuple[int, ...]:
    """Return how far results lie from each other along the loops of `nest(i)`."""
    sizes = nest(i)
    if is_merge(i):
        array = strided(i.shape, memory.where(i).wide).reshape(i.args[0].shape)
        return tuple(0 if n == 1 else s for n, s in zip(sizes, array.strides[1:]))
    strides = list(reach(memory, i).strides)
    if i.op in START:
        for axis in axes_of(i):
            strides[axis - 1 : axis - 1 + bool(i.params["keepdims"])] = [0]
    return tuple(strides)


def loops(sizes: Sequence[int], body: list[str]) -> list[str]:
    """Return a body within its loops; the last axis of more than one entry counts with `j`."""
    looped = [k for k, n in enumerate(sizes) if n > 1]
    wide = sizes[looped[-1]] if looped else 1
    lines = [f"EACH({wide}) {{", *("  " + line for line in body), "}"]
    for k in reversed(looped[:-1]):
        lines = [f"{count(k, sizes[k])} {{", *("  " + line for line in lines), "}"]
    return lines


def count(k: int, size: int) -> str:
    return f"for (long j{k} = 0; j{k} < {size}; j{k}++)"


def index(strides: Sequence[int], sizes: Sequence[int]) -> str:
    """Return the index of an entry within the loops of `loops`."""
    looped = [k for k, n in enumerate(sizes) if n > 1]
    names = {k: "j" if k == looped[-1] else f"j{k}" for k in looped}
    terms = [(name, strides[k]) for k, name in names.items() if strides[k]]
    return " + ".join(n if s == 1 else f"{n} * {s}" for n, s in terms) or "0"
