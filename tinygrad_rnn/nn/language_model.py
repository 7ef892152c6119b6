"""Predict the next token by a recurrent layer, with AWD-LSTM's switches, for programs.

The recipe of AWD-LSTM (Merity et al. 2018) is a set of switches: tied embeddings, dropout between
layers, variational dropout, weight drop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from inspect import signature
from typing import Any

import numpy as np

from ..engine.class_signature import signature_of
from ..engine.context import no_grad
from ..engine.options import called, flag, made_by, nearest, probability, whole
from ..engine.tensor import Tensor, tensor
from ..functions.losses import dropout, linear
from ..functions.random import Generator
from ..functions.reductions import log_softmax
from ..functions.sequence_loss import sequence_loss
from ..init import generator_from, seeded
from . import decoding
from .cell import State
from .cell_layers import LSTM
from .layers import Embedding, Linear
from .module import Module
from .recurrent import Recurrent
from .weight_drop import WeightDrop


class LanguageModel(Module):
    """Embedding → recurrent layers → scores of the next symbol, over whole numbers (T, B).

    `tied=True` uses the embedding as output weights too (embedding and last layer of one size);
    `dropout` is between layers and before the output, `input_dropout` and `recurrent_dropout` are
    variational, `weight_drop` drops recurrent weights. Other options go to the layer.

    >>> import tinygrad_rnn as t
    >>> model = t.nn.LanguageModel(vocabulary=27, hidden_size=16, embedding_size=8, seed=0)
    >>> logits, state = model(t.zeros(5, 2, dtype=int))
    >>> logits.shape
    (5, 2, 27)
    >>> len(model.sample([1, 2], max_steps=4, seed=0))
    6
    """

    def __init__(self, vocabulary: int, hidden_size: int, embedding_size: int | None = None,
                 num_layers: int = 1, *, layer: Any = LSTM, tied: bool = False,
                 dropout: float = 0.0, weight_drop: float = 0.0,
                 seed: int | Generator | None = None, **options: Any):  # fmt: skip
        self.vocabulary, self.tied = whole(self, "vocabulary", vocabulary), flag(self, "tied", tied)
        size = whole(self, "hidden_size", hidden_size)
        if embedding_size is not None:
            size = whole(self, "embedding_size", embedding_size)
        whole(self, "num_layers", num_layers), probability(self, "weight_drop", weight_drop)
        self.dropout = probability(self, "dropout", dropout)
        self.generator = generator = seeded(self, seed)
        made_by(self, "layer", layer, "a layer's class, such as LSTM")
        self._refuse_unknown(layer, options)
        self.embedding = Embedding(vocabulary, size, seed=generator)
        self.layer: Recurrent = layer(size, hidden_size, num_layers, dropout=dropout,
                                      seed=generator, **options)  # fmt: skip
        if weight_drop:
            self.layer.cells = [[WeightDrop(c, weight_drop, seed=generator) for c in pair]
                                for pair in self.layer.cells]  # fmt: skip
        self.output = Linear(self.layer.output_size, vocabulary, seed=generator)
        if tied:
            if size != self.layer.output_size:
                raise ValueError(f"tied=True needs embedding_size {size} to be the layer's output "
                                 f"size {self.layer.output_size}")  # fmt: skip
            self.embedding.weight = self.output.weight

    def _refuse_unknown(self, layer: Any, options: dict[str, Any]) -> None:
        """Raise for an option that neither this model nor the layer has."""
        own, rest = signature_of(type(self)).parameters, signature(layer).parameters
        if any(p.kind is p.VAR_KEYWORD for p in rest.values()):
            return
        for name in options.keys() - rest.keys():
            near = nearest(name, [*own, *rest])
            raise TypeError(f"{called(self)}() has no argument {name!r}{near}")

    def features(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return (what the output layer sees (T, B, H), last state)."""
        h, state = self.layer(self.embedding(tokens), state)
        return dropout(h, self.dropout, training=self.training, generator=self.generator), state

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return (logits (T, B, V) of what follows each token, last state)."""
        h, state = self.features(tokens, state)
        return linear(h, self.output.weight, self.output.bias), state

    def loss(self, tokens: Tensor, targets: Any, state: State | None = None,
             ignore_index: int = -100) -> tuple[Tensor, State]:  # fmt: skip
        """Return (mean −log P(target), last state), without ever making the table of all logits."""
        h, state = self.features(tokens, state)
        weight, bias = self.output.weight, self.output.bias
        return sequence_loss(h, weight, targets, bias, ignore_index=ignore_index), state

    @no_grad()
    def log_prob(self, sentence: Sequence[int], start: int, end: int | None = None) -> float:
        """Return log P(sentence), which begins after `start` and, if told, ends with `end`."""
        whole = [start, *sentence, *([] if end is None else [end])]
        if len(whole) < 2:
            return 0.0
        line = np.array(whole, np.int64)
        log_p = log_softmax(self(tensor(line[:-1, None]))[0], -1)
        return float(log_p[np.arange(len(line) - 1), 0, line[1:]].sum().item())

    def perplexity(self, sentence: Sequence[int], start: int, end: int | None = None) -> float:
        """Return exp of the mean −log P per symbol."""
        n = len(sentence) + (end is not None)
        return math.exp(-self.log_prob(sentence, start, end) / max(n, 1))

    def step(self, tokens: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Return (log-probabilities (N, V) of the next symbol, state): what `nn.decoding` wants."""
        logits, state = self(tokens.unsqueeze(0), state)
        return log_softmax(logits[0], -1), state

    @no_grad()
    def sample(self, prompt: Sequence[int], max_steps: int = 100, end: int | None = None, *,
               seed: int | Generator | None = None, **how: Any) -> list[int]:  # fmt: skip
        """Return the prompt and what the model adds to it; `how` as in `nn.decoding.sample`."""
        if not len(prompt):
            raise ValueError("sample: the prompt needs at least one symbol, such as a start mark")
        was, state = self.training, None
        self.eval()
        try:
            if len(prompt) > 1:
                state = self(tensor(np.array(prompt[:-1])[:, None]))[1]
            more = decoding.sample(self.step, state, [prompt[-1]], end, max_steps,
                                   generator=generator_from(seed), **how)  # fmt: skip
        finally:
            self.train(was)
        return [*map(int, prompt), *more[0]]
