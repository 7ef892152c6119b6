"""Run the loops as NumPy calls into memory planned before, for `compile.layer`.

A step becomes a list of calls `function(*arrays)` whose last array is where the result goes, bound
once per number of steps; running a loop is running that list. Nothing is allocated while time runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...engine.compute import ENOUGH, ONE
from ...engine.primitive import PRIMITIVES
from ..passes import is_beside
from ..phases import LOOPS, Program
from ..program import Instr, Step, is_always_view
from .memory import Location, MemoryPlan, Workspace

UFUNCS = {name: p.compute for name, p in PRIMITIVES.items() if isinstance(p.compute, np.ufunc)}
BOUND_STEPS = 2000  # longer loops are bound step by step while they run: less memory, more time


class BoundWorkspace(Workspace):
    """Arrays and the calls bound to them."""

    def run(self, name: str) -> None:
        if name not in LOOPS:
            return
        calls: Iterable = (call for t in self.times(name) for call in self.bind(name, t))
        if self.steps <= BOUND_STEPS:
            calls = self.ready[name] = self.ready.get(name) or list(calls)
        for function, arrays in calls:
            function(*arrays)

    def bind(self, name: str, t: int) -> list[tuple[Callable, tuple]]:
        """Return the calls of step t."""
        p = self.memory.program
        at: dict[Instr, Any] = {}
        calls: list[tuple[Callable, tuple]] = []
        for i in p.native[name]:
            if is_beside(i):
                calls += [self.copied(to, part, t, at) for to, part in self.memory.missing(i)]
            elif i not in p.views:
                args = [self.bound_at(a, t, at) for a in i.args]
                calls += self.calls_of(i, args, self.bound_at(i, t, at))
        return calls + [self.copied(to, new, t, at) for to, new in self.memory.copies[name]]

    def copied(self, to: Location, i: Instr | None, t: int, at: dict[Instr, Any]) -> tuple:
        """Return the call that copies a value, or zeros in its stead, to where it belongs."""
        if i is None:
            return np.copyto, (self.array(to.kind, to.of)[to.step(t)], 0)
        return np.copyto, (self.part(i, t, to), self.bound_at(i, t, at))

    def bound_at(self, i: Instr, t: int, at: dict[Instr, Any]) -> Any:
        """Return the array of `i` at step t: a part of a buffer, or a view of one."""
        if i not in at:
            if i.op == "const" and not i.shape:
                at[i] = i.value
            elif i in self.memory.program.views:
                at[i] = i.run([self.bound_at(a, t, at) for a in i.args], self.memory.rows)
            else:
                at[i] = self.part(i, t)
        return at[i]

    def spare(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Return memory for one intermediate result, shared by all calls that need it."""
        key = "spare", (shape, dtype)
        if key not in self.arrays:
            self.arrays[key] = self.empty(shape, dtype)
        return self.arrays[key]

    def calls_of(self, i: Instr, args: list, out: Any) -> list[tuple[Callable, tuple]]:
        """Return the calls that compute `i` into `out`, which may be one of the operands."""
        if i.op == "sigmoid":
            most, one, e = ENOUGH[i.dtype], ONE[i.dtype], self.spare(i.shape, i.dtype)
            return [(partial(np.minimum, out=e), (args[0], most)), (np.exp, (e, e)),
                    (np.add, (e, one, out)), (np.divide, (e, out, out))]  # fmt: skip
        function = np.maximum if i.op == "relu" else ufunc_of(i)
        if function is None:
            return [(general, (i, args, self.memory.rows, out))]
        args = [*args, 0] if i.op == "relu" else args
        other = next((b.dtype for b in args if hasattr(b, "dtype")), i.dtype)
        # a 0-d array costs a third less per call than a Python number
        arrays = [np.asarray(a, getattr(a, "dtype", other)) if np.isscalar(a) else a for a in args]
        if function in (np.maximum, np.minimum):  # these refuse a positional `out`
            return [(partial(function, out=out), tuple(arrays))]
        return [(function, (*arrays, out))]


def ufunc_of(i: Instr) -> Any:
    """Return the ufunc that computes `i` into memory in one call, or None."""
    return np.matmul if i.op == "matmul" and len(i.shape) < 3 else UFUNCS.get(i.op)


def general(i: Instr, args: list, rows: int, out: Any) -> None:
    out[...] = i.run(args, rows)


class NumPyLoops:
    """The two loops of a program as lists of calls on planned memory."""

    name = "numpy"
    workspace = BoundWorkspace
    # nothing is worth keeping inside a loop of Python calls, and outside of it all is calls
    light = is_product = staticmethod(lambda i: False)
    sums: Any = staticmethod(lambda i: ())
    view = staticmethod(is_always_view)
    in_place = staticmethod(lambda unit: True)  # NumPy copies operands that overlap

    def __init__(self, step: Step, without: Sequence[str] = (), threads: int | None = None):
        self.program = program = Program(step, self, without)
        units = {name: [[i] for i in made if i not in program.views]
                 for name, made in program.native.items()}  # fmt: skip
        self.memory = MemoryPlan(program, units, lambda i: i not in program.views)
