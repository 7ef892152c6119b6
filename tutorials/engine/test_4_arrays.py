"""Step 4: gradients have the shapes of their values, whatever was broadcast."""

import numpy as np
import pytest

RNG = np.random.default_rng(0)
A, SQUARE = RNG.uniform(0.5, 1.5, (2, 3)), RNG.uniform(0.5, 1.5, (3, 3))


@pytest.mark.parametrize("shape", [(2, 3), (3,), (2, 1), (1, 3), (1, 1), (1,), ()])
@pytest.mark.parametrize("f", [lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a / b])
def test_every_shape_that_broadcasts(agrees, shape, f):
    agrees(lambda a, b: (f(a, b) ** 2).sum(), A, RNG.uniform(0.5, 1.5, shape))


def test_what_is_summed_back(engine):
    assert engine.unbroadcast(np.ones((2, 3)), (3,)).tolist() == [2, 2, 2]
    assert engine.unbroadcast(np.ones((2, 3)), (2, 1)).tolist() == [[3], [3]]
    assert np.shape(engine.unbroadcast(np.ones((2, 3)), ())) == ()


@pytest.mark.parametrize("axis", [0, 1, -1, None])
@pytest.mark.parametrize("name", ["sum", "mean"])
@pytest.mark.parametrize("array", [A, SQUARE], ids=["2x3", "3x3"])
def test_sums_and_means(agrees, axis, name, array):
    agrees(lambda a: (getattr(a, name)(axis=axis) ** 2).sum(), array)
    agrees(lambda a: (getattr(a, name)(axis=axis, keepdims=True) * array).sum(), array)


@pytest.mark.parametrize("axis", [0, 1, None])
def test_the_largest(agrees, axis):
    agrees(lambda a: (a.max(axis=axis) ** 2).sum(), A)


def test_equal_entries_share_one_gradient(slopes):
    assert slopes(lambda a: a.max(), [2.0, 2.0])[0].sum() == 1


def test_an_array_is_a_constant(agrees):
    agrees(lambda a: (A * a).sum() + (a * A).sum(), np.ones(3))
