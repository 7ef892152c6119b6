"""A cell in single numbers is the cell: values and gradients of every dialect; and it is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from tests.nn.test_cells import DIALECTS
from tinygrad_rnn import grad, nn, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.paper import scalar_twin

T, B, I, H = 3, 2, 2, 3


@pytest.mark.parametrize("name", DIALECTS)
def test_the_twin_has_the_cells_numbers_and_gradients(name):
    kind, options, _ = DIALECTS[name]
    options = options | ({"proj_size": 2} if "proj_size" in options else {})
    cell = kind(I, H, dtype=np.float64, seed=7, **options)
    x = tensor(np.random.default_rng(0).normal(size=(T, B, I)), requires_grad=True)
    twin = scalar_twin(cell, x)
    state, outputs = cell.start(B, x[0]), []
    for x_t in x:
        y, state = cell.step(x_t, state)
        outputs.append(y)
    loss = sum((y * y).sum() for y in outputs)
    parameters = dict(cell.named_parameters())
    wanted = grad(loss, [x, *parameters.values()])
    total = (twin.outputs**2).sum()
    total.backward()
    assert total.shape == () and total.item() == pytest.approx(loss.item(), abs=1e-13)
    ours = [twin.gradient(twin.inputs), *(twin.gradient(twin.parameters[n]) for n in parameters)]
    for found, slope in zip(ours, wanted, strict=True):
        np.testing.assert_allclose(found, slope.numpy(), rtol=0, atol=1e-13)


def test_the_picture_has_every_product_and_every_weight_by_its_place():
    twin = scalar_twin(nn.RNNCell(1, 2, form="stacked", bias="single", seed=0), np.ones((2, 1, 1)))
    loss = (twin.outputs[-1] ** 2).sum()
    loss.backward(record="norm")
    svg = draw(loss, title="A cell in single numbers").svg
    assert svg.count(">×<") >= 12 and all(
        f">weight[{i},{j}]<" in svg for i in (1, 2) for j in (1, 2, 3)
    )
    assert ">x⟨2⟩[1,1]<" in svg and ">t = 2<" in svg


def test_only_small_cells_are_exploded():
    with pytest.raises(ValueError, match="at most 3 inputs and units can be drawn, not 4"):
        scalar_twin(nn.LSTMCell(2, 4), np.ones((1, 1, 2)))
    with pytest.raises(ValueError, match=r"x has \(T, B, I\) with I = 2, not \(1, 2\)"):
        scalar_twin(nn.LSTMCell(2, 3), np.ones((1, 2)))
