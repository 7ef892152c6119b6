"""Run an answer beside the reference and find the mistake that explains it, for `exercises`."""

from __future__ import annotations

import copy
import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..engine.arrays import to_numpy
from ..engine.tensor import Tensor
from .registry import Exercise, Mistake, find

TRIALS = 6
_hinted: Counter = Counter()


class Verdict(NamedTuple):
    """Say whether an answer is right; else the mistake's name, or None, and what to say."""

    right: bool
    mistake: str | None
    message: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.message

    def _ipython_display_(self) -> None:
        """Show nothing in a notebook: `check` has printed the message already."""


class Trial(NamedTuple):
    """One run of the answer: its arguments, the wanted result and the one it gave."""

    args: tuple
    wanted: Any
    got: Any


def check(number: str, answer: Any, *, student: str = "", quiet: bool = False) -> Verdict:
    """Check an answer to an exercise, print the verdict and return it.

    `student` seeds the random inputs, so that each student's differ. `quiet=True` only returns.

    >>> verdict = check("01.1", lambda a, b, g: (g * a, g * b))
    01.1: not yet. The factors are exchanged: ∂(a·b)/∂a is b, not a.
    >>> bool(check("01.1", lambda a, b, g: (g * b, g * a)))
    01.1: right.
    True
    """
    verdict = _verdict(find(number), answer, student)
    if not quiet:
        print(verdict.message)
    return verdict


def hint(number: str) -> str:
    """Return one hint more at each call; the last one stays."""
    found = find(number)
    if not found.hints:
        return f"{number}: read the equation again, symbol by symbol."
    at = min(_hinted[number], len(found.hints) - 1)
    _hinted[number] += 1
    return f"{number}, hint {at + 1} of {len(found.hints)}: {found.hints[at]}"


def _verdict(exercise: Exercise, answer: Any, student: str) -> Verdict:
    function = answer if callable(answer) else lambda *args: answer
    trials: list[Trial] = []
    wrong = False
    for rng in _sources(exercise, student):
        args = exercise.inputs(rng)
        given = copy.deepcopy(args)
        try:
            got = function(*given)
        except Exception as error:
            return _told(exercise, "raises", _of_error(error, args))
        if not _same(given, args, 0):
            what = "your function changed its arguments: make a new array instead of writing into"
            return _told(exercise, "mutated argument", f"{what} the one it was given.")
        if got is None or got is Ellipsis:
            return _told(exercise, "no result", "your function returned nothing: add a `return`.")
        wanted = exercise.reference(*copy.deepcopy(args))
        trials.append(Trial(args, wanted, got))
        wrong = wrong or not _right(exercise, trials[-1])
    if not wrong:
        return Verdict(True, None, f"{exercise.number}: right.")
    for mistake in _explanations(exercise, trials):
        return _told(exercise, mistake.name, mistake.look_at)
    return _told(exercise, None, _difference(exercise, trials))


def _sources(exercise: Exercise, student: str) -> Iterator[np.random.Generator]:
    digest = hashlib.sha256(f"{exercise.number}/{student}".encode()).digest()
    for k in range(TRIALS):
        yield np.random.default_rng([int.from_bytes(digest[:8], "big"), k])


def _told(exercise: Exercise, name: str | None, text: str) -> Verdict:
    return Verdict(False, name, f"{exercise.number}: not yet. {text[:1].upper()}{text[1:]}")


def _of_error(error: Exception, args: tuple) -> str:
    shapes = ", ".join(str(shape_of(a)) for a in args)
    return f"your function raised {type(error).__name__} on inputs of shapes {shapes}: {error}"


def _right(exercise: Exercise, trial: Trial) -> bool:
    if exercise.valid is not None:
        try:
            return bool(exercise.valid(trial.got, *trial.args))
        except Exception:
            return False
    return _same(trial.got, trial.wanted, exercise.tolerance)


def plain(value: Any) -> Any:
    """Return a Tensor as an array, anything else as it is."""
    return to_numpy(value) if isinstance(value, Tensor) else value


def _same(a: Any, b: Any, tolerance: float) -> bool:
    """Return True if two answers agree: numbers, arrays, Tensors, texts, and lists and tuples of
    them."""
    a, b = plain(a), plain(b)
    if isinstance(b, (tuple, list)) and isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(_same(p, q, tolerance) for p, q in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k], tolerance) for k in b)
    if isinstance(b, (str, bool, dict, set, type(None))) or callable(b):
        return type(a) is type(b) and a == b
    try:
        a, b = np.asarray(a), np.asarray(b)
        if a.dtype.kind not in "fiub" or b.dtype.kind not in "fiub":
            return bool(a.shape == b.shape and (a == b).all())
        scale = tolerance * (1 + float(np.abs(b[np.isfinite(b)]).max(initial=0)))
        return a.shape == b.shape and np.allclose(a, b, tolerance, scale, equal_nan=True)
    except (TypeError, ValueError):
        return False


def _explanations(exercise: Exercise, trials: list[Trial]) -> Iterator[Mistake]:
    """Yield the mistakes with the answer's result in every trial, the exercise's own first."""
    for mistake in exercise.mistakes:
        if all(_same(trial.got, _computed(mistake, trial), exercise.tolerance) for trial in trials):
            yield mistake
    yield from GENERAL.explain(trials, exercise.tolerance)


def _computed(mistake: Mistake, trial: Trial) -> Any:
    try:
        return mistake.wrong(*copy.deepcopy(trial.args))
    except Exception:
        return None


class General:
    """Mistakes that can be made anywhere, recognised from right and wrong results alone."""

    def explain(self, trials: list[Trial], tolerance: float) -> Iterator[Mistake]:
        pairs = [pair for trial in trials for pair in _arrays(trial.got, trial.wanted)]
        if not pairs:
            return
        same = lambda a, b: _same(a, b, tolerance)
        wrong = [(a, b) for a, b in pairs if not same(a, b)]
        rules = (
            ("wrong sign", lambda a, b: same(a, -b), "the sign is wrong."),
            ("transposed", lambda a, b: b.ndim == 2 and same(a.T, b), "the result is transposed."),
            ("not unbroadcast", lambda a, b: a.ndim >= b.ndim and same(unbroadcast(a, b.shape), b),
             "the gradient has the shape of the result: sum over the axes that were broadcast."),
            ("kept axis", lambda a, b: a.shape != b.shape and a.size == b.size
             and same(a.reshape(b.shape), b), "the numbers are right, the shape is not."),
        )  # fmt: skip
        for name, fits, text in rules:
            if wrong and all(_tried(fits, a, b) for a, b in wrong):
                yield Mistake(name, lambda: None, text)
        yield from self.scaled(trials, pairs, same)

    def scaled(self, trials: list[Trial], pairs: list, same: Any) -> Iterator[Mistake]:
        """Find a mean taken for a sum or the reverse, or a factor that is the same everywhere."""
        ratios = [float(np.vdot(a, b) / np.vdot(b, b)) for a, b in pairs
                  if a.shape == b.shape and np.vdot(b, b) > 0]  # fmt: skip
        if len(ratios) < len(pairs) or not all(
            same(a, r * b) for (a, b), r in zip(pairs, ratios) if r
        ):
            return
        if len(trials) == len(pairs):
            sizes = [{n for x in trial.args for n in shape_of(x)} | _totals(trial)
                     for trial in trials]  # fmt: skip
            near = lambda r, n: n > 1 and abs(r * n - 1) < 1e-6
            if all(any(near(r, n) for n in s) for r, s in zip(ratios, sizes)):
                yield Mistake("mean for sum", lambda: None, "you took a mean where a sum is asked.")
            if all(r and any(near(1 / r, n) for n in s) for r, s in zip(ratios, sizes)):
                yield Mistake("sum for mean", lambda: None, "you took a sum where a mean is asked.")
        if max(ratios) - min(ratios) < 1e-6 and abs(ratios[0] - 1) > 1e-6 and ratios[0]:
            text = f"everything is {ratios[0]:.4g} times what it should be: is a constant missing?"
            yield Mistake("wrong factor", lambda: None, text)


GENERAL = General()


def _totals(trial: Trial) -> set[int]:
    return {int(np.prod(shape_of(x))) for x in trial.args}


def shape_of(value: Any) -> tuple[int, ...]:
    """Return the shape of an array, () of what is none."""
    try:
        return np.shape(plain(value))
    except ValueError:  # a list of arrays of different shapes
        return ()


def _tried(fits: Any, a: np.ndarray, b: np.ndarray) -> bool:
    try:
        return bool(fits(a, b))
    except (TypeError, ValueError):
        return False


def unbroadcast(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum a gradient over the axes that broadcasting added or stretched."""
    g = g.sum(tuple(range(g.ndim - len(shape))))
    axes = tuple(k for k, n in enumerate(shape) if n == 1 and g.shape[k] != 1)
    return g.sum(axes, keepdims=True)


def _arrays(got: Any, wanted: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Return pairs of arrays of numbers that should be equal."""
    got, wanted = plain(got), plain(wanted)
    if isinstance(wanted, (tuple, list)):
        if isinstance(got, (tuple, list)) and len(got) == len(wanted):
            for a, b in zip(got, wanted):
                yield from _arrays(a, b)
        return
    try:
        a, b = np.asarray(got), np.asarray(wanted)
    except ValueError:
        return
    if a.dtype.kind in "fiu" and b.dtype.kind in "fiu":
        yield a.astype(np.float64), b.astype(np.float64)


def _difference(exercise: Exercise, trials: list[Trial]) -> str:
    """Return where the first wrong result differs."""
    trial = next(t for t in trials if not _right(exercise, t))
    got, wanted = plain(trial.got), plain(trial.wanted)
    many = isinstance(wanted, (tuple, list))
    if many and (not isinstance(got, (tuple, list)) or len(got) != len(wanted)):
        return f"{len(wanted)} results are asked for; got {_kind(got)}."
    for k, (a, b) in enumerate(_arrays(got, wanted)):
        which = f"result {k + 1}: " if many else ""
        if a.shape != b.shape:
            return f"{which}shape {a.shape}, it should be {b.shape}."
        if not _same(a, b, exercise.tolerance):
            worst = np.unravel_index(np.argmax(np.abs(a - b)), a.shape)
            at = f" at {tuple(int(i) for i in worst)}" if a.ndim else ""
            return f"{which}it differs{at}: {a[worst]:.6g}, it should be {b[worst]:.6g}."
    return f"{_kind(got)} is not what was asked for."


def _kind(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" + (f" of shape {tuple(shape)}" if shape is not None else "")
