"""What PyTorch says of typical beginners' mistakes; both libraries run each.

A mistake is a function of a library: t itself, its nn, its optim, and F, where its functions are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

MISTAKES: dict[str, Callable] = {
    "a width that is not input_size":
        lambda t, nn, optim, F: nn.LSTM(3, 4)(t.zeros(5, 2, 7)),
    "no hidden_size":
        lambda t, nn, optim, F: nn.LSTM(3),
    "a misspelt option":
        lambda t, nn, optim, F: nn.LSTM(3, 4, num_layer=2),
    "a rate above one":
        lambda t, nn, optim, F: nn.LSTM(3, 4, dropout=2),
    "a name that is no nonlinearity":
        lambda t, nn, optim, F: nn.RNN(3, 4, nonlinearity='tahn'),
    "h alone for h and c":
        lambda t, nn, optim, F: nn.LSTM(3, 4)(t.zeros(5, 2, 3), t.zeros(1, 2, 4)),
    "a state of another size":
        lambda t, nn, optim, F: nn.GRU(3, 4)(t.zeros(5, 2, 3), t.zeros(1, 2, 5)),
    "a state of another batch":
        lambda t, nn, optim, F: nn.GRU(3, 4)(t.zeros(5, 2, 3), t.zeros(1, 3, 4)),
    "a NumPy array as input":
        lambda t, nn, optim, F: nn.LSTM(3, 4)(np.zeros((5, 2, 3))),
    "whole numbers as input":
        lambda t, nn, optim, F: nn.LSTM(3, 4)(t.tensor([[[1, 2, 3]]])),
    "one axis only":
        lambda t, nn, optim, F: nn.GRU(3, 4)(t.zeros(3)),
    "a cell's state of another size":
        lambda t, nn, optim, F: nn.LSTMCell(3, 4)(t.zeros(2, 3), (t.zeros(2, 5), t.zeros(2, 4))),
    "a Linear of another width":
        lambda t, nn, optim, F: nn.Linear(3, 2)(t.zeros(4, 5)),
    "a product of shapes that do not fit":
        lambda t, nn, optim, F: t.zeros(2, 3) @ t.zeros(4, 5),
    "a sum of shapes that do not fit":
        lambda t, nn, optim, F: t.zeros(2, 3) + t.zeros(2, 4),
    "labels that are floats":
        lambda t, nn, optim, F: F.cross_entropy(t.zeros(2, 3), t.tensor([0.0, 1.0])),
    "a label too large":
        lambda t, nn, optim, F: F.cross_entropy(t.zeros(2, 3), t.tensor([0, 3])),
    "time where classes are expected":
        lambda t, nn, optim, F: F.cross_entropy(t.zeros(5, 2, 3), t.tensor([[0, 1]] * 5)),
    "an index too large":
        lambda t, nn, optim, F: nn.Embedding(3, 2)(t.tensor([5])),
    "an index that is a float":
        lambda t, nn, optim, F: nn.Embedding(3, 2)(t.tensor([0.5])),
    "backward of several numbers":
        lambda t, nn, optim, F: (t.ones(3, requires_grad=True) * 2).backward(),
    "backward without requires_grad":
        lambda t, nn, optim, F: t.ones(3).sum().backward(),
    "backward twice":
        lambda t, nn, optim, F: [
            y.backward() for y in [(t.ones(2, requires_grad=True) ** 2).sum()] * 2],
    "a module for parameters":
        lambda t, nn, optim, F: optim.SGD(nn.Linear(2, 3), lr=0.1),
    "no parameters":
        lambda t, nn, optim, F: optim.SGD([], lr=0.1),
    "a negative learning rate":
        lambda t, nn, optim, F: optim.Adam(nn.Linear(2, 3).parameters(), lr=-1),
    "an option of another library":
        lambda t, nn, optim, F: optim.SGD(nn.Linear(2, 3).parameters(), learning_rate=0.1),
    "a saved model of other names":
        lambda t, nn, optim, F: nn.Linear(2, 3).load_state_dict(
            {'weight': t.zeros(3, 3), 'bais': t.zeros(3)}),
    "numpy() of what requires grad":
        lambda t, nn, optim, F: t.ones(2, requires_grad=True).numpy(),
    "a list in Sequential":
        lambda t, nn, optim, F: nn.Sequential([nn.Linear(2, 3)])(t.zeros(1, 2)),
    "a write into a parameter":
        lambda t, nn, optim, F: t.ones(2, requires_grad=True).add_(1),
    "a shape of another size":
        lambda t, nn, optim, F: t.zeros(2, 3).reshape(4, 2),
    "a Tensor as a condition":
        lambda t, nn, optim, F: bool(t.zeros(2)),
    "parts of other widths":
        lambda t, nn, optim, F: t.cat([t.zeros(2, 3), t.zeros(2, 4)]),
    "an axis that is not there":
        lambda t, nn, optim, F: t.zeros(2, 3).sum(2),
    "a number of several":
        lambda t, nn, optim, F: t.zeros(2).item(),
    "channels that are not there":
        lambda t, nn, optim, F: nn.Conv1d(3, 4, 2)(t.zeros(1, 2, 9)),
    "a norm of another width":
        lambda t, nn, optim, F: nn.LayerNorm(3)(t.zeros(2, 4)),
    "an unknown reduction":
        lambda t, nn, optim, F: F.mse_loss(t.zeros(2), t.zeros(2), reduction='avg'),
    "rows of different lengths":
        lambda t, nn, optim, F: t.tensor([[1.0], [1.0, 2.0]]),
}  # fmt: skip


def said(mistake: Callable, *libraries: Any) -> str:
    """Return "TypeError: …", what a mistake raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            mistake(*libraries)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    raise AssertionError("nothing was raised")


def record() -> list[dict[str, Any]]:
    import torch
    from record import case

    libraries = torch, torch.nn, torch.optim, torch.nn.functional
    return [case(name, {"torch": said(m, *libraries)}, {}) for name, m in MISTAKES.items()]
