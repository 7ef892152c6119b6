"""Model a text by its characters, from `task_list`: P(text) = Π_t P(y_t | y_1 … y_{t−1}); write.

One LSTM reads the text as streams that stand side by side; its state goes on from batch to batch
and the gradient is cut there (truncated BPTT). Recipe: Adam, warm-up and cosine, forget bias 1.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..engine.context import no_grad
from ..engine.tensor import tensor
from ..text import CharVocabulary, Streams
from .data_sources import file_of, python_manual
from .figures import heat, lines
from .task import DataError, Goal, Task, TaskSettings

T, HELD, MOST = 64, 0.1, 500_000  # steps of truncated BPTT, share held out, characters measured


class Part:
    """Tokens from `start` to `stop` of many: nothing is read before it is asked for."""

    def __init__(self, tokens: Any, start: int, stop: int):
        self.tokens, self.start, self.stop = tokens, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, part: slice) -> np.ndarray:
        start, stop, _ = part.indices(len(self))
        return self.tokens[self.start + start : self.start + stop]


class Characters(Task):
    """Learn to write as a text is written, character by character."""

    name, shape = "characters", "many to many, T_x = T_y: a language model"
    title = "A language model of characters"
    takes = "a text file in UTF-8, of any script and size; default: Python's own manual"
    asks = 'how the text begins: sample out/characters "The "'
    goal = Goal("bits per character", most=2.9)
    defaults = TaskSettings(hidden=256, steps=1200, batch=16, rate=6e-3)
    carries = True

    def read(self, path: Path | None) -> None:
        """Encode the text; the last tenth of it is held out."""
        if path is None:
            text = python_manual()
            letters = CharVocabulary.of(text, specials=("<UNK>",))
            tokens: Any = letters.encode(text)
        else:
            letters = CharVocabulary.of_file(file_of(path), specials=("<UNK>",))
            tokens = letters.encode_file(path)
        least = 10 * self.settings.batch
        if len(tokens) < least:
            raise DataError(f"{path}: {len(tokens)} characters are too few, give {least} or more")
        self.known.vocabularies["letters"] = letters
        cut = len(tokens) - max(int(len(tokens) * HELD), 2 * self.settings.batch)
        self.learnt = Part(tokens, 0, cut)
        self.held = Part(tokens, cut, min(len(tokens), cut + MOST))

    def build(self) -> nn.LanguageModel:
        """Return embedding → recurrent layer → scores of the next character."""
        recipe, hidden = self.cell(), self.settings.hidden
        layer = lambda inputs, units, layers=1, **how: nn.Recurrent(recipe, inputs, units, layers,
                                                                    **how)  # fmt: skip
        return nn.LanguageModel(len(self.letters), hidden, max(2, hidden // 2), layer=layer,
                                seed=self.settings.seed)  # fmt: skip

    @property
    def letters(self) -> Any:
        return self.known.vocabularies["letters"]

    def batches(self) -> Streams:
        return Streams(self.learnt, self.settings.batch, T, device=self.settings.device)

    def loss(self, model: nn.LanguageModel, batch: Any, state: Any = None) -> Any:
        """Return −log P of each next character, in nats."""
        x, y = batch
        return model.loss(x, y, state)

    def held_out(self, model: nn.LanguageModel, most: int = 20_000) -> float:
        """Return the mean −log P of the text held out, in nats."""
        text = Part(self.held, 0, min(most, len(self.held)))
        total, count, state = 0.0, 0, None
        for x, y in Streams(text, min(32, len(text) // 2), T, device=self.settings.device):
            loss, state = model.loss(x, y, state)
            total, count = total + loss.item() * y.numel(), count + y.numel()
        return total / count

    def measure(self, model: nn.LanguageModel) -> dict[str, float]:
        """Return bits per character and perplexity of the text held out."""
        nats = self.held_out(model, MOST)
        return {"bits per character": nats / math.log(2), "perplexity": math.exp(nats)}

    def questions(self) -> list[str]:
        return ["", "The "]

    def answer(self, model: nn.LanguageModel, text: str, seed: int = 0,
               temperature: float = 0.7) -> str:  # fmt: skip
        """Return the text and 200 characters that the model adds."""
        start = self.letters.encode(text or "\n")
        said = model.sample(start, 200, seed=seed, temperature=temperature)
        return self.letters.decode(said).strip("\n")

    def figures(self, model: nn.LanguageModel) -> list[str]:
        """Draw how sure it is letter by letter, and what temperature does to a choice."""
        line = self.letters.decode(self.held[0:48]).replace("\n", "¶")
        with no_grad():
            logits = model(tensor(self.held[0:48][:, None], device=self.settings.device))[0]
            p = logits.softmax(-1).cpu().numpy()[:, 0]
        surprise = -np.log2(p[np.arange(47), self.held[0:48][1:]])
        sure = lines("How surprised it is by each next character of the text held out",
                     "place in the text: " + line, "surprise, bits",
                     {"−log₂ P(character | all before)": (range(1, 48), surprise)})  # fmt: skip
        few = np.argsort(-p[20])[:12]
        table = np.stack([p[20][few] ** (1 / t) for t in (0.5, 1.0, 2.0)])
        full = np.stack([p[20] ** (1 / t) for t in (0.5, 1.0, 2.0)]).sum(-1, keepdims=True)
        names = [repr(self.letters.tokens[k])[1:-1].replace(" ", "␣") for k in few]
        return [sure, heat(f"Temperature: what may follow “{line[:21]}”", "next character",
                           "temperature", table / full, names, ["0.5", "1.0", "2.0"],
                           "probability")]  # fmt: skip

    def small(self) -> Any:
        x = self.learnt[0:4]
        return tensor(x[:3, None]), tensor(x[1:, None])
