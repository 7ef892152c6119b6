"""Say once, for `running`, how a task is made: data, model, loss, measure, pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .. import nn
from ..draw.capture.models import CELLS as DRAWN
from ..engine.tensor import Tensor
from ..text import Vocabulary
from ..text.batches import Padded, moved

CELLS = {name: made for name, made in DRAWN.items()
         if made.trained and made.layers == 1 and not made.both}  # fmt: skip


class DataError(ValueError):
    """Says what is wrong with the data that a user gave, and where."""


@dataclass(frozen=True)
class TaskSettings:
    """Choices of a run: sizes, the pace of learning, where and how it runs."""

    cell: str = "lstm"
    hidden: int = 64
    steps: int = 500
    batch: int = 32
    rate: float = 5e-3
    seed: int = 0
    device: str = "cpu"
    compiled: bool = True


@dataclass(frozen=True)
class Goal:
    """The measure that counts, and what it has to reach: `least` or `most`."""

    measure: str
    least: float = -float("inf")
    most: float = float("inf")

    def reached(self, measured: dict[str, float]) -> bool:
        """Return whether what was measured is good enough."""
        return self.least <= measured[self.measure] <= self.most

    def __str__(self) -> str:
        bound = f"≥ {self.least:g}" if np.isfinite(self.least) else f"≤ {self.most:g}"
        return f"{self.measure} {bound}"


@dataclass
class Known:
    """A trained model's knowledge besides weights: vocabularies, and facts as plain values."""

    vocabularies: dict[str, Vocabulary] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def state_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        words = {name: one.state_dict() for name, one in self.vocabularies.items()}
        return {"vocabularies": words, "facts": dict(self.facts)}

    @staticmethod
    def of(state: dict[str, Any]) -> Known:
        """Return what `state_dict` described."""
        words = {n: Vocabulary.from_state_dict(s) for n, s in state["vocabularies"].items()}
        return Known(words, state["facts"])


class Task:
    """Base: write `read`, `build`, `examples`, `loss`, `measure`; add `answer` and `figures`."""

    name: ClassVar[str]
    title: ClassVar[str]
    shape: ClassVar[str]  # of the sequence problem, in the words of the notes
    takes: ClassVar[str]  # what --data may be
    asks: ClassVar[str]  # what `sample` is given, with an example
    goal: ClassVar[Goal]
    defaults: ClassVar[TaskSettings] = TaskSettings()
    carries: ClassVar[bool] = False  # the state goes on from batch to batch
    has_cell: ClassVar[bool] = True
    quick = False  # measure on few examples: for tests

    def __init__(self, settings: TaskSettings | None = None, known: Known | None = None):
        self.settings = settings or self.defaults
        self.known = known or Known()

    # -- what each task writes
    def read(self, path: Path | None) -> None:
        """Read the user's data, or make the built-in ones; fill `known`."""
        raise NotImplementedError

    def build(self) -> nn.Module:
        """Return a new model; `known` and `settings` say how large."""
        raise NotImplementedError

    def examples(self, random: np.random.Generator, held: bool) -> Any:
        """Return a batch to learn from, or of the data held out."""
        raise NotImplementedError

    def loss(self, model: Any, batch: Any, state: Any = None) -> Any:
        """Return what is to become small; (loss, state) of (model, batch, state) if it carries."""
        raise NotImplementedError

    def measure(self, model: Any) -> dict[str, float]:
        """Return what the model achieves on data it has not seen."""
        raise NotImplementedError

    def answer(self, model: Any, text: str, seed: int = 0, temperature: float = 1.0) -> str:
        """Return what the model makes of a user's text, or of none."""
        raise NotImplementedError

    def questions(self) -> Sequence[str]:
        """Return what the result page asks the model."""
        return [""]

    def figures(self, model: Any) -> list[str]:
        """Return pictures of what the model does, as SVG."""
        return []

    def sounds(self, model: Any) -> list[tuple[str, bytes]]:
        """Return sounds as (title, WAV file)."""
        return []

    def small(self) -> Any:
        """Return a batch of a few steps, whose graph can be looked at."""
        return self.batch(0)

    # -- what all have in common
    def batches(self) -> Any:
        """Return what `fit` takes: a function of the step, or batches that know their place."""
        return self.batch

    def batch(self, step: int) -> Any:
        """Return what is learnt from in a step: the same for the same seed and step."""
        random = np.random.default_rng([0, self.settings.seed, step])
        return moved(self.examples(random, False), self.settings.device)

    def unseen(self, k: int = 0) -> Any:
        """Return a batch of the data held out: the same whatever the seed."""
        return moved(self.examples(np.random.default_rng([1, k]), True), self.settings.device)

    def held_out(self, model: Any) -> float:
        """Return the loss on data held out, for the curve."""
        return float(self.loss(model, self.unseen()).item())

    def cell(self, **options: Any) -> Callable[..., nn.Cell]:
        """Return what makes the chosen cell; an LSTM's forget gate begins half open."""
        recipe = CELLS[self.settings.cell]
        if recipe.cell is nn.LSTMCell:
            options = {"forget_bias": 1.0, **options}
        return partial(recipe.cell, **recipe.options, **options)

    def layer(self, inputs: int, layers: int = 1, both: bool = False,
              **options: Any) -> nn.Recurrent:  # fmt: skip
        """Return the recurrent layer of the chosen cell."""
        return nn.Recurrent(self.cell(), inputs, self.settings.hidden, layers, bidirectional=both,
                            seed=self.settings.seed, **options)  # fmt: skip

    def tiny(self) -> Task:
        """Return the same task with a model small enough to be drawn."""
        settings = replace(self.settings, hidden=3, batch=1, compiled=False, device="cpu")
        small = type(self)(settings, self.known)
        small.__dict__ |= {k: v for k, v in vars(self).items() if k != "settings"}
        return small

    def loss_of_small(self, model: Any) -> Tensor:
        """Return the loss of a batch of a few steps, to be drawn and checked."""
        batch = cast(self.small(), next(iter(model.parameters())).dtype)
        return self.loss(model, batch, None)[0] if self.carries else self.loss(model, batch)


def cast(batch: Any, dtype: Any) -> Any:
    """Return a batch with its Tensors of floats in another dtype."""
    if isinstance(batch, Tensor):
        return batch.to(dtype=dtype) if batch.dtype.kind == "f" else batch
    if isinstance(batch, Padded):
        return Padded(cast(batch.values, dtype), batch.lengths)
    return tuple(cast(part, dtype) for part in batch) if isinstance(batch, tuple) else batch
