"""Random numbers from explicit generators: no global state, the same seed gives the same bits.

Numbers are always drawn by NumPy and then moved, so a model starts alike on every device. Inside a
`checkpoint` the generators' states are noted, so that the second run draws what the first drew.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from .backend import get_default_dtype, move
from .tensor import Tensor, wrap

NOTED: ContextVar[dict | None] = ContextVar("noted", default=None)  # generator → state before use


class Generator:
    """A source of random Tensors. `state` can be read, saved as JSON and set."""

    def __init__(self, seed: int = 0, device: str = "cpu"):
        self.device = device
        self._source = np.random.Generator(np.random.PCG64(seed))

    @property
    def state(self) -> dict[str, Any]:
        return dict(self._source.bit_generator.state)

    @state.setter
    def state(self, value: dict[str, Any]) -> None:
        self._source.bit_generator.state = value

    def _draw(self, numbers: Any, dtype: Any, device: str | None = None) -> Tensor:
        values = np.asarray(numbers, dtype=dtype or get_default_dtype())
        return wrap(move(values, device or self.device), None)

    def _note(self) -> np.random.Generator:
        noted = NOTED.get()
        if noted is not None:
            noted.setdefault(self, self.state)
        return self._source

    def normal(self, shape: Sequence[int] = (), std: float = 1.0, mean: float = 0.0,
               dtype: Any = None, device: str | None = None) -> Tensor:  # fmt: skip
        return self._draw(mean + std * self._note().standard_normal(tuple(shape)), dtype, device)

    def uniform(self, shape: Sequence[int] = (), low: float = 0.0, high: float = 1.0,
                dtype: Any = None, device: str | None = None) -> Tensor:  # fmt: skip
        return self._draw(self._note().uniform(low, high, tuple(shape)), dtype, device)

    def bernoulli(self, shape: Sequence[int], p: float, dtype: Any = None,
                  device: str | None = None) -> Tensor:  # fmt: skip
        """1 with probability p, else 0."""
        if not 0 <= p <= 1:
            raise ValueError(f"bernoulli: p must be between 0 and 1, got {p}")
        return self._draw(self._note().random(tuple(shape)) < p, dtype, device)

    def integers(self, low: int, high: int, shape: Sequence[int] = ()) -> Tensor:
        """Integers from low to high - 1."""
        return self._draw(self._note().integers(low, high, tuple(shape)), np.int64)

    def permutation(self, n: int) -> Tensor:
        if n < 0:
            raise ValueError(f"permutation: n must not be negative, got {n}")
        return self._draw(self._note().permutation(n), np.int64)
