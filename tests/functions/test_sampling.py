"""Random Tensors under PyTorch's names: their distributions, the default Generator, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as t


@pytest.fixture(autouse=True)
def seeded():
    t.manual_seed(0)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: t.randn(3, 2),
        lambda: t.rand((3, 2)),
        lambda: t.randint(5, (3, 2)),
        lambda: t.randperm(6),
        lambda: t.normal(1.0, 2.0, size=(3, 2)),
        lambda: t.bernoulli(t.full((3, 2), 0.5)),
        lambda: t.multinomial(t.ones(4), 3, replacement=True),
        lambda: t.randn_like(t.zeros(3, 2)),
        lambda: t.rand_like(t.zeros(3, 2)),
    ],
)
def test_a_seed_makes_the_same_numbers_again(draw):
    first, second = draw(), draw()
    assert t.manual_seed(0) and t.initial_seed() == 0
    np.testing.assert_array_equal(draw().numpy(), first.numpy())
    assert not np.array_equal(first.numpy(), second.numpy())


def test_no_layer_draws_from_the_default_generator():
    before = t.randn(2).numpy()
    t.manual_seed(0)
    t.nn.LSTM(3, 4, dropout=0.5, num_layers=2)(t.zeros(5, 2, 3))
    np.testing.assert_array_equal(t.randn(2).numpy(), before)


def test_moments_and_bounds():
    x, u = t.randn(20000).numpy(), t.rand(20000).numpy()
    assert abs(x.mean()) < 0.03 and abs(x.std() - 1) < 0.02
    assert u.min() >= 0 and u.max() < 1 and abs(u.mean() - 0.5) < 0.01
    assert set(t.randint(2, 5, (500,)).tolist()) == {2, 3, 4}
    assert sorted(t.randperm(9).tolist()) == list(range(9))
    shifted = t.normal(t.tensor([10.0, -10.0]), t.tensor([0.1, 0.1])).numpy()
    assert abs(shifted - [10, -10]).max() < 1


@pytest.mark.parametrize("replacement", [False, True])
def test_multinomial_follows_its_weights(replacement):
    p = np.array([0.0, 1.0, 2.0, 5.0])
    rows = t.multinomial(t.tensor(np.tile(p, (8000, 1))), 1, replacement).numpy()[:, 0]
    counts = np.bincount(rows, minlength=4)
    expected = 8000 * p / p.sum()
    assert counts[0] == 0
    assert ((counts[1:] - expected[1:]) ** 2 / expected[1:]).sum() < 16  # 2 degrees of freedom


def test_without_replacement_nothing_comes_twice():
    rows = t.multinomial(t.ones(50, 6), 6).numpy()
    assert all(sorted(row) == list(range(6)) for row in rows.tolist())


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: t.randint(5, 5, (2,)), ValueError, "low < high"),
        (lambda: t.randn(2.5), TypeError, "whole numbers as sizes"),
        (lambda: t.bernoulli(t.full((2,), 1.5)), ValueError, "between 0 and 1"),
        (lambda: t.multinomial(t.zeros(3), 1), ValueError, "positive sum"),
        (lambda: t.multinomial(t.tensor([1.0, 0.0]), 2), ValueError, "without replacement"),
        (lambda: t.normal(0.0, -1.0, (2,)), ValueError, "negative"),
        (lambda: t.one_hot(t.tensor([3]), 3), IndexError, "0 … 2"),
        (lambda: t.one_hot(t.tensor([0]), 0), IndexError, "not within"),
        (lambda: t.one_hot(t.ones(2)), TypeError, "whole numbers"),
        (lambda: t.from_numpy([1]), TypeError, "NumPy array"),
        (lambda: t.device("tpu"), ValueError, "cpu or cuda"),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
