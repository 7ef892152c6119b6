"""BPTT emerges: the gradient of networks written in operators is the one derived by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as lib

from . import vanilla
from .cases import every_case, make
from .operators import backward, step
from .unrolled import run


def check(library: Any, wrapping: str, seed: int, cell: str | None) -> None:
    case = make(seed, wrapping, cell)
    _, expected = case.by_hand(case.values)
    leaves = {k: library.tensor(v, requires_grad=True) for k, v in case.values.items()}
    backward(lib, case, leaves, library.tensor(case.y))
    for name, leaf in leaves.items():
        got = np.zeros(leaf.shape) if leaf.grad is None else library.numpy(leaf.grad)
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, expected[name], rtol=1e-10, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("wrapping, seed, cell", every_case(range(4)))
def test_gradients_equal_the_derivation(library, wrapping, seed, cell):
    check(library, wrapping, seed, cell)


@pytest.mark.parametrize("library", [("numpy", "cpu")], indirect=True, ids=["numpy"])
@pytest.mark.parametrize("wrapping, seed, cell", every_case(range(4, 20)))
def test_on_more_seeds(library, wrapping, seed, cell):
    check(library, wrapping, seed, cell)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("g1", ["tanh", "relu"])
def test_jacobian_is_the_product_and_obeys_the_bound(g1, seed):
    """∂a_t/∂a_k = Π diag(g1') W_aa, and ‖∂a_t/∂a_k‖ ≤ c^{t−k}, for every t and k."""
    case = make(seed, cell=f"vanilla-separate-{g1}")
    v = {k: a[:, :1] if k == "x" else a[:1] if k == "a0" else a for k, a in case.values.items()}
    states = np.concatenate([v["a0"][None], run(vanilla.separate(g1), v, v["x"], (v["a0"],))[0]])
    fixed = {k: lib.tensor(a) for k, a in v.items()}
    c = vanilla.bound(v, states[1:], g1)
    for k in range(len(states)):
        for t in range(k, len(states)):

            def later(a, k=k, t=t):
                state = (a,)
                for i in range(k, t):
                    state = step(lib, f"vanilla-separate-{g1}", fixed, fixed["x"][i], state)
                return state[0]

            got = lib.jacobian(later, lib.tensor(states[k], requires_grad=True)).numpy()
            product = vanilla.jacobian(v, states, g1, t, k)[0]
            np.testing.assert_allclose(got[0, :, 0, :], product, rtol=1e-10, atol=1e-12)
            assert np.linalg.norm(product, 2) <= c ** (t - k) * (1 + 1e-12)
