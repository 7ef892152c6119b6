"""Keep each exercise: question, inputs, reference, known mistakes; `checking` looks it up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

CHAPTERS = ("graphs", "networks", "gated_cells", "sequences", "parallel")


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that is recognised: its computation, its name, and a place to look at."""

    name: str
    wrong: Callable
    look_at: str


@dataclass
class Exercise:
    """One exercise; `inputs(rng)` draws the arguments of the answer."""

    number: str
    title: str
    question: str
    inputs: Callable[[np.random.Generator], tuple]
    reference: Callable
    hints: Sequence[str] = ()
    mistakes: list[Mistake] = field(default_factory=list)
    tolerance: float = 1e-6
    signature: str = ""
    valid: Callable | None = None  # valid(result, *args): where more than one answer is right

    def mistake(self, name: str, look_at: str) -> Callable:
        """Decorate a function that computes what a known mistake gives."""

        def enter(wrong: Callable) -> Callable:
            self.mistakes.append(Mistake(name, wrong, look_at))
            return wrong

        return enter


_KNOWN: dict[str, Exercise] = {}


def exercise(number: str, title: str, question: str, inputs: Callable, *, hints: Sequence[str] = (),
             tolerance: float = 1e-6, signature: str = "",
             valid: Callable | None = None) -> Callable[[Callable], Exercise]:  # fmt: skip
    """Decorate the reference solution of an exercise; return the Exercise."""

    def enter(reference: Callable) -> Exercise:
        if number in _KNOWN:
            raise ValueError(f"exercise {number} is there already: {_KNOWN[number].title}")
        made = Exercise(number, title, question, inputs, reference, hints, [], tolerance,
                        signature or reference.__name__, valid)  # fmt: skip
        return _KNOWN.setdefault(number, made)

    return enter


def exercises() -> dict[str, Exercise]:
    """Return all exercises by number, in the order of the book."""
    for chapter in CHAPTERS:
        import_module(f".{chapter}", __package__)
    return dict(sorted(_KNOWN.items()))


def find(number: Any) -> Exercise:
    """Return one exercise, or say which there are."""
    known = exercises()
    if number not in known:
        raise KeyError(f"there is no exercise {number!r}; there are {', '.join(known)}")
    return known[number]


def question(number: str) -> str:
    """Return the text of an exercise.

    >>> print(question("01.1").splitlines()[0])
    01.1  The gradient of a product
    """
    found = find(number)
    return f"{found.number}  {found.title}\n\n{found.question}"
