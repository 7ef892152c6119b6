"""Inputs of whole numbers: looking them up leaves the loop, as a product with a one-hot would.

While a step is captured, `W[:, x]` with a parameter `W` and the input `x` becomes an input of the
step. A run looks up all T·B places at once, on the tape: the gradient of `W` is the tape's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..shapes import movedim
from ..tensor import Tensor, tensor

Lookup = tuple[int, tuple, tuple]  # number of the parameter, slices of it, index with None for x


@contextmanager
def intercepted_lookups(x: Tensor, params: Sequence[Tensor], note: Callable) -> Iterator[None]:
    """Within the block `params[k][slices][…, x, …]` is `note((k, slices, index), values)`."""
    plain = Tensor.__getitem__
    tables: dict[int, tuple] = {id(p): (p, k, ()) for k, p in enumerate(params)}

    def take(self: Tensor, index: Any) -> Tensor:
        whole = index if isinstance(index, tuple) else (index,)
        rest = [part for part in whole if part is not x]
        known = tables.get(id(self))
        if known is None or not all(isinstance(part, slice) for part in rest):
            return plain(self, index)
        values = plain(self, index)
        _, number, cut = known
        if len(rest) == len(whole) and not cut:  # some rows of a parameter: a table as well
            tables[id(values)] = (values, number, whole)
        if x.dtype.kind == "f" or x.ndim != 1 or len(rest) != len(whole) - 1:
            return values
        return note((number, cut, tuple(None if part is x else part for part in whole)), values)

    Tensor.__getitem__ = take  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Tensor.__getitem__ = plain  # type: ignore[method-assign]


def leaf_like(values: Tensor) -> Tensor:
    """A leaf in the place of what was looked up."""
    return tensor(values._array, requires_grad=values.requires_grad)


def looked_up(lookups: Sequence[Lookup], x: Tensor, params: Sequence[Tensor]) -> list[Tensor]:
    """One Tensor (T, …) per lookup, for x of shape (T, B)."""
    found = []
    for number, cut, index in lookups:
        table = params[number][cut] if cut else params[number]
        whole = tuple(x if part is None else part for part in index)
        found.append(movedim(table[whole], index.index(None), 0))
    return found


def same(a: Sequence[Lookup], b: Sequence[Lookup]) -> bool:
    return repr(a) == repr(b)


def with_other_numbers(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whole numbers that were seen in x, in another order: safe as indices."""
    return rng.permutation(x.reshape(-1)).reshape(x.shape)
