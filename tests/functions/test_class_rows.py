"""The cross-entropy of rows in one operation equals that of its parts, twice differentiated."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import tinygrad_rnn as tg
from tinygrad_rnn.functions import losses


def separately(x, target, ignore_index, reduction):
    """The loss from its parts, as it is for inputs that are no rows."""
    return tg.nll_loss(tg.log_softmax(x, 1), target, None, ignore_index, reduction)


@settings(max_examples=80, deadline=None)
@given(some.integers(0, 2**32 - 1), some.integers(1, 6), some.integers(1, 5),
       some.sampled_from(["mean", "sum", "none"]), some.sampled_from([-100, 0, 2]),
       some.sampled_from(["f4", "f8"]))  # fmt: skip
def test_it_equals_its_parts(seed, n, classes, reduction, ignore, dtype):
    rng = np.random.default_rng(seed)
    numbers = (5 * rng.standard_normal((n, classes))).astype(dtype)
    targets = rng.integers(0, classes, n)
    if ignore < 0 and n > 1:
        targets[rng.integers(0, n)] = ignore
    upstream = tg.tensor(rng.standard_normal(n if reduction == "none" else ()).astype(dtype))
    found = []
    for way in (
        lambda x, t: tg.cross_entropy(x, t, ignore_index=ignore, reduction=reduction),
        lambda x, t: separately(x, t, ignore, reduction),
    ):
        x = tg.tensor(numbers, requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # every target may be ignored
            loss = way(x, tg.tensor(targets))
        once = [tg.grad(loss, x, upstream, retain_graph=True)[0].numpy() for _ in range(2)]
        assert np.array_equal(*once)  # the first took the exponentials, the second made them anew
        (g,) = tg.grad(loss, x, upstream, create_graph=True)
        twice = tg.grad((g * g).sum(), x)[0].numpy()
        found.append([loss.detach().numpy(), once[0], g.detach().numpy(), twice])
    assert np.array_equal(found[0][0], found[1][0])
    tolerance = 1e-6 if dtype == "f4" else 1e-14
    for one, other in zip(*found):
        scale = max(1.0, np.abs(other).max())
        np.testing.assert_allclose(one, other, rtol=0, atol=10 * tolerance * scale)


def test_one_operation_is_recorded_and_its_parts_in_a_trace():
    x, t = tg.tensor(np.eye(3), requires_grad=True), tg.tensor([0, 1, 2])
    names = lambda loss: {n.op.name for n in tg.engine.node.toposort(loss.node) if n.op}
    assert names(tg.cross_entropy(x, t)) == {"cross_entropy", "sum", "div"}
    with tg.trace():
        assert "log_softmax" in names(tg.cross_entropy(x, t))


@pytest.mark.parametrize("wrong", [-1, 3])
def test_a_class_out_of_range_is_named(wrong):
    with pytest.raises(IndexError, match=f"target {wrong} at position \\(1,\\)"):
        tg.cross_entropy(tg.zeros(2, 3), tg.tensor([0, wrong]))
    assert losses._are_plain_rows(tg.zeros(2, 3), tg.tensor([0, wrong]))


def test_if_every_target_is_ignored_the_loss_and_its_gradient_are_0():
    x = tg.tensor(np.ones((2, 3)), requires_grad=True)
    with pytest.warns(UserWarning, match="every target is ignored"):
        loss = tg.cross_entropy(x, tg.tensor([-100, -100]))
    loss.backward()
    assert loss.item() == 0 and not x.grad.numpy().any()
