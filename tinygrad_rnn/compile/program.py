"""A step program with everything decided: what runs when, and which values have to be kept.

An emitter takes a `Program` and makes the two time loops. What is outside of them is the same for
every emitter and runs here: a few large array operations per call, found by walking backwards from
what somebody needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .ir import Instr, Step
from .lift import Lifted, contraction, lifted
from .phases import PHASES, place

LOOPS = ("forward", "backward")
Call = tuple[Instr, Lifted, tuple[Instr, ...]]


class Program:
    """The phases of a step's instructions, what crosses from one to another, and the outer calls.

    `home[i] = k` says that `i` is the new state k: it lives where the states of all steps are kept.
    `kept` are the other values that one phase makes for another; each gets an array for all steps.
    """

    def __init__(self, step: Step, emitter: Any, without: Sequence[str] = ()):
        self.view = emitter.view  # what the loops read where its operand lies
        self.follows = emitter.follows  # the same, of what does not change with time
        self.without = frozenset(without)
        self.step, self.order = step, step.order()
        self.phase = place(step, emitter.light, "hoist" not in self.without)
        self.varies: set[Instr] = set()
        for i in self.order:
            moves = i.op in ("x", "state", "dy", "dstate") or any(a in self.varies for a in i.args)
            if moves and i.op != "accumulate":
                self.varies.add(i)
        self.home = {
            new: k for k, new in reversed(list(enumerate(step.news)))
            if self.phase[new] == "forward" and new.args and not self.view(new)
        }  # fmt: skip
        self.calls: dict[str, list[Call]] = {p: [] for p in PHASES if p not in LOOPS}
        self.kept: list[Instr] = []
        self._find_calls()

    def loop(self, name: str) -> list[Instr]:
        """What a loop computes, in order."""
        return [i for i in self.order if self.phase[i] == name and i.args]

    def fixed_env(self, space: Any) -> dict[Instr, Any]:
        """The values that are the same arrays in every run of a workspace."""
        env = {i: i.value for i in self.order if i.op == "const"} | space.all
        env |= {i: states[:-1] for i, states in zip(self.step.states, space.states)}
        return env | {i: space.states[k][1:] for i, k in self.home.items()}

    def source(self, i: Instr) -> Instr:
        """What `i` is a view of, through any number of views."""
        while self.view(i) and (i in self.varies or self.follows(i)):
            i = i.args[0]
        return i

    def outside(self, name: str) -> list[Instr]:
        """The values that a loop reads and did not make, views followed to their sources."""
        found: dict[Instr, None] = {}
        carried = self.step.news if name == "forward" else self.step.dolds
        products = [i for i in self.loop(name) if i.op in ("matmul", "product_add")]
        weights = {i.args[-1] for i in products} - self.varies
        read = [a for i in self.loop(name) for a in i.args] + [i for i in carried if i is not None]
        for a in dict.fromkeys([*weights, *(self.source(a) for a in read if a not in weights)]):
            if self.phase[a] != name or a.op in ("x", "dy"):
                found[a] = None
        return list(found)

    def _find_calls(self) -> None:
        """Fills `calls` and `kept`, last phase first, so that only what is read is computed."""
        ends = [self.step.y, *self.step.dxs, *self.step.dparams]
        needed = {i for i in ends if i is not None}
        outside = {name: self.outside(name) for name in LOOPS}
        for name in reversed(PHASES):
            if name in LOOPS:
                needed |= set(outside[name])
                continue
            for i in reversed(self.order):
                if i in needed and self._runs_in(i, name):
                    call = self._call(i)
                    self.calls[name].append(call)
                    needed |= set(call[2])
            self.calls[name].reverse()
        in_loops = {i for found in outside.values() for i in found}
        for i in self.order:
            made = i.args and not self.view(i) and i in self.varies and i not in self.home
            if made and i in needed and (self.phase[i] in LOOPS or i in in_loops):
                self.kept.append(i)

    def _runs_in(self, i: Instr, name: str) -> bool:
        """Views of loop values that are read outside are taken where they are first needed."""
        if not i.args:
            return False
        if self.phase[i] in LOOPS:
            follow = {"forward": "between", "backward": "after"}[self.phase[i]]
            return self.view(i) and name == follow
        return self.phase[i] == name

    def _call(self, i: Instr) -> Call:
        inner = i.args[0]
        if i.op == "accumulate" and inner.op == "matmul" and all(
            a in self.varies and len(a.shape) == 2 for a in inner.args
        ):  # fmt: skip
            return i, lambda a, b, steps: contraction(a, b), inner.args
        return i, lifted(i, tuple(a in self.varies for a in i.args)), i.args
