"""Step 3: every function against central differences."""

import numpy as np
import pytest

FUNCTIONS = {
    "neg": lambda a: 3 * -a,
    "power": lambda a: 3 * a**3,
    "inverse": lambda a: 3 * a**-1,
    "exp": lambda a: 3 * a.exp(),
    "log": lambda a: 3 * (a * a).log(),
    "tanh": lambda a: 3 * a.tanh(),
    "relu": lambda a: 3 * a.relu(),
    "number minus": lambda a: 2 - a * a,
    "minus number": lambda a: a * a - 2,
    "number over": lambda a: 2 / a,
    "over number": lambda a: a / 2,
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("at", [0.7, -0.7])
def test_a_function_of_one_value(agrees, name, at):
    agrees(FUNCTIONS[name], at)


def test_two_values(agrees):
    agrees(lambda a, b: (a - b) / (a + b), 2.0, 3.0)


def test_a_square_has_a_slope_at_zero(slopes):
    assert float(slopes(lambda a: a**2, 0.0)[0]) == 0


@pytest.mark.parametrize("at", [1000.0, -1000.0])
def test_tanh_does_not_overflow(slopes, at):
    assert np.asarray(slopes(lambda a: a.tanh(), at)[0]) == 0
