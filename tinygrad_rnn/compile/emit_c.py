"""The loops in C: one function per direction, with the element-wise work of a step fused.

Rows of the batch do not depend on each other, so threads take some rows each through the whole of
time.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import numpy as np

from . import native
from .c_space import CWorkspace
from .ir import Instr
from .layout import Layout, Place
from .program import LOOPS, Program
from .rows import PRODUCTS, REDUCE, follows, formula, groups, is_cut, light, literal, prepare, view


class RowText(Layout):
    """What the text of the loops is in C and in CUDA alike."""

    code = ""

    def _index(self, name: str) -> int:
        return list(self.buffers.values()).index(name)

    def _type(self, key: tuple[str, Instr | int]) -> str:
        boolean = isinstance(key[1], Instr) and key[1].dtype == np.bool_
        return "unsigned char" if boolean else "real"

    def _stored(self, name: str, stage: list[Instr]) -> set[Instr]:
        """What must be in memory: read by another stage or outside the loop, or part of a whole."""
        p = self.program
        inside = {i: k for k, group in enumerate(groups(stage, self.fuse)) for i in group}
        keep = {i for i in stage if i in p.kept or i in p.home or i in self.places.carried}
        keep |= {i for i in stage if i in self.places.placed}
        keep |= {self.places.owner(i) for _, i in self.places.copies(name) if i is not None}
        for i in p.loop(name):
            for a in i.args:
                other = i not in inside or (inside[i] != inside.get(a) and a.width > 1)
                if other or is_cut(i):
                    keep |= {a, p.source(a)}
                if is_cut(a):
                    keep.add(p.source(a))
        return keep

    def _copies(self, name: str) -> list[str]:
        lines = []
        for k, i in self.places.copies(name):
            kind, when = ("state", "new") if name == "forward" else ("carry", "goes")
            state = self.program.step.states[k]
            to = self.pointer((self.buffer(kind, k), when, 0, state.width))
            value = (
                "0"
                if i is None
                else f"({self.pointer(self.where(i))})[{'j' if i.width > 1 else 0}]"
            )
            loop = f"for (long j = 0; j < {state.width}; j++) ({to})[j] = {value};"
            lines += ["    for (long b = first; b < last; b++)", f"      {loop}"]
        return lines

    def source(self) -> str:
        return self.code


class CLoops(RowText):
    """The two loops as one C library."""

    name = "c"

    def __init__(self, program: Program, threads: int | None = None):
        super().__init__(program)
        self.code = "\n".join(self._function(name) for name in LOOPS)
        single = self.real == np.float32
        defines = (f"REAL={'float' if single else 'double'}", f"SINGLE={int(single)}")
        kernels = Path(__file__).with_name("kernels.h").read_text()
        self.library = native.load(kernels + self.code, defines)
        size, pointer = ctypes.c_long, ctypes.c_void_p
        self.library.pack.argtypes = [size, size, pointer, size, size, pointer]
        for name in LOOPS:
            getattr(self.library, name).argtypes = [size, size, size, size, pointer]
        wanted = threads or min(processors(), self.rows // 4)
        self.threads = max(1, min(wanted, self.rows))

    def _function(self, name: str) -> str:
        body = [line for stage in self.stages[name] for line in self._stage(name, stage)]
        body += self._copies(name)
        order = "t = 0; t < T; t++" if name == "forward" else "t = T - 1; t >= 0; t--"
        used = [b for b in self.buffers.items() if any(b[1] in line for line in body)]
        heads = [f"  {self._type(k)} *{b} = p[{self._index(b)}];" for k, b in used]
        lines = [f"void {name}(long T, long B, long first, long last, void **p) {{", *heads]
        return "\n".join([*lines, f"  for (long {order}) {{", *body, "  }", "}"])

    def _stage(self, name: str, stage: list[Instr]) -> list[str]:
        if stage[0].op in PRODUCTS:
            return [line for i in stage for line in self._product(i)]
        needed = self._stored(name, stage)
        lines = ["    for (long b = first; b < last; b++) {"]
        pointers: dict[Place, str] = {}
        for group in groups(stage, self.fuse):
            one = Group(self, group, needed, stage, pointers)
            lines += ["      " + line for line in one.lines()]
        return [*lines, "    }"]

    def _product(self, i: Instr) -> list[str]:
        a, w = i.args[-2:]
        left, to = (self.pointer(self.where(v), "first") for v in (a, i))
        sizes = f"last - first, {i.width}, {a.width}"
        packed = self.buffer("packed", w)
        step = f"{left}, {self.where(a)[3]}, {packed}, {to}, {self.where(i)[3]}, {len(i.args) - 2}"
        return [f"    product({sizes}, {step}); /* {self.names[i]} */"]

    def workspace(self, steps: int) -> CWorkspace:
        return CWorkspace(self, steps)


def processors() -> int:
    """How many threads may run: $OMP_NUM_THREADS, else what this process may use."""
    named = os.environ.get("OMP_NUM_THREADS", "")
    if named.isdigit():
        return int(named)
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


class Group:
    """One loop over columns: instructions of one width, their values in registers."""

    def __init__(self, loops: RowText, group: list[Instr], needed: set[Instr], stage: list[Instr],
                 pointers: dict[Place, str]):  # fmt: skip
        self.loops, self.group, self.needed, self.stage = loops, group, needed, set(stage)
        self.inside = set(group)
        self.wide = group[0].args[0].width if group[0].op in REDUCE else group[0].width
        self.first = stage.index(group[0])
        self.pointers = pointers  # of the whole stage: a row's addresses are taken once
        self.heads: list[str] = []
        self.loads: dict[str, str] = {}  # operands are read before anything is written over them

    def lines(self) -> list[str]:
        body = [line for i in self.group for line in self.statement(i)]
        body = [*self.loads.values(), *body]
        sums = [i for i in self.group if i.op in REDUCE]
        ends = [self.store(i, "0") for i in sums if i in self.needed]
        starts = [f"real {self.loops.names[i]} = {REDUCE[i.op][0]};" for i in sums]
        heads = [*self.heads, *starts]
        if self.wide == 1 or self.group[0].op == "concatenate":
            return heads + body
        added = ", ".join(self.loops.names[i] for i in sums if i.op == "sum")
        simd = f"#pragma omp simd{f' reduction(+ : {added})' if added else ''}"
        vector = [] if any(i.op == "amax" for i in sums) else [simd]
        loop = [f"for (long j = 0; j < {self.wide}; j++) {{", *("  " + line for line in body), "}"]
        return heads + vector + loop + ends

    def statement(self, i: Instr) -> list[str]:
        name = self.loops.names[i]
        if i.op == "concatenate":
            return self.gather(i)
        values = [self.read(a) for a in i.args]
        if i.op in REDUCE:
            return [REDUCE[i.op][1].format(name, values[0])]
        kind = "int" if i.dtype == np.bool_ else "real"
        comment = f" /* {i.gate} */" if i.gate and i.op in ("sigmoid", "tanh") else ""
        lines = [f"{kind} {name} = {formula(i, values)};{comment}"]
        if i in self.needed:
            lines.append(self.store(i, "j" if self.wide > 1 else "0"))
        return lines

    def gather(self, i: Instr) -> list[str]:
        """Parts of a concatenation that were not computed in their place."""
        lines, at = [], 0
        buffer, when, offset, wide = self.loops.where(i)
        for part in i.args:
            if self.loops.places.placed.get(part) != (i, at):
                to = self.loops.pointer((buffer, when, offset + at, wide))
                value = (
                    "0" if not part.shape else f"({self.loops.pointer(self.loops.where(part))})[k]"
                )
                lines.append(f"for (long k = 0; k < {part.width}; k++) ({to})[k] = {value};")
            at += part.width
        return lines

    def store(self, i: Instr, column: str) -> str:
        return f"{self.at(i)}[{column}] = {self.loops.names[i]};"

    def at(self, i: Instr) -> str:
        """The name of a pointer to the row of `i`."""
        place = self.loops.where(i)
        if place not in self.pointers:
            kind = "unsigned char" if i.dtype == np.bool_ else "real"
            self.pointers[place] = name = f"{self.loops.names[i]}_"
            self.heads.append(f"{kind} *{name} = {self.loops.pointer(place)};")
        return self.pointers[place]

    def read(self, a: Instr) -> str:
        names = self.loops.names
        if a.op == "const" and not a.shape:
            return literal(a.value)
        row_value = a in self.stage and a.width == 1
        if (a in self.inside and not is_cut(a)) or (row_value and not is_cut(a)):
            return names[a]
        pointer, column = self.at(a), "j" if a.width > 1 else "0"
        local = f"{pointer}{column}"
        if self.wide == 1:  # not within braces: another group may read it too, later
            local += f"_{self.first}"
        kind = "int" if a.dtype == np.bool_ else "real"
        self.loads[local] = f"{kind} {local} = {pointer}[{column}];"
        return local


Loops = CLoops
__all__ = ["Loops", "follows", "light", "prepare", "view"]
