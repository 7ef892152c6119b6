"""Caption an image, from `task_list`: a sentence, written word by word with attention on the image.

The image is nine patches. Each word looks at them anew (Show, Attend and Tell); what it looked at
is drawn over the image. Scenes held out show combinations that no scene learnt from has.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..engine.context import no_grad
from ..engine.tensor import Tensor, tensor
from ..functions.losses import cross_entropy
from ..functions.reductions import log_softmax
from ..nn import decoding
from ..text import WordVocabulary, pad
from .figures import heat, picture
from .task import DataError, Goal, Task, TaskSettings

PATCH = 7  # pixels; a scene is three by three patches
COLOURS = {"red": (0.85, 0.15, 0.1), "green": (0.1, 0.6, 0.2), "blue": (0.1, 0.25, 0.8),
           "yellow": (0.95, 0.8, 0.1)}  # fmt: skip
SHAPES = ("square", "cross", "ring", "triangle", "bar")
PLACES = ["at the " + place for place in ("top left,top,top right,left,centre,right,bottom left,"
                                          "bottom,bottom right").split(",")]  # fmt: skip


def shape_mask(shape: str, big: bool) -> np.ndarray:
    """Return which pixels of a patch a shape covers."""
    y, x = np.mgrid[:PATCH, :PATCH] - (PATCH - 1) / 2
    r = 3.1 if big else 2.1
    inside = (abs(x) < r) & (abs(y) < r)
    return inside & {
        "square": inside, "cross": (abs(x) < 1) | (abs(y) < 1), "bar": abs(y) < 1,
        "ring": (x**2 + y**2 < r * r) & (x**2 + y**2 > (r - 1.2) ** 2),
        "triangle": abs(x) <= (y + r) / 2,
    }[shape]  # fmt: skip


def scene(random: np.random.Generator, held: bool) -> tuple[np.ndarray, str]:
    """Return an image (21, 21, 3) of one or two things, and what is to be said about it."""
    while True:
        places = sorted(random.choice(9, random.integers(1, 3), replace=False))
        things = [(bool(random.integers(2)), list(COLOURS)[random.integers(4)],
                   SHAPES[random.integers(5)], int(place)) for place in places]  # fmt: skip
        said = " and ".join(f"a {'big' if big else 'small'} {colour} {shape} {PLACES[place]}"
                            for big, colour, shape, place in things)  # fmt: skip
        if (zlib.crc32(said.encode()) % 10 == 0) == held:
            break
    image = 0.95 + 0.02 * random.normal(size=(3 * PATCH, 3 * PATCH, 3))
    for big, colour, shape, place in things:
        top, left = PATCH * (place // 3), PATCH * (place % 3)
        image[top : top + PATCH, left : left + PATCH][shape_mask(shape, big)] = COLOURS[colour]
    return image.clip(0, 1).astype(np.float32), said


def patches(images: np.ndarray) -> np.ndarray:
    """Return images (B, 21, 21, 3) as nine rows of numbers for each, (9, B, 156), and which row."""
    cut = images.reshape(-1, 3, PATCH, 3, PATCH, 3).transpose(1, 3, 0, 2, 4, 5)
    rows = cut.reshape(9, len(images), PATCH * PATCH * 3)
    where = np.broadcast_to(np.eye(9, dtype=np.float32)[:, None], (9, len(images), 9))
    return np.concatenate([1 - rows, where], -1).astype(np.float32)


class Captioner(nn.Module):
    """Patches → what each shows; a decoder that looks at them before each word."""

    def __init__(self, words: int, hidden: int, cell: Any, seed: int):
        self.see = nn.Linear(PATCH * PATCH * 3 + 9, hidden, seed=seed)
        self.bridge = nn.Linear(hidden, hidden, seed=seed + 1)
        self.word = nn.Embedding(words, hidden, seed=seed + 2)
        self.attention = nn.AdditiveAttention(hidden, hidden, hidden, seed=seed + 3)
        inner = cell(2 * hidden, hidden, seed=seed + 4)
        self.decoder = nn.Recurrent(nn.AttentionCell(inner, self.attention))
        self.output = nn.Linear(hidden, words, seed=seed + 5)

    def look(self, seen: Tensor) -> tuple[Any, Any]:
        """Return (the decoder's first state, what it can look at)."""
        shown = self.see(seen).relu()
        first = self.bridge(shown.mean(0)).tanh().unsqueeze(0)
        parts = len(self.decoder.cells[0][0].state_names)
        return (first if parts == 1 else (first,) * parts), self.attention.memory(shown)

    def forward(self, seen: Tensor, given: Tensor) -> Tensor:
        """Return the scores (T, B, V) of what follows each given word."""
        state, memory = self.look(seen)
        return self.output(self.decoder(self.word(given), state, context=memory)[0])

    def say(self, seen: Tensor, start: int, end: int) -> list[list[int]]:
        """Return the likeliest words, one after the other."""
        state, memory = self.look(seen)

        def step(words: Tensor, state: Any) -> tuple[Tensor, Any]:
            h, state = self.decoder(self.word(words.unsqueeze(0)), state, context=memory)
            return log_softmax(self.output(h)[0], -1), state

        return decoding.greedy(step, state, [start] * seen.shape[1], end, 24)


class Captions(Task):
    """Learn to say what an image shows."""

    name, title = "captions", "Captions: an image, and a sentence that looks at it word by word"
    shape = "one to many: an image, then words"
    takes = "nothing: scenes are made (things, colours, sizes, places)"
    asks = "the number of a scene held out: sample out/captions 3"
    goal = Goal("share exactly right", least=0.95)
    defaults = TaskSettings(hidden=64, steps=1000, batch=32, rate=1e-2)

    def read(self, path: Path | None) -> None:
        """List the words; scenes are made when they are needed."""
        if path is not None:
            raise DataError("captions makes its own scenes and takes no --data")
        words = ["a and big small", *COLOURS, *SHAPES, *PLACES]
        self.known.vocabularies["words"] = WordVocabulary.of(" ".join(words))

    def build(self) -> Captioner:
        words = self.known.vocabularies["words"]
        return Captioner(len(words), self.settings.hidden, self.cell(), self.settings.seed)

    def examples(self, random: np.random.Generator, held: bool) -> Any:
        """Return (patches, words given, words to be said)."""
        made = [scene(random, held) for _ in range(self.settings.batch)]
        words = self.known.vocabularies["words"]
        said = pad([words.encode(text, bos=True, eos=True) for _, text in made], words.pad).values
        return tensor(patches(np.stack([image for image, _ in made]))), said[:-1], said[1:]

    def loss(self, model: Captioner, batch: Any, state: Any = None) -> Any:
        """Return the mean −log P of each right word, given those before it."""
        seen, given, wanted = batch
        scores, pads = model(seen, given).flatten(0, 1), self.known.vocabularies["words"].pad
        return cross_entropy(scores, wanted.flatten(), ignore_index=pads)

    def said(self, model: Captioner, images: np.ndarray) -> list[str]:
        words = self.known.vocabularies["words"]
        seen = tensor(patches(images), device=self.settings.device)
        return [words.decode(line) for line in model.say(seen, words.bos, words.eos)]

    def measure(self, model: Captioner) -> dict[str, float]:
        """Return how many whole sentences are right, of scenes never seen."""
        random = np.random.default_rng([1, 0])
        made = [scene(random, True) for _ in range(20 if self.quick else 500)]
        said = self.said(model, np.stack([image for image, _ in made]))
        return {"share exactly right": float(np.mean([a == b for a, (_, b) in zip(said, made)]))}

    def questions(self) -> list[str]:
        return ["1", "2", "3"]

    def answer(self, model: Captioner, text: str, seed: int = 0, temperature: float = 1.0) -> str:
        """Return the model's sentence about a scene, and the right one."""
        image, shown = shown_by(text)
        said = self.said(model, image[None])[0]
        return f"{said}  ({'right' if said == shown else 'it shows: ' + shown})"

    def figures(self, model: Captioner) -> list[str]:
        """Draw a scene, and where each word looked."""
        made = []
        for number in ("2", "3"):
            image, _ = shown_by(number)
            said = self.said(model, image[None])[0]
            made.append(picture(f"Scene {number}: {said}", "x, pixels", "y, pixels", image,
                                "colours as they are", scale=11))  # fmt: skip
            made.append(self.looked(model, image, said))
        return made

    def looked(self, model: Captioner, image: np.ndarray, said: str) -> str:
        words = self.known.vocabularies["words"]
        given = words.encode(said, bos=True)[:, None]
        with no_grad():
            state, memory = model.look(tensor(patches(image[None])))
            traced = model.decoder(model.word(tensor(given)), state, context=memory, trace=True)
        table = traced.gate("attention").numpy()[: len(given) - 1, 0].T
        rows = [place.removeprefix("at the ") for place in PLACES]
        return heat("Where each word looked", "word", "patch of the image", table, said.split(),
                    rows, "weight", cell=52)  # fmt: skip

    def small(self) -> Any:
        seen, given, wanted = self.batch(0)
        return seen[:, :1], given[:3, :1], wanted[:3, :1]


def shown_by(number: str) -> tuple[np.ndarray, str]:
    """Return a scene held out by its number; DataError if it is none."""
    if not number.strip().isdecimal():
        raise DataError(f"a scene has a number, such as 3, not {number!r}")
    return scene(np.random.default_rng([2, int(number)]), True)
