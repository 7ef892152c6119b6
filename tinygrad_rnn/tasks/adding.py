"""Add two numbers that stand far apart, from `task_list`: the adding problem.

Of fifty numbers two are marked, and after the last one their sum is wanted; who always says 1 is
off by 1/6 in the mean square. `--cell` tells how much gates help: try rnn beside lstm and gru.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..engine.tensor import Tensor, tensor
from ..functions.losses import mse_loss
from .figures import lines
from .task import DataError, Goal, Task, TaskSettings

ADDED = 50  # numbers to be read


class Keeper(nn.Module):
    """A recurrent layer and a line."""

    def __init__(self, layer: Any, outputs: int, seed: int):
        self.layer, self.output = layer, nn.Linear(layer.output_size, outputs, seed=seed)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.layer(x)[0])


class MadeSequences(Task):
    """Base of both: nothing is read, all is made."""

    takes = "nothing: sequences are made"

    def read(self, path: Path | None) -> None:
        """Refuse a file."""
        if path is not None:
            raise DataError(f"{self.name} makes its own sequences and takes no --data")


class Adding(MadeSequences):
    """Learn to add two numbers that stand far apart."""

    name, title = "adding", "The adding problem: two marked numbers among fifty"
    shape = "many to one: fifty numbers, then their marked sum"
    asks = "numbers, the marked ones with a star: sample out/adding 0.3 0.9* 0.1 0.5*"
    goal = Goal("mean squared error", most=0.01)
    defaults = TaskSettings(hidden=32, steps=1500, batch=32, rate=1e-2)

    def build(self) -> Keeper:
        return Keeper(self.layer(2), 1, self.settings.seed)

    def examples(self, random: np.random.Generator, held: bool) -> Any:
        """Return numbers and marks (T, B, 2), and the sums (B, 1)."""
        size = self.settings.batch
        x = np.zeros((ADDED, size, 2), np.float32)
        x[..., 0] = random.random((ADDED, size))
        first = random.integers(0, ADDED // 2, size)
        second = random.integers(ADDED // 2, ADDED, size)
        x[first, np.arange(size), 1] = x[second, np.arange(size), 1] = 1
        return tensor(x), tensor((x[..., 0] * x[..., 1]).sum(0)[:, None])

    def loss(self, model: Keeper, batch: Any, state: Any = None) -> Any:
        """Return the mean squared error of what is said after the last number."""
        x, y = batch
        return mse_loss(model(x)[-1], y)

    def measure(self, model: Keeper) -> dict[str, float]:
        """Return the error on new sequences, and that of always saying 1."""
        many = [self.unseen(k) for k in range(2 if self.quick else 30)]
        error = np.mean([self.loss(model, batch).item() for batch in many])
        blind = np.mean([((y.cpu().numpy() - 1) ** 2).mean() for _, y in many])
        return {"mean squared error": float(error), "of always saying 1": float(blind)}

    def questions(self) -> list[str]:
        return ["0.3 0.9* 0.1 0.5*", "0.2* " + "0.7 " * 40 + "0.6*"]

    def answer(self, model: Keeper, text: str, seed: int = 0, temperature: float = 1.0) -> str:
        """Return the sum of the numbers with a star, as the model says it."""
        x = marked(text or self.questions()[0])
        said = model(tensor(x))[-1].item()
        return f"{said:.3f} (it is {(x[..., 0] * x[..., 1]).sum():g})"

    def figures(self, model: Keeper) -> list[str]:
        """Draw what it would say after each number: it knows the sum behind the second mark."""
        x, _ = self.examples(np.random.default_rng(5), True)
        numbers = x.numpy()[:, 0]
        said = model(tensor(x.numpy()[:, :1])).detach().numpy()[:, 0, 0]
        so_far, places = np.cumsum(numbers[:, 0] * numbers[:, 1]), range(1, ADDED + 1)
        curves = {"sum of the marked numbers so far": (places, so_far),
                  "what the model would say": (places, said)}  # fmt: skip
        return [lines("Adding as it reads", "numbers read", "sum (no unit)", curves)]

    def small(self) -> Any:
        x, _ = self.batch(0)
        return x[:4, :1], x[:4, :1, 0].sum(0).reshape(1, 1)


def marked(text: str) -> np.ndarray:
    """Return numbers, some with a star, as (T, 1, 2); DataError names what is none."""
    rows = []
    for word in text.split():
        try:
            rows.append([[float(word.rstrip("*")), float(word.endswith("*"))]])
        except ValueError:
            raise DataError(f"numbers are wanted, such as 0.3 or 0.9*, not {word!r}") from None
    return np.array(rows, np.float32)
