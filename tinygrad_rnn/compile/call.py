"""One call of a compiled loop: what it is about, when it needs a new kernel, its unrolled twin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..autodiff import grad
from ..backend import move
from ..nn.cell import Cell, each
from ..nn.module import Module
from ..ops import clone, where
from ..shapes import cat
from ..tensor import Tensor, is_grad_enabled, wrap
from .capture import capture
from .draws import drawn_for, intercepted
from .ir import Step
from .lookups import looked_up
from .scan import Kernel, Run, run_scan, unpack

PLAIN = (int, float, str, bool, type(None))


class Stepper:
    """A cell's step in the form that is captured: flat lists in and out, padding frozen.

    It holds on to what the step depends on besides Tensors (functions, say), so that a key made of
    their identities stays true.
    """

    def __init__(self, cell: Cell, nested: bool, masked: bool, others: list[Any]):
        self.cell, self.nested, self.masked, self.others = cell, nested, masked, others

    def __call__(self, xs: Sequence[Tensor], states: Sequence[Tensor]) -> tuple[Tensor, list]:
        state = tuple(states) if self.nested else states[0]
        y, new = self.cell.step(xs[0], state)
        if self.masked:
            new = each(lambda n, old: where(xs[1], n, old), new, state)
            y = where(xs[1], y, 0)
        return y, list(new) if self.nested else [new]


class Call:
    """What one call of a scan is about: a cell, its Tensors, and the step to capture."""

    def __init__(self, cell: Cell, xs: Tensor, state: Any, mask: Any, reverse: bool):
        self.cell, self.xs, self.reverse, self.mask = cell, xs, reverse, mask
        self.nested = isinstance(state, tuple)
        self.states: list[Tensor] = list(state) if self.nested else [state]
        self.params, self.options, self.others, self.modules = held_by(cell)
        self.stepper = Stepper(cell, self.nested, mask is not None, self.others)
        if is_grad_enabled():
            wanted = [t.node is not None and t.node.needs for t in self.params]
            wanted_x = [xs.requires_grad] + [False] * (mask is not None)
            anything = any(wanted) or any(wanted_x) or any(t.requires_grad for t in self.states)
            # later steps need the states' gradients even if the first state's is not asked for
            self.wants = [*wanted_x, *[anything] * len(self.states), *wanted]
        else:
            self.wants = [False] * (1 + (mask is not None) + len(self.states) + len(self.params))

    def key(self) -> Any:
        """Equal keys can use the same kernel."""
        arrays = [t._array for t in self.states] + [t._array for t in self.params]
        shapes = [(a.shape, a.dtype.num) for a in arrays]
        x = self.xs._array
        kind = (type(x), x.shape[1:], x.dtype.num, self.mask is None)
        return (id(self.cell), *kind, *self.options, *shapes, *self.wants)

    def captured(self) -> Step:
        """The program of a step, captured with NumPy's arrays wherever the cell's are."""
        inputs = [*self.first_xs(), *self.states, *self.params]
        there = [t._array for t in inputs]
        try:
            for t in inputs:
                t._array = move(t._array, "cpu")
            return capture(self.stepper, inputs[: self.count], self.states, self.params, self.wants)
        finally:
            for t, array in zip(inputs, there):
                t._array = array

    @property
    def count(self) -> int:
        """Inputs of a step: x, and the mask if there is one."""
        return 1 + (self.mask is not None)

    def first_xs(self) -> list[Tensor]:
        first = [wrap(self.xs._array[0], None)]
        if self.mask is not None:
            first.append(wrap(self._mask_column(self.mask[:1])[0], None))
        return first

    def _mask_column(self, mask: Any) -> Any:
        return self.xs.xp.ascontiguousarray(self.xs.xp.asarray(mask))[..., None]

    def run(self, kernel: Kernel) -> tuple[Tensor, Any]:
        xs = [self.xs]
        if self.mask is not None:
            xs.append(wrap(self._mask_column(self.mask), None))
        if self.reverse:
            xs = [x[::-1] for x in xs]
        draws, lookups = kernel.program.step.extras
        looked = looked_up(lookups, xs[0], self.params)
        xs += [wrap(a, None) for a in drawn_for(draws, len(self.xs), self.xs.xp)] + looked
        run = Run(kernel, Unrolled(self))
        flat = run_scan(*xs, *self.states, *self.params, run=run)
        y = unpack(flat, start=0, shape=(len(self.xs), *kernel.program.step.y.shape))
        at, new = y._array.size, []
        for s in self.states:
            new.append(unpack(flat, start=at, shape=s.shape))
            at += s._array.size
        return (y[::-1] if self.reverse else y), tuple(new) if self.nested else new[0]


class Unrolled:
    """The gradients of a compiled call as a graph: the cell's steps run again, on Tensors."""

    def __init__(self, call: Call):
        self.stepper, self.params, self.count = call.stepper, call.params, call.count
        self.states = len(call.states)
        self.modules = [(m, dict(vars(m))) for m in call.modules]  # with masks drawn for the call

    def __call__(self, inputs: Sequence[Any], g: Tensor) -> list[Any]:
        """What `g` sends to each input, differentiable once more."""
        for mine, used in zip(self.params, inputs[len(inputs) - len(self.params) :]):
            if mine._array is not getattr(used, "_array", used):
                raise RuntimeError("create_graph: a parameter was changed since the forward pass")
        ins = [clone(t) if isinstance(t, Tensor) else wrap(t, None) for t in inputs]
        params = ins[len(ins) - len(self.params) :]
        first = len(ins) - len(params) - self.states
        with exchanged(self.params, params), as_they_were(self.modules):
            flat = self.forward(ins[:first], ins[first : first + self.states])
        asked = [t for t in ins if t.requires_grad]
        found = grad(flat, asked, g, create_graph=True, allow_unused=True)
        gradients = {id(t): share for t, share in zip(asked, found)}
        return [gradients.get(id(t)) for t in ins]

    def forward(self, xs: list[Tensor], states: list[Tensor]) -> Tensor:
        ys = []
        for t in range(len(xs[0])):
            drawn = iter([x[t] for x in xs[self.count :]])
            with intercepted(lambda draw, make: next(drawn)):  # noqa: B023 - used within the step
                y, states = self.stepper([x[t] for x in xs[: self.count]], states)
            ys.append(y)
        return cat([part.reshape(-1) for part in (*ys, *states)], 0)


@contextmanager
def exchanged(own: Sequence[Tensor], others: Sequence[Tensor]) -> Iterator[None]:
    """Within the block the parameters `own` stand at the place of `others` in the graph."""
    nodes = [t.node for t in own]
    try:
        for mine, other in zip(own, others):
            mine.node = other.node
        yield
    finally:
        for mine, node in zip(own, nodes):
            mine.node = node


@contextmanager
def as_they_were(modules: list[tuple[Module, dict]]) -> Iterator[None]:
    """Within the block the modules have the attributes they had when the snapshot was taken."""
    now = [dict(vars(m)) for m, _ in modules]
    try:
        for m, then in modules:
            vars(m).update(then)
        yield
    finally:
        for (m, _), attributes in zip(modules, now):
            vars(m).update(attributes)


def held_by(cell: Any) -> tuple[list[Tensor], list[Any], list[Any], list[Module]]:
    """What a cell holds: every Tensor once (drawn masks and frozen parameters too), its options,
    other objects (functions, …; the options have their identity), and the modules it is made of."""
    tensors: dict[int, Tensor] = {}
    options: list[Any] = []
    others: list[Any] = []
    modules: list[Module] = []
    stack = [cell]
    while stack:
        held = stack.pop()
        inside = held
        if isinstance(held, Module):
            modules.append(held)
            inside = vars(held)
        for value in inside.values() if isinstance(inside, dict) else inside:
            if isinstance(value, PLAIN):
                options.append(value)
            elif isinstance(value, Tensor):
                tensors[id(value)] = value
            elif isinstance(value, (Module, list, tuple, dict)):
                stack.append(value)
            else:
                options.append(id(value))
                others.append(value)
    return list(tensors.values()), options, others, modules
