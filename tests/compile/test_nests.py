"""Steps whose rows have several axes, (B, S, K): C computes them in its loops, as the eager layer.

Each form is one way to read, sum or multiply a row's axes; value and gradients must be
those of the unrolled layer, for each form in a cell and for all of them in one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compile.test_loops import needs_cc

from tinygrad_rnn import Tensor, cat, grad, stack, tensor
from tinygrad_rnn.compile import compile
from tinygrad_rnn.nn import Cell, Linear, Recurrent

S, K = 3, 4
# of a row's state h (B, S*K) as (B, S, K), the same context c (B, S, K), and weights (K, K), (K, 9)
FORMS: dict[str, Callable] = {
    "broadcast over keys": lambda h, c, W, V: (h[:, :1] + c).tanh(),
    "broadcast over columns": lambda h, c, W, V: h[..., :1] * c - c,
    "weight over rows": lambda h, c, W, V: h * W[:1] + c,
    "softmax of the last axis": lambda h, c, W, V: (h * 3).softmax(-1) * c,
    "softmax of an axis within": lambda h, c, W, V: (h * c).softmax(1),
    "log softmax": lambda h, c, W, V: h.log_softmax(-1) * 0.3 + c,
    "sum of an axis within": lambda h, c, W, V: (h * c).sum(1, keepdims=True) + h,
    "sum that drops its axis": lambda h, c, W, V: (h * c).sum(1).unsqueeze(1) - h,
    "sum of the last axis": lambda h, c, W, V: (h * c).sum(-1, keepdims=True) * 0.1 + c,
    "sum of both": lambda h, c, W, V: h - (h * c).sum((1, 2), keepdims=True) * 0.1,
    "maxima": lambda h, c, W, V: h.amax(1, keepdims=True) + (c * h).amin(-1, keepdims=True),
    "mean and variance": lambda h, c, W, V: (h - h.mean(-1, keepdims=True)) * c.var((1, 2),
                                                                            keepdims=True),
    "product per row": lambda h, c, W, V: (h @ c.transpose(1, 2)) @ h * 0.2,
    "product turned": lambda h, c, W, V: (h.transpose(1, 2) @ c).transpose(1, 2)[:, :S],
    "outer product": lambda h, c, W, V: h[:, :, :1] @ c[:, :1],
    "inner product": lambda h, c, W, V: (h @ c[:, 0].unsqueeze(-1)).squeeze(-1).unsqueeze(1).sum(
        -1, keepdims=True) * h,
    "product with a matrix": lambda h, c, W, V: h @ W + c,
    "product with panels": lambda h, c, W, V: ((h + c) @ V)[..., :K].tanh(),
    "product of a turned row": lambda h, c, W, V: (h.transpose(1, 2)[:, :, 0] @ W).unsqueeze(1) + c,
    "matrix from the left": lambda h, c, W, V: W[:S, :S] @ h + c,
    "one axis cut": lambda h, c, W, V: c + h[:, 1].unsqueeze(1) * h,
    "heads": lambda h, c, W, V: h.reshape(-1, S, 2, 2).transpose(2, 3).reshape(-1, S, K) * c,
    "beside": lambda h, c, W, V: cat((h[:, :1], c[:, 1:]), 1) + cat((h[..., :1], c[..., 1:]), 2),
    "stacked": lambda h, c, W, V: stack((h[:, 0], c[:, 1], h[:, 1]), 1),
    "reversed": lambda h, c, W, V: h.flip(-1) * c.flip(1),
}  # fmt: skip


def slow(*case: Any) -> Any:
    return pytest.param(*case, marks=pytest.mark.slow)


class Formed(Cell):
    takes_context = True

    def __init__(self, form: str):
        super().__init__(2, S * K, dtype=np.float64)
        self.form, self.mix = form, Linear(2 + S * K, S * K, seed=1).to(dtype="float64")
        draw = np.random.default_rng(3).standard_normal
        self.W = tensor(draw((K, K)), requires_grad=True)
        self.V = tensor(draw((K, 9)), requires_grad=True)

    def step(self, x: Tensor, h: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        rows = self.mix(cat((x, h), -1)).reshape(-1, S, K)
        forms = FORMS.values() if self.form == "all" else [FORMS[self.form]]
        made = [form(rows, context, self.W, self.V).expand(-1, S, K) for form in forms]
        new = (sum(made[1:], made[0]) / len(made)).reshape(-1, S * K)
        new = (new + 0.1 * (self.W.sum() + self.V.sum()) * h).tanh()
        return new, new


def found(layer: Any, cell: Formed, rows: int) -> list[np.ndarray]:
    draw = np.random.default_rng(rows).standard_normal
    x, context = (tensor(draw(n), requires_grad=True) for n in ((5, rows, 2), (rows, S, K)))
    y, last = layer(x, context=context)
    loss = (y * tensor(draw(y.shape))).sum() + (last * last).sum()
    return [t.detach().numpy() for t in (y, *grad(loss, [x, context, *cell.parameters()]))]


@needs_cc
@pytest.mark.compiler
@pytest.mark.parametrize(("rows", "without"), [(3, []), slow(1, []), slow(2, ["plan", "fuse"])])
@pytest.mark.parametrize("form", ["all", *map(slow, FORMS)])
def test_rows_of_several_axes(form: str, rows: int, without: list[str]) -> None:
    cell = Formed(form)
    fast = compile(Recurrent(cell), "c", without=without)
    for a, b in zip(found(Recurrent(cell), cell, rows), found(fast, cell, rows), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-11)
    assert fast.compiled.notes == []
