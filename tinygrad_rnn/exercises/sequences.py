"""Ask about language models, decoders, captions and CTC: 13–16; `registry` loads them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .graphs import Rng, _softmax, sizes
from .registry import exercise


# 13 language models
def _sentence(rng: Rng) -> tuple:
    v, t = sizes(rng, 2, 3, 7)
    return np.log(rng.dirichlet(np.ones(v), t)), rng.integers(0, v, t)


@exercise(
    "13.1",
    "The probability of a sentence",
    "log_p[t] holds log P(· | what came before) at step t; tokens[t] is what came. Write "
    "(log_p, tokens) -> log P(sentence).",
    _sentence,
    hints=["Products of probabilities are sums of logarithms."],
)
def sentence_log_prob(log_p: Any, tokens: Any) -> Any:
    return log_p[np.arange(len(tokens)), tokens].sum()


_picked = lambda log_p, tokens: log_p[np.arange(len(tokens)), tokens]
sentence_log_prob.mistake("mean for sum", "P is a product over t: the sum of logarithms, no mean.")(
    lambda log_p, tokens: _picked(log_p, tokens).mean()
)
sentence_log_prob.mistake("wrong sign", "the sign is wrong: that is the loss.")(
    lambda log_p, tokens: -_picked(log_p, tokens).sum()
)
sentence_log_prob.mistake("P for log P", "the logarithm is asked for: P itself underflows.")(
    lambda log_p, tokens: np.exp(_picked(log_p, tokens).sum())
)
sentence_log_prob.mistake("sum of probabilities", "probabilities multiply; their logarithms add.")(
    lambda log_p, tokens: np.exp(_picked(log_p, tokens)).sum()
)
sentence_log_prob.mistake(
    "likeliest tokens", "take the probability of what came, not the largest."
)(lambda log_p, tokens: log_p.max(1).sum())


@exercise(
    "13.2",
    "Perplexity",
    "Write log P(y_t | …) of all N tokens, (N,) -> the perplexity.",
    lambda rng: (np.log(rng.uniform(0.05, 1, sizes(rng, 1)[0])),),
    hints=["exp of the mean −log P."],
)
def perplexity(log_p: Any) -> Any:
    return float(np.exp(-log_p.mean()))


perplexity.mistake("sum for mean", "perplexity is per token: the mean, not the sum.")(
    lambda log_p: float(np.exp(-log_p.sum()))
)
perplexity.mistake("wrong sign", "the sign is wrong: perplexity is at least 1.")(
    lambda log_p: float(np.exp(log_p.mean()))
)
perplexity.mistake("missing exp", "that is the loss: perplexity is exp of it.")(
    lambda log_p: float(-log_p.mean())
)
perplexity.mistake("mean of 1/P", "take the mean of the logarithms first, then exp.")(
    lambda log_p: float(np.exp(-log_p).mean())
)
perplexity.mistake("base 2", "logarithms here are natural: exp, not 2 to the power of.")(
    lambda log_p: float(2 ** -log_p.mean())
)


@exercise(
    "13.3",
    "Temperature",
    "p_i^(1/τ), normalised. Write (logits, τ) -> the probabilities.",
    lambda rng: (rng.normal(size=sizes(rng, 1)[0]) * 2, float(rng.uniform(0.3, 3))),
    hints=["Divide the logits by τ."],
)
def tempered(logits: Any, tau: float) -> Any:
    return _softmax(logits / tau, 0)


tempered.mistake("times τ", "τ divides: a low temperature makes the likely likelier.")(
    lambda logits, tau: _softmax(logits * tau, 0)
)
tempered.mistake(
    "divided after", "the probabilities themselves are not divided: they must sum to 1."
)(lambda logits, tau: _softmax(logits, 0) / tau)
tempered.mistake("no temperature", "τ is not used.")(lambda logits, tau: _softmax(logits, 0))
tempered.mistake("not normalised", "the results must sum to 1.")(
    lambda logits, tau: np.exp(logits / tau)
)


@exercise(
    "13.4",
    "A word nobody knows",
    "Write (words, vocabulary: dict) -> their numbers, vocabulary['<UNK>'] for others, and "
    "vocabulary['<EOS>'] at the end.",
    lambda rng: (
        [str(w) for w in rng.choice(["the", "cat", "sat", "on", "mat", "zyx"], 5)],
        {"<UNK>": 0, "<EOS>": 1, "the": 2, "cat": 3, "sat": 4, "on": 5},
    ),
)
def encode(words: Any, vocabulary: Any) -> Any:
    return [vocabulary.get(w, vocabulary["<UNK>"]) for w in words] + [vocabulary["<EOS>"]]


encode.mistake("no end", "<EOS> is missing: without it lengths have no probability.")(
    lambda words, v: [v.get(w, v["<UNK>"]) for w in words]
)
encode.mistake("unknown left out", "an unknown word is <UNK>, not nothing.")(
    lambda words, v: [v[w] for w in words if w in v] + [v["<EOS>"]]
)
encode.mistake("end first", "<EOS> stands at the end.")(
    lambda words, v: [v["<EOS>"]] + [v.get(w, v["<UNK>"]) for w in words]
)
encode.mistake("unknown is the end", "unknown words are <UNK>, not <EOS>.")(
    lambda words, v: [v.get(w, v["<EOS>"]) for w in words] + [v["<EOS>"]]
)


# 14 encoder and decoder
def _chain(rng: Rng) -> tuple:
    """Return P(first), P(next | last) of three symbols; the likeliest first one misleads."""
    while True:
        first, then = np.log(rng.dirichlet(np.ones(3))), np.log(rng.dirichlet(np.ones(3), 3))
        if _greedy(first, then, 3) != _best(first, then, 3):
            return first, then, 3


def _score(first: Any, then: Any, path: Any) -> float:
    return first[path[0]] + sum(then[a, b] for a, b in itertools.pairwise(path))


def _best(first: Any, then: Any, T: int) -> list[int]:
    paths = itertools.product(range(3), repeat=T)
    return list(max(paths, key=lambda path: _score(first, then, path)))


def _greedy(first: Any, then: Any, T: int) -> list[int]:
    path = [int(np.argmax(first))]
    while len(path) < T:
        path.append(int(np.argmax(then[path[-1]])))
    return path


@exercise(
    "14.1",
    "The best path",
    "log P(first symbol) is `first` (3,), log P(next | last) is `then` (3, 3). Write "
    "(first, then, T) -> the list of T symbols with the largest probability.",
    _chain,
    hints=["Greedy can miss it: try every path, or keep the best way to each symbol."],
)
def best_path(first: Any, then: Any, T: int) -> Any:
    return _best(first, then, T)


best_path.mistake("greedy", "that is greedy: the best first symbol may lead to bad ones.")(_greedy)
best_path.mistake("transposed", "then[a, b] is from a to b: yours goes the other way.")(
    lambda first, then, T: _best(first, then.T, T)
)
best_path.mistake("least probable", "the largest probability, so the largest logarithm.")(
    lambda first, then, T: list(
        min(itertools.product(range(3), repeat=T), key=lambda path: _score(first, then, path))
    )
)
best_path.mistake("first ignored", "the first symbol has a probability too.")(
    lambda first, then, T: _best(np.zeros(3), then, T)
)


@exercise(
    "14.2",
    "Teacher forcing",
    "The target is a list of symbols. Write (target, start) -> (what the decoder is given, what it "
    "must say), step by step.",
    lambda rng: (rng.integers(1, 9, int(rng.integers(3, 7))).tolist(), 0),
    hints=["At each step it is given the symbol before the one it must say."],
)
def teacher_forced(target: Any, start: int) -> Any:
    return [start, *target[:-1]], list(target)


teacher_forced.mistake("given the answer", "it is given what it must say: shift by one.")(
    lambda target, start: (list(target), list(target))
)
teacher_forced.mistake("start said", "the start symbol is given, never said.")(
    lambda target, start: ([start, *target], [start, *target])
)
teacher_forced.mistake("one too long", "both have as many steps as the target.")(
    lambda target, start: ([start, *target], list(target))
)
teacher_forced.mistake(
    "shifted the wrong way", "it is given the symbol before, not the one after."
)(lambda target, start: ([*target[1:], start], list(target)))


@exercise(
    "14.3",
    "Length normalisation",
    "Write (log P, length, α) -> the score (1/T^α) log P.",
    lambda rng: (-float(rng.uniform(1, 20)), int(rng.integers(2, 12)), float(rng.uniform(0.3, 1))),
)
def normalised(log_p: float, length: int, alpha: float) -> Any:
    return log_p / length**alpha


normalised.mistake("no α", "α is missing: that is the mean per symbol.")(lambda p, n, a: p / n)
normalised.mistake("times", "long sequences are helped by dividing.")(lambda p, n, a: p * n**a)
normalised.mistake("not normalised", "the length is not used.")(lambda p, n, a: p)
normalised.mistake("α times length", "T to the power α, not α times T.")(
    lambda p, n, a: p / (a * n)
)


def _attention_inputs(rng: Rng) -> tuple:
    s, k, v = sizes(rng, 3)
    return rng.normal(size=k), rng.normal(size=(s, k)), rng.normal(size=(s, v))


@exercise(
    "14.4",
    "Attention",
    "score_s = queryᵀ key_s, weights = softmax over s, and the weighted mean of the values. Write "
    "(query (K,), keys (S, K), values (S, V)) -> (V,).",
    _attention_inputs,
    hints=["One weight per source step."],
)
def attend(query: Any, keys: Any, values: Any) -> Any:
    return _softmax(keys @ query, 0) @ values


attend.mistake("no softmax", "the weights must sum to 1: softmax of the scores.")(
    lambda q, k, v: (k @ q) @ v
)
attend.mistake("scaled", "no √K here: that is the scaled form.")(
    lambda q, k, v: _softmax(k @ q / np.sqrt(len(q)), 0) @ v
)
attend.mistake("hard", "that is the value of the best key: a weighted mean is asked for.")(
    lambda q, k, v: v[np.argmax(k @ q)]
)
attend.mistake("even mean", "all weights are equal: the query is not used.")(
    lambda q, k, v: v.mean(0)
)
attend.mistake(
    "weights returned", "the weighted mean of the values is asked for, not the weights."
)(lambda q, k, v: _softmax(k @ q, 0))


# 15 captions
@exercise(
    "15.1",
    "Once or at every step",
    "An image is given to a decoder of T steps either once, as its first state, or as an input of "
    "every step. Write (T, how) -> through how many edges the image enters, for how in 'state', "
    "'input'.",
    lambda rng: (int(rng.integers(2, 9)), str(rng.choice(["state", "input"]))),
)
def image_edges(T: int, how: str) -> Any:
    return 1 if how == "state" else T


image_edges.mistake("always T", "as the first state it enters once.")(lambda T, how: T)
image_edges.mistake("always once", "as an input it enters at every step.")(lambda T, how: 1)
image_edges.mistake("exchanged", "the two are exchanged.")(
    lambda T, how: T if how == "state" else 1
)


@exercise(
    "15.2",
    "Which pixels mattered",
    "g (rows, columns, 3) is ∂ log P(word)/∂ image. Write g -> a map (rows, columns): norms over "
    "the colours, scaled so that its largest entry is 1.",
    lambda rng: (rng.normal(size=(*sizes(rng, 2), 3)),),
)
def saliency(g: Any) -> Any:
    norm = np.sqrt((g * g).sum(-1))
    return norm / norm.max()


saliency.mistake("not scaled", "the largest entry must be 1.")(lambda g: np.sqrt((g * g).sum(-1)))
saliency.mistake("sum for norm", "signs cancel in a sum: take the norm over the colours.")(
    lambda g: g.sum(-1) / g.sum(-1).max()
)
saliency.mistake("squares", "the root is missing in the norm.")(
    lambda g: (g * g).sum(-1) / (g * g).sum(-1).max()
)
saliency.mistake("absolute sum", "that is the sum of absolute values, not the norm.")(
    lambda g: np.abs(g).sum(-1) / np.abs(g).sum(-1).max()
)
saliency.mistake("wrong axis", "the colours are the last axis.")(
    lambda g: np.sqrt((g * g).sum(0)) / np.sqrt((g * g).sum(0)).max()
)


# 16 CTC
def _path(rng: Rng) -> tuple:
    return (rng.choice([0, 1, 2], int(rng.integers(6, 12)), p=[0.4, 0.3, 0.3]).tolist(),)


def _merged(path: list[int]) -> list[int]:
    return [a for k, a in enumerate(path) if k == 0 or path[k - 1] != a]


@exercise(
    "16.1",
    "What a path reads as",
    "Merge repeats, then drop the blank 0. Write path (list) -> text (list).",
    _path,
    hints=["Repeats first: a blank between two equal symbols keeps both."],
)
def collapsed(path: Any) -> Any:
    return [a for a in _merged(path) if a]


collapsed.mistake("wrong order", "merge first, then drop blanks: else doubled letters merge.")(
    lambda path: _merged([a for a in path if a])
)
collapsed.mistake("repeats kept", "repeats are merged.")(lambda path: [a for a in path if a])
collapsed.mistake("blanks kept", "blanks are dropped at the end.")(_merged)
collapsed.mistake("all duplicates dropped", "only neighbours are merged, not all equal symbols.")(
    lambda path: [a for a in dict.fromkeys(path) if a]
)


def _ctc_inputs(rng: Rng) -> tuple:
    text = [[1, 1, 2], [2, 1, 1], [1, 2, 2]][int(rng.integers(3))]
    return rng.dirichlet(np.ones(3), int(rng.integers(5, 7))), text


def _alpha(y: Any, text: list[int], *, skip: bool = True, repeats: bool = False,
           ends: int = 2) -> float:  # fmt: skip
    """Return P(text) by the forward recurrence over the text with blanks between."""
    symbols = [0]
    for a in text:
        symbols += [a, 0]
    alpha = np.zeros(len(symbols))
    alpha[0] = 1.0
    for row in y:
        new = np.zeros_like(alpha)
        for s, a in enumerate(symbols):
            new[s] = alpha[s] + (alpha[s - 1] if s else 0)
            other = s >= 2 and a != 0 and (repeats or symbols[s - 2] != a)
            new[s] += alpha[s - 2] if skip and other else 0
            new[s] *= row[a]
        alpha = new
    return float(alpha[-ends:].sum())


def _all_paths(y: Any, text: list[int], collapse: Any) -> float:
    paths = itertools.product(range(y.shape[1]), repeat=len(y))
    return float(
        sum(np.prod(y[range(len(y)), path]) for path in paths if collapse(list(path)) == text)
    )


@exercise(
    "16.2",
    "The probability of a text",
    "y (T, C) are probabilities, class 0 the blank. Write (y, text) -> P(text): the sum over all "
    "paths that read as the text.",
    _ctc_inputs,
    hints=[
        "With T ≤ 6 and 3 classes all paths can be tried.",
        "α_t(s) = (α(s) + α(s−1) + [may skip] α(s−2)) y_t(s).",
        "A blank may be skipped only between different symbols.",
    ],
    tolerance=1e-9,
)
def ctc_probability(y: Any, text: Any) -> Any:
    return _alpha(y, text)


ctc_probability.mistake(
    "skip between equals", "between equal symbols the blank may not be skipped."
)(lambda y, text: _alpha(y, text, repeats=True))
ctc_probability.mistake(
    "one ending", "a text ends with its last symbol or with a blank: add both."
)(lambda y, text: _alpha(y, text, ends=1))


@ctc_probability.mistake("best path alone", "that is the best path: sum over all of them.")
def _best_alignment(y: Any, text: Any) -> Any:
    paths = itertools.product(range(y.shape[1]), repeat=len(y))
    fits = [
        np.prod(y[range(len(y)), p]) for p in paths if [a for a in _merged(list(p)) if a] == text
    ]
    return float(max(fits))


ctc_probability.mistake("log P", "P is asked for, not its logarithm.")(
    lambda y, text: float(np.log(_alpha(y, text)))
)
ctc_probability.mistake("blanks not merged", "repeats are merged before blanks are dropped.")(
    lambda y, text: _all_paths(y, text, lambda p: _merged([a for a in p if a]))
)


@exercise(
    "16.3",
    "How many paths",
    "Write (T, n) -> how many paths of T steps read as a text of n different symbols.",
    lambda rng: (int(rng.integers(3, 8)), int(rng.integers(1, 4))),
    hints=["Count with all probabilities equal to 1.", "Where do n runs begin and end?"],
)
def path_count(T: int, n: int) -> Any:
    return round(_alpha(np.ones((T, n + 1)), list(range(1, n + 1))))


path_count.mistake("without blanks", "blanks may stand before, between and after.")(
    lambda T, n: int(np.prod([(T - 1 - k) / (k + 1) for k in range(n - 1)]) + 0.5)
)
path_count.mistake("all paths", "not every path reads as that text.")(lambda T, n: (n + 1) ** T)
path_count.mistake("blanks required", "blanks are optional between different symbols.")(
    lambda T, n: round(_alpha(np.ones((T, n + 1)), list(range(1, n + 1)), skip=False))
)
