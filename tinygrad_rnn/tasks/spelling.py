"""Correct misspelt words, from `task_list`: "recieve" → "receive", by encoder and decoder.

A slip is one of a typist's: two letters change places, a neighbour on the keyboard is hit, a letter
is missed or doubled. Words held out are never learnt from. P(word | what was typed) of the network
is asked of the dictionary's words near by; what it writes freely is measured too.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..engine.tensor import tensor
from ..functions.losses import cross_entropy
from ..text.reading import read_lines
from .data_sources import file_of, python_manual
from .task import DataError, Goal, TaskSettings
from .translation import Translation

DICTIONARY = Path("/usr/share/dict/words")  # of wamerican and its like
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
MOST = 30_000  # words


def neighbours(letter: str) -> str:
    """Return the letters beside a letter on the keyboard.

    >>> neighbours("g")
    'fhtyvb'
    """
    for r, row in enumerate(ROWS):
        k = row.find(letter)
        if k >= 0:
            side = row[max(0, k - 1) : k] + row[k + 1 : k + 2]
            above = ROWS[r - 1][k : k + 2] if r else ""
            below = ROWS[r + 1][max(0, k - 1) : k + 1] if r < 2 else ""
            return side + above + below
    return letter


def misspelt(word: str, random: np.random.Generator) -> str:
    """Return a word with one slip; one in eight is right as it is."""
    kind, k = random.integers(8), int(random.integers(len(word)))
    if kind == 0:
        return word
    if kind <= 2:  # two letters change places
        k = min(k, len(word) - 2)
        return word[:k] + word[k + 1] + word[k] + word[k + 2 :]
    if kind <= 4:
        near = neighbours(word[k])
        return word[:k] + near[random.integers(len(near))] + word[k + 1 :]
    if kind <= 6 and k:
        return word[:k] + word[k + 1 :]
    return word[: k + 1] + word[k:]


class Spelling(Translation):
    """Learn how words are misspelt, and which words there are."""

    name, title = "spelling", "Spelling: the word that was meant"
    shape = "many to many, T_x ≠ T_y: letters typed, letters meant"
    takes = "a file of words, one per line: the dictionary"
    asks = "a misspelt word: sample out/spelling fucntion"
    goal = Goal("share right among words of the dictionary", least=0.9)
    defaults = TaskSettings(hidden=64, steps=700, batch=32, rate=1e-2)
    words: list[str]

    def read(self, path: Path | None) -> None:
        """List the words: of a file, of the system's dictionary, or of Python's manual."""
        if path is not None:
            lines: Any = read_lines(file_of(path))
        elif DICTIONARY.exists():
            lines = read_lines(DICTIONARY)
        else:
            lines = re.findall(r"\b[a-z]+\b", python_manual())
        words = sorted({line.strip().lower() for line in lines if 4 <= len(line.strip()) <= 14})
        if len(words) < 20:
            raise DataError(f"{path}: {len(words)} words of 4 to 14 letters, give 20 or more")
        order = np.random.default_rng(0).permutation(len(words))[: 300 if self.quick else MOST]
        self.known.facts["words"] = [words[k] for k in order]
        super().read(None)

    def pair(self, random: np.random.Generator, held: bool) -> tuple[str, str]:
        """Return a word as it was typed, and as it was meant; every tenth word is held out."""
        words = self.known.facts["words"]
        k = int(random.integers(len(words)))
        while (k % 10 == 9) != held:
            k = int(random.integers(len(words)))
        return misspelt(words[k], random), words[k]

    def near(self, text: str) -> list[str]:
        """Return the words of the dictionary that one slip turns into a text."""
        if not hasattr(self, "shorter"):
            self.shorter = defaultdict(set)
            for word in self.known.facts["words"]:
                for form in without_one(word):
                    self.shorter[form].add(word)
        found = set().union(*(self.shorter.get(form, ()) for form in without_one(text)))
        return sorted(found, key=lambda word: (word != text, word))[:60]

    def chosen(self, model: nn.Seq2Seq, texts: list[str]) -> list[str]:
        """Return for each text the nearby word that the network finds likeliest."""
        near = [self.near(text) for text in texts]
        free = iter(self.said(model, [t for t, words in zip(texts, near) if not words] or [" "]))
        pairs = [(text, word) for text, words in zip(texts, near) for word in words]
        scores = iter([s for k in range(0, len(pairs), 500)
                       for s in self.log_p(model, pairs[k : k + 500])])  # fmt: skip
        best = []
        for words in near:
            told = [next(scores) for _ in words]
            best.append(words[int(np.argmax(told))] if words else next(free))
        return best

    def log_p(self, model: nn.Seq2Seq, pairs: list[tuple[str, str]]) -> np.ndarray:
        """Return log P(word | text) of each pair (text, word)."""
        (x, lengths), (y, _) = self.encoded(pairs)
        marks, wanted = self.known.vocabularies["target"], y.numpy()
        given = np.concatenate([np.full((1, len(pairs)), marks.bos), wanted[:-1]])
        x = x.to(self.settings.device)
        logits = model(x, tensor(given, device=x.device), lengths)
        each = cross_entropy(logits.flatten(0, 1), tensor(wanted.reshape(-1), device=x.device),
                             ignore_index=marks.pad, reduction="none")  # fmt: skip
        return -each.detach().cpu().numpy().reshape(wanted.shape).sum(0)

    def measure(self, model: nn.Seq2Seq) -> dict[str, float]:
        """Return how many words never learnt are found: in the dictionary, and freely."""
        pairs = self.pairs(np.random.default_rng([1, 0]), 20 if self.quick else 500, True)
        meant, texts = [y for _, y in pairs], [x for x, _ in pairs]
        share = lambda said: float(np.mean([a == b for a, b in zip(said, meant)]))
        alone = [(self.near(text) or [text])[0] for text in texts]
        return {self.goal.measure: share(self.chosen(model, texts)),
                "written freely": share(self.said(model, texts)),
                "any nearby word of the dictionary": share(alone)}  # fmt: skip

    def answer(self, model: nn.Seq2Seq, text: str, seed: int = 0, temperature: float = 1.0) -> str:
        """Return each word as it was probably meant."""
        return " ".join(self.chosen(model, [word.lower() for word in text.split() or [" "]]))


def without_one(word: str) -> set[str]:
    """Return the word, and what is left of it without one of its letters."""
    return {word, *(word[:k] + word[k + 1 :] for k in range(len(word)))}
