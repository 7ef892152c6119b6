"""Model a text by its words, from `task_list`: P(sentence) = Π_t P(w_t | w_1 … w_{t−1}).

<EOS> ends each line and rare words are <UNK>. A model that counts pairs of words, smoothed, is
measured beside it: the layer's gain is its memory beyond the last word.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from .. import nn
from ..engine.tensor import tensor
from ..text import WordVocabulary
from ..text.reading import read_text
from .characters import HELD, MOST, Characters, Part
from .classification import words_of
from .data_sources import file_of, python_manual
from .figures import lines
from .task import DataError, Goal, TaskSettings

MARKS = ("<UNK>", "<EOS>")
LARGEST = 8000  # words known; all others are <UNK>


class WordModel(Characters):
    """Learn to write as a text is written, word by word."""

    name, shape = "words", "many to many, T_x = T_y: a language model"
    title = "A language model of words"
    takes = "a text file in UTF-8; default: Python's own manual"
    asks = 'how a sentence begins: sample out/words "the value of"'
    goal = Goal("perplexity over that of pairs", most=0.9)
    defaults = TaskSettings(hidden=128, steps=900, batch=16, rate=4e-3)

    def read(self, path: Path | None) -> None:
        """Number the words; the last tenth of the text is held out."""
        text = python_manual() if path is None else "".join(read_text(file_of(path)))
        text = text[:30_000] if self.quick else text
        lines_of = [words_of(line).split() for line in text.split("\n") if line.strip()]
        words = [word for line in lines_of for word in [*line, "<EOS>"]]
        least = 10 * self.settings.batch
        if len(words) < least:
            raise DataError(f"{path}: {len(words)} words are too few, give {least} or more")
        cut = len(words) - max(int(len(words) * HELD), 2 * self.settings.batch)
        known = WordVocabulary.of(" ".join(words[:cut]), 2, LARGEST, specials=MARKS)
        self.known.vocabularies["letters"] = known
        tokens = known.numbers_of(words)
        self.learnt = Part(tokens, 0, cut)
        self.held = Part(tokens, cut, min(len(tokens), cut + MOST))

    def build(self) -> nn.LanguageModel:
        """Return the same model with dropout: there are fewer words than characters."""
        recipe, hidden = self.cell(), self.settings.hidden
        layer = lambda inputs, units, layers=1, **how: nn.Recurrent(recipe, inputs, units, layers,
                                                                    **how)  # fmt: skip
        return nn.LanguageModel(len(self.letters), hidden, hidden, layer=layer, tied=True,
                                dropout=0.3, seed=self.settings.seed)  # fmt: skip

    def measure(self, model: nn.LanguageModel) -> dict[str, float]:
        """Return the perplexity of the text held out, and that of counted pairs."""
        own = math.exp(self.held_out(model, 2000 if self.quick else MOST))
        pairs = math.exp(pairs_loss(self.learnt[0 : len(self.learnt)],
                                    self.held[0 : len(self.held)], len(self.letters)))  # fmt: skip
        return {"perplexity": own, "perplexity of pairs": pairs,
                "perplexity over that of pairs": own / pairs}  # fmt: skip

    def questions(self) -> list[str]:
        return ["", "the value of"]

    def answer(self, model: nn.LanguageModel, text: str, seed: int = 0,
               temperature: float = 0.7) -> str:  # fmt: skip
        """Return the beginning and forty words more, a line for each sentence, and log₂ P(text)."""
        start = self.letters.encode(words_of(text) or "<EOS>")
        said = model.sample(start, 40, seed=seed, temperature=temperature)
        told = self.letters.decode([k for k in said if k != self.letters.unk])
        bits = model.log_prob(list(start), self.letters.eos) / math.log(2)
        return told.strip() + (f"\n(log₂ P of “{text}”: {bits:.1f} bits)" if text else "")

    def figures(self, model: nn.LanguageModel) -> list[str]:
        """Draw how surprised it is, word by word."""
        row = self.held[0:25]
        p = model(tensor(row[:, None]))[0].softmax(-1).detach().numpy()[:, 0]
        bits = -np.log2(p[np.arange(len(row) - 1), row[1:]])
        names = [self.letters.tokens[k].replace("<EOS>", "¶") for k in row]
        label = "place in the text: " + " ".join(names[:14]) + " …"
        return [lines("How surprised it is by each next word of the text held out", label,
                      "surprise, bits", {"−log₂ P(word | all before)":
                                         (range(1, len(row)), bits)})]  # fmt: skip


def pairs_loss(learnt: np.ndarray, held: np.ndarray, words: int, part: float = 0.7) -> float:
    """Return the mean −log P of counted pairs, mixed with counted words, in nats."""
    single = np.bincount(learnt, minlength=words) + 1.0
    keys, counts = np.unique(learnt[:-1] * words + learnt[1:], return_counts=True)
    wanted = held[:-1] * words + held[1:]
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    pair = np.where(keys[place] == wanted, counts[place], 0) / single[held[:-1]]
    return float(-np.log(part * pair + (1 - part) * single[held[1:]] / single.sum()).mean())
