"""Ask about linear recurrences, taken in any grouping of steps: 17; `registry` loads it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .graphs import Rng, sizes
from .registry import exercise


def _two_steps(rng: Rng) -> tuple:
    (n,) = sizes(rng, 1)
    return tuple((rng.normal(size=n), rng.normal(size=n)) for _ in range(2))


@exercise(
    "17.1",
    "Two steps as one",
    "(a, b) stands for the step h -> a h + b, entry by entry. Write (first, second) -> the "
    "pair that stands for both, first and then second.",
    _two_steps,
    hints=["Put a₁ h + b₁ in the place of h in a₂ h + b₂.", "What multiplies h? What is left?"],
)
def two_steps(first: Any, second: Any) -> Any:
    (a, b), (c, d) = first, second
    return c * a, c * b + d


two_steps.mistake("wrong order", "that is second, then first: the later step's a multiplies b.")(
    lambda first, second: (second[0] * first[0], first[0] * second[1] + first[1])
)
two_steps.mistake("b not multiplied", "what the first step added is multiplied by the second's a.")(
    lambda first, second: (second[0] * first[0], first[1] + second[1])
)
two_steps.mistake("sum for product", "h is multiplied twice: by the product of both a.")(
    lambda first, second: (second[0] + first[0], second[0] * first[1] + second[1])
)
two_steps.mistake("the second alone", "what multiplies h is the product of both a.")(
    lambda first, second: (second[0], second[0] * first[1] + second[1])
)
two_steps.mistake("multiplied twice", "the second's b comes last: nothing multiplies it.")(
    lambda first, second: (second[0] * first[0], second[0] * (first[1] + second[1]))
)


def _recurrence(rng: Rng) -> tuple:
    steps, n = sizes(rng, 2, 3, 7)
    return rng.normal(size=(steps, n)), rng.normal(size=(steps, n)), rng.normal(size=n)


def _states(a: Any, b: Any, h: Any) -> Any:
    found = []
    for a_t, b_t in zip(a, b):
        h = a_t * h + b_t
        found.append(h)
    return np.array(found)


@exercise(
    "17.2",
    "All states, from products",
    "h⟨t⟩ = a⟨t⟩ h⟨t−1⟩ + b⟨t⟩ with h⟨0⟩ given. Write (a, b, h0) -> all h⟨t⟩, (T, n), by rounds: "
    "in round k each pair takes in the one 2ᵏ steps before it.",
    _recurrence,
    hints=["Keep two arrays, A and B: h⟨t⟩ = A[t] h⟨t−d⟩ + B[t].", "d = 1, 2, 4, … until d ≥ T.",
           "At the end h⟨t⟩ = A[t] h⟨0⟩ + B[t]."],
)  # fmt: skip
def all_states(a: Any, b: Any, h0: Any) -> Any:
    return _states(a, b, h0)


all_states.mistake("h0 left out", "at the end A[t] h⟨0⟩ is to be added: h⟨0⟩ is not 0.")(
    lambda a, b, h0: _states(a, b, 0 * h0)
)
all_states.mistake("one step late", "state t has seen b⟨t⟩: h⟨0⟩ itself is not asked for.")(
    lambda a, b, h0: np.concatenate([h0[None], _states(a, b, h0)[:-1]])
)
all_states.mistake("a_t for a_{t−1}", "b⟨k⟩ is multiplied by a⟨k+1⟩ … a⟨t⟩, not by a⟨k⟩.")(
    lambda a, b, h0: _states(a, a * b, h0)
)
all_states.mistake("sum without products", "what came before is multiplied by each a since.")(
    lambda a, b, h0: np.cumsum(b, 0) + np.cumprod(a, 0) * h0
)


@all_states.mistake("one round", "one round reaches one step back: go on with 2, 4, 8, …")
def _one_round(a: Any, b: Any, h0: Any) -> Any:
    first = np.concatenate([b[:1], a[1:] * b[:-1] + b[1:]])
    return np.concatenate([a[:1], a[1:] * a[:-1]]) * h0 + first


@exercise(
    "17.3",
    "How many rounds",
    "Write T -> how many rounds are needed until each state has seen all steps before it.",
    lambda rng: (int(rng.integers(2, 200)),),
    hints=["After k rounds a pair stands for 2ᵏ steps.", "The least k with 2ᵏ ≥ T."],
)
def rounds(T: int) -> Any:
    return math.ceil(math.log2(T))


rounds.mistake("rounded down", "a T that is no power of 2 needs one round more.")(
    lambda T: int(math.log2(T))
)
rounds.mistake("one round per step", "that is the loop: a round doubles how far back one sees.")(
    lambda T: T - 1
)
rounds.mistake("as many as steps", "that is the loop: a round doubles how far back one sees.")(
    lambda T: T
)
rounds.mistake("one too many", "a T that is a power of 2 needs no round more.")(
    lambda T: math.ceil(math.log2(T + 1)) if math.log2(T) % 1 == 0 else math.ceil(math.log2(T)) + 1
)
