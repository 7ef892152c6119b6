"""Write the loops in C, one function per phase with fused row-wise work, for `compile.layer`.

Rows of the batch do not depend on each other, so threads take some rows each through all of time.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..phases import LOOPS
from ..program import Instr, Step
from ..runtime import c_build
from ..runtime.c_build import (
    address,
    aligned,
    bind_parallel,
    numbers,
    packaged,
    processors,
    thread_pool,
)
from . import nests, rows
from .memory import Workspace
from .row_text import RowText
from .rows import summed

WORTH = 1 << 16  # multiplications in a step for which one more thread is woken


class PointedWorkspace(Workspace):
    """Hold arrays, and the table of pointers to them that the C code is given."""

    def __init__(self, loops: Any, steps: int):
        super().__init__(loops, steps)
        self.table = (ctypes.c_void_p * len(loops.buffers))()
        self.slots: dict[Any, list[tuple[str, int]]] = {}
        for slot, (kind, of) in enumerate(loops.buffers):
            self.slots.setdefault(of, []).append((kind, slot))
            if kind == "packed":
                size = loops.library.packed(*of.shape)
                array = self.arrays[kind, of] = aligned((size,), of.dtype)
                self.table[slot] = address(array)
                if of.op == "const":
                    self.load(of, np.asarray(of.value))
            elif kind not in ("x", "dy", "sum", "still"):
                self.table[slot] = address(self.array(kind, of))
        self.args = numbers([steps, self.memory.rows, ctypes.addressof(self.table), loops.threads])
        self.jobs = {name: [self.job(n) for n in (name, f"{name}_sums") if n in loops.texts]
                     for name in loops.stages}  # fmt: skip

    def job(self, name: str) -> Callable:
        """Return the call of a function; each thread has a part of the rows, or of what sums them
        up."""
        rows, parts = self.memory.rows, self.loops.threads
        size = rows if name in LOOPS else parts if name.endswith("_sums") else self.steps * rows
        ends = numbers([size * k // parts for k in range(parts + 1)])
        return bind_parallel(self.loops.library, name, ends, self.args)

    def load(self, i: Instr, array: Any) -> None:
        """Point the table to an input, and pack weights of products into panels."""
        pack = self.loops.library.pack
        for kind, slot in self.slots.get(i, ()):
            if kind == "packed":
                array = array.astype(self.memory.real, copy=False)
                down, right = (s // array.itemsize for s in array.strides)
                pack(*array.shape, address(array), down, right, self.table[slot])
            else:
                array, dtype = array[0] if kind == "still" else array, i.dtype or self.memory.real
                self.arrays[kind, i] = whole = np.ascontiguousarray(array, dtype=dtype)
                self.table[slot] = address(whole)

    def run(self, name: str) -> dict[Instr, Any]:
        sums = {i: np.empty(i.shape, i.dtype) for i in self.loops.program.sums[name]}
        for i, array in sums.items():
            self.table[self.slots[i][0][1]] = address(array)
        for job in self.jobs[name]:
            job()
        return sums


class CLoops(RowText):
    """The phases as one C library."""

    name = "c"
    workspace = PointedWorkspace
    # ours too: BLAS's threads would go on spinning and take the processors from the next loops
    sums = staticmethod(nests.summed)
    light: Callable = staticmethod(nests.light)
    view = staticmethod(nests.is_view)
    prepare = staticmethod(lambda step: nests.copied(rows.prepare(step)))
    is_product = staticmethod(nests.is_rows_product)
    slow = ("sigmoid", "tanh", "exp")

    def __init__(self, step: Step, without: Sequence[str] = (), threads: int | None = None):
        super().__init__(step, without)
        rows = [name for name in self.stages if self.stages[name] or name in LOOPS]
        self.texts = {name: self.function(name, self.ordered(name)) for name in rows}
        sums = [name for name in self.stages if self.program.sums[name]]
        self.texts |= {f"{name}_sums": self.summing(name) for name in sums}
        single, alone = int(self.real == "float"), int(self.memory.rows == 1)
        head = f"#define REAL {self.real}\n#define SINGLE {single}\n#define ALONE {alone}"
        self.code = "\n".join([head, packaged(__package__, "kernels.h"), *self.texts.values(), ""])
        self.library = c_build.load(self.code, symbols=["pack", "packed", *self.texts])
        size, pointer = ctypes.c_long, ctypes.c_void_p
        self.library.pack.argtypes = [size, size, pointer, size, size, pointer]
        products = [i for i in self.program.native["forward"] if i.op == "matmul"]
        work = sum(i.value.size * i.args[1].shape[0] for i in products)  # multiplications
        wanted = threads or min(processors(), self.memory.rows // 4, work // WORTH)
        self.threads = max(1, min(wanted, self.memory.rows))
        if self.threads > 1:
            thread_pool()  # now, while the caller can do without C

    def summing(self, name: str) -> str:
        """Return the function of a phase's sums, of which each thread makes some columns."""
        lines = ["const long t = 0, parts = args[3];"]
        for i in self.program.sums[name]:
            read = [self.matrix(a, "0") for a in summed(i)]
            call = "contract" if len(read) == 2 else "sums"
            sizes = [f"SHARE({i.shape[0]})", *map(str, i.shape[1:]), "T * B"]
            lines.append(f"{call}({', '.join([*sizes, *read, self.buffer('sum', i)])});")
        return self.function(f"{name}_sums", lines, "long part, long next")

    def function(self, name: str, lines: list[str], share: str = "long first, long last") -> str:
        start = f"void {name}({share}, long *args) {{"
        given = ["const long T = args[0], B = args[1];", "void **p = (void **)args[2];"]
        return "\n  ".join([start, *given, *self.heads(lines), *lines]) + "\n}"

    def product(self, i: Instr) -> str:
        read, made = (self.matrix(v, "from") for v in (i.args[0], i))
        sizes, w = f"{i.width}, {i.args[0].width}", self.buffer("packed", i.args[1])
        within = "".join(f" * {n}" for n in i.shape[1:-1])
        count = f"(to - from){within}" if within else "to - from"
        return f"product({count}, {sizes}, {read}, {w}, {made}, t & 1); /* {self.names[i]} */"

    def matrix(self, i: Instr, row: str) -> str:
        """Return where the rows of a value lie from `row` on, and how far from each other."""
        place = nests.reach(self.memory, i).place
        return f"{self.pointer(place, row)}, {self.pitch(place) // math.prod(i.shape[1:-1])}"
