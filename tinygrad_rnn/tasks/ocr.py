"""Read printed words, from `task_list`: columns of pixels → a layer in both directions → CTC.

Words are written in fonts of chance (`strokes`); held out are other words in fonts never seen. As
in `speech` no letter is told where it stands; afterwards that is drawn.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..engine.tensor import tensor
from ..text import CharVocabulary, pad
from ..text.reading import read_lines
from .data_sources import file_of, python_manual
from .figures import picture
from .speech import Listener, letters_at
from .strokes import HIGH, Font, written
from .task import DataError, Goal, Task, TaskSettings

POOL = 1200  # images learnt from
FONTS = 120  # fonts learnt from
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


class Ocr(Task):
    """Learn to read words in any font of the kind."""

    name, title = "ocr", "Reading printed words by CTC"
    shape = "many to many, T_x ≠ T_y: columns of pixels, then letters, aligned by CTC"
    takes = "a file of words of the letters a to z"
    asks = "a word, which is printed and read: sample out/ocr recurrent"
    goal = Goal("share exactly right", least=0.97)
    defaults = TaskSettings(hidden=64, steps=2500, batch=16, rate=1e-2)
    pool: list[tuple[np.ndarray, str]]
    words: list[str]

    def read(self, path: Path | None) -> None:
        """List the words and print those learnt from; <PAD>, number 0, is CTC's blank."""
        lines: Any = [python_manual()] if path is None else read_lines(file_of(path))
        found = {word for line in lines for word in re.findall(r"[a-z]+", line.lower())}
        self.words = sorted(word for word in found if 3 <= len(word) <= 9)
        if len(self.words) < 20:
            raise DataError(f"{path}: {len(self.words)} words of 3 to 9 letters of a to z, "
                            "give 20 or more")  # fmt: skip
        letters = CharVocabulary.of(ALPHABET, specials=("<PAD>",))
        self.known.vocabularies["letters"] = letters
        random = np.random.default_rng([4, self.settings.seed])
        fonts = [Font.drawn(random) for _ in range(FONTS)]
        self.pool = [self.printed(random, False, fonts[k % FONTS])
                     for k in range(20 if self.quick else POOL)]  # fmt: skip

    def build(self) -> Listener:
        backend = "auto" if self.settings.compiled else None
        letters = len(self.known.vocabularies["letters"])
        return Listener(self.layer(2 * HIGH, both=True), letters, self.settings.seed, backend)

    def printed(self, random: np.random.Generator, held: bool, font: Font) -> tuple[Any, str]:
        """Return the columns of a printed word, a little dirty, and the word."""
        words = [w for k, w in enumerate(self.words[:2000]) if (k % 10 == 9) == held]
        word = words[random.integers(len(words))]
        return columns_of(word, font, random), word

    def encoded(self, made: list[tuple[np.ndarray, str]]) -> Any:
        letters = self.known.vocabularies["letters"]
        return pad([columns for columns, _ in made]), pad([letters.encode(w) for _, w in made])

    def examples(self, random: np.random.Generator, held: bool) -> Any:
        count = self.settings.batch
        if held:
            return self.encoded([self.printed(random, True, Font.drawn(random))
                                 for _ in range(count)])  # fmt: skip
        return self.encoded([self.pool[k] for k in random.integers(0, len(self.pool), count)])

    def loss(self, model: Listener, batch: Any, state: Any = None) -> Any:
        """Return −log of the sum over all alignments of the letters, per letter."""
        return model.loss(*batch)

    def read_off(self, model: Listener, images: list[np.ndarray]) -> list[str]:
        """Return the words of the likeliest alignments."""
        columns = pad(images)
        log_p = model(columns.values.to(self.settings.device), columns.lengths)
        letters = self.known.vocabularies["letters"]
        return [letters.decode(line) for line in nn.ctc_greedy(log_p, columns.lengths)]

    def measure(self, model: Listener) -> dict[str, float]:
        """Return how many words never learnt, in fonts never seen, are right to the letter."""
        random = np.random.default_rng([1, 0])
        made = [self.printed(random, True, Font.drawn(random))
                for _ in range(10 if self.quick else 500)]  # fmt: skip
        said = self.read_off(model, [image for image, _ in made])
        errors = sum(distance(a, b) for a, (_, b) in zip(said, made))
        return {"share exactly right": float(np.mean([a == b for a, (_, b) in zip(said, made)])),
                "wrong letters, per letter": errors / sum(len(b) for _, b in made)}  # fmt: skip

    def questions(self) -> list[str]:
        return ["recurrent", "memory", "network"]

    def shown(self, text: str, seed: int) -> np.ndarray:
        """Return the columns of a text; DataError names a letter that cannot be printed."""
        if unknown := [letter for letter in text if letter not in ALPHABET]:
            raise DataError(f"{unknown[0]!r} cannot be printed; there are {ALPHABET}")
        random = np.random.default_rng([2, seed])
        return columns_of(text or "word", Font.drawn(random), random)

    def answer(self, model: Listener, text: str, seed: int = 0, temperature: float = 1.0) -> str:
        """Return what is read when a text was printed in a font of chance."""
        return self.read_off(model, [self.shown(text, seed)])[0]

    def figures(self, model: Listener) -> list[str]:
        """Draw three printed words, and where each letter was read."""
        made = []
        for seed, text in enumerate(self.questions()):
            columns = self.shown(text, seed)
            log_p = model(tensor(columns[:, None])).detach().numpy()[:, 0]
            image = columns.reshape(-1, HIGH).T
            marks = letters_at(log_p, self.known.vocabularies["letters"])
            title = f"“{text}” in an unseen font, each letter where it was read"
            made.append(picture(title, "x, pixels", "y, pixels", image, "ink", scale=7,
                                marks=[(2 * at, letter) for at, letter in marks]))  # fmt: skip
        return made

    def small(self) -> Any:
        columns, word = self.pool[0]
        return self.encoded([(columns[4:9], word[:1])])


def columns_of(word: str, font: Font, random: np.random.Generator) -> np.ndarray:
    """Return the columns (width / 2, 2 · HIGH) of a printed word, by twos, a little dirty."""
    image = written(word, font)
    image = image[:, : image.shape[1] // 2 * 2] + 0.0
    image += 0.08 * random.normal(size=image.shape)
    return image.T.reshape(-1, 2 * HIGH).astype(np.float32)


def distance(a: str, b: str) -> int:
    """Return how many letters have to be put in, taken out or changed to turn a into b.

    >>> distance("kitten", "sitting")
    3
    """
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]
