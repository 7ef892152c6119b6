"""Drop single weights between steps (Merity et al. 2018); `language_model` and programs call it."""

from __future__ import annotations

from ..engine.options import kind, probability
from ..engine.tensor import Tensor
from ..functions.losses import dropout
from ..functions.random import Generator
from ..init import seeded
from .cell import Cell
from .wrapper import Wrapper


class WeightDrop(Wrapper):
    """Any cell with entries of its recurrent weights dropped, anew for each sequence in training.

    `names` are the parameters concerned; the state_dict stays the inner cell's.

    >>> import tinygrad_rnn as t
    >>> layer = t.nn.Recurrent(t.nn.WeightDrop(t.nn.LSTMCell(3, 4, seed=0), 0.5, seed=0))
    >>> output, state = layer(t.zeros(5, 2, 3))
    """

    def __init__(self, cell: Cell, p: float, names: tuple[str, ...] = ("weight_hh",), *,
                 seed: int | Generator | None = None):  # fmt: skip
        super().__init__(cell)
        self.p, self.generator = probability(self, "p", p), seeded(self, seed)
        self.names = (names,) if isinstance(names, str) else names
        kind(self, "names", self.names, (tuple, list), "names of parameters")
        for name in self.names:
            if not isinstance(name, str) or not isinstance(getattr(cell, name, None), Tensor):
                raise ValueError(f"{type(cell.core).__name__} has no parameter {name!r} to drop")
        self._whole: dict[str, Tensor] = {}

    def begin(self, batch: int, like: Tensor) -> None:
        if self.training and self.p:
            self._whole = {name: getattr(self.core, name) for name in self.names}
            for name, weight in self._whole.items():
                setattr(self.core, name, dropout(weight, self.p, generator=self.generator))
        super().begin(batch, like)

    def end(self) -> None:
        super().end()
        for name, weight in self._whole.items():
            setattr(self.core, name, weight)
        self._whole = {}
