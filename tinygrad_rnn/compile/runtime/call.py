"""Describe one call of a compiled loop and whether it needs a new kernel, for `compile.layer`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ...engine.arrays import move
from ...engine.context import is_grad_enabled
from ...engine.ops import where
from ...engine.tensor import Tensor, wrap
from ...functions.random import replayable
from ...nn.cell import map_state, parts_of
from ...nn.scan import scan
from ..capture_step import capture
from ..program import Step, Uncompilable
from .cuda_device import queue_of
from .fingerprint import CellFingerprint, kind_of, on_processor


class Call:
    """Describe one call of a scan: a cell, its Tensors, and the step to capture."""

    def __init__(
        self, held: CellFingerprint, xs: Tensor, state: Any, mask: Any, context: Any = None
    ):
        self.held, self.mask, self.state, self.grads = held, mask, state, is_grad_enabled()
        self.cell: Any = held.module
        self.nested = isinstance(state, tuple)
        self.states = parts_of(state)
        self.inputs = [xs]
        if mask is not None:
            real = xs.xp.ascontiguousarray(xs.xp.asarray(mask))
            self.inputs.append(wrap(real[..., None], None))
        self.moving = len(self.inputs)  # what follows is the same at every step
        self.context, self.shape = context, nesting(context)
        self.inputs += tensors_in(context)
        self.tensors = [*self.inputs, *self.states, *held.tensors]
        self.wants = [self.grads and t.requires_grad for t in self.tensors]
        if any(self.wants):  # later steps need the states' gradients even if the first's are not
            first = len(self.inputs)
            self.wants[first : first + len(self.states)] = [True] * len(self.states)

    def key(self) -> Any:
        """Return a key; calls with equal keys can use one kernel, for any number of steps. Its
        workspaces go from call to call without waiting for the device, so a GPU's streams have
        kernels of their own."""
        kind, dtype, shape = kind_of(self.inputs[0])
        more = [self.grads, queue_of(self.inputs[0]._array), *map(kind_of, self.states)]
        more += [self.shape, *map(kind_of, self.inputs[self.moving :])]
        return (self.held.key, self.mask is None, kind, dtype, shape[1:], *more, *self.wants)

    def step(self, xs: Sequence[Tensor], states: Sequence[Tensor]) -> tuple[Tensor, list]:
        """Return the cell's step in the form that is captured: flat lists in and out, padding
        frozen."""
        state = tuple(states) if self.nested else states[0]
        more = () if self.context is None else (nested(self.shape, iter(xs[self.moving :])),)
        y, new = self.cell.step(xs[0], state, *more)
        if not self.held.unchanged():
            raise Uncompilable("the step changes what the cell holds")
        if self.mask is not None:
            new = map_state(lambda n, old: where(xs[1], n, old), new, state)
            y = where(xs[1], y, 0)
        return y, list(parts_of(new))

    def captured(self) -> Step:
        """Return the program of a step, captured on a copy of the cell."""

        def run(rows: int, random: Callable) -> tuple:
            twin = copy.copy(self)
            twin.cell = self.held.copied()
            xs = [random(on_processor(t)[0]) for t in self.inputs[: self.moving]]
            xs += [random(on_processor(t)) for t in self.inputs[self.moving :]]
            states = [random(on_processor(t)) for t in self.states]
            twin.cell.begin(rows, twin.cell.like(xs[0]))
            twin.held = CellFingerprint(twin.cell)
            return xs, states, twin.held.tensors, twin.step

        with replayable() as set_back:
            step = capture(run, self.inputs[0].shape[1], self.wants)
            set_back()
        for i in step.xs[self.moving : len(step.xs) - len(step.draws)]:
            i.params["still"] = True
        return step

    def arrays(self, step: Step) -> list[Any]:
        """Return the arrays that a run of the step is given: all inputs over time, and random
        draws, made on the processor, where they were captured."""
        given, steps = [t._array for t in self.inputs], len(self.inputs[0])
        for k in range(self.moving, len(given)):
            given[k] = np.broadcast_to(given[k], (steps, *given[k].shape))
        for i in step.xs[len(given) : len(step.xs) - len(step.draws)]:  # the same at every step
            mask = self.held.tensors[i.params["held"]]._array
            given.append(np.broadcast_to(mask, (steps, *mask.shape)))
        rows = [[draw()._array for draw in step.draws] for _ in range(steps if step.draws else 0)]
        return given + [move(np.stack(column), self.inputs[0].device) for column in zip(*rows)]

    def unrolled(self) -> tuple[Tensor, ...]:
        """Return the outputs and last states from the plain loop."""
        outputs, last = scan(self.cell, self.inputs[0], self.state, self.mask, context=self.context)
        return (*outputs, *parts_of(last))


def tensors_in(context: Any) -> list[Tensor]:
    """Return the Tensors of a context: of one, or of tuples within tuples."""
    if isinstance(context, Tensor):
        return [context]
    return [t for part in context or () for t in tensors_in(part)]


def is_plain(context: Any) -> bool:
    """Return True if a context is nothing, a Tensor, or a tuple of such."""
    if isinstance(context, tuple):
        return all(map(is_plain, context))
    return context is None or isinstance(context, Tensor)


def nesting(context: Any) -> Any:
    """Describe a context without its Tensors: (kind of tuple, …) for a tuple, True for a Tensor."""
    if isinstance(context, tuple):
        return (type(context), *map(nesting, context))
    return context is not None


def nested(shape: Any, tensors: Iterator[Tensor]) -> Any:
    """Return the context of that nesting with other Tensors."""
    if not isinstance(shape, tuple):
        return next(tensors) if shape else None
    kind, *inner = shape
    parts = [nested(one, tensors) for one in inner]
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)
