"""Compiled layers give the unrolled layer's numbers and gradients, for every cell and option."""

from __future__ import annotations

import shutil
from typing import Any

import gpu
import numpy as np
import pytest

from tinygrad_rnn import grad, tensor
from tinygrad_rnn.compile import compile
from tinygrad_rnn.compile.codegen import emit_numpy
from tinygrad_rnn.engine.arrays import to_numpy
from tinygrad_rnn.nn import GRU, LSTM, MGU, RNN
from tinygrad_rnn.nn.cell import parts_of

needs_cc = pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler (cc)")
C = pytest.param("c", marks=[pytest.mark.compiler, needs_cc])
BACKENDS = ["numpy", C, gpu.CUDA]
DEVICES = {"cuda": "cuda", "emulated": "strict"}  # see test_compile_cuda.py
CELLS: dict[str, tuple] = {
    "rnn": (RNN, {}),
    "rnn relu": (RNN, {"nonlinearity": "relu", "bias": False}),
    "rnn leak": (RNN, {"leak": 0.3}),
    "gru": (GRU, {}),
    "gru of the notes": (GRU, {"reset": "before", "update": "writes"}),
    "gru stacked": (GRU, {"reset": "before", "form": "stacked"}),
    "mgu": (MGU, {}),
    "lstm": (LSTM, {}),
    "lstm B": (LSTM, {"output_activation": None}),
    "lstm C": (LSTM, {"output_activation": None, "relevance": True}),
    "lstm stacked": (LSTM, {"form": "stacked", "bias": "single"}),
    "lstm coupled": (LSTM, {"coupled": True}),
    "lstm projected": (LSTM, {"proj_size": 2}),
    "lstm peephole full": (LSTM, {"peephole": "full"}),
    "lstm peephole diagonal": (LSTM, {"peephole": "diagonal"}),
    "lstm normalised": (LSTM, {"layer_norm": True}),
}


def layer_of(name: str, I: int, H: int, dtype: Any, seed: int = 0, **options: Any) -> Any:
    kind, fixed = CELLS[name]
    return kind(I, H, **fixed, **options, seed=seed).to(dtype=dtype)


def results(layer: Any, like: Any, x: np.ndarray, seed: int, **options: Any) -> list[np.ndarray]:
    """Outputs, last states, and the gradients of x, the first states and all parameters."""
    rng = np.random.default_rng(seed)
    x_in = tensor(x, requires_grad=True, device=next(like.parameters()).device)
    draw = lambda shape, scale=1, **options: tensor(
        scale * rng.standard_normal(shape), x.dtype, device=x_in.device, **options
    )
    blank = [cell.start(x.shape[1], x_in[0]) for _, cell in like.flat_cells()]
    flat = [parts_of(s) for s in blank]
    first = [draw((len(flat), *part.shape), 0.5, requires_grad=True) for part in flat[0]]
    output, last = layer(x_in, tuple(first) if len(first) > 1 else first[0], **options)
    results = [output, *parts_of(last)]
    weights = [draw(r.shape) for r in results]
    loss = sum((r * w).sum() for r, w in zip(results, weights))
    wanted = [x_in, *first, *like.parameters()]
    found = grad(loss, wanted, allow_unused=True)
    gradients = [np.zeros(w.shape, x.dtype) if g is None else g for g, w in zip(found, wanted)]
    return [to_numpy(t) for t in (*results, *gradients)]


def assert_same(layer: Any, fast: Any, x: np.ndarray, seed: int = 0, **options: Any) -> None:
    value, gradient = (1e-12, 1e-10) if x.dtype == np.float64 else (1e-5, 1e-5)
    layer.to(device=DEVICES.get(fast.compiled.backend, "cpu"))
    plain = results(layer, layer, x, seed, **options)
    ours = results(fast, layer, x, seed, **options)
    for k, (a, b) in enumerate(zip(plain, ours, strict=True)):
        assert a.shape == b.shape and a.dtype == b.dtype
        limit = value if k < 2 else gradient
        assert np.abs(a - b).max(initial=0) <= limit * max(1, np.abs(a).max(initial=0)), k


@pytest.mark.parametrize("name", CELLS)
def test_numpy_loops_call_ufuncs_on_planned_memory(name: str, monkeypatch: Any) -> None:
    """What no ufunc writes there costs a call of Python's and a copy in every step."""
    copied: set[str] = set()
    run = emit_numpy.general
    monkeypatch.setattr(emit_numpy, "general", lambda i, *rest: copied.add(i.op) or run(i, *rest))
    layer = layer_of(name, 3, 4, np.float64)
    results(compile(layer, "numpy"), layer, np.ones((2, 2, 3)), 0)
    assert copied <= {"concatenate", "sum", "where"}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CELLS)
def test_every_cell(name: str, backend: str) -> None:
    x = np.random.default_rng(1).standard_normal((5, 3, 3))
    layer = layer_of(name, 3, 4, np.float64)
    fast = compile(layer, backend)
    assert_same(layer, fast, x)
    assert fast.compiled.notes == []  # nothing fell back


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_deep_bidirectional_and_padded(name: str, backend: str) -> None:
    x = np.random.default_rng(2).standard_normal((5, 3, 3)).astype(np.float32)
    layer = layer_of(name, 3, 4, np.float32, num_layers=2, bidirectional=True)
    fast = compile(layer, backend)
    assert_same(layer, fast, x)
    assert_same(layer, fast, x, lengths=[5, 2, 1])
    assert fast.compiled.notes == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_unit_and_padding(backend: str) -> None:
    """Rows of one column are numbers to the C loops."""
    x = np.random.default_rng(4).standard_normal((3, 2, 3))
    layer = layer_of("lstm normalised", 3, 1, np.float64, bidirectional=True)
    fast = compile(layer, backend)
    assert_same(layer, fast, x, lengths=[3, 1])
    assert fast.compiled.notes == []


def random_case(seed: int) -> tuple[Any, np.ndarray, dict]:
    """A layer, an input and call options drawn from all there is."""
    rng = np.random.default_rng(seed)
    name = str(rng.choice(list(CELLS)))
    dtype = [np.float32, np.float64][rng.integers(2)]
    T, B, I, H = (int(rng.integers(1, top)) for top in (7, 5, 5, 6))
    H += "projected" in name and 2
    options = {"num_layers": int(rng.integers(1, 3)), "bidirectional": bool(rng.integers(2))}
    layer = layer_of(name, I, H, dtype, seed, **options)
    x = rng.standard_normal((T, B, I)).astype(dtype)
    lengths = [int(n) for n in rng.integers(1, T + 1, B)]
    return layer, x, {"lengths": lengths} if rng.integers(2) else {}


@pytest.mark.parametrize("backend", ["numpy", gpu.CUDA])
@pytest.mark.parametrize("block", range(10))
def test_random_layers(block: int, backend: str) -> None:
    for seed in range(20 * block, 20 * block + 20):
        layer, x, options = random_case(seed)
        fast = compile(layer, backend)
        assert_same(layer, fast, x, seed, **options)
        assert fast.compiled.notes == []


SOME_SLOW = [0, *(pytest.param(block, marks=pytest.mark.slow) for block in range(1, 10))]


@pytest.mark.compiler
@needs_cc
@pytest.mark.parametrize("block", SOME_SLOW)
def test_random_layers_in_c(block: int) -> None:
    for seed in range(20 * block, 20 * block + 20):
        layer, x, options = random_case(seed)
        fast = compile(layer, "c", threads=2)
        assert_same(layer, fast, x, seed, **options)
        assert fast.compiled.notes == []


@pytest.mark.parametrize(
    "without", ["share", "gather", "split", "merge", "join", "hoist", "defer", "plan"]
)
def test_every_pass_can_be_left_out(without: str) -> None:
    x = np.random.default_rng(3).standard_normal((4, 2, 3))
    for name in ("lstm stacked", "gru of the notes", "lstm normalised"):
        layer = layer_of(name, 3, 4, np.float64)
        assert_same(layer, compile(layer, "numpy", without=[without]), x)


@pytest.mark.compiler
@needs_cc
@pytest.mark.parametrize("without", ["merge", "fuse", "plan"])
def test_passes_can_be_left_out_of_c(without: str) -> None:
    x = np.random.default_rng(3).standard_normal((4, 2, 3))
    layer = layer_of("lstm normalised", 3, 4, np.float64)
    fast = compile(layer, "c", without=[without])
    assert_same(layer, fast, x)
    assert fast.compiled.notes == []
