"""What PyTorch says of typical beginners' mistakes; each is one expression that both libraries run.

The names in an expression are t (the library), nn, optim, F (its functions) and np.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from record import case

MISTAKES = {
    "a width that is not input_size": "nn.LSTM(3, 4)(t.zeros(5, 2, 7))",
    "no hidden_size": "nn.LSTM(3)",
    "a misspelt option": "nn.LSTM(3, 4, num_layer=2)",
    "a rate above one": "nn.LSTM(3, 4, dropout=2)",
    "a name that is no nonlinearity": "nn.RNN(3, 4, nonlinearity='tahn')",
    "h alone for h and c": "nn.LSTM(3, 4)(t.zeros(5, 2, 3), t.zeros(1, 2, 4))",
    "a state of another size": "nn.GRU(3, 4)(t.zeros(5, 2, 3), t.zeros(1, 2, 5))",
    "a state of another batch": "nn.GRU(3, 4)(t.zeros(5, 2, 3), t.zeros(1, 3, 4))",
    "a NumPy array as input": "nn.LSTM(3, 4)(np.zeros((5, 2, 3)))",
    "whole numbers as input": "nn.LSTM(3, 4)(t.tensor([[[1, 2, 3]]]))",
    "one axis only": "nn.GRU(3, 4)(t.zeros(3))",
    "a cell's state of another size":
        "nn.LSTMCell(3, 4)(t.zeros(2, 3), (t.zeros(2, 5), t.zeros(2, 4)))",
    "a Linear of another width": "nn.Linear(3, 2)(t.zeros(4, 5))",
    "a product of shapes that do not fit": "t.zeros(2, 3) @ t.zeros(4, 5)",
    "a sum of shapes that do not fit": "t.zeros(2, 3) + t.zeros(2, 4)",
    "labels that are floats": "F.cross_entropy(t.zeros(2, 3), t.tensor([0.0, 1.0]))",
    "a label too large": "F.cross_entropy(t.zeros(2, 3), t.tensor([0, 3]))",
    "time where classes are expected": "F.cross_entropy(t.zeros(5, 2, 3), t.tensor([[0, 1]] * 5))",
    "an index too large": "nn.Embedding(3, 2)(t.tensor([5]))",
    "an index that is a float": "nn.Embedding(3, 2)(t.tensor([0.5]))",
    "backward of several numbers": "(t.ones(3, requires_grad=True) * 2).backward()",
    "backward without requires_grad": "t.ones(3).sum().backward()",
    "backward twice":
        "[loss.backward() for loss in [(t.ones(2, requires_grad=True) ** 2).sum()] * 2]",
    "a module for parameters": "optim.SGD(nn.Linear(2, 3), lr=0.1)",
    "no parameters": "optim.SGD([], lr=0.1)",
    "a negative learning rate": "optim.Adam(nn.Linear(2, 3).parameters(), lr=-1)",
    "an option of another library": "optim.SGD(nn.Linear(2, 3).parameters(), learning_rate=0.1)",
    "a saved model of other names":
        "nn.Linear(2, 3).load_state_dict({'weight': t.zeros(3, 3), 'bais': t.zeros(3)})",
    "numpy() of what requires grad": "t.ones(2, requires_grad=True).numpy()",
    "a list in Sequential": "nn.Sequential([nn.Linear(2, 3)])(t.zeros(1, 2))",
    "a write into a parameter": "t.ones(2, requires_grad=True).add_(1)",
    "a shape of another size": "t.zeros(2, 3).reshape(4, 2)",
    "a Tensor as a condition": "bool(t.zeros(2))",
    "parts of other widths": "t.cat([t.zeros(2, 3), t.zeros(2, 4)])",
    "an axis that is not there": "t.zeros(2, 3).sum(2)",
    "a number of several": "t.zeros(2).item()",
    "channels that are not there": "nn.Conv1d(3, 4, 2)(t.zeros(1, 2, 9))",
    "a norm of another width": "nn.LayerNorm(3)(t.zeros(2, 4))",
    "an unknown reduction": "F.mse_loss(t.zeros(2), t.zeros(2), reduction='avg')",
    "rows of different lengths": "t.tensor([[1.0], [1.0, 2.0]])",
}  # fmt: skip


def said(code: str, names: dict[str, Any]) -> str:
    """Return "TypeError: …", what an expression raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            eval(code, dict(names))
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    raise AssertionError(f"{code} raised nothing")


def record() -> list[dict[str, Any]]:
    import torch

    names = {"t": torch, "nn": torch.nn, "optim": torch.optim, "np": np}
    names["F"] = torch.nn.functional
    told = {name: said(code, names) for name, code in MISTAKES.items()}
    return [case(name, {"code": MISTAKES[name], "torch": told[name]}, {}) for name in MISTAKES]
