"""One call of a compiled loop: what it is about, when it needs a new kernel, its unrolled twin."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import chain
from operator import is_
from typing import Any

from ..backend import move
from ..calculus import again
from ..context import is_grad_enabled, mode
from ..nn.cell import Cell, each
from ..nn.module import Module
from ..ops import where
from ..random import undone
from ..shapes import cat
from ..tensor import Tensor, leaf_of, wrap
from .capture import capture
from .program import Step
from .run import Kernel, Run, run_scan, unpack

PLAIN = (int, float, str, bool, type(None))


class Held:
    """What a cell holds, found by walking its attributes: every Tensor once (drawn masks and frozen
    parameters too), its options, and other objects (functions, …) by identity."""

    def __init__(self, cell: Cell):
        self.cell = cell  # held on to, so that a key made of identities stays true
        self.modules: list[Module] = []
        self.options: list[Any] = []
        tensors: dict[int, Tensor] = {}
        self.inside: list[Any] = [cell]  # grows while we walk
        for thing in self.inside:
            if isinstance(thing, Module):
                self.modules.append(thing)
            for value in values_in(thing):
                if isinstance(value, PLAIN):
                    self.options.append(value)
                elif isinstance(value, Tensor):
                    tensors[id(value)] = value
                elif isinstance(value, (Module, list, tuple, dict)):
                    self.inside.append(value)
                else:
                    self.options.append(id(value))
        self.tensors = list(tensors.values())
        self.views = [values_in(thing) for thing in self.inside]  # they show what changes
        self.all = list(chain.from_iterable(self.views))

    def still(self) -> bool:
        """True if the cell holds the very same things now."""
        now = list(chain.from_iterable(self.views))
        return len(now) == len(self.all) and all(map(is_, now, self.all))


def values_in(thing: Any) -> Any:
    inside = vars(thing) if isinstance(thing, Module) else thing
    return inside.values() if isinstance(inside, dict) else inside


class Call:
    """What one call of a scan is about: a cell, its Tensors, and the step to capture."""

    def __init__(self, held: Held, xs: Tensor, state: Any, mask: Any, reverse: bool):
        self.held, self.cell, self.xs, self.reverse = held, held.cell, xs, reverse
        self.nested = isinstance(state, tuple)
        self.states: list[Tensor] = list(state) if self.nested else [state]
        self.mask = (
            None
            if mask is None
            else wrap(xs.xp.ascontiguousarray(xs.xp.asarray(mask))[..., None], None)
        )
        self.inputs = [xs] if self.mask is None else [xs, self.mask]
        wants = [is_grad_enabled() and t.requires_grad for t in [xs, *self.states, *held.tensors]]
        # later steps need the states' gradients even if the first state's is not asked for
        first, anything = 1 + len(self.states), any(wants)
        wants[1:first] = [anything] * len(self.states)
        self.wants = [wants[0], *[False] * (len(self.inputs) - 1), *wants[1:]]

    def key(self) -> Any:
        """Equal keys can use the same kernel."""
        arrays = [t._array for t in (self.xs, *self.states, *self.held.tensors)]
        shapes = [a.shape for a in arrays]
        shapes[0] = shapes[0][1:]  # any number of steps
        kind = (id(self.cell), type(arrays[0]), self.mask is None, *[a.dtype.char for a in arrays])
        return (*kind, *self.held.options, *shapes, *self.wants)

    def step(self, xs: Sequence[Tensor], states: Sequence[Tensor]) -> tuple[Tensor, list]:
        """The cell's step in the form that is captured: flat lists in and out, padding frozen."""
        state = tuple(states) if self.nested else states[0]
        y, new = self.cell.step(xs[0], state)
        if self.mask is not None:
            new = each(lambda n, old: where(xs[1], n, old), new, state)
            y = where(xs[1], y, 0)
        return y, list(new) if self.nested else [new]

    def captured(self) -> Step:
        """The program of a step, captured on a copy of the cell: no hook hears of it, Tensors that
        were computed are leaves of the step like all others, and arrays are NumPy's."""
        here = lambda t: wrap(move(t._array, "cpu"), None)
        copied = lambda v: isinstance(getattr(v, "__self__", v), (Module, list, tuple, dict))
        others = {id(v): here(v) if isinstance(v, Tensor) else v
                  for v in self.held.all if not copied(v)}  # fmt: skip

        def run(rows: int, random: Callable) -> tuple:
            twin = copy.copy(self)
            twin.cell = copy.deepcopy(self.cell, dict(others))
            xs = [random(here(t)[0]) for t in self.inputs]
            states = [random(here(t)) for t in self.states]
            twin.cell.begin(rows, twin.cell.like(xs[0]))
            return xs, states, Held(twin.cell).tensors, twin.step

        with undone() as set_back:
            step = capture(run, self.xs.shape[1], self.wants)
            set_back()
        return step

    def run(self, kernel: Kernel) -> tuple[Tensor, Any]:
        step, steps = kernel.program.step, len(self.xs)
        xs = [x[::-1] for x in self.inputs] if self.reverse else self.inputs
        for i in step.xs[len(xs) : len(step.xs) - len(step.draws)]:  # the same at every step
            mask = self.held.tensors[i.params["held"]]._array
            xs = [*xs, wrap(self.xs.xp.broadcast_to(mask, (steps, *mask.shape)), None)]
        rows = [[draw()._array for draw in step.draws] for _ in range(steps if step.draws else 0)]
        drawn = [self.xs.xp.stack(column) for column in zip(*rows)]
        run = Run(kernel, Unrolled(self, len(drawn)))
        flat = run_scan(
            *xs, *[wrap(a, None) for a in drawn], *self.states, *self.held.tensors, run=run
        )
        y = unpack(flat, start=0, shape=(steps, *step.y.shape))
        at, new = y._array.size, []
        for s in self.states:
            new.append(unpack(flat, start=at, shape=s.shape))
            at += s._array.size
        return (y[::-1] if self.reverse else y), tuple(new) if self.nested else new[0]


class Unrolled:
    """The gradients of a compiled call as a graph: the cell's steps run again, on Tensors."""

    def __init__(self, call: Call, drawn: int):
        self.call, self.drawn = call, drawn
        self.then = [(m, dict(vars(m))) for m in call.held.modules]  # with masks drawn for it

    def __call__(self, inputs: Sequence[Tensor], g: Tensor) -> list[Any]:
        """What `g` sends to each input, differentiable once more."""
        first = len(inputs) - len(self.call.held.tensors)
        for mine, used in zip(self.call.held.tensors, inputs[first:]):
            if mine._array is not used._array or mine.node is not used.node:
                raise RuntimeError("create_graph: a parameter was changed since the forward pass")
        nodes = [leaf_of(t) for t in inputs]
        now = [(m, dict(vars(m))) for m in self.call.held.modules]
        try:
            for m, attributes in self.then:
                vars(m).update(attributes)
            found = again(lambda: self.forward(inputs[:first]), g, set(nodes))
        finally:
            for m, attributes in now:
                vars(m).clear()
                vars(m).update(attributes)
        return [found.pop(n, None) for n in nodes]  # a Tensor given twice has one share

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """The results of all steps in one vector."""
        steps, start = len(inputs[0]), len(inputs) - len(self.call.states)
        xs, states = inputs[: len(self.call.inputs)], inputs[start:]
        drawn = inputs[start - self.drawn : start]
        draws, ys = iter([x[t] for t in range(steps) for x in drawn]), []
        with mode(draw=lambda draw, kind: next(draws)):
            for t in range(steps):
                y, states = self.call.step([x[t] for x in xs], states)
                ys.append(y)
        return cat([part.reshape(-1) for part in (*ys, *states)], 0)
