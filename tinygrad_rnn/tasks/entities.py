"""Named entities, from `task_list`: which words are a person, a place, an organisation?

A layer in both directions reads the sentence, a CRF scores whole rows of tags. "Paris said …" is a
person, "Paris lies …" a place: only the next words tell, so a layer that reads forwards alone,
which is trained and measured beside it, has to guess. Names held out are met in no sentence before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import nn, optim
from ..engine.context import enable_grad
from ..engine.tensor import Tensor, tensor
from ..functions.losses import cross_entropy
from ..functions.shapes import cat
from ..text import Padded, WordVocabulary, pad
from ..training import fit
from .data_sources import file_of
from .entity_sentences import KNOWN, Names, Sentence, conll, spans
from .figures import heat
from .task import DataError, Goal, Task, TaskSettings


class Tagger(nn.Module):
    """Number, ending and capital of each word → a layer over the sentence → scores of tags."""

    def __init__(
        self, words: int, endings: int, tags: int, layer: Any, crf: nn.CRF | None, seed: int
    ):
        size = (layer.input_size - 1) // 2
        self.word = nn.Embedding(words, size, seed=seed)
        self.ending = nn.Embedding(endings, size, seed=seed + 1)
        self.layer, self.crf = layer, crf
        self.output = nn.Linear(layer.output_size, tags, seed=seed + 2)

    def forward(self, words: Padded, endings: Tensor, capital: Tensor) -> Tensor:
        """Return the scores (T, B, K) of the tags of each word."""
        x = cat([self.word(words.values), self.ending(endings), capital], -1)
        return self.output(self.layer(x, lengths=words.lengths)[0])

    def tags(self, scores: Tensor, lengths: list[int]) -> list[list[int]]:
        """Return the best row of tags of each sentence."""
        if self.crf is not None:
            return self.crf.decode(scores, lengths=lengths)
        best = scores.argmax(-1).cpu().numpy()
        return [best[:n, k].tolist() for k, n in enumerate(lengths)]


class Entities(Task):
    """Learn to tag persons (PER), places (LOC) and organisations (ORG); B- begins, I- goes on."""

    name, title = "entities", "Named entities: a tag for every word"
    shape = "many to many, T_x = T_y: a layer in both directions, a CRF over the tags"
    takes = "a CoNLL file: a word and its tag per line, first and last column; empty lines between"
    asks = 'a sentence: sample out/entities "Ada Clark left Acme Bank for Paris ."'
    goal = Goal("F1 of tokens", least=0.98)
    defaults = TaskSettings(hidden=32, steps=400, batch=32, rate=1e-2)
    sentences: list[Sentence] | None = None
    names: Names

    def read(self, path: Path | None) -> None:
        """Read a CoNLL file, every tenth sentence held out, or make sentences of real names."""
        self.sentences = None if path is None else conll(file_of(path))
        self.names = Names()
        if self.sentences is not None and len(self.sentences) < 10:
            raise DataError(f"{path}: {len(self.sentences)} sentences are too few, give 10 or more")
        some = self.sentences or self.drawn(np.random.default_rng(0), 2000, False)
        words = [word.lower() for sentence, _ in some for word in sentence]
        known = WordVocabulary.of(KNOWN) if path is None else WordVocabulary.of(" ".join(words), 2)
        self.known.vocabularies = {
            "words": known,
            "endings": WordVocabulary.of(" ".join(word[-3:] for word in words), max_size=2000),
        }
        tags = {tag for _, row in some for tag in row}
        self.known.facts["tags"] = sorted(tags, key=lambda tag: (tag != "O", tag))
        asked = self.drawn(np.random.default_rng([1, 5]), 4, True)
        self.known.facts["asked"] = [" ".join(words) for words, _ in asked]

    def drawn(self, random: np.random.Generator, count: int, held: bool) -> list[Sentence]:
        if self.sentences is None:
            return [self.names.sentence(random, held) for _ in range(count)]
        places = [k for k in range(len(self.sentences)) if (k % 10 == 9) == held]
        return [self.sentences[k] for k in random.choice(places, count)]

    def build(self, both: bool = True, crf: bool = True) -> Tagger:
        """Return the tagger; without `both` it reads forwards, without `crf` each word is alone."""
        words, endings = (len(self.known.vocabularies[n]) for n in ("words", "endings"))
        tags, seed = len(self.known.facts["tags"]), self.settings.seed
        layer = self.layer(2 * self.settings.hidden + 1, both=both)
        return Tagger(words, endings, tags, layer, nn.CRF(tags, seed=seed) if crf else None, seed)

    def encoded(self, sentences: list[Sentence]) -> Any:
        """Return (words, endings, capital, tags) of a batch."""
        words, endings = (self.known.vocabularies[n] for n in ("words", "endings"))
        numbers = {tag: k for k, tag in enumerate(self.known.facts["tags"])}
        lines = [[word.lower() for word in line] for line, _ in sentences]
        capital = [
            np.array([[word[:1].isupper()] for word in line], np.float32) for line, _ in sentences
        ]
        tails = pad([endings.numbers_of([word[-3:] for word in line]) for line in lines])
        tags = pad([[numbers.get(tag, 0) for tag in row] for _, row in sentences])
        return (pad([words.numbers_of(line) for line in lines]), tails.values, pad(capital).values,
                tags.values)  # fmt: skip

    def examples(self, random: np.random.Generator, held: bool) -> Any:
        """Return sentences; of most names learnt from the ending is hidden: context has to do."""
        words, endings, capital, tags = self.encoded(self.drawn(random, self.settings.batch, held))
        upper, rate = capital.numpy()[..., 0] > 0, 0.0 if held else 0.7
        hidden = upper & (random.random(upper.shape) < rate)
        tails = np.where(hidden, self.known.vocabularies["endings"].unk, endings.numpy())
        return words, tensor(tails), capital, tags

    def loss(self, model: Tagger, batch: Any, state: Any = None) -> Any:
        """Return −log P of the row of tags, per word; without a CRF that of each tag."""
        words, endings, capital, tags = batch
        scores = model(words, endings, capital)
        if model.crf is not None:
            rows = model.crf(scores, tags, lengths=words.lengths, reduction="sum")
            return rows / sum(words.lengths)
        real = np.arange(len(tags))[:, None] < np.array(words.lengths)
        goal = tensor(np.where(real, tags.cpu().numpy(), -100).reshape(-1), device=tags.device)
        return cross_entropy(scores.flatten(0, 1), goal, ignore_index=-100)

    def tagged(self, model: Tagger, sentences: list[Sentence]) -> list[list[str]]:
        words, endings, capital, _ = self.encoded(sentences)
        where = self.settings.device
        scores = model(
            Padded(words.values.to(where), words.lengths), endings.to(where), capital.to(where)
        )
        names = self.known.facts["tags"]
        return [[names[k] for k in row] for row in model.tags(scores, words.lengths)]

    def measure(self, model: Tagger) -> dict[str, float]:
        """Return F1 of tokens and of whole entities; the same of a layer that reads forwards."""
        held = self.drawn(np.random.default_rng([1, 0]), 20 if self.quick else 1000, True)
        measured = scores_of(held, self.tagged(model, held))
        forward: Any = self.build(both=False, crf=False).to(self.settings.device)
        if self.settings.compiled:
            forward.compile()
        adam = optim.Adam(forward.parameters(), lr=self.settings.rate)
        steps = 2 if self.quick else self.settings.steps
        with enable_grad():
            fit(forward, self.batch, self.loss, adam, steps=steps, clip=1.0, progress=False)
        alone = scores_of(held, self.tagged(forward, held))
        return {**measured, **{f"{name}, forwards alone": v for name, v in alone.items()}}

    def questions(self) -> list[str]:
        return self.known.facts["asked"]

    def answer(self, model: Tagger, text: str, seed: int = 0, temperature: float = 1.0) -> str:
        """Return the words, those of an entity with its tag."""
        words = text.split() or ["?"]
        (tags,) = self.tagged(model, [(words, ["O"] * len(words))])
        return " ".join(w if tag == "O" else f"{w}/{tag}" for w, tag in zip(words, tags))

    def figures(self, model: Tagger) -> list[str]:
        """Draw how sure it is of each tag, and which tag the CRF lets follow which."""
        names, words = self.known.facts["tags"], self.questions()[0].split()
        x, endings, capital, _ = self.encoded([(words, ["O"] * len(words))])
        scores = model(x, endings, capital)
        assert model.crf is not None
        sure = model.crf.marginals(scores).detach().numpy()[:, 0].T
        moves = model.crf.transitions.detach().numpy()
        return [heat("P(tag | sentence) of each word", "word", "tag", sure, words, names,
                     "probability", cell=64),
                heat("What the CRF learnt: which tag follows which", "tag", "tag before", moves,
                     names, names, "score", cell=48)]  # fmt: skip

    def small(self) -> Any:
        words, tags = self.drawn(np.random.default_rng(3), 1, False)[0]
        return self.encoded([(words[:4], tags[:4])])


def scores_of(sentences: list[Sentence], tagged: list[list[str]]) -> dict[str, float]:
    """Return F1 over tokens that are no O, and over whole entities."""
    pairs = [(a, b) for (_, tags), row in zip(sentences, tagged) for a, b in zip(tags, row)]
    right = sum(a == b != "O" for a, b in pairs)
    tokens = 2 * right / max(1, sum((a != "O") + (b != "O") for a, b in pairs))
    found = [(spans(tags), spans(row)) for (_, tags), row in zip(sentences, tagged)]
    both = sum(len(a & b) for a, b in found)
    total = sum(len(a) + len(b) for a, b in found)
    return {"F1 of tokens": tokens, "F1 of entities": 2 * both / max(1, total)}
