"""Where values live: planned once per program for every emitter, and the arrays of one run.

A value's place says which buffer holds it, what of time selects in it, and the columns. New states
are computed where all states are kept, adjoints where the next step looks for them, parts of a
concatenation right where they belong. What is kept for all steps takes over the columns that are
read for the last time as it is computed: gates lie where their pre-activations lay, the gradients
of gates where the gates lay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .passes import columns, is_beside
from .program import Instr, is_view
from .schedule import LOOPS, PHASES, Program

Units = dict[str, list[list[Instr]]]
Range = tuple[int, int]


class Place(NamedTuple):
    """`when` is "steps", "old" (state), "new", "came" (adjoint), "goes", "now", or "fixed"."""

    kind: str
    of: Any
    when: str
    at: int
    wide: int

    def step(self, t: int) -> int | None:
        """Which of a buffer's arrays holds step t; None if there is only one."""
        times = {"steps": t, "old": t, "new": t + 1, "came": (t + 1) % 2, "goes": t % 2}
        return times.get(self.when)


class Memory:
    """The place of every value that is in memory, as `stored` says.

    `units[phase]` are the groups of instructions that read all they need, column by column, before
    they write. `overwrites` is true if the backward pass destroys what the forward pass made.
    """

    def __init__(self, program: Program, units: Units, stored: Callable[[Instr], bool]):
        self.program, self.stored, self.overwrites = program, stored, False
        step = program.step
        self.rows, self.real = len(step.y.value), np.dtype(step.y.dtype)
        self.place: dict[Instr, Place] = {}
        self.scratch: list[tuple] = []  # (shape, dtype) of what lives within one step
        self.tenants: dict[int, list[Instr]] = {}  # what lies in a piece of scratch memory
        self.busy: set[int] = set()  # those that somebody will still read
        self.copies: dict[str, list[tuple[Place, Instr | None]]] = {}
        self.reads = self._reads(units)
        self.came, goes = ("new", "old") if program.keeps_adjoints else ("came", "goes")
        for name, kind, when, ends in (("forward", "state", "new", step.news),
                                       ("backward", "carry", goes, step.dolds)):  # fmt: skip
            there = [Place(kind, k, when, 0, s.width) for k, s in enumerate(step.states)]
            for i, place in zip(ends, there):
                self._put(i, place, name)
            self.copies[name] = [(place, i) for i, place in zip(ends, there)
                                 if i is None or self.place.get(i) != place]  # fmt: skip
        time = 0
        for name in program.native:
            for unit in units[name]:
                self._plan(unit, name, time)
                time += 1
            time += 1

    def where(self, i: Instr) -> Place:
        """The place of a value, of a leaf, or of columns of either."""
        p = self.program
        if i in self.place:
            return self.place[i]
        cut = columns(i) if i in p.varies and p.view(i) else None
        if cut:
            found = self.where(i.args[0])
            return found._replace(at=found.at + cut[0])
        if i not in p.varies:
            return Place("fixed", i, "fixed", 0, i.width)  # if it has rows, they are all alike
        kinds = {"x": "steps", "dy": "steps", "state": "old", "dstate": self.came}
        if i.op in ("state", "dstate"):
            kind = "carry" if i.op == "dstate" else "state"
            return Place(kind, i.params["number"], kinds[i.op], 0, i.width)
        return Place(i.op if i.op in kinds else "kept", i, "steps", 0, i.width)

    def _put(self, i: Instr | None, place: Place, name: str) -> None:
        """Lets a value be computed where somebody wants it, and parts of it there too, if it is
        made in this phase and not wanted elsewhere."""
        p = self.program
        if i is None or i in self.place or i not in p.inside or p.phase[i] != name or p.view(i):
            return
        passing = place.when in ("goes", "now")
        if passing and i in p.kept or i.dtype != self.real:
            return
        self._settle(i, place)
        at = place.at
        for part in i.args if is_beside(i) and name in LOOPS else ():
            self._put(part, place._replace(at=at), name)
            at += part.width

    def _plan(self, unit: list[Instr], name: str, time: int) -> None:
        """Places a unit's results: in columns that die here, in scratch memory, or in their own."""
        p, reuse = self.program, "plan" not in self.program.without
        dying = self._dying(unit, time, name) if reuse else {}
        for i in unit:
            if i.op == "product_add":
                self.place[i] = self.where(i.args[0])
            whole = self._whole_of(i, name)
            if whole in p.kept and whole not in self.place:
                self._put(whole, self._over(whole, unit, dying) or self.where(whole), name)
            for v in (whole, i):
                if v is None or v in self.place or not self.stored(v):
                    continue
                if v in p.kept or name not in LOOPS:
                    self.place[v] = self._take(v, dying) or self.where(v)
                else:
                    self._scratch(v, name, reuse)
        last = lambda i: max(self.reads.get(i, {}).values(), default=0)
        dead = [n for n in self.busy if all(last(v) <= time for v in self.tenants[n])]
        self.busy.difference_update(dead)

    def _scratch(self, i: Instr, name: str, reuse: bool) -> None:
        """Memory that lives within a step: some that is free again, or new."""
        spare = [n for n, what in enumerate(self.scratch) if what == (i.shape, i.dtype)]
        spare = [n for n in spare if n not in self.busy and reuse]
        slot = spare[0] if spare else len(self.scratch)
        if not spare:
            self.scratch.append((i.shape, i.dtype))
        self.busy.add(slot)
        self.tenants[slot] = []
        place = Place("once", slot, "now", 0, i.width)
        self._put(i, place, name)
        if i not in self.place:  # not a real number: nothing is computed in its parts' places
            self._settle(i, place)

    def _settle(self, i: Instr, place: Place) -> None:
        self.place[i] = place
        if place.kind == "once":
            self.tenants[place.of].append(i)

    def _whole_of(self, i: Instr, name: str) -> Instr | None:
        """The concatenation of this phase that `i` is a part of."""
        readers = [r for r in self.parts.get(i, ()) if self.program.phase[r] == name]
        return readers[0] if readers and name in LOOPS else None

    # Columns that are read for the last time
    def _reads(self, units: Units) -> dict[Instr, dict[Range, float]]:
        """For every value the columns that are read, and when for the last time."""
        p = self.program
        found: dict[Instr, dict[Range, float]] = {}
        self.parts: dict[Instr, list[Instr]] = {}
        shown = {i for calls in p.calls.values() for i in calls if is_view(i)} - p.kept

        def read(i: Instr, time: float) -> None:
            source, start, stop = i, 0, i.width
            while (p.view(source) or source in shown) and source in p.varies:
                cut = columns(source)
                source = source.args[0]
                start, stop = (start + cut[0], stop + cut[0]) if cut else (0, source.width)
            spans = found.setdefault(source, {})
            spans[start, stop] = max(time, spans.get((start, stop), 0))

        time = 0
        for name in PHASES[1:]:
            for unit in units[name]:
                for i in unit:
                    for a in i.args:
                        read(a, time)
                        if is_beside(i):
                            self.parts.setdefault(a, []).append(i)
                time += 1
            for a in [*(a for i in p.calls[name] for a in i.args), *p.ends(name)]:
                read(a, time)
            time += 1
        for i in p.results:
            read(i, float("inf"))
        return found

    def _dying(self, unit: list[Instr], time: int, name: str) -> dict[tuple[Any, int, int], Any]:
        """Columns of kept memory, (buffer, start, stop), that this unit reads as the last."""
        p, found = self.program, {}
        if any(i.op in ("matmul", "product_add", "concatenate") for i in unit) or name not in LOOPS:
            return {}
        for source in dict.fromkeys(p.source(a) for i in unit for a in i.args):
            place = self.place.get(source)
            spans = self.reads[source]
            ordered = sorted(spans)
            apart = all(a[1] <= b[0] for a, b in zip(ordered, ordered[1:]))
            fits = apart and source.batch == [0] and source.dtype == self.real
            wholes = [*self.parts.get(source, ())]
            for whole in wholes:  # grows while we walk
                wholes += self.parts.get(whole, ())
            later = max((t for w in wholes for t in self.reads[w].values()), default=0)
            if place and place.kind == "kept" and fits and later <= time:
                for (start, stop), last in spans.items():
                    if last == time:
                        found[place.of, place.at + start, place.at + stop] = place, p.phase[source]
        return found

    def _take(self, i: Instr, dying: dict) -> Place | None:
        """Dying columns just as wide as a value, which nobody else gets then."""
        for (of, start, stop), (place, phase) in dying.items():
            if stop - start == i.width and i.dtype == self.real and i.batch == [0]:
                del dying[of, start, stop]
                self._mark(i, phase)
                return place._replace(at=start)
        return None

    def _over(self, whole: Instr, unit: list[Instr], dying: dict) -> Place | None:
        """Dying columns that lie side by side as the parts of a concatenation do."""
        widths = [part.width for part in whole.args]
        if not set(whole.args) <= set(unit):
            return None
        for (of, first, _), (place, phase) in dying.items():
            ends = np.cumsum([first, *widths]).tolist()
            spans = [(of, *span) for span in zip(ends, ends[1:])]
            if all(span in dying for span in spans):
                for span in spans:
                    del dying[span]
                self._mark(whole, phase)
                return place._replace(at=first)
        return None

    def _mark(self, i: Instr, phase: str) -> None:
        forward = PHASES[:4]
        self.overwrites |= phase in forward and self.program.phase[i] not in forward


def in_place(memory: Memory, whole: Instr, part: Instr, at: int) -> bool:
    """True if a part of a concatenation was computed right where it belongs."""
    place = memory.where(whole)
    return memory.place.get(part) == place._replace(at=place.at + at)


class Workspace:
    """The arrays of one run of T steps; `flat[i]` shows a value kept for all steps as T·B rows."""

    def __init__(self, memory: Memory, steps: int, xp: Any):
        self.memory, self.steps, self.xp, p = memory, steps, xp, memory.program
        self.states = [xp.empty((steps + 1, *s.shape), s.dtype) for s in p.step.states]
        count = steps + 1 if p.keeps_adjoints else 2
        self.carry = [xp.empty((count, *s.shape), s.dtype) for s in p.step.dstates]
        self.scratch = [xp.empty(shape, dtype) for shape, dtype in memory.scratch]
        self.arrays: dict[Any, Any] = {}
        self.inputs = {i for read in p.reads.values() for i in read} - p.kept
        self.inputs = {i for i in self.inputs if i.op not in ("state", "dstate", "const")}
        self.made: Any = (None, {})  # the parameters of the last run, and what was made of them
        weak = lambda i: i.value if i.dtype is None else xp.asarray(i.value)  # a Python number is
        self.flat: dict[Instr, Any] = {i: weak(i) for i in p.order if i.op == "const"}
        self.show(*p.kept, *p.step.states, *(p.step.dstates if p.keeps_adjoints else ()))

    def show(self, *values: Instr) -> None:
        for i in values:
            place = self.memory.where(i)
            array = self.array(place.kind, place.of)
            if place.kind in ("state", "carry"):
                array = array[1:] if place.when == "new" else array[:-1]
            if array.shape[-1:] != i.shape[-1:]:
                array = array[..., place.at : place.at + i.width]
            self.flat[i] = array.reshape(-1, *i.shape[1:]) if i.batch == [0] else array

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

    def at(self, place: Place, t: int, i: Instr | None = None) -> Any:
        """What lies at a place at step t: a part of a buffer, never a copy."""
        array, index = self.array(place.kind, place.of), place.step(t)
        array = array if index is None else array[index]
        narrow = i is not None and array.ndim == 2 and array.shape[-1] != i.width
        return array[:, place.at : place.at + i.width] if narrow and i is not None else array

    def load(self, i: Instr, array: Any) -> None:
        """Takes over an input of the loops: a copy, since they are bound to our own memory."""
        mine = self.array("fixed" if i not in self.memory.program.varies else "x", i)
        mine[...] = array.reshape(mine.shape)
