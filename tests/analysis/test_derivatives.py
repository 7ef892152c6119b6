"""vjp, jvp, jacobian, hessian, hvp against each other; checkpoint and detect_anomaly."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, checkpoint, detect_anomaly, hessian, hvp, jacobian, jvp, scope, vjp

RNG = np.random.default_rng(0)
A, X = RNG.normal(size=(3, 3)), RNG.normal(size=3)


def leaf(a: np.ndarray) -> Tensor:
    return tg.tensor(a, requires_grad=True)


def wave(x: Tensor) -> Tensor:
    return tg.tanh(tg.tensor(A) @ x) * x.sum()


def energy(x: Tensor) -> Tensor:
    return (x**3).sum() + (x @ tg.tensor(A)) @ x


# Derivatives of functions
def test_the_jacobian_by_hand():
    j = jacobian(lambda x: x * x, tg.tensor(X))
    np.testing.assert_allclose(j.numpy(), np.diag(2 * X))
    assert not j.requires_grad


def test_jvp_and_vjp_are_the_jacobian_from_either_side():
    x, v = tg.tensor(X), RNG.normal(size=3)
    j = jacobian(wave, x).numpy()
    value, forward = jvp(wave, x, tg.tensor(v))
    np.testing.assert_allclose(forward.numpy(), j @ v, rtol=1e-12)
    np.testing.assert_allclose(value.numpy(), wave(x).numpy())
    _, back = vjp(wave, x, tg.tensor(v))
    np.testing.assert_allclose(back.numpy(), v @ j, rtol=1e-12)


def test_the_hessian_and_its_product():
    x, v = tg.tensor(X), tg.tensor(RNG.normal(size=3))
    h = hessian(energy, x).numpy()
    np.testing.assert_allclose(h, np.diag(6 * X) + A + A.T, rtol=1e-12)
    value, product = hvp(energy, x, v)
    np.testing.assert_allclose(product.numpy(), h @ v.numpy(), rtol=1e-12)
    assert value.item() == pytest.approx(energy(x).item())


def test_shapes_of_jacobians():
    x, y = tg.tensor(np.ones((2, 3))), tg.tensor(np.ones(()))
    both = jacobian(lambda x, y: x.sum(0) * y, (x, y))
    assert [b.shape for b in both] == [(3, 2, 3), (3,)]
    assert jacobian(lambda x: x.sum(), x).shape == (2, 3)
    assert jacobian(lambda x: x[:0], x).shape == (0, 3, 2, 3)
    assert jacobian(lambda x: tg.ones(2), x).tolist() == np.zeros((2, 2, 3)).tolist()


def test_linear_functions_have_no_curvature():
    x, v = tg.tensor(X), tg.tensor(X)
    assert hessian(lambda x: x.sum() * 3, x).tolist() == np.zeros((3, 3)).tolist()
    assert hvp(lambda x: x.sum() * 3, x, v)[1].tolist() == [0, 0, 0]
    np.testing.assert_allclose(jvp(lambda x: x * 2, x, v)[1].numpy(), 2 * X)
    assert jvp(lambda x: tg.tensor(X) * 1, x, v)[1].tolist() == [0, 0, 0]


def test_several_inputs_and_outputs():
    def both(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x * y, x.sum()

    x, y = tg.tensor(X), tg.tensor(X + 1)
    outs, pulled = vjp(both, (x, y), (tg.ones(3, dtype=float), tg.tensor(np.array(2.0))))
    assert len(outs) == 2 and len(pulled) == 2
    np.testing.assert_allclose(pulled[0].numpy(), X + 1 + 2)
    outs, pushed = jvp(both, (x, y), (tg.ones(3, dtype=float), tg.zeros(3, dtype=float)))
    np.testing.assert_allclose(pushed[0].numpy(), X + 1)
    assert pushed[1].item() == pytest.approx(3)


def test_nothing_is_left_behind():
    x = leaf(X)
    for found in (jacobian(wave, x), hessian(energy, x), *hvp(energy, x, x), *jvp(wave, x, x)):
        assert not found.requires_grad
    assert x.grad is None


def test_they_work_within_no_grad(library):
    x = library.tensor(X)
    with tg.no_grad():
        j = jacobian(lambda x: x * x, x)
        _, v = vjp(lambda x: (x * x).sum(), x)
    np.testing.assert_allclose(library.numpy(j), np.diag(2 * X))
    np.testing.assert_allclose(library.numpy(v), 2 * X)


def test_a_jacobian_can_be_differentiated():
    x = leaf(X)
    trace = (jacobian(lambda x: x**3, x, create_graph=True) * tg.eye(3, dtype=float)).sum()
    (g,) = tg.grad(trace, x)
    np.testing.assert_allclose(g.numpy(), 6 * X, rtol=1e-12)


def test_the_hessian_of_a_recurrent_network_is_symmetric():
    def loss(w: Tensor) -> Tensor:
        h = tg.tensor(X)
        for _ in range(3):
            h = tg.tanh(w @ h)
        return (h * h).sum()

    h = hessian(loss, tg.tensor(A)).numpy().reshape(9, 9)
    np.testing.assert_allclose(h, h.T, atol=1e-12)


# checkpoint: the same numbers, fewer of them kept
def block(w: Tensor, h: Tensor) -> Tensor:
    for _ in range(3):
        h = tg.tanh(w @ h) + h
    return h


def losses(through: bool) -> tuple[list, float]:
    w, x = leaf(A), leaf(X)
    h = x
    for _ in range(3):
        h = checkpoint(block, w, h) if through else block(w, h)
    loss = (h * h).sum()
    loss.backward()
    return [w.grad.numpy(), x.grad.numpy()], loss.item()


def test_a_checkpoint_changes_no_bit():
    plain, value = losses(False)
    saved, same = losses(True)
    assert value == same
    for a, b in zip(plain, saved, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


def test_a_checkpoint_keeps_only_its_inputs():
    w, x = leaf(A), leaf(X)
    y = checkpoint(block, w, x)
    nodes = [n for n in tg.toposort(y.node) if n.op]
    assert {n.op.name for n in nodes} <= {"checkpoint", "unpack"}
    assert sum(n.op.name == "checkpoint" for n in nodes) == 1


def test_gradients_reach_what_the_function_uses_unasked():
    w, x, inner = leaf(A), leaf(X), leaf(X)
    made = inner * 2  # not a leaf
    y = checkpoint(lambda x: tg.tanh(w @ x) * made, x)
    y.sum().backward()
    expected = tg.grad((tg.tanh(w @ x) * inner * 2).sum(), [w, x, inner])
    for t, g in zip((w, x, inner), expected, strict=True):
        np.testing.assert_allclose(t.grad.numpy(), g.numpy(), rtol=1e-12)


def test_a_checkpoint_has_higher_derivatives():
    w, x = leaf(A), leaf(X)
    assert tg.gradcheck(lambda w, x: checkpoint(block, w, x), (w, x), rtol=1e-6, atol=1e-8)
    assert tg.gradgradcheck(lambda w, x: checkpoint(block, w, x), (w, x), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("nested", [False, True])
def test_dropout_in_a_checkpoint_draws_the_same_mask(nested):
    source = tg.Generator(0)
    x, w = leaf(np.ones(64)), leaf(np.full(64, 3.0))

    def noisy(x: Tensor) -> Tensor:
        return tg.dropout(x * w, 0.5, generator=source) * x

    y = checkpoint(lambda x: checkpoint(noisy, x) * 1, x) if nested else checkpoint(noisy, x)
    after = source.state
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * y.detach().numpy())
    np.testing.assert_allclose(w.grad.numpy(), y.detach().numpy() / 3)
    assert source.state == after  # running again drew nothing from the generator
    assert 0 < (y.detach().numpy() == 0).sum() < 64


def test_a_checkpoint_of_several_outputs_and_dtypes():
    x = leaf(X)
    y, z, n = checkpoint(lambda x: (x * x, (x * 3).sum(), x.float()), x)
    assert (y.shape, z.shape, n.dtype) == ((3,), (), np.float32)
    (y.sum() + z + n.sum()).backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * X + 4, rtol=1e-6)


def test_hooks_on_what_a_checkpoint_uses_hear_of_a_gradient_once():
    x, w = leaf(np.ones(3)), leaf(np.ones(3))
    made = x * 1
    for t in (x, w, made):
        t.register_hook(lambda g: g * 2)
    checkpoint(lambda made: made * w * 3, made).sum().backward()
    assert x.grad.tolist() == [12.0] * 3 and w.grad.tolist() == [6.0] * 3


def test_a_weight_changed_under_a_checkpoint_is_an_error():
    w, x = leaf(A), leaf(X)
    y = checkpoint(lambda x: w @ x, x)
    w.data = w.data * 1.01
    with pytest.raises(RuntimeError, match="a tensor it uses was changed since"):
        y.sum().backward()
    assert w.grad is None and x.grad is None


def test_an_input_changed_under_a_checkpoint_does_no_harm():
    x = leaf(X)
    y = checkpoint(lambda x: x * x, x)
    x.data = x.data * 100
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * X)


def test_numbers_drawn_elsewhere_in_a_checkpoint_are_an_error():
    rng, x = np.random.default_rng(0), leaf(X)
    y = checkpoint(lambda x: x * rng.normal(), x)
    with pytest.raises(RuntimeError, match="not from a Generator"):
        y.sum().backward()


def test_a_checkpoint_that_records_nothing_is_the_plain_call():
    x = leaf(X)
    with tg.no_grad():
        assert not checkpoint(lambda x: x * 2, x).requires_grad
    assert not checkpoint(lambda: tg.ones(2)).requires_grad
    assert checkpoint(lambda x: x, x).requires_grad


# detect_anomaly: which operation, in which scope, on which line
def test_the_first_bad_value_is_named_with_its_line():
    x = leaf(np.array([1.0, 0.0]))
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as caught, detect_anomaly():
        y = x * 2
        with scope("cell", step=3, gate="forget"):
            y = tg.log(y)  # the culprit
        y * 0
    told = str(caught.value)
    assert "first non-finite value: log in cell.step=3.gate=forget" in told
    line = int(re.search(r"test_derivatives\.py:(\d+)", told)[1])
    with open(__file__) as file:
        assert "the culprit" in file.readlines()[line - 1]
    assert "1 of 2 entries" in told


def test_the_first_bad_gradient_is_named_with_its_line():
    x = leaf(np.array([4.0, 0.0]))
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as caught, detect_anomaly():
        with scope("cell", step=3):
            y = tg.sqrt(x)  # finite, but not its slope
        (y * 2).sum().backward()
    told = str(caught.value)
    assert "first non-finite gradient (of input 0): sqrt in cell.step=3" in told
    line = int(re.search(r"test_derivatives\.py:(\d+)", told)[1])
    with open(__file__) as file:
        assert "not its slope" in file.readlines()[line - 1]
    assert x.grad is None


def test_anomaly_mode_changes_no_number_and_ends():
    x = leaf(X)
    with detect_anomaly():
        energy(x).backward()
    watched = x.grad.tolist()
    x.grad = None
    energy(x).backward()
    assert x.grad.tolist() == watched
    with np.errstate(all="ignore"):
        assert np.isinf(tg.log(x * 0).detach().numpy()).all()


def test_a_masks_infinity_is_no_anomaly():
    x = leaf(np.arange(16.0).reshape(1, 1, 4, 4))
    with detect_anomaly():
        tg.max_pool2d(x, 3, stride=1, padding=1).sum().backward()
        scores = tg.masked_fill(x, x % 4 > 1, -np.inf)
        tg.softmax(scores).sum().backward()
    with (
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match=r"softmax.*4 of 4 entries"),
        detect_anomaly(),
    ):
        tg.softmax(tg.masked_fill(x[0, 0, 0], x[0, 0, 0] > -1, -np.inf))


def test_anomaly_is_also_seen_where_no_gradient_is_needed():
    with (
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match="div"),
        detect_anomaly(),
    ):
        tg.ones(2) / tg.zeros(2)


def test_anomaly_is_seen_in_gradients_of_gradients():
    x = leaf(np.array([0.0]))
    with (
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match="first non-finite"),
        detect_anomaly(),
    ):
        (g,) = tg.grad((x**1.5).sum(), x, create_graph=True)
        g.sum().backward()
