"""Comparing, repairing, counting: against NumPy; missing names point the way."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as t

SPECIAL = np.array([0.0, -0.0, 1.0, 1 + 1e-6, np.inf, -np.inf, np.nan, 1e30])


@pytest.mark.parametrize("equal_nan", [False, True])
@pytest.mark.parametrize("shift", [0.0, 1e-9, 1e-3])
def test_isclose_is_numpys(shift, equal_nan):
    a, b = np.meshgrid(SPECIAL, SPECIAL + shift)
    found = t.isclose(t.tensor(a), t.tensor(b), equal_nan=equal_nan).numpy()
    np.testing.assert_array_equal(found, np.isclose(a, b, equal_nan=equal_nan))
    assert t.tensor(a).allclose(t.tensor(b), equal_nan=equal_nan) == found.all()


def test_repairs_and_signs_are_numpys():
    x = t.tensor(SPECIAL)
    np.testing.assert_array_equal(t.nan_to_num(x).numpy(), np.nan_to_num(SPECIAL))
    np.testing.assert_array_equal(x.nan_to_num(5, 6, 7).numpy()[4:7], [6, 7, 5])
    signs = np.copysign(np.arange(8.0), SPECIAL)
    found = t.copysign(t.tensor(np.arange(8.0)), x).numpy()
    np.testing.assert_array_equal(np.signbit(found), np.signbit(signs))


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (0, 2)])
def test_nonzero_and_unique_are_numpys(shape):
    x = np.random.default_rng(0).integers(0, 3, shape)
    want = np.argwhere(x) if shape else np.zeros((int(x != 0), 0))
    np.testing.assert_array_equal(t.nonzero(t.tensor(x)).numpy(), want)
    values, inverse, counts = t.unique(t.tensor(x), return_inverse=True, return_counts=True)
    np.testing.assert_array_equal(values.numpy(), np.unique(x))
    np.testing.assert_array_equal(values.numpy()[inverse.numpy()], x)
    assert counts.numpy().sum() == x.size


def test_sizes_by_pytorchs_names():
    x = t.zeros(2, 3, 4)
    assert (x.size(), x.size(-1), x.dim(), x.numel()) == ((2, 3, 4), 4, 3, 24)
    assert x[0].t().shape == (4, 3) and x.view_as(t.zeros(6, 4)).shape == (6, 4)
    assert x.long().dtype == t.long and x.half().element_size() == 2 and not x.is_cuda
    assert x.new_zeros(5).shape == (5,) and x.double().new_tensor([1]).dtype == t.float64
    assert x.type_as(t.ones(1, dtype=t.int64)).dtype == t.int64
    with pytest.raises(ValueError, match=r"use \.mT"):
        x.t()


@pytest.mark.parametrize(("repeats", "dim"), [(2, None), ([1, 0, 3], 0), (3, 1)])
def test_repeat_interleave_is_numpys(repeats, dim):
    x = np.arange(6.0).reshape(3, 2)
    leaf = t.tensor(x, requires_grad=True)
    found = leaf.repeat_interleave(repeats, dim)
    np.testing.assert_array_equal(found.detach().numpy(), np.repeat(x, repeats, dim))
    found.sum().backward()
    assert leaf.grad.numpy().sum() == found.numel()


@pytest.mark.parametrize("dtype", ["int8", "int64", "float32", "float64"])
def test_floor_division_is_numpys(dtype):
    a, b = np.meshgrid(np.arange(-7, 8, dtype=dtype), np.array([-3, -1, 2, 5], dtype))
    found = t.tensor(a) // t.tensor(b)
    np.testing.assert_array_equal(found.numpy(), a // b)
    assert found.dtype == dtype and not (t.ones(2).requires_grad_() // 2).requires_grad
    np.testing.assert_array_equal((7 // t.tensor(b)).numpy(), 7 // b)


@pytest.mark.parametrize(
    ("place", "name", "words"),
    [
        (t, "jit", "use layer.compile"),
        (t, "softmx", "did you mean 'softmax'"),
        (t.nn, "Transformer", "use Seq2Seq"),
        (t.nn, "LTSM", "did you mean 'LSTM'"),
        (t.optim, "RAdam", "use NAdam"),
        (t, "qqqqqq", "has no 'qqqqqq'"),
    ],
)
def test_a_missing_name_points_the_way(place, name, words):
    with pytest.raises(AttributeError, match=words):
        getattr(place, name)


def test_dtypes_and_reversed():
    assert t.zeros(2, dtype=t.long).dtype == t.int64 and t.tensor([1.0]).dtype == t.float
    assert [int(x) for x in reversed(t.arange(3))] == [2, 1, 0]
    assert t.cuda.device_count() >= 0 and t.cuda.is_available() in (True, False)
