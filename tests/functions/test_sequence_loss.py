"""The fused sequence loss equals the composite, in value, gradient and second derivative."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_rnn import cross_entropy, grad, linear, tensor
from tinygrad_rnn.compile import sequence_loss
from tinygrad_rnn.functions import sequence_loss as module


def case(seed: int = 0) -> tuple:
    rng = np.random.default_rng(seed)
    draw = lambda *shape: tensor(rng.standard_normal(shape), requires_grad=True)
    targets = rng.integers(0, 5, (4, 3))
    targets[1, 2] = -100
    return draw(4, 3, 6), draw(5, 6), draw(5), targets


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
@pytest.mark.parametrize("biased", [True, False])
def test_equals_the_composite(block: int, biased: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    h, W, b, targets = case()
    inputs = [h, W] + [b] * biased
    plain = cross_entropy(linear(*inputs).reshape(-1, 5), tensor(targets.reshape(-1)))
    ours = sequence_loss(h, W, targets, b if biased else None)
    assert abs(plain.item() - ours.item()) < 1e-12
    for p, q in zip(grad(plain * 2, inputs), grad(ours * 2, inputs)):
        assert np.allclose(p._array, q._array, atol=1e-12)


def test_second_derivatives() -> None:
    h, W, _, targets = case()
    plain = cross_entropy(linear(h, W).reshape(-1, 5), tensor(targets.reshape(-1)))
    found = []
    for loss in (plain, sequence_loss(h, W, targets)):
        (g,) = grad(loss, h, create_graph=True)
        found.append([t._array for t in grad((g**2).sum(), [h, W])])
    assert all(np.allclose(p, q, atol=1e-12) for p, q in zip(*found))


def test_targets_are_checked() -> None:
    h, W, _, targets = case()
    with pytest.raises(ValueError, match="targets have shape"):
        sequence_loss(h, W, targets[1:])
    with pytest.raises(IndexError, match="target 5 is out of range for 5 classes"):
        sequence_loss(h, W, np.full((4, 3), 5))
