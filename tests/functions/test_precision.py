"""Numbers far out, close together and special: values and slopes keep the precision they can have.

The oracle is the same function in a wider type: longdouble by formula, float64 for float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg

INF = math.inf


# The logistic function: both tails, every dtype
LEAST = {np.float16: -18, np.float32: -104, np.float64: -746}


@pytest.mark.parametrize("dtype", LEAST)
def test_sigmoid_is_right_to_four_units_everywhere(dtype):
    x = np.concatenate([np.linspace(LEAST[dtype], 60, 40000), [0.0, -0.0, INF, -INF]]).astype(dtype)
    wide = x.astype(np.longdouble)
    e = np.exp(-abs(wide))
    right = np.where(wide < 0, e, 1) / (1 + e)
    with np.errstate(all="raise", under="ignore"):
        y = tg.sigmoid(tg.tensor(x)).numpy()
    units = abs(y - right) / np.spacing(right.astype(dtype))
    assert units.max() <= 4, x[units.argmax()]


def test_the_left_tail_of_the_logistic_function_reaches_what_is_made_of_it():
    x = tg.tensor(np.float32([-17, -20, -80]), requires_grad=True)
    tail = np.exp([-17.0, -20, -80])
    np.testing.assert_allclose(tg.log(tg.sigmoid(x)).tolist(), [-17, -20, -80], 1e-6)
    np.testing.assert_allclose(tg.silu(x).tolist(), tail * [-17, -20, -80], 1e-6)
    slopes = tg.grad(tg.silu(x).sum(), x)[0].tolist()
    np.testing.assert_allclose(slopes, tail * (1 + np.array([-17, -20, -80])), 1e-5)
    assert tg.grad(tg.log(tg.sigmoid(x)).sum(), x)[0].tolist() == pytest.approx([1, 1, 1])


# Infinities that have an answer
@pytest.mark.parametrize(
    "function, at, value, slope",
    [
        (tg.softplus, INF, INF, 1), (tg.softplus, -INF, 0, 0), (tg.logsigmoid, -INF, -INF, 1),
        (tg.logsigmoid, INF, 0, 0), (tg.sigmoid, INF, 1, 0), (tg.sigmoid, -INF, 0, 0),
        (tg.tanh, INF, 1, 0), (tg.tanh, -INF, -1, 0), (tg.atan, INF, math.pi / 2, 0),
        (lambda x: tg.logaddexp(x, 3.0), INF, INF, 1), (lambda x: tg.logaddexp(3.0, x), -INF, 3, 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_infinity_has_its_limit_and_raises_no_flag(function, at, value, slope, dtype):
    x = tg.tensor(np.array([at], dtype), requires_grad=True)
    with np.errstate(all="raise", under="ignore"):
        y = function(x)
        (g,) = tg.grad(y.sum(), x)
    assert y.item() == pytest.approx(value) and g.item() == slope


@pytest.mark.parametrize(
    "values, answer",
    [([], -INF), ([-INF], -INF), ([-INF, -INF], -INF), ([INF, 0], INF), ([INF, -INF], INF),
     ([INF, INF], INF), ([-INF, 2], 2), ([[]] * 2, -INF)],
)  # fmt: skip
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_of_infinities_and_of_nothing_warns_of_nothing(values, answer, keepdims):
    x = tg.tensor(np.array(values, np.float32), requires_grad=True)
    with np.errstate(all="raise", under="ignore"):
        y = tg.logsumexp(x, -1, keepdims)
        (g,) = tg.grad(y.sum(), x)
    assert y.shape == np.any(x.detach().numpy(), -1, keepdims=keepdims).shape
    assert set(y.detach().ravel().tolist()) == {answer}
    assert np.isfinite(g.numpy()).all()


# Large, nearly equal numbers: a slope must not be the difference of two rounded values
ONE = """neg sqrt exp abs log expm1 log1p sin cos atan sinh cosh tanh sigmoid erf relu square
reciprocal rsqrt log2 log10 silu leaky_relu softplus elu gelu logsigmoid softsign
hardtanh mish relu6 tanhshrink hardsigmoid softmax softmin log_softmax cumsum mean sum
amax amin max min""".split()
TWO = """add sub mul div hypot atan2 maximum minimum fmod remainder logaddexp xlogy lerp mse_loss
l1_loss huber_loss smooth_l1_loss binary_cross_entropy_with_logits""".split()
OPTIONS: dict[str, Callable] = {
    "logsumexp": lambda x: tg.logsumexp(x, 1),
    "lerp": lambda a, b: tg.lerp(a, b, 0.999),
    "lerp to the end": lambda a, b: tg.lerp(a, b, 1.0),
    **{n: partial(getattr(tg, n), reduction="none") for n in TWO if "loss" in n},
}
LABELS = np.arange(12) % 2.0


def close_pairs(size: float) -> np.ndarray:
    """Pairs of numbers of about `size`: equal, a unit apart, opposite, far from each other."""
    m = np.float32(size)
    unit = np.spacing(m)
    one = [(m, m), (m, m + unit), (m, m - 4 * unit), (m, 1.5 * m), (m, 0), (m, 1)]
    return np.array(one + [(-a, -b) for a, b in one[:2]] + [(0, m), (m, -m), (-m, m), (1, -m)])


def results(function: Callable, arrays: list, dtype: Any) -> list[np.ndarray]:
    xs = [tg.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
    y = function(*xs)
    weights = tg.tensor(np.linspace(0.5, 1.5, math.prod(y.shape)).reshape(y.shape).astype(dtype))
    return [y.detach().numpy(), *(g.numpy() for g in tg.grad((y * weights).sum(), xs))]


@pytest.mark.parametrize("size", [1e-20, 0.1, 5, 20, 1e5, 1e7, 1e20])
@pytest.mark.parametrize("name", [*ONE, *TWO, "logsumexp", "lerp to the end"])
def test_large_and_close_numbers_keep_their_slopes(name, size):
    function = OPTIONS.get(name) or getattr(tg, name)
    pairs = close_pairs(size).astype(np.float32)
    arrays = [pairs] if name in ONE or name == "logsumexp" else [*pairs.T]
    if "logits" in name:
        arrays, function = arrays[:1], lambda x: tg.binary_cross_entropy_with_logits(
            x, tg.tensor(LABELS, dtype=x.dtype), reduction="none")  # fmt: skip
    with np.errstate(all="ignore"):
        narrow, wide = (results(function, arrays, t) for t in (np.float32, np.float64))
        for got, right in zip(narrow, wide, strict=True):
            right = right.astype(np.float32)  # may overflow there too
            real = np.isfinite(right)
            most = abs(right[real]).max(initial=0)
            scale = 1 if name in ("softmax", "softmin") else most  # there the weights decide
            np.testing.assert_allclose(got, right, 2e-5, 2e-6 * scale + 1e-44)


def test_a_forward_recursion_of_log_probabilities_keeps_its_gradient():
    """2,000 steps of log Σ exp in float32: each slope is a half, however large the numbers."""
    log_a = tg.tensor(np.float32([[-0.1, -0.2], [-0.3, -0.4]]), requires_grad=True)
    wide = tg.tensor(log_a.detach().numpy().astype(np.float64), requires_grad=True)
    slopes = []
    for a in (log_a, wide):
        h = a[0] + 1e4
        for _ in range(2000):
            h = tg.logaddexp(h[0] + a[0], h[1] + a[1])
        slopes.append(tg.grad(h.sum(), a)[0].numpy())
    np.testing.assert_allclose(slopes[0], slopes[1], 1e-3)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_cross_entropy_with_logits_keeps_the_slope_of_a_sure_and_right_answer(label):
    x = tg.tensor(np.float32([20, 50]) * (1 if label else -1), requires_grad=True)
    loss = tg.binary_cross_entropy_with_logits(x, tg.ones(2) * label, reduction="sum")
    loss.backward()
    np.testing.assert_allclose(loss.item(), math.exp(-20), 1e-6)
    expected = np.exp([-20.0, -50]) * (-1 if label else 1)
    np.testing.assert_allclose(x.grad.numpy(), expected, 1e-6)


# No overflow where the answer is a number
SAFE = """sigmoid tanh softplus logsigmoid silu elu gelu mish softmax log_softmax logsumexp relu
hardtanh softsign hardsigmoid leaky_relu atan erf""".split()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SAFE)
def test_the_largest_numbers_raise_no_flag(name, dtype):
    far = [1e5, 1e7, 1e20, 1e30, 1e38]
    x = tg.tensor(np.array([*far, *(-v for v in far), 0, 1e-40], dtype), requires_grad=True)
    with np.errstate(all="raise", under="ignore"):
        y = getattr(tg, name)(x)
        (g,) = tg.grad(y, x, tg.ones_like(y))
    assert np.isfinite(y.detach().numpy()).all() and np.isfinite(g.numpy()).all()


MANY_ONES = tg.tensor(np.ones((2, 4096), np.float16))
SUMS = {
    "matmul": lambda x: x @ x.T,
    "batched": lambda x: x[None].expand(3, 2, 4096) @ x.T,
    "einsum": lambda x: tg.einsum("it,jt->ij", x, x),
    "inner first": lambda x: tg.einsum("it,tj->ij", x, tg.tensor(x.numpy().T.copy())),
    "dot": lambda x: x[0].dot(x[1]),
    "linear": lambda x: tg.nn.functional.linear(x, x),
    "sum": lambda x: x[0].sum(),
    "cumsum": lambda x: x[0].cumsum(0)[-1],
}


@pytest.mark.parametrize("name", SUMS)
def test_half_precision_adds_up_in_single(name):
    """1 + 1 + … in float16 would stop at 2,048: 2,049 is no number of it."""
    y = SUMS[name](MANY_ONES)
    assert y.dtype == np.float16 and (y.numpy() == 4096).all()
