"""The text of row stages, the same for C and CUDA: macros say what a loop over columns is.

A stage is some loops over the columns of a row; what crosses from one of them to another, or leaves
the stage, is in memory, everything else in registers.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .memory import Memory, Place, in_place
from .program import Instr, names_of
from .rows import ADDED, PRODUCTS, START, check, formula, groups, is_cut, literal, stages
from .schedule import Program

TIME = {"steps": "t", "old": "t", "new": "(t + 1)", "came": "((t + 1) & 1)", "goes": "(t & 1)"}


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

    def heads(self, lines: list[str]) -> list[str]:
        """Declarations of the pointers that some text uses."""
        text, found = "\n".join(lines), []
        for k, (key, name) in enumerate(self.buffers.items()):
            if re.search(rf"\b{name}\b", text):
                of = getattr(key[1], "dtype", 0)
                kind = "unsigned char" if of == np.bool_ else "real"
                found.append(f"{kind} *{name} = ({kind} *)p[{k}];")
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
