"""Echo state networks: the reservoir, its read-out, what it remembers, and BPTT from there."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_rnn import mse_loss, nn, optim, tensor
from tinygrad_rnn.nn.reservoir import EchoState, echo_state_test, memory_capacity, reservoir, ridge
from tinygrad_rnn.nn.summary import spectral_radius


def series(steps, seed=0):
    """A Mackey–Glass series, (steps,)."""
    x = np.full(steps + 320, 1.2)
    x[:18] += 0.1 * np.random.default_rng(seed).normal(size=18)
    for k in range(17, len(x) - 1):
        x[k + 1] = 0.9 * x[k] + 0.2 * x[k - 17] / (1 + x[k - 17] ** 10)
    return x[320:]


def one_step_ahead(steps, seed=0):
    s = series(steps + 1, seed)
    return (tensor(v[:, None, None]) for v in (s[:-1], s[1:]))


def error(y, target):
    """Root mean squared error over the deviation of the target."""
    y, target = y.detach().numpy(), target.numpy()
    return np.sqrt(((y - target) ** 2).mean()) / target.std()


def network(**options):
    return EchoState(1, 100, 1, **({"leak": 0.3, "dtype": np.float64, "seed": 0} | options))


def test_a_reservoir_has_its_spectral_radius_and_its_zeros():
    W = reservoir(80, 1.25, 0.8, seed=3)
    assert spectral_radius(W) == pytest.approx(1.25)
    assert abs((W == 0).mean() - 0.8) < 0.03
    np.testing.assert_array_equal(W, reservoir(80, 1.25, 0.8, seed=3))
    assert not reservoir(5, 0.0, 0.0, seed=0).any()
    for bad in ({"sparsity": 1.0}, {"spectral_radius": -1.0}):
        with pytest.raises(ValueError, match="need spectral_radius >= 0 and 0 <= sparsity < 1"):
            reservoir(5, **bad)


def test_ridge_is_the_formula_and_without_penalty_least_squares():
    rng = np.random.default_rng(0)
    A, Y = rng.normal(size=(20, 4)), rng.normal(size=(20, 2))
    want = Y.T @ A @ np.linalg.inv(A.T @ A + 0.3 * np.eye(4))
    np.testing.assert_allclose(ridge(A, Y, 0.3), want, atol=1e-12)
    np.testing.assert_allclose(ridge(A, Y, 0.0).T, np.linalg.lstsq(A, Y, rcond=None)[0], atol=1e-12)
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        ridge(A, Y, -1)


def test_a_step_is_the_leaky_equation():
    esn = network(spectral_radius=0.7)
    cell = esn.layer.cells[0][0]
    W, V, b = (t.detach().numpy() for t in (cell.weight_hh, cell.weight_ih, cell.bias_ih))
    u, a = np.array([[0.3]]), np.random.default_rng(0).normal(size=(1, 100))
    want = 0.7 * a + 0.3 * np.tanh(u @ V.T + b + a @ W.T)
    np.testing.assert_allclose(cell(tensor(u), tensor(a)).numpy(), want, atol=1e-14)
    assert spectral_radius(W) == pytest.approx(0.7) and abs(V).max() <= 0.5


def test_the_reservoir_is_frozen_and_the_readout_fitted():
    esn = network()
    x, y = one_step_ahead(800)
    before = {n: v.copy() for n, v in esn.state_dict().items()}
    assert [n for n, _ in esn.named_parameters()] == ["readout.weight", "readout.bias"]
    assert esn.fit(x, y, washout=100) is esn
    changed = {n for n, v in esn.state_dict().items() if (v != before[n]).any()}
    assert changed == {"readout.weight", "readout.bias"}
    held_x, held_y = one_step_ahead(1200)
    assert error(esn(held_x)[0][800:], held_y[800:]) < 0.02


def test_what_it_saw_it_continues_alone():
    esn = network(spectral_radius=1.1)
    x, y = one_step_ahead(1500)
    esn.fit(x[:1400], y[:1400], washout=100, penalty=1e-8)
    _, state = esn(x[:1400])
    free = esn.generate(x[1400:1401], 40, state)
    assert free.shape == (40, 1, 1) and error(free, y[1400:1440]) < 0.2


@pytest.mark.parametrize("seed", range(4))
def test_set_free_it_improves_by_bptt(seed):
    u = np.random.default_rng(seed).uniform(-0.5, 0.5, (40, 8, 1))
    x, y = tensor(u[3:]), tensor(u[:-3])  # recall three steps back, with a short memory
    esn = EchoState(1, 8, 1, sparsity=0.5, spectral_radius=0.4, dtype=np.float64, seed=seed)
    esn.fit(x, y, washout=5, penalty=0.1)
    before = mse_loss(esn(x)[0][5:], y[5:]).item()
    esn.unfreeze()
    assert len(list(esn.parameters())) == 5
    adam = optim.Adam(esn.parameters(), lr=5e-3)
    for _ in range(35):
        adam.zero_grad()
        loss = mse_loss(esn(x)[0][5:], y[5:])
        loss.backward()
        adam.step()
    assert loss.item() < 0.5 * before


def test_batches_and_layouts_are_fitted_alike():
    x, y = (v.numpy().reshape(2, 200, 1) for v in one_step_ahead(400))
    a = network(batch_first=True).fit(tensor(x), tensor(y), washout=50)
    b = network().fit(tensor(x.swapaxes(0, 1)), tensor(y.swapaxes(0, 1)), washout=50)
    np.testing.assert_allclose(
        a.readout.weight.detach().numpy(), b.readout.weight.detach().numpy(), atol=1e-4
    )
    with pytest.raises(ValueError, match="0 steps to fit after a washout of 200"):
        network(batch_first=True).fit(tensor(x), tensor(y), washout=200)


def test_two_starts_meet_below_and_part_above_the_edge():
    x = tensor(np.random.default_rng(0).uniform(-0.1, 0.1, (200, 1, 1)))
    ends = {}
    for radius in (0.8, 2.5):
        cell = network(spectral_radius=radius, leak=1.0).layer.cells[0][0]
        ends[radius] = echo_state_test(cell, x)
    assert ends[0.8][-1] < 1e-6 * ends[0.8][0]
    assert ends[2.5][-1] > 0.1
    gru = echo_state_test(nn.GRUCell(1, 8, dtype=np.float64, seed=0), x)
    lstm = echo_state_test(nn.LSTMCell(1, 8, dtype=np.float64, seed=0), x)
    assert gru[-1] < 1e-6 and lstm[-1] < 1e-6 and len(gru) == 201


@pytest.mark.parametrize("seed", range(4))
def test_memory_capacity_grows_with_the_spectral_radius(seed):
    forgetful, long = (
        memory_capacity(
            EchoState(
                1, 30, 1, spectral_radius=r, input_scale=0.1, dtype=np.float64, seed=seed
            ).layer.cells[0][0],
            40,
            steps=1200,
        )
        for r in (0.1, 0.9)
    )
    assert forgetful.sum() < 6 and 10 < long.sum() <= 30
    assert (long >= 0).all() and (long <= 1).all() and long[0] > 0.99


def test_a_delay_line_remembers_exactly_its_length():
    shift = np.eye(6, k=-1)
    cell = nn.RNNCell(1, 6, False, nonlinearity=None, dtype=np.float64, seed=0, init={"hh": shift})
    cell.gate("h").weight_ih = np.eye(6)[:, :1]
    capacity = memory_capacity(cell, 9, steps=600)
    np.testing.assert_allclose(capacity[:5], 1, atol=1e-6)
    assert (capacity[5:] < 0.05).all()
    with pytest.raises(ValueError, match="measured with one input, the cell has 2"):
        memory_capacity(nn.RNNCell(2, 3), 5)


def test_networks_run_on_every_array_library(library):
    x, y = one_step_ahead(150)
    here = EchoState(1, 20, 1, leak=0.3, dtype=np.float64, device=library.device, seed=0)
    there = EchoState(1, 20, 1, leak=0.3, dtype=np.float64, seed=0)
    a, b = (library.tensor(v.numpy()) for v in (x, y))
    got = here.fit(a, b, washout=20)(a)[0]
    want = there.fit(x, y, washout=20)(x)[0]
    np.testing.assert_allclose(library.numpy(got), want.detach().numpy(), atol=1e-6)
    assert library.numpy(here.generate(a[:1], 3)).shape == (3, 1, 1)
    cells = here.layer.cells[0][0], there.layer.cells[0][0]
    distances = [echo_state_test(c, v) for c, v in zip(cells, (a, x), strict=True)]
    np.testing.assert_allclose(*distances, atol=1e-12)
    np.testing.assert_allclose(*(memory_capacity(c, 3, steps=100) for c in cells), atol=1e-9)
