"""Sum a text's probability over all its alignments with a sequence (CTC); programs call it.

α_t(s), the probability of having read s symbols after t steps, is the state of a cell. So the sum
over exponentially many paths is a loop over time, the forward–backward algorithm is BPTT that
emerges, and a compiled loop makes it fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine.arrays import to_numpy
from ..engine.ops import exp, log, maximum, where
from ..engine.options import choice, flag, kind, unfit, whole
from ..engine.tensor import Tensor, tensor
from ..functions.indexing import gather
from ..functions.losses import reduced
from ..functions.shapes import cat
from .cell import Cell
from .masks import checked_lengths
from .module import Module
from .recurrent import Recurrent

NEVER = -1e30  # log 0 that can be added to and subtracted: −inf − −inf would be NaN


class CTCForward(Cell):
    """Step α_t(s) = (α_{t−1}(s) + α_{t−1}(s−1) + [may skip] α_{t−1}(s−2)) y_t(s), as logarithms.

    x (B, 2S) is log y_t(s) of the text with blanks between its symbols, then a column per s that is
    0 where s−2 may be left for s (a symbol other than the one before) and NEVER elsewhere. The
    state is (log α − top, top): in single precision log α ≈ −800 would round by 6e-5, and the
    gradient with it.
    """

    state_names = ("log_alpha", "top")

    def __init__(self, symbols: int):
        super().__init__(2 * symbols, symbols)

    def start(self, batch: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return log of 1 before the first blank, of 0 elsewhere."""
        first = like.xp.full((batch, self.hidden_size), NEVER, like.dtype)
        first[:, 0] = 0
        return tensor(first, device=like.device), self.blank(batch, 1, like)

    def step(self, x: Tensor, state: tuple) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        (a, top), symbols = state, self.hidden_size
        y, skip = x[:, :symbols], x[:, symbols:]
        never = a[:, :1] * 0 + NEVER
        one = cat((never, a[:, :-1]), 1)
        two = cat((never, one[:, :-1]), 1) + skip
        most = maximum(maximum(a, one), two)
        a = y + most + log(exp(a - most) + exp(one - most) + exp(two - most))
        largest = a.amax(-1, keepdims=True)
        return a, (a - largest, top + largest)


def ctc_loss(log_probs: Tensor, targets: Any, input_lengths: Any, target_lengths: Any,
             blank: int = 0, reduction: str = "mean", zero_infinity: bool = False,
             layer: Recurrent | None = None) -> Tensor:  # fmt: skip
    """Return −log P(target | log_probs), as PyTorch's `ctc_loss`.

    `log_probs` is (T, B, C), or (T, C) for one sequence; `targets` (B, L) padded, or all in one
    row. The mean divides each loss by its target's length. A text too long for its sequence has
    an infinite loss and a gradient of 0, or the loss 0 with `zero_infinity`.

    >>> import tinygrad_rnn as t
    >>> even = t.log_softmax(t.zeros(3, 1, 2), dim=-1)  # T = 3 steps of a blank and one letter
    >>> loss = t.nn.ctc_loss(even, t.tensor([[1]]), [3], [1])
    >>> round(float(t.exp(-loss)), 4)  # 6 of 8 paths read as that letter
    0.75
    """
    alone = log_probs.ndim == 2
    log_probs = log_probs.unsqueeze(1) if alone else log_probs
    if log_probs.ndim != 3:
        raise ValueError(f"ctc_loss: log_probs must be (T, B, C) or (T, C), not {log_probs.shape}")
    steps, batch, classes = log_probs.shape
    if not 0 <= blank < classes:
        raise ValueError(f"ctc_loss: blank={blank} is none of the {classes} classes")
    times = checked_lengths(np.atleast_1d(to_numpy(input_lengths)), steps, batch)
    texts = _texts(
        to_numpy(targets), np.atleast_1d(to_numpy(target_lengths)), classes, blank, batch
    )
    symbols = _with_blanks(texts, blank)
    layer = layer or Recurrent(CTCForward(symbols.shape[1]))
    last, top = _run(layer, log_probs, symbols, times, blank)
    found = _read_out(last, [len(text) for text in texts])
    losses = where(found < NEVER / 2, 0.0 if zero_infinity else math.inf, -found - top)
    if reduction == "mean":
        losses = losses / tensor([max(len(text), 1) for text in texts], losses.dtype, losses.device)
    losses = losses[0] if alone and reduction == "none" else losses
    return reduced(losses, reduction)


def _run(layer: Recurrent, log_probs: Tensor, symbols: np.ndarray, times: np.ndarray,
         blank: int) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return (log α − top, top) after each sequence's own last step, (B, S) and (B, 1)."""
    steps = len(log_probs)
    at = log_probs.xp.asarray(np.broadcast_to(symbols, (steps, *symbols.shape)))
    x = gather(log_probs, 2, tensor(at, device=log_probs.device))
    before = np.pad(symbols, ((0, 0), (2, 0)), constant_values=blank)[:, :-2]
    skips = np.where((symbols != blank) & (symbols != before), 0, NEVER)
    skip = tensor(np.broadcast_to(skips, at.shape), log_probs.dtype, log_probs.device)
    short = (times < steps).any()
    a, top = layer(cat((x, skip), 2), lengths=times if short else None)[1]
    return a[0], top[0, :, 0]


def _read_out(last: Tensor, lengths: Sequence[int]) -> Tensor:
    """Return log(α(2L) + α(2L−1)): a text ends with its last symbol or with the blank after it."""
    ends = np.array([[2 * n, max(2 * n - 1, 0)] for n in lengths])
    pair = gather(last, 1, tensor(last.xp.asarray(ends), device=last.device))
    empty = tensor(last.xp.asarray(np.array([[0.0, NEVER * (n == 0)] for n in lengths])),
                   last.dtype, last.device)  # fmt: skip
    return (pair + empty).logsumexp(1)


def _texts(targets: np.ndarray, lengths: np.ndarray, classes: int, blank: int,
           batch: int) -> list[np.ndarray]:  # fmt: skip
    """Return the targets, each as long as it is, from a padded table or from one row after the
    other."""
    if targets.dtype.kind not in "iu" and targets.size or lengths.dtype.kind not in "iu":
        raise TypeError("ctc_loss: targets and target_lengths must hold whole numbers")
    if lengths.shape != (batch,) or (lengths < 0).any():
        raise ValueError(f"ctc_loss: target_lengths must be {batch} lengths, got {lengths}")
    if targets.ndim == 1 and (batch > 1 or len(targets) != lengths.max(initial=0)):
        if len(targets) != lengths.sum():
            said = f"{len(targets)} targets in a row, target_lengths sum to {lengths.sum()}"
            raise ValueError(f"ctc_loss: {said}")
        texts = np.split(targets, np.cumsum(lengths)[:-1])
    else:
        table = np.atleast_2d(targets)
        if len(table) != batch or (lengths > table.shape[1]).any():
            said = f"targets are {targets.shape}, target_lengths up to {lengths.max()}"
            raise ValueError(f"ctc_loss: {said} of a batch of {batch}")
        texts = [row[:n] for row, n in zip(table, lengths.tolist())]
    for k, text in enumerate(texts):
        if len(text) and (text.min() < 0 or text.max() >= classes or (text == blank).any()):
            allowed = f"0 … {classes - 1} without the blank {blank}"
            raise IndexError(f"ctc_loss: target {k} is {text.tolist()}; symbols are {allowed}")
    return texts


def _with_blanks(texts: Sequence[np.ndarray], blank: int) -> np.ndarray:
    """Return (B, 2L+1): each text with a blank before, between and after its symbols."""
    table = np.full((len(texts), 2 * max(map(len, texts), default=0) + 1), blank)
    for row, text in zip(table, texts):
        row[1 : 2 * len(text) : 2] = text
    return table


class CTCLoss(Module):
    """Offer `ctc_loss` as a module; `backend` compiles its recurrence ("auto", "c", "numpy").

    The compiled loop is kept from call to call, so give a training loop one CTCLoss.
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False,
                 backend: str | None = None):  # fmt: skip
        self.blank = whole(self, "blank", blank, 0)
        self.reduction = choice(self, "reduction", reduction, ("none", "mean", "sum"))
        self.zero_infinity = flag(self, "zero_infinity", zero_infinity)
        words = 'None or a backend such as "auto"'
        self.backend = kind(self, "backend", backend, (str, type(None)), words)
        self._layers: dict[int, Recurrent] = {}

    def forward(self, log_probs: Tensor, targets: Any, input_lengths: Any,
                target_lengths: Any) -> Tensor:  # fmt: skip
        """Return the loss of (T, B, C) log-probabilities; see `ctc_loss`."""
        symbols = 2 * int(np.max(to_numpy(target_lengths), initial=0)) + 1
        if self.backend is not None and symbols not in self._layers:
            self._layers[symbols] = Recurrent(CTCForward(symbols)).compile(self.backend)
        options = (self.blank, self.reduction, self.zero_infinity, self._layers.get(symbols))
        return ctc_loss(log_probs, targets, input_lengths, target_lengths, *options)


def collapse(path: Sequence[int], blank: int = 0) -> list[int]:
    """Return the text a path reads as: repeats merged, then blanks dropped.

    >>> collapse([0, 3, 3, 0, 3, 5, 5])
    [3, 3, 5]
    """
    kept = [a for k, a in enumerate(path) if k == 0 or path[k - 1] != a]
    return [int(a) for a in kept if a != blank]


def _scored(owner: str, log_probs: Any, axes: str) -> tuple[int, ...]:
    """Return the shape of log-probabilities, if they are a Tensor of these axes."""
    kind(owner, "log_probs", log_probs, Tensor, f"a Tensor ({axes})")
    if log_probs.ndim != axes.count(",") + 1:
        raise unfit(owner, "log_probs", f"({axes})", log_probs)
    return tuple(log_probs.shape)


def ctc_greedy(log_probs: Tensor, lengths: Any = None, blank: int = 0) -> list[list[int]]:
    """Return the texts of the likeliest paths in (T, B, C), not always the likeliest texts."""
    steps, batch, _ = _scored("ctc_greedy", log_probs, "T, B, C")
    times = checked_lengths(steps if lengths is None else lengths, steps, batch) \
        if lengths is not None else [steps] * batch  # fmt: skip
    best = to_numpy(log_probs).argmax(-1)
    return [collapse(best[:n, k].tolist(), blank) for k, n in enumerate(times)]


def ctc_beam(log_probs: Tensor, width: int = 16, blank: int = 0, best: int = 1,
             bonus: Any = None) -> list[tuple[list[int], float]]:  # fmt: skip
    """Return the most probable texts of one sequence (T, C) with their log-probabilities, best
    first.

    Prefix beam search: the recurrence of `CTCForward` over the `width` likeliest prefixes. With a
    width that holds all prefixes it is exact. `bonus(prefix, symbol)` adds, say, a language
    model's log-probability each time a symbol is appended.
    """
    if log_probs.ndim != 2:
        raise ValueError(f"ctc_beam: log_probs must be (T, C), got {log_probs.shape}")
    beams: dict[tuple, tuple[float, float]] = {(): (0.0, -math.inf)}  # ends in blank, in a symbol
    for y in to_numpy(log_probs).astype(np.float64):
        beams = _grown(beams, y, blank, bonus)
        ranked = sorted(beams.items(), key=lambda one: -np.logaddexp(*one[1]))
        beams = dict(ranked[:width])
    scored = [(list(p), float(np.logaddexp(*ends))) for p, ends in beams.items()]
    return sorted(scored, key=lambda one: -one[1])[:best]


def _grown(beams: dict, y: np.ndarray, blank: int, bonus: Any) -> dict:
    """Return all prefixes one step later: each stays, by blank or by repeating, or takes a symbol
    more."""
    new: dict[tuple, tuple[float, float]] = {}

    def add(prefix: tuple, in_blank: float, in_symbol: float) -> None:
        old = new.get(prefix, (-math.inf, -math.inf))
        new[prefix] = np.logaddexp(old[0], in_blank), np.logaddexp(old[1], in_symbol)

    for prefix, (in_blank, in_symbol) in beams.items():
        either = np.logaddexp(in_blank, in_symbol)
        add(prefix, either + y[blank], in_symbol + y[prefix[-1]] if prefix else -math.inf)
        for symbol in range(len(y)):
            if symbol == blank:
                continue
            before = in_blank if prefix[-1:] == (symbol,) else either
            gained = bonus(list(prefix), symbol) if bonus else 0.0
            add((*prefix, symbol), -math.inf, before + y[symbol] + gained)
    return new
