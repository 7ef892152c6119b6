"""The loops in C: one function per phase, with the element-wise work of a step fused.

The text of row stages is the same for C and CUDA: macros say what a loop over rows or columns is.
Rows of the batch do not depend on each other, so threads take some rows each through all of time.
"""

from __future__ import annotations

import ctypes
import os
import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from . import native
from .memory import Memory, Place, Workspace, in_place
from .program import Instr, names_of
from .rows import (
    ADDED,
    PRODUCTS,
    START,
    check,
    formula,
    groups,
    is_cut,
    is_product,
    light,
    literal,
    prepare,
    stages,
    view,
)
from .schedule import LOOPS, Program

__all__ = ["Loops", "is_product", "light", "prepare", "view"]
TIME = {"steps": "t", "old": "t", "new": "(t + 1)", "came": "((t + 1) & 1)", "goes": "(t & 1)"}
BLOCK = 96  # rows that go through all of an outer phase together, so that they stay in cache


class RowText:
    """What the text of the phases is in C and in CUDA alike."""

    code = ""

    def __init__(self, program: Program):
        self.program, self.names = program, names_of(program.order)
        check(program, np.dtype(program.step.y.dtype))
        self.fuse = "fuse" not in program.without
        self.stages = {name: stages(made) for name, made in program.native.items()}
        self.groups = {n: [groups(s, self.fuse) for s in all_] for n, all_ in self.stages.items()}
        units = {n: [g for stage in all_ for g in stage] for n, all_ in self.groups.items()}
        self.stored = self._in_memory()
        self.memory = Memory(program, units, self.stored.__contains__)
        self.buffers: dict[tuple[str, Any], str] = {}  # what each pointer points to

    def _in_memory(self) -> set[Instr]:
        """What is read by another loop over columns or outside of its phase, as a part too."""
        p, keep = self.program, set(self.program.kept)
        keep |= {p.source(i) for i in [*p.step.news, *p.step.dolds] if i is not None}
        for name, all_ in self.groups.items():
            unit = {i: group for stage in all_ for group in map(tuple, stage) for i in group}
            stage_of = {i: k for k, stage in enumerate(self.stages[name]) for i in stage}
            keep |= {i for i in unit if i.op == "concatenate" or i.op in PRODUCTS}
            for i in unit:
                for a in i.args:
                    near = unit[i] is unit.get(a) or a.width == 1 and stage_of[i] == stage_of.get(a)
                    keep |= set() if near else {a, p.source(a)}
                keep |= set(i.args) if i.op == "concatenate" else set()
        return keep

    def buffer(self, kind: str, of: Any) -> str:
        """The name of a pointer; asked for the first time, it is added to the table."""
        return self.buffers.setdefault((kind, of), f"{kind}{len(self.buffers)}")

    def pointer(self, place: Place, row: str = "b") -> str:
        """The text of the address of a row."""
        name = self.buffer(place.kind, place.of)
        tail = f" + {place.at}" if place.at else ""
        if place.when == "fixed":
            return name + tail
        at = f"({TIME[place.when]} * B + {row})" if place.when in TIME else row
        return f"{name} + {at} * {place.wide}{tail}"

    def rows(self, name: str, k: int) -> list[str]:
        """The body of a row stage: what happens to row b."""
        lines: list[str] = []
        pointers: dict[Place, str] = {}
        for group in self.groups[name][k]:
            lines += [*Group(self, group, self.stages[name][k], pointers).lines(), "SYNC"]
        return lines[:-1]

    def copies(self, name: str) -> list[str]:
        """What carries row b's state to the next step where it was not computed in its place."""
        lines = []
        for to, i in self.memory.copies.get(name, []):
            column = "j" if i is not None and i.width > 1 else "0"
            value = "0" if i is None else f"({self.pointer(self.memory.where(i))})[{column}]"
            lines.append(f"EACH({to.wide}) ({self.pointer(to)})[j] = {value};")
        return lines

    def heads(self, lines: list[str], table: str) -> list[str]:
        """Declarations of the pointers that some text uses."""
        text, found = "\n".join(lines), []
        for k, (key, name) in enumerate(self.buffers.items()):
            if re.search(rf"\b{name}\b", text):
                boolean = getattr(key[1], "dtype", None) == np.bool_
                kind = "unsigned char" if boolean else "real"
                found.append(f"{kind} *{name} = ({kind} *){table}[{k}];")
        return found

    def source(self) -> str:
        return self.code


class Group:
    """One loop over columns: instructions of one width, their values in registers."""

    def __init__(self, loops: RowText, group: list[Instr], stage: list[Instr],
                 pointers: dict[Place, str]):  # fmt: skip
        self.loops, self.names, self.group, self.stage = loops, loops.names, group, set(stage)
        first = group[0]
        self.wide = first.args[0].width if first.op in START else first.width
        self.number = stage.index(first)
        self.pointers = pointers  # of the whole stage: a row's addresses are taken once
        self.heads: list[str] = []
        self.loads: dict[str, str] = {}  # operands are read before anything is written over them

    def lines(self) -> list[str]:
        body = [line for i in self.group for line in self.statement(i)]
        if self.group[0].op == "concatenate":
            return [*self.heads, *body]
        ends = {i: START[i.op] for i in self.group if i.op in START}
        starts = [f"real {self.names[i]} = {start};" for i, start in ends.items()]
        stored = [self.store(i, "0") for i in ends if i in self.loops.stored]
        if self.wide == 1:  # all threads of a row compute it: they read before one writes
            return [*self.heads, *starts, *self.loads.values(), "SYNC", *body, *stored]
        added = ", ".join(self.names[i] for i in ends)
        each = f"EACH_SUM({self.wide}, {added})" if added else f"EACH({self.wide})"
        each = f"EACH_MAX({self.wide})" if any(i.op == "amax" for i in ends) else each
        body = ["  " + line for line in (*self.loads.values(), *body)]
        gathered = [f"GATHER_{i.op}({self.names[i]});" for i in ends]
        return [*self.heads, *starts, f"{each} {{", *body, "}", *gathered, *stored]

    def statement(self, i: Instr) -> list[str]:
        if i.op == "concatenate":
            return self.gathered(i)
        values = [self.read(a) for a in i.args]
        if i.op in START:
            return [ADDED[i.op].format(self.names[i], values[0])]
        kind = "int" if i.dtype == np.bool_ else "real"
        comment = f" /* {i.gate} */" if i.gate and i.op in ("sigmoid", "tanh") else ""
        lines = [f"{kind} {self.names[i]} = {formula(i, values)};{comment}"]
        stored = i in self.loops.stored
        return lines + ([self.store(i, "j" if self.wide > 1 else "0")] if stored else [])

    def gathered(self, i: Instr) -> list[str]:
        """Parts of a concatenation that were not computed in their place."""
        lines, at, memory = [], 0, self.loops.memory
        for part in i.args:
            if not in_place(memory, i, part, at):
                place = memory.where(i)
                to = self.loops.pointer(place._replace(at=place.at + at))
                column = "j" if part.width > 1 else "0"
                value = f"({self.loops.pointer(memory.where(part))})[{column}]"
                lines.append(f"EACH({part.width}) ({to})[j] = {value};")
            at += part.width
        return lines

    def store(self, i: Instr, column: str) -> str:
        return f"{self.at(i)}[{column}] = {self.names[i]};"

    def at(self, i: Instr) -> str:
        """The name of a pointer to the row of `i`."""
        place = self.loops.memory.where(i)
        if place not in self.pointers:
            kind = "unsigned char" if i.dtype == np.bool_ else "real"
            self.pointers[place] = name = f"{self.names[i]}_"
            self.heads.append(f"{kind} *{name} = {self.loops.pointer(place)};")
        return self.pointers[place]

    def read(self, a: Instr) -> str:
        if a.op == "const" and not a.shape:
            return literal(a.value)
        if not is_cut(a) and (a in self.group or a in self.stage and a.width == 1):
            return self.names[a]
        column = "j" if a.width > 1 else "0"
        local = f"{self.at(a)}{column}"
        if self.wide == 1:  # not within braces: another group may read it too, later
            local += f"_{self.number}"
        kind = "int" if a.dtype == np.bool_ else "real"
        self.loads[local] = f"{kind} {local} = {self.at(a)}[{column}];"
        return local


class Loops(RowText):
    """The phases as one C library."""

    name = "c"

    def __init__(self, program: Program, threads: int | None = None):
        super().__init__(program)
        made = [name for name in self.stages if self.stages[name] or name in LOOPS]
        self.code = "\n".join(map(self.function, made))
        single, alone = self.memory.real == np.float32, self.memory.rows == 1
        defines = (f"REAL={'float' if single else 'double'}", f"SINGLE={int(single)}", f"ALONE={int(alone)}")
        kernels = Path(__file__).with_name("kernels.h").read_text()
        self.library = native.load(kernels + self.code, defines)
        size, pointer = ctypes.c_long, ctypes.c_void_p
        self.library.pack.argtypes = [size, size, pointer, size, size, pointer]
        self.functions = {name: getattr(self.library, name) for name in made}
        for function in self.functions.values():
            function.argtypes = [size, size, size, size, pointer]
        wanted = threads or min(processors(), self.memory.rows // 4)
        self.threads = max(1, min(wanted, self.memory.rows))

    def function(self, name: str) -> str:
        """A loop's function goes through time; another phase's through blocks of T·B rows."""
        body = [line for k in range(len(self.stages[name])) for line in self.stage(name, k)]
        copies = self.copies(name)
        body += ["EACH_ROW {", *("  " + line for line in copies), "}"] if copies else []
        order = {"forward": "EACH_STEP", "backward": "EACH_STEP_BACK"}.get(name, f"EACH_BLOCK({BLOCK})")
        heads = ["  " + line for line in self.heads(body, "p")]
        start = f"void {name}(long T, long B, long first, long last, void **p) {{"
        return "\n".join([start, *heads, f"  {order} {{", *("    " + line for line in body), "  }", "}"])

    def stage(self, name: str, k: int) -> list[str]:
        if self.stages[name][k][0].op in PRODUCTS:
            return [self.product(i) for i in self.stages[name][k]]
        return ["EACH_ROW {", *("  " + line for line in self.rows(name, k)), "}"]

    def product(self, i: Instr) -> str:
        a, w = i.args[-2:]
        left, to = (self.memory.where(v) for v in (a, i))
        sizes = f"to - from, {i.width}, {a.width}"
        step = f"{self.pointer(left, 'from')}, {left.wide}, {self.buffer('packed', w)}, "
        step += f"{self.pointer(to, 'from')}, {to.wide}, {len(i.args) - 2}, t & 1"
        return f"product({sizes}, {step}); /* {self.names[i]} */"

    def workspace(self, steps: int) -> PointedWorkspace:
        return PointedWorkspace(self, steps)


class PointedWorkspace(Workspace):
    """Arrays, and the table of pointers to them that the C code is given."""

    def __init__(self, loops: Loops, steps: int):
        super().__init__(loops.memory, steps, np)
        self.loops, self.whole, p = loops, None, loops.program
        y = loops.memory.where(p.step.y)
        self.home = y.of if y.kind == "state" else None  # the state that is the output too
        places = [(i, loops.memory.where(i)) for i in self.flat]
        when = {"new": slice(1, None), "old": slice(-1)}
        self.at_home = [(i, (when[p.when], ..., slice(p.at, p.at + i.width)))
                        for i, p in places if p[:2] == ("state", self.home)]  # fmt: skip
        self.shared = {place.of for i, place in loops.memory.place.items() if place.of is not i}
        self.table = (ctypes.c_void_p * len(loops.buffers))()
        self.slots: dict[Any, list[tuple[str, int]]] = {}
        for slot, (kind, of) in enumerate(loops.buffers):
            self.slots.setdefault(of, []).append((kind, slot))
            if kind == "packed":
                wide = loops.library.panel_width()
                array = np.empty(of.shape[0] * -(-of.shape[1] // wide) * wide, of.dtype)
                self.arrays[kind, of] = array
                self.table[slot] = address(array)
                if of.op == "const":
                    self.load(of, np.asarray(of.value))
            elif kind not in ("x", "dy"):
                self.table[slot] = address(self.array(kind, of))
            if (kind, of) == ("state", self.home):
                self.home_slot = slot
        B, n, T = loops.memory.rows, loops.threads, steps
        cuts = {name: [(B if name in LOOPS else T * B) * k // n for k in range(n + 1)]
                for name in loops.functions}  # fmt: skip
        self.parts = {name: list(zip(c, c[1:])) for name, c in cuts.items()}

    def load(self, i: Instr, array: Any) -> None:
        """Points the table to an input; weights of products are packed into panels."""
        for kind, slot in self.slots.get(i, ()):
            if kind == "packed":
                array = array.astype(self.memory.real, copy=False)
                strides = [s // array.itemsize for s in array.strides]
                pack = self.loops.library.pack
                pack(*array.shape, address(array), *strides, self.table[slot])
            else:
                dtype = i.dtype or self.memory.real
                self.arrays[kind, i] = whole = np.ascontiguousarray(array, dtype=dtype)
                self.table[slot] = address(whole)

    def given(self, i: Instr, array: Any) -> Any:
        """The array itself if a result has one of its own; other memory takes its place."""
        slots = self.slots.get(i, ())
        if i not in self.arrays or len(slots) != 1 or i in self.shared:
            return array.copy()
        self.arrays[i] = new = np.empty_like(self.arrays[i])
        self.table[slots[0][1]] = address(new)
        self.flat[i] = new.reshape(self.flat[i].shape)
        return array

    def begin(self) -> None:
        """If the output is a state, its array becomes the result, new in every run: no copy."""
        if self.home is not None:
            mine = self.states[self.home]
            self.whole = np.empty(mine.size + sum(s[0].size for s in self.states), mine.dtype)
            self.states[self.home] = self.whole[: mine.size].reshape(mine.shape)
            self.table[self.home_slot] = address(self.whole)
            for i, part in self.at_home:
                self.flat[i] = self.states[self.home][part].reshape(-1, i.width)

    def result(self, y: Any) -> Any:
        if self.whole is None:
            return super().result(y)
        at = self.whole.size
        for state in reversed(self.states):
            self.whole[at - state[0].size : at] = state[-1].reshape(-1)
            at -= state[0].size
        return self.whole[self.states[self.home][0].size :]

    def run(self, name: str) -> None:
        function, steps, rows = self.loops.functions.get(name), self.steps, self.memory.rows
        if function is None:
            return
        calls = [(steps, rows, first, last, self.table) for first, last in self.parts[name]]
        others = [pool().submit(function, *call) for call in calls[1:]]
        function(*calls[0])
        for other in others:
            other.result()


def processors() -> int:
    """How many threads may run: $OMP_NUM_THREADS, else what this process may use."""
    named = os.environ.get("OMP_NUM_THREADS", "")
    if named.isdigit():
        return int(named)
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


@cache
def pool() -> ThreadPoolExecutor:
    """Threads that take rows; C code runs outside of Python's lock."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="tinygrad_rnn")
