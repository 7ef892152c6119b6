"""Turn next-symbol probabilities into sequences, greedy, sampled or by beam, for `seq2seq`.

All three work with any `step(symbols (N,), state) -> (log_probs (N, V), state)`; the parts of a
state have the N rows on their second axis, as the layers' h_n (L, N, H) do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..engine.arrays import to_numpy
from ..engine.context import no_grad
from ..engine.tensor import Tensor, tensor
from ..functions.random import Generator
from .cell import State, parts_of

Step = Callable[[Tensor, Any], tuple[Tensor, Any]]


class Hypothesis(NamedTuple):
    """A sequence without its end mark, and its log-probability."""

    symbols: list[int]
    log_prob: float


@no_grad()
def greedy(step: Step, state: State, start: Any, end: int | None,
           max_steps: int = 100) -> list[list[int]]:  # fmt: skip
    """Take the most probable symbol at each step, for each row of `start` (N,), until `end`."""
    return _rolled(step, state, start, end, max_steps, lambda p: p.argmax(-1))


@no_grad()
def sample(step: Step, state: State, start: Any, end: int | None, max_steps: int = 100, *,
           temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None,
           generator: Generator | None = None) -> list[list[int]]:  # fmt: skip
    """Draw each symbol from the model, for each row of `start` (N,), until `end`.

    `temperature` divides the logits: below 1 the probable become more so. `top_k` draws from the k
    likeliest symbols alone, `top_p` from the fewest whose probabilities sum to p.
    """
    if not temperature > 0:
        raise ValueError(f"sample: temperature must be positive, got {temperature}; use greedy()")
    source = generator or Generator(seed=0)

    def drawn(log_probs: np.ndarray) -> np.ndarray:
        p = kept(log_probs / temperature, top_k, top_p)
        coins = source.uniform((len(p), 1), dtype=np.float64).numpy()
        return np.minimum((p.cumsum(-1) <= coins).sum(-1), p.shape[-1] - 1)

    return _rolled(step, state, start, end, max_steps, drawn)


def kept(logits: np.ndarray, top_k: int | None = None, top_p: float | None = None) -> np.ndarray:
    """Return the probabilities (N, V) after all but the likeliest symbols were left out.

    >>> kept(np.log([[0.5, 0.3, 0.2]]), top_k=2).round(3).tolist()
    [[0.625, 0.375, 0.0]]
    """
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be in (0, 1], got {top_p}")
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    order = np.argsort(-p, -1, kind="stable")
    ranked = np.take_along_axis(p, order, -1)
    if top_k is not None:
        ranked[:, top_k:] = 0
    if top_p is not None:  # the symbol that reaches the sum stays
        ranked[ranked.cumsum(-1) - ranked >= top_p] = 0
    np.put_along_axis(p, order, ranked, -1)
    return p / p.sum(-1, keepdims=True)


def _rolled(step: Step, state: State, start: Any, end: int | None, max_steps: int,
            choose: Callable) -> list[list[int]]:  # fmt: skip
    """Choose one symbol after the other from the log-probabilities (N, V) and feed it back."""
    symbols = np.atleast_1d(to_numpy(start)).astype(np.int64)
    found: list[list[int]] = [[] for _ in symbols]
    going = np.ones(len(symbols), bool)
    for _ in range(max_steps):
        log_probs, state = step(tensor(symbols), state)
        symbols = choose(to_numpy(log_probs).astype(np.float64))
        going &= symbols != end if end is not None else True
        for row in np.flatnonzero(going):
            found[row].append(int(symbols[row]))
        if not going.any():
            break
    return found


@no_grad()
def beam_search(step: Step, state: State, start: int, end: int, width: int = 5,
                max_steps: int = 100, length_penalty: float = 0.0,
                best: int = 1) -> list[Hypothesis]:  # fmt: skip
    """Return the likeliest sequences that begin after `start`, best first; one sequence at a time.

    Ranks by log P / length**length_penalty: 0 is plain probability, 1 the mean per symbol. What has
    not ended after `max_steps` counts as it is. A width that holds every sequence is exact.
    """
    if width < 1:
        raise ValueError(f"beam_search: width must be at least 1, got {width}")
    alive, ended = [Hypothesis([], 0.0)], []
    for _ in range(max_steps):
        last = [h.symbols[-1] if h.symbols else start for h in alive]
        log_probs, state = step(tensor(np.array(last)), state)
        scores = to_numpy(log_probs).astype(np.float64) + [[h.log_prob] for h in alive]
        parents, symbols = np.unravel_index(_largest(scores.ravel(), 2 * width), scores.shape)
        grown: list[Hypothesis] = []
        rows: list[int] = []
        for parent, symbol in zip(parents.tolist(), symbols.tolist()):
            score = float(scores[parent, symbol])
            if score == -math.inf:
                continue
            if symbol == end:
                ended.append(Hypothesis(alive[parent].symbols, score))
            elif len(grown) < width:
                grown.append(Hypothesis([*alive[parent].symbols, symbol], score))
                rows.append(parent)
        alive, state = grown, taken(state, rows)
        if not alive:
            break
    rank = lambda h: -h.log_prob / max(len(h.symbols) + 1, 1) ** length_penalty
    return sorted(ended + alive, key=rank)[:best]


def _largest(scores: np.ndarray, n: int) -> np.ndarray:
    """Return where the n largest scores are, largest first; of equal ones the first."""
    return np.argsort(-scores, kind="stable")[:n]


def taken(state: State, rows: Sequence[int]) -> State:
    """Return these rows of every part of a state, in this order."""
    if state is None:
        return None
    index = tensor(np.array(rows, np.int64))
    parts = tuple(part.index_select(1, index) for part in parts_of(state))
    return parts if isinstance(state, tuple) else parts[0]
