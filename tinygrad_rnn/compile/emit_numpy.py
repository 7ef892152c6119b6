"""The loops in NumPy: every instruction writes into a buffer that was planned before.

A step becomes a list of calls `function(*arrays)` whose last array is where the result goes, bound
once per number of steps; running a loop is running that list. Nothing is allocated while time runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from .ir import Instr, Step, compute, line, names_of
from .lift import UFUNCS, is_view
from .plan import Places
from .program import LOOPS, Program

BOUND_STEPS = 2000  # longer loops are bound step by step while they run: less memory, more time
LOSES_ITS_INPUT = {*UFUNCS, "sigmoid", "relu", "clone"}  # may write over an operand


def light(i: Instr) -> bool:
    """Nothing is worth keeping inside a loop of Python calls."""
    return False


view = is_view


def follows(i: Instr) -> bool:
    """Views of weights are taken once per call."""
    return False


def prepare(step: Step) -> Step:
    return step


class NumpyLoops:
    """The two loops of a program as lists of calls on planned buffers."""

    name = "numpy"
    overwrites = False  # what the backward loop reads is still there when it is done

    def __init__(self, program: Program, threads: int | None = None):
        self.program = program
        self.places = Places(program)
        self.placed, self.carried = self.places.placed, self.places.carried
        self.slot: dict[Instr, int] = {}
        self.slots: list[tuple] = []
        for name in LOOPS:
            self._plan(program.loop(name))

    def _plan(self, loop: list[Instr]) -> None:
        """A buffer for what lives within one step; it is used again once its value is dead."""
        p = self.program
        last = {self.places.owner(a): at for at, i in enumerate(loop) for a in i.args}
        last |= {
            self.places.owner(i): len(loop) for i in [*p.step.news, *p.step.dolds] if i is not None
        }
        free: dict[Any, list[int]] = {}
        begun: set[Instr] = set()
        for at, i in enumerate(loop):
            mine = self.places.owner(i)
            dead = [
                o
                for o in {self.places.owner(a) for a in i.args}
                if last[o] == at and o in self.slot
            ]
            if i.op in LOSES_ITS_INPUT:
                self._release(dead, free)
            stays = mine in p.kept or mine in p.home or mine in self.carried
            if mine not in begun and not stays and not (is_view(i) and mine is not i):
                begun.add(mine)
                spare = free.get((mine.shape, mine.dtype), [])
                self.slot[mine] = spare.pop() if spare else len(self.slots)
                self.slots += [(mine.shape, mine.dtype)] * (self.slot[mine] == len(self.slots))
            if i.op not in LOSES_ITS_INPUT:
                self._release(dead, free)

    def _release(self, dead: list[Instr], free: dict) -> None:
        for i in dead if "plan" not in self.program.without else ():
            free.setdefault((i.shape, i.dtype), []).append(self.slot[i])

    def workspace(self, steps: int) -> NumpyWorkspace:
        return NumpyWorkspace(self, steps)

    def source(self) -> str:
        """The loops as text, one NumPy-like line per instruction."""
        names = names_of(self.program.order)
        lines = []
        for name in LOOPS:
            lines.append(f"for t in {'range(T)' if name == 'forward' else 'reversed(range(T))'}:")
            lines += ["  " + line(i, names) for i in self.program.loop(name)] or ["    pass"]
        return "\n".join(lines)


class NumpyWorkspace:
    """The buffers of one run of T steps, and the calls bound to them."""

    def __init__(self, loops: NumpyLoops, steps: int):
        self.loops, self.steps = loops, steps
        p = loops.program
        self.all: dict[Instr, np.ndarray] = {}
        whole = [i for i in p.kept if i not in loops.placed]
        for i in whole:
            self.all[i] = np.empty((steps, *i.shape), i.dtype)
        for i in p.kept:
            if i in loops.placed:
                self.all[i] = self._part(i, self.all, 1)
        self.states = [np.empty((steps + 1, *s.shape), s.dtype) for s in p.step.states]
        self.carry = [np.empty((2, *s.shape), s.dtype) for s in p.step.dstates]
        self.inputs = {}
        for i in {i: None for name in LOOPS for i in p.outside(name)}:
            if i.op in ("x", "dy"):
                self.inputs[i] = np.empty((steps, *i.shape), i.dtype)
            elif i not in p.varies:
                self.inputs[i] = np.array(i.value, dtype=i.dtype, order="K")
        self.scratch = [np.empty(shape, dtype) for shape, dtype in loops.slots]
        self.bound: dict[str, list] = {}
        self.fixed_env = p.fixed_env(self)
        self.weights: dict[str, Any] = {}  # of the last run, and what was made of them

    def _part(self, i: Instr, of: dict[Instr, Any], shift: int) -> np.ndarray:
        """Where a placed value lies in the array of its concatenation."""
        whole, at = self.loops.placed[i]
        axis = whole.params["axis"] % len(whole.shape)
        index = (slice(None),) * (axis + shift) + (slice(at, at + i.shape[axis]),)
        return of[whole][index]

    def load(self, i: Instr, array: Any) -> None:
        """Takes over an input of the loops; they are bound to our own copy."""
        np.copyto(self.inputs[i], array)

    def begin(self) -> None:
        """Called before a forward loop."""

    def result(self, y: Any) -> Any:
        """`y` and the last states as one flat array of the caller's own."""
        return np.concatenate([part.reshape(-1) for part in (y, *(s[-1] for s in self.states))])

    def run(self, name: str) -> None:
        steps = range(self.steps) if name == "forward" else range(self.steps)[::-1]
        calls: Iterable = (call for t in steps for call in self.bind(name, t))
        if self.steps <= BOUND_STEPS:
            calls = self.bound[name] = self.bound.get(name) or list(calls)
        for function, arrays in calls:
            function(*arrays)

    def bind(self, name: str, t: int) -> list[tuple[Callable, tuple]]:
        """The calls of step t."""
        loops, p = self.loops, self.loops.program
        at: dict[Instr, Any] = {}
        calls: list[tuple[Callable, tuple]] = []
        for i in p.loop(name):
            args = [self._at(a, t, at) for a in i.args]
            if not is_view(i):
                calls += calls_of(i, args, self._at(i, t, at), loops.placed)
        for k, new in loops.places.copies(name):
            to = self.states[k][t + 1] if name == "forward" else self.carry[k][t % 2]
            calls.append((np.copyto, (to, 0 if new is None else self._at(new, t, at))))
        return calls

    def _at(self, i: Instr, t: int, at: dict[Instr, Any]) -> Any:
        """The array of `i` at step t: a part of a buffer, never a copy."""
        if i not in at:
            at[i] = self._locate(i, t, at)
        return at[i]

    def _locate(self, i: Instr, t: int, at: dict[Instr, Any]) -> Any:
        loops, p, number = self.loops, self.loops.program, i.params.get("number", 0)
        if i in self.all:
            return self.all[i][t]
        if i.op == "state":
            return self.states[number][t]
        if i.op == "dstate":
            return self.carry[number][(t + 1) % 2]
        if i in p.home:
            return self.states[p.home[i]][t + 1]
        if i in loops.carried:
            return self.carry[loops.carried[i]][t % 2]
        if i in self.inputs:
            return self.inputs[i][t] if i in p.varies else self.inputs[i]
        if i in loops.slot:
            return self.scratch[loops.slot[i]]
        if i in loops.placed:
            self._at(loops.placed[i][0], t, at)
            return self._part(i, at, 0)
        assert is_view(i)
        return compute(i.op)(self._at(i.args[0], t, at), **i.params)


def calls_of(i: Instr, args: list, out: Any, placed: dict) -> list[tuple[Callable, tuple]]:
    """The calls that compute `i` into `out`."""
    args = [_as_array(a, i, args) for a in args]
    if i.op in ("maximum", "minimum", "relu"):  # these refuse a positional `out`
        both = args if len(args) == 2 else [args[0], np.asarray(0, i.dtype)]
        return [(partial(UFUNCS.get(i.op, np.maximum), out=out), tuple(both))]
    if i.op in UFUNCS:
        return [(UFUNCS[i.op], (*args, out))]
    if i.op == "matmul":
        return [(np.matmul, (*args, out))]
    if i.op == "sigmoid":
        half = np.asarray(0.5, i.dtype)
        return [(np.multiply, (args[0], half, out)), (np.tanh, (out, out)),
                (np.multiply, (out, half, out)), (np.add, (out, half, out))]  # fmt: skip
    if i.op == "where":
        return [(np.copyto, (out, args[2])), (np.copyto, (out, args[1], "same_kind", args[0]))]
    if i.op in ("clone", "astype"):
        return [(np.copyto, (out, args[0], "unsafe"))]
    if i.op == "concatenate":
        return _copies(i, args, out, placed)
    return [(_general, (partial(compute(i.op), **i.params), args, out))]


def _as_array(a: Any, i: Instr, args: list) -> Any:
    """Numbers as 0-d arrays of the operands' dtype: a third faster per call than as Python
    numbers."""
    if isinstance(a, (int, float)) and i.op in UFUNCS:
        other = next((b.dtype for b in args if hasattr(b, "dtype")), i.dtype)
        return np.asarray(a, other)
    return a


def _copies(i: Instr, args: list, out: Any, placed: dict) -> list[tuple[Callable, tuple]]:
    """The parts of a concatenation that are not already in their place."""
    calls, at, axis = [], 0, i.params["axis"] % len(i.shape)
    for part, a in zip(i.args, args):
        stop = at + part.shape[axis]
        if placed.get(part) != (i, at):
            calls.append((np.copyto, (out[(slice(None),) * axis + (slice(at, stop),)], a)))
        at = stop
    return calls


def _general(function: Callable, args: list, out: Any) -> None:
    out[...] = function(*args)


Loops = NumpyLoops
