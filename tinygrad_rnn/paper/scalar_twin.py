"""Take a small cell apart into single numbers, each a Tensor of its own, for programs.

The instructions of one captured step run on arrays of such Tensors. So the twin computes what the
cell does, and its graph shows each number that a matrix product hides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..compile.program import Instr, Rows, execute
from ..engine.arrays import to_numpy
from ..engine.context import scope
from ..engine.primitive import PRIMITIVES, apply_primitive
from ..engine.tensor import Tensor, tensor
from ..nn.cell import Cell, parts_of
from .captured_cell import CapturedCell

LARGEST = 3  # units, and inputs: a picture of more cannot be read
MOVES = ("transpose", "getitem", "concatenate", "stack", "reshape", "broadcast_to", "matmul", "sum")


@dataclass
class ScalarTwin:
    """A cell over some steps in single numbers: arrays whose entries are Tensors without axes."""

    inputs: np.ndarray  # (T, B, I)
    states: tuple[np.ndarray, ...]  # the first state
    parameters: dict[str, np.ndarray]
    outputs: np.ndarray  # (T, B, H)
    last: tuple[np.ndarray, ...]

    def gradient(self, of: np.ndarray) -> np.ndarray:
        """Return the gradients that arrived at an array of Tensors, 0 where none did."""
        number = lambda t: 0.0 if t.grad is None else t.grad.item()
        return np.array([number(t) for t in of.reshape(-1)]).reshape(of.shape)


def scalar_twin(cell: Cell, x: Any, state: Any = None) -> ScalarTwin:
    """Return a cell of at most 3 units run over x of (T, B, I), in single numbers.

    The parameters' entries have gradients; those of x and the state do if x is a Tensor that does.

    >>> twin = scalar_twin(nn.RNNCell(1, 2, bias="single", seed=0), np.ones((3, 1, 1)))
    >>> twin.outputs.shape, twin.outputs[0, 0, 0].shape, sorted(twin.parameters)
    ((3, 1, 2), (), ['bias_ih', 'weight_hh', 'weight_ih'])
    >>> (twin.outputs[-1] ** 2).sum().backward()
    >>> twin.gradient(twin.parameters["weight_hh"]).shape
    (2, 2)
    """
    asked = isinstance(x, Tensor) and x.requires_grad
    x = to_numpy(x) if isinstance(x, Tensor) else np.asarray(x)
    paper = CapturedCell(cell)
    wide = max(i.width for i in (*paper.step.xs, *paper.step.states))
    if wide > LARGEST:
        raise ValueError(
            f"scalar_twin: at most {LARGEST} inputs and units can be drawn, not {wide}"
        )
    if x.ndim != 3 or x.shape[2] != paper.step.xs[0].width:
        raise ValueError(f"scalar_twin: x has (T, B, I) with I = {paper.step.xs[0].width}, "
                         f"not {x.shape}")  # fmt: skip
    if state is None:
        state = cell.start(x.shape[1], tensor(x[0]))
    known: dict[Instr, Any] = {}
    for i, name in paper.parameters.items():
        known[i] = exploded(paper.call.held.tensors[i.params["number"]], name, True)
    first = tuple(exploded(s, f"{n}⟨0⟩", asked) for s, n in zip(parts_of(state), paper.states))
    inputs = np.stack([exploded(row, f"x⟨{t}⟩", asked) for t, row in enumerate(x, 1)])
    outputs, last = _run(paper, known, inputs, first)
    parameters = {paper.parameters[i]: known[i] for i in paper.parameters}
    return ScalarTwin(inputs, first, parameters, outputs, last)


def _run(paper: CapturedCell, known: dict, xs: np.ndarray, state: tuple) -> tuple:
    """Run the captured step over time; return all outputs and the last state."""
    order = [i for i in paper.order if i in paper.forward]
    outputs = []
    for t, x in enumerate(xs):
        values = known | {paper.step.xs[0]: x} | dict(zip(paper.step.states, state))
        for i in order:
            if i not in values:
                with scope("step", step=t), scope(i.gate, **({"gate": i.gate} if i.gate else {})):
                    args = [values[a] for a in i.args]
                    values[i] = applied(i, args, len(x)) if i.args else i.value
        outputs.append(values[paper.step.y])
        state = tuple(values[i] for i in paper.step.news)
    return np.stack(outputs), state


def applied(i: Instr, args: list, rows: int) -> Any:
    """Return an instruction's result on arrays of Tensors: entries moved, or each computed."""
    params = {k: _sized(v, rows) for k, v in i.params.items()}
    if i.op == "matmul":
        return product(*args)
    if i.op in MOVES:
        return execute(i.op, args, params)
    op = PRIMITIVES[i.op]
    one: Callable = lambda *entries: apply_primitive(op, entries, params)
    return np.frompyfunc(one, len(args), 1)(*args)


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a matrix product of Tensors; it begins with its first term, not with 0."""
    terms = [a[..., :, k, None] * b[..., k, None, :] for k in range(a.shape[-1])]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _sized(value: Any, rows: int) -> Any:
    if isinstance(value, tuple):
        return tuple(_sized(v, rows) for v in value)
    return value.times * rows if isinstance(value, Rows) else value


def exploded(array: Any, name: str, requires_grad: bool) -> np.ndarray:
    """Return an array whose entries are Tensors, named by their place: W[1,2], counted from 1."""
    array = to_numpy(array) if isinstance(array, Tensor) else np.asarray(array)
    made = np.empty(array.shape, object)
    for at in np.ndindex(array.shape):
        place = ",".join(str(k + 1) for k in at)
        label = f"{name}[{place}]" if place else name
        made[at] = tensor(array[at], requires_grad=requires_grad, name=label)
    return made
