"""Encode one sequence and decode another from it, trained end to end, for programs.

While it learns, the decoder is given the right symbols (teacher forcing), or now and then its own;
afterwards it is given what it said itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.arrays import to_numpy
from ..engine.context import no_grad, scope
from ..engine.options import flag, made_by, unfit, whole
from ..engine.tensor import Tensor, tensor
from ..functions.losses import cross_entropy
from ..functions.random import Generator
from ..functions.reductions import log_softmax
from ..functions.shapes import cat, stack
from ..init import seeded
from . import decoding
from .attention import AdditiveAttention, Attention, AttentionCell, Memory
from .cell import State, map_state
from .cells import GRUCell
from .layers import Embedding, Linear
from .module import Module
from .recurrent import Recurrent


class Seq2Seq(Module):
    """Read a sequence of symbols, then write another.

    The encoder's last states, both directions side by side and through tanh of a linear bridge,
    begin the decoder. With `attention` (True for Bahdanau's, or an Attention) each step of the
    decoder also looks at all that the encoder said.

    >>> import tinygrad_rnn as t
    >>> model = t.nn.Seq2Seq(source=12, target=10, hidden_size=8, attention=True, seed=0)
    >>> logits = model(t.zeros(7, 2, dtype=int), t.ones(4, 2, dtype=int), lengths=[7, 5])
    >>> logits.shape  # (T_y, B, target): scores of what follows each given symbol
    (4, 2, 10)
    """

    def __init__(self, source: int, target: int, hidden_size: int,
                 embedding_size: int | None = None, *, attention: bool | Attention = False,
                 cell: Callable = GRUCell, bidirectional: bool = True,
                 seed: int | Generator | None = None):  # fmt: skip
        for name, size in (("source", source), ("target", target), ("hidden_size", hidden_size)):
            whole(self, name, size)
        if not isinstance(attention, (bool, Attention)):
            raise unfit(self, "attention", "True, False or an Attention", attention, TypeError)
        made_by(self, "cell", cell, "a cell's class, such as GRUCell")
        flag(self, "bidirectional", bidirectional)
        generator, size = seeded(self, seed), hidden_size
        if embedding_size is not None:
            size = whole(self, "embedding_size", embedding_size)
        self.generator = generator
        self.read = Embedding(source, size, seed=generator)
        self.write = Embedding(target, size, seed=generator)
        self.encoder = Recurrent(cell, size, hidden_size, bidirectional=bidirectional,
                                 seed=generator)  # fmt: skip
        seen = self.encoder.output_size
        if attention is True:
            attention = AdditiveAttention(hidden_size, seen, hidden_size, seed=generator)
        inner = cell(size + (seen if attention else 0), hidden_size, seed=generator)
        self.decoder = Recurrent(AttentionCell(inner, attention) if attention else inner)
        self.bridge = Linear(seen, hidden_size, seed=generator)
        self.output = Linear(hidden_size, target, seed=generator)

    @property
    def attention(self) -> Attention | None:
        return getattr(self.decoder.cells[0][0], "attention", None)

    def encode(self, source: Tensor, lengths: Any = None) -> tuple[State, Memory | None]:
        """Return (the decoder's first state, what it can look at) of symbols (T_x, B)."""
        with scope("encoder"):
            encoded, last = self.encoder(self.read(source), lengths=lengths)
        bridged = lambda s: self.bridge(cat(list(s), -1)).tanh().unsqueeze(0)
        memory = self.attention.memory(encoded, lengths=lengths) if self.attention else None
        return map_state(bridged, last), memory

    def decode(self, given: Tensor, state: State, memory: Memory | None) -> tuple[Tensor, State]:
        """Return (logits (T, B, V), last state) after each of the symbols `given` (T, B)."""
        looking = {} if memory is None else {"context": memory}
        with scope("decoder"):
            h, state = self.decoder(self.write(given), state, **looking)
        return self.output(h), state

    def forward(self, source: Tensor, given: Tensor, lengths: Any = None,
                teacher: float = 1.0) -> Tensor:  # fmt: skip
        """Return the logits (T_y, B, V) of what follows each of `given` (T_y, B), the target
        shifted by a start symbol. At rate 1 − `teacher` a step is given what the model found
        likeliest."""
        if not 0 <= teacher <= 1:
            raise ValueError(f"teacher must be a rate between 0 and 1, got {teacher}")
        state, memory = self.encode(source, lengths)
        if teacher == 1:
            return self.decode(given, state, memory)[0]
        rows, said = [], given[0]
        for t in range(len(given)):
            taught = t == 0 or self.generator.uniform(()).item() < teacher
            logits, state = self.decode((given[t] if taught else said).unsqueeze(0), state, memory)
            rows.append(logits[0])
            said = logits[0].detach().argmax(-1)
        return stack(rows, 0)

    def loss(self, source: Tensor, target: Any, start: int, lengths: Any = None,
             padding: int = -100, teacher: float = 1.0) -> Tensor:  # fmt: skip
        """Return the mean −log P of the target symbols (T_y, B) that are not `padding`."""
        goal = to_numpy(target)
        first = np.full((1, goal.shape[1]), start)
        given = np.concatenate([first, np.where(goal == padding, start, goal)[:-1]])
        logits = self(source, tensor(given), lengths, teacher)
        flat = logits.reshape(-1, logits.shape[-1])
        return cross_entropy(flat, tensor(goal.reshape(-1)), ignore_index=padding)

    @no_grad()
    def greedy(self, source: Tensor, start: int, end: int, lengths: Any = None,
               max_steps: int = 100) -> list[list[int]]:  # fmt: skip
        """Return the likeliest symbol at each step, for every sequence of a batch (T_x, B)."""
        state, memory = self.encode(source, lengths)
        first = [start] * source.shape[1]
        return decoding.greedy(self._stepper(memory), state, first, end, max_steps)

    @no_grad()
    def beam(self, source: Tensor, start: int, end: int, width: int = 5, max_steps: int = 100,
             **how: Any) -> list[decoding.Hypothesis]:  # fmt: skip
        """Return the likeliest sequences for one source (T_x,); see `nn.decoding.beam_search`."""
        state, memory = self.encode(source.unsqueeze(1) if source.ndim == 1 else source)
        step = self._stepper(memory)
        return decoding.beam_search(step, state, start, end, width, max_steps, **how)

    def _stepper(self, memory: Memory | None) -> Callable:
        def step(symbols: Tensor, state: State) -> tuple[Tensor, State]:
            rows = None if memory is None else spread(memory, len(symbols))
            logits, state = self.decode(symbols.unsqueeze(0), state, rows)
            return log_softmax(logits[0], -1), state

        return step

    def attention_map(self, source: Tensor, given: Tensor, lengths: Any = None) -> np.ndarray:
        """Return the weights (T_y, B, T_x) with which each step looked at each source symbol."""
        state, memory = self.encode(source, lengths)
        traced = self.decoder(self.write(given), state, context=memory, trace=True)
        return to_numpy(traced.gate("attention"))


def spread(memory: Memory, rows: int) -> Memory:
    """Return the memory of one sequence for as many hypotheses; that of a batch as it is."""
    if memory.values.shape[0] == rows:
        return memory
    wide = [None if part is None else part.expand(rows, *part.shape[1:]) for part in memory]
    return Memory(*wide)  # type: ignore[arg-type]
