"""Speech to text, from `task_list`: a spectrogram → a layer in both directions → CTC → letters.

No letter is told where it sounds: CTC sums over all alignments, and afterwards the likeliest one is
drawn over the spectrogram. Words are said by a voice made here, at any pitch and speed; held out
are a range of pitches and speeds, and a voice with a shorter throat.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..engine.tensor import Tensor, tensor
from ..functions.reductions import log_softmax
from ..text import CharVocabulary, Padded, Vocabulary, pad
from .figures import lines, picture
from .task import DataError, Goal, Task, TaskSettings
from .voice import BANDS, HOP, RATE, WORDS, Speaker, heard, spoken, wav

POOL = 800  # utterances learnt from
CHILD = Speaker(pitch=260, speed=1.0, throat=0.8)


class Listener(nn.Module):
    """Frames (T, B, bands) → log P of each letter or of none (T, B, letters)."""

    def __init__(self, layer: Any, letters: int, seed: int, backend: str | None):
        self.layer, self.output = layer, nn.Linear(layer.output_size, letters, seed=seed)
        self.ctc = nn.CTCLoss(blank=0, backend=backend, zero_infinity=True)

    def forward(self, frames: Tensor, lengths: list[int] | None = None) -> Tensor:
        h, _ = self.layer(frames, lengths=lengths)
        return log_softmax(self.output(h), -1)

    def loss(self, frames: Padded, letters: Padded) -> Tensor:
        """Return −log of the sum over all alignments of the letters, per letter."""
        log_p, texts = self(frames.values, frames.lengths), letters.values.cpu().numpy().T
        return self.ctc(log_p, texts, frames.lengths, letters.lengths)


def letters_at(log_p: np.ndarray, letters: Vocabulary) -> list[tuple[float, str]]:
    """Return where the likeliest alignment (T, letters) begins each letter, number 0 being none."""
    best = log_p.argmax(-1)
    starts = [t for t in range(len(best)) if best[t] and (t == 0 or best[t] != best[t - 1])]
    return [(t + 0.5, letters.tokens[best[t]].replace(" ", "␣")) for t in starts]


class Speech(Task):
    """Learn to write down one or two words that are said."""

    name, title = "speech", "Speech to text by CTC"
    shape = "many to many, T_x ≠ T_y: frames of sound, then letters, aligned by CTC"
    takes = "nothing: twenty words are said by a voice of formants"
    asks = 'what the voice shall say: sample out/speech "seven up"; words: ' + " ".join(WORDS)
    goal = Goal("share exactly right", least=0.95)
    defaults = TaskSettings(hidden=48, steps=1000, batch=16, rate=1e-2)

    pool: list[tuple[np.ndarray, str]]

    def read(self, path: Path | None) -> None:
        """List the letters, <PAD>, number 0, being CTC's blank; say what is learnt from."""
        if path is not None:
            raise DataError("speech makes its own sounds and takes no --data")
        letters = CharVocabulary.of(" ".join(WORDS), specials=("<PAD>",))
        self.known.vocabularies["letters"] = letters
        random = np.random.default_rng([4, self.settings.seed])
        self.pool = [self.said(random, False) for _ in range(20 if self.quick else POOL)]

    def build(self) -> Listener:
        backend = "auto" if self.settings.compiled else None
        letters = len(self.known.vocabularies["letters"])
        return Listener(self.layer(BANDS, both=True), letters, self.settings.seed, backend)

    def said(self, random: np.random.Generator, held: bool) -> tuple[np.ndarray, str]:
        """Return a spectrogram and its words; held out are pitches and speeds in the middle."""
        text = " ".join(random.choice(list(WORDS), random.integers(1, 3)))
        if held:
            pitch, speed = random.uniform(125, 150), random.uniform(0.97, 1.06)
        else:
            pitch = random.choice([random.uniform(85, 125), random.uniform(150, 230)])
            speed = random.choice([random.uniform(0.8, 0.97), random.uniform(1.06, 1.25)])
        speaker = Speaker(pitch, speed, random.uniform(0.92, 1.08), random.uniform(0.001, 0.01))
        return heard(spoken(text, speaker, random)), text

    def encoded(self, made: list[tuple[np.ndarray, str]]) -> Any:
        letters = self.known.vocabularies["letters"]
        return pad([frames for frames, _ in made]), pad([letters.encode(text) for _, text in made])

    def examples(self, random: np.random.Generator, held: bool) -> Any:
        """Return utterances; those learnt from come from a pool, for to speak takes long."""
        count = self.settings.batch
        if held:
            return self.encoded([self.said(random, True) for _ in range(count)])
        return self.encoded([self.pool[k] for k in random.integers(0, len(self.pool), count)])

    def loss(self, model: Listener, batch: Any, state: Any = None) -> Any:
        """Return −log of the sum over all alignments of the letters, per letter."""
        return model.loss(*batch)

    def written(self, model: Listener, sounds: list[np.ndarray]) -> list[str]:
        """Return the texts of the likeliest alignments."""
        frames: Padded = pad(sounds)
        log_p = model(frames.values.to(self.settings.device), frames.lengths)
        letters = self.known.vocabularies["letters"]
        return [letters.decode(line) for line in nn.ctc_greedy(log_p, frames.lengths)]

    def measure(self, model: Listener) -> dict[str, float]:
        """Return how many utterances are right to the letter: held out, and of another voice."""
        random, count = np.random.default_rng([1, 0]), 10 if self.quick else 300
        held = [self.said(random, True) for _ in range(count)]
        texts = [" ".join(random.choice(list(WORDS), random.integers(1, 3))) for _ in range(count)]
        child = [(heard(spoken(text, CHILD, random)), text) for text in texts]

        def share(made: list[tuple[np.ndarray, str]]) -> float:
            said = self.written(model, [sound for sound, _ in made])
            return float(np.mean([one == text for one, (_, text) in zip(said, made)]))

        return {"share exactly right": share(held), "of a voice never heard": share(child)}

    def questions(self) -> list[str]:
        return ["seven up", "right", "five zero"]

    def sound(self, text: str) -> np.ndarray:
        """Return the sound of a text; DataError names a word that the voice cannot say."""
        if unknown := [word for word in text.split() if word not in WORDS]:
            raise DataError(f"the voice has no word {unknown[0]!r}; it says {', '.join(WORDS)}")
        return spoken(text or "yes", Speaker(135, 1.0), np.random.default_rng(0))

    def answer(self, model: Listener, text: str, seed: int = 0, temperature: float = 1.0) -> str:
        """Return what was understood when a text was said."""
        return self.written(model, [heard(self.sound(text))])[0]

    def sounds(self, model: Listener) -> list[tuple[str, bytes]]:
        """Return what the page lets one listen to."""
        return [(f"“{text}”, as it was said", wav(self.sound(text))) for text in self.questions()]

    def figures(self, model: Listener) -> list[str]:
        """Draw the spectrogram with the letters where they were written, and how sure it was."""
        text = self.questions()[0]
        frames = heard(self.sound(text))
        log_p = model(tensor(frames[:, None])).detach().numpy()[:, 0]
        marks = letters_at(log_p, self.known.vocabularies["letters"])
        time = np.arange(len(log_p)) * HOP / RATE
        sure = {"none (CTC's blank)": (time, np.exp(log_p[:, 0])),
                "the likeliest letter": (time, np.exp(log_p[:, 1:].max(-1)))}  # fmt: skip
        title = f"“{text}”: the sound, and each letter where it was written"
        return [picture(title, "time, seconds",
                        "band (narrow and low at the bottom)", frames.T[::-1], "log power",
                        scale=640 / len(frames), high=200, marks=marks, x_unit=HOP / RATE),
                lines("How sure it was", "time, seconds", "probability", sure)]  # fmt: skip

    def small(self) -> Any:
        frames, _ = self.said(np.random.default_rng(3), False)
        return self.encoded([(frames[10:15], "o")])
