"""Hide units from a cell by one mask for a whole sequence; `stacking` wraps cells in it."""

from __future__ import annotations

from typing import Any

from ..engine.options import probability
from ..engine.tensor import Tensor
from ..functions.losses import dropout
from ..functions.random import Generator
from ..init import seeded
from .cell import Cell, State
from .gates import Gated
from .wrapper import Wrapper


class VariationalDropout(Wrapper):
    """Any cell with units of its input and of the h that its gates see dropped while training.

    Masks are drawn before the first step of a sequence and stay for all of it; a cell that is
    stepped by hand, without `begin`, gets new ones in every step. What a gate keeps is never
    dropped: a GRU's z ∘ h is of the whole h.

    >>> cell = VariationalDropout(nn.LSTMCell(3, 4), input=0.2, recurrent=0.5)
    >>> layer = nn.Recurrent(cell)  # or nn.LSTM(3, 4, input_dropout=0.2, recurrent_dropout=0.5)
    """

    def __init__(
        self,
        cell: Cell,
        input: float = 0.0,
        recurrent: float = 0.0,
        *,
        seed: int | Generator | None = None,
    ):
        super().__init__(cell)
        self.input = probability(self, "input", input)
        self.recurrent = probability(self, "recurrent", recurrent)
        if self.recurrent and not isinstance(cell.core, Gated):
            kind = type(cell.core).__name__
            raise TypeError(f"recurrent dropout hides h from gates, and {kind} is no Gated cell")
        self.generator = seeded(self, seed)
        self._drawn = False
        self._mask: Tensor | None = None

    def begin(self, batch: int, like: Tensor) -> None:
        if self.training:
            self._draw(batch, like)
        super().begin(batch, like)

    def end(self) -> None:
        self._drawn = False
        self._mask = None
        if self.recurrent:
            self.core._mask = None
        super().end()

    def step(self, x: Tensor, state: State, *context: Any) -> tuple[Tensor, State]:
        if not self.training:
            return super().step(x, state, *context)
        if not self._drawn:
            return self._step_alone(x, state, *context)
        return super().step(self._hidden(x), state, *context)

    def _hidden(self, x: Tensor) -> Tensor:
        if self._mask is None:
            return x
        if x.dtype.kind != "f":
            raise TypeError("whole numbers have no units to drop: embed them and drop of that")
        return x * self._mask

    def _step_alone(self, x: Tensor, state: State, *context: Any) -> tuple[Tensor, State]:
        self.begin(x.shape[0], self.like(x))
        try:
            return self.step(x, state, *context)
        finally:
            self.end()

    def _draw(self, batch: int, like: Tensor) -> None:
        ones = lambda size: self.blank(batch, size, like) + 1
        draw = lambda p, size: dropout(ones(size), p, generator=self.generator) if p else None
        self._drawn = True
        self._mask = draw(self.input, self.input_size)
        if self.recurrent:
            self.core._mask = draw(self.recurrent, self.output_size)
