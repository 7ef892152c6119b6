"""Where values live: planned once per program for every emitter, and the arrays of one run.

A value is found by a buffer, by what of time selects in it, by a column and by the width of the
buffer's rows. Parts of a concatenation are computed right where they belong, new states and carried
adjoints too. Values kept for all steps take over the columns of values that nobody reads any more:
gates lie where their pre-activations lay, gradients where gates lay.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .passes import columns
from .program import Instr
from .schedule import LOOPS, PHASES, Program


class Place(NamedTuple):
    """`when` is "steps", "old" (state), "new", "came" (adjoint), "goes", "now", or "fixed"."""

    kind: str
    of: Any
    when: str
    at: int
    wide: int


class Memory:
    """The place of every value that is in memory.

    `units[phase]` are the groups of instructions that read all they need, column by column, before
    they write; `stored` says which values are in memory at all.
    """

    def __init__(self, program: Program, units: dict[str, list[list[Instr]]], stored: Any):
        self.program, self.stored = program, stored
        self.rows = program.step.y.shape[0] if program.step.y.shape else 0
        self.real = np.dtype(program.step.y.dtype)
        self.placed: dict[Instr, tuple[Instr, int]] = {}  # parts of a concatenation
        self.carried: dict[Instr, int] = {}  # written into the adjoint that a step hands on
        self.alias: dict[Instr, tuple[Instr, int]] = {}  # values that took over another's memory
        self.place: dict[Instr, Place] = {}
        self.scratch: list[tuple] = []  # (shape, dtype) of what lives within one step
        for name, instrs in program.native.items():
            self._place_parts(set(instrs), instrs, name)
        for k, i in enumerate(program.step.dolds):
            if i is not None and i.args and program.phase[i] == "backward" and i not in self.carried:
                if not (i in self.placed or i in program.kept or program.view(i)):
                    self.carried[i] = k
        self.reading: dict[Instr, list[Instr]] = {}
        for i in program.order:
            for a in () if program.view(i) else i.args:
                self.reading.setdefault(program.source(a), []).append(i)
        for name in program.native:
            self._plan(name, units[name])
        self.overwrites = any(program.phase[i] not in PHASES[:4] for i in self.alias)

    def _place_parts(self, inside: set[Instr], instrs: list[Instr], name: str) -> None:
        p = self.program
        for whole in instrs:
            at, beside = 0, whole.op == "concatenate" and whole.batch == [0] and len(whole.shape) == 2
            for part in whole.args if beside and name in LOOPS else ():
                free = part in inside and not p.view(part) and part not in self.placed
                kept = part in p.kept and whole not in p.kept
                if free and not kept and part not in p.home and part.op != "concatenate":
                    self.placed[part] = (whole, at)
                at += part.width

    def owner(self, i: Instr) -> Instr:
        """The instruction whose memory holds `i`."""
        while i in self.placed or (self.program.view(i) and i in self.program.varies):
            i = self.placed[i][0] if i in self.placed else i.args[0]
        return i

    def copies(self, name: str) -> list[tuple[Place, Instr | None]]:
        """Where the next states, or adjoints, go that are not computed in their place."""
        p, forward = self.program, name == "forward"
        if name not in LOOPS:
            return []
        ends, at_home = (p.step.news, p.home) if forward else (p.step.dolds, self.carried)
        kind, when = ("state", "new") if forward else ("carry", "goes")
        return [(Place(kind, k, when, 0, p.step.states[k].width), i)
                for k, i in enumerate(ends) if i is None or at_home.get(i) != k]  # fmt: skip

    def where(self, i: Instr) -> Place:
        if i not in self.place:
            self.place[i] = self._where(i)
        return self.place[i]

    def _where(self, i: Instr) -> Place:
        p, number = self.program, i.params.get("number", 0)
        if i in self.placed:
            whole, at = self.placed[i]
            found = self.where(whole)
            return found._replace(at=found.at + at)
        cut = columns(i)
        if i in p.varies and cut and p.view(i):
            found = self.where(i.args[0])
            return found._replace(at=found.at + cut[0])
        if i not in p.varies:
            rows = len(i.shape) == 2 and i.shape[0] == self.rows > 1
            return Place("fixed", i, "now" if rows else "fixed", 0, i.width)
        if i.op in ("x", "dy"):
            return Place(i.op, i, "steps", 0, i.width)
        if i.op == "state" or i in p.home:
            return Place("state", p.home.get(i, number), "new" if i in p.home else "old", 0, i.width)
        if i.op == "dstate" or i in self.carried:
            when = "goes" if i in self.carried else "came"
            return Place("carry", self.carried.get(i, number), when, 0, i.width)
        return Place("kept", i, "steps", 0, i.width)

    # Memory that is used again
    def _plan(self, name: str, units: list[list[Instr]]) -> None:
        """Gives each unit's results memory, that of values which nobody reads any more if it can."""
        p, plan = self.program, "plan" not in self.program.without
        last = {self.owner(a): k for k, unit in enumerate(units) for i in unit for a in i.args}
        last |= {self.owner(i): len(units) for i in [*p.step.news, *p.step.dolds] if i is not None}
        free: dict[Any, list[int]] = {}
        for k, unit in enumerate(units):
            dying = [i for i, at in last.items() if at == k and self._is_scratch(i, name)]
            for i in unit:
                if i.op == "product_add":
                    self._take(i, i.args[0], 0)
            inplace = plan and all(i.op not in ("matmul", "product_add") for i in unit)
            if inplace and name in LOOPS:
                self._reuse(name, unit)
            for i in (self.owner(i) for i in unit):
                if self._is_scratch(i, name) and i not in self.place:
                    spare = free.get((i.shape, i.dtype), []) if plan else []
                    slot = spare.pop() if spare else len(self.scratch)
                    self.scratch += [(i.shape, i.dtype)] * (slot == len(self.scratch))
                    self.place[i] = Place("once", slot, "now", 0, i.width)
            for i in dying:
                free.setdefault((i.shape, i.dtype), []).append(self.place[i].of)

    def _is_scratch(self, i: Instr, name: str) -> bool:
        p = self.program
        mine = p.phase[i] == name and i in p.inside and i not in p.kept and i not in p.home
        return mine and i not in self.carried and i not in self.alias and self.stored(i)

    def _take(self, i: Instr, memory: Instr, at: int) -> None:
        found = self.where(memory)
        self.place[i] = found._replace(at=found.at + at)
        self.alias[i] = memory, at

    def _reuse(self, name: str, unit: list[Instr]) -> None:
        inside, slots = set(unit), self._slots(name, set(unit))
        wholes = {self.placed[i][0]: None for i in unit if i in self.placed}
        for i in [*(w for w in wholes if set(w.args) <= inside), *unit]:
            free = i in self.program.kept and i not in self.place and i not in self.placed
            fitting = [s for s in slots if s[2] - s[1] == i.width]
            if free and fitting and i.dtype == self.real and i.batch == [0]:
                memory, start, stop = fitting[0]
                self._take(i, memory, start)
                slots = [s for s in slots if s[0] is not memory or s[2] <= start or stop <= s[1]]

    def _slots(self, name: str, inside: set[Instr]) -> list[tuple[Instr, int, int]]:
        """(memory, start, stop): columns that nobody reads after the rows of this unit."""
        tenants: dict[Instr, list[tuple[Instr, int]]] = {}
        gone = {i.args[0] for i in self.alias if i.op == "product_add"}
        for v in dict.fromkeys([*self.program.kept, *self.alias]):
            if v not in gone and v.dtype == self.real and v not in self.placed and v.batch == [0]:
                memory, at = self.alias.get(v, (v, 0))
                tenants.setdefault(memory, []).append((v, at))
        found: list[tuple[Instr, int, int]] = []
        for memory, those in tenants.items():
            live = [(v, at, readers) for v, at in those if (readers := self._readers(v, name))]
            dying = [(v, at) for v, at, readers in live if set(readers) <= inside]
            for v, at in dying:
                found += [(memory, at + a, at + b) for a, b in self._cuts(v, inside)]
            if dying and len(dying) == len(live):
                found.append((memory, 0, memory.width))
        return found

    def _readers(self, v: Instr, name: str) -> list[Instr | None]:
        """Who reads `v` in a loop or later; None stands for the caller."""
        p, now = self.program, PHASES.index(name)
        late = [i for i in self.reading.get(v, ()) if PHASES.index(p.phase[i]) >= now]
        return [*late, *([None] if v in p.step.roots() else [])]

    def _cuts(self, v: Instr, inside: set[Instr]) -> list[tuple[int, int]]:
        """The column ranges of `v` that are read, if they do not overlap."""
        cuts = {columns(a) or (0, v.width) for i in inside for a in i.args
                if self.program.source(a) is v}  # fmt: skip
        ordered = sorted(cuts)
        return ordered if all(a[1] <= b[0] for a, b in zip(ordered, ordered[1:])) else []


class Workspace:
    """The arrays of one run of T steps; `flat[i]` shows a value kept for all steps as T·B rows."""

    def __init__(self, memory: Memory, steps: int, xp: Any):
        self.memory, self.steps, self.xp = memory, steps, xp
        p = memory.program
        self.states = [xp.empty((steps + 1, *s.shape), s.dtype) for s in p.step.states]
        self.carry = [xp.empty((2, *s.shape), s.dtype) for s in p.step.dstates]
        self.scratch = [xp.empty(shape, dtype) for shape, dtype in memory.scratch]
        self.arrays: dict[Any, Any] = {}
        self.inputs = {i for read in p.reads.values() for i in read} - set(p.kept)
        self.inputs = {i for i in self.inputs if i not in p.home and i.op not in ("state", "dstate")}
        self.made: Any = (None, {})  # the parameters of the last run, and what was made of them
        weak = lambda i: i.value if i.dtype is None else xp.asarray(i.value)  # a Python number is
        self.flat: dict[Instr, Any] = {i: weak(i) for i in p.order if i.op == "const"}
        for i in p.kept:
            owner, at = memory.alias.get(i, memory.placed.get(i, (i, 0)))
            while owner in memory.alias or owner in memory.placed:
                owner, more = memory.alias.get(owner) or memory.placed[owner]
                at += more
            whole = self.array("kept", owner)
            part = whole if owner is i else whole[..., at : at + i.width]
            self.flat[i] = self.rows_of(part, i)
        for k in range(len(self.states)):
            self.show_state(k)

    def show_state(self, k: int) -> None:
        """Shows the old and the new values of state k as rows."""
        p, states = self.memory.program, self.states[k]
        self.flat[p.step.states[k]] = self.rows_of(states[:-1], p.step.states[k])
        self.flat |= {i: self.rows_of(states[1:], i) for i, n in p.home.items() if n == k}

    def rows_of(self, array: Any, i: Instr) -> Any:
        """(T, B, …) as (T·B, …); what has no rows stays as it is."""
        return array.reshape(-1, *array.shape[2:]) if i.batch == [0] else array

    def array(self, kind: str, of: Any) -> Any:
        """The array behind a buffer."""
        if kind in ("state", "carry", "once"):
            return {"state": self.states, "carry": self.carry, "once": self.scratch}[kind][of]
        if of not in self.arrays:
            shape = (self.steps, *of.shape) if of in self.memory.program.varies else of.shape
            self.arrays[of] = self.xp.empty(shape, of.dtype or self.memory.real)
            if kind == "fixed":
                self.arrays[of][...] = self.xp.asarray(of.value)
        return self.arrays[of]

    def load(self, i: Instr, array: Any) -> None:
        """Takes over an input of the loops: a copy, since they are bound to our own memory."""
        mine = self.array("fixed" if i not in self.memory.program.varies else "x", i)
        mine[...] = array.reshape(mine.shape)

    def begin(self) -> None:
        """Called before a forward pass."""

    def result(self, y: Any) -> Any:
        """`y` and the last states as one flat array of the caller's own."""
        return self.xp.concatenate([part.reshape(-1) for part in (y, *(s[-1] for s in self.states))])
