"""Loop over time: the only such loop in this package; `recurrent` and programs call it.

Padding is handled here, once for every cell: its input is replaced before the step and the state is
frozen after it, so nothing that stands in padding, NaN included, reaches a value or a gradient. The
reverse direction thereby begins at each sequence's own last step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..engine.context import scope
from ..engine.ops import where
from ..engine.tensor import Tensor
from ..functions.checkpoint import checkpoint
from ..functions.shapes import cat, stack, unbind
from .cell import Cell, State, map_state, parts_of
from .cell_trace import CellTrace
from .module import check_dtype, weight_of

Steps = Sequence[Tensor] | Tensor  # T Tensors (B, …), or one (T, B, …)


def scan(
    cell: Cell,
    xs: Steps,
    state: State,
    mask: Any = None,
    reverse: bool = False,
    run: CellTrace | None = None,
    context: Any = None,
) -> tuple[Steps, State]:
    """Return (outputs, last state) of the cell run over xs from a first state.

    mask (T, B), a NumPy array, is True on real steps: elsewhere the state stays, the output is 0.
    A `context` is handed to every step as it is.
    What stands in padding must be finite (see `clean`): 0 · NaN would spoil gradients of weights.
    """
    xs = unbind(xs, 0) if isinstance(xs, Tensor) else xs
    if not len(xs):
        return [], state
    check_dtype(cell, xs[0], weight_of(cell.core), whole=True)
    outputs, step = list(xs), stepper(cell, context)
    cell.begin(xs[0].shape[0], cell.like(xs[0]))
    cell.record(run.gate_steps if run else None)
    try:
        for t in range(len(xs))[:: -1 if reverse else 1]:
            with scope("step", step=t):
                if mask is None or mask[t].all():
                    outputs[t], state = step(xs[t], state)
                else:
                    outputs[t], state = masked_step(step, xs[t], state, mask[t])
                label(state, cell.state_names)
            if run is not None:
                run.add(outputs[t], state)
    finally:
        cell.record(None)
        cell.end()
    return outputs, state


class InPieces:
    """A loop cut into pieces of `every` steps, each computed again in the backward pass.

    Only the states between the pieces, and one piece's values, are in memory.
    """

    def __init__(self, loop: Callable, every: int):
        self.loop, self.every = loop, every

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "loop" not in vars(self):
            raise AttributeError(name)
        return getattr(self.loop, name)

    def __call__(
        self, cell: Cell, xs: Steps, state: State, mask: Any = None, reverse: bool = False,
        run: CellTrace | None = None, context: Any = None,
    ) -> tuple[Steps, State]:  # fmt: skip
        if run is not None or not isinstance(xs, Tensor) or len(xs) <= self.every:
            return self.loop(cell, xs, state, mask, reverse, run, context)
        nested, outputs = isinstance(state, tuple), []
        cuts = range(0, len(xs), self.every)
        for at in reversed(cuts) if reverse else cuts:
            part = slice(at, at + self.every)

            def piece(x: Tensor, *states: Tensor, part: slice = part) -> tuple[Tensor, ...]:
                first, real = states if nested else states[0], None if mask is None else mask[part]
                y, last = self.loop(cell, x, first, real, reverse, None, context)
                return (y if isinstance(y, Tensor) else stack(list(y), 0), *parts_of(last))

            y, *last = checkpoint(piece, xs[part], *parts_of(state))
            state = tuple(last) if nested else last[0]
            outputs.append(y)
        return cat(outputs[::-1] if reverse else outputs, 0), state


def stepper(cell: Cell, context: Any) -> Callable:
    """Return the cell's step as a function of input and state alone."""
    step: Callable = cell.step
    return step if context is None else lambda x, state: step(x, state, context)


def masked_step(step: Callable, x: Tensor, state: State, real: Any) -> tuple[Tensor, State]:
    """Return one step in which only rows where `real` (B,) is True move; the others output 0."""
    rows = lambda like: like.xp.asarray(real).reshape(-1, *(1,) * (like.ndim - 1))
    output, new = step(x, state)
    # the state too: with outputs alone masked, a bias moves h while it stands in padding;
    # where, since a mask times NaN is NaN
    new = map_state(lambda n, old: where(rows(n), n, old), new, state)
    return where(rows(output), output, 0), new


def label(state: State, names: tuple[str, ...]) -> None:
    """Name the state's Tensors for drawings and the microscope, unless they have a name."""
    for part, name in zip(parts_of(state), names):
        if part.node is not None and part.node.name is None:
            part.node.name = name


def per_step(function: Callable, *sequences: Steps) -> Steps:
    """Return the function step by step over lists, or at once over whole Tensors (T, B, …)."""
    if all(isinstance(s, Tensor) for s in sequences):
        return function(*sequences)
    return [function(*parts) for parts in zip(*sequences, strict=True)]


def clean(xs: Tensor, real: Any) -> Tensor:
    """Return xs with padding replaced by 0, so that nothing can be read from it."""
    if real is None or real.all():
        return xs
    # before the step: `where` after it gives a NaN in padding weight 0, and 0 · NaN is NaN
    return where(xs.xp.asarray(real).reshape(real.shape + (1,) * (xs.ndim - 2)), xs, 0)
