"""Running a compiled loop: one node on the tape, from inputs, states and parameters to all results.

The node's value is one flat array, `y` followed by the last states; `unpack` shows its parts. Its
rule runs the compiled backward loop on arrays. On Tensors (`create_graph=True`) it unrolls the
cell instead, so gradients of any order exist.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from operator import is_
from typing import Any

import numpy as np

from ..backend import library_of
from ..ops import put, zero
from ..postponed import Piece
from ..tensor import PRIMITIVES, Tensor, primitive
from .emit_numpy import UFUNCS as ELEMENTWISE
from .program import Instr
from .rows import sums_rows
from .schedule import LOOPS, Program

UFUNCS = {**ELEMENTWISE, "matmul": np.matmul}
SPARE = 4  # so many unused workspaces are kept for the next calls


class Kernel:
    """One program with its loops, and the workspaces that no run uses at the moment."""

    def __init__(self, program: Program, loops: Any, history: list, seconds: float):
        self.program, self.loops = program, loops
        self.history, self.seconds = history, seconds
        own = getattr(loops, "call", lambda i: None)
        self.calls = {name: [(i, own(i) or on_all_rows(i)) for i in called]
                      for name, called in program.calls.items()}  # fmt: skip
        self.spare: list[Any] = []

    def workspace(self, steps: int) -> Any:
        for k, space in enumerate(self.spare):
            if space.steps == steps:
                return self.spare.pop(k)
        return self.loops.workspace(steps)


class Run:
    """One call: it owns a workspace from the forward loop until nobody can ask for gradients."""

    def __init__(self, kernel: Kernel, unrolled: Callable):
        self.kernel, self.unrolled = kernel, unrolled
        self.space: Any = None
        self.fresh = False  # the forward loop's values are there, not yet overwritten
        self.gradients: tuple[Any, dict[int, Any]] = (None, {})

    def __del__(self) -> None:
        if self.space is not None:
            self.kernel.spare = [*self.kernel.spare[-SPARE + 1 :], self.space]

    def forward(self, *arrays: Any) -> Any:
        """The flat result; `arrays` are the inputs over time, the first states, what is held."""
        program, steps = self.kernel.program, len(arrays[0])
        step = program.step
        if self.space is None:
            self.space = self.kernel.workspace(steps)
        self.arrays, space, first = arrays, self.space, len(step.xs)
        last = first + len(step.states)
        self.flat = flat = {**space.flat}
        for i, array in zip(step.xs, arrays):
            flat[i] = array.reshape(-1, *array.shape[2:])
            if i in space.inputs:
                space.load(i, array)
        self._weights(arrays[last:])
        for states, start in zip(space.states, arrays[first:last]):
            states[0] = start
        self._phases("before", "forward", "between")
        self.fresh = True
        parts = [self._all(step.y, flat[step.y]), *(states[-1] for states in space.states)]
        return space.xp.concatenate([part.reshape(-1) for part in parts])

    def _weights(self, arrays: tuple) -> None:
        """Makes what depends on parameters alone, unless the workspace has it from the last run."""
        space, program = self.space, self.kernel.program
        known, made = space.made
        if known is None or not all(map(is_, arrays, known)):
            self.flat.update(zip(program.step.params, arrays))
            self._calls("static")
            made = {i: self.flat[i] for i in [*program.step.params, *program.calls["static"]]}
            for i in space.inputs:
                if i not in program.varies and i.op != "const":
                    space.load(i, made[i][: len(i.value)] if i.batch == [0] else made[i])
            space.made = arrays, made
        self.flat.update(made)

    def backward(self, g: Any) -> list[Any]:
        """The gradients of all inputs, in the order of `forward`'s; None where there is none."""
        if not self.fresh:  # the last backward overwrote what it read
            self.forward(*self.arrays)
        step, space, steps = self.kernel.program.step, self.space, self.space.steps
        at = steps * math.prod(step.y.shape)
        if type(g) is Piece:  # of `y` alone: the last states were not used
            g = g.g if len(g.g) == at else g.dense()
        dy = g[:at].reshape(steps, *step.y.shape)
        self.flat[step.dy] = dy.reshape(-1, *dy.shape[2:])
        if step.dy in space.inputs:
            space.load(step.dy, dy)
        for carry in space.carry:
            end = g[at : at + carry[0].size]
            last = carry[steps % 2 if len(carry) == 2 else steps]
            last[...] = end.reshape(last.shape) if len(end) else 0
            at += len(end)
        self._phases("ready", "backward", "after")
        self.fresh = not self.kernel.loops.memory.overwrites
        return self._results()

    def _phases(self, *names: str) -> None:
        for name in names:
            self.space.run(name)
            if self.kernel.calls[name]:
                self._calls(name)

    def _calls(self, name: str) -> None:
        """The array calls of a phase, on T·B rows."""
        flat, space = self.flat, self.space
        for i, function in self.kernel.calls[name]:
            operands, out = [flat[a] for a in i.args], space.flat.get(i)
            if function is None:  # its options follow the number of rows
                result = i.run(operands, space.steps * self.kernel.loops.memory.rows)
            elif out is not None and isinstance(function, np.ufunc):
                result = function(*operands, out=out)
            else:
                result = function(*operands)
            flat[i] = result if out is None else out
            if out is not None and out is not result:
                out[...] = result

    def _all(self, i: Instr, array: Any) -> Any:
        """The rows of `i` for all steps, (T, B, …)."""
        shape = (self.space.steps, *i.shape)
        return array.reshape(shape) if i.batch else np.broadcast_to(array, shape)

    def _results(self) -> list[Any]:
        """The gradients of inputs, states and parameters, in memory that no later run writes to."""
        step, flat = self.kernel.program.step, self.flat
        dxs = [i and self._all(i, own(flat[i])) for i in step.dxs]
        dparams = [i and own(self._summed(i)) for i in step.dparams]
        return [*dxs, *[carry[0].copy() for carry in self.space.carry], *dparams]

    def _summed(self, i: Instr) -> Any:
        """A parameter's gradient, summed over time where the rows of all steps were not at once."""
        program, array = self.kernel.program, self.flat[i]
        if i not in program.varies:
            return array * self.space.steps
        return array.sum(0) if program.phase[i] in LOOPS else array


def own(array: Any) -> Any:
    """The array, or a copy of it if it shows a part of another one."""
    return array if array.base is None else array.copy()


def on_all_rows(i: Instr) -> Callable | None:
    """The instruction as a function of arrays of T·B rows; None if its options depend on them."""
    if sums_rows(i):
        return column_sums
    if i.op in UFUNCS:
        return UFUNCS[i.op]
    fixed = i.op in PRIMITIVES and not any(k in i.params for k in ("shape", "index"))
    return partial(PRIMITIVES[i.op].compute, **i.params) if fixed else None


def column_sums(a: Any) -> Any:
    """Σ over rows, as a product with ones: faster than adding, and it rounds less."""
    return library_of(a).xp.ones(len(a), a.dtype) @ a if a.dtype.kind == "f" else a.sum(0)


def scan_rule(k: int, g: Any, y: Any, *inputs: Any, run: Run) -> Any:
    """The gradient of input k. All are computed at once, when the first is asked for."""
    asked, found = run.gradients
    if asked is not g or k not in found:
        again = isinstance(g, Tensor)
        found = dict(enumerate(run.unrolled(inputs, g) if again else run.backward(g)))
        run.gradients = (g, found)
    share = found.pop(k)
    return zero(g) if share is None else share


def parts_rule(g: Any, y: Any, a: Any, start: int, shape: tuple) -> Any:
    """The gradient of one part, not yet spread out."""
    index = (slice(start, start + math.prod(shape)),)
    if isinstance(g, Tensor):
        return put(g.reshape(-1), index=index, shape=a.shape, dtype=a.dtype)
    return Piece(g.reshape(-1), index, a)


run_scan = primitive("scan", lambda *arrays, run: run.forward(*arrays), each=scan_rule, keeps="all",
                     postpones=Piece)  # fmt: skip
unpack = primitive(
    "unpack", lambda a, start, shape: a[start : start + math.prod(shape)].reshape(shape), parts_rule
)
for _name in ("scan", "unpack"):  # they belong to one run: no part of the vocabulary of programs
    del PRIMITIVES[_name]
