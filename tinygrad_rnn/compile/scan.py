"""Running a compiled loop: one node on the tape, from inputs, states and parameters to all results.

The node's value is one flat array, `y` followed by the last states; `unpack` shows its parts. Its
rule runs the compiled backward loop on arrays. On Tensors (`create_graph=True`) it unrolls the
cell instead, so gradients of any order exist.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import library_of
from ..ops import put, zero
from ..tensor import PRIMITIVES, Tensor, primitive
from .ir import Instr
from .lift import is_view
from .program import Program

SPARE = 4  # so many unused workspaces are kept for the next calls


class Kernel:
    """One program with its loops, and the workspaces that no run uses at the moment."""

    def __init__(self, program: Program, loops: Any, history: list, seconds: float):
        self.program, self.loops = program, loops
        self.history, self.seconds = history, seconds
        self.spare: list[Any] = []

    def workspace(self, steps: int) -> Any:
        for k, space in enumerate(self.spare):
            if space.steps == steps:
                return self.spare.pop(k)
        return self.loops.workspace(steps)

    def give_back(self, space: Any) -> None:
        self.spare = [*self.spare[-SPARE + 1 :], space]


class Run:
    """One call: it owns a workspace from the forward loop until nobody can ask for gradients."""

    def __init__(self, kernel: Kernel, unrolled: Callable):
        self.kernel, self.unrolled = kernel, unrolled
        self.space: Any = None
        self.fresh = False  # the forward loop's values are there, not yet overwritten
        self.gradients: tuple[Any, dict[int, Any]] = (None, {})

    def __del__(self) -> None:
        if self.space is not None:
            self.kernel.give_back(self.space)

    def forward(self, *arrays: Any) -> Any:
        """The flat result; `arrays` are the inputs over time, the first states, the parameters."""
        step, steps = self.kernel.program.step, len(arrays[0])
        if self.space is None:
            self.space = self.kernel.workspace(steps)
        space, first, params = self.space, len(step.xs), len(step.xs) + len(step.states)
        space.begin()
        self.env = env = space.fixed_env.copy()
        env.update(zip(step.xs, arrays))
        for i in step.xs:
            if i in space.inputs:
                space.load(i, env[i])
        self._weights(arrays[params:])
        for states, start in zip(space.states, arrays[first:params]):
            states[0] = start
        self._outer("before")
        space.run("forward")
        self._outer("between")
        self.fresh = True
        return space.result(self._all(step.y))

    def _weights(self, arrays: tuple) -> None:
        """Makes what depends on parameters alone, unless the workspace has it from the last run."""
        env, space, params = self.env, self.space, self.kernel.program.step.params
        known = space.weights.get("of")
        if known is not None and all(a is b for a, b in zip(arrays, known)):
            env.update(space.weights["made"])
            return
        made = dict(zip(params, arrays))
        env.update(made)
        for i in params:
            if i in space.inputs:
                space.load(i, env[i])
        self._outer("static")
        made |= {i: env[i] for i, _, _ in self.kernel.program.calls["static"]}
        space.weights = {"of": arrays, "made": made}

    def backward(self, g: Any) -> list[Any]:
        """The gradients of all inputs, in the order of `forward`'s; None where there is none."""
        if not self.fresh:  # the last backward overwrote what it read
            self.forward(*self.inputs())
        step, space, steps = self.kernel.program.step, self.space, self.space.steps
        at = steps * math.prod(step.y.shape)
        self.env[step.dy] = dy = g[:at].reshape(steps, *step.y.shape)
        if step.dy in space.inputs:
            space.load(step.dy, dy)
        for carry in space.carry:
            size = carry[0].size
            carry[steps % 2] = g[at : at + size].reshape(carry[0].shape)
            at += size
        self._outer("ready")
        space.run("backward")
        self.fresh = not self.kernel.loops.overwrites
        self._outer("after")
        dstates = [carry[0].copy() for carry in space.carry]
        return [*map(self._own, step.dxs), *dstates, *map(self._own, step.dparams)]

    def inputs(self) -> list[Any]:
        step, space = self.kernel.program.step, self.space
        firsts = [state[0].copy() for state in space.states]
        return [self.env[i] for i in step.xs] + firsts + [self.env[i] for i in step.params]

    def _outer(self, phase: str) -> None:
        """The calls of a phase outside of the loops."""
        env, space = self.env, self.space
        for i, function, args in self.kernel.program.calls[phase]:
            operands = [env[a] for a in args]
            out = space.all.get(i)
            if out is not None:
                result = function(*operands, out=out)
                if result is not out and result.base is not out:
                    np.copyto(out, result)
            elif i.op == "accumulate":
                env[i] = function(*operands, steps=space.steps)
            else:
                env[i] = function(*operands)
            if i in space.inputs:
                space.load(i, env[i])

    def _all(self, i: Instr) -> Any:
        """`i` for all steps."""
        if i in self.kernel.program.varies:
            return self.env[i]
        return np.broadcast_to(self.env[i], (self.space.steps, *i.shape))

    def _own(self, i: Instr | None) -> Any:
        """A result in memory that no workspace will write to again."""
        if i is None:
            return None
        p, steps = self.kernel.program, self.space.steps
        if i in p.step.dxs:
            array = self._all(i)
        else:
            array = self.env[i].sum(0) if i in p.varies else self.env[i]
        source = i
        while is_view(source):
            source = source.args[0]
        borrowed = source in self.space.all or not source.args or source in p.home
        return array.copy() if borrowed or steps == 0 else array


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
    """The gradient of one part, with zeros for the rest."""
    stop = start + math.prod(shape)
    if isinstance(g, Tensor):
        return put(g.reshape(-1), index=(slice(start, stop),), shape=a.shape, dtype=a.dtype)
    whole = library_of(g).xp.empty(a.shape, a.dtype)
    whole[:start] = 0
    whole[start:stop] = g.reshape(-1)
    whole[stop:] = 0
    return whole


run_scan = primitive("scan", lambda *arrays, run: run.forward(*arrays), each=scan_rule, keeps="all")
unpack = primitive(
    "unpack", lambda a, start, shape: a[start : start + math.prod(shape)].reshape(shape), parts_rule
)
for _name in ("scan", "unpack"):  # they belong to one run: no part of the vocabulary of programs
    del PRIMITIVES[_name]
