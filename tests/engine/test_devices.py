"""What people do with a model gives the same numbers wherever its arrays live."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ArrayLibrary

from tinygrad_rnn import Tensor, cross_entropy, grad, linear, microscope, nn, optim, tensor
from tinygrad_rnn.compile import sequence_loss
from tinygrad_rnn.draw import draw
from tinygrad_rnn.engine.arrays import to_numpy
from tinygrad_rnn.nn import clip_grad_norm_, reservoir, tbptt


class Place:
    """Tensors and layers on one device, the same numbers on each."""

    def __init__(self, device: str):
        self.device, self.rng = device, np.random.default_rng(0)

    def tensor(self, *shape: int, **options: Any) -> Tensor:
        return tensor(self.rng.standard_normal(shape), device=self.device, **options)

    def whole(self, below: int, *shape: int) -> Tensor:
        return tensor(self.rng.integers(0, below, shape), device=self.device)

    def layer(self, kind: Any, *sizes: int, **options: Any) -> Any:
        return kind(*sizes, seed=0, **options).double().to(device=self.device)


def exchanged(at: Place) -> list:
    a, b = at.layer(nn.LSTM, 3, 4), nn.LSTM(3, 4, seed=1).double().to(device=at.device)
    b.load_state_dict(a.state_dict())
    return [*b.state_dict().values()]


def padded(at: Place) -> list:
    layer, x = at.layer(nn.GRU, 3, 4), at.tensor(5, 2, 3)
    real = x.xp.asarray(np.arange(5)[:, None] < [5, 2])
    tensors = [layer(x, lengths=tensor([5, 2], device=at.device)), layer(x, mask=tensor(real))]
    return [r[1] for r in (*tensors, layer(x, lengths=x.xp.asarray([5, 2])), layer(x, mask=real))]


def losses(at: Place) -> list:
    h, W, b = (at.tensor(*shape, requires_grad=True) for shape in ((4, 2, 5), (7, 5), (7,)))
    targets = at.whole(7, 4, 2)
    ours = sequence_loss(h, W, targets, b)
    composite = cross_entropy(linear(h, W, b).reshape(-1, 7), targets.reshape(-1))
    assert np.allclose(ours.item(), composite.item(), rtol=1e-12)
    (slope,) = grad(sequence_loss(h, W, targets), h, create_graph=True)
    return [ours, *grad(ours, [h, W, b]), *grad((slope**2).sum(), [h, W])]


def trained(at: Place) -> list:
    model = at.layer(nn.LSTM, 3, 4, num_layers=2, dropout=0.2, peephole="full")
    adam = optim.Adam(model.parameters(), lr=0.1)
    for _ in range(2):
        adam.zero_grad()
        (model(at.tensor(4, 2, 3))[0] ** 2).sum().backward()
        clip_grad_norm_(model.parameters(), 0.5)
        adam.step()
    adam.load_state_dict(adam.state_dict())
    return list(model.state_dict().values())


def truncated(at: Place) -> list:
    model = at.layer(nn.LSTM, 3, 4)
    xs = [at.tensor(1, 2, 3) for _ in range(6)]
    total, _ = tbptt(model, xs, lambda y, t: (y**2).sum(), 2, 3)
    return [total, *(p.grad for p in model.parameters())]


def looked_at(at: Place) -> list:
    model, cell = at.layer(nn.RNN, 3, 4), at.layer(nn.RNNCell, 3, 4)
    report = microscope.bptt((model(at.tensor(4, 2, 3))[0] ** 2).sum(), model)
    matrix, _ = microscope.step_jacobian(cell, at.tensor(1, 3), at.tensor(1, 4))
    return [matrix, microscope.lags(cell, at.tensor(5, 3)).jacobians, len(str(report)) > 0]


def remembered(at: Place) -> list:
    net = at.layer(reservoir.EchoState, 3, 20, 2)
    net.fit(at.tensor(30, 1, 3), at.tensor(30, 1, 2))
    cell = at.layer(nn.RNNCell, 1, 5)
    return [net(at.tensor(6, 1, 3))[0], reservoir.memory_capacity(cell, 3, steps=300)]


WAYS = (exchanged, padded, losses, trained, truncated, looked_at, remembered)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_numbers_are_the_processors(way: Callable, library: ArrayLibrary) -> None:
    numbers = lambda device: [to_numpy(v) for v in way(Place(device))]
    for there, here in zip(numbers(library.device), numbers("cpu"), strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-9, atol=1e-12)


def test_it_can_be_drawn(library: ArrayLibrary, tmp_path: Path) -> None:
    at = Place(library.device)
    loss = (at.layer(nn.LSTM, 3, 4)(at.tensor(3, 2, 3, requires_grad=True))[0] ** 2).sum()
    loss.backward(record="norm")
    for name in ("a.svg", "a.png", "a.html"):
        draw(loss).save(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
