"""Count the turns of the reader's loops by the instructions that run, for `lines`.

Between two operations a function goes on, or back to an instruction that it has passed: then a loop
round both has turned. So nothing need be known of what the loop goes over.
"""

from __future__ import annotations

import dis
import itertools
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType, FrameType
from typing import NamedTuple

Span = tuple[int, int]  # the first instruction of a loop, and the one behind it


class Pass(NamedTuple):
    """Name a turn of one run of a loop; `again` counts returns to the instruction `place`."""

    loop: int
    turn: int
    again: int
    place: int


@dataclass(slots=True)
class _Open:
    """Hold a loop that runs: its number, its turn."""

    loop: int
    turn: int = 1
    again: int = 1


@dataclass(slots=True)
class _Running:
    """Hold a function that runs: the instruction it is at, and the loops round that."""

    frame: FrameType
    counted: bool
    place: int = -1
    loops: dict[Span, _Open] = field(default_factory=dict)

    def move(self, place: int, fresh: bool, serial: Iterable[int]) -> None:
        """Go to an instruction; `fresh` says that what is called there was not called before."""
        around = [s for s in _spans(self.frame.f_code) if s[0] <= place < s[1]]
        turned = next((s for s in around if s in self.loops and s[0] <= self.place < s[1]), None)
        if turned and place < self.place:
            self.loops[turned].turn += 1
            around_it = around[around.index(turned) :]
            self.loops = {s: one for s, one in self.loops.items() if s in around_it}
        elif turned and place == self.place and fresh:
            self.loops[turned].again += 1
        self.loops = {s: self.loops.get(s) or _Open(next(iter(serial))) for s in around}
        self.place = place

    def passes(self) -> list[Pass]:
        """Return the turns of the loops round the instruction, the outermost first."""
        opened = reversed(self.loops.values())
        return [Pass(one.loop, one.turn, one.again, self.place) for one in opened]


class PassCounter:
    """Count the turns of loops from one operation to the next."""

    def __init__(self) -> None:
        self.running: list[_Running] = []
        self.serial = itertools.count()

    def at(self, frames: list[tuple[FrameType, bool]]) -> tuple[Pass, ...]:
        """Return the turns that are running; `frames`, the outermost first, say whose count."""
        kept = 0
        for old, (frame, _) in zip(self.running, frames, strict=False):
            if old.frame is not frame:
                break
            kept += 1
        self.running[kept:] = [_Running(frame, counted) for frame, counted in frames[kept:]]
        for depth, one in enumerate(self.running):
            if one.counted:
                one.move(one.frame.f_lasti, depth == kept - 1, self.serial)
        return tuple(p for one in self.running if one.counted for p in one.passes())


@lru_cache(1000)
def _spans(code: CodeType) -> tuple[Span, ...]:
    """Return where the loops of a function begin and end, inner ones first."""
    ends: dict[int, int] = {}
    raised = False  # from Python 3.12 on what handles exceptions stands behind the rest
    for one in dis.get_instructions(code):
        raised |= one.opname == "PUSH_EXC_INFO" and sys.version_info >= (3, 12)
        if one.opname == "FOR_ITER":
            ends[one.offset] = one.argval
        elif "JUMP" in one.opname and one.argval <= one.offset and not raised:
            known = ends.get(one.argval, 0)
            ends[one.argval] = max(known, one.offset + 1)
    return tuple(sorted(ends.items(), key=lambda span: span[1] - span[0]))


def turns_of(passes: dict[int, tuple[Pass, ...]]) -> dict[int, tuple[tuple[int, int], ...]]:
    """Return for each node (loop, turn), the outermost loop first.

    A loop whose operations all come from one call turns whenever that is called again; where there
    are others, as in `sum(f(x) for x in xs)`, the call repeats within a turn.
    """
    places: dict[int, set[int]] = defaultdict(set)
    for found in passes.values():
        for one in found:
            places[one.loop].add(one.place)
    return {
        node: tuple((p.loop, p.again if len(places[p.loop]) == 1 else p.turn) for p in found)
        for node, found in passes.items()
    }
