"""Where values live: the part of buffer planning that all emitters share.

A value of the loops is either a row of an array kept for all steps, or a state, or a carried
adjoint, or a piece of a concatenation, or it lives for one step only, in scratch memory.
"""

from __future__ import annotations

from .ir import Instr
from .program import LOOPS, Program


class Places:
    """`placed[i] = (whole, at)`: part of a concatenation, computed right where it belongs.
    `carried[i] = k`: written straight into the adjoint that step k hands to the step before."""

    def __init__(self, program: Program):
        self.program = program
        self.placed: dict[Instr, tuple[Instr, int]] = {}
        self.carried: dict[Instr, int] = {}
        for name in LOOPS:
            self._place_parts(program.loop(name))
        self._carry()

    def _place_parts(self, loop: list[Instr]) -> None:
        p, inside = self.program, set(loop)
        for whole in loop:
            at = 0
            for part in whole.args if whole.op == "concatenate" else ():
                free = part in inside and not p.view(part) and part not in self.placed
                kept = part in p.kept and whole not in p.kept
                if free and not kept and part not in p.home and part.op != "concatenate":
                    self.placed[part] = (whole, at)
                at += part.shape[whole.params["axis"]]

    def _carry(self) -> None:
        p = self.program
        for k, i in enumerate(p.step.dolds):
            if i is None or i in self.carried or i in self.placed or i in p.kept or p.view(i):
                continue
            if i.args and p.phase[i] == "backward":
                self.carried[i] = k

    def owner(self, i: Instr) -> Instr:
        """The instruction whose memory holds `i`."""
        while i in self.placed or (self.program.view(i) and i in self.program.varies):
            i = self.placed[i][0] if i in self.placed else i.args[0]
        return i

    def copies(self, name: str) -> list[tuple[int, Instr | None]]:
        """(k, value) of the next states, or adjoints, that are not computed in their place."""
        p = self.program
        targets, at_home = (
            (p.step.news, p.home) if name == "forward" else (p.step.dolds, self.carried)
        )
        return [(k, i) for k, i in enumerate(targets) if i is None or at_home.get(i) != k]
