"""Twelve models whose pictures are tested: the library's layers and loops by hand."""

from __future__ import annotations

from contextlib import nullcontext

import hand_loops
import numpy as np
from hand_loops import B, H, I, T

import tinygrad_rnn as tg
from tinygrad_rnn import nn

XS = np.random.default_rng(0).normal(size=(T, B, I)).astype(np.float32)


def layer(kind, **options):
    """Return the loss of a layer with a linear head."""
    model = kind(I, H, seed=0, **options)
    head = nn.Linear(H * (2 if options.get("bidirectional") else 1), 2, seed=1)

    def loss():
        x = tg.tensor(XS, name="x")
        return (head(model(x)[0]) ** 2).mean()

    return loss


def by_hand(program):
    return lambda: program(lambda t: nullcontext())


def translator():
    model = nn.Seq2Seq(source=12, target=10, hidden_size=H, attention=True, seed=0)

    def loss():
        scores = model(tg.tensor(np.arange(8).reshape(T, B)), tg.tensor(np.ones((3, B), int)))
        return tg.cross_entropy(scores.reshape(-1, 10), tg.tensor(np.arange(6) % 10))

    return loss


def residual():
    parts = [nn.Linear(H, H, seed=k) for k in range(3)]

    def loss():
        h = tg.tensor(np.ones((B, H), np.float32), name="x")
        for part in parts:
            h = h + tg.relu(part(h))
        return (h * h).mean()

    return loss


MODELS = {
    "lstm": layer(nn.LSTM),
    "rnn": layer(nn.RNN),
    "gru": layer(nn.GRU),
    "bi-gru": layer(nn.GRU, bidirectional=True),
    "deep bi-gru": layer(nn.GRU, bidirectional=True, num_layers=2),
    "deep lstm": layer(nn.LSTM, num_layers=2),
    "seq2seq": translator(),
    "ten lines": by_hand(hand_loops.ten_lines),
    "two cells": by_hand(hand_loops.two_cells),
    "input feeding": by_hand(hand_loops.input_feeding),
    "characters": by_hand(hand_loops.chars_in_words),
    "residual": residual(),
}
