"""Keep every state and gate of every step for `trace=True`; `scan` and `recurrent` fill it."""

from __future__ import annotations

from typing import Any

from ..engine.tensor import Tensor
from ..functions.shapes import stack
from .cell import Cell, State, parts_of


class CellTrace:
    """One cell's run over time: `outputs`, `states[name]`, `gates[name]`, each (T, B, H)."""

    def __init__(self, label: str, layer: int, direction: int, cell: Cell):
        self.label, self.layer, self.direction, self.cell = label, layer, direction, cell
        self._steps: dict[str, list[Tensor]] = {}
        self.gate_steps: dict[str, list[Tensor]] = {}

    def add(self, output: Tensor, state: State) -> None:
        named = zip(("output", *self.cell.state_names), (output, *parts_of(state)), strict=False)
        for name, value in named:
            self._steps.setdefault(name, []).append(value)

    def close(self) -> CellTrace:
        """Return this run, stacked in the order of time."""
        order = -1 if self.direction else 1
        joined = lambda steps: {name: stack(parts[::order], 0) for name, parts in steps.items()}
        self.states, self.gates = joined(self._steps), joined(self.gate_steps)
        self.outputs = self.states.pop("output", None)
        return self


class Traced(tuple):
    """The pair (output, state) that also has every run: unpack it as always.

    `traced.h`, `traced.c` and `traced.gate("f")` are (T, B, H) of the last layer forward; name
    another with layer= and reverse=.
    """

    runs: list[CellTrace]

    def __new__(cls, output: Tensor, state: State, runs: list[CellTrace]) -> Traced:
        pair = super().__new__(cls, (output, state))
        pair.runs = runs
        return pair

    def run(self, layer: int = -1, reverse: bool = False) -> CellTrace:
        layer = layer % (self.runs[-1].layer + 1)
        for run in self.runs:
            if run.layer == layer and run.direction == int(reverse):
                return run
        raise KeyError(f"no run of layer {layer}, reverse={reverse}")

    def gate(self, name: str, layer: int = -1, reverse: bool = False) -> Tensor:
        return self.run(layer, reverse).gates[name]

    def states(self, name: str, layer: int = -1, reverse: bool = False) -> Tensor:
        return self.run(layer, reverse).states[name]

    @property
    def h(self) -> Tensor:
        return self.states("h")

    @property
    def c(self) -> Tensor:
        return self.states("c")

    @property
    def gates(self) -> dict[str, Any]:
        return self.run().gates
