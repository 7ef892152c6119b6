"""Write row stages as text that C and CUDA share by macros, for `emit_c` and `emit_cuda`.

A stage is some loops over the columns of a row; what crosses from one of them to another, or leaves
the stage, is in memory, everything else in registers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..passes import is_product
from ..phases import LOOPS, Program
from ..program import Instr, Step, names_of
from . import comments, rows
from .memory import Location, MemoryPlan
from .rows import START, is_cut, literal, wide

GATES = ("sigmoid", "tanh")
TIME = {"steps": "t", "old": "t", "new": "(t + 1)", "came": "((t + 1) & 1)", "goes": "(t & 1)"}


class RowText:
    """Write what the text of the phases has in common in C and in CUDA."""

    light, is_product = staticmethod(rows.light), staticmethod(is_product)
    sums: Any = staticmethod(lambda i: ())
    view = staticmethod(is_cut)  # found by their offset; other views are arrays of their own
    slow: Sequence[str] = ()  # operations that do not follow each other within one loop
    product: Any  # what each emitter writes for a product

    def __init__(self, step: Step, without: Sequence[str] = ()):
        self.program = program = Program(rows.prepare(step), self, without)
        self.names = names_of(program.order)
        rows.check(program, np.dtype(program.step.y.dtype))
        self.stages = {name: rows.stages(made) for name, made in program.native.items()}
        self.groups = {name: [rows.groups(stage, program, self.slow) for stage in all_]
                       for name, all_ in self.stages.items()}  # fmt: skip
        units = {n: [g for stage in all_ for g in stage] for n, all_ in self.groups.items()}
        self.stored = self._in_memory()
        self.memory = MemoryPlan(program, units, self.stored.__contains__)
        self.real = "float" if self.memory.real == np.float32 else "double"
        self.buffers: dict[tuple[str, Any], str] = {}  # what each pointer points to

    def _in_memory(self) -> set[Instr]:
        """List the values that another loop over columns reads, or another phase, parts of them
        too."""
        p = self.program
        keep = p.kept.union(p.source(i) for name in LOOPS for i in p.ends[name])
        for stage in [stage for all_ in self.groups.values() for stage in all_]:
            numbers = {i for group in stage for i in group if i.width == 1}  # stay in registers
            for i, near in [(i, numbers.union(group)) for group in stage for i in group]:
                apart = i.op == "concatenate" or i.op == "matmul"
                far = [a for a in i.args if apart or a not in near]
                keep.update([i] if apart else [], far, map(p.source, far))
        return keep

    def buffer(self, kind: str, of: Any) -> str:
        """Return the name of a pointer; asked for the first time, it is added to the table."""
        return self.buffers.setdefault((kind, of), f"{kind}{len(self.buffers)}")

    def pointer(self, place: Location, row: str = "b") -> str:
        """Return the text of the address of a row."""
        name = self.buffer(place.kind, place.of)
        tail = f" + {place.at}" if place.at else ""
        if place.when == "fixed":
            return name + tail
        at = f"({TIME[place.when]} * B + {row})" if place.when in TIME else row
        return f"{name} + {at} * {place.wide}{tail}"

    def rows(self, name: str, k: int) -> list[str]:
        """Return the body of a row stage: what happens to row b."""
        lines: list[str] = []
        pointers: dict[Location, str] = {}  # a row's addresses are taken once
        for group in self.groups[name][k]:
            lines += [*Group(self, group, self.stages[name][k], pointers).lines(), "SYNC"]
        return lines[:-1]

    def body(self, name: str) -> list[str]:
        """Return a phase's stages, and what carries the states on to the next step."""
        lines: list[str] = []
        for k, stage in enumerate(self.stages[name]):
            products = stage[0].op == "matmul"
            lines += map(self.product, stage) if products else each_row(self.rows(name, k))
        return lines + each_row(self.copies(name))

    def ordered(self, name: str) -> list[str]:
        """Return a phase's body in its loop: over time, or over blocks of the rows of all steps."""
        order = {"forward": "EACH_STEP", "backward": "EACH_STEP_BACK"}.get(name, "EACH_BLOCK")
        return [f"{order} {{", *("  " + line for line in self.body(name)), "}"]

    def copies(self, name: str) -> list[str]:
        """Write the loops that carry row b's state to the next step where it was not computed in
        place."""
        return [self.copy(to, i) for to, i in self.memory.copies.get(name, [])]

    def copy(self, to: Location, i: Instr | None) -> str:
        """Copy row b of a value, or set it to zero."""
        value = "0" if i is None else f"({self.pointer(self.memory.where(i))})[{column(i)}]"
        return f"EACH({i.width if i else to.wide}) ({self.pointer(to)})[j] = {value};"

    def heads(self, lines: list[str]) -> list[str]:
        """Return declarations of the pointers that some text uses."""
        used = set(re.findall(r"\w+", "\n".join(lines)))
        kinds = {name: kind_of(of, "unsigned char") for (_, of), name in self.buffers.items()}
        pointers = enumerate(kinds.items())
        return [f"{kind} *{n} = ({kind} *)p[{k}];" for k, (n, kind) in pointers if n in used]


def each_row(lines: list[str]) -> list[str]:
    return ["EACH_ROW {", *("  " + line for line in lines), "}"] if lines else []


def column(i: Instr) -> str:
    return "j" if i.width > 1 else "0"


def kind_of(i: Any, flag: str) -> str:
    """Return the C type of a value or a buffer; `flag` is the one for truth values."""
    return flag if getattr(i, "dtype", None) == np.bool_ else "real"


class Group:
    """One loop over columns: instructions of one width, their values in registers."""

    def __init__(self, text: RowText, group: list[Instr], stage: list[Instr],
                 pointers: dict[Location, str]):  # fmt: skip
        self.text, self.names, self.group, self.stage = text, text.names, group, stage
        self.wide, self.pointers = wide(group[0]), pointers
        self.heads: list[str] = []
        self.loads: dict[str, str] = {}  # operands are read before anything is written over them

    def lines(self) -> list[str]:
        if self.group[0].op == "concatenate":
            return [self.text.copy(*at) for at in self.text.memory.missing(self.group[0])]
        body = [line for i in self.group for line in self.statement(i)]
        ends = [i for i in self.group if i.op in START]
        starts = [f"real {self.names[i]} = {START[i.op]};" for i in ends]
        stored = [line for i in ends for line in self.store(i)]
        loads = list(self.loads.values())
        if self.wide == 1:  # all threads of a row compute it: they read before one writes
            return [*self.heads, *starts, *loads, "SYNC", *body, *stored]
        added = ", ".join(self.names[i] for i in ends)
        each = f"EACH_SUM({self.wide}, {added})" if added else f"EACH({self.wide})"
        each = f"EACH_MAX({self.wide})" if any(i.op != "sum" for i in ends) else each
        gathered = [f"GATHER_{i.op}({self.names[i]});" for i in ends]
        body = ["  " + line for line in loads + body]
        return [*self.heads, *starts, f"{each} {{", *body, "}", *gathered, *stored]

    def statement(self, i: Instr) -> list[str]:
        values = [self.read(a) for a in i.args]
        if i.op in START:
            return [rows.ADDED[i.op].format(self.names[i], values[0])]
        comment = (
            f" /* {comments.comment(i.gate)} */" if i.gate and i.op in ("sigmoid", "tanh") else ""
        )
        line = f"{kind_of(i, 'int')} {self.names[i]} = {rows.formula(i, values)};{comment}"
        return [line, *self.store(i)]

    def store(self, i: Instr) -> list[str]:
        return [f"{self.at(i)}[{column(i)}] = {self.names[i]};"] if i in self.text.stored else []

    def at(self, i: Instr) -> str:
        """Return the name of a pointer to the row of `i`."""
        place = self.text.memory.where(i)
        if place not in self.pointers:
            name = self.pointers[place] = f"{self.names[i]}_"
            kind = kind_of(i, "unsigned char")
            self.heads.append(f"{kind} *{name} = {self.text.pointer(place)};")
        return self.pointers[place]

    def read(self, a: Instr) -> str:
        if a.op == "const" and not a.shape:
            return literal(a.value)
        if not is_cut(a) and (a in self.group or a in self.stage and a.width == 1):
            return self.names[a]
        local = f"{self.at(a)}{column(a)}"
        if self.wide == 1:  # not within braces: another group may read it too, later
            local += f"_{self.stage.index(self.group[0])}"
        self.loads[local] = f"{kind_of(a, 'int')} {local} = {self.at(a)}[{column(a)}];"
        return local
