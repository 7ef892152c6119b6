"""The sum over time, term by term: δ_t and each step's contribution, by hand and in the microscope.

Also the product of Jacobians with its bound, and that an index is its one-hot vector.
"""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as lib
from tinygrad_rnn import microscope, nn

from . import notes_to_nn, unrolled, vanilla
from .cases import CELLS, make
from .losses import output_layer
from .operators import total_loss

OWN = ("x", "a0", "c0", "W_ya", "b_y")


def leaves_of(case) -> dict:
    return {k: lib.tensor(v, requires_grad=True) for k, v in case.values.items() if k in OWN}


def state_of(leaves: dict) -> object:
    parts = tuple(leaves[k] for k in ("a0", "c0") if k in leaves)
    return parts if len(parts) == 2 else parts[0]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CELLS)
def test_every_steps_delta_and_contribution(name, seed):
    case = make(seed, cell=name)
    v, cell = case.values, CELLS[name][0]
    a, _, kept = unrolled.run(cell, v, v["x"], tuple(v[k] for k in cell.state))
    _, da, _ = output_layer(v, a, case.y, case.loss)
    form = "separate" if name == "gru-libraries" else ("separate", "stacked")[seed % 2]
    layer = nn.Recurrent([notes_to_nn.cell(name, v, form, "cpu")])
    leaves = leaves_of(case)
    output, _ = layer(leaves["x"], [state_of(leaves)])
    loss = total_loss(lib, case, leaves, output, lib.tensor(case.y))
    report = microscope.bptt(loss, layer)
    for back in unrolled.steps_back(cell, v, kept, da):
        got = report.gradient("h")[back.t]
        np.testing.assert_allclose(got, back.delta, rtol=1e-10, atol=1e-10)
        for parameter, expected in notes_to_nn.arrays(name, back.dp, form).items():
            got = report.per_step(f"{parameter}_l0")[back.t]
            np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10, err_msg=parameter)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("g1", ["tanh", "relu"])
def test_lags_are_the_products_by_hand(g1, seed):
    """‖∂a_t/∂a_k‖ for all t and k, below c^{t−k}, of a batch of one."""
    name = f"vanilla-separate-{g1}"
    case = make(seed, cell=name)
    v = case.values | {"x": case.values["x"][:, :1], "a0": case.values["a0"][:1]}
    a = np.concatenate([v["a0"][None], unrolled.run(CELLS[name][0], v, v["x"], (v["a0"],))[0]])
    made = notes_to_nn.cell(name, v, "separate", "cpu")
    found = microscope.lags(made, lib.tensor(v["x"][:, 0]), lib.tensor(v["a0"]))
    c, T = vanilla.bound(v, a[1:], g1), len(v["x"])
    for k in range(T + 1):
        for t in range(k, T + 1):
            product = vanilla.jacobian(v, a, g1, t, k)[0]
            np.testing.assert_allclose(found.product(t, k), product, rtol=1e-10, atol=1e-12)
            norm = np.linalg.norm(product, 2)
            assert abs(found.matrix[t, k] - norm) <= 1e-10 and norm <= c ** (t - k) * (1 + 1e-12)
            assert norm <= found.bound[t, k] * (1 + 1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_an_index_is_its_one_hot(name):
    """Whole numbers as input: the same loss and gradients as the one-hot vectors, by hand."""
    case, words = make(7, cell=name), np.random.default_rng(7)
    T, B, I = case.values["x"].shape
    index = words.integers(0, I, (T, B))
    _, expected = case.by_hand(case.values | {"x": np.eye(I)[index]})
    made = notes_to_nn.cell(name, case.values, "separate", "cpu")
    leaves = leaves_of(case)
    output, _ = nn.Recurrent([made])(lib.tensor(index), [state_of(leaves)])
    total_loss(lib, case, leaves, output, lib.tensor(case.y)).backward()
    for k, array in notes_to_nn.arrays(name, expected, "separate").items():
        got = dict(made.named_parameters())[k].grad.numpy()
        np.testing.assert_allclose(got, array, rtol=1e-10, atol=1e-10, err_msg=k)
