"""Encoder and decoder with attention, the base of `dates` and `numbers`:
P(y | x) = Π_t P(y_t | x, y_1 … y_{t−1}), by characters.

What is translated a subclass says by `pair`; a user's own pairs come from a file of two columns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..engine.tensor import tensor
from ..text import CharVocabulary, Columns, pad
from ..text.reading import read_lines
from .data_sources import file_of
from .figures import heat
from .task import DataError, Task, TaskSettings

BOUND = 60  # characters: longer answers are cut


def kept_apart(number: int) -> bool:
    """Return True for a tenth of all whole numbers, without a pattern in their digits."""
    return (number * 2654435761 % 2**32 >> 8) % 10 == 0


class Translation(Task):
    """Base: write `prepare` (what pairs are made of) and `pair`, which makes one."""

    shape = "many to many, T_x ≠ T_y: an encoder and a decoder with attention"
    takes = "a file of two columns, source TAB target"
    defaults = TaskSettings(hidden=64, steps=1100, batch=32, rate=1e-2)
    rows: Any = None  # of the user's file

    def prepare(self) -> None:
        """Look at what is installed, once."""

    def pair(self, random: np.random.Generator, held: bool) -> tuple[str, str]:
        """Return a text and its translation; those held out are never learnt from."""
        raise NotImplementedError

    def read(self, path: Path | None) -> None:
        """Take the pairs of a file, every tenth held out, or make them; list the characters."""
        if path is not None:
            self.rows = Columns(file_of(path), 2)
            for number, line in enumerate(read_lines(path), start=1):
                if line.strip():  # what is wrong is told now, not in the middle of training
                    self.rows.parse(line, number)
            if len(self.rows) < 20:
                raise DataError(f"{path}: {len(self.rows)} pairs are too few, give 20 or more")
        else:
            self.prepare()
        some = self.pairs(np.random.default_rng(0), 4000, False)
        for k, name in enumerate(("source", "target")):
            self.known.vocabularies[name] = CharVocabulary.of("".join(pair[k] for pair in some))
        self.known.facts["asked"] = [
            x for x, _ in self.pairs(np.random.default_rng([1, 7]), 4, True)
        ]

    def pairs(self, random: np.random.Generator, count: int, held: bool) -> list[tuple[str, str]]:
        if self.rows is None:
            return [self.pair(random, held) for _ in range(count)]
        places = np.arange(len(self.rows))
        places = places[(places % 10 == 9) == held]
        return [self.rows[int(k)] for k in random.choice(places, count)]

    def build(self) -> nn.Seq2Seq:
        """Return a network that reads in both directions and writes with attention."""
        x, y = (self.known.vocabularies[name] for name in ("source", "target"))
        hidden = self.settings.hidden
        return nn.Seq2Seq(len(x), len(y), hidden, max(2, hidden // 2), attention=True,
                          cell=self.cell(), seed=self.settings.seed)  # fmt: skip

    def encoded(self, pairs: list[tuple[str, str]]) -> Any:
        x, y = (self.known.vocabularies[name] for name in ("source", "target"))
        return (pad([x.encode(source) for source, _ in pairs], x.pad),
                pad([y.encode(target, eos=True) for _, target in pairs], y.pad))  # fmt: skip

    def examples(self, random: np.random.Generator, held: bool) -> Any:
        return self.encoded(self.pairs(random, self.settings.batch, held))

    def loss(self, model: nn.Seq2Seq, batch: Any, state: Any = None) -> Any:
        """Return the mean −log P of each right character, given those before it."""
        (x, lengths), (y, _) = batch
        marks = self.known.vocabularies["target"]
        return model.loss(x, y, marks.bos, lengths=lengths, padding=marks.pad)

    def said(self, model: nn.Seq2Seq, texts: list[str]) -> list[str]:
        """Return the likeliest character at each step, for each text."""
        marks = self.known.vocabularies["target"]
        (x, lengths), _ = self.encoded([(text or " ", "") for text in texts])
        lines = model.greedy(x.to(self.settings.device), marks.bos, marks.eos, lengths, BOUND)
        return [marks.decode(line) for line in lines]

    def measure(self, model: nn.Seq2Seq) -> dict[str, float]:
        """Return how many whole translations are right, to the last character."""
        pairs = self.pairs(np.random.default_rng([1, 0]), 20 if self.quick else 1000, True)
        said = [one for k in range(0, len(pairs), 250)
                for one in self.said(model, [x for x, _ in pairs[k : k + 250]])]  # fmt: skip
        right = [one == y for one, (_, y) in zip(said, pairs)]
        return {"share exactly right": float(np.mean(right))}

    def questions(self) -> list[str]:
        return self.known.facts["asked"]

    def answer(self, model: nn.Seq2Seq, text: str, seed: int = 0, temperature: float = 1.0) -> str:
        """Return the translation of a text."""
        return self.said(model, [text])[0]

    def figures(self, model: nn.Seq2Seq) -> list[str]:
        """Draw where it looked, for two texts."""
        return [self.looked(model, text) for text in self.questions()[:2]]

    def looked(self, model: nn.Seq2Seq, text: str) -> str:
        marks = self.known.vocabularies["target"]
        said = self.said(model, [text])[0]
        (x, lengths), (y, _) = self.encoded([(text, said)])
        given = np.concatenate([[[marks.bos]], y.numpy()[:-1]])
        table = model.attention_map(x, tensor(given), lengths)[:, 0]
        names = [c.replace(" ", "␣") for c in text]
        title = f"Where it looked: {text} → {said}"
        return heat(title, "character read", "character written", table,
                    names, [*said.replace(" ", "␣"), "end"][: len(table)], "weight")  # fmt: skip

    def small(self) -> Any:
        x, y = self.pairs(np.random.default_rng(3), 1, False)[0]
        return self.encoded([(x[:4], y[:2])])
