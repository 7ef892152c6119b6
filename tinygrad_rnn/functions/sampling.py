"""Draw random Tensors from one default generator, under PyTorch's names, for programs.

`manual_seed` sets it anew; until then its seed is 0, so that a script gives the same in every run.
No layer draws from it: a model's weights and masks have `seed=` of their own.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ..engine.arguments import check_arguments
from ..engine.arrays import to_numpy
from ..engine.tensor import Tensor, tensor
from .creation import sizes_of
from .later import attach
from .random import Generator


@cache  # made when it is asked for: NumPy's random numbers take 10 ms to load
def default_generator() -> Generator:
    """Return the Generator that the functions here draw from."""
    return Generator(seed=0)


def manual_seed(seed: int) -> Generator:
    """Give the default Generator a seed and return it.

    >>> import tinygrad_rnn as t
    >>> t.manual_seed(3) and t.rand(2).tolist() == (t.manual_seed(3) and t.rand(2)).tolist()
    True
    """
    return default_generator().manual_seed(seed)


def initial_seed() -> int:
    """Return the seed that the default Generator was given last."""
    return default_generator().initial_seed()


def randn(*size: Any, generator: Generator | None = None, dtype: Any = None,
          device: str | None = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Draw from the normal distribution of mean 0 and deviation 1: `randn(2, 3)`."""
    source = generator or default_generator()
    new = source.normal(sizes_of("randn", size), dtype=dtype, device=device)
    return new.requires_grad_() if requires_grad else new


def rand(*size: Any, generator: Generator | None = None, dtype: Any = None,
         device: str | None = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Draw evenly from [0, 1): `rand(2, 3)`."""
    source = generator or default_generator()
    new = source.uniform(sizes_of("rand", size), dtype=dtype, device=device)
    return new.requires_grad_() if requires_grad else new


def randint(low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None,
            dtype: Any = None, device: str | None = None) -> Tensor:  # fmt: skip
    """Draw whole numbers low … high − 1, or 0 … low − 1 if only one bound is given.

    >>> import tinygrad_rnn as t
    >>> t.randint(0, 10, (2, 3)).shape, t.randint(10, (4,)).shape
    ((2, 3), (4,))
    """
    if size is None:
        low, high, size = 0, low, high
    if not isinstance(size, (tuple, list)) or not high > low:
        got = f"{low}, {high}, {size}"
        raise ValueError(f"randint: needs low < high and a tuple of sizes, got {got}")
    new = (generator or default_generator()).integers(low, high, tuple(size))
    return tensor(new, dtype or np.int64, device)


def randperm(n: int, *, generator: Generator | None = None, device: str | None = None) -> Tensor:
    """Return the numbers 0 … n − 1 in random order."""
    return tensor((generator or default_generator()).permutation(n), device=device)


def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, *,
           generator: Generator | None = None, dtype: Any = None) -> Tensor:  # fmt: skip
    """Draw from normal distributions; `mean` and `std` are numbers or Tensors.

    >>> import tinygrad_rnn as t
    >>> t.normal(0.0, 1.0, size=(2, 3)).shape, t.normal(t.zeros(4), 1.0).shape
    ((2, 3), (4,))
    """
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std)) if size is None else size
    if np.any(to_numpy(std) < 0):
        raise ValueError(f"normal: std must not be negative, got {std}")
    return (generator or default_generator()).normal(tuple(shape), dtype=dtype) * std + mean


def randn_like(x: Tensor, *, generator: Generator | None = None, dtype: Any = None,
               device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Return `randn` of the shape, dtype and device of x."""
    return randn(*x.shape, generator=generator, dtype=dtype or x.dtype, device=device or x.device,
                 requires_grad=requires_grad)  # fmt: skip


def rand_like(x: Tensor, *, generator: Generator | None = None, dtype: Any = None,
              device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Return `rand` of the shape, dtype and device of x."""
    return rand(*x.shape, generator=generator, dtype=dtype or x.dtype, device=device or x.device,
                requires_grad=requires_grad)  # fmt: skip


def bernoulli(p: Tensor, *, generator: Generator | None = None) -> Tensor:
    """Draw 1 with the probability that stands in p, else 0, in the shape and dtype of p."""
    chances = to_numpy(p)
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError("bernoulli: probabilities must be between 0 and 1")
    coins = (generator or default_generator()).uniform(p.shape, dtype=np.float64).numpy()
    return tensor(coins < chances, p.dtype, p.device)


def multinomial(p: Tensor, num_samples: int, replacement: bool = False, *,
                generator: Generator | None = None) -> Tensor:  # fmt: skip
    """Draw class numbers with probabilities that are proportional to p (K,) or (N, K).

    >>> import tinygrad_rnn as t
    >>> t.multinomial(t.tensor([0.0, 3.0, 1.0]), 2).shape
    (2,)
    """
    weights = to_numpy(p).astype(np.float64)
    table = np.atleast_2d(weights)
    total = table.sum(-1, keepdims=True)
    if not (np.isfinite(table).all() and (table >= 0).all() and (total > 0).all()):
        raise ValueError("multinomial: weights must be finite, not negative, with a positive sum")
    if not replacement and ((table > 0).sum(-1) < num_samples).any():
        few = f"{num_samples} samples without replacement from fewer classes of positive weight"
        raise ValueError(f"multinomial: {few}")
    source, shape = generator or default_generator(), (len(table), num_samples)
    if replacement:
        coins = source.uniform(shape, dtype=np.float64).numpy()
        ends = (table / total).cumsum(-1)
        found = (coins[:, :, None] >= ends[:, None, :]).sum(-1)
        found = np.minimum(found, _last_positive(table)[:, None])
    else:  # the smallest of exponential times with these rates come first: Gumbel's trick
        coins = source.uniform(table.shape, dtype=np.float64).numpy()
        with np.errstate(divide="ignore"):
            times = np.where(table > 0, -np.log1p(-coins) / table, np.inf)
        found = np.argsort(times, -1)[:, :num_samples]
    return tensor(found.reshape(*weights.shape[:-1], num_samples), device=p.device)


def _last_positive(table: np.ndarray) -> np.ndarray:
    """Return the last class of each row that can be drawn: rounding must not lead beyond it."""
    return table.shape[1] - 1 - (table[:, ::-1] > 0).argmax(-1)


check_arguments(globals())
attach(globals())
