"""Write row stages as text that C and CUDA share by macros, for `emit_c` and `emit_cuda`.

A stage is some loops over the columns of a row; what crosses from one of them to another, or leaves
the stage, is in memory, everything else in registers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..passes import is_product
from ..phases import LOOPS, Program
from ..program import Instr, Step, names_of
from . import nests, rows
from .group import Group
from .memory import Location, MemoryPlan
from .rows import APART, is_cut, is_number, kind_of

TIME = {"steps": "t", "old": "t", "new": "(t + 1)", "came": "((t + 1) & 1)", "goes": "(t & 1)"}


class RowText:
    """Write what the text of the phases has in common in C and in CUDA."""

    light: Callable = staticmethod(rows.light)
    is_product = staticmethod(is_product)
    sums: Any = staticmethod(lambda i: ())
    view = staticmethod(is_cut)  # found by their offset; other views are arrays of their own
    prepare = staticmethod(rows.prepare)
    in_place = staticmethod(rows.in_place)
    slow: Sequence[str] = ()  # operations that do not follow each other within one loop
    product: Any  # what each emitter writes for a product

    def __init__(self, step: Step, without: Sequence[str] = ()):
        fits, real = self.light, step.y.dtype  # what has another dtype is computed around the loops
        self.light = lambda i: fits(i) and not rows.odd(i, real)
        self.program = program = Program(self.prepare(step), self, without)
        self.names = names_of(program.order)
        rows.check(program, np.dtype(program.step.y.dtype))
        self.stages = {name: rows.stages(made, program) for name, made in program.native.items()}
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
            numbers = {i for group in stage for i in group if is_number(i)}  # stay in registers
            for i, near in [(i, numbers.union(group)) for group in stage for i in group]:
                apart = i.op in APART
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
        return f"{name} + {at} * {self.pitch(place)}{tail}"

    def pitch(self, place: Location) -> int:
        """Return how far the rows of a buffer are from each other."""
        like = place.of if isinstance(place.of, Instr) else self.program.step.states[place.of]
        return place.wide * math.prod(like.shape[1:-1])

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
            products = self.is_product(stage[0])
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
        if i is None:
            return f"EACH({self.pitch(to)}) ({self.pointer(to)})[j] = 0;"
        return self.moved(nests.Reach(to, nests.strided(i.shape, to.wide).strides[1:]), i)

    def moved(self, to: nests.Reach, i: Instr) -> str:
        """Copy row b of a value to where it belongs."""
        sizes, (place, strides) = i.shape[1:], nests.reach(self.memory, i)
        made = f"({self.pointer(to.place)})[{nests.index(to.strides, sizes)}]"
        read = f"({self.pointer(place)})[{nests.index(strides, sizes)}]"
        return " ".join(nests.loops(sizes, [f"{made} = {read};"]))

    def heads(self, lines: list[str]) -> list[str]:
        """Return declarations of the pointers that some text uses."""
        used = set(re.findall(r"\w+", "\n".join(lines)))
        kinds = {name: kind_of(of, "unsigned char") for (_, of), name in self.buffers.items()}
        pointers = enumerate(kinds.items())
        return [f"{kind} *{n} = ({kind} *)p[{k}];" for k, (n, kind) in pointers if n in used]


def each_row(lines: list[str]) -> list[str]:
    return ["EACH_ROW {", *("  " + line for line in lines), "}"] if lines else []
