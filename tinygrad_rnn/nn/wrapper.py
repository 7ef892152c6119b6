"""Pass on to the inner cell what a wrapper does not change; `zoneout` and `dropout` inherit it."""

from __future__ import annotations

from typing import Any

from ..engine.tensor import Tensor
from .cell import Cell, State


class Wrapper(Cell):
    """Base of cells that change what another cell does; override what changes.

    Parameters, gates, names and sizes are the inner cell's, so a wrapped cell loads the same
    state_dict. Wrappers can be wrapped.
    """

    def __init__(self, cell: Cell):
        if not isinstance(cell, Cell):
            raise TypeError(f"{type(self).__name__} wraps a cell, got {type(cell).__name__}")
        self.inner = cell

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "inner" not in vars(self):
            raise AttributeError(name)
        return getattr(self.inner, name)

    gate_names = property(lambda self: self.inner.gate_names)  # type: ignore[assignment]
    state_names = property(lambda self: self.inner.state_names)  # type: ignore[assignment]
    output_size = property(lambda self: self.inner.output_size)  # type: ignore[assignment]
    takes_context = property(lambda self: self.inner.takes_context)  # type: ignore[assignment]
    core = property(lambda self: self.inner.core)  # type: ignore[assignment]

    def named_tensors(self, prefix: str = "") -> Any:
        return self.inner.named_tensors(prefix)

    def start(self, batch: int, like: Tensor) -> State:
        return self.inner.start(batch, like)

    def begin(self, batch: int, like: Tensor) -> None:
        self.inner.begin(batch, like)

    def end(self) -> None:
        self.inner.end()

    def record(self, into: dict[str, list] | None) -> None:
        self.inner.record(into)

    def step(self, x: Tensor, state: State, *context: Any) -> tuple[Tensor, State]:
        return self.inner.step(x, state, *context)
