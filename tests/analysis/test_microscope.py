"""The microscope: contributions that add up, Jacobians that multiply, and leaks that are named."""

from __future__ import annotations

import importlib.util
from functools import partial

import numpy as np
import pytest

from tinygrad_rnn import cat, microscope, nn, tensor
from tinygrad_rnn.analysis.derivatives import jacobian
from tinygrad_rnn.engine.backward import grad

T, B, I, H = 6, 2, 3, 4


def data(*shape, seed=0):
    return tensor(np.random.default_rng(seed).normal(size=shape))


def parts(state):
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM, nn.MGU])
@pytest.mark.parametrize("two", [False, True])
def test_contributions_per_step_sum_to_the_gradient(kind, two):
    model = nn.Readout(
        kind(I, H, 2, bidirectional=two, dtype=np.float64, seed=0), 2, dtype=np.float64
    )
    y, _ = model(data(T, B, I), lengths=[6, 4])
    report = microscope.bptt((y * y).sum(), model)
    for name, p in model.named_parameters():
        steps = report.per_step(name)
        total = steps.sum(0) + report.outside(name)
        np.testing.assert_allclose(total, p.grad.numpy(), rtol=0, atol=1e-12 * abs(total).max())
        if name.startswith("layer"):
            assert len(steps) == T and not report.outside(name).any()
            assert (report.step_norms(name) >= 0).all() and report.step_norms(name).max() > 0


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("way", ["fwd", "rev"])
def test_state_gradients_are_what_grad_says(layer, way):
    model = nn.LSTM(I, H, 2, bidirectional=True, dtype=np.float64, seed=0)
    states, cell = [], model.cells[layer][way == "rev"]

    def step(x, state):
        output, new = nn.LSTMCell.step(cell, x, state)
        states.append(new)
        return output, new

    cell.step = step
    output, _ = model(data(T, B, I))
    loss = (output * output).sum()
    states = states[:: -1 if way == "rev" else 1]
    report = microscope.bptt(loss, model)
    for k, name in enumerate("hc"):
        got = report.gradient(name, layer, way)
        assert got.shape == (T, B, H)
        for t, s in enumerate(states):
            (g,) = grad(loss, [s[k]], retain_graph=True, allow_unused=True)
            np.testing.assert_allclose(got[t], 0 if g is None else g.numpy(), atol=1e-14)
        np.testing.assert_allclose(
            report.norms(name, layer, way), np.linalg.norm(got.reshape(T, -1), axis=1)
        )


def test_cosines_lie_between_minus_one_and_one():
    model = nn.GRU(I, H, dtype=np.float64, seed=0)
    report = microscope.bptt(model(data(T, B, I))[0].sum(), model)
    cosines = report.cosines("weight_hh_l0")
    assert (abs(cosines) <= 1 + 1e-12).all() and cosines[0] == 0  # h_0 = 0 contributes nothing
    weighted = (cosines * report.step_norms("weight_hh_l0")).sum()
    assert weighted == pytest.approx(np.linalg.norm(model.weight_hh_l0.grad.numpy()))


def test_unknown_names_are_answered_with_the_known_ones():
    model = nn.RNN(I, H, dtype=np.float64, seed=0)
    report = microscope.bptt(model(data(T, B, I))[0].sum(), model)
    with pytest.raises(
        KeyError, match=r"no gradient of state \('c', 0, 'fwd'\); found: \('h', 0, 'fwd'\)"
    ):
        report.gradient("c")
    with pytest.raises(KeyError, match="no parameter 'W'"):
        report.per_step("W")


# The product of Jacobians
CELLS = [
    nn.RNNCell(I, H, dtype=np.float64, seed=0),
    nn.RNNCell(I, H, nonlinearity="relu", dtype=np.float64, seed=1),
    nn.GRUCell(I, H, dtype=np.float64, seed=2),
    nn.LSTMCell(I, H, peephole="full", dtype=np.float64, seed=3),
    nn.LSTMCell(I, H, proj_size=2, dtype=np.float64, seed=4),
]


def as_state(cell, vector):
    """The state (1, …) whose parts stand one after the other in a vector (1, S)."""
    width = cell.output_size
    return (vector[:, :width], vector[:, width:]) if vector.shape[1] > width else vector


def steps(cell, x, state):
    """Run a state vector through the steps x and return it as a vector."""
    for t in range(x.shape[0]):
        state = cat(parts(cell.step(x[t : t + 1], as_state(cell, state))[1]), -1)
    return state


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: type(c).__name__)
def test_the_product_of_jacobians_is_the_derivative_itself(cell):
    x = data(T, I)
    lags = microscope.lags(cell, x)
    first = cat(parts(cell.start(1, x)), -1)
    for k in range(T + 1):
        state = steps(cell, x[:k], first).detach()
        for t in range(k, T + 1):
            direct = jacobian(partial(steps, cell, x[k:t]), state).numpy()[0, :, 0]
            np.testing.assert_allclose(lags.product(t, k), direct, atol=1e-13)
            assert lags.matrix[t, k] == pytest.approx(np.linalg.norm(direct, 2))


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: type(c).__name__)
def test_no_entry_exceeds_the_bound(cell):
    lags = microscope.lags(cell, data(20, I))
    assert (lags.matrix <= lags.bound * (1 + 1e-12)).all()
    assert not np.triu(lags.matrix, 1).any() and (np.diagonal(lags.matrix) == 1).all()


def test_the_vanilla_bound_is_the_norm_of_the_recurrent_weight():
    for gain in (0.8, 1.1):
        spec = {"hh": ("orthogonal", {"gain": gain})}
        cell = nn.RNNCell(I, H, dtype=np.float64, seed=0, init=spec)
        lags = microscope.lags(cell, data(30, I))
        assert lags.c <= gain + 1e-12
        assert lags.by_lag()[-1] < gain**30  # tanh' < 1: far below the bound, even for gain > 1
        linear = nn.RNNCell(I, H, nonlinearity=None, dtype=np.float64, seed=0, init=spec)
        np.testing.assert_allclose(
            microscope.lags(linear, data(30, I)).by_lag(), gain ** np.arange(31), rtol=1e-10
        )


def test_lags_take_whole_numbers_and_refuse_batches():
    assert microscope.lags(CELLS[0], tensor(np.array([0, 2, 1]))).matrix.shape == (4, 4)
    assert microscope.lags(CELLS[0], data(0, I)).matrix.tolist() == [[1.0]]
    with pytest.raises(ValueError, match="one sequence"):
        microscope.lags(CELLS[0], data(T, B, I))


def test_loss_lags_are_zero_above_the_diagonal():
    cell, x, state = CELLS[0], data(T, B, I), None
    states = []
    for t in range(T):
        state = cell(x[t], state)
        states.append(state)
    matrix = microscope.loss_lags([(s * s).sum() for s in states], states)
    assert not np.triu(matrix, 1).any() and (np.tril(matrix) > 0).sum() == T * (T + 1) // 2
    np.testing.assert_allclose(matrix[2, 2], 2 * np.linalg.norm(states[2].detach().numpy()))


# States that leak
def test_a_state_that_is_never_detached_is_named_with_its_line():
    model, x = nn.LSTM(I, H, seed=0), tensor(np.zeros((T, B, I), np.float32))
    state = None
    with (
        pytest.warns(microscope.StateLeakWarning) as caught,
        microscope.state_leaks(model, limit=3),
    ):
        for _ in range(5):
            _, state = model(x, state)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert message.startswith("h at test_microscope.py:")
    assert message.endswith(" is 3 batches deep; call h.detach()")


def test_a_detached_state_is_no_leak_and_the_watch_ends_with_its_block():
    model, x, state = nn.GRU(I, H, seed=0), tensor(np.zeros((T, B, I), np.float32)), None
    with microscope.state_leaks(model, limit=1):
        for _ in range(4):
            output, state = model(x, state)
            state = state.detach()
    for _ in range(4):
        output, state = model(x, state)
    assert not model._observers and output.shape == (T, B, H)
    with (
        pytest.raises(ValueError, match="at least 1 batch, got 0"),
        microscope.state_leaks(model, 0),
    ):
        pass


# Plots
@pytest.mark.skipif(
    not importlib.util.find_spec("matplotlib"), reason="matplotlib is not installed"
)
def test_every_plot_draws():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    model = nn.LSTM(I, H, dtype=np.float64, seed=0)
    report = microscope.bptt(model(data(T, B, I))[0].sum(), model)
    assert len(report.plot_states().lines) == 2
    assert len(report.plot_steps("weight_hh_l0").patches) == T
    lags = microscope.lags(model.cells[0][0], data(T, I))
    assert len(lags.plot().lines) == 2
    assert len(lags.plot_matrix(plt.figure().add_subplot()).images) == 1
    heat = microscope.heat_map(np.tril(np.ones((3, 3))))
    assert len(heat.images) == 1 and heat.images[0].colorbar is not None
    assert heat.get_title() and heat.get_xlabel() == "step t of the state"
    legend = report.plot_states().get_legend()
    assert [t.get_text() for t in legend.get_texts()] == [
        "c of layer 0, forward", "h of layer 0, forward",
    ]  # fmt: skip
    plt.close("all")


def test_reports_are_tables():
    model = nn.LSTM(I, H, dtype=np.float64, seed=0)
    report = microscope.bptt(model(data(T, B, I))[0].sum(), model)
    lines = repr(report).splitlines()
    assert lines[0].split() == ["gradient", "of", "steps", "first", "largest", "last"]
    norms = report.norms("h")
    row = next(line for line in lines if line.startswith("h of layer 0, forward"))
    assert row.split()[-4:] == [str(T), *(f"{v:.3g}" for v in (norms[0], norms.max(), norms[-1]))]
    assert report._repr_html_().startswith("<table><thead><tr><th>gradient of</th>")
    lags = microscope.lags(model.cells[0][0], data(T, I))
    assert [line.split()[0] for line in repr(lags).splitlines()] == ["lag", *"01246"]
    assert lags._repr_html_().count("<tr>") == 6


def test_the_microscope_works_on_every_array_library(library):
    model = nn.LSTM(I, H, dtype=np.float64, device=library.device, seed=0)
    x = library.tensor(data(T, B, I).numpy())
    report = microscope.bptt(model(x)[0].sum(), model)
    total = report.per_step("weight_hh_l0").sum(0)
    np.testing.assert_allclose(total, library.numpy(model.weight_hh_l0.grad), atol=1e-12)
    assert report.norms("c").shape == (T,)
    cell = nn.LSTMCell(I, H, dtype=np.float64, seed=0)
    here = microscope.lags(model.cells[0][0], x[:, 0])
    there = microscope.lags(cell, data(T, B, I)[:, 0])
    np.testing.assert_allclose(here.matrix, there.matrix, atol=1e-12)


def test_a_loop_written_by_hand_has_the_steps_and_gradients_of_the_layer():
    layer = nn.LSTM(I, H, dtype=np.float64, seed=0)
    cell = layer.cells[0][0]
    xs = data(T, B, I)
    told = microscope.bptt((layer(xs)[0][-1] ** 2).sum(), layer)
    h = c = tensor(np.zeros((B, H)))
    for x in xs:
        h, c = cell(x, (h, c))
    report = microscope.bptt((h * h).sum(), cell)
    by_hand = {name for name, _, _ in report.states}
    assert by_hand == {"state 1", "state 2"}  # c is made before h
    np.testing.assert_allclose(report.norms("state 2"), told.norms("h"), rtol=1e-12)
    np.testing.assert_allclose(report.norms("state 1"), told.norms("c"), rtol=1e-12)
    for name, p in cell.named_parameters():
        steps = report.per_step(name)  # both passes added to .grad
        assert len(steps) == T and not report.outside(name).any()
        np.testing.assert_allclose(steps.sum(0), p.grad.numpy() / 2, rtol=1e-9, atol=1e-12)
