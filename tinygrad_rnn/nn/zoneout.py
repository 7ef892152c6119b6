"""Keep random parts of the state at their old value (Krueger et al. 2017), for `stacking`."""

from __future__ import annotations

from typing import Any

from ..engine.options import probability
from ..engine.tensor import Tensor
from ..functions.random import Generator
from ..init import seeded
from .cell import Cell, State, parts_of
from .wrapper import Wrapper


class Zoneout(Wrapper):
    """Any cell, its state zoned out at rate p, one rate for all parts or one each.

    In training s' = old where a coin falls, new elsewhere; in evaluation the expectation p·old + (1
    − p)·new.
    """

    def __init__(
        self, cell: Cell, p: float | tuple[float, ...], *, seed: int | Generator | None = None
    ):
        super().__init__(cell)
        parts = len(cell.state_names)
        self.p = p
        rates = p if isinstance(p, (tuple, list)) else (p,) * parts
        self.rates = [probability(self, "p", q) for q in rates]
        if len(self.rates) != parts:
            raise ValueError(
                f"Zoneout: {len(self.rates)} zoneout rates for the {parts} parts of the state"
            )
        self.generator = seeded(self, seed)

    def step(self, x: Tensor, state: State, *context: Any) -> tuple[Tensor, State]:
        output, new = self.inner.step(x, state, *context)
        olds, news = map(parts_of, (state, new))
        parts = [self._zoned(*three) for three in zip(olds, news, self.rates, strict=True)]
        output = parts[0] if output is news[0] else output
        return output, tuple(parts) if isinstance(new, tuple) else parts[0]

    def _zoned(self, old: Any, new: Any, p: float) -> Any:
        if not p:
            return new
        if not self.training:
            return p * old + (1 - p) * new
        stays = self.generator.bernoulli(new.shape, p, new.dtype, new.device)
        return stays * old + (1 - stays) * new
