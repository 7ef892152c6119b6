"""Sentiment of a sentence, from `task_list`: did the writer like the film?

Real sentences come from vaderSentiment's source package: 10,605 of Rotten Tomatoes, each scored
from −4 to 4 by twenty people; those within half a point of 0 are left out. What is built in is made
of phrases: "not" and "but" turn it around, so counting words is not enough.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np

from ..text import TextError
from .classification import HELD, Classification, Example
from .task import Goal, TaskSettings

INNER = "hutto_ICWSM_2014.tar.gz"
SCORED = "movieReviewSnippets_GroundTruth.txt"
LEAST = 0.5  # a mean score nearer to 0 is neither
THINGS = """\
the film|the plot|the music|the ending|the acting|this story|the hero|every scene|the dialogue
the second half|its humour|the camera work""".replace("\n", "|").split("|")
GOOD = """good great moving clever funny charming honest brilliant tender gripping fresh fine
beautiful witty warm""".split()
BAD = """bad dull weak silly boring clumsy false tedious awful shallow stale poor ugly slow
pointless""".split()
TURNS = ("{t} is {a}", "{t} is never {a}", "i found {t} {a}", "{t} is not {a} at all",
         "nobody could call {t} {a}", "{t} is really {a}")  # fmt: skip
TURNED = (False, True, False, True, True, False)


def clause(random: np.random.Generator) -> tuple[str, bool]:
    """Return a few words, and whether they praise."""
    liked, k = bool(random.integers(2)), int(random.integers(len(TURNS)))
    word = (GOOD if liked else BAD)[random.integers(len(GOOD))]
    return TURNS[k].format(t=THINGS[random.integers(len(THINGS))], a=word), liked != TURNED[k]


def made(random: np.random.Generator) -> Example:
    """Return a sentence of one or two clauses; the clause behind "but" counts."""
    first, liked = clause(random)
    if random.integers(2):
        second, liked = clause(random)
        first = f"{first} , but {second}"
    return ("liked" if liked else "not liked"), first + " ."


def scored(path: Path) -> list[Example]:
    """Return the film sentences inside vaderSentiment's source package; TextError if none are."""
    try:
        with tarfile.open(path) as outer:
            inner = next(m for m in outer if m.name.endswith(INNER))
            with tarfile.open(fileobj=io.BytesIO(_bytes(outer, inner))) as files:
                text = _bytes(files, next(m for m in files if m.name.endswith(SCORED)))
    except (tarfile.TarError, StopIteration, EOFError, OSError) as error:
        raise TextError(f"{path}: no {SCORED} in it: is it vaderSentiment-3.3.2?") from error
    rows = [line.split("\t", 2) for line in text.decode("utf-8", "replace").splitlines()]
    pairs = [(float(score), text) for _, score, text in rows]
    return [("liked" if s > 0 else "not liked", text) for s, text in pairs if abs(s) > LEAST]


def _bytes(files: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = files.extractfile(member)
    return b"" if file is None else file.read()


class Sentiment(Classification):
    """Learn whether a sentence praises."""

    name, title = "sentiment", "Sentiment: does a sentence praise or blame?"
    takes = "vaderSentiment-3.3.2.tar.gz, or a file of two columns, class TAB text"
    asks = 'a sentence: sample out/sentiment "the plot is not bad at all ."'
    goal = Goal("share right", least=0.8)
    defaults = TaskSettings(hidden=48, steps=800, batch=32, rate=3e-3)
    min_count = 2

    def rows(self, path: Path) -> list[Example]:
        """Read the package, or any file of two columns."""
        return scored(path) if tarfile.is_tarfile(path) else super().rows(path)

    def built_in(self) -> tuple[list[Example], list[Example]]:
        """Make sentences; no sentence held out is among those learnt from."""
        random = np.random.default_rng(0)
        rows = list(dict.fromkeys(made(random) for _ in range(300 if self.quick else 5000)))
        return [r for k, r in enumerate(rows) if k % HELD], rows[::HELD]
