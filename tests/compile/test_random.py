"""Random cells: whatever a step is made of, compiled and unrolled agree on every emitter."""

from __future__ import annotations

import shutil
from typing import Any

import gpu
import numpy as np
import pytest
from compile.test_loops import assert_same

from tinygrad_rnn import Tensor, cat, tensor, where
from tinygrad_rnn.compile import compile
from tinygrad_rnn.nn import Cell, Recurrent

I, H = 3, 4
UNARY = ("tanh", "sigmoid", "relu", "exp", "abs", "neg", "square")
BINARY = (
    "add",
    "sub",
    "mul",
    "maximum",
    "where",
    "matmul",
    "matmul",
    "beside",
    "normed",
    "scaled",
    "nested",
)


class RandomCell(Cell):
    """Two states of H columns; each line of the step is an operation on two earlier values."""

    def __init__(self, seed: int):
        super().__init__(I, H)
        rng = np.random.default_rng(seed)
        draw = lambda *shape: tensor(0.5 * rng.standard_normal(shape), requires_grad=True)
        self.W, self.U, self.V, self.b = draw(I, H), draw(H, H), draw(2 * H, H), draw(H)
        self.lines = [
            (str(rng.choice(UNARY + BINARY)), int(rng.integers(3 + k)), int(rng.integers(3 + k)))
            for k in range(int(rng.integers(2, 9)))
        ]
        self.ends = [int(n) for n in rng.integers(0, 3 + len(self.lines), 3)]

    def start(self, batch: int, like: Tensor) -> tuple[Tensor, Tensor]:
        return self.blank(batch, H, like), self.blank(batch, H, like)

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Any]:
        values = [x @ self.W + self.b, *state]
        for op, i, j in self.lines:
            values.append(self.line(op, values[i], values[j]))
        y, h, c = (values[n] for n in self.ends)
        return y, (h.tanh(), c.sigmoid() * 0.9)

    def line(self, op: str, a: Tensor, b: Tensor) -> Tensor:
        if op in UNARY:
            return getattr(a.clamp(-3, 3), op)()
        return {
            "add": lambda: a + b,
            "sub": lambda: a - b,
            "mul": lambda: a * b,
            "maximum": lambda: a.maximum(b),
            "where": lambda: where(a > 0, b, a),
            "matmul": lambda: a @ self.U,
            "beside": lambda: cat([a, b], -1) @ self.V,
            "normed": lambda: a - a.mean(-1, keepdim=True) * b,
            "nested": lambda: cat([cat([a[:, :1], b[:, 1:2]], -1), b.sigmoid()[:, 2:]], -1),
            "scaled": lambda: cat([a[:, 2:] * 2, b[:, :2]], -1),
        }[op]()


def check(seed: int, backend: str) -> None:
    layer = Recurrent(RandomCell(seed))
    fast = compile(layer, backend)
    T, B = 1 + seed % 4, 1 + seed // 4 % 4  # as many rows as columns too
    x = np.random.default_rng(seed).standard_normal((T, B, I))
    assert_same(layer, fast, x, seed)
    assert fast.compiled.notes == [], seed  # nothing fell back


@pytest.mark.parametrize("backend", ["numpy", gpu.CUDA])
@pytest.mark.parametrize("block", range(5))
def test_random_cells(block: int, backend: str) -> None:
    for seed in range(20 * block, 20 * block + 20):
        check(seed, backend)


@pytest.mark.slow
@pytest.mark.compiler
@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler (cc)")
@pytest.mark.parametrize("block", range(5))
def test_random_cells_in_c(block: int) -> None:
    for seed in range(20 * block, 20 * block + 20):
        check(seed, "c")
