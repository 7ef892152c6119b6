"""Decide when each instruction runs and by whom; the emitters in `codegen` read it.

A training step has two time loops, and places outside of them where one call does the work of all T
steps, on T·B rows. What does not depend on the state moves before the forward loop, what the next
step does not need moves after it, and likewise around the backward loop. Cheap row-wise work stays
inside where an emitter fuses it (`light`), everything else goes out as far as it may.

An emitter makes code for the loops, and for row-wise work of other phases if it can; what remains
are a few array calls per run, found by walking backwards from what somebody needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .program import MOVING, Instr, Step, Uncompilable, depends

PHASES = ("static", "before", "forward", "between", "ready", "backward", "after")
STATIC, BEFORE, FORWARD, BETWEEN, READY, BACKWARD, AFTER = range(7)
LOOPS = ("forward", "backward")
LEAF_PHASE = {"x": BEFORE, "state": FORWARD, "dy": READY, "dstate": BACKWARD}
NEXT = {"forward": "between", "backward": "after"}


def assign_phases(step: Step, light: Callable[[Instr], bool] = lambda i: False, hoist: bool = True,
          defer: bool = True) -> dict[Instr, str]:  # fmt: skip
    """Return the phase of every instruction. Without `hoist` what changes with time stays in the
    loops, without `defer` the sums over rows do."""
    order, forward = step.order(), step.forward()
    stays = lambda i: (light(i) or not hoist) if i.batch == [0] else not defer
    late = dict.fromkeys(order, AFTER)  # when the next step, or a reader, needs a value
    late |= {i: BACKWARD for i in step.dolds if i is not None}
    late |= dict.fromkeys(forward, BETWEEN) | dict.fromkeys(step.news, FORWARD)
    for i in reversed(order):
        late |= {a: min(late[a], late[i]) for a in i.args}
    low: dict[Instr, int] = {}
    high = dict(late)
    for i in order:  # operands first: raise to what the operands allow
        low[i] = max([LEAF_PHASE.get(i.op, STATIC), *(low[a] for a in i.args)])
        if low[i] > STATIC and i.args and i not in forward:
            low[i] = max(low[i], READY)  # work only gradients need does not start before
        if not stays(i) or low[i] == STATIC:  # out of the loop: to the front, else behind it
            loop, behind = (FORWARD, BETWEEN) if i in forward else (BACKWARD, AFTER)
            low[i] = high[i] = behind if low[i] == loop and late[i] >= behind else low[i]
    for i in reversed(order):
        high |= {a: min(high[a], high[i]) for a in i.args}
    wish = lambda i: FORWARD if i in forward else BACKWARD
    return {i: PHASES[max(low[i], min(wish(i), high[i]))] for i in order}


class Program:
    """A step with everything decided: each instruction's phase and runner, and the values kept.

    `native[phase]` are the values that the emitter computes row by row, `sums[phase]` its sums over
    all rows, `calls[phase]` the array calls that follow. `kept` are the values that one phase makes
    for another: they are in memory for all steps.
    """

    def __init__(self, step: Step, emitter: Any, without: Sequence[str] = ()):
        self.step, self.order, self.without = step, step.order(), frozenset(without)
        self.emitter = emitter
        # what one step hands to the next
        self.ends = {"forward": step.news, "backward": [i for i in step.dolds if i is not None]}
        mixes, kinds = step.mixes_rows(), depends(self.order)
        hoist, defer = (not mixes and name not in without for name in ("hoist", "defer"))
        self.phase = assign_phases(step, emitter.light, hoist, defer)
        self.varies = {i for i in self.order if kinds[i]}
        # what is read where its operand lies; sums of a step's rows are arrays of their own
        self.views = {i for i in self.varies if i.batch and emitter.view(i)}
        self.native = {name: self._native(name) for name in PHASES[1:]}
        self.inside = {i for made in self.native.values() for i in made}
        self.reads = {name: self._outside(name) for name in self.native}
        self.results = [i for i in (step.y, *step.dxs, *step.dparams) if i is not None]
        self.calls: dict[str, list[Instr]] = {name: [] for name in PHASES}
        self.sums: dict[str, list[Instr]] = {name: [] for name in PHASES}
        self.kept: set[Instr] = set()
        self._find_calls()
        outside = {a for calls in self.calls.values() for i in calls for a in i.args}
        for i in self.kept:  # all steps' rows are at once one below the other, or not at all
            if i.batch not in ([], [0]) and (i not in self.inside or i in outside):
                raise Uncompilable(f"the loops would keep {i}, whose rows are not its first axis")
        outside |= {a for name, read in self.reads.items() if name != "backward" for a in read}
        self.keeps_adjoints = any(a.op == "dstate" for a in outside)  # else two at a time do

    def able(self, i: Instr) -> bool:
        """Return True if the emitter can make code for `i` on all rows at once."""
        product = self.emitter.is_product(i) and i.args[1] not in self.varies
        return i.batch == [0] and (product or self.emitter.light(i))

    def at_hand(self, i: Instr) -> bool:
        """Return True if the emitter's code can read `i` of all steps and rows."""
        return (i in self.inside or i.op in MOVING) and i.dtype == self.step.y.dtype

    def _native(self, name: str) -> list[Instr]:
        """Return a loop as a whole; of another phase the work on rows, if the emitter can do all of
        it."""
        mine = [i for i in self.order if self.phase[i] == name and i.args]
        rows = [i for i in mine if i.batch == [0]]
        return mine if name in LOOPS else rows if all(map(self.able, rows)) else []

    def source(self, i: Instr) -> Instr:
        """Return what `i` is a view of, through any number of views."""
        while i in self.views:
            i = i.args[0]
        return i

    def _outside(self, name: str) -> set[Instr]:
        """Return the values that a phase's code reads and did not make, without views."""
        made = self.native[name]
        read = [a for i in made for a in i.args] + self.ends.get(name, [])
        return {self.source(a) for a in read}.difference(made)

    def _find_calls(self) -> None:
        """Fill `calls` with what somebody reads and no code makes, and `kept`."""
        by_code = set().union(*self.reads.values())
        needed = by_code.union(self.results)
        for i in reversed(self.order):
            if i not in needed or not i.args:
                continue
            called, name = i not in self.inside or i in self.views, self.phase[i]
            read = {self.source(a) for a in self.emitter.sums(i)}
            if read and all(map(self.at_hand, read)):
                self.sums[name].insert(0, i)
                for known in (self.reads[name], by_code, needed):
                    known |= read
            elif called:
                self.calls[NEXT.get(name, name) if i in self.inside else name].insert(0, i)
                needed.update(i.args)
            if i in self.varies and (i in by_code or not called):
                self.kept.add(i)
