"""The cell of one's own in the README: every layer and tool takes it without another line."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from tinygrad_rnn import gradcheck, microscope, nn, tanh, tensor

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
T, B, I, H = 4, 3, 2, 3
LENGTHS = [4, 0, 2]


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    """The class as the README has it, and nothing but it."""
    (source,) = re.findall(r"^class \w+\(nn\.Cell\):\n(?:(?: .*)?\n)+", README, re.MULTILINE)
    lines = [line for line in source.splitlines() if line.strip() and '"""' not in line]
    assert len(lines) <= 12
    file = tmp_path_factory.mktemp("own") / "own_cell.py"
    file.write_text(f"from tinygrad_rnn import nn, sigmoid, tanh\n\n\n{source}", encoding="utf-8")
    spec = importlib.util.spec_from_file_location("own_cell", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return next(v for v in vars(module).values() if isinstance(v, type))


def layer_of(cell, **options):
    options = {"num_layers": 2, "bidirectional": True, "dtype": np.float64, "seed": 0} | options
    return nn.Recurrent(cell, I, H, **options)


def data():
    return tensor(np.random.default_rng(0).normal(size=(T, B, I)))


def test_stacked_in_both_directions_and_masked(cell):
    layer, x = layer_of(cell), data()
    output, state = layer(x, lengths=LENGTHS)
    assert output.shape == (T, B, 2 * H) and state.shape == (4, B, H)
    for b, n in enumerate(LENGTHS):
        alone, end = layer(x[:n, b : b + 1])
        np.testing.assert_allclose(output.detach().numpy()[:n, b], alone.detach().numpy()[:, 0])
        np.testing.assert_allclose(state.detach().numpy()[:, b], end.detach().numpy()[:, 0])
        assert not output.detach().numpy()[n:, b].any()


def test_traced(cell):
    layer = layer_of(cell)
    run = layer(data(), trace=True)
    both = [run.states("h", reverse=way).detach().numpy() for way in (False, True)]
    np.testing.assert_array_equal(np.concatenate(both, -1), run[0].detach().numpy())


def test_gradchecked_in_inputs_state_and_parameters(cell):
    layer = layer_of(cell, num_layers=1)
    first = tensor(np.random.default_rng(1).normal(size=(2, B, H)), requires_grad=True)
    names = [name for name, _ in layer.named_parameters()]

    def run(x, first, *values):
        for name, value in zip(names, values, strict=True):
            setattr(layer, name, value)
        output, state = layer(x, first, lengths=LENGTHS)
        return (output * output).sum() + state.sum()

    assert gradcheck(run, [data().requires_grad_(), first, *layer.parameters()])


def test_under_the_microscope(cell):
    layer = layer_of(cell)
    report = microscope.bptt(layer(data())[0].sum(), layer)
    for name, p in layer.named_parameters():
        np.testing.assert_allclose(report.per_step(name).sum(0), p.grad.numpy(), atol=1e-12)
    lags = microscope.lags(layer.cells[0][0], data()[:, 0])
    assert (lags.matrix <= lags.bound * (1 + 1e-12)).all()


def test_with_everything_a_layer_offers(cell):
    layer = layer_of(cell, batch_first=True, dropout=0.2, zoneout=0.1, merge="sum", stateful=True)
    x = data().transpose(0, 1)
    output, _ = layer(x)
    (output * output).sum().backward()
    assert all(p.grad is not None for p in layer.parameters())
    twin = layer_of(cell, seed=1)
    twin.load_state_dict(layer_of(cell, seed=2).state_dict())
    total, _ = nn.tbptt(nn.Recurrent(cell, I, H, dtype=np.float64), [data()[:1]] * 3,
                        lambda out, t: out.sum(), 1, 2)  # fmt: skip
    assert np.isfinite(total)


class Renamed(nn.Cell):
    """A cell whose author calls the two sizes otherwise, and hands on all else."""

    def __init__(self, n_in, units, scale=2.0, **others):
        super().__init__(n_in, units, **others)
        self.W, self.scale = self.parameter(n_in, units), scale

    def step(self, x, a):
        a = tanh(x @ self.W + self.scale * a)
        return a, a


def test_a_cell_may_call_its_sizes_as_it_likes():
    layer = nn.Recurrent(Renamed, 2, 3, num_layers=2, scale=0.5, seed=0)
    assert layer(tensor(np.ones((4, 1, 2), np.float32)))[0].shape == (4, 1, 3)
    with pytest.raises(TypeError, match="skale"):
        nn.Recurrent(Renamed, 2, 3, skale=0.5)
