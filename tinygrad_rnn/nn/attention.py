"""Let a decoder's step look back at all an encoder said, weighted by fit; for `seq2seq`.

What stays the same for all steps, the `Memory`, is made once per sequence and handed to each step
as its context: `layer(x, state, context=attention.memory(encoded))`. Gradients to the encoder are
then a sum over the decoder's steps like any other.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..engine.arrays import to_numpy
from ..engine.ops import tanh
from ..engine.options import choice, flag, kind, whole
from ..engine.tensor import Tensor, tensor
from ..functions.random import Generator
from ..functions.reductions import masked_softmax, softmax
from ..functions.shapes import cat
from ..init import seeded
from .cell import Cell, State, parts_of
from .layers import Linear
from .masks import time_mask
from .module import Module, check_dtype
from .wrapper import Wrapper


class Memory(NamedTuple):
    """Hold what can be looked at: values (B, S, V), keys (B, S, K) to compare with, and which are
    real (B, S), or None if all are."""

    values: Tensor
    keys: Tensor
    real: Tensor | None


class Attention(Module):
    """Base of attentions: average values by weights softmax_s score(query, key_s).

    Write `score(query (B, Q), keys (B, S, K)) -> (B, S)`; `key(encoded)` is computed once for all
    steps.

    >>> import tinygrad_rnn as t
    >>> encoded = t.zeros(7, 2, 6)  # (S, B, V): 7 steps of 2 sequences
    >>> attend = t.nn.AdditiveAttention(4, 6, 5, seed=0)
    >>> read, weights = attend(t.zeros(2, 4), attend.memory(encoded, lengths=[7, 3]))
    >>> read.shape, weights.shape
    ((2, 6), (2, 7))
    """

    value_size: int

    def key(self, encoded: Tensor) -> Tensor:
        """Return the keys of a memory, made once for all steps."""
        return encoded

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return how well each key fits the query."""
        raise NotImplementedError(f"{type(self).__name__} has no score")

    def memory(self, encoded: Tensor, lengths: Any = None, mask: Any = None,
               batch_first: bool = False) -> Memory:  # fmt: skip
        """Return the Memory of a sequence (S, B, V), in which padding is never looked at."""
        if encoded.ndim != 3 or encoded.shape[2] != self.value_size:
            wanted = f"(S, B, V={self.value_size}), or (B, S, V) with batch_first"
            raise ValueError(f"{type(self).__name__}: encoded must be {wanted}: {encoded.shape}")
        rows = encoded if batch_first else encoded.transpose(0, 1)
        real = time_mask((rows.shape[1], rows.shape[0]), lengths, mask, batch_first)
        seen = None if real is None else tensor(rows.xp.asarray(real.T), device=rows.device)
        return Memory(rows, self.key(rows), seen)

    def forward(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Return (what was read (B, V), weights (B, S)) for one query (B, Q)."""
        check_dtype(self, query, memory.values, what="query")
        scores = self.score(query, memory.keys)
        real = memory.real
        weights = softmax(scores, -1) if real is None else masked_softmax(scores, real, -1)
        return (weights.unsqueeze(1) @ memory.values).squeeze(1), weights


class AdditiveAttention(Attention):
    """Bahdanau et al. 2015: score = vᵀ tanh(W query + U key)."""

    def __init__(self, query_size: int, value_size: int, hidden_size: int, *,
                 seed: int | Generator | None = None):  # fmt: skip
        self.value_size, generator = whole(self, "value_size", value_size), seeded(self, seed)
        whole(self, "query_size", query_size), whole(self, "hidden_size", hidden_size)
        self.W = Linear(query_size, hidden_size, bias=False, seed=generator)
        self.U = Linear(value_size, hidden_size, seed=generator)
        self.v = Linear(hidden_size, 1, bias=False, seed=generator)

    def key(self, encoded: Tensor) -> Tensor:
        """Return the keys of a memory, made once for all steps."""
        return self.U(encoded)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return how well each key fits the query."""
        return self.v(tanh(self.W(query).unsqueeze(1) + keys)).squeeze(-1)


class DotAttention(Attention):
    """Attend by score = queryᵀ key, divided by √K if `scaled` (Luong's dot, Vaswani's)."""

    def __init__(self, value_size: int, scaled: bool = False):
        self.value_size = whole(self, "value_size", value_size)
        self.scaled = flag(self, "scaled", scaled)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return how well each key fits the query."""
        scores = (keys @ query.unsqueeze(-1)).squeeze(-1)
        return scores / math.sqrt(keys.shape[-1]) if self.scaled else scores


class GeneralAttention(DotAttention):
    """Luong et al. 2015: score = queryᵀ W key."""

    def __init__(self, query_size: int, value_size: int, *, seed: int | Generator | None = None):
        super().__init__(value_size)
        whole(self, "query_size", query_size)
        self.W = Linear(value_size, query_size, bias=False, seed=seeded(self, seed))

    def key(self, encoded: Tensor) -> Tensor:
        """Return the keys of a memory, made once for all steps."""
        return self.W(encoded)


class AttentionCell(Wrapper):
    """Any cell that reads from a Memory in each step: its context.

    `looks="before"` (Bahdanau): the old h asks, and the cell sees [x, read]. `"after"` (Luong): the
    new h asks, and the output is tanh(W [h, read]); with `feeds=True` that output is also part of
    the next input, kept as the last part of the state. A trace keeps the weights as "attention".

    >>> import tinygrad_rnn as t
    >>> attend = t.nn.DotAttention(8)
    >>> cell = t.nn.AttentionCell(t.nn.GRUCell(5 + 8, 8, seed=0), attend)  # x is 5, what is read 8
    >>> memory = attend.memory(t.zeros(7, 2, 8))
    >>> output, h_n = t.nn.Recurrent(cell)(t.zeros(3, 2, 5), context=memory)
    >>> output.shape
    (3, 2, 8)
    """

    takes_context = True

    def __init__(self, cell: Cell, attention: Attention, looks: str = "before",
                 feeds: bool = False, *, seed: int | Generator | None = None):  # fmt: skip
        choice(self, "looks", looks, ("before", "after"))
        if flag(self, "feeds", feeds) and looks == "before":
            raise ValueError('AttentionCell: feeds=True needs looks="after", got looks="before"')
        super().__init__(cell)
        kind(self, "attention", attention, Attention, "an Attention, such as DotAttention(8)")
        seed = seeded(self, seed)
        self.attention, self.looks, self.feeds = attention, looks, feeds
        size, read = cell.output_size, attention.value_size
        after = looks == "after"
        self.combine = Linear(size + read, size, bias=False, seed=seed) if after else None
        self.given = cell.input_size - (read if not after else size if feeds else 0)

    input_size = property(lambda self: self.given)  # type: ignore[assignment]

    @property
    def state_names(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*self.inner.state_names, *(["attended"] if self.feeds else []))

    def named_tensors(self, prefix: str = "") -> Any:
        yield from self.inner.named_tensors(prefix)
        yield from self.attention.named_tensors(f"{prefix}attention.")
        if self.combine is not None:
            yield from self.combine.named_tensors(f"{prefix}combine.")

    def start(self, batch: int, like: Tensor) -> State:
        state = self.inner.start(batch, like)
        fed = (self.blank(batch, self.inner.output_size, like),) if self.feeds else ()
        return (*parts_of(state), *fed) if fed else state

    def step(self, x: Tensor, state: State, memory: Memory) -> tuple[Tensor, State]:  # type: ignore[override]
        if self.looks == "before":
            read = self._read(parts_of(state)[0], memory)
            return self.inner.step(cat((x, read), -1), state)
        if not self.feeds:
            output, state = self.inner.step(x, state)
            return self._attended(output, memory), state
        *old, fed = state
        output, new = self.inner.step(cat((x, fed), -1), tuple(old) if len(old) > 1 else old[0])
        output = self._attended(output, memory)
        return output, (*parts_of(new), output)

    def _read(self, query: Tensor, memory: Memory) -> Tensor:
        read, weights = self.attention(query, memory)
        self.inner.keep("attention", weights)
        return read

    def _attended(self, output: Tensor, memory: Memory) -> Tensor:
        assert self.combine is not None
        return tanh(self.combine(cat((output, self._read(output, memory)), -1)))


def attention_map(trace: Any) -> Any:
    """Return a traced decoder's weights (T, B, S) as a NumPy array, to be shown as a picture."""
    return to_numpy(trace.gate("attention"))
