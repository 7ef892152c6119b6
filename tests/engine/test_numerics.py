"""Where libraries disagree: every numerical trap has a row, and the answer is PyTorch's.

A row calls a function at the point in question and states its value and the gradient of the sum of
its results. Rows end in `warns` where NumPy itself would warn (log of 0 and the like).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, nn

NAN, INF = math.nan, math.inf


class Trap(NamedTuple):
    """`value` and `grads` (one per input) at `inputs`; None is not looked at."""

    id: str
    call: Callable
    inputs: tuple
    value: Any
    grads: tuple


def trap(id: str, call: Callable, *inputs: Any, value: Any = None, grads: Any) -> Trap:
    return Trap(id, call, inputs, value, grads if isinstance(grads, tuple) else (grads,))


def double_where(x: Tensor) -> Tensor:
    """The cure for the row before it: the slope of sqrt is never taken where x ≤ 0."""
    inside = x > 0
    return tg.where(inside, tg.where(inside, x, 1.0).sqrt(), 0.0)


BIG = [1000.0, -1000.0]
TRAPS = [
    trap("abs at 0", tg.abs, [0.0, -0.0, -2.0], value=[0, 0, 2], grads=[0, 0, -1]),
    trap("relu at 0", tg.relu, [0.0], value=[0], grads=[0]),
    trap("relu of NaN", tg.relu, [NAN, -1.0], value=[NAN, 0], grads=[1, 0]),
    trap("leaky_relu at 0", tg.leaky_relu, [0.0], value=[0], grads=[0.01]),
    trap("elu", tg.elu, [0.0, 1000.0, -1000.0], value=[0, 1000, -1], grads=[1, 1, 0]),
    trap("hardtanh at its kinks", tg.hardtanh, [-1.0, 1.0], value=[-1, 1], grads=[0, 0]),
    trap("relu6 at its kinks", tg.relu6, [0.0, 6.0], value=[0, 6], grads=[0, 0]),
    trap("hardsigmoid at its kinks", tg.hardsigmoid, [-3.0, 3.0], value=[0, 1], grads=[0, 0]),
    trap("clamp at a bound", lambda x: tg.clamp(x, -1, 1), [-1.0, 1.0, -2.0], value=[-1, 1, -1], grads=[1, 1, 0]),
    trap("clamp of NaN", lambda x: tg.clamp(x, -1, 1), [NAN], value=[NAN], grads=[0]),
    trap("sqrt at 0", tg.sqrt, [0.0], value=[0], grads=[INF]),
    trap("x**0.5 at 0", lambda x: x**0.5, [0.0], value=[0], grads=[INF]),
    trap("rsqrt at 0", tg.rsqrt, [0.0], value=[INF], grads=[-INF]),
    trap("sqrt(x*x) at 0", lambda x: (x * x).sqrt(), [0.0], value=[0], grads=[NAN]),
    trap("norm at 0", tg.norm, [0.0, 0.0], value=0, grads=[0, 0]),
    trap("norm p=3 at 0", lambda x: tg.norm(x, 3), [0.0, 0.0], value=0, grads=[0, 0]),
    trap("std of equal values", tg.std, [2.0, 2.0, 2.0], value=0, grads=[0, 0, 0]),
    trap("std ddof=0 of equal values", lambda x: tg.std(x, ddof=0), [2.0, 2.0], value=0, grads=[0, 0]),
    trap("std of one value", tg.std, [2.0], value=NAN, grads=[NAN]),
    trap("hypot at the origin", tg.hypot, [0.0], [0.0], value=[0], grads=([NAN], [NAN])),
    trap("atan2 at the origin", tg.atan2, [0.0], [0.0], value=[0], grads=([0], [0])),
    trap("log", tg.log, [0.0, -1.0], value=[-INF, NAN], grads=[INF, -1]),
    trap("log1p at -1", tg.log1p, [-1.0], value=[-INF], grads=[INF]),
    trap("max of ties", tg.max, [1.0, 3.0, 3.0], value=3, grads=[0, 0.5, 0.5]),
    trap("min of ties", tg.min, [1.0, 1.0, 3.0], value=1, grads=[0.5, 0.5, 0]),
    trap("amax of ties along an axis", lambda x: tg.amax(x, 0), [3.0, 3.0], value=3, grads=[0.5, 0.5]),
    trap("max(dim) of ties", lambda x: tg.max(x, 0).values, [3.0, 3.0], value=3, grads=[1, 0]),
    trap("min(dim) of ties", lambda x: tg.min(x, 0).values, [3.0, 3.0], value=3, grads=[1, 0]),
    trap("max with NaN", tg.max, [1.0, NAN, 3.0], value=NAN, grads=[0, 1, 0]),
    trap("max(dim) with NaN", lambda x: tg.max(x, 0).values, [1.0, NAN, 3.0], value=NAN, grads=[0, 1, 0]),
    trap("maximum of ties", tg.maximum, [1.0, 2.0], [1.0, 3.0], value=[1, 3], grads=([0.5, 0], [0.5, 1])),
    trap("minimum of ties", tg.minimum, [1.0, 2.0], [1.0, 3.0], value=[1, 2], grads=([0.5, 1], [0.5, 0])),
    trap("maximum(x, x)", lambda x: tg.maximum(x, x), [1.0, 2.0], value=[1, 2], grads=[1, 1]),
    trap("x**0 at 0", lambda x: x**0, [0.0, 2.0], value=[1, 1], grads=[0, 0]),
    trap("x**0.0 at 0", lambda x: x**0.0, [0.0, 2.0], value=[1, 1], grads=[0, 0]),
    trap("0**y", lambda y: 0.0**y, [0.0, 1.0, 2.0], value=[1, 0, 0], grads=[0, 0, 0]),
    trap("0**-1", tg.power, [0.0], [-1.0], value=[INF], grads=([-INF], [-INF])),
    trap("x**x at 0", lambda x: x**x, [0.0], value=[1], grads=[0]),
    trap("(-2)**y", lambda y: tg.power(-2.0, y), [2.0, 3.0], value=[4, -8], grads=[NAN, NAN]),
    trap("(-2)**3.0", lambda x: x**3.0, [-2.0], value=[-8], grads=[12]),
    trap("(-2)**0.5", lambda x: x**0.5, [-2.0], value=[NAN], grads=[NAN]),
    trap("where(x>0, sqrt x, 0)", lambda x: tg.where(x > 0, x.sqrt(), 0.0), [0.0, -1.0, 4.0],
         value=[0, 0, 2], grads=[NAN, NAN, 0.25]),
    trap("double where", double_where, [0.0, -1.0, 4.0], value=[0, 0, 2], grads=[0, 0, 0.25]),
    trap("masked_fill over inf", lambda x: tg.masked_fill(1 / x, tg.tensor([True, False]), 0.0), [0.0, 2.0],
         value=[0, 0.5], grads=[NAN, -0.25]),
    trap("softmax of big", lambda x: tg.softmax(x)[0], [1e4, -1e4], value=1, grads=[0, 0]),
    trap("softmax of -inf", lambda x: tg.softmax(x)[0], [0.0, 0.0, -INF], value=0.5, grads=[0.25, -0.25, 0]),
    trap("softmax of only -inf", tg.softmax, [-INF, -INF], value=[NAN, NAN], grads=[NAN, NAN]),
    trap("softmax of +inf", tg.softmax, [INF, 0.0], value=[NAN, NAN], grads=[NAN, NAN]),
    trap("masked_softmax with a row masked", lambda x: tg.masked_softmax(x, np.array([False, False])),
         [1.0, 2.0], value=[0, 0], grads=[0, 0]),
    trap("log_softmax of big", lambda x: tg.log_softmax(x)[1], [1e4, -1e4], value=-2e4, grads=[-1, 1]),
    trap("log_softmax of -inf", lambda x: tg.log_softmax(x)[0], [0.0, -INF], value=0, grads=[0, 0]),
    trap("logsumexp of only -inf", tg.logsumexp, [-INF, -INF], value=-INF, grads=[0, 0]),
    trap("logsumexp of +inf", tg.logsumexp, [INF, 0.0], value=INF, grads=[0, 0]),
    trap("logsumexp of big", tg.logsumexp, [1e4, 1e4, -INF], value=1e4 + math.log(2), grads=[0.5, 0.5, 0]),
    trap("prod with a zero", tg.prod, [0.0, 2.0, 3.0], value=0, grads=[6, 0, 0]),
    trap("prod with two zeros", tg.prod, [0.0, 0.0, 3.0], value=0, grads=[0, 0, 0]),
    trap("cumprod with a zero", tg.cumprod, [2.0, 0.0, 3.0], value=[2, 0, 0], grads=[1, 8, 0]),
    trap("cumprod with two zeros", tg.cumprod, [0.0, 0.0, 3.0], value=[0, 0, 0], grads=[1, 0, 0]),
    trap("sigmoid of big", tg.sigmoid, BIG, value=[1, 0], grads=[0, 0]),
    trap("log(sigmoid(-1000))", lambda x: tg.log(tg.sigmoid(x)), [-1000.0], value=[-INF], grads=[NAN]),
    trap("logsigmoid of big", tg.logsigmoid, BIG, value=[0, -1000], grads=[0, 1]),
    trap("softplus of big", tg.softplus, BIG, value=[1000, 0], grads=[1, 0]),
    trap("tanh of big", tg.tanh, BIG, value=[1, -1], grads=[0, 0]),
    trap("silu of -inf", tg.silu, [-INF], value=[NAN], grads=[NAN]),
    trap("gelu of inf", tg.gelu, [INF, -INF], value=[INF, NAN], grads=[NAN, NAN]),
    trap("BCE on the wrong side", lambda p: tg.binary_cross_entropy(p, tg.tensor([1.0, 0.0]), reduction="sum"),
         [0.0, 1.0], value=200, grads=[-1e12, 1e12]),
    trap("BCE with logits", lambda x: tg.binary_cross_entropy_with_logits(x, tg.tensor([0.0, 1.0]), reduction="sum"),
         BIG, value=2000, grads=[1, -1]),
    trap("cross_entropy of big", lambda x: tg.cross_entropy(x, tg.tensor(1)), [1e4, 0.0], value=1e4, grads=[1, -1]),
    trap("xlogy(0, 0)", tg.xlogy, [0.0], [0.0], value=[0], grads=([0], [NAN])),
    trap("sign", tg.sign, [0.0, 2.0, -3.0], value=[0, 1, -1], grads=[0, 0, 0]),
    trap("round", tg.round, [0.5, 1.5, -2.5], value=[0, 2, -2], grads=[0, 0, 0]),
    trap("floor", tg.floor, [0.5, -0.5], value=[0, -1], grads=[0, 0]),
    trap("trunc", tg.trunc, [0.5, -0.5], value=[0, 0], grads=[0, 0]),
    trap("ceil", tg.ceil, [0.5, -0.5], value=[1, 0], grads=[0, 0]),
    trap("fmod", tg.fmod, [5.5, -5.5], [2.0, 2.0], value=[1.5, -1.5], grads=([1, 1], [-2, 2])),
    trap("remainder", tg.remainder, [5.5, -5.5], [2.0, 2.0], value=[1.5, 0.5], grads=([1, 1], [-2, 3])),
    trap("exp(1000) * 0", lambda x: tg.exp(x) * 0, [1000.0], value=[NAN], grads=[NAN]),
    trap("var of one value", tg.var, [2.0], value=NAN, grads=[NAN]),
    trap("variance of far values", lambda x: tg.var(x), [1e8, 1e8 + 1, 1e8 + 2], value=1, grads=[-1, 0, 1]),
    trap("layer_norm of a constant row", lambda x: tg.layer_norm(x, 3), [2.0, 2.0, 2.0], value=[0, 0, 0],
         grads=[0, 0, 0]),
    trap("repeated index", lambda x: x[[0, 0, -1]], [1.0, 2.0], value=[1, 1, 2], grads=[2, 1]),
    trap("repeated gather", lambda x: tg.gather(x, 0, tg.tensor([1, 1])), [1.0, 2.0], value=[2, 2], grads=[0, 2]),
    trap("repeated embedding", lambda w: tg.embedding(tg.tensor([1, 1]), w), [[1.0], [2.0]],
         value=[[2], [2]], grads=[[0], [2]]),
    trap("dropout p=0", lambda x: tg.dropout(x, 0.0), [3.0], value=[3], grads=[1]),
    trap("dropout p=1", lambda x: tg.dropout(x, 1.0, generator=tg.Generator(0)), [3.0, INF], value=[0, 0], grads=[0, 0]),
    trap("empty sum", tg.sum, np.zeros((2, 0)), value=0, grads=np.zeros((2, 0))),
    trap("empty prod", tg.prod, np.zeros(0), value=1, grads=np.zeros(0)),
    trap("empty mean", tg.mean, np.zeros(0), value=NAN, grads=np.zeros(0)),
    trap("empty var", tg.var, np.zeros(0), value=NAN, grads=np.zeros(0)),
    trap("empty logsumexp", lambda x: tg.logsumexp(x, 0), np.zeros((0, 2)), value=[-INF, -INF], grads=np.zeros((0, 2))),
    trap("empty softmax", tg.softmax, np.zeros(0), value=np.zeros(0), grads=np.zeros(0)),
    trap("matmul with no inner axis", lambda a: a @ a.T[:, :2], np.zeros((3, 0)), value=np.zeros((3, 2)),
         grads=np.zeros((3, 0))),
    trap("cat with an empty piece", lambda a, b: tg.cat([a, b]), [1.0], np.zeros(0), value=[1], grads=([1], np.zeros(0))),
    trap("split with an empty piece", lambda x: tg.split(x, [0, 2])[1], [1.0, 2.0], value=[1, 2], grads=[1, 1]),
]  # fmt: skip
QUIET = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy on log(0), inf - inf, …


@QUIET
@pytest.mark.parametrize("row", TRAPS, ids=[t.id for t in TRAPS])
def test_trap(row, library):
    xs = [library.tensor(np.asarray(v, float)).requires_grad_() for v in row.inputs]
    if library.name != "numpy" and (
        "mask" in row.id or "BCE" in row.id or row.id[:5] in ("repea", "cross")
    ):
        pytest.skip("the row brings arrays of NumPy along")
    y = row.call(*xs)
    if row.value is not None:
        np.testing.assert_allclose(library.numpy(y), row.value, rtol=1e-12, atol=1e-300)
    y.sum().backward()
    for x, expected in zip(xs, row.grads, strict=True):
        np.testing.assert_allclose(library.numpy(x.grad), expected, rtol=1e-12, atol=1e-12)


TABLE_NAMES = """abs relu leaky_relu elu hardtanh clamp sqrt sqrt(x*x) norm std hypot log max amax
maximum x**0 0**y x**x (-2)**y (-2)**3.0 where softmax logsumexp prod cumprod sigmoid logsigmoid
softplus tanh silu BCE cross_entropy xlogy sign fmod exp(1000) var matmul repeated cat split dropout
layer_norm double_where rsqrt gelu""".split()


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_every_trap_has_a_row(name):
    assert any(t.id.startswith(name.replace("_where", " where")) for t in TRAPS)


# No warning where nothing is wrong
SAFE = "sigmoid tanh softplus logsigmoid silu elu gelu mish softmax log_softmax logsumexp relu hardtanh".split()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SAFE)
def test_big_inputs_overflow_nowhere(name, dtype):
    x = tg.tensor(np.array([1000, -1000, 88, -88, 0], dtype), requires_grad=True)
    with np.errstate(all="raise", under="ignore"):
        y = getattr(tg, name)(x)
        y.sum().backward()
    assert np.isfinite(y.detach().numpy()).all() and np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("name", ["max", "amax", "min", "amin", "argmax", "argmin"])
def test_the_extreme_of_nothing_is_an_error(name):
    with pytest.raises(ValueError, match=r"\(\) of an empty axis \(shape \(3, 0\), dim 1\)"):
        getattr(tg, name)(tg.zeros(3, 0), 1)


def test_half_precision_sums_in_single():
    x = tg.ones(4096, dtype=np.float16)
    assert x.sum().item() == 4096 and x.mean().item() == 1 and x.mean().dtype == np.float16
    far = tg.tensor(np.arange(2000) % 2 + 100, dtype=np.float16)
    assert far.var(ddof=0).item() == pytest.approx(0.25, rel=1e-2)


def test_embedding_refuses_what_indexing_allows():
    w = tg.tensor([[1.0], [2.0]])
    assert w[[-1]].tolist() == [[2.0]]
    with pytest.raises(IndexError, match="-1"):
        tg.embedding(tg.tensor([-1]), w)


def test_cat_promotes_and_each_piece_keeps_its_gradients_dtype():
    a = tg.tensor(np.ones(2, np.float32), requires_grad=True)
    b = tg.tensor(np.ones(3), requires_grad=True)
    y = tg.cat([a, b])
    y.sum().backward()
    assert (y.dtype, a.grad.dtype, b.grad.dtype) == (np.float64, np.float32, np.float64)


# Classes: ignored and wrong targets
def test_all_targets_ignored_is_zero_with_a_warning():
    x = tg.tensor([[1.0, 2.0]], requires_grad=True)
    with pytest.warns(UserWarning, match="every target is ignored"):
        loss = tg.cross_entropy(x, tg.tensor([-100]))
    loss.backward()
    assert loss.item() == 0 and x.grad.tolist() == [[0, 0]]


@pytest.mark.parametrize("target", [7, -1])
def test_a_target_out_of_range_is_named(target):
    message = (
        rf"target {target} at position \(1,\) is out of range for 3 classes \(ignore_index=-100\)"
    )
    with pytest.raises(IndexError, match=message):
        tg.cross_entropy(tg.zeros(2, 3), tg.tensor([0, target]))


def test_mse_of_shapes_that_would_broadcast_is_refused():
    with pytest.raises(ValueError, match=r"\(4,\).*\(4, 1\)"):
        tg.mse_loss(tg.zeros(4), tg.zeros(4, 1))


# Recurrent cells: gate order, and a gradient that vanishes without a murmur
def test_gates_are_in_pytorchs_order():
    lstm, gru = nn.LSTMCell(2, 3), nn.GRUCell(2, 3)
    assert list(lstm.gate_names) == ["i", "f", "g", "o"]
    assert list(gru.gate_names) == ["r", "z", "n"]


def test_a_vanished_gradient_raises_no_warning():
    """The LSTM of 100,000 steps in small: 3,000 steps whose gradient ends among the denormals."""
    with np.errstate(all="raise", under="ignore"):
        h = h0 = tg.tensor(np.full(2, 0.5, np.float32), requires_grad=True)
        for _ in range(3000):
            h = tg.tanh(h * 0.9)
        h.sum().backward()
    assert np.isfinite(h0.grad.numpy()).all() and abs(h0.grad.numpy()).max() < 1e-30


# Arrays of every kind come in, and dtypes do not drift
ODD = {
    "negative strides": np.arange(6.0)[::-1], "transposed": np.arange(6.0).reshape(2, 3).T,
    "read-only": np.broadcast_to(np.float64(2), (3,)), "big-endian": np.arange(3, dtype=">f8"),
    "0-d": np.array(2.0), "empty": np.zeros((0, 2)), "Fortran": np.asfortranarray(np.eye(3)),
}  # fmt: skip


@pytest.mark.parametrize("array", ODD.values(), ids=ODD.keys())
def test_odd_arrays_become_plain_ones(array):
    x = tg.tensor(array, requires_grad=True)
    (x * x).sum().backward()
    assert x.dtype == np.float64 and x.dtype.isnative
    np.testing.assert_array_equal(x.grad.numpy(), 2 * array)


@pytest.mark.parametrize("number", [2, 2.5, True, np.float64(2.5), np.float32(2.5), np.int64(3)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_number_does_not_change_the_dtype(number, dtype):
    x = tg.tensor(np.ones(3, dtype), requires_grad=True)
    for y in (x + number, number * x, x / number, number - x, x**number, tg.maximum(x, number)):
        assert y.dtype == dtype
    (x * number).sum().backward()
    assert x.grad.dtype == dtype


def test_integers_cannot_require_gradients():
    message = "only floating point tensors can require gradients .got int64."
    with pytest.raises(RuntimeError, match=message):
        tg.tensor([1, 2], requires_grad=True)


def test_an_array_beside_a_tensor_joins_the_graph():
    x = tg.tensor(np.ones(2), requires_grad=True)
    for y in (np.full(2, 3.0) * x, x * np.full(2, 3.0), np.float64(3) * x):
        assert isinstance(y, Tensor) and y.requires_grad and y.tolist() == [3, 3]
    with pytest.raises(RuntimeError, match="detach"):
        np.asarray(x)
    assert np.asarray(x.detach()).tolist() == [1, 1]


def test_devices_do_not_mix(library):
    if library.device == "cpu":
        return
    here, there = tg.tensor([1.0]), tg.tensor([1.0]).to(library.device)
    for call in (lambda: here + there, lambda: tg.cat([here, there]), lambda: there @ here):
        with pytest.raises(TypeError, match=r"cpu \(input \d\).*\.to\("):
            call()


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x**0, lambda x: x**0.0, lambda x: x**2, lambda x: 0.0**x, lambda x: x**x,
        lambda x: x ** tg.tensor([0.0, 1.0]), lambda x: tg.xlogy(x * 0, 1 + x),
    ],
)  # fmt: skip
def test_a_masked_corner_is_not_computed(call):
    """What a rule leaves out anyway (log 0, 0⁻¹) it does not compute either, so nothing warns."""
    x = tg.tensor([0.0, 2.0], requires_grad=True)
    with np.errstate(all="raise"):
        for create_graph in (False, True):
            (g,) = tg.grad(call(x).sum(), x, create_graph=create_graph)
            assert np.isfinite(g.detach().numpy()).all()
