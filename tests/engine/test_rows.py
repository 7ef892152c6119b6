"""Products and sums of many rows at once equal those of one at a time."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import tinygrad_rnn as tg
from tinygrad_rnn.engine import accumulate
from tinygrad_rnn.engine.accumulate import add_at
from tinygrad_rnn.engine.compute import multiply_rows
from tinygrad_rnn.engine.ops import compute_sigmoid

SIZES = some.integers(0, 4)
SEEDS = some.integers(0, 2**32 - 1)


@settings(max_examples=150, deadline=None)
@given(SEEDS, some.integers(1, 6), some.lists(SIZES, max_size=2), some.lists(SIZES, max_size=2),
       some.sampled_from(["f4", "f8", "i8"]), some.integers(1, 9), some.booleans())  # fmt: skip
def test_rows_added_equal_numpys_to_the_last_bit(seed, count, width, places, dtype, block, turned):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-count, count, places)
    total, g = (
        (9 * rng.standard_normal(shape)).astype(dtype)
        for shape in ((count, *width), (*places, *width))
    )
    total = np.asfortranarray(total) if turned else total
    expected = total.copy()
    np.add.at(expected, (rows,), g)
    with mock.patch.object(accumulate, "BLOCK", block):
        assert np.array_equal(add_at(total, (rows,), g), expected)


def test_a_row_out_of_range_is_refused():
    with pytest.raises(IndexError):
        add_at(np.zeros((3, 2)), (np.array([3]),), np.ones((1, 2)))


@settings(max_examples=100, deadline=None)
@given(SEEDS, some.lists(SIZES, min_size=3, max_size=4), SIZES, some.booleans())
def test_a_product_of_all_rows_is_that_of_each_matrix(seed, shape, columns, turned):
    rng = np.random.default_rng(seed)
    a = rng.integers(-9, 10, shape).astype("f8")
    a = a.swapaxes(0, 1) if turned else a
    b = rng.integers(-9, 10, (shape[-1], columns)).astype("f8")
    assert np.array_equal(multiply_rows(a, b), np.matmul(a, b))
    x, w = tg.tensor(a, requires_grad=True), tg.tensor(b, requires_grad=True)
    upstream = tg.tensor(rng.integers(-9, 10, (*a.shape[:-1], columns)).astype("f8"))
    for recorded in (False, True):
        dx, dw = tg.grad(x @ w, [x, w], upstream, create_graph=recorded, retain_graph=True)
        assert np.array_equal(dx.detach().numpy(), np.matmul(upstream.numpy(), b.T))
        rows = a.reshape(-1, shape[-1]) if a.size else np.zeros((0, shape[-1]))
        ends = upstream.numpy().reshape(len(rows), columns) if len(rows) else np.zeros((0, columns))
        assert np.array_equal(dw.detach().numpy(), rows.T @ ends)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_sigmoid_of_many_numbers_is_that_of_each(dtype):
    few = np.linspace(-30, 11, 77).astype(dtype)
    for odd in ([], [np.inf], [1000], [np.nan]):
        line = np.concatenate([few, np.array(odd, dtype)])
        many = np.tile(line, 200)
        expected = np.tile([compute_sigmoid(v) for v in np.split(line, len(line))], (200, 1))
        np.testing.assert_array_max_ulp(compute_sigmoid(many), expected[:, 0].astype(dtype), 1)
