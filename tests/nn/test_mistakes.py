"""What beginners do wrong, our message beside PyTorch's: ours names all that PyTorch's does.

The mistakes are in tools/golden/mistakes.py, which recorded what PyTorch says of them. A row says
what our message must have besides: the class or function, the shapes with their axes, the cure.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import golden
import pytest

import tinygrad_rnn
from tinygrad_rnn import nn, optim

RECORDER = Path(__file__).parents[2] / "tools" / "golden" / "mistakes.py"
LIBRARIES = tinygrad_rnn, nn, optim, tinygrad_rnn


def recorder() -> Any:
    spec: Any = importlib.util.spec_from_file_location("mistakes", RECORDER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MISTAKES = recorder()
CASES = {case.name: case.options for case in golden.load("mistakes")}
TOLD: dict[str, tuple[str, ...]] = {
    "a width that is not input_size": ("LSTM", "input_size", "(5, 2, 7)"),
    "no hidden_size": ("LSTM()", "missing hidden_size", "LSTM(input_size, hidden_size"),
    "a misspelt option": ("LSTM()", "'num_layer'", "did you mean 'num_layers'"),
    "a rate above one": ("LSTM", "dropout", "probability", "between 0 and 1", "got 2"),
    "a name that is no nonlinearity": ("RNN", "nonlinearity", "did you mean 'tanh'", "a function"),
    "h alone for h and c": ("LSTM", "2 parts, got 1", "give (h, c)"),
    "a state of another size": ("GRU", "h is (L·D, B, H)"),
    "a state of another batch": ("GRU", "h is (L·D, B, H)"),
    "a NumPy array as input": ("LSTM: x", "numpy.ndarray", "(5, 2, 3)", "tinygrad_rnn.tensor(x)"),
    "whole numbers as input": ("LSTM", "(1, 1, 3) of int64", "x.float()", "(T, B)"),
    "one axis only": ("GRU", "(T, B, I) or (T, I)", "(3,)"),
    "a cell's state of another size": ("LSTMCell", "h has shape (2, 5)", "(B, H) = (2, 4)"),
    "a Linear of another width": ("Linear(3, 2)", "last axis", "in_features=3", "(4, 5)"),
    "a product of shapes that do not fit": ("matmul", "(2, 3) and (4, 5)", "3 ≠ 4"),
    "a sum of shapes that do not fit": ("add", "(2, 3) and (2, 4)"),
    "labels that are floats": ("cross_entropy", "(2,)", "float32", "target.long()", "(2, 3)"),
    "a label too large": ("target 3", "position (1,)", "3 classes"),
    "time where classes are expected": ("(5, 2, 3)", "axis 1", "reshape(-1, 3)"),
    "an index too large": ("embedding", "[5, 5]", "3 rows"),
    "an index that is a float": ("embedding", "float32", "input.long()"),
    "backward of several numbers": ("scalar outputs", "(3,)"),
    "backward without requires_grad": ("does not require grad",),
    "backward twice": ("freed", "retain_graph=True", "detach()"),
    "a module for parameters": ("SGD", "model.parameters()", "got a Linear"),
    "no parameters": ("SGD", "empty parameter list"),
    "a negative learning rate": ("Adam", "-1", "lr must be", "at least 0"),
    "an option of another library": ("SGD()", "'learning_rate'", "lr=0.001"),
    "a saved model of other names": ("Linear", '"bias"', '"bais"', "(3, 3)", "(3, 2)"),
    "numpy() of what requires grad": ("detach().numpy()",),
    "a list in Sequential": ("Sequential", "step 0", "a list", "Sequential(*steps)"),
    "a write into a parameter": ("leaf Tensor", "no_grad()"),
    "a shape of another size": ("[4, 2]", "size 6"),
    "a Tensor as a condition": ("(2,)", "any() or all()"),
    "parts of other widths": ("concatenate", "(2, 3)", "(2, 4)"),
    "an axis that is not there": ("[-2, 1]", "2"),
    "a number of several": ("(2,)",),
    "channels that are not there": ("conv", "(1, 2, 1, 9)", "(4, 3, 1, 2)"),
    "a norm of another width": ("layer_norm", "(3,)", "(2, 4)"),
    "an unknown reduction": ("'avg'", "mean", "sum"),
    "rows of different lengths": ("tensor", "differ in length"),
}


@pytest.mark.parametrize("name", TOLD)
def test_a_beginner_is_told_at_least_what_pytorch_tells(name):
    ours, torchs = MISTAKES.said(MISTAKES.MISTAKES[name], *LIBRARIES), CASES[name]["torch"]
    missing = [fact for fact in TOLD[name] if fact not in ours]
    assert not missing, f"{ours}\nlacks {missing}; PyTorch: {torchs}"
    sizes = re.sub(r"(\d)x(\d)", r"\1 \2", torchs)  # 4x5; but not the numbers of float32 or 2D
    numbers = [n for n in re.findall(r"(?<!\w)-?\d+(?!\w)", sizes) if n not in ("0", "1")]
    lost = [n for n in numbers if n not in re.findall(r"-?\d+", ours)]
    quoted = [q for q in re.findall(r"'(\w+)'", torchs) if q not in ours]
    excused = {"numpy", "dim", "indices", "tanh", "relu"}  # PyTorch's own terms
    assert not lost and set(quoted) <= excused, f"{ours}\nlacks {lost, quoted} of {torchs}"


def test_all_that_is_recorded_is_compared():
    assert set(TOLD) == set(CASES) == set(MISTAKES.MISTAKES) and len(TOLD) >= 25
