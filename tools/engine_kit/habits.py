"""What an engine must keep to besides right numbers: state, memory, types, depth."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .adapters import Engine
from .programs import Program, Step, text_of

DEEP, DOUBLINGS, CALLS = 3_000, 20, 100_000


class Habit(NamedTuple):
    """One thing to keep to: `broken(engine, program, inputs)` says what is wrong, or None."""

    name: str
    look_at: str
    inputs: tuple[np.ndarray, ...]
    program: Program
    broken: Callable[[Engine, Program, tuple], str | None]
    of_arrays: bool = True
    stateful: bool = True


HABITS: list[Habit] = []


def habit(name: str, look_at: str, f: Callable, *inputs: Any, **options: bool) -> Callable:
    """Decorate the function that says what is wrong."""
    arrays = tuple(np.array(x, np.float64) for x in inputs)

    def enter(broken: Callable) -> Callable:
        program = Program.of(f, len(arrays))
        HABITS.append(Habit(name, look_at, arrays, program, broken, **options))
        return broken

    return enter


def gradients(engine: Engine, leaves: list) -> list[np.ndarray]:
    return [np.array(engine.module.grad(x), np.float64) for x in leaves]


@habit("second backward", "gradients of values in between must begin at 0 in each pass",
       lambda a: (a * a) * 3, 2, of_arrays=False)  # fmt: skip
def twice(engine: Engine, program: Program, inputs: tuple) -> str | None:
    """A second pass over one graph gives the gradient again, added to the first or in its place."""
    leaves = [engine.leaf(a.copy()) for a in inputs]
    result = engine.forward(program, leaves)
    engine.module.backward(result)
    (first,) = gradients(engine, leaves)
    engine.module.backward(result)
    (second,) = gradients(engine, leaves)
    if np.allclose(second, first) or np.allclose(second, 2 * first):
        return None
    return (f"∂L/∂a is {text_of(first)} after one backward(), {text_of(second)} after two: "
            f"neither {text_of(first)} again nor {text_of(2 * first)}, their sum")  # fmt: skip


@habit("a shared part of two graphs", "gradients of values in between must begin at 0 in each pass",
       lambda a: (a * a) * 3, 2, of_arrays=False)  # fmt: skip
def two_losses(engine: Engine, program: Program, inputs: tuple) -> str | None:
    """Two losses of one shared value: their gradients summed, or the second's alone."""
    leaves = [engine.leaf(a.copy()) for a in inputs]
    shared = engine.forward(Program(program.inputs, program.result.parents[0]), leaves)
    for factor in (3, 5):
        engine.module.backward(shared * factor)
    (found,) = gradients(engine, leaves)
    if np.allclose(found, 20) or np.allclose(found, 32):
        return None
    return f"backward() of b·3, then of b·5: ∂L/∂a is {text_of(found)}, neither 20 nor 12 + 20"


@habit("changed inputs", "never write into an array that you were given",
       lambda a, b: ((a + b) * a + a).sum(), [1, 2], [3, 4], stateful=False)  # fmt: skip
def unchanged(engine: Engine, program: Program, inputs: tuple) -> str | None:
    """The caller's arrays are after the pass what they were."""
    given = [a.copy() for a in inputs]
    engine.run(program, given)
    changed = [k for k, (a, b) in enumerate(zip(given, inputs)) if not np.array_equal(a, b)]
    names = list(program.names.values())
    return f"the array given for {names[changed[0]]} was changed" if changed else None


@habit("gradients that share memory", "hand each leaf an array of its own: g.copy()",
       lambda a, b: (a + b).sum(), [1, 2], [3, 4], stateful=False)  # fmt: skip
def apart(engine: Engine, program: Program, inputs: tuple) -> str | None:
    """Scaling one gradient in place, as clipping does, leaves the other alone."""
    _, (one, other) = engine.run(program, [a.copy() for a in inputs])
    if isinstance(one, np.ndarray) and np.shares_memory(one, np.asarray(other)):
        return "∂L/∂a and ∂L/∂b are one array: halving one in place halves the other"
    return None


@habit("a source changed later", "a leaf keeps its own copy: np.array, not np.asarray",
       lambda a: (a * a).sum(), [1, 2])  # fmt: skip
def later(engine: Engine, program: Program, inputs: tuple) -> str | None:
    """What the caller does to the array between the two passes changes no gradient."""
    source = inputs[0].copy()
    leaf = engine.leaf(source)
    result = engine.forward(program, [leaf])
    source[:] = 100
    engine.module.backward(result)
    (found,) = gradients(engine, [leaf])
    if np.allclose(found, 2 * inputs[0]):
        return None
    return (f"the array was overwritten between the passes: ∂L/∂a is {text_of(found)}, "
            f"it should be {text_of(2 * inputs[0])}")  # fmt: skip


@habit("float drift", "a Python number takes the dtype of the array beside it; ones and zeros too",
       lambda a: (2.0 * a.tanh() + 1.0).sum(), [1, 2], stateful=False)  # fmt: skip
def narrow(engine: Engine, program: Program, inputs: tuple) -> str | None:
    """Of float32 come float32 results and float32 gradients."""
    value, (found,) = engine.run(program, [a.astype(np.float32) for a in inputs])
    kinds = [("the result", value), ("∂L/∂a", found)]
    wide = [f"{n} is {x.dtype}" for n, x in kinds if getattr(x, "dtype", None) == np.float64]
    return f"the input is float32, {' and '.join(wide)}" if wide else None


@habit("gradients cut to whole numbers", "gradients are floats, also of whole numbers",
       lambda a: (a * 0.5).sum(), [1, 2], stateful=False)  # fmt: skip
def whole(engine: Engine, program: Program, inputs: tuple) -> str | None:
    """Whole numbers are refused, or have their true gradient."""
    try:
        _, (found,) = engine.run(program, [a.astype(np.int64) for a in inputs])
    except Exception:
        return None  # a refusal is an answer
    if found is None or np.allclose(np.asarray(found, float), 0.5):
        return None
    return f"of the whole numbers [1 2], ∂L/∂a is {text_of(np.asarray(found))}, not 0.5"


def chain(steps: int, f: Callable) -> Program:
    """Return a program that applies `f` so many times."""
    leaf = result = Step("input")
    for _ in range(steps):
        result = f(result)
    return Program([leaf], result)


@habit("recursion depth", "walk the graph with a stack of your own, not by recursion",
       lambda a: ((a + 1) + 1) + 1, 1, of_arrays=False, stateful=False)  # fmt: skip
def deep(engine: Engine, program: Program, inputs: tuple) -> str | None:
    """A chain as long as a long text has its gradient."""
    try:
        engine.run(chain(DEEP, lambda v: v + 1), [inputs[0].copy()])
    except RecursionError:
        return f"of {DEEP:,} additions in a row: RecursionError"
    return None


@habit("a value walked once per path", "visit each value once: keep a set of those seen",
       lambda a: (lambda b: (lambda c: c + c)(b + b))(a + a), 1,
       of_arrays=False, stateful=False)  # fmt: skip
def doublings(engine: Engine, program: Program, inputs: tuple) -> str | None:
    """b = a + a, c = b + b, …: as many visits as values, not as paths."""
    try:
        with bounded_calls(CALLS):
            engine.run(chain(DOUBLINGS, lambda v: v + v), [inputs[0].copy()])
    except TooMany:
        return (f"{DOUBLINGS} doublings are {2**DOUBLINGS:,} paths: more than {CALLS:,} "
                f"function calls, stopped")  # fmt: skip
    return None


class TooMany(Exception):
    """More function calls than were allowed."""


@contextmanager
def bounded_calls(limit: int) -> Iterator[None]:
    """Raise TooMany at the call after so many: a stop that no clock decides."""
    left = limit

    def count(frame: Any, event: str, _: Any) -> None:
        nonlocal left
        left -= event in ("call", "c_call")
        if left < 0:
            raise TooMany

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)
