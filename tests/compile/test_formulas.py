"""Every operation that C and CUDA write as a formula, at ordinary and at special values.

Each column of a cell's output is an operation on two columns of its input; values and slopes must
be those that NumPy has for the unrolled layer, with infinities and NaN where they are.
"""

from __future__ import annotations

import itertools

import gpu
import numpy as np
import pytest
from compile.test_cuda_loops import DEVICES, emulation  # noqa: F401
from compile.test_loops import needs_cc

from tinygrad_rnn import Tensor, cat, grad, no_grad, tensor, where
from tinygrad_rnn.compile import compile
from tinygrad_rnn.compile.codegen.rows import FORMULA
from tinygrad_rnn.engine.primitive import PRIMITIVES, apply_primitive
from tinygrad_rnn.nn import Cell, Recurrent

NUMBERS = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1, -1, 0.5, -2.5, 3.7, 1e-3, 80, -80, 2, -3, 1e-30]
NUMBERS += [-0.999, 700, -1e4, 87.5, -87.5, -95, -103.5, 1e5, 1e7, 1e20, -1e20, 1e30, 3e38, -3e38]
NUMBERS += [1e-40, -1e-40, 1e-45, -708.5, -740, 710]  # denormal, or their exponentials are
PAIRS = np.array([[a, b] for a in NUMBERS for b in NUMBERS])
FEW = np.array([[a, b] for a in NUMBERS for b in [a, *NUMBERS[:8]]])  # an emulated thread is slow
ELSEWHERE = {"broadcast_to", "clone", "astype"}  # these copy
NAMES = sorted({*FORMULA, "clamp"} - ELSEWHERE)


def applied(name: str, a: Tensor, b: Tensor) -> Tensor:
    if name == "where":
        return where(a > 0, a, b)
    if name == "clamp":
        return a.clamp(-1, 2)
    return apply_primitive(PRIMITIVES[name], (a, b)[: 2 if "{1}" in FORMULA[name] else 1], {})


class All(Cell):
    names = NAMES

    def __init__(self, dtype: type):
        super().__init__(2 * len(NAMES), 1, dtype=dtype)

    def start(self, batch: int, like: Tensor) -> Tensor:
        return self.blank(batch, 1, like)

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        pairs = [x[:, 2 * k : 2 * k + 2] + h * 0 for k in range(len(NAMES))]
        columns = [applied(n, p[:, :1], p[:, 1:]) for n, p in zip(NAMES, pairs, strict=True)]
        return cat([c.astype(self.dtype) * 1.0 for c in columns], -1), h


def by_numpy_and(backend: str, cell: Cell, values: np.ndarray) -> list:
    """(value, slope) from the unrolled layer in NumPy, then from the compiled one."""
    device, fast = DEVICES.get(backend, "cpu"), compile(Recurrent(cell), backend)
    pairs = []
    for way, place in ((Recurrent(cell), "cpu"), (fast, device)):
        x = tensor(values, dtype=cell.dtype, device=place, requires_grad=True)
        with np.errstate(all="ignore"):
            y = way(x)[0]
            slopes = grad(y.sum(), x)[0]
        pairs.append([t.detach().cpu().numpy()[0] for t in (y, slopes)])
    assert fast.compiled.notes == []
    if backend != "numpy":
        (kernel,) = fast.compiled.kernels.values()
        made = {i.op for all_ in kernel.program.native.values() for i in all_}
        assert made.issuperset(cell.names)
    return pairs


@needs_cc
@pytest.mark.compiler
@pytest.mark.parametrize("backend", ["numpy", "c", "emulated", gpu.CUDA])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_formulas(dtype: type, backend: str, emulation: None) -> None:  # noqa: F811
    eps, tiny = float(np.finfo(dtype).eps), float(np.finfo(dtype).smallest_subnormal)
    values = np.tile(FEW if backend == "emulated" else PAIRS, (1, len(NAMES)))[None]
    both = by_numpy_and(backend, All(dtype), values)
    for k, name in enumerate(NAMES):
        for what, plain, ours in zip(("value", "slope"), *both, strict=True):
            width = plain.shape[1] // len(NAMES)
            plain, ours = (a[:, k * width : (k + 1) * width] for a in (plain, ours))
            # 1 - y² keeps of y's last digit what is left of it near 1
            nothing = 8 * eps if (name, what) == ("tanh", "slope") else 4 * tiny
            message = f"{what} of {name}"
            np.testing.assert_allclose(ours, plain, 64 * eps, nothing, err_msg=message)
            if what == "value":
                zeros = plain == 0
                np.testing.assert_array_equal(np.signbit(ours[zeros]), np.signbit(plain[zeros]),
                                              err_msg=f"sign of 0, {message}")  # fmt: skip


class Tails(Cell):
    """σ of every entry."""

    names = ("sigmoid",)

    def __init__(self, dtype: type):
        super().__init__(1, 1, dtype=dtype)

    def start(self, batch: int, like: Tensor) -> Tensor:
        return self.blank(batch, 1, like)

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return (x + h * 0).sigmoid(), h


@needs_cc
@pytest.mark.compiler
@pytest.mark.parametrize("backend", ["numpy", "c", "emulated", gpu.CUDA])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_is_right_to_four_units_everywhere(
    dtype: type,
    backend: str,
    emulation: None,  # noqa: F811
) -> None:
    least = -104 if dtype is np.float32 else -746
    x = np.concatenate([np.linspace(least, 45, 400), np.linspace(-5, 5, 200)]).astype(dtype)
    wide = x.astype(np.longdouble)
    right = 1 / (1 + np.exp(-wide))
    for y, _ in by_numpy_and(backend, Tails(dtype), x[None, :, None]):
        units = abs(y[:, 0] - right) / np.spacing(right.astype(dtype))
        assert units.max() <= 4, x[units.argmax()]


class Extremes(Cell):
    """The largest and the smallest entry of a row."""

    def __init__(self, dtype: type):
        super().__init__(4, 1, dtype=dtype)

    def start(self, batch: int, like: Tensor) -> Tensor:
        return self.blank(batch, 1, like)

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        x = x + h * 0
        return cat([x.amax(1, keepdims=True) * 1.0, x.amin(1, keepdims=True) * 1.0], -1), h


@needs_cc
@pytest.mark.compiler
@pytest.mark.parametrize("backend", ["numpy", "c", "emulated", gpu.CUDA])
def test_extremes(backend: str, emulation: None) -> None:  # noqa: F811
    rows = np.array(list(itertools.product([np.nan, np.inf, -np.inf, -1e-40, 3], repeat=4)))
    fast = compile(Recurrent(Extremes(np.float64)), backend)
    with no_grad():
        x = tensor(rows[None], device=DEVICES.get(backend, "cpu"))
        y = fast(x)[0].cpu().numpy()[0]
    assert fast.compiled.notes == []
    np.testing.assert_array_equal(y, np.stack([rows.max(1), rows.min(1)], 1))
