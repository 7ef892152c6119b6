"""backward, grad, hooks, recording: what arrives where, in which dtype and shape, and how often."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, grad, no_grad, tensor


def leaf(*values: float, dtype: Any = np.float64) -> Tensor:
    return tensor(np.array(values, dtype), requires_grad=True)


# Which tensors get a gradient
def test_gradients_add_up_in_leaves():
    x = leaf(1.0, 2.0)
    (x * 3).sum().backward()
    (x * x).sum().backward()
    assert x.grad.tolist() == [5, 7] and not x.grad.requires_grad
    x.grad = None
    assert x.grad is None


def test_shared_and_repeated_use():
    x = leaf(3.0)
    a = x * x
    y = a * a + a + x  # x⁴ + x² + x
    y.sum().backward()
    assert x.grad.tolist() == [4 * 27 + 2 * 3 + 1]


def test_only_leaves_keep_a_gradient_unless_asked():
    x = leaf(1.0, 2.0)
    h, k = x * 2, x * 5
    k.retain_grad()
    (h * k).sum().backward()
    assert h.grad is None and k.grad.tolist() == [2, 4] and x.grad.tolist() == [20, 40]
    with pytest.raises(RuntimeError, match="requires_grad=False"):
        tensor([1.0]).retain_grad()


def test_constants_and_detached_values_get_none():
    x, c = leaf(1.0, 2.0), tensor(np.array([3.0, 4.0]))
    (x * c * x.detach()).sum().backward()
    assert x.grad.tolist() == [3, 8] and c.grad is None


def test_a_scalar_leaf_is_its_own_result():
    x = leaf(2.0)
    x.backward()
    assert x.grad.tolist() == [1]


def test_requires_grad_can_be_turned_off_and_on():
    x = leaf(1.0)
    x.requires_grad = False
    assert not (x * 2).requires_grad
    x.requires_grad_()
    (x * 2).backward()
    assert x.grad.tolist() == [2]
    with pytest.raises(RuntimeError, match=r"leaf tensors; use detach\(\)"):
        (x * 2).requires_grad = False


# The gradient that backward starts with
def test_a_result_of_many_numbers_needs_a_gradient():
    x = leaf(1.0, 2.0)
    with pytest.raises(
        RuntimeError, match="grad can be implicitly created only for scalar outputs"
    ):
        (x * 2).backward()
    (x * 2).backward(tensor(np.array([1.0, 10.0])))
    assert x.grad.tolist() == [2, 20]
    with pytest.raises(RuntimeError, match=r"\(3,\).*\(2,\)"):
        (x * 2).backward(tensor(np.ones(3)))
    with pytest.raises(RuntimeError, match="does not require grad"):
        tensor(1.0).backward()


def test_the_starting_gradient_may_have_another_dtype_and_is_not_kept():
    x = leaf(1.0, 2.0)
    start = np.ones(2, np.float32)
    y = x * 1
    y.backward(tensor(start))
    assert x.grad.dtype == np.float64


# grad()
def test_grad_leaves_dot_grad_alone():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    found = grad((x * w).sum(), [x, w])
    assert [g.tolist() for g in found] == [[3, 4], [1, 2]] and x.grad is None


def test_grad_of_several_outputs_and_weights():
    x = leaf(2.0)
    (g,) = grad([x * x, x * 3], x, [tensor(np.array([10.0])), None])
    assert g.tolist() == [43]
    (g,) = grad([x * x] * 2, x)
    assert g.tolist() == [8]


def test_grad_with_respect_to_what_was_computed():
    x = leaf(2.0)
    h = x * x
    y = h * h
    gh, gx = grad(y, [h, x])
    assert gh.tolist() == [8] and gx.tolist() == [32]


def test_an_unused_input_is_an_error_unless_allowed():
    x, other = leaf(1.0), leaf(1.0)
    with pytest.raises(RuntimeError, match=r"input 1 was not used.*allow_unused=True"):
        grad(x * 2, [x, other])
    assert grad(x * 2, [x, other], allow_unused=True)[1] is None
    with pytest.raises(RuntimeError, match=r"input 0.*does not require grad"):
        grad(x * 2, tensor([1.0]))


def test_only_the_way_to_the_inputs_is_walked():
    x, w = leaf(1.0), leaf(2.0)
    called = []
    h = w * 2
    h.register_hook(called.append)
    grad(x * 3 + h, x)
    assert not called


# Orders of differentiation
def test_five_derivatives_of_a_polynomial():
    x = leaf(2.0)
    y = x**5
    for expected in (80, 160, 240, 240, 120):
        (y,) = grad(y.sum(), x, create_graph=True)
        assert y.tolist() == [expected]
    assert grad(y.sum(), x, allow_unused=True)[0].item() == 0


def test_derivatives_of_sine_go_round():
    x = leaf(0.3, 1.2)
    y = tg.sin(x)
    for f in (np.cos, lambda a: -np.sin(a), lambda a: -np.cos(a), np.sin):
        (y,) = grad(y.sum(), x, create_graph=True)
        np.testing.assert_allclose(y.detach().numpy(), f(np.array([0.3, 1.2])), rtol=1e-12)


def test_backward_with_a_graph_of_its_own():
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    assert x.grad.requires_grad and x.grad.tolist() == [12]
    g, x.grad = x.grad, None
    (g * x).backward()  # d/dx 3x³
    assert x.grad.tolist() == [36]


def test_the_gradient_penalty_of_a_network():
    rng = np.random.default_rng(0)
    w, x = (tensor(rng.normal(size=(3, 3)), requires_grad=True) for _ in range(2))

    def penalty(w: Tensor, x: Tensor) -> Tensor:
        (g,) = grad(tg.tanh(x @ w).sum(), x, create_graph=True)
        return (g * g).sum()

    assert tg.gradcheck(penalty, (w, x), rtol=1e-5, atol=1e-7)


# Hooks
def test_hooks_see_and_replace_the_whole_gradient():
    x = leaf(1.0, 2.0)
    h = x * 2
    seen = []
    h.register_hook(lambda g: seen.append(g.tolist()))
    double = h.register_hook(lambda g: g * 10)
    (h + h * 2).sum().backward(retain_graph=True)
    assert seen == [[3, 3]] and x.grad.tolist() == [60, 60]
    double.remove()
    double.remove()  # a second time does no harm
    x.grad = None
    h.sum().backward()
    assert seen == [[3, 3], [1, 1]] and x.grad.tolist() == [2, 2]


def test_hooks_on_a_leaf_and_in_order():
    x = leaf(1.0)
    x.register_hook(lambda g: g + 1)
    x.register_hook(lambda g: g * 10)
    (x * 2).backward()
    assert x.grad.tolist() == [30]
    assert grad(x * 2, x)[0].tolist() == [30]


@pytest.mark.parametrize(
    ("answer", "error"), [(tensor([1.0, 2.0, 3.0]), ValueError), (3.0, TypeError)]
)
def test_a_hook_must_return_a_gradient(answer, error):
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: answer)
    with pytest.raises(error, match="hook"):
        (x * 2).sum().backward()


def test_a_hook_keeps_the_leafs_dtype_and_reaches_higher_orders():
    x = leaf(1.0, dtype=np.float32)
    x.register_hook(lambda g: tensor(np.array([5.0])))
    (x * 2).backward()
    assert x.grad.dtype == np.float32
    y = leaf(2.0)
    y.register_hook(lambda g: g * g)
    (g,) = grad(y * y * y, y, create_graph=True)
    assert g.tolist() == [144] and grad(g, y)[0].tolist() == [(2 * 12 * 12) ** 2]


def test_hooks_need_a_gradient():
    with pytest.raises(RuntimeError, match="doesn't require gradient"):
        tensor([1.0]).register_hook(print)


# Dtypes and shapes of gradients
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 3), (0, 2)], ids=str)
def test_a_gradient_is_like_its_leaf(library, dtype, shape):
    x = library.tensor(np.ones(shape), dtype=dtype).requires_grad_()
    wide = library.tensor(np.ones((4, *shape)))
    y = (x * wide + x.sum() * 2).sum() + x.reshape(-1).sum()
    y.backward()
    assert x.grad.shape == shape and x.grad.dtype == dtype and x.grad.device == library.device
    again = tg.grad((x * wide).sum(), x, create_graph=True)[0]
    assert again.shape == shape and again.dtype == dtype


def test_in_place_sums_touch_nothing_shared():
    """What two leaves receive may be one array; adding into one must not change the other."""
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = a + b
    (y.sum() + (a * 5).sum() + (a * 7).sum()).backward()
    assert a.grad.tolist() == [13, 13] and b.grad.tolist() == [1, 1]
    start = tensor(np.ones(2))
    z = a * 1
    (z + z + z).backward(start)
    assert start.tolist() == [1, 1]


def test_weights_used_at_many_steps_are_summed_once(library):
    """Products with weights and slices of a sequence wait to be summed; the sum must be right."""
    rng = np.random.default_rng(0)
    w, xs, b = rng.normal(size=(3, 3)), rng.normal(size=(300, 2, 3)), rng.normal(size=3)

    def loss(w: Tensor, xs: Tensor, b: Tensor, steps: int = 300) -> Tensor:
        h = xs[0] * 0
        for t in range(steps):
            h = tg.tanh(h @ w + xs[t] + b) * 0.5
        return (h @ w.T + w.sum()).sum()

    ts = [library.tensor(v).requires_grad_() for v in (w, xs, b)]
    plain = grad(loss(*ts), ts, create_graph=True)  # on Tensors nothing is postponed
    loss(*ts).backward()
    for x, g in zip(ts, plain, strict=True):
        np.testing.assert_allclose(library.numpy(x.grad), library.numpy(g), rtol=1e-9, atol=1e-12)
    if library.name == "numpy":
        small = [tensor(v, requires_grad=True) for v in (w, xs[:3], b)]
        assert tg.gradcheck(lambda *a: loss(*a, steps=3), small, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("use", [
    lambda w, x: x @ w.T, lambda w, x: x @ w.reshape(3, 3), lambda w, x: x @ (w * 1), lambda w,
        x: (x @ w) @ w,
    lambda w, x: x @ w.permute(1, 0).permute(1, 0), lambda w, x: x @ w.movedim(0, 0), lambda w,
        x: x @ w[1:].T,
    lambda w, x: x @ tg.cat([w, w], 1), lambda w, x: x @ w.expand(3, 3), lambda w,
        x: x.reshape(1, 2, 3) @ w,
])  # fmt: skip
def test_postponed_products_pass_through_every_shape(use):
    rng = np.random.default_rng(1)
    w, x = tensor(rng.normal(size=(3, 3)), requires_grad=True), tensor(rng.normal(size=(2, 3)))
    assert tg.gradcheck(
        lambda w: use(w, x) * tensor(rng_weights(use(w, x).shape)), w, rtol=1e-6, atol=1e-8
    )


def rng_weights(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(2).normal(size=shape)


# Modes
def test_no_grad_and_enable_grad_nest():
    x = leaf(1.0)
    with no_grad():
        assert not (x * 2).requires_grad
        with tg.enable_grad():
            assert (x * 2).requires_grad
        assert not tg.is_grad_enabled()
    assert tg.is_grad_enabled()


# What backward recorded
@pytest.mark.parametrize("record", ["norm", "full"])
def test_what_flowed_adds_up_at_every_node(record):
    w, x = tensor(np.eye(2) * 0.5, requires_grad=True), leaf(1.0, 2.0)
    h = x
    for t in range(3):
        with tg.scope("rnn", step=t):
            h = tg.tanh(w @ h + x)
    loss = (h * h).sum()
    flow = loss.backward(record=record)
    assert loss.node.record is flow and flow.order[0] is loss.node
    assert set(flow.order) == {n for n in tg.toposort(loss.node) if n.needs}
    assert [n.index for n in flow.order] == sorted((n.index for n in flow.order), reverse=True)
    arriving: dict[Any, Any] = {}
    for n in flow.order:
        assert len(flow.edges[n]) == len(n.parents)
        for parent, share in zip(n.parents, flow.edges[n], strict=True):
            if parent is not None and parent.needs:
                arriving.setdefault(parent, []).append(share)
    for n, shares in arriving.items():
        if record == "full":
            assert flow.nodes[n].shape == n.shape
            np.testing.assert_allclose(flow.nodes[n], np.sum(shares, 0), rtol=1e-12)
        else:
            assert flow.nodes[n] <= np.sum(shares) + 1e-12 and isinstance(flow.nodes[n], float)
    total = flow.nodes[w.node]
    expected = w.grad.numpy()
    assert np.allclose(total, expected if record == "full" else np.linalg.norm(expected))


def test_recording_keeps_the_graph_and_changes_no_gradient():
    x = leaf(1.0, 2.0)
    loss = (tg.exp(x) * x).sum()
    loss.backward(record="norm")
    recorded = x.grad.tolist()
    x.grad = None
    loss.backward()
    assert x.grad.tolist() == recorded
    with pytest.raises(ValueError, match="'norm' or 'full'"):
        (x * 2).sum().backward(record="everything")


def test_a_constant_beside_tensors_lends_the_rules_its_shape():
    x = tg.tensor([[1.0, 2.0]], requires_grad=True)
    y = tg.cat([np.zeros((3, 2), np.float32), x, np.zeros((1, 2), np.float32), 2 * x])
    (g,) = tg.grad((y * y).sum(), x)
    assert g.tolist() == [[10.0, 20.0]]  # of x² + (2 x)²
