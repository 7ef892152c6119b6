"""Programs by chance, for what the table did not think of, and how a failing one is made small."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .adapters import ours
from .programs import Program, Step, concat

UNARY = ("tanh", "exp", "relu", "neg", "square", "scaled")
BINARY = ("add", "sub", "mul", "matmul", "concat")
SHAPES = ((2, 2), (2, 1), (2,), ())


def random_case(seed: int, arrays: bool = True, steps: int = 8) -> tuple[Program, tuple]:
    """Return a random program, and its inputs."""
    rng = np.random.default_rng(seed)
    shapes = [SHAPES[k] for k in rng.integers(0, len(SHAPES), 3)] if arrays else [()] * 3
    values = tuple(np.round(rng.uniform(0.2, 0.9, s) * rng.choice([-1, 1], s), 2) for s in shapes)
    leaves = [Step("input") for _ in values]
    known = [(leaf, value) for leaf, value in zip(leaves, values)]
    for _ in range(steps):
        known.append(_grown(rng, known))
    result = _scalar(*known[-1])
    for step, value in known[-3:-1]:
        result = result + _scalar(step, value) * 0.5
    return Program(leaves, result), values


def _scalar(step: Step, value: np.ndarray) -> Step:
    return step.sum() if np.ndim(value) else step


def _fit(a: tuple, b: tuple) -> bool:
    """True if two shapes broadcast."""
    return all(m == n or 1 in (m, n) for m, n in zip(a[::-1], b[::-1]))


def _grown(rng: np.random.Generator, known: list) -> tuple[Step, np.ndarray]:
    """Return one step more, on values drawn from those there are; its values stay small."""
    while True:
        (a, x), (b, y) = (known[k] for k in rng.integers(0, len(known), 2))
        op = (UNARY + BINARY)[rng.integers(len(UNARY + BINARY))]
        if op in ("add", "sub", "mul") and not _fit(np.shape(x), np.shape(y)):
            continue
        if op in ("tanh", "exp", "relu"):
            f = np.tanh if op == "tanh" else np.exp if op == "exp" else lambda v: np.maximum(v, 0)
            made = getattr(a, op)(), f(x)
        elif op in ("neg", "square", "scaled"):
            made = {"neg": (-a, -x), "square": (a**2, x**2), "scaled": (1.5 * a, 1.5 * x)}[op]
        elif op in ("add", "sub", "mul"):
            made = {"add": (a + b, x + y), "sub": (a - b, x - y), "mul": (a * b, x * y)}[op]
        elif op == "matmul" and np.ndim(x) == np.ndim(y) == 2 and x.shape[1] == y.shape[0]:
            made = a @ b, x @ y
        elif op == "concat" and np.ndim(x) and np.shape(x)[1:] == np.shape(y)[1:] and np.ndim(y):
            made = concat([a, b]), np.concatenate([x, y])
        else:
            continue
        if np.abs(made[1]).max() < 20 and np.abs(made[1]).min() > 1e-3 and np.size(made[1]) < 40:
            return made


def smallest(program: Program, inputs: tuple, fails: Callable) -> tuple[Program, tuple]:
    """Return a program as small as can be that still fails: `fails(program, inputs)`.

    A value is made the result in place of the last, or an input in place of what it was made of,
    for as long as that shortens it.
    """
    while True:
        for smaller, values in _reductions(program, inputs):
            if len(smaller.steps) < len(program.steps) and fails(smaller, values):
                program, inputs = smaller, values
                break
        else:
            return program, inputs


def _reductions(program: Program, inputs: tuple) -> Iterator[tuple[Program, tuple]]:
    engine = ours()
    leaves = [engine.leaf(a) for a in inputs]
    arrays = {s: engine.module.value(v) if not isinstance(v, (int, float)) else np.asarray(v)
              for s, v in program.replay(engine.apply, leaves).items()}  # fmt: skip
    for step in program.steps[:-1]:  # an earlier result
        yield _cut(program, arrays, _scalar(step, arrays[step]), None)
    for step in program.steps[:-1]:  # one operation less
        if step.op != "input":
            yield _cut(program, arrays, program.result, step)


def _cut(program: Program, arrays: dict, result: Step, leaf: Step | None) -> tuple[Program, tuple]:
    """Rebuild what `result` needs, with the step `leaf` made an input; unused inputs go."""
    new: dict[Step, Step] = {}
    for step in Program([], result).steps:
        made_input = step is leaf or step.op == "input"
        new[step] = (
            Step("input") if made_input else Step(step.op, step.args_from(new), step.options)
        )
    needed = {s for s in Program([], new[result]).steps if s.op == "input"}
    kept = [(n, np.round(arrays[s], 2)) for s, n in new.items() if n in needed]
    return Program([n for n, _ in kept], new[result]), tuple(a for _, a in kept)
