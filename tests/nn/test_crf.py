"""Linear-chain CRF: every row of tags enumerated; marginals and the best row are gradients."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tinygrad_rnn import gradcheck, nn, tensor

T, B, K, LENGTHS = 4, 3, 3, [4, 2, 1]
RNG = np.random.default_rng(0)
X, TAGS = RNG.normal(size=(T, B, K)), RNG.integers(0, K, (T, B))


def model(backend=None):
    return nn.CRF(K, seed=0, dtype="float64", backend=backend)


def all_scores(crf, b):
    """Row of tags → score, for sequence b."""
    A, start, end = (p.detach().numpy() for p in (crf.transitions, crf.start, crf.end))
    rows = itertools.product(range(K), repeat=LENGTHS[b])
    emitted = lambda row: sum(X[t, b, k] for t, k in enumerate(row))
    moved = lambda row: sum(A[i, j] for i, j in itertools.pairwise(row))
    return {r: start[r[0]] + emitted(r) + moved(r) + end[r[-1]] for r in rows}


@pytest.mark.parametrize("b", range(B))
def test_everything_is_what_enumeration_gives(b):
    crf, x = model(), tensor(X)
    scores = all_scores(crf, b)
    log_z = np.log(sum(map(np.exp, scores.values())))
    row = tuple(TAGS[: LENGTHS[b], b].tolist())
    assert crf.log_partition(x, lengths=LENGTHS)[b].item() == pytest.approx(log_z, abs=1e-12)
    assert crf.score(x, TAGS, lengths=LENGTHS)[b].item() == pytest.approx(scores[row], abs=1e-12)
    assert tuple(crf.decode(x, lengths=LENGTHS)[b]) == max(scores, key=scores.get)
    marginals = np.zeros((T, K))
    for tags, score in scores.items():
        marginals[range(len(tags)), tags] += np.exp(score - log_z)
    found = crf.marginals(x, lengths=LENGTHS).numpy()[:, b]
    np.testing.assert_allclose(found, marginals, atol=1e-12)


def test_its_gradients_are_slopes():
    crf = model()
    loss = lambda x, *_: crf(x, TAGS, lengths=LENGTHS)
    assert gradcheck(loss, [tensor(X, requires_grad=True), *crf.parameters()])


@pytest.mark.parametrize("backend", ["numpy", pytest.param("c", marks=pytest.mark.compiler)])
def test_the_compiled_recurrence_gives_the_same(backend):
    losses = []
    for crf in (model(), model(backend)):
        x = tensor(X, requires_grad=True)
        loss = crf(x, TAGS, lengths=LENGTHS)
        loss.backward()
        losses.append([loss.item(), x.grad.numpy(), crf.transitions.grad.numpy()])
    for plain, compiled in zip(*losses, strict=True):
        np.testing.assert_allclose(compiled, plain, atol=1e-13)


def test_large_emissions_and_forbidden_moves_stay_finite():
    crf = model()
    crf.transitions.data = np.where(np.eye(K) > 0, -1e4, 0)  # no tag follows itself
    x = tensor(1e3 * X, requires_grad=True)
    loss = crf(x, np.array([[0], [1], [0], [2]]).repeat(B, 1))
    loss.backward()
    assert np.isfinite(x.grad.numpy()).all() and np.isfinite(loss.item())
    assert all(a != b for row in crf.decode(x) for a, b in itertools.pairwise(row))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda c: c(tensor(X[..., :2]), TAGS), r"\(T, B, 3\)"),
        (lambda c: c(tensor(X), TAGS[:2]), r"\(T, B\) = \(4, 3\)"),
        (lambda c: c(tensor(X), TAGS, lengths=[0, 1, 1]), "needs a first step"),
    ],
)
def test_what_does_not_fit_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call(model())


def test_a_tag_out_of_range_is_named():
    with pytest.raises(IndexError, match="tag 7 is out of range for 3 tags"):
        model()(tensor(X), np.full((T, B), 7))
