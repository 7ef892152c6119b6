"""Draw random numbers from explicit generators, with no global state; `nn` and `init` call it.

Numbers are always drawn by NumPy and then moved, so a model starts alike on every device. What a
`replayable` block drew can be drawn again: a `checkpoint` thus has the same dropout in both runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any

import numpy as np

from ..engine.arrays import get_default_dtype, move
from ..engine.context import MODE
from ..engine.tensor import Tensor, wrap

NOTED: ContextVar[dict | None] = ContextVar("noted", default=None)  # generator → state before use


class Generator:
    """A source of random Tensors. `state` can be read, saved as JSON and set."""

    def __init__(self, seed: int = 0, device: str = "cpu"):
        self.device = device
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> Generator:
        """Begin anew from a seed; return this generator."""
        self._seed = int(seed)
        self._source = np.random.Generator(np.random.PCG64(self._seed))
        return self

    def initial_seed(self) -> int:
        """Return the seed given last."""
        return self._seed

    @property
    def state(self) -> dict[str, Any]:
        return dict(self._source.bit_generator.state)

    @state.setter
    def state(self, value: dict[str, Any]) -> None:
        self._source.bit_generator.state = value

    def _draw(self, numbers: Callable[[np.random.Generator], Any], dtype: Any,
              device: str | None = None) -> Tensor:  # fmt: skip
        """Make every draw here. Where the mode has a stand-in, it is given a function that draws,
        as often as it is called, and what kind of draw this is."""

        def draw() -> Tensor:
            noted = NOTED.get()
            if noted is not None:
                noted.setdefault(self, self.state)
            values = np.asarray(numbers(self._source), dtype=dtype or get_default_dtype())
            return wrap(move(values, device or self.device), None)

        stand_in = MODE.get().draw
        return draw() if stand_in is None else stand_in(draw, (self, numbers.__code__))

    def normal(self, shape: Sequence[int] = (), std: float = 1.0, mean: float = 0.0,
               dtype: Any = None, device: str | None = None) -> Tensor:  # fmt: skip
        """Draw from the normal distribution."""
        numbers = lambda source: mean + std * source.standard_normal(tuple(shape))
        return self._draw(numbers, dtype, device)

    def uniform(self, shape: Sequence[int] = (), low: float = 0.0, high: float = 1.0,
                dtype: Any = None, device: str | None = None) -> Tensor:  # fmt: skip
        """Draw evenly from [low, high)."""
        return self._draw(lambda source: source.uniform(low, high, tuple(shape)), dtype, device)

    def bernoulli(self, shape: Sequence[int], p: float, dtype: Any = None,
                  device: str | None = None) -> Tensor:  # fmt: skip
        """Draw a Tensor whose entries are 1 with probability p, else 0."""
        if not 0 <= p <= 1:
            raise ValueError(f"bernoulli: p must be between 0 and 1, got {p}")
        return self._draw(lambda source: source.random(tuple(shape)) < p, dtype, device)

    def integers(self, low: int, high: int, shape: Sequence[int] = ()) -> Tensor:
        """Return integers from low to high - 1."""
        return self._draw(lambda source: source.integers(low, high, tuple(shape)), np.int64)

    def permutation(self, n: int) -> Tensor:
        """Return the numbers below `n` in random order."""
        if n < 0:
            raise ValueError(f"permutation: n must not be negative, got {n}")
        return self._draw(lambda source: source.permutation(n), np.int64)


class replayable:
    """Give in a `with` block a function that sets back all generators used in it."""

    def __enter__(self) -> Callable[[], Callable]:
        self.states: dict[Generator, Any] = {}
        self.token = NOTED.set(self.states)
        return partial(set_to, self.states)

    def __exit__(self, *error: object) -> None:
        NOTED.reset(self.token)
        around = NOTED.get()
        if around is not None:  # who undoes a block around this one undoes this one too
            around.update(self.states | around)


def set_to(states: dict[Generator, Any]) -> Callable[[], Callable]:
    """Give generators these states; return a function that gives them those of now."""
    now = {generator: generator.state for generator in states}
    for generator, state in states.items():
        generator.state = state
    return partial(set_to, now)
