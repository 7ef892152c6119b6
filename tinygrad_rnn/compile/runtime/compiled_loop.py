"""Run a compiled loop over time as one node of the graph, for `compile.layer`.

The node's value is one flat array, `y` followed by the last states. Its rules run the compiled
backward loop on arrays. On Tensors (`create_graph=True`) they run the plain loop instead, as those
of a `checkpoint` do, so gradients of any order exist.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import is_
from typing import Any

import numpy as np

from ...engine.accumulate import SlicedGradient
from ...engine.arrays import library_of
from ...engine.context import MODE
from ...engine.primitive import Primitive, record_node
from ...engine.tensor import Tensor, leaf_of, wrap
from ...functions.checkpoint import Again, unpacked
from ..codegen.emit_numpy import ufunc_of
from ..codegen.rows import summed
from ..phases import LOOPS, Program
from ..program import Instr
from .call import Call
from .fingerprint import CellFingerprint
from .pool import Pool


class Kernel:
    """One program with its loops, and the workspaces that no run uses at the moment."""

    def __init__(self, loops: Any, history: list, seconds: float, held: CellFingerprint):
        # `held`, since what a key names by where it lies has to stay there
        self.loops, self.history, self.seconds, self.held = loops, history, seconds, held
        self.program: Program = loops.program
        adds = lambda i: len(summed(i)) == 1 and i.dtype.kind == "f"
        find: Any = lambda i: column_sums if adds(i) else ufunc_of(i)
        self.calls = {n: [(i, find(i)) for i in all_] for n, all_ in self.program.calls.items()}
        asked = [a for calls in self.program.calls.values() for i in calls for a in i.args]
        self.called = {*asked, *self.program.results}
        self.spare: Pool = Pool(4)  # workspaces for the next calls

    def workspace(self, steps: int) -> Any:
        found = self.spare.take(lambda space: space.steps == steps)
        return found or self.loops.workspace(self.loops, steps)


class CompiledCall(Again):
    """One call, and the rules of its node. It owns a workspace from the forward loop until nobody
    can ask for gradients."""

    digits = 2.0**14  # the plain loop rounds otherwise in every step
    space: Any = None

    def __init__(self, kernel: Kernel, call: Call, set_back: Callable):
        super().__init__(call.unrolled, [leaf_of(t) for t in call.tensors], set_back)
        self.kernel, self.call = kernel, call
        self.space = kernel.workspace(len(call.inputs[0]))
        self.xs = call.arrays(kernel.program.step)
        self.starts = [s._array for s in call.states]
        self.held = [t._array for t in call.held.tensors]
        self.fresh = False  # the forward loop's values are there, not yet overwritten

    def __del__(self) -> None:
        if self.space is not None:
            self.kernel.spare.give(self.space)

    def results(self) -> list[Tensor]:
        """Return the outputs over time and the last states, parts of one node's value."""
        call, mode, node = self.call, MODE.get(), None
        flat = self.forward()
        if any(call.wants) or not mode.plain:
            op = Primitive("scan", self.forward, self, "y", SlicedGradient)
            tensors, arrays = tuple(call.tensors), [t._array for t in call.tensors]
            node = record_node(op, tensors, arrays, {}, flat, any(call.wants), mode)
        shapes = [(self.space.steps, *self.kernel.program.step.y.shape)]
        return unpacked(wrap(flat, node), shapes + [s.shape for s in call.states])

    def all_shares(self, g: Any, y: Any) -> list[Any]:
        return super().all_shares(g, y) if isinstance(g, Tensor) else self.backward(g)

    def run(self, y: Any) -> Tensor:
        then = {id(t): a for t, a in zip(self.call.held.tensors, self.held)}
        if any(then.get(id(t)) is not t._array for t in CellFingerprint(self.call.cell).tensors):
            raise RuntimeError("create_graph: a parameter was changed since the forward pass")
        return super().run(y)

    def forward(self) -> Any:
        """Return the flat result: the outputs of all steps, then the last states."""
        space, step = self.space, self.kernel.program.step
        self.flat = flat = {**space.flat}
        for i, array in zip(step.xs, self.xs):
            if i in self.kernel.called:  # of what is the same at every step, this is a copy
                flat[i] = array.reshape(-1, *array.shape[2:])
            if i in space.inputs:
                space.load(i, array)
        self._weights(self.held)
        for states, start in zip(space.states, self.starts):
            states[0] = start
        self._phases("before", "forward", "between")
        self.fresh = True
        parts = [self._all(step.y, flat[step.y]), *(states[-1] for states in space.states)]
        return space.xp.concatenate([part.reshape(-1) for part in parts])

    def _weights(self, arrays: list) -> None:
        """Make what depends on parameters alone, unless the workspace has it from the last run."""
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
        """Return the gradients of all inputs, states and held Tensors; None where there is none."""
        if not self.fresh:  # the last backward overwrote what it read
            self.forward()
        step, space, steps = self.kernel.program.step, self.space, self.space.steps
        at = steps * math.prod(step.y.shape)
        if type(g) is SlicedGradient:  # of `y` alone: the last states were not used
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
            self.flat.update(self.space.run(name) or ())
            self._calls(name)

    def _calls(self, name: str) -> None:
        """Return the array calls of a phase, on T·B rows."""
        flat, space = self.flat, self.space
        rows = space.steps * self.kernel.loops.memory.rows
        for i, function in self.kernel.calls[name]:
            operands, out = [flat[a] for a in i.args], space.flat.get(i)
            made = function(*operands, out=out) if function else i.run(operands, rows)
            if out is not None and made is not out:
                out[...] = made
            flat[i] = made if out is None else out

    def _all(self, i: Instr, array: Any) -> Any:
        """Return the rows of `i` for all steps, (T, B, …)."""
        shape = (self.space.steps, *i.shape)
        return array.reshape(shape) if i.batch else np.broadcast_to(array, shape)

    def _results(self) -> list[Any]:
        """Return the gradients of inputs, states and parameters, in memory that no later run writes
        to."""
        step, flat = self.kernel.program.step, self.flat
        ends = step.dxs[: len(self.call.inputs)]
        dxs: list[Any] = [i and self._all(i, own(flat[i])) for i in ends]
        for k in range(self.call.moving, len(dxs)):  # of a context the sum over all steps
            dxs[k] = None if dxs[k] is None else dxs[k].sum(0)
        dparams = [i and own(self._summed(i)) for i in step.dparams]
        return [*dxs, *[carry[0].copy() for carry in self.space.carry], *dparams]

    def _summed(self, i: Instr) -> Any:
        """Return a parameter's gradient, summed over time where the rows of all steps were not at
        once."""
        program, array = self.kernel.program, self.flat[i]
        if i not in program.varies:
            return array * self.space.steps
        return array.sum(0) if program.phase[i] in LOOPS else array


def own(array: Any) -> Any:
    """Return the array, or a copy of it if it shows a part of another one."""
    return array if array.base is None else array.copy()


def column_sums(a: Any, out: Any = None) -> Any:
    """Return Σ over rows, as a product with ones: faster than adding, and it rounds less."""
    xp = library_of(a).xp
    return xp.matmul(xp.ones(len(a), a.dtype), a, out=out)
