"""Functions of chance, of shapes alone, and with functions as arguments: no table records them."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as t
from tinygrad_rnn.nn import functional as F

RNG = np.random.default_rng(0)


def real(*shape: int) -> t.Tensor:
    return t.tensor(RNG.normal(size=shape), requires_grad=True)


def test_attention_is_a_mean_of_the_values_by_softmax():
    q, k, v = real(2, 5, 4), real(2, 7, 4), real(2, 7, 3)
    seen = t.tensor(RNG.random((5, 7)) < 0.7)
    found = F.scaled_dot_product_attention(q, k, v, seen)
    scores = np.where(
        seen.numpy(), q.detach().numpy() @ k.detach().numpy().swapaxes(1, 2) / 2, -np.inf
    )
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    np.testing.assert_allclose(found.detach().numpy(), weights @ v.detach().numpy(), rtol=1e-12)
    added = F.scaled_dot_product_attention(q, k, v, t.where(seen, 0.0, -np.inf).double())
    np.testing.assert_allclose(added.detach().numpy(), found.detach().numpy(), rtol=1e-12)
    assert t.gradcheck(lambda *x: F.scaled_dot_product_attention(*x), [q, k, v])


def test_causal_attention_sees_nothing_later():
    q, k, v = real(1, 4, 2), real(1, 4, 2), real(1, 4, 2)
    y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    np.testing.assert_allclose(y[0, 0].detach().numpy(), v[0, 0].detach().numpy())
    (g,) = t.grad(y[0, 1].sum(), [v])
    assert not g.numpy()[0, 2:].any() and g.numpy()[0, :2].any()
    with pytest.raises(ValueError, match="is_causal is a mask"):
        F.scaled_dot_product_attention(q, k, v, t.ones(4, 4), is_causal=True)


def test_gumbel_softmax_draws_each_class_by_its_probability():
    t.manual_seed(0)
    p = np.array([0.1, 0.2, 0.7])
    logits = t.tensor(np.log(np.tile(p, (4000, 1))), requires_grad=True)
    hard = t.gumbel_softmax(logits, tau=0.5, hard=True)
    np.testing.assert_array_equal(hard.detach().numpy().sum(1).round(12), 1)
    counts = hard.detach().numpy().sum(0)
    assert ((counts - 4000 * p) ** 2 / (4000 * p)).sum() < 13.8  # χ² with 2 degrees, 0.001
    assert np.abs(t.grad((hard * t.arange(3)).sum(), [logits])[0].numpy()).max() > 0


def test_shapes_and_products_of_several():
    assert t.broadcast_shapes((2, 1), (3,)) == (2, 3)
    a, b, c = real(2, 3), real(3, 4), real(4, 1)
    np.testing.assert_allclose(t.chain_matmul(a, b, c).tolist(), (a @ b @ c).tolist())
    assert a.is_same_size(real(2, 3)) and not a.is_same_size(b)
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(t.vander(t.tensor(x)).numpy(), np.vander(x))
    np.testing.assert_allclose(t.logspace(0, 2, 3).numpy(), [1, 10, 100])
    assert t.result_type(t.ones(2), t.ones(2).double()) == t.float64


def test_a_triplet_with_the_usual_distance_is_the_usual_triplet():
    x = real(3, 4), real(3, 4), real(3, 4)
    found = F.triplet_margin_with_distance_loss(*x, margin=2.0, swap=True)
    assert found.item() == F.triplet_margin_loss(*x, margin=2.0, swap=True).item()
