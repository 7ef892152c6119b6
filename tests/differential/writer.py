"""Writes random programs: shared nodes, broadcasting, views, duplicate indices, 0-d, zero-size.

`Writer` runs each line with the library as it is written, so that the next line knows the shapes.
A line is taken back if its value is not finite, too large, or so near a kink (a tie, a step, a
corner) that rounding could decide which side it is on. Exact ties stay where the value is
continuous: torch's choice is followed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from differential.arithmetic import ARITHMETIC, Rejected
from differential.places import PLACES
from differential.programs import Library, Program, apply, leaf_data
from differential.whole import DTYPE_LINES, DTYPES

MOST = 200  # elements of one value
LARGEST = 1e3
LARGEST_WHOLE = 40_000


class Writer:
    """A program being written; its methods pick arguments and append lines."""

    def __init__(self, seed: int, lib: Library, lines: int) -> None:
        self.rng = rng = np.random.default_rng([seed, 1])
        self.lib, self.most_lines = lib, lines
        self.base = tuple(self.size() for _ in range(int(rng.integers(0, 4))))
        self.whole = bool(rng.random() < 0.4)  # integers and booleans among the leaves
        self.mixed = bool(rng.random() < 0.1)  # float32 and float64 leaves
        leaves = [self.new_leaf() for _ in range(int(rng.integers(2, 6)))]
        leaves[0]["grad"] = leaves[0]["dtype"].startswith("float")
        self.program: Program = {"seed": seed, "leaves": leaves, "lines": [], "outputs": []}
        self.values = [lib.leaf(a, False) for a in leaf_data(self.program)]
        self.uses = [0] * len(leaves)

    def size(self) -> int:
        return int(self.rng.choice([0, 1, 2, 3, 4], p=[0.04, 0.16, 0.3, 0.3, 0.2]))

    def new_leaf(self) -> dict[str, Any]:
        """A shape that broadcasts with the base shape, or any."""
        if self.rng.random() < 0.75:
            shape = [n if self.rng.random() < 0.7 else 1 for n in self.base]
            shape = shape[int(self.rng.integers(0, len(shape) + 1)) if self.chance(0.4) else 0 :]
        else:
            shape = [self.size() for _ in range(int(self.rng.integers(0, 4)))]
        dtype = "float32" if self.mixed and self.rng.random() < 0.5 else "float64"
        dtype = self.choice(DTYPES) if self.whole else dtype
        grad = dtype.startswith("float") and self.chance(0.9)
        return {"shape": shape, "dtype": dtype, "grad": grad}

    # what a line may ask for
    def choice(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def value(self, i: int) -> np.ndarray:
        return self.values[i].numpy()

    def shape(self, i: int) -> tuple[int, ...]:
        return tuple(self.values[i].shape)

    def pick(self, wanted: Callable[[np.ndarray], bool] = lambda a: True, kinds: str = "f") -> int:
        """A value's number; recent values and those not used yet are likelier."""
        arrays = [self.value(i) for i in range(len(self.values))]
        fits = [i for i, a in enumerate(arrays) if a.dtype.kind in kinds and wanted(a)]
        if not fits:
            raise Rejected
        p = np.array([(3.0 if self.uses[i] == 0 else 1.0) * (1 + i) for i in fits])
        return int(self.rng.choice(fits, p=p / p.sum()))

    def pick_any(self, wanted: Callable[[np.ndarray], bool] = lambda a: True) -> int:
        """A value of whatever dtype the program has."""
        return self.pick(wanted, "fiub" if self.whole else "f")

    def away(self, distance: np.ndarray, ties: bool = True) -> None:
        """Refuses the line where `distance` to a kink is small; 0 exactly is a tie."""
        d = np.abs(distance)
        near = 1e-3 if self.mixed or self.whole else 1e-6
        if ((d < near) & ~((d == 0) & ties)).any():
            raise Rejected

    def emit(self, op: str, /, *arguments: int, **params: Any) -> int:
        """Appends the line and returns the number of its value."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                made = apply(self.lib, op, [self.values[i] for i in arguments], params)
            except (RuntimeError, TypeError) as error:  # refused: torch does not mix all dtypes
                raise Rejected from error
        a = made.numpy()
        if a.size > MOST or a.ndim > 5 or len(self.program["lines"]) >= self.most_lines:
            raise Rejected
        largest = LARGEST if a.dtype.kind == "f" else LARGEST_WHOLE
        if not (np.abs(a.astype(float)) <= largest).all():
            raise Rejected
        self.program["lines"].append([op, list(arguments), params])
        self.values.append(made)
        self.uses.append(0)
        for i in arguments:
            self.uses[i] += 1
        return len(self.values) - 1

    def line(self) -> None:
        """One more line of a family drawn at random, with what it needs before it, or nothing."""
        before = len(self.program["lines"])
        try:
            self.choice(ARITHMETIC + PLACES + (DTYPE_LINES if self.whole else []))(self)
        except Rejected:
            del self.program["lines"][before:]
            kept = before + len(self.program["leaves"])
            del self.values[kept:], self.uses[kept:]

    def finish(self) -> Program:
        """Outputs: every value nothing reads, and now and then another."""
        for i in range(len(self.values)):
            floats = self.value(i).dtype.kind == "f"
            if floats and (self.uses[i] == 0 or self.chance(0.1)):
                self.program["outputs"].append(i)
        return self.program


def write(seed: int, lib: Library, most_lines: int = 30) -> Program:
    """The program of that seed."""
    writer = Writer(seed, lib, most_lines)
    wanted = int(writer.rng.integers(3, most_lines + 1))
    for _ in range(4 * wanted):
        if len(writer.program["lines"]) >= wanted:
            break
        writer.line()
    return writer.finish()
