"""Options, ends and defaults that no example reaches: each was seen to be changed unnoticed."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def test_lerp_is_exact_at_both_ends():
    a, b = tg.tensor([1e8, 1.0, -3.0]), tg.tensor([1.0, 1e8, 1e-8])
    assert tg.lerp(a, b, 0.0).tolist() == a.tolist()
    assert tg.lerp(a, b, 1.0).tolist() == b.tolist()
    weights = tg.tensor([0.0, 1.0, 1.0])
    assert tg.lerp(a, b, weights).tolist() == [a[0].item(), b[1].item(), b[2].item()]


@pytest.mark.parametrize("shape", [(1, 1, 2, 5), (1, 1, 5, 2)])
def test_a_window_fits_in_both_directions(shape):
    with pytest.raises(ValueError):
        tg.conv2d(tg.zeros(*shape), tg.zeros(1, 1, 3, 3))
    with pytest.raises(ValueError):
        tg.max_pool2d(tg.zeros(*shape), 3)


def test_the_axes_of_a_number_are_those_of_one_axis():
    x = tg.tensor(2.0)
    assert x.sum(0).item() == x.sum(-1).item() == 2.0
    for axis in (1, -2):
        with pytest.raises(IndexError, match=r"range of \[-1, 0\]"):
            x.sum(axis)


def test_none_of_the_largest_is_an_empty_choice():
    values, indices = tg.topk(tg.tensor([1.0, 2.0]), 0)
    assert values.shape == indices.shape == (0,)
    for k in (-1, 3):
        with pytest.raises((ValueError, RuntimeError, IndexError)):
            tg.topk(tg.tensor([1.0, 2.0]), k)


def test_weights_of_binary_cross_entropy_multiply():
    p, y, w = (np.array(v) for v in ([0.2, 0.7], [1.0, 0.0], [3.0, 0.5]))
    expected = -w * np.array([np.log(0.2), np.log(0.3)])
    got = tg.binary_cross_entropy(tg.tensor(p), tg.tensor(y), tg.tensor(w), reduction="none")
    np.testing.assert_allclose(got.numpy(), expected)
    logits = tg.tensor(np.log(p / (1 - p)))
    got = tg.binary_cross_entropy_with_logits(logits, tg.tensor(y), tg.tensor(w), reduction="none")
    np.testing.assert_allclose(got.numpy(), expected)


def test_losses_of_differences():
    a, b = tg.tensor([1.0, -2.0]), tg.tensor([3.0, -2.5])
    assert tg.l1_loss(a, b, "none").tolist() == [2.0, 0.5]
    assert tg.mse_loss(a, b, "none").tolist() == [4.0, 0.25]
    assert nn.Softmin()(tg.zeros(2, 3, 4)).sum(-1).tolist() == [[1.0] * 3] * 2


def test_tensordot_wants_as_many_axes_of_both():
    a = tg.zeros(2, 3)
    for dims in (([0], [0], [0]), ([0, 1], [0])):
        with pytest.raises((ValueError, TypeError, RuntimeError)):
            tg.tensordot(a, a, dims)


@pytest.mark.parametrize("word", [-1, 3, 7])
def test_a_text_for_ctc_has_only_the_classes_there_are(word):
    scores = tg.log_softmax(tg.zeros(4, 1, 3), -1)
    with pytest.raises(IndexError, match="symbols are"):
        nn.ctc_loss(scores, tg.tensor([[1, word]]), [4], [2])


def test_numbers_drawn_in_place_are_the_standard_ones():
    x = tg.zeros(20_000).normal_(generator=tg.Generator(0)).numpy()
    assert abs(x.std() - 1) < 0.03 and abs(x.mean()) < 0.03
    x = tg.zeros(20_000).uniform_(generator=tg.Generator(0)).numpy()
    assert 0 <= x.min() < 0.01 and 0.99 < x.max() < 1


def test_general_attention_has_one_matrix():
    attention = nn.GeneralAttention(3, 4)
    assert {n: tuple(p.shape) for n, p in attention.named_parameters()} == {"W.weight": (3, 4)}


def test_a_wrong_state_is_told_with_the_sizes_it_should_have():
    layer = nn.LSTM(2, 3, num_layers=2)
    with pytest.raises(RuntimeError, match=r"size \(2, 3\), got \[1, 3\]"):
        layer(tg.zeros(5, 2), (tg.zeros(1, 3), tg.zeros(1, 3)))
    with pytest.raises(RuntimeError, match=r"size \(2, 4, 3\), got \[1, 4, 3\]"):
        layer(tg.zeros(5, 4, 2), (tg.zeros(1, 4, 3), tg.zeros(1, 4, 3)))


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_a_gradient_given_has_the_dtype_of_its_result(dtype, create_graph):
    """One of another dtype is cast: the rules compute in the dtype of the result."""
    x = tg.tensor(np.array([1.0, 2.0]), requires_grad=True)
    given = tg.tensor(np.array([1, 3]).astype(dtype))
    (g,) = tg.grad(x * x, x, grad_outputs=given, create_graph=create_graph)
    assert g.dtype == np.float64 and g.tolist() == [2.0, 12.0]
    seen = []
    y = x * x
    y.register_hook(lambda g: seen.append(g.dtype))
    y.backward(tg.tensor(np.array([1, 3]).astype(dtype)))
    assert seen == [np.float64] and x.grad.dtype == np.float64


def test_mt_turns_the_last_two_axes_whatever_is_before():
    x = tg.tensor(np.arange(24.0).reshape(2, 3, 4))
    np.testing.assert_array_equal(x.mT.numpy(), x.numpy().swapaxes(1, 2))


def test_every_array_has_its_library_and_nothing_else_has():
    from tinygrad_rnn.engine.arrays import NUMPY, library_of

    assert library_of(np.float32(1)) is library_of(np.zeros(2)) is NUMPY
    with pytest.raises(TypeError, match="str is not an array of"):
        library_of("text")


def test_the_last_class_that_can_be_drawn_may_be_unlikely():
    from tinygrad_rnn.functions.sampling import _last_positive

    table = np.array([[0.3, 0.7, 0.0], [0.9, 0.1, 1e-9], [1.0, 0.0, 0.0]])
    assert _last_positive(table).tolist() == [1, 2, 0]
