"""Plan once where every value lives, for the emitters `emit_c`, `emit_cuda` and `emit_numpy`.

A value's place says which buffer holds it, what of time selects in it, and the columns. New states
are computed where all states are kept, adjoints where the next step looks for them, parts of a
concatenation right where they belong. All else takes columns that nobody reads any more, those too
that are read for the last time as it is computed: gates lie where their pre-activations lay, the
gradients of gates where the gates lay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from ..passes import columns, is_beside
from ..phases import LOOPS, PHASES, Program
from ..program import Instr, is_view
from ..runtime.c_build import aligned

Units = dict[str, list[list[Instr]]]


class Location(NamedTuple):
    """Place a value; `when` is "steps", "old" (state), "new", "came", "goes", "now", "still",
    "fixed"."""

    kind: str
    of: Any
    when: str
    at: int
    wide: int

    def step(self, t: int | None) -> Any:
        """Return what selects step t in a buffer, or (None) all steps, or its one array."""
        times: dict[str, Any] = {"old": slice(-1), "new": slice(1, None)}
        if t is not None:
            times = {"steps": t, "old": t, "new": t + 1, "came": (t + 1) % 2, "goes": t % 2}
        return (times[self.when], ...) if self.when in times else ...


class MemoryPlan:
    """The place of every value that is in memory, as `stored` says.

    `units[phase]` are the groups of instructions that read all they need, column by column, before
    they write. `overwrites` is true if the backward pass destroys what the forward pass made.
    """

    def __init__(self, program: Program, units: Units, stored: Callable[[Instr], bool]):
        self.program, self.stored, step = program, stored, program.step
        self.rows, self.real = len(step.y.value), np.dtype(step.y.dtype)
        outside = set().union(*[p for n, p in program.reads.items() if n not in LOOPS])
        # what is the same at every step is there once, unless it is read for all steps at once
        self.still = {i for i in step.xs if i.params.get("still") and i not in outside}
        self.place: dict[Instr, Location] = {}
        self.used = self._used(units)
        self.lives: dict[Instr, list[tuple[int, int, int]]] = {}  # of a buffer: columns, last use
        self.whole: dict[Instr, Instr] = {}  # the concatenation in a loop that a value is part of
        self.copies: dict[str, list[tuple[Location, Instr | None]]] = {}
        self.came, goes = ("new", "old") if program.keeps_adjoints else ("came", "goes")
        self._carry("forward", units, step.news, "state", "new")
        self._carry("backward", units, step.dolds, "carry", goes)
        for time, (name, unit, _) in enumerate(self._timeline(units)):
            for i in unit:
                self._plan(i, name, unit, time)
        first = lambda i: program.phase[i] in PHASES[:4]
        self.overwrites = any(place.kind == "kept" and first(place.of) and not first(i)
                              for i, place in self.place.items())  # fmt: skip

    def _carry(self, name: str, units: Units, ends: Sequence[Instr | None], kind: str,
               when: str) -> None:  # fmt: skip
        """Let what a loop hands to the next step be computed where that looks for it, if the loop
        makes it; the rest is copied there."""
        made = dict.fromkeys(i for unit in units[name] for i in unit)
        self.whole |= {part: whole for whole in reversed(made) if is_beside(whole)
                       for part in made.keys() & whole.args
                       if part.dtype == whole.dtype}  # fmt: skip
        self.copies[name] = []
        for k, i in enumerate(ends):
            place = Location(kind, k, when, 0, self.program.step.states[k].width)
            if i in made:
                self._put(i, place)
            if i is None or self.place.get(i) != place:
                self.copies[name].append((place, i))

    def _timeline(self, units: Units) -> Iterator[tuple[str, list[Instr], list[Instr]]]:
        """List the units that run, in order: the phase, the values made, the values read."""
        p = self.program
        for name in p.native:
            for unit in units[name]:
                yield name, unit, [a for i in unit for a in i.args]
            read = [a for i in p.calls[name] for a in i.args] + p.ends.get(name, [])
            yield name, [], read + [a for i in p.sums[name] for a in p.emitter.sums(i)]
        yield "", [], p.results

    def _used(self, units: Units) -> dict[Instr, dict[tuple[int, int], int]]:
        """List for every value the columns that are written or read, and when for the last time."""
        p = self.program
        shown = {i for calls in p.calls.values() for i in calls if is_view(i)} & p.varies - p.kept
        found: dict[Instr, dict[tuple[int, int], int]] = {}
        for time, (_, unit, read) in enumerate(self._timeline(units)):
            for i in unit:
                found.setdefault(i, {})[0, i.width] = time
            for i in read:
                start, stop = 0, i.width
                while i in p.views or i in shown:
                    cut, i = columns(i), i.args[0]
                    start, stop = (start + cut[0], stop + cut[0]) if cut else (0, i.width)
                found.setdefault(i, {})[start, stop] = time
        return found

    def where(self, i: Instr) -> Location:
        """Return the place of a value, of a leaf, or of columns of either."""
        if i in self.place:
            return self.place[i]
        cut = columns(i) if i in self.program.views else None
        if cut:
            found = self.where(i.args[0])
            return found._replace(at=found.at + cut[0])
        if i not in self.program.varies:  # if it has rows, they are all alike
            return Location("fixed", i, "fixed", 0, i.width)
        number = i.params.get("number")
        if i in self.still:
            return Location("still", i, "still", 0, i.width)
        leaves = {"x": ("x", i, "steps"), "state": ("state", number, "old"),
                  "dy": ("dy", i, "steps"), "dstate": ("carry", number, self.came)}  # fmt: skip
        return Location(*leaves.get(i.op, ("kept", i, "steps")), 0, i.width)

    def missing(self, whole: Instr) -> list[tuple[Location, Instr]]:
        """Return a concatenation's parts that were computed elsewhere, and where they belong."""
        found, place = [], self.where(whole)
        for part in whole.args:
            found += [] if self.place.get(part) == place else [(place, part)]
            place = place._replace(at=place.at + part.width)
        return found

    def _plan(self, i: Instr, name: str, unit: list[Instr], time: int) -> None:
        """Place a result, after the concatenation that it is a part of."""
        p, whole = self.program, self.whole.get(i, i)
        for v in (whole, i):
            if v not in self.place and self.stored(v):
                lasts = v in p.kept or name not in LOOPS
                own = Location(
                    "kept" if lasts else "once", v, "steps" if lasts else "now", 0, v.width
                )
                free = None if "plan" in p.without else self._free(own, unit, time)
                self._put(v, free or own)

    def _put(self, i: Instr, place: Location) -> None:
        """Let a value be computed somewhere, and the parts of a concatenation in theirs: those
        that are made in this loop and not wanted elsewhere."""
        passing = place.when in ("goes", "now") and i in self.program.kept
        if i in self.place or passing:
            return
        self.place[i] = place
        if place.kind in ("kept", "once"):
            lives = self.lives.setdefault(place.of, [])
            lives += [(place.at + a, place.at + b, last) for (a, b), last in self.used[i].items()]
        at = place.at
        for part in i.args:
            if self.whole.get(part) is i:
                self._put(part, place._replace(at=at))
            at += part.width

    def _free(self, own: Location, unit: list[Instr], time: int) -> Location | None:
        """Find columns of another buffer of that kind for all parts of a value. Columns that this
        unit is the last to read serve if it computes the parts, each in columns that it reads as
        one."""
        parts = own.of.args if is_beside(own.of) else (own.of,)
        at_once = own.kind == "kept" and not any(i.op in ("matmul", "concatenate") for i in unit)
        at_once = at_once and set(parts) <= set(unit) and self.program.emitter.in_place(unit)
        ends = list(accumulate((part.width for part in parts), initial=0))
        alike = [of for of in self.lives if layout(self.place[of]) == layout(own)]
        dead = [(last, of, start) for of in alike for start, _, last in self.lives[of]
                if last <= time and start + own.wide <= of.width]  # fmt: skip
        for _, of, first in sorted(dead, key=lambda found: -found[0]):  # the latest are in cache
            spans = [(first + start, first + stop) for start, stop in pairwise(ends)]
            if all(last < time or b <= start or a >= stop
                   or at_once and (a, b, last) == (start, stop, time)
                   for a, b, last in self.lives[of] for start, stop in spans):  # fmt: skip
                return self.place[of]._replace(at=first)
        return None


def layout(place: Location) -> tuple:
    """Return the key that two buffers share if one's columns can hold the other's values. Values
    that live within a step get buffers of their own: arrays without gaps are faster."""
    shape = place.of.shape
    rows = shape if place.kind == "once" else (len(shape), *shape[:-1])
    return place.kind, place.of.dtype, rows


def inputs(program: Program) -> set[Instr]:
    """Return what code reads and is given from outside, in a place of its own."""
    read = set().union(*program.reads.values()) - program.kept
    return {i for i in read if i.op not in ("state", "dstate", "const")}


class Workspace:
    """The arrays of one run of T steps; `flat[i]` shows a value kept for all steps as T·B rows."""

    def __init__(self, loops: Any, steps: int, xp: Any = np):
        self.loops, self.memory, self.steps, self.xp = loops, loops.memory, steps, xp
        self.empty = aligned if xp is np else xp.empty
        p = loops.program
        self.states = [self.empty((steps + 1, *s.shape), s.dtype) for s in p.step.states]
        count = steps + 1 if p.keeps_adjoints else 2
        self.carry = [self.empty((count, *s.shape), s.dtype) for s in p.step.dstates]
        self.arrays: dict[Any, Any] = {}
        self.ready: dict[str, Any] = {}  # what a phase does, once it is known
        self.inputs = inputs(p)
        self.made: Any = (None, {})  # the parameters of the last run, and what was made of them
        weak = lambda i: i.value if i.dtype is None else xp.asarray(i.value)  # a Python number is
        self.flat: dict[Instr, Any] = {i: weak(i) for i in p.order if i.op == "const"}
        for i in p.order:
            if i in p.kept or i.op == "state" or i.op == "dstate" and p.keeps_adjoints:
                array = self.part(i)
                self.flat[i] = array.reshape(-1, *i.shape[1:]) if i.batch == [0] else array

    def times(self, loop: str) -> range:
        """Return the steps in the order in which a loop goes through them."""
        return range(self.steps) if loop == "forward" else range(self.steps)[::-1]

    def array(self, kind: str, of: Any) -> Any:
        """Return the array behind a buffer."""
        if kind in ("state", "carry"):
            return (self.states if kind == "state" else self.carry)[of]
        if of not in self.arrays:
            shape = of.shape if kind in ("once", "fixed", "still") else (self.steps, *of.shape)
            self.arrays[of] = self.empty(shape, of.dtype or self.memory.real)
            if kind == "fixed":
                self.arrays[of][...] = self.xp.asarray(of.value)
        return self.arrays[of]

    def part(self, i: Instr, t: int | None = None, place: Location | None = None) -> Any:
        """Return a value at step t, or at all steps: a part of a buffer, never a copy."""
        place = place or self.memory.where(i)
        array = self.array(place.kind, place.of)[place.step(t)]
        return array if place.wide == i.width else array[..., place.at : place.at + i.width]

    def load(self, i: Instr, array: Any) -> None:
        """Take over an input of the loops: a copy, since they are bound to our own memory."""
        place = self.memory.where(i)
        mine = self.array(place.kind, i)
        mine[...] = array[0] if place.kind == "still" else array.reshape(mine.shape)
