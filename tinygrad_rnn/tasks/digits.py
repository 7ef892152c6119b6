"""Read one digit, from `task_list`: an ordinary network without time, the notes' one to one.

With scikit-learn installed its 1,797 handwritten digits (NIST, 8 × 8 pixels), else digits written
here in fonts of chance (`strokes`); fonts held out are never learnt from.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..engine.tensor import Tensor, tensor
from ..functions.losses import cross_entropy
from .figures import heat, picture
from .strokes import HIGH, Font, written
from .task import DataError, Goal, Task, TaskSettings

MADE = 2500  # digits written here


class TwoLayers(nn.Module):
    """Pixels (B, H·W) → scores of the ten digits."""

    def __init__(self, pixels: int, hidden: int, seed: int):
        self.hidden = nn.Linear(pixels, hidden, seed=seed)
        self.output = nn.Linear(hidden, 10, seed=seed + 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.hidden(x).relu())


def made(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images (count, 16, 12) of digits, each in a font of its own, and the digits."""
    random = np.random.default_rng(0)
    images, digits = np.zeros((count, HIGH, 12), np.float32), random.integers(0, 10, count)
    for image, digit in zip(images, digits):
        font = Font.drawn(random)._replace(shaky=random.uniform(0.1, 0.5))
        one = written(str(digit), font)[:, :12]
        left = int(random.integers(0, 13 - one.shape[1]))
        image[:, left : left + one.shape[1]] = one
    return images + 0.1 * random.normal(size=images.shape).astype(np.float32), digits


class Digits(Task):
    """Learn to read a digit."""

    name, title = "digits", "Digits: an ordinary network, nothing recurs"
    shape = "one to one: an image, one class"
    takes = "nothing: scikit-learn's digits if installed, else digits are written"
    asks = "the number of a digit held out: sample out/digits 3"
    goal = Goal("share right", least=0.95)
    defaults = TaskSettings(hidden=64, steps=600, batch=64, rate=5e-3)
    has_cell = False
    images: np.ndarray
    digits: np.ndarray

    def read(self, path: Path | None) -> None:
        """Load or write the digits; the last fifth is held out."""
        if path is not None:
            raise DataError("digits makes its own images and takes no --data")
        if self.settings.cell != self.defaults.cell:
            raise DataError("digits is an ordinary network and takes no --cell")
        try:
            given = import_module("sklearn.datasets").load_digits()
        except ImportError:
            self.images, self.digits = made(100 if self.quick else MADE)
        else:
            self.images, self.digits = (given.images / 16).astype(np.float32), given.target
        self.cut = len(self.images) * 4 // 5
        self.known.facts["size"] = list(self.images.shape[1:])
        shown = self.images[self.cut : self.cut + 10].round(3)
        self.known.facts["shown"] = [image.tolist() for image in shown]
        self.known.facts["digits"] = self.digits[self.cut : self.cut + 10].tolist()

    def build(self) -> TwoLayers:
        high, wide = self.known.facts["size"]
        return TwoLayers(high * wide, self.settings.hidden, self.settings.seed)

    def examples(self, random: np.random.Generator, held: bool) -> Any:
        low, high = (self.cut, len(self.images)) if held else (0, self.cut)
        some = random.integers(low, high, self.settings.batch)
        return tensor(self.images[some].reshape(len(some), -1)), tensor(self.digits[some])

    def loss(self, model: TwoLayers, batch: Any, state: Any = None) -> Any:
        """Return the mean −log P of the right digit."""
        images, digits = batch
        return cross_entropy(model(images), digits)

    def said(self, model: TwoLayers, images: np.ndarray) -> np.ndarray:
        x = tensor(images.reshape(len(images), -1).astype(np.float32), device=self.settings.device)
        return model(x).softmax(-1).detach().cpu().numpy()

    def measure(self, model: TwoLayers) -> dict[str, float]:
        """Return how many digits held out are read right, and how many by the nearest mean."""
        held, right = self.images[self.cut :], self.digits[self.cut :]
        learnt, known = self.images[: self.cut], self.digits[: self.cut]
        means = np.stack([learnt[known == d].mean(0) for d in range(10)])
        apart = ((held[:, None] - means) ** 2).sum((-1, -2))
        return {"share right": float((self.said(model, held).argmax(-1) == right).mean()),
                "of the nearest mean image": float((apart.argmin(-1) == right).mean())}  # fmt: skip

    def questions(self) -> list[str]:
        return ["1", "2", "3"]

    def shown(self, text: str) -> tuple[np.ndarray, int]:
        """Return one of ten digits held out by its number; DataError if it is none."""
        known = [str(k) for k in range(1, 11)]
        if (text or "1") not in known:
            raise DataError(f"a digit held out has a number from 1 to 10, not {text!r}")
        k = known.index(text or "1")
        return np.array(self.known.facts["shown"][k]), self.known.facts["digits"][k]

    def answer(self, model: TwoLayers, text: str, seed: int = 0, temperature: float = 1.0) -> str:
        """Return the likeliest digit, and the right one."""
        image, digit = self.shown(text)
        p = self.said(model, image[None])[0]
        return f"{p.argmax()} ({p.max():.0%} sure; it is {digit})"

    def figures(self, model: TwoLayers) -> list[str]:
        """Draw two digits and how likely each class is."""
        drawn = []
        for text in self.questions()[:2]:
            image, digit = self.shown(text)
            p = self.said(model, image[None])
            drawn += [picture(f"Digit {text} held out, a {digit}", "x, pixels", "y, pixels", image,
                              "ink", scale=10),
                      heat(f"P(class | image {text})", "class", "image", p, list("0123456789"),
                           [text], "probability", cell=30)]  # fmt: skip
        return drawn

    def small(self) -> Any:
        images, digits = self.batch(0)
        return images[:1], digits[:1]
