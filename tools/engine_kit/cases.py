"""The kit's programs, from the first operation to a recurrent network; each asks one thing.

Of one name the smallest comes first: it is the one that a report shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .programs import Program, concat


class Case(NamedTuple):
    """A program and its inputs, what it asks, and where to look if it fails."""

    name: str
    look_at: str
    inputs: tuple[np.ndarray, ...]
    program: Program

    @property
    def of_arrays(self) -> bool:
        """True if an engine of scalars cannot be asked."""
        return any(a.ndim for a in self.inputs)


CASES: list[Case] = []


def case(name: str, look_at: str, *programs: tuple) -> None:
    """Enter programs of one name; each is (function, input, …)."""
    for f, *inputs in programs:
        arrays = tuple(np.array(x, np.float64) for x in inputs)
        CASES.append(Case(name, look_at, arrays, Program.of(f, len(arrays))))


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Draw numbers away from zero, so that no slope is near a corner."""
    rng = np.random.default_rng([seed, *shape])
    return np.round(rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape), 2)


A, B = numbers(2, 3), numbers(2, 3, seed=1)
ROW, COLUMN, SQUARE, CUBE = numbers(3), numbers(2, 1), numbers(3, 3), numbers(2, 3, 4)
WEIGHTS = numbers(3, 3, seed=5)  # what a result is multiplied by, so that no upstream gradient is 1

# One operation. `3 * …` makes the upstream gradient other than 1.
case("add", "∂(a + b)/∂a = ∂(a + b)/∂b = 1", (lambda a, b: a + b, 2, 3))
case("mul", "∂(a·b)/∂a is b, ∂(a·b)/∂b is a", (lambda a, b: a * b, 2, 3))
case("a number at the right", "a number is a constant: it gets no gradient",
     (lambda a: a + 2, 3), (lambda a: a * 2, 3))  # fmt: skip
case("neg", "∂(−a)/∂a = −1", (lambda a: -a, 2))
case("sub", "∂(a − b)/∂b = −1", (lambda a, b: a - b, 2, 3), (lambda a: a - 2, 3))
case("pow", "∂aⁿ/∂a = n·aⁿ⁻¹, where a is negative or 0 too",
     (lambda a: a ** 3, 2), (lambda a: a ** 3, -2), (lambda a: a ** -1, 2), (lambda a: a ** 2, 0),
     (lambda a: a ** 0.5, 4))  # fmt: skip
case("div", "∂(a/b)/∂b = −a/b²", (lambda a, b: a / b, 2, 4), (lambda a: a / 2, 3))
for op, slope in dict(exp="eᵃ, the result itself", log="1/a", tanh="1 − y², y the result",
                      relu="1 where a > 0, else 0").items():  # fmt: skip
    case(op, f"the slope of {op} is {slope}", (lambda a, op=op: getattr(a, op)(), 0.7))
case("relu", "the slope of relu is 0 where a < 0", (lambda a: a.relu(), -0.7))
case("a number at the left", "`2 - a` calls a.__rsub__(2): it is not a − 2",
     (lambda a: 2 + a, 3), (lambda a: 2 * a, 3), (lambda a: 2 - a, 3), (lambda a: 2 / a, 4))  # fmt: skip
case("chain rule", "each rule multiplies by the gradient of its own result",
     *((lambda a, op=op: 3 * getattr(a, op)(), 0.7) for op in ("exp", "log", "tanh", "relu")),
     (lambda a: 3 * a ** 2, 3), (lambda a, b: 3 * (a * b), 2, 3), (lambda a, b: 3 * (a + b), 2, 3),
     (lambda a: (a * 2 + 1) * 3, 2))  # fmt: skip

# Graphs
case("overwrite for accumulate", "a value used twice gets two gradients: += them, do not =",
     (lambda a: a + a, 2), (lambda a: a * a, 3))  # fmt: skip
case("depth first for topological order",
     "send a value's gradient on only when all its users have sent theirs",
     (lambda a, b: a * b + a * 2, 2, 3), (lambda a: (lambda b: b + b * b)(a * 2), 3),
     (lambda a: (lambda b: (lambda c: c * b + c)(b * b))(2 * a), 3),
     (lambda a: (lambda b: (b * b) * 2 + b)(2 * a), 3),
     (lambda a: (lambda b: b + (b * b) * 2)(2 * a), 3))  # fmt: skip
case("an input that is not used", "its gradient is 0, whatever else is there",
     (lambda a, b: b * b, 2, 3))  # fmt: skip
case("overflow", "tanh and σ must not overflow on the way: no NaN for large inputs",
     (lambda a: a.tanh(), 1000), (lambda a: a.tanh(), -1000))  # fmt: skip

# Arrays
case("sum", "each entry of a sum has slope 1: the gradient is copied to all of them",
     (lambda a: a.sum(), [1, 2]), (lambda a: a.sum(), A))  # fmt: skip
case("elementwise", "on arrays every entry has its own slope",
     (lambda a, b: (a * b).sum(), [1, 2], [3, 4]), (lambda a: (a.tanh() * A).sum(), B),
     (lambda a: (a.exp() * A).sum(), B), (lambda a: (a.relu() * A).sum(), B))  # fmt: skip
case("no unbroadcast", "sum the gradient over the axes along which the input was repeated",
     (lambda a, b: (a + b).sum(), [1, 2], 3), (lambda a, b: (a * b).sum(), [1, 2], 3),
     (lambda a, b: (a * b).sum(), A, ROW), (lambda a, b: (a - b).sum(), A, ROW),
     (lambda a, b: (a / b).sum(), A, ROW), (lambda a, b: (a + b).sum(), CUBE, numbers(4)))  # fmt: skip
case("no unbroadcast of an axis of length 1",
     "an axis of length 1 that was stretched is summed, and stays as an axis",
     (lambda a, b: (a * b).sum(), [[1, 2]], [[3]]), (lambda a, b: (a + b).sum(), A, COLUMN),
     (lambda a, b: (a * b).sum(), COLUMN, numbers(1, 3)))  # fmt: skip
case("a constant array", "a NumPy array beside a value is a constant",
     (lambda a: (a * A).sum(), B), (lambda a: (A * a).sum(), B),
     (lambda a: (A * a).sum(), ROW))  # fmt: skip
case("sum over an axis", "put the summed axis back before the gradient is repeated along it",
     (lambda a: (a.sum(axis=0) ** 2).sum(), A),
     (lambda a: (a.sum(axis=1) ** 2).sum(), A), (lambda a: (a.sum(axis=1) ** 2).sum(), SQUARE),
     (lambda a: (a.sum(axis=1) ** 2).sum(), CUBE), (lambda a: (a.sum(axis=-1) ** 2).sum(), A))  # fmt: skip
case("sum that keeps its axis", "with keepdims=True the axis is there already",
     (lambda a: (a.sum(axis=1, keepdims=True) ** 2).sum(), A),
     (lambda a: (a.sum(axis=1, keepdims=True) * B).sum(), A))  # fmt: skip
case("mean", "a mean is a sum divided by how many entries it has",
     (lambda a: a.mean(), [1, 2]), (lambda a: (a.mean(axis=0) ** 2).sum(), A),
     (lambda a: (a.mean(axis=1) ** 2).sum(), A))  # fmt: skip
case("max", "the largest entry alone gets the gradient", (lambda a: 3 * a.max(), [1, 4, 2]),
     (lambda a: (a.max(axis=1) ** 2).sum(), A))  # fmt: skip
case("max of equal entries", "equal entries share one gradient: their shares sum to 1",
     (lambda a: a.max(), [2, 2]))  # fmt: skip
case("matmul", "∂L/∂A = G Bᵀ, ∂L/∂B = Aᵀ G: transposed, in this order",
     (lambda a, b: (a @ b).sum(), A, numbers(3, 4)),
     (lambda a, b: ((a @ b) * WEIGHTS).sum(), SQUARE, WEIGHTS))  # fmt: skip
case("matmul of a batch", "swap the last two axes alone, and sum over a batch that was broadcast",
     (lambda a, b: ((a @ b) ** 2).sum(), CUBE, numbers(2, 4, 2)),
     (lambda a, b: ((a @ b) ** 2).sum(), CUBE, numbers(4, 2)))  # fmt: skip
case("reshape", "give the gradient the input's shape again, in the same order",
     (lambda a: (a.reshape(shape=(3, 2)) * numbers(3, 2)).sum(), A),
     (lambda a: (a.reshape(shape=(6,)) * numbers(6)).sum(), A))  # fmt: skip
case("transpose", "transposing back is transposing", (
    lambda a: (a.transpose(axes=(1, 0)) * numbers(3, 2)).sum(), A),
    (lambda a: (a.transpose(axes=(1, 0)) * WEIGHTS).sum(), SQUARE))  # fmt: skip
case("wrong inverse permutation", "axes (1, 2, 0) are undone by their inverse (2, 0, 1)",
     (lambda a: (a.transpose(axes=(1, 2, 0)) * numbers(2, 2, 2)).sum(), numbers(2, 2, 2, seed=3)),
     (lambda a: (a.transpose(axes=(1, 2, 0)) * numbers(3, 4, 2)).sum(), CUBE),
     (lambda a: (a.transpose(axes=(2, 0, 1)) * numbers(4, 2, 3)).sum(), CUBE))  # fmt: skip
case("indexing", "put the gradient back where the entries were taken, zeros elsewhere",
     (lambda a: a[1] * 3, [1, 2]), (lambda a: (a[0:2] ** 2).sum(), ROW),
     (lambda a: (a[::-1] * ROW).sum(), numbers(3, seed=2)), (lambda a: (a[:, 1] ** 2).sum(), A),
     (lambda a: (a[[2, 0]] ** 2).sum(), ROW))  # fmt: skip
case("duplicate indices", "an entry taken twice gets two gradients: np.add.at, not z[index] = g",
     (lambda a: a[[0, 0]].sum(), [1, 2]), (lambda a: (a[[0, 1, 0]] * ROW).sum(), [1, 2]),
     (lambda a: (a[[1, 1, 1], [0, 2, 0]] * ROW).sum(), A))  # fmt: skip
case("entries taken one by one", "several indexings of one array sum their gradients",
     (lambda a: a[0] * a[1], [2, 3]), (lambda a: (a[0] * a[1]).sum(), A))  # fmt: skip
case("matmul with a vector", "a vector is a row at the left of @, a column at the right",
     (lambda a, b: (a @ b).sum(), [1, 2], [3, 4]), (lambda a, b: ((a @ b) ** 2).sum(), ROW, SQUARE),
     (lambda a, b: ((a @ b) ** 2).sum(), A, ROW))  # fmt: skip
case("concat", "cut the gradient where the parts were joined: their lengths differ",
     (lambda a, b: (concat([a, b]) * ROW).sum(), [1], [2, 3]),
     (lambda a, b: (concat([a, b], axis=1) * numbers(2, 4)).sum(), A, COLUMN),
     (lambda a, b, c: (concat([a, b, c]) * numbers(6)).sum(), [1], [2, 3], ROW))  # fmt: skip
case("concat of one value twice", "each part has a gradient of its own; they are summed",
     (lambda a: (concat([a, a]) * numbers(4)).sum(), [1, 2]))  # fmt: skip


# Recurrent networks
def recurrent(steps: int, gated: bool = False) -> Callable[..., Any]:
    """Return h⟨t⟩ = tanh(h⟨t−1⟩ @ W + x⟨t⟩ @ U + b) over `steps`, or with a gate σ."""

    def run(h: Any, x: Any, W: Any, U: Any, b: Any) -> Any:
        total = 0.0
        for t in range(steps):
            new = (h @ W + x[t] @ U + b).tanh()
            if gated:
                gate = (h @ W * 0.5).tanh() * 0.5 + 0.5
                new = gate * new + (1 - gate) * h
            h = new
            total = (h * h).sum() + total
        return total

    return run


CELL = numbers(2, 3), numbers(4, 2, 2), numbers(3, 3) / 2, numbers(2, 3, seed=4), numbers(3)
case("back-propagation through time", "one set of weights, used at each step: Σ over the steps",
     *((recurrent(T), *CELL) for T in (1, 2, 4)))  # fmt: skip
case("a gated cell", "a state goes through the gate, the candidate and past both",
     *((recurrent(T, True), *CELL) for T in (1, 3)))  # fmt: skip
case("in-place aliasing", "`+=` on an array that another gradient is too changes both: x = x + g",
     (lambda a, b: ((a + b) + a).sum(), [1, 2], [3, 4]),
     (lambda a, b: (a + ((a + b) + a)).sum(), [1, 2], [3, 4]))  # fmt: skip
