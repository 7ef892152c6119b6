"""Every operation that C and CUDA write as a formula, at ordinary and at special values.

Each column of a cell's output is an operation on two columns of its input; values and slopes must
be those that NumPy has for the unrolled layer, with infinities and NaN where they are.
"""

from __future__ import annotations

import gpu
import numpy as np
import pytest
from compile.test_cuda_loops import DEVICES, emulation  # noqa: F401
from compile.test_loops import needs_cc

from tinygrad_rnn import Tensor, cat, grad, tensor, where
from tinygrad_rnn.compile import compile
from tinygrad_rnn.compile.codegen.rows import FORMULA
from tinygrad_rnn.engine.primitive import PRIMITIVES, apply_primitive
from tinygrad_rnn.nn import Cell, Recurrent

NUMBERS = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1, -1, 0.5, -2.5, 3.7, 1e-3, 80, -80, 2, -3, 1e-30]
NUMBERS += [-0.999, 700, -1e4]
PAIRS = np.array([[a, b] for a in NUMBERS for b in NUMBERS])
ELSEWHERE = {"broadcast_to", "clone", "astype"}  # these copy
NAMES = sorted({*FORMULA, "clamp"} - ELSEWHERE)


def applied(name: str, a: Tensor, b: Tensor) -> Tensor:
    if name == "where":
        return where(a > 0, a, b)
    if name == "clamp":
        return a.clamp(-1, 2)
    return apply_primitive(PRIMITIVES[name], (a, b)[: 2 if "{1}" in FORMULA[name] else 1], {})


class All(Cell):
    def __init__(self, dtype: type):
        super().__init__(2 * len(NAMES), 1, dtype=dtype)

    def start(self, batch: int, like: Tensor) -> Tensor:
        return self.blank(batch, 1, like)

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        pairs = [x[:, 2 * k : 2 * k + 2] + h * 0 for k in range(len(NAMES))]
        columns = [applied(n, p[:, :1], p[:, 1:]) for n, p in zip(NAMES, pairs, strict=True)]
        return cat([c.astype(self.dtype) * 1.0 for c in columns], -1), h


@needs_cc
@pytest.mark.compiler
@pytest.mark.parametrize("backend", ["c", "emulated", gpu.CUDA])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_formulas(dtype: type, backend: str, emulation: None) -> None:  # noqa: F811
    device, eps = DEVICES.get(backend, "cpu"), float(np.finfo(dtype).eps)
    fast = compile(Recurrent(All(dtype)), backend)
    values, found = np.tile(PAIRS, (1, len(NAMES)))[None], []
    for way, place in ((Recurrent(All(dtype)), "cpu"), (fast, device)):  # by NumPy, and by us
        x = tensor(values, dtype=dtype, device=place, requires_grad=True)
        with np.errstate(all="ignore"):
            y = way(x)[0]
            slopes = grad(y.sum(), x)[0]
        found.append([t.detach().cpu().numpy()[0] for t in (y, slopes)])
    (kernel,) = fast.compiled.kernels.values()
    made = {i.op for all_ in kernel.program.native.values() for i in all_}
    assert made.issuperset(NAMES) and fast.compiled.notes == []
    for k, name in enumerate(NAMES):
        for plain, ours in zip(*found, strict=True):
            width = plain.shape[1] // len(NAMES)
            plain, ours = (a[:, k * width : (k + 1) * width] for a in (plain, ours))
            np.testing.assert_allclose(ours, plain, 100 * eps, 8 * eps, err_msg=name)
