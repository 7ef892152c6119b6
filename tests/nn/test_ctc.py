"""CTC: all alignments enumerated, torch's recorded numbers, long sequences, beams."""

from __future__ import annotations

import itertools
import math

import golden
import numpy as np
import pytest

from tinygrad_rnn import exp, gradcheck, log_softmax, nn, tensor
from tinygrad_rnn.nn.ctc import collapse, ctc_beam, ctc_greedy, ctc_loss

LENGTHS, TEXTS = [5, 3, 4, 5], [[1, 1], [2], [], [1, 2, 1]]
IN_A_ROW = [a for text in TEXTS for a in text]


def scores(steps, batch, classes, seed=0):
    x = np.random.default_rng(seed).normal(size=(steps, batch, classes))
    return log_softmax(tensor(x, requires_grad=True), dim=-1)


def enumerated(log_probs, text):
    """The sum over all paths of (T, C) that read as `text`."""
    p = np.exp(log_probs)
    paths = itertools.product(range(p.shape[1]), repeat=len(p))
    return sum(math.prod(p[range(len(p)), path]) for path in paths if collapse(path) == text)


@pytest.mark.parametrize("k", range(4))
def test_the_loss_sums_over_all_alignments(k):
    y = scores(5, 4, 3)
    loss = ctc_loss(y, IN_A_ROW, LENGTHS, [len(t) for t in TEXTS], reduction="none")
    exact = enumerated(y.detach().numpy()[: LENGTHS[k], k], TEXTS[k])
    assert exp(-loss[k]).item() == pytest.approx(exact, rel=1e-12)


def test_its_gradient_is_the_slope():
    lengths = [len(t) for t in TEXTS]
    loss = lambda x: ctc_loss(log_softmax(x, dim=-1), IN_A_ROW, LENGTHS, lengths, reduction="sum")
    assert gradcheck(loss, [scores(5, 4, 3).detach().requires_grad_()])


def test_the_probabilities_of_all_texts_sum_to_one():
    y = scores(4, 1, 3).detach()
    texts = [t for n in range(5) for t in itertools.product((1, 2), repeat=n)]
    total = 0.0
    for text in texts:
        loss = ctc_loss(y, [list(text)], [4], [len(text)], reduction="sum")
        total += math.exp(-loss.item())
    assert total == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("backend", [None, "numpy", pytest.param("c", marks=pytest.mark.compiler)])
@pytest.mark.parametrize("case", golden.load("ctc"), ids=lambda c: c.name)
def test_torchs_numbers(case, backend):
    x = tensor(case.arrays["x"], requires_grad=True)
    loss = nn.CTCLoss(reduction=case.options["reduction"], zero_infinity=True, backend=backend)
    y = loss(log_softmax(x, dim=-1), tensor(case.arrays["targets"]),
             case.options["times"], case.options["lengths"])  # fmt: skip
    y.sum().backward()
    np.testing.assert_allclose(y.detach().numpy(), case.arrays["loss"], rtol=2e-6)
    size = len(case.options["lengths"]) * 10 if case.options["reduction"] != "mean" else 1
    np.testing.assert_allclose(x.grad.numpy(), case.arrays["grad"], atol=1e-6 * size, rtol=1e-5)


def test_single_precision_holds_for_two_thousand_steps():
    y = scores(2000, 1, 5, seed=3).detach()
    text = np.random.default_rng(0).integers(1, 5, (1, 300))
    exact = ctc_loss(y, text, [2000], [300])
    assert ctc_loss(y.float(), text, [2000], [300]).item() == pytest.approx(exact.item(), rel=1e-6)


@pytest.mark.parametrize("zero", [False, True])
def test_a_text_too_long_for_its_sequence_is_impossible(zero):
    x = tensor(np.zeros((2, 1, 3)), requires_grad=True)
    loss = ctc_loss(log_softmax(x, dim=-1), [[1, 1]], [2], [2], zero_infinity=zero)
    loss.backward()
    assert loss.item() == (0 if zero else math.inf)
    assert not x.grad.numpy().any()


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (dict(blank=3), ValueError, "blank=3 is none of the 3 classes"),
        (dict(targets=[[0, 1]]), IndexError, "without the blank 0"),
        (dict(targets=[[3, 1]]), IndexError, "0 … 2"),
        (dict(target_lengths=[3]), ValueError, "target_lengths"),
        (dict(input_lengths=[5]), ValueError, "exceeds the sequence length 4"),
        (dict(targets=[[0.5, 1.0]]), TypeError, "whole numbers"),
        (dict(reduction="avg"), ValueError, "none, mean or sum"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, error, words):
    given = dict(targets=[[1, 2]], input_lengths=[4], target_lengths=[2]) | wrong
    with pytest.raises(error, match=words):
        ctc_loss(scores(4, 1, 3), **given)


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_that_holds_everything_is_exact(seed):
    y = scores(4, 1, 3, seed)[:, 0].detach()
    texts = [list(t) for n in range(5) for t in itertools.product((1, 2), repeat=n)]
    exact = sorted(((enumerated(y.numpy(), t), t) for t in texts), reverse=True)
    found = ctc_beam(y, width=1000, best=3)
    assert [text for text, _ in found] == [t for _, t in exact[:3]]
    assert [math.exp(p) for _, p in found] == pytest.approx([p for p, _ in exact[:3]])


def test_the_best_path_need_not_be_the_best_text():
    y = tensor(np.log([[[0.6, 0.4]], [[0.6, 0.4]]]))  # blank twice: 0.36, but "a" has 0.64
    assert ctc_greedy(y) == [[]]
    assert ctc_beam(y[:, 0])[0][0] == [1]


def test_a_language_model_may_change_the_winner():
    y = tensor(np.log([[0.1, 0.5, 0.4]]))
    assert ctc_beam(y)[0][0] == [1]
    assert ctc_beam(y, bonus=lambda prefix, symbol: math.log([0, 0.2, 0.8][symbol]))[0][0] == [2]
