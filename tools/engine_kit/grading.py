"""Grading: every case and habit of the kit on one engine, and the report of what was found."""

from __future__ import annotations

import html
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .adapters import Engine, Lacking, ours
from .cases import CASES, Case
from .habits import HABITS, Habit
from .programs import Program, Step, text_of
from .random_programs import random_case, smallest

RANDOM = 150  # programs by chance, after the others
REFERENCE = ours()


@dataclass
class Failure:
    """What an engine got wrong: the smallest example, what it says, where to look."""

    name: str
    look_at: str
    program: Program
    inputs: tuple[np.ndarray, ...]
    problems: dict[Step, str]  # beside the step that they are about

    @property
    def text(self) -> str:
        """Return the example with its values, drawn, and the problem beside its line."""
        values = dict(zip(self.program.inputs, map(text_of, self.inputs)))
        notes = {s: values.get(s, "") for s in self.program.steps}
        for step, problem in self.problems.items():
            notes[step] = f"{notes[step]}   ← {problem}".strip()
        drawing = "\n".join(f"    {line}" for line in self.program.drawn(notes))
        return f"✗ {self.name}\n{drawing}\n    look at: {self.look_at}"

    @property
    def svg(self) -> str:
        """Return the example drawn by this project."""
        from tinygrad_rnn.draw import draw

        leaves = [REFERENCE.leaf(a) for a in self.inputs]
        return draw(REFERENCE.forward(self.program, leaves), title=self.name).svg


@dataclass
class Report:
    """What was asked of an engine, and what it answered."""

    right: list[str] = field(default_factory=list)
    wrong: list[Failure] = field(default_factory=list)
    lacking: dict[str, set[str]] = field(default_factory=dict)  # name: operations not offered

    @property
    def summary(self) -> str:
        return (f"{len(self.right)} right, {len(self.wrong)} wrong, "
                f"{len(self.lacking)} not asked")  # fmt: skip

    @property
    def text(self) -> str:
        """Return the whole report: each failure, what was not asked, the count."""
        parts = [f.text for f in self.wrong]
        if self.lacking:
            parts.append("\n".join(self._unasked()))
        return "\n\n".join([*parts, self.summary])

    def _unasked(self) -> Iterator[str]:
        reasons = {name: ", ".join(sorted(why)) for name, why in self.lacking.items()}
        for reason in dict.fromkeys(reasons.values()):
            names = [name for name, why in reasons.items() if why == reason]
            yield f"not asked, {reason}: {'; '.join(names)}"

    @property
    def html(self) -> str:
        """Return the report as one page, each failure with its graph."""
        wrong = "".join(f"<h2>{html.escape(f.name)}</h2><pre>{html.escape(f.text)}</pre>{f.svg}"
                        for f in self.wrong)  # fmt: skip
        return ('<!doctype html><html lang="en"><meta charset="utf-8"><title>The engine, graded'
                "</title><style>body{font:16px sans-serif;margin:2em auto;max-width:70em}"
                "svg{max-width:100%;height:auto}</style>"
                f"<h1>The engine, graded: {self.summary}</h1>{wrong}</html>")  # fmt: skip


def grade(engine: Engine, random_programs: int = RANDOM) -> Report:
    """Ask an engine everything; of each name the smallest example that fails is kept."""
    report = Report()
    report.wrong += failures(engine, report)
    if not report.wrong:  # else what is known would be found again
        report.wrong += filter(None, [_by_chance(engine, random_programs)])
    return report


def failures(engine: Engine, report: Report) -> Iterator[Failure]:
    """Yield what is wrong, causes before their consequences; enter the rest in the report."""
    asked: list[tuple[str, list]] = [*_by_name(CASES), *((habit.name, [habit]) for habit in HABITS)]
    for name, ones in asked:
        failure = _first(ones, report, engine)
        if failure is not None:
            yield failure
        elif name not in report.lacking:
            report.right.append(name)


def _by_name(cases: list[Case]) -> Iterator[tuple[str, list[Case]]]:
    for name in dict.fromkeys(case.name for case in cases):
        yield name, [case for case in cases if case.name == name]


def _first(cases: list, report: Report, engine: Engine) -> Failure | None:
    """Return the first failure; a name of which nothing could be asked is entered as lacking."""
    reasons, asked = set(), 0
    for one in cases:
        if engine.scalars and one.of_arrays:
            reasons.add("of scalars alone")
        elif engine.stateless and getattr(one, "stateful", False):
            reasons.add("no backward() to call twice")
        else:
            try:
                failure = _failure(engine, one)
                asked += 1
            except Lacking as lack:
                reasons.add(f"no {lack}")
                continue
            if failure is not None:
                return failure
    if reasons and not asked:
        report.lacking[cases[0].name] = reasons
    return None


def _failure(engine: Engine, one: Any) -> Failure | None:
    """Return what one case or habit shows to be wrong; what the engine warns of is its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(one, Case):
            problems = differences(engine, one.program, one.inputs)
        else:
            problem = _broken(engine, one)
            problems = {one.program.result: problem} if problem else {}
    return Failure(one.name, one.look_at, one.program, one.inputs, problems) if problems else None


def _broken(engine: Engine, one: Habit) -> str | None:
    try:
        return one.broken(engine, one.program, one.inputs)
    except (Lacking, NotImplementedError) as error:
        raise Lacking(str(error)) from error
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"


def differences(engine: Engine, program: Program, inputs: tuple) -> dict[Step, str]:
    """Return what is wrong, by the step that it is about; {} if all is right."""
    wanted, slopes = REFERENCE.run(program, inputs)
    try:
        got, found = engine.run(program, [a.copy() for a in inputs])
    except (Lacking, NotImplementedError) as error:
        raise Lacking(str(error)) from error
    except Exception as error:
        return {program.result: f"raised {type(error).__name__}: {error}"}
    if not _same(got, wanted):
        return {program.result: _told("L", got, wanted)}
    pairs = zip(program.inputs, found, slopes)
    return {s: _told(f"∂L/∂{program.names[s]}", a, b) for s, a, b in pairs if not _same(a, b)}


def _told(what: str, got: Any, wanted: np.ndarray) -> str:
    if got is None:
        return f"{what} is missing, it should be {text_of(wanted)}"
    got = np.asarray(got)
    if got.shape != wanted.shape:
        return f"{what} has shape {got.shape}, it should be {wanted.shape}: {text_of(wanted)}"
    return f"{what} is {text_of(got)}, it should be {text_of(wanted)}"


def _same(got: Any, wanted: np.ndarray) -> bool:
    """True if numbers and shape agree; a gradient that is missing counts as zeros."""
    if got is None:
        return not np.any(wanted)
    got = np.asarray(got)
    if got.dtype.kind not in "fiu":
        return False
    tolerance = 1e-8 if got.dtype.itemsize == 8 else 1e-4
    zero = not got.ndim and not np.any(got) and not np.any(wanted)  # untouched since 0
    return zero or got.shape == wanted.shape and np.allclose(got, wanted, tolerance, tolerance)


def _by_chance(engine: Engine, count: int) -> Failure | None:
    """Return the smallest random program that the engine gets wrong."""
    for seed in range(count):
        program, inputs = random_case(seed, arrays=not engine.scalars)

        def fails(p: Program, values: tuple) -> bool:
            try:
                return bool(differences(engine, p, values))
            except Lacking:
                return False

        if fails(program, inputs):
            program, inputs = smallest(program, inputs, fails)
            problems = differences(engine, program, inputs)
            return Failure("random programs", "this example is as small as could be made",
                           program, inputs, problems)  # fmt: skip
    return None
