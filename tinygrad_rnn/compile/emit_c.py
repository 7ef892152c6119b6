"""The loops in C: one function per phase, with the element-wise work of a step fused.

Rows of the batch do not depend on each other, so threads take some rows each through all of time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import native
from ..native import address, numbers, processors, shared
from .memory import Workspace
from .program import Instr, Step
from .rows import sums_rows
from .schedule import LOOPS
from .text import RowText

WORTH = 1 << 16  # multiplications in a step for which one more thread is woken


class PointedWorkspace(Workspace):
    """Arrays, and the table of pointers to them that the C code is given."""

    def __init__(self, loops: Any, steps: int):
        super().__init__(loops, steps)
        self.table = (ctypes.c_void_p * len(loops.buffers))()
        self.slots: dict[Any, list[tuple[str, int]]] = {}
        for slot, (kind, of) in enumerate(loops.buffers):
            self.slots.setdefault(of, []).append((kind, slot))
            if kind == "packed":
                array = np.empty(loops.library.packed(*of.shape), of.dtype)
                self.arrays[kind, of] = array
                self.table[slot] = address(array)
                if of.op == "const":
                    self.load(of, np.asarray(of.value))
            elif kind not in ("x", "dy"):
                self.table[slot] = address(self.array(kind, of))
        rows = loops.memory.rows
        self.args = numbers([steps, rows, ctypes.addressof(self.table)])
        self.ends = {True: loops.cut(rows), False: loops.cut(steps * rows)}

    def load(self, i: Instr, array: Any) -> None:
        """Points the table to an input; weights of products are packed into panels."""
        pack = self.loops.library.pack
        for kind, slot in self.slots.get(i, ()):
            if kind == "packed":
                array = array.astype(self.memory.real, copy=False)
                down, right = (s // array.itemsize for s in array.strides)
                pack(*array.shape, address(array), down, right, self.table[slot])
            else:
                dtype = i.dtype or self.memory.real
                self.arrays[kind, i] = whole = np.ascontiguousarray(array, dtype=dtype)
                self.table[slot] = address(whole)

    def run(self, name: str) -> None:
        if name in self.loops.functions:
            shared(self.loops.functions[name], self.ends[name in LOOPS], self.args)


class CLoops(RowText):
    """The phases as one C library."""

    name = "c"
    workspace = PointedWorkspace
    slow = ("sigmoid", "tanh", "exp")

    def __init__(self, step: Step, without: Sequence[str] = (), threads: int | None = None):
        super().__init__(step, without)
        made = [name for name in self.stages if self.stages[name] or name in LOOPS]
        self.code = "\n".join(map(self.function, made))
        single, alone = self.real == "float", self.memory.rows == 1
        defines = (f"REAL={self.real}", f"SINGLE={int(single)}", f"ALONE={int(alone)}")
        kernels = Path(__file__).with_name("kernels.h").read_text()
        self.library = native.load(kernels + self.code, defines)
        size, pointer = ctypes.c_long, ctypes.c_void_p
        self.library.pack.argtypes = [size, size, pointer, size, size, pointer]
        self.functions = {n: getattr(self.library, n) for n in (*made, "contract", "sums")}
        for function in self.functions.values():
            function.argtypes = [size, size, pointer]
        products = [i for i in self.program.native["forward"] if i.op == "matmul"]
        work = sum(i.value.size * i.args[1].shape[0] for i in products)  # multiplications
        wanted = threads or min(processors(), self.memory.rows // 4, work // WORTH)
        self.threads = max(1, min(wanted, self.memory.rows))

    def cut(self, size: int) -> ctypes.Array:
        """Where each thread's part begins, and the end."""
        return numbers([size * k // self.threads for k in range(self.threads + 1)])

    def call(self, i: Instr) -> Callable | None:
        """What sums over the rows of all steps, in our own code: the threads of BLAS go on spinning
        for a while and take the processors from the loops that come next, and where it does not
        know a processor it is half as fast."""
        if any(a.dtype != self.memory.real or len(a.shape) != 2 for a in i.args):
            return None
        if i.op == "matmul" and i.args[0].op == "transpose":
            return self.contraction
        return self.sums if sums_rows(i) else None

    def sums(self, a: np.ndarray) -> np.ndarray:
        """Σ over rows, each thread some columns."""
        if a.strides[1] != a.itemsize:
            return a.sum(0)
        out = np.empty(a.shape[1], a.dtype)
        return self.parted("sums", out, len(a), address(a), a.strides[0] // a.itemsize)

    def contraction(self, left: np.ndarray, b: np.ndarray) -> np.ndarray:
        """leftᵀᵀ @ b, each thread some rows of it."""
        a, size = left.T, b.itemsize
        if a.strides[1] != size or b.strides[1] != size:
            return left @ b
        out = np.empty((a.shape[1], b.shape[1]), b.dtype)
        given = [v for x in (a, b) for v in (address(x), x.strides[0] // size)]
        return self.parted("contract", out, b.shape[1], len(b), *given)

    def parted(self, name: str, out: np.ndarray, *args: int) -> np.ndarray:
        """The result of a function of which each thread makes a part."""
        shared(self.functions[name], self.cut(len(out)), numbers([*args, address(out)]))
        return out

    def function(self, name: str) -> str:
        """A loop's function goes through time; another phase's through blocks of T·B rows."""
        body = self.body(name)
        order = {"forward": "EACH_STEP", "backward": "EACH_STEP_BACK"}.get(name, "EACH_BLOCK")
        heads = ["  " + line for line in self.heads(body)]
        start = f"void {name}(long first, long last, long *args) {{"
        given = "  long T = args[0], B = args[1];\n  void **p = (void **)args[2];"
        return "\n".join(
            [start, given, *heads, f"  {order} {{", *("    " + line for line in body), "  }", "}"]
        )

    def product(self, i: Instr) -> str:
        a, w = i.args
        left, to = (self.memory.where(v) for v in (a, i))
        sizes = f"to - from, {i.width}, {a.width}"
        step = f"{self.pointer(left, 'from')}, {left.wide}, {self.buffer('packed', w)}, "
        step += f"{self.pointer(to, 'from')}, {to.wide}, t & 1"
        return f"product({sizes}, {step}); /* {self.names[i]} */"
