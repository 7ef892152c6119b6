"""The printed source is the code that runs, whole: executed, it gives the same bits."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compile.test_loops import CELLS, layer_of

from tinygrad_rnn import grad, maximum, primitive, tensor
from tinygrad_rnn.compile import compile
from tinygrad_rnn.compile.runtime import c_build, compiled_loop
from tinygrad_rnn.nn import Cell, Recurrent

needs_cc = pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler (cc)")
RESULTS = ("y", "last", "dxs", "dstates", "dparams")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What every run was given and what it gave."""
    seen: list[dict[str, Any]] = []
    forward, backward = compiled_loop.CompiledCall.forward, compiled_loop.CompiledCall.backward

    def watched(self: Any) -> Any:
        flat, step = forward(self), self.kernel.program.step
        at = self.space.steps * step.y.value.size
        states = np.split(flat[at:], np.cumsum([s.size for s in self.starts])[:-1])
        seen.append({"kernel": self.kernel, "run": self, "xs": self.xs, "params": self.held,
                     "states": self.starts, "y": flat[:at], "last": states})  # fmt: skip
        return flat

    def watched_back(self: Any, g: Any) -> Any:
        found, whole = backward(self, g), getattr(g, "dense", lambda: g)()
        record = next(r for r in seen if r["run"] is self)
        sizes = np.cumsum([record["y"].size, *(s.size for s in self.starts)])
        dy, *ends, _ = np.split(whole, sizes)
        shape = (self.space.steps, *self.kernel.program.step.y.shape)
        record["dy"], n = dy.reshape(shape), len(self.call.inputs)
        record["dstates"] = [e.reshape(s.shape) for e, s in zip(ends, self.starts, strict=True)]
        record["found"] = {"dxs": found[:n], "dstates": found[n : n + len(ends)],
                           "dparams": found[n + len(ends) :]}  # fmt: skip
        return found

    monkeypatch.setattr(compiled_loop.CompiledCall, "forward", watched)
    monkeypatch.setattr(compiled_loop.CompiledCall, "backward", watched_back)
    return seen


def train(fast: Any, T: int = 4, B: int = 3, dtype: Any = np.float64, **options: Any) -> None:
    rng = np.random.default_rng(0)
    x = tensor(rng.standard_normal((T, B, 3)).astype(dtype), requires_grad=True)
    y, last = fast(x, **options)
    ends = sum((s * s).sum() for s in (last if isinstance(last, tuple) else (last,)))
    grad((y * y * 0.5).sum() + ends, [x, *fast.parameters()], allow_unused=True)


def assert_source_gives(record: dict[str, Any], source: str) -> None:
    names = ("xs", "states", "params", "dy", "dstates")
    space = {name: record[name] for name in names if name in record}
    exec(source, space)
    wanted = {"y": record["y"], "last": record["last"], **record.get("found", {})}
    for name, values in wanted.items():
        pairs = [(space[name], values)] if name == "y" else zip(space[name], values)
        for ours, theirs in pairs:
            assert (ours is None) == (theirs is None), name
            if theirs is not None:
                assert np.array_equal(np.reshape(ours, -1), np.reshape(theirs, -1)), name


def check(fast: Any, runs: list, **options: Any) -> str:
    train(fast, **options)
    record = runs[-1]
    source = fast.source()
    assert record["kernel"] is fast.compiled._latest()
    assert_source_gives(record, source)
    return source


@pytest.mark.parametrize("name", CELLS)
def test_every_cell(name: str, runs: list) -> None:
    check(compile(layer_of(name, 3, 4, np.float64), "numpy"), runs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_padded(dtype: Any, runs: list) -> None:
    layer = layer_of("lstm", 3, 4, dtype)
    check(compile(layer, "numpy"), runs, dtype=dtype, lengths=[4, 2, 1])
    assert len(runs[0]["xs"]) == 2


@pytest.mark.parametrize(
    "without", ["share", "gather", "split", "merge", "join", "hoist", "defer", "fuse", "plan"]
)
def test_without_a_pass(without: str, runs: list) -> None:
    for name in ("lstm stacked", "gru of the notes", "lstm normalised"):
        check(compile(layer_of(name, 3, 4, np.float64), "numpy", without=[without]), runs)


def test_without_gradients(runs: list) -> None:
    fast = compile(layer_of("lstm", 3, 4, np.float64).requires_grad_(False), "numpy")
    fast(tensor(np.ones((4, 3, 3))))
    source = fast.source()
    assert_source_gives(runs[-1], source)
    assert "backward" not in source


def test_one_row_and_one_step(runs: list) -> None:
    check(compile(layer_of("gru", 3, 4, np.float64), "numpy"), runs, T=1, B=1)


class Odd(Cell):
    """A cell with what text has to spell: arrays, infinities, an index, a primitive's odd name."""

    def __init__(self, scaled: Any):
        super().__init__(3, 4)
        self.W = tensor(np.random.default_rng(0).standard_normal((3, 4)), requires_grad=True)
        self.scaled = [scaled]

    def step(self, x: Any, h: Any) -> Any:
        new = (x @ self.W + self.scaled[0](h, scale=0.5)).tanh()
        new = maximum(new, tensor(np.array([-np.inf, -1.0, 0.1, 0.0]))).clamp(-np.inf, 0.9)
        new = new * tensor(np.arange(4.0)) + 0.1 * new[:, ::2].sum(1, keepdim=True)
        return new, new


def test_constants_and_declared_primitives(runs: list, primitives: Any) -> None:
    scaled = primitive('*/ "odd\n', lambda a, scale: a * scale, lambda g, y, a, scale: g * scale)
    fast = compile(Recurrent(Odd(scaled)), "numpy")
    source = check(fast, runs)
    assert fast.compiled.notes == [] and ascii('*/ "odd\n') in source and "inf" in source


@needs_cc
@pytest.mark.compiler
@pytest.mark.parametrize("name", CELLS)
def test_every_instruction_is_in_the_printed_c(name: str) -> None:
    """By its name, in the code or in the array calls around it; a view is read where it lies."""
    fast = compile(layer_of(name, 3, 4, np.float64), "c")
    train(fast)
    loops, source = fast.compiled._latest().loops, fast.source()
    used, program = set(re.findall(r"\w+", source)), loops.program
    made = {i for calls in program.calls.values() for i in calls}
    made |= {i for phase in program.native.values() for i in phase if i.op != "concatenate"}
    names = {loops.names[i] for i in made - program.views}
    assert names <= used and len(names) > 10


@needs_cc
@pytest.mark.compiler
@pytest.mark.parametrize("name", ["lstm", "gru of the notes", "lstm normalised"])
def test_the_printed_c_is_the_library(name: str, runs: list, tmp_path: Path) -> None:
    """Compiled by itself and put in the library's place, it gives the same bits."""
    fast = compile(layer_of(name, 3, 4, np.float32), "c")
    train(fast, dtype=np.float32)
    first, loops = runs[-1], fast.compiled._latest().loops
    text, made = tmp_path / "printed.c", tmp_path / "printed.so"
    text.write_text(fast.source(), "utf-8")
    subprocess.run(["cc", *c_build.options(), text, "-o", made, "-lm"], check=True)
    argtypes = loops.library.pack.argtypes
    loops.library = ctypes.CDLL(str(made))
    loops.library.pack.argtypes = argtypes
    first["kernel"].spare.things.clear()
    train(fast, dtype=np.float32)
    second = runs[-1]
    assert second["run"] is not first["run"]
    assert np.array_equal(first["y"], second["y"])
    for name in ("dxs", "dstates", "dparams"):
        for a, b in zip(first["found"][name], second["found"][name], strict=True):
            assert (a is None and b is None) or np.array_equal(a, b)
