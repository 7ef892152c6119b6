"""`compile(layer)`: the layer's loop over time, exchanged for a compiled one.

A `CompiledScan` stands in for `nn.recurrent.scan`. For each new combination of shapes, dtypes and
wanted gradients it captures the cell's step, optimises it and emits loops; what it cannot compile
it says once and runs unrolled. Parameters are read at every call.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..autodiff import grad
from ..backend import move
from ..calculus import checkpoint
from ..nn.cell import Cell, each
from ..nn.module import Module
from ..nn.recurrent import Recurrent
from ..nn.scan import scan
from ..ops import clone, where
from ..shapes import cat
from ..tensor import Tensor, is_grad_enabled, wrap
from . import emit_c, emit_cuda, emit_numpy
from .capture import capture
from .drawing import dot
from .draws import drawn_for, intercepted, undone
from .ir import Step, Uncompilable
from .passes import PASSES, optimise
from .phases import PHASES
from .program import Program
from .rows import PRODUCTS
from .scan import Kernel, Run, run_scan, unpack

KEPT_KERNELS = 16
EMITTERS: dict[str, Any] = {"c": emit_c, "numpy": emit_numpy, "cuda": emit_cuda}


def compile(layer: Any, backend: str = "auto", *, without: Sequence[str] = (),
            threads: int | None = None, checkpoint_every: int = 0) -> Any:  # fmt: skip
    """The layer with its loop over time compiled; a cell becomes a layer of that one cell.

    The result shares the layer's parameters and is called like it. `backend` is "auto" (C if there
    is a compiler, else NumPy), "c", "numpy" or "cuda"; `without` names passes to leave out. What
    cannot be compiled runs unrolled after a warning that says why. `checkpoint_every=k` keeps the
    values of k steps and computes the others again: memory for T/k + k steps instead of T.
    """
    layer = Recurrent(layer) if isinstance(layer, Cell) else layer
    if not isinstance(layer, Recurrent):
        raise TypeError(f"compile takes a recurrent layer or a cell, not {type(layer).__name__}")
    if backend != "auto" and backend not in EMITTERS:
        raise ValueError(f"backend must be auto, {', '.join(EMITTERS)}; got {backend!r}")
    unknown = set(without) - {*PASSES, "fuse", "plan"}
    if unknown:
        raise ValueError(f"no pass {sorted(unknown)}; there are {', '.join(PASSES)}, fuse, plan")
    fast = copy.copy(layer)
    fast.__class__ = type(type(layer).__name__, (type(layer),), {"training": SHARED})
    vars(fast).pop("training", None)
    fast._plain = layer
    fast.scan = CompiledScan(backend, without, threads, checkpoint_every)
    fast.source = fast.scan.source
    fast.explain = fast.scan.explain
    fast.drawing = fast.scan.drawing
    return fast


# train() and eval() of the layer and of its compiled twin mean both
SHARED = property(
    lambda self: self._plain.training,
    lambda self, value: setattr(self._plain, "training", value),
)


class NotCompiled(UserWarning):
    """A layer runs unrolled; the message says why."""


class CompiledScan:
    """`scan(cell, xs, state, mask, reverse)` with the loop compiled for each new shape."""

    def __init__(self, backend: str = "auto", without: Sequence[str] = (),
                 threads: int | None = None, checkpoint_every: int = 0):  # fmt: skip
        self.backend, self.without, self.threads = backend, tuple(without), threads
        self.every = checkpoint_every
        self.kernels: OrderedDict[Any, Kernel | Uncompilable] = OrderedDict()
        self.notes: list[str] = []

    def __call__(self, cell: Cell, xs: Any, state: Any, mask: Any = None, reverse: bool = False,
                 run: Any = None) -> tuple[Any, Any]:  # fmt: skip
        unfit = run is not None or not isinstance(xs, Tensor) or not len(xs)
        if unfit or xs.dtype.kind != "f":
            if not unfit:
                self.note("inputs of whole numbers (look-ups) run unrolled, not compiled")
            return scan(cell, xs, state, mask, reverse, run)
        if self.every and len(xs) > self.every:
            return self._in_pieces(cell, xs, state, mask, reverse)
        with undone() as set_back:
            cell.begin(xs.shape[1], cell.like(xs))
            try:
                call = _Call(cell, xs, state, mask, reverse)
                kernel = self.kernel(call)
                if not isinstance(kernel, Uncompilable):
                    return call.run(kernel)
            finally:
                cell.end()
            set_back()
        return scan(cell, xs, state, mask, reverse)

    def _in_pieces(self, cell: Cell, xs: Tensor, state: Any, mask: Any, reverse: bool) -> tuple:
        """The run cut into pieces, each computed again in the backward pass: only the states
        between the pieces, and one piece's values, are in memory."""
        cuts = range(0, len(xs), self.every)
        outputs, nested = [], isinstance(state, tuple)
        for at in reversed(cuts) if reverse else cuts:
            part = slice(at, at + self.every)
            real = None if mask is None else mask[part]

            def piece(x: Tensor, *states: Tensor, real: Any = real) -> tuple[Tensor, ...]:
                first = states if nested else states[0]
                y, last = self(cell, x, first, real, reverse)
                return (y, *last) if nested else (y, last)

            y, *last = checkpoint(piece, xs[part], *(state if nested else [state]))
            state = tuple(last) if nested else last[0]
            outputs.append(y)
        return cat(outputs[::-1] if reverse else outputs, 0), state

    def kernel(self, call: _Call) -> Kernel | Uncompilable:
        """The kernel for a call's shapes, made now if it is new; the oldest one goes."""
        key = call.key()
        if key not in self.kernels:
            self.kernels[key] = self._compiled(call)
            if len(self.kernels) > KEPT_KERNELS:
                self.kernels.popitem(last=False)
        self.kernels.move_to_end(key)
        return self.kernels[key]

    def _compiled(self, call: _Call) -> Kernel | Uncompilable:
        began = time.perf_counter()
        try:
            step = call.captured()
            step, history = optimise(step, self.without)
            loops = self._emitted(step, call.xs.device)
        except Uncompilable as reason:
            self.note(f"{type(call.cell).__name__} runs unrolled, not compiled: {reason}")
            return reason
        seconds = time.perf_counter() - began
        return Kernel(loops.program, loops, Unrolled(call), history, seconds)

    def _emitted(self, step: Step, device: str) -> Any:
        """The loops of the first emitter that can make them; what another could not is noted."""
        names = ["c", "numpy"] if self.backend in ("auto", "c") else [self.backend]
        names = ["cuda"] if device == "cuda" and self.backend == "auto" else names
        if (names[0] == "cuda") != (device == "cuda"):
            raise Uncompilable(f"the arrays are on {device!r}, the loops for {self.backend}")
        for name in names:
            emitter = EMITTERS[name]
            try:
                ready, hoist = emitter.prepare(step), "hoist" not in self.without
                program = Program(ready, emitter.light, hoist, emitter.follows)
                return emitter.Loops(program, self.threads)
            except Uncompilable as reason:
                if name == names[-1]:
                    raise
                self.note(f"NumPy loops instead of C: {reason}", aloud=self.backend != "auto")
        raise AssertionError("an emitter returns or raises")

    def note(self, message: str, aloud: bool = True) -> None:
        """Remembers why something is not as fast as asked; says it once."""
        if message not in self.notes:
            self.notes.append(message)
            if aloud:
                warnings.warn(message, NotCompiled, stacklevel=7)

    def source(self) -> str:
        """The generated code of the latest kernel."""
        return self._latest().loops.source()

    def explain(self) -> str:
        """What each pass did, what runs when, and what was not compiled and why."""
        found = [k for k in self.kernels.values() if isinstance(k, Kernel)]
        return (
            "\n".join([*(report(k) for k in found[-1:]), *self.notes]) or "nothing was called yet"
        )

    def drawing(self, after: str = "defer") -> str:
        """DOT text of the program as it was after a pass ("captured" for before all of them)."""
        return dot(dict(self._latest().history)[after], after)

    def _latest(self) -> Kernel:
        found = [k for k in self.kernels.values() if isinstance(k, Kernel)]
        if not found:
            raise RuntimeError("nothing is compiled yet: call the layer once")
        return found[-1]


class _Call:
    """What one call of a scan is about: a cell, its Tensors, and the step to capture."""

    def __init__(self, cell: Cell, xs: Tensor, state: Any, mask: Any, reverse: bool):
        self.cell, self.xs, self.reverse, self.mask = cell, xs, reverse, mask
        self.nested = isinstance(state, tuple)
        self.states: list[Tensor] = list(state) if self.nested else [state]
        self.params, self.options = held_by(cell)
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
            return capture(self.step, inputs[: self.count], self.states, self.params, self.wants)
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

    def step(self, xs: Sequence[Tensor], states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step in the form that is captured: flat lists in and out."""
        state = tuple(states) if self.nested else states[0]
        if self.mask is None:
            y, new = self.cell.step(xs[0], state)
        else:
            y, new = self.cell.step(xs[0], state)
            new = each(lambda n, old: where(xs[1], n, old), new, state)
            y = where(xs[1], y, 0)
        return y, list(new) if self.nested else [new]

    def run(self, kernel: Kernel) -> tuple[Tensor, Any]:
        xs = [self.xs]
        if self.mask is not None:
            xs.append(wrap(self._mask_column(self.mask), None))
        if self.reverse:
            xs = [x[::-1] for x in xs]
        xs += [
            wrap(a, None) for a in drawn_for(kernel.program.step.draws, len(self.xs), self.xs.xp)
        ]
        flat = run_scan(*xs, *self.states, *self.params, run=Run(kernel))
        y = unpack(flat, start=0, shape=(len(self.xs), *kernel.program.step.y.shape))
        at, new = y._array.size, []
        for s in self.states:
            new.append(unpack(flat, start=at, shape=s.shape))
            at += s._array.size
        return (y[::-1] if self.reverse else y), tuple(new) if self.nested else new[0]


class Unrolled:
    """The gradients of a compiled call as a graph: the cell's steps run again, on Tensors."""

    def __init__(self, call: _Call):
        self.step, self.params, self.count = call.step, call.params, call.count
        self.states = len(call.states)

    def __call__(self, inputs: Sequence[Any], g: Tensor) -> list[Any]:
        """What `g` sends to each input, differentiable once more."""
        for mine, used in zip(self.params, inputs[len(inputs) - len(self.params) :]):
            if mine._array is not getattr(used, "_array", used):
                raise RuntimeError("create_graph: a parameter was changed since the forward pass")
        ins = [clone(t) if isinstance(t, Tensor) else wrap(t, None) for t in inputs]
        params = ins[len(ins) - len(self.params) :]
        first = len(ins) - len(params) - self.states
        with exchanged(self.params, params):
            flat = self.forward(ins[:first], ins[first : first + self.states])
        asked = [t for t in ins if t.requires_grad]
        found = dict(
            zip(map(id, asked), grad(flat, asked, g, create_graph=True, allow_unused=True))
        )
        return [found.get(id(t)) for t in ins]

    def forward(self, xs: list[Tensor], states: list[Tensor]) -> Tensor:
        ys = []
        for t in range(len(xs[0])):
            drawn = iter([x[t] for x in xs[self.count :]])
            with intercepted(lambda draw, make: next(drawn)):  # noqa: B023 - used within the step
                y, states = self.step([x[t] for x in xs[: self.count]], states)
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


def report(kernel: Kernel) -> str:
    """Instructions and matrix products after each pass, and where they run."""
    lines = [f"compiled in {kernel.seconds * 1e3:.0f} ms for {kernel.loops.name}"]
    for name, step in kernel.history:
        order = [i for i in step.order() if i.args]
        products = sum(i.op in PRODUCTS for i in order)
        lines.append(f"  {name:10s}{len(order):4d} instructions, {products} products")
    p = kernel.program
    for name in PHASES:
        ops = [i.op for i in p.order if i.args and p.phase[i] == name]
        products = sum(op in PRODUCTS for op in ops)
        lines.append(f"  {name:10s}{len(ops):4d} of them, {products} products")
    return "\n".join(lines)


PLAIN = (int, float, str, bool, type(None))


def held_by(cell: Any) -> tuple[list[Tensor], list[Any]]:
    """Every Tensor a cell holds, drawn masks and frozen parameters too, each once; and its
    options."""
    tensors: dict[int, Tensor] = {}
    options: list[Any] = []
    stack = [cell]
    while stack:
        held = stack.pop()
        inside = vars(held) if isinstance(held, Module) else held
        for value in inside.values() if isinstance(inside, dict) else inside:
            if isinstance(value, PLAIN):
                options.append(value)
            elif isinstance(value, Tensor):
                tensors[id(value)] = value
            elif isinstance(value, (Module, list, tuple, dict)):
                stack.append(value)
    return list(tensors.values()), options
