"""Compute cross-entropy of rows with class numbers as one operation, for `losses`.

The exponentials of the forward pass become the gradient: one pass over the table, where
log_softmax, gather and their rules make six.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.dtypes import as_floats
from ..engine.ops import softmax
from ..engine.primitive import PRIMITIVES, primitive
from ..engine.tensor import Tensor, wrap


class ClassRows:
    """The class of each row, which rows count (None: all), and what the rule will need."""

    __slots__ = ("classes", "real", "tables")

    def __init__(self, classes: np.ndarray, real: np.ndarray | None):
        self.classes = classes if real is None else np.where(real, classes, 0)
        self.real, self.tables = real, []  # type: ignore[var-annotated]

    def losses(self, a: np.ndarray) -> np.ndarray:
        """Return −log softmax(a)[class] of each row, 0 where it does not count."""
        below = a - a.max(1, keepdims=True)
        right = below[np.arange(len(a)), self.classes]
        powers = np.exp(below, below)
        norm = powers.sum(1)
        self.tables.append((powers, norm))
        y = np.log(norm) - right
        return y if self.real is None else np.where(self.real, y, y.dtype.type(0))

    def slope(self, g: np.ndarray, a: np.ndarray) -> np.ndarray:
        """Return g ∘ (softmax(a) − one-hot), in the memory of the exponentials the first time."""
        if not self.tables:  # a second pass through a graph that was retained
            self.losses(a)
        powers, norm = self.tables.pop()
        g = g if self.real is None else np.where(self.real, g, g.dtype.type(0))
        powers *= (g / norm)[:, None]
        powers[np.arange(len(a)), self.classes] -= g
        return powers

    def recorded_slope(self, g: Tensor, a: Any) -> Any:
        """Return the same as a graph."""
        hot = np.zeros(a.shape, g.dtype)
        hot[np.arange(len(hot)), self.classes] = 1
        if self.real is not None:
            g = g * wrap(self.real.astype(g.dtype), None)
        return g.reshape(-1, 1) * (softmax(a, axis=1) - wrap(hot, None))


def _rule(g: Any, y: Any, a: Any, rows: ClassRows) -> Any:
    return rows.recorded_slope(g, a) if isinstance(g, Tensor) else rows.slope(g, a)


losses_of_rows = primitive("cross_entropy", lambda a, rows: rows.losses(a), _rule, keeps="a",
                           casts=as_floats, writes="−log softmax(a)[…]")  # fmt: skip
del PRIMITIVES["cross_entropy"]  # it belongs to its targets: no part of the vocabulary of programs
