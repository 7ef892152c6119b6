"""Decoding: exact beams, the distribution of samples, language models that sum to one."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tinygrad_rnn import nn, optim, tensor
from tinygrad_rnn.nn import decoding

END, START, SYMBOLS = 2, 3, 4
TABLE = np.log(np.random.default_rng(0).dirichlet(np.ones(3), (SYMBOLS, SYMBOLS)))


def step(symbols, state):
    """A model that looks two symbols back; the state is the symbol before."""
    last = symbols.numpy()
    before = np.full(len(last), START) if state is None else state.numpy()[0, :, 0]
    return tensor(TABLE[before, last]), tensor(last[None, :, None])


def probability(sequence):
    path = [START, START, *sequence]
    return sum(TABLE[a, b, c] for a, b, c in zip(path, path[1:], path[2:]))


def everything(n):
    """All sequences of up to n symbols that have ended, and those of n that have not."""
    ended = [(*s, END) for k in range(n) for s in itertools.product((0, 1), repeat=k)]
    return ended + list(itertools.product((0, 1), repeat=n))


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_beam_that_holds_everything_is_exact(penalty):
    rank = lambda s: probability(s) / len(s + ((END,) if END not in s else ())) ** penalty
    exact = sorted(everything(4), key=rank, reverse=True)[:5]
    found = decoding.beam_search(step, None, START, END, 100, 4, penalty, best=5)
    assert [tuple(h.symbols) for h in found] == [tuple(a for a in s if a != END) for s in exact]
    assert [h.log_prob for h in found] == pytest.approx([probability(s) for s in exact])


def test_a_beam_finds_what_greed_misses():
    table = np.log([[0.5, 0.4, 0.1], [1 / 3, 1 / 3, 1 / 3], [0.05, 0.05, 0.9], [0.55, 0.45, 1e-9]])
    table[1] = np.log([0.05, 0.05, 0.9])  # after the less likely 1 comes the end, nearly for sure
    chain = lambda symbols, state: (tensor(table[symbols.numpy()]), None)
    assert decoding.greedy(chain, None, [3], END, 3)[0][0] == 0
    assert decoding.beam_search(chain, None, 3, END, 2, 3)[0].symbols == [1]


def test_a_beam_of_one_is_allowed_and_none_is_refused():
    assert len(decoding.beam_search(step, None, START, END, width=1, max_steps=4)) == 1
    with pytest.raises(ValueError, match="at least 1, got 0"):
        decoding.beam_search(step, None, START, END, width=0)


def test_samples_follow_the_model():
    n = 4000
    found = decoding.sample(step, None, [START] * n, END, 3)
    counts = dict.fromkeys(everything(3), 0)
    for sequence in found:
        counts[tuple(sequence) + ((END,) if len(sequence) < 3 else ())] += 1
    expected = {s: n * math.exp(probability(s)) for s in counts}
    chi2 = sum((counts[s] - e) ** 2 / e for s, e in expected.items())
    assert chi2 < 40  # 14 degrees of freedom: beyond it once in 4,000 seeds


@pytest.mark.parametrize(
    ("how", "kept"),
    [
        ({"top_k": 2}, [0.625, 0.375, 0]),
        ({"top_p": 0.5}, [1, 0, 0]),
        ({"top_p": 0.51}, [0.625, 0.375, 0]),
        ({"top_p": 1.0}, [0.5, 0.3, 0.2]),
        ({"top_k": 9}, [0.5, 0.3, 0.2]),
    ],
)
def test_the_likeliest_are_kept(how, kept):
    np.testing.assert_allclose(decoding.kept(np.log([[0.5, 0.3, 0.2]]), **how)[0], kept)


def test_low_temperature_is_greed():
    cold = decoding.sample(step, None, [START] * 5, END, 5, temperature=1e-3)
    assert cold == decoding.greedy(step, None, [START] * 5, END, 5)


@pytest.mark.parametrize("how", [{"temperature": 0}, {"top_k": 0}, {"top_p": 0.0}])
def test_what_makes_no_sense_is_refused(how):
    with pytest.raises(ValueError, match=next(iter(how))):
        decoding.sample(step, None, [START], END, 2, **how)


def toy(**options):
    return nn.LanguageModel(4, 6, seed=0, **options)


def test_the_probabilities_of_all_sentences_sum_to_one():
    model, total = toy(), 0.0
    for sentence in everything(4):
        ended = sentence[-1:] == (END,)
        said, end = (sentence[:-1], END) if ended else (sentence, None)
        total += math.exp(model.log_prob(said, START, end))
    lost = [s for s in itertools.product((0, 1, 3), repeat=4) if 3 in s]  # START is a symbol too
    starts = {s[: s.index(3) + 1] for s in lost}
    total += sum(math.exp(model.log_prob(s, START)) for s in starts)
    assert total == pytest.approx(1, abs=1e-6)


def test_the_fused_loss_is_the_mean_log_probability():
    model, line = toy(), np.array([[1], [0], [2]])
    loss, _ = model.loss(tensor(np.array([[3], [1], [0]])), line)
    assert -3 * loss.item() == pytest.approx(model.log_prob([1, 0], START, END), rel=1e-5)
    assert model.perplexity([1, 0], START, END) == pytest.approx(math.exp(loss.item()), rel=1e-5)


def test_tied_embeddings_are_one_parameter():
    model = nn.LanguageModel(11, 6, tied=True, seed=0)
    assert model.embedding.weight is model.output.weight
    free = nn.LanguageModel(11, 6, seed=0)
    count = lambda m: sum(p.detach().numpy().size for p in m.parameters())
    assert count(free) - count(model) == 11 * 6
    with pytest.raises(ValueError, match="embedding_size 5"):
        nn.LanguageModel(11, 6, 5, tied=True)


def test_the_recipe_of_awd_lstm_trains():
    model = nn.LanguageModel(8, 24, 24, 2, tied=True, dropout=0.1, weight_drop=0.2,
                             input_dropout=0.1, seed=0)  # fmt: skip
    names = {name for name, _ in model.named_parameters()}
    adam, text = optim.Adam(model.parameters(), lr=1e-2), np.tile(np.arange(8), 40)
    tokens = np.stack([text[k : k + 21] for k in range(16)], 1)
    for _ in range(60):
        adam.zero_grad()
        loss, _ = model.loss(tensor(tokens[:-1]), tokens[1:])
        loss.backward()
        adam.step()
    assert names == {name for name, _ in model.named_parameters()}
    model.eval()
    assert model.loss(tensor(tokens[:-1]), tokens[1:])[0].item() < 0.5
    assert model.sample([0, 1, 2], max_steps=5, temperature=0.1, seed=0) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_weights_are_dropped_per_sequence_in_training_alone():
    layer = nn.Recurrent(nn.WeightDrop(nn.GRUCell(3, 4, seed=0), 0.5, seed=0))
    x = tensor(np.ones((6, 2, 3), np.float32))
    first, again = (layer(x)[0].detach().numpy() for _ in range(2))
    assert np.abs(first - again).max() > 1e-3
    layer.eval()
    plain = nn.Recurrent(nn.GRUCell(3, 4, seed=0))(x)[0].detach().numpy()
    np.testing.assert_array_equal(layer(x)[0].detach().numpy(), plain)
    with pytest.raises(ValueError, match="weight_xx"):
        nn.WeightDrop(nn.GRUCell(3, 4), 0.5, names=("weight_xx",))
