"""Say letters again after a pause, from `task_list`: the copy problem.

Five letters, up to twenty silent steps, then a question: who guesses is right one time in eight.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.tensor import Tensor, tensor
from ..functions.losses import cross_entropy
from .adding import Keeper, MadeSequences
from .figures import heat
from .task import DataError, Goal, TaskSettings

LETTERS, KEPT, PAUSE = 8, 5, 20  # mark number 8 is silence, 9 asks for the copy


class Copy(MadeSequences):
    """Learn to say letters again after a pause."""

    name, title = "copy", "The copy problem: five letters, a pause, and again"
    shape = "many to many, T_x ≠ T_y: letters, silence, the same letters"
    asks = "five letters of a to h: sample out/copy cabhe"
    goal = Goal("share of letters right", least=0.95)
    defaults = TaskSettings(hidden=64, steps=2500, batch=32, rate=1e-2)

    def build(self) -> Keeper:
        return Keeper(self.layer(LETTERS + 2), LETTERS, self.settings.seed)

    def encoded(self, letters: np.ndarray, pause: int = PAUSE) -> Any:
        """Return one of ten marks per step (T, B, 10), and the letters (KEPT, B)."""
        marks = np.full((KEPT + pause + KEPT, letters.shape[1]), LETTERS)
        marks[:KEPT], marks[KEPT + pause] = letters, LETTERS + 1
        return tensor(np.eye(LETTERS + 2, dtype=np.float32)[marks]), tensor(letters)

    def examples(self, random: np.random.Generator, held: bool) -> Any:
        """Return letters to be kept; while it learns the pauses are short and long."""
        letters = random.integers(0, LETTERS, (KEPT, self.settings.batch))
        return self.encoded(letters, PAUSE if held else int(random.integers(PAUSE + 1)))

    def loss(self, model: Keeper, batch: Any, state: Any = None) -> Any:
        """Return −log P of each letter when it is asked for."""
        x, letters = batch
        scores = model(x)[-len(letters) :]
        return cross_entropy(scores.flatten(0, 1), letters.flatten())

    def said(self, model: Keeper, x: Tensor) -> np.ndarray:
        return model(x)[-KEPT:].detach().argmax(-1).cpu().numpy()

    def measure(self, model: Keeper) -> dict[str, float]:
        """Return how many letters of new sequences are right."""
        many = [self.unseen(k) for k in range(2 if self.quick else 30)]
        right = [(self.said(model, x) == y.cpu().numpy()).mean() for x, y in many]
        return {"share of letters right": float(np.mean(right))}

    def questions(self) -> list[str]:
        return ["cabhe", "aaaab"]

    def answer(self, model: Keeper, text: str, seed: int = 0, temperature: float = 1.0) -> str:
        """Return what the model remembers of five letters."""
        text = text or self.questions()[0]
        numbers = [ord(letter) - ord("a") for letter in text]
        if len(text) != KEPT or not all(0 <= k < LETTERS for k in numbers):
            raise DataError(f"five letters of a to h are wanted, such as cabhe, not {text!r}")
        said = self.said(model, self.encoded(np.array(numbers)[:, None])[0])[:, 0]
        return "".join(chr(ord("a") + k) for k in said)

    def figures(self, model: Keeper) -> list[str]:
        """Draw the state while it waits: what is kept there is the letters."""
        x, _ = self.encoded(np.array([ord(letter) - ord("a") for letter in "cabhe"])[:, None])
        h = model.layer(x)[0].detach().numpy()[:, 0].T[:24]
        steps = ["·"] * h.shape[1]
        steps[:KEPT], steps[KEPT + PAUSE] = list("cabhe"), "?"
        rows = [str(k + 1) for k in range(len(h))]
        return [heat("What its first units hold: letters, the pause (·), the question (?)",
                     "step", "unit", h, steps, rows, "h")]  # fmt: skip

    def small(self) -> Any:
        x, y = self.batch(0)
        return x[:4, :1], y[:2, :1]
