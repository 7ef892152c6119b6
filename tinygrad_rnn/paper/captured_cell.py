"""Capture one step of a cell and name what gets a letter, for `equations` and `numpy_script`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..compile.passes import defer, gather, share
from ..compile.program import Instr, Step
from ..compile.runtime.call import Call
from ..compile.runtime.fingerprint import CellFingerprint
from ..draw.labels import GATES
from ..engine.tensor import Tensor, tensor
from ..nn.cell import Cell, parts_of

VIEWS = ("transpose", "getitem", "broadcast_to", "reshape")  # written where they are read


class CapturedCell:
    """One step of a cell, forward and backward; `letters` names parameters, states and gates.

    `states` are the letters of the state: by default a and c of two, of one c if an update gate
    writes it, as the notes call it, else a.
    """

    def __init__(self, cell: Cell, states: Sequence[str] = ()):
        given = [t for t in vars(cell).values() if isinstance(t, Tensor)]
        dtype = next((t.dtype for t in given if t.dtype.kind == "f"), np.dtype(np.float32))
        xs = tensor(np.zeros((1, 2, cell.input_size), dtype), requires_grad=True)  # type: ignore[attr-defined]
        state = cell.start(2, xs[0])
        call = Call(CellFingerprint(cell), xs, state, None)
        self.cell, self.call = cell, call
        self.step: Step = share(defer(gather(share(call.captured()))))
        self.order, self.forward = self.step.order(), self.step.forward()
        self.states = tuple(states) or usual_letters(cell, len(parts_of(state)))
        if len(self.states) != len(self.step.states):
            count = len(self.step.states)
            raise ValueError(f"states: {count} letters are needed, as the state has so many parts; "
                             f"got {self.states!r}")  # fmt: skip
        known = {id(t): name for name, t in cell.named_tensors()}
        held = [known.get(id(t), f"held_{k}") for k, t in enumerate(call.held.tensors)]
        self.parameters = {i: held[i.params["number"]] for i in self.step.params}
        self.gates = self._gates()

    def _gates(self) -> dict[Instr, str]:
        """Return the value of each gate by its letter: Γu, c̃."""
        last = {i.gate: i for i in self.order if i.gate and i in self.forward and i.args}
        return {i: GATES[gate] for gate, i in last.items() if gate in GATES}

    def shared(self, among: Iterable[Instr]) -> list[Instr]:
        """Return what deserves a line: gates, results, and what is read more than once."""
        among = [i for i in among if i.args]
        uses = Counter(a for i in among for a in set(i.args))
        worth = {self.step.y, *self.step.news, *self.gates}
        worth |= {i for i, count in uses.items() if count > 1 and not self.is_joined(i)}
        return [i for i in among if i in worth and i.op not in VIEWS]

    def is_joined(self, i: Instr) -> bool:
        """Return True for [a, x], inputs side by side, which has no letter."""
        return i.op == "concatenate" and all(not a.args for a in i.args)


def usual_letters(cell: Any, count: int) -> tuple[str, ...]:
    """Return the notes' letters of a state of so many parts."""
    if count > 2:
        return tuple(f"s_{k}" for k in range(count))
    writes = getattr(cell, "update", "") == "writes"
    return ("a", "c") if count == 2 else ("c",) if writes else ("a",)


def index_text(index: Any) -> str:
    """Return an index as it is written between brackets."""
    if isinstance(index, tuple):
        return ", ".join(map(index_text, index))
    if isinstance(index, slice):
        ends = ["" if v is None else str(v) for v in (index.start, index.stop, index.step)]
        return ":".join(ends[: 2 + bool(ends[2])])
    return "..." if index is Ellipsis else str(index)


def python_name(letter: str) -> str:
    """Return a letter of the book as a name in Python: Γu is Γ_u, c̃ stays."""
    return re.sub(r"\.", "_", letter.replace("Γ", "Γ_"))
