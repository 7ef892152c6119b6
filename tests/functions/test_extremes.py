"""Extremes along an axis, and logsumexp, equal what they are made of in the general case."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as some

import tinygrad_rnn as tg

SHAPES = some.lists(some.integers(1, 4), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(SHAPES, some.integers(0, 3), some.booleans(), some.integers(0, 2**32 - 1))
def test_max_and_min_gather_at_their_places(shape, axis, keep, seed):
    axis, rng = axis % len(shape), np.random.default_rng(seed)
    numbers = rng.integers(-2, 3, shape).astype("f8")  # with ties
    numbers[rng.random(shape) < 0.1] = np.nan
    for name in ("max", "min"):
        x, z = (tg.tensor(numbers, requires_grad=True) for _ in range(2))
        values, places = getattr(x, name)(axis, keepdim=keep)
        wide = places if keep else places.unsqueeze(axis)
        expected = z.gather(axis, wide)
        expected = expected if keep else expected.squeeze(axis)
        np.testing.assert_array_equal(values.detach().numpy(), expected.detach().numpy())
        function = {"max": np.max, "min": np.min}[name]
        np.testing.assert_array_equal(
            values.detach().numpy(), function(numbers, axis, keepdims=keep)
        )
        upstream = tg.tensor(rng.standard_normal(values.shape))
        one, other = tg.grad(values, x, upstream)[0], tg.grad(expected, z, upstream)[0]
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@settings(max_examples=60, deadline=None)
@given(SHAPES, some.integers(0, 3), some.booleans(), some.integers(0, 2**32 - 1))
def test_logsumexp_is_the_same_where_infinities_must_be_kept_out(shape, axis, keep, seed):
    axis, rng = axis % len(shape), np.random.default_rng(seed)
    numbers = 300 * rng.standard_normal(shape)
    numbers[rng.random(shape) < 0.2] = -np.inf
    found = []
    for watched in (tg.trace, tg.enable_grad):  # what is traced takes the general way
        with watched():
            x = tg.tensor(numbers, requires_grad=True)
            y = x.logsumexp(axis, keepdim=keep)
            found.append([y.detach().numpy(), tg.grad(y.sum(), x)[0].numpy()])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
