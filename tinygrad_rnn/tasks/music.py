"""Write tunes, from `task_list`: a language model of characters that reads ABC, which is music.

What is built in is made by rule (`tunes`): two parts of eight bars, jigs and reels in three keys.
Whether bars have the length that the head promises is counted: nobody told the model to count.
`--data` takes any collection of tunes in ABC, such as O'Neill's.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from .. import nn
from ..text import CharVocabulary
from .characters import Characters, Part
from .figures import picture
from .task import Goal, TaskSettings
from .tunes import Note, made, midi, notes_of, sound

TUNES = 1500
ASKED = "M:6/8\nK:D\n"


class Music(Characters):
    """Learn to write tunes as a collection has them."""

    name, title = "music", "Music: new tunes, letter by letter"
    shape = "one to many: a head with metre and key, then notes"
    takes = "a text file of tunes in ABC; default: jigs and reels made by rule"
    asks = 'how a tune begins: sample out/music "M:6/8"'
    goal = Goal("share of bars of the right length", least=0.95)
    defaults = TaskSettings(hidden=128, steps=1200, batch=16, rate=6e-3)

    def read(self, path: Path | None) -> None:
        """Read a collection, or make one; the last tenth is held out."""
        if path is not None:
            super().read(path)
            return
        random = np.random.default_rng(0)
        text = "\n".join(made(random) for _ in range(100 if self.quick else TUNES))
        self.known.vocabularies["letters"] = CharVocabulary.of(text, specials=("<UNK>",))
        tokens, cut = self.letters.encode(text), len(text) * 9 // 10
        self.learnt, self.held = Part(tokens, 0, cut), Part(tokens, cut, len(tokens))

    def measure(self, model: nn.LanguageModel) -> dict[str, float]:
        """Return bits per character, and how many bars of new tunes have the right length."""
        tunes = [self.tune(model, ASKED, seed) for seed in range(2 if self.quick else 20)]
        bars = [bar == length_of(tune) for tune in tunes for bar in notes_of(tune)[1]]
        return {self.goal.measure: float(np.mean(bars or [False])), **super().measure(model)}

    def tune(self, model: nn.LanguageModel, begin: str, seed: int, warm: float = 0.5) -> str:
        """Return a new tune: what the model writes up to the first empty line."""
        start = self.letters.encode(begin.replace("\\n", "\n") or ASKED)
        most = 40 if self.quick else 360
        said = self.letters.decode(model.sample(start, most, seed=seed, temperature=warm))
        return said.strip("\n").split("\n\n")[0]

    def questions(self) -> list[str]:
        return [ASKED, "M:4/4\nK:G\n"]

    def answer(self, model: nn.LanguageModel, text: str, seed: int = 0,
               temperature: float = 0.5) -> str:  # fmt: skip
        """Return a new tune in ABC."""
        return self.tune(model, text, seed, temperature)

    def notes(self, model: nn.LanguageModel) -> list[tuple[str, list[Note]]]:
        """Return the tunes of the page, each with its name."""
        return [(text.strip().replace("\n", ", "), notes_of(self.tune(model, text, 0))[0])
                for text in self.questions()]  # fmt: skip

    def sounds(self, model: nn.LanguageModel) -> list[tuple[str, bytes]]:
        """Return the tunes as WAV and as MIDI."""
        return [(f"A new tune ({name})", kind(notes))
                for name, notes in self.notes(model) for kind in (sound, midi)]  # fmt: skip

    def figures(self, model: nn.LanguageModel) -> list[str]:
        """Draw the tunes as a roll, and how surprised the model is by one held out."""
        return [roll(f"A new tune ({name})", notes)
                for name, notes in self.notes(model)] + super().figures(model)  # fmt: skip


def length_of(tune: str) -> Fraction:
    """Return the eighths in a bar that a tune's head promises."""
    head = next((line[2:] for line in tune.split("\n") if line.startswith("M:")), "4/4")
    try:
        return 8 * Fraction(head.strip())
    except (ValueError, ZeroDivisionError):
        return Fraction(8)


def roll(title: str, notes: list[Note]) -> str:
    """Return a tune as a picture: time across, pitch upwards."""
    heard = [note for note in notes if note.pitch] or [Note(60, Fraction(0), Fraction(1))]
    low, high = min(n.pitch for n in heard) - 1, max(n.pitch for n in heard) + 1
    steps = int(2 * max(n.start + n.length for n in heard))
    image = np.zeros((high - low + 1, max(1, steps)))
    for note in heard:
        start, end = int(2 * note.start), int(2 * (note.start + note.length))
        image[high - note.pitch, start:end] = 1.0
    return picture(title, "time, eighths of a whole note", f"pitch, semitones above MIDI's {low}",
                   image, "a note sounds", scale=4, high=150, x_unit=0.5)  # fmt: skip
