"""When an instruction runs: the `hoist` and `defer` decisions.

A training step has two time loops, and five places outside of them where one call does the work of
all T steps. What does not depend on the state moves before the forward loop, what the next step
does not need moves after it, and likewise around the backward loop. Cheap row-wise work stays
inside where an emitter fuses it (`light`), everything else goes out as far as it may.
"""

from __future__ import annotations

from collections.abc import Callable

from .ir import Instr, Step, consumers

PHASES = ("static", "before", "forward", "between", "ready", "backward", "after")
RANK = {name: k for k, name in enumerate(PHASES)}
STATIC, BEFORE, FORWARD, BETWEEN, READY, BACKWARD, AFTER = range(7)
LEAF_PHASE = {"x": BEFORE, "state": FORWARD, "dy": READY, "dstate": BACKWARD}


def place(step: Step, light: Callable[[Instr], bool] = lambda i: False,
          hoist: bool = True) -> dict[Instr, str]:  # fmt: skip
    """The phase of every instruction. With `hoist=False` all that changes with time is in a
    loop."""
    order, forward = step.order(), step.forward()
    stay = light if hoist else (lambda i: i.op != "accumulate")
    early = _earliest(order, forward)
    late = _latest(step, order, forward)
    low, high = dict(early), dict(late)
    for i in order:  # operands first: raise to what the operands allow
        low[i] = max([low[i], *(low[a] for a in i.args)])
        if not stay(i) or low[i] == STATIC:
            low[i] = high[i] = _outermost(low[i], late[i], i in forward)
    for i in reversed(order):
        for a in i.args:
            high[a] = min(high[a], high[i])
    wish = lambda i: FORWARD if i in forward else BACKWARD
    rank = {i: max(low[i], min(wish(i), high[i])) for i in order}
    return {i: PHASES[r] for i, r in rank.items()}


def _outermost(low: int, late: int, forward: bool) -> int:
    """Out of the loop to the front if possible, else to behind it, else inside."""
    if forward:
        return BETWEEN if low == FORWARD and late >= BETWEEN else low
    return AFTER if low == BACKWARD and late >= AFTER else low


def _earliest(order: list[Instr], forward: set[Instr]) -> dict[Instr, int]:
    """What the leaves alone dictate; work only gradients need does not start before `ready`."""
    early: dict[Instr, int] = {}
    for i in order:
        early[i] = max([LEAF_PHASE.get(i.op, STATIC), *(early[a] for a in i.args)])
        if early[i] > STATIC and i.args and i not in forward:
            early[i] = max(early[i], READY)
        if i.op == "accumulate":
            early[i] = AFTER
    return early


def _latest(step: Step, order: list[Instr], forward: set[Instr]) -> dict[Instr, int]:
    """When a value is needed at the latest: by the next step, by the result, by its readers."""
    late = dict.fromkeys(order, AFTER)
    for i in order:
        if i in forward:
            late[i] = BETWEEN
    for instr in step.dolds:
        if instr is not None:
            late[instr] = min(late[instr], BACKWARD)
    for instr in step.news:
        late[instr] = min(late[instr], FORWARD)
    readers = consumers(order)
    for i in reversed(order):
        late[i] = min([late[i], *(late[r] for r in readers[i])])
    return late
