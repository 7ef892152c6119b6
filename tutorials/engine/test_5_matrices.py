"""Step 5: products and permutations against central differences."""

import itertools

import numpy as np
import pytest

draw = np.random.default_rng(0).normal


@pytest.mark.parametrize("a, b", [((2, 3), (3, 4)), ((3, 3), (3, 3)), ((3,), (3, 2)), ((2, 3), (3,)),
                                  ((3,), (3,)), ((2, 2, 3), (2, 3, 2)), ((2, 2, 3), (3, 2))])  # fmt: skip
def test_products(agrees, a, b):
    agrees(lambda a, b: ((a @ b) ** 2).sum(), draw(size=a), draw(size=b))


@pytest.mark.parametrize("shape", [(6,), (3, 2), (1, 6), (2, 3, 1)])
def test_reshapes(agrees, shape):
    weights = draw(size=shape)
    agrees(lambda a: (a.reshape(shape) * weights).sum(), draw(size=(2, 3)))


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
def test_permutations(agrees, axes):
    weights = draw(size=(2, 3, 4)).transpose(axes)
    agrees(lambda a: (a.transpose(axes) * weights).sum(), draw(size=(2, 3, 4)))
