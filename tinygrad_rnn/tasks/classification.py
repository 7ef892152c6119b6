"""Tell the class of a text, the base of `sentiment` and `intent`: many to one.

Naive Bayes counts words and knows nothing of their order; it is measured alone too. Its weights of
the words go into a layer that reads in both directions; the layer's largest values over the
sentence make scores that are added to those of naive Bayes: context has the last word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..engine.ops import where
from ..engine.tensor import Tensor, tensor
from ..functions.losses import cross_entropy
from ..functions.shapes import cat
from ..nn.layers import parameter
from ..text import Columns, Padded, WordVocabulary, pad
from .data_sources import file_of
from .figures import heat
from .task import DataError, Task

Example = tuple[str, str]  # class and text
HELD = 10  # every tenth example is held out


def words_of(text: str) -> str:
    """Return the words and marks of a text in small letters, blanks between.

    >>> words_of("It's good, isn't it?")
    "it's good , isn't it ?"
    """
    return " ".join(re.findall(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]", text.lower()))


class Reader(nn.Module):
    """Words (T, B) → scores of the classes (B, K): those of counting, and a layer's on top."""

    count: Tensor

    def __init__(self, count: np.ndarray, layer: Any, seed: int):
        words, classes = count.shape
        self.register_buffer("count", tensor(count))  # 1 + how many texts of a class have a word
        self.word = nn.Embedding(words, layer.input_size - classes, seed=seed)
        self.word.weight.data *= 0.3  # words differ by what is learnt of them, not by chance
        self.drop = nn.Dropout(0.5, seed=seed)
        self.layer = layer
        self.output = nn.Linear(layer.output_size, classes, seed=seed + 1)
        self.trust = parameter([0.5])  # in what was counted

    def counted(self, words: Padded, labels: np.ndarray | None = None) -> np.ndarray:
        """Return log P(word | class) less its mean over the classes, (T, B, K), 0 behind the end.

        What a text of known class added to the counts itself is taken away: it would look easier
        than a new one.
        """
        table, numbers = self.count.cpu().numpy(), words.values.cpu().numpy()
        counts = table[numbers]
        if labels is not None:
            counts[:, np.arange(len(labels)), labels] -= 1
        log_p = np.log(np.maximum(counts, 1) / table.sum(0))
        real = np.arange(len(numbers))[:, None, None] < np.array(words.lengths)[:, None]
        return np.where(real, log_p - log_p.mean(-1, keepdims=True), 0)

    def forward(self, words: Padded, labels: np.ndarray | None = None) -> Tensor:
        weights = tensor(self.counted(words, labels), dtype=self.trust.dtype,
                         device=self.trust.device)  # fmt: skip
        x = cat([self.drop(self.word(words.values)), weights], -1)
        h, _ = self.layer(x, lengths=words.lengths)
        real = np.arange(len(x))[:, None, None] < np.array(words.lengths)[:, None]
        most = where(tensor(real, device=x.device), h, -9.0).amax(0)
        return self.trust * weights.sum(0) + self.output(self.drop(most))


class Classification(Task):
    """Base: write `built_in`, the examples that need no file."""

    shape = "many to one: words, then one class"
    takes = "a file of two columns, class TAB text"
    min_count = 1  # rarer words are unknown
    hidden = 0.0  # share of the words that are unknown while it learns: others will be later
    learnt: Sequence[Example] = ()
    held: Sequence[Example] = ()

    def built_in(self) -> tuple[list[Example], list[Example]]:
        """Return the examples learnt from, and those held out."""
        raise NotImplementedError

    def rows(self, path: Path) -> list[Example]:
        """Return the examples of a user's file."""
        return list(Columns(path, 2))

    def read(self, path: Path | None) -> None:
        """Read examples, every tenth held out, or make them; list words and classes."""
        if path is None:
            self.learnt, self.held = self.built_in()
        else:
            rows = self.rows(file_of(path))
            self.learnt = [row for k, row in enumerate(rows) if k % HELD != HELD - 1]
            self.held = rows[HELD - 1 :: HELD]
        classes = sorted({label for label, _ in self.learnt})
        if len(self.held) < 2 or len(classes) < 2:
            told = f"{len(self.learnt) + len(self.held)} examples of {len(classes)} classes"
            raise DataError(f"{path}: {told} are too few, give 20 or more, of two or more")
        words = " ".join(words_of(text) for _, text in self.learnt)
        self.known.vocabularies["words"] = WordVocabulary.of(words, self.min_count)
        self.known.facts |= {"classes": classes, "asked": [text for _, text in self.held[:4]]}

    def build(self) -> Reader:
        counts, hidden = self.counts(), self.settings.hidden
        layer = self.layer(hidden + counts.shape[1], both=True)
        return Reader(counts, layer, self.settings.seed)

    def counts(self) -> np.ndarray:
        """Return 1 + the number of texts (words, classes) of each class that have a word."""
        words, classes = self.known.vocabularies["words"], self.known.facts["classes"]
        count = np.ones((len(words), len(classes)), np.float32)
        for label, text in self.learnt:
            count[np.unique(words.encode(words_of(text))), classes.index(label)] += 1
        return count

    def encoded(self, examples: Sequence[Example]) -> Any:
        """Return (words, classes) of a batch; a class that was not learnt is none, −100."""
        words, classes = self.known.vocabularies["words"], self.known.facts["classes"]
        labels = [classes.index(c) if c in classes else -100 for c, _ in examples]
        lines = [words.encode(words_of(text) or "?") for _, text in examples]
        return pad(lines), tensor(np.array(labels))

    def examples(self, random: np.random.Generator, held: bool) -> Any:
        rows = self.held if held else self.learnt
        some = [rows[k] for k in random.integers(0, len(rows), self.settings.batch)]
        words, labels = self.encoded(some)
        unknown = random.random(words.values.shape) < (0.0 if held else self.hidden)
        unk = self.known.vocabularies["words"].unk
        return Padded(tensor(np.where(unknown, unk, words.values.numpy())), words.lengths), labels

    def loss(self, model: Reader, batch: Any, state: Any = None) -> Any:
        """Return the mean −log P of the right class."""
        words, labels = batch
        own = labels.cpu().numpy() if model.training else None
        return cross_entropy(model(words, own), labels)

    def scores(self, model: Reader, texts: list[str]) -> np.ndarray:
        """Return P(class | text) as (texts, classes)."""
        rows = []
        for k in range(0, len(texts), 100):
            words, _ = self.encoded([("", text) for text in texts[k : k + 100]])
            there = Padded(words.values.to(self.settings.device), words.lengths)
            rows.append(model(there).softmax(-1).detach().cpu().numpy())
        return np.concatenate(rows)

    def measure(self, model: Reader) -> dict[str, float]:
        """Return how often the class is right; the same of counted words, and of the commonest."""
        held = self.held[:20] if self.quick else self.held
        classes = self.known.facts["classes"]
        right = np.array([classes.index(c) if c in classes else -1 for c, _ in held])
        said = self.scores(model, [text for _, text in held]).argmax(-1)
        words, _ = self.encoded(held)
        counted = model.counted(words).sum(0).argmax(-1)
        most = model.count.cpu().numpy().sum(0).argmax()
        return {"share right": float((said == right).mean()),
                "of counted words": float((counted == right).mean()),
                "of the commonest class": float((most == right).mean())}  # fmt: skip

    def questions(self) -> list[str]:
        return self.known.facts["asked"]

    def answer(self, model: Reader, text: str, seed: int = 0, temperature: float = 1.0) -> str:
        """Return the likeliest class of a text and how sure the model is."""
        p = self.scores(model, [text])[0]
        return f"{self.known.facts['classes'][p.argmax()]} ({p.max():.0%} sure)"

    def figures(self, model: Reader) -> list[str]:
        """Draw how the answer changes as the text goes on, for two texts."""
        return [self.unfolding(model, text) for text in self.questions()[:2]]

    def unfolding(self, model: Reader, text: str) -> str:
        words = words_of(text).split()[:24] or ["?"]
        p = self.scores(model, [" ".join(words[: k + 1]) for k in range(len(words))])
        title = f"P(class | words so far): {' '.join(words[:9])}{' …' * (len(words) > 9)}"
        return heat(title, "up to this word", "class", p.T, words, self.known.facts["classes"],
                    "probability", cell=58)  # fmt: skip

    def small(self) -> Any:
        label, text = self.learnt[0]
        return self.encoded([(label, " ".join(words_of(text).split()[:3]))])
