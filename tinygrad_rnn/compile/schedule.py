"""When an instruction runs, and by whom.

A training step has two time loops, and places outside of them where one call does the work of all T
steps, on T·B rows. What does not depend on the state moves before the forward loop, what the next
step does not need moves after it, and likewise around the backward loop. Cheap row-wise work stays
inside where an emitter fuses it (`light`), everything else goes out as far as it may.

An emitter makes code for the loops, and for row-wise work of other phases if it can; what remains
are a few array calls per run, found by walking backwards from what somebody needs.
"""

from __future__ import annotations

from collections.abc import Callable, KeysView, Sequence
from typing import Any

from .program import MOVING, Instr, Step, consumers

PHASES = ("static", "before", "forward", "between", "ready", "backward", "after")
STATIC, BEFORE, FORWARD, BETWEEN, READY, BACKWARD, AFTER = range(7)
LOOPS = ("forward", "backward")
LEAF_PHASE = {"x": BEFORE, "state": FORWARD, "dy": READY, "dstate": BACKWARD}
NEXT = {"forward": "between", "backward": "after"}


def place(step: Step, light: Callable[[Instr], bool] = lambda i: False, hoist: bool = True,
          defer: bool = True) -> dict[Instr, str]:  # fmt: skip
    """The phase of every instruction. Without `hoist` what changes with time stays in the loops,
    without `defer` the sums over rows do."""
    order, forward = step.order(), step.forward()
    stays = lambda i: (light(i) or not hoist) if i.batch == [0] else not defer
    late = _latest(step, order, forward)
    low: dict[Instr, int] = {}
    high = dict(late)
    for i in order:  # operands first: raise to what the operands allow
        low[i] = max([LEAF_PHASE.get(i.op, STATIC), *(low[a] for a in i.args)])
        if low[i] > STATIC and i.args and i not in forward:
            low[i] = max(low[i], READY)  # work only gradients need does not start before
        if not stays(i) or low[i] == STATIC:
            low[i] = high[i] = _outermost(low[i], late[i], i in forward)
    for i in reversed(order):
        for a in i.args:
            high[a] = min(high[a], high[i])
    wish = lambda i: FORWARD if i in forward else BACKWARD
    return {i: PHASES[max(low[i], min(wish(i), high[i]))] for i in order}


def _outermost(low: int, late: int, forward: bool) -> int:
    """Out of the loop to the front if possible, else to behind it, else inside."""
    loop, behind = (FORWARD, BETWEEN) if forward else (BACKWARD, AFTER)
    return behind if low == loop and late >= behind else low


def _latest(step: Step, order: list[Instr], forward: set[Instr]) -> dict[Instr, int]:
    """When a value is needed at the latest: by the next step, by the result, by its readers."""
    late = {i: BETWEEN if i in forward else AFTER for i in order}
    for phase, carried in ((BACKWARD, step.dolds), (FORWARD, step.news)):
        for instr in carried:
            if instr is not None:
                late[instr] = min(late[instr], phase)
    readers = consumers(order)
    for i in reversed(order):
        late[i] = min([late[i], *(late[r] for r in readers[i])])
    return late


class Program:
    """A step with everything decided: what runs when, by whom, and which values are kept.

    `native[phase]` is what the emitter computes, `calls[phase]` what array calls do afterwards.
    `kept` are the values that one phase makes for another: they are in memory for all steps.
    """

    def __init__(self, step: Step, emitter: Any, without: Sequence[str] = ()):
        self.without, self.mixes = frozenset(without), step.mixes_rows()
        self.step, self.order = step, step.order()
        hoist, defer = (not self.mixes and name not in without for name in ("hoist", "defer"))
        self.phase = place(step, emitter.light, hoist, defer)
        self.varies: set[Instr] = set()
        for i in self.order:
            if i.op in MOVING or any(a in self.varies for a in i.args):
                self.varies.add(i)
        # what is read where its operand lies; sums of a step's rows are arrays of their own
        self.view = lambda i: emitter.view(i) and (bool(i.batch) or i not in self.varies)
        self.native: dict[str, list[Instr]] = {}
        for name in PHASES[1:]:
            mine = [i for i in self.order if self.phase[i] == name and i.args]
            rows = mine if name in LOOPS else [i for i in mine if i.batch == [0]]
            self.native[name] = rows if name in LOOPS or all(map(self._can(emitter), rows)) else []
        self.inside = {i for made in self.native.values() for i in made}
        self.reads = {name: self._outside(name) for name in self.native}
        self.results = {i for i in (step.y, *step.dxs, *step.dparams) if i is not None}
        self.calls: dict[str, list[Instr]] = {name: [] for name in PHASES}
        self.kept = self._find_calls()
        outside = {a for calls in self.calls.values() for i in calls for a in i.args}
        outside |= {a for name, read in self.reads.items() if name != "backward" for a in read}
        self.keeps_adjoints = any(a.op == "dstate" for a in outside)  # else two at a time do

    def _can(self, emitter: Any) -> Callable[[Instr], bool]:
        weight = lambda i: i.args[-1] not in self.varies
        return lambda i: emitter.light(i) or emitter.is_product(i) and weight(i)

    def source(self, i: Instr) -> Instr:
        """What `i` is a view of, through any number of views."""
        while self.view(i) and i in self.varies:
            i = i.args[0]
        return i

    def _outside(self, name: str) -> set[Instr]:
        """The values that a phase's code reads and did not make, without views."""
        made = set(self.native[name])
        read = [a for i in made for a in i.args] + self.ends(name)
        return {self.source(a) for a in read} - made

    def ends(self, name: str) -> list[Instr]:
        """What a loop hands from one step to the next."""
        ends: dict[str, list] = {"forward": self.step.news, "backward": self.step.dolds}
        return [i for i in ends.get(name, []) if i is not None]

    def _find_calls(self) -> KeysView[Instr]:
        """Fills `calls` with what is read by somebody; the values that need an array of T steps."""
        by_code = set().union(*self.reads.values())
        needed = self.results | by_code
        for i in reversed(self.order):
            if i in needed and i.args and (i not in self.inside or self.view(i)):
                name = self.phase[i]
                name = NEXT.get(name, name) if i in self.inside else name
                self.calls[name].append(i)
                needed |= set(i.args)
        for calls in self.calls.values():
            calls.reverse()
        called = {i for calls in self.calls.values() for i in calls}
        return {i: None for i in self.order if i.args and i in self.varies and i in needed
                and (i in by_code if i in called else i in self.inside)}.keys()  # fmt: skip
