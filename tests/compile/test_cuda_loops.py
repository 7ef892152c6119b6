"""The generated CUDA: nvcc accepts it, and read as C, thread by thread, it gives the right numbers.

No GPU is needed: the emulation runs block after block, with eight threads that meet at barriers.
"""

from __future__ import annotations

import ctypes
import gc
import re
import shutil
import subprocess
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpu
import numpy as np
import pytest
import strict_array
from compile.test_loops import DEVICES, assert_same, layer_of, needs_cc, random_case

from tinygrad_rnn import Tensor, grad, tensor
from tinygrad_rnn.compile import NotCompiled, compile, layer
from tinygrad_rnn.compile.codegen import emit_cuda
from tinygrad_rnn.compile.runtime import c_build as native
from tinygrad_rnn.compile.runtime import call

pytestmark = pytest.mark.compiler
BACKENDS = pytest.mark.parametrize("backend", [pytest.param("emulated", marks=needs_cc), gpu.CUDA])
WAYS = pytest.mark.parametrize(
    "small", [-1, emit_cuda.CUDALoops.small], ids=["step by step", "in one kernel"]
)
AS_C = """
#include <pthread.h>
#include <stdbool.h>
#include <tgmath.h>
#define __global__
#define __device__ static
#define __shared__ static
#define __launch_bounds__(n)
#define __align__(n) __attribute__((aligned(n)))
#define __syncthreads() pthread_barrier_wait(&barrier)
#define MANY 8
static pthread_barrier_t barrier;
static struct { long x; } blockIdx;
static __thread struct { long x; } threadIdx;
static struct { void (*kernel)(long long, long long, void **); long t, B; void **p; } given;
static void *one_thread(void *number) {
  threadIdx.x = (long)number;
  given.kernel(given.t, given.B, given.p);
  return 0;
}
void launch(void *kernel, long blocks, long t, long B, void **p) {
  given.kernel = kernel, given.t = t, given.B = B, given.p = p;
  pthread_barrier_init(&barrier, 0, MANY);
  for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++) {
    pthread_t threads[MANY];
    for (long n = 0; n < MANY; n++) pthread_create(&threads[n], 0, one_thread, (void *)n);
    for (long n = 0; n < MANY; n++) pthread_join(threads[n], 0);
  }
}
"""


class Emulated:
    """A device that runs the kernels on the CPU, block after block, on arrays as CuPy's are."""

    xp = strict_array.xp

    def __init__(self, code: str):
        code = re.sub("#define THREADS .*", "#define THREADS MANY", code.replace('extern "C"', ""))
        self.library = native.load(AS_C + code, ())
        size, pointer = ctypes.c_long, ctypes.c_void_p
        self.library.launch.argtypes = [pointer, size, size, size, pointer]

    def kernel(self, name: str) -> Callable:
        function = ctypes.cast(getattr(self.library, name), ctypes.c_void_p)

        def launch(grid: tuple, block: tuple, args: tuple) -> None:
            t, rows, table = args
            self.library.launch(function, grid[0], t, rows, self.address(table))

        return launch

    def address(self, array: strict_array.StrictArray) -> int:
        return native.address(array._host)

    def multiplier(self) -> Callable:
        def multiply(work: list[tuple]) -> None:
            for rows, matrix, out in work:
                np.matmul(rows._host, matrix._host, out=out._host)

        return multiply

    def repeated(self) -> Callable:
        return lambda issue: issue()


class EmulatedLoops(emit_cuda.CUDALoops):
    def device_for(self, code: str) -> Emulated:
        return Emulated(code)


@pytest.fixture
def emulation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(layer.EMITTERS, "emulated", EmulatedLoops)


SOME = ["rnn", "gru", "lstm", "lstm normalised", "lstm peephole full"]


@BACKENDS
@WAYS
@pytest.mark.parametrize("name", SOME)
def test_the_kernels_compute_what_the_cell_does(
    name: str, small: int, backend: str, emulation: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emit_cuda.CUDALoops, "small", small)
    x = np.random.default_rng(0).standard_normal((4, 3, 3))
    plain = layer_of(name, 3, 4, np.float64)
    fast = compile(plain, backend)
    for _ in range(3):  # issued, recorded, launched
        assert_same(plain, fast, x)
    assert_same(plain, fast, x, lengths=[4, 2, 1])
    assert fast.compiled.notes == []
    assert ("in one kernel" in fast.explain()) == (small > 0)


@BACKENDS
@WAYS
def test_runs_leave_each_other_alone(
    small: int, backend: str, emulation: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emit_cuda.CUDALoops, "small", small)
    device, rng = DEVICES[backend], np.random.default_rng(0)
    plain = layer_of("lstm peephole full", 3, 4, np.float64).to(device=device)
    fast = compile(plain, backend)
    x, longer = (tensor(rng.standard_normal((T, 3, 3)), device=device) for T in (4, 7))
    y = fast(x.requires_grad_())[0]
    values = y.detach().cpu().numpy()
    slope = lambda: grad((y**2).sum(), x, retain_graph=True)[0].cpu().numpy()
    first = slope()
    for other in (longer, x * -2, longer, x * 3):
        grad(fast(other)[0].sum(), list(plain.parameters()))
    assert np.array_equal(y.detach().cpu().numpy(), values)
    assert np.array_equal(slope(), first)
    plain.load_state_dict({k: 0.5 * v for k, v in plain.state_dict().items()})
    assert_same(plain, fast, rng.standard_normal((4, 3, 3)))


@needs_cc
@pytest.mark.parametrize("limit", ["small", "much"])
def test_a_loop_is_one_kernel_if_its_rows_read_little(
    limit: str, emulation: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step has two stages of products, h U and c P, then c' Q; either limit is for one."""
    plain = layer_of("lstm peephole full", 3, 4, np.float64).to(device="strict")
    weights = (4 * 16 + 4 * 8 + 4 * 4) * 8 // 2
    for enough, found in ((weights, True), (weights - 1, False)):
        rows = 5 if limit == "much" else 1
        monkeypatch.setattr(emit_cuda.CUDALoops, limit, enough * rows)
        fast = compile(plain, "emulated")
        fast(tensor(np.zeros((2, 5, 3)), device="strict", requires_grad=True))
        assert ("in one kernel" in fast.explain()) == found


def trained(layer: Any, run: Any, x: Tensor) -> list:
    y = run(x)[0]
    return [y, *grad((y**2).sum(), [x, *layer.parameters()])]


def curved(layer: Any, run: Any, x: Tensor) -> list:
    (slope,) = grad((run(x)[0] ** 2).sum(), x, create_graph=True)
    return list(grad((slope**2).sum(), [x, *layer.parameters()]))


def kept(layer: Any, run: Any, x: Tensor) -> list:
    layer.stateful = True
    return [run(x)[0], run(x)[0]]


def hooked(layer: Any, run: Any, x: Tensor) -> list:
    next(layer.parameters()).register_hook(lambda g: g * 2)
    return trained(layer, run, x)


def ended(layer: Any, run: Any, x: Tensor) -> list:
    h, c = run(x)[1]
    return [h, *grad((h * c).sum(), [x, *layer.parameters()])]


USES: dict[str, tuple[Callable, dict, dict]] = {
    "zoneout": (trained, {"zoneout": 0.3}, {}),
    "dropout": (trained, {"num_layers": 2, "dropout": 0.3}, {}),
    "masks for a sequence": (trained, {"recurrent_dropout": 0.3, "input_dropout": 0.2}, {}),
    "batch first": (trained, {"batch_first": True}, {}),
    "checkpoint": (trained, {}, {"checkpoint_every": 2}),
    "second derivative": (curved, {}, {}),
    "stateful": (kept, {}, {}),
    "hook": (hooked, {}, {}),
    "last states": (ended, {}, {}),
}


@BACKENDS
@pytest.mark.parametrize("use", USES)
def test_uses_of_a_layer(use: str, backend: str, emulation: None) -> None:
    way, options, how = USES[use]
    x = np.random.default_rng(0).standard_normal((5, 2, 3))
    found = []
    for compiled in (False, True):
        plain = layer_of("lstm", 3, 4, np.float64, **options).to(device=DEVICES[backend])
        run = compile(plain, backend, **how) if compiled else plain
        results = way(plain, run, tensor(x, device=DEVICES[backend], requires_grad=True))
        found.append([t.detach().cpu().numpy() for t in results])
    assert run.compiled.notes == []
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


EMULATED = [pytest.param("emulated", hidden, marks=needs_cc) for hidden in (1, 7, 21, 40)]
ON_DEVICE = [pytest.param(*gpu.CUDA.values, n, marks=gpu.CUDA.marks) for n in (96, 200, 600)]


@pytest.mark.parametrize(("backend", "hidden"), EMULATED + ON_DEVICE)
@pytest.mark.parametrize("name", ["lstm", "gru of the notes", "lstm normalised"])
def test_more_columns_than_threads_and_fewer(
    name: str, backend: str, hidden: int, emulation: None
) -> None:
    """Blocks have up to 512 threads (eight, where they are emulated), and as few as the columns of
    a state need; a thread computes four columns of a product, or one where they do not fit."""
    x = np.random.default_rng(0).standard_normal((7, 5, 33))
    plain = layer_of(name, 33, hidden, np.float64)
    fast = compile(plain, backend)
    for _ in range(3):
        assert_same(plain, fast, x)


@needs_cc
@pytest.mark.slow
def test_random_layers_in_kernels(emulation: None) -> None:
    for seed in range(40):
        layer, x, options = random_case(seed)
        fast = compile(layer, "emulated")
        assert_same(layer, fast, x, seed, **options)
        assert fast.compiled.notes == []


@pytest.mark.skipif(not shutil.which("nvcc"), reason="there is no CUDA compiler (nvcc)")
@WAYS
@pytest.mark.parametrize("name", ["lstm", "lstm normalised"])
def test_nvcc_accepts_the_source(
    name: str, small: int, emulation: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(emit_cuda.CUDALoops, "small", small)
    fast = compile(layer_of(name, 3, 4, np.float32).to(device="strict"), "emulated")
    fast(tensor(np.zeros((2, 2, 3), np.float32), device="strict", requires_grad=True))
    text = tmp_path / "kernels.cu"
    text.write_text(fast.source())
    command = ["nvcc", "-cubin", str(text), "-o", str(tmp_path / "kernels.cubin")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_arrays_on_the_cpu_are_not_for_cuda() -> None:
    fast = compile(layer_of("rnn", 3, 4, np.float32), "cuda")
    with pytest.warns(NotCompiled, match="the arrays are on 'cpu'"):
        fast(tensor(np.zeros((2, 2, 3), np.float32)))


def test_streams_have_workspaces_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that another stream still works with must not be written to."""
    fast = compile(layer_of("rnn", 3, 4, np.float64), "numpy")
    for stream in (7, 8, 7):
        monkeypatch.setattr(call, "queue_of", lambda array, stream=stream: (0, stream))
        fast(tensor(np.zeros((2, 2, 3))))
    first, second = fast.compiled.kernels.values()
    assert not set(map(id, first.spare.things)) & set(map(id, second.spare.things))


@pytest.mark.parametrize("backend", [gpu.CUDA])
def test_work_on_two_streams(backend: str) -> None:
    import cupy

    layer = layer_of("lstm", 64, 64, np.float64).to(device=backend)
    fast = compile(layer, backend)
    xs = [tensor(np.random.default_rng(k).standard_normal((50, 8, 64)), device=backend)
          for k in range(2)]  # fmt: skip
    whole = [layer(x)[0].detach().cpu().numpy() for x in xs]
    streams = [cupy.cuda.Stream(non_blocking=True) for _ in xs]
    for _ in range(5):
        found = []
        for x, stream in zip(xs, streams, strict=True):
            with stream:
                found.append(fast(x)[0])
        for y, stream, wanted in zip(found, streams, whole, strict=True):
            with stream:
                np.testing.assert_allclose(y.detach().cpu().numpy(), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "backend", ["numpy", *(pytest.param(b, marks=needs_cc) for b in ("c", "emulated")), gpu.CUDA]
)
def test_memory_goes_with_the_layer(backend: str, emulation: None) -> None:
    """No workspace waits for the garbage collector: on a GPU that comes too late."""
    device = DEVICES.get(backend, "cpu")
    layer = layer_of("lstm normalised", 3, 4, np.float64).to(device=device)
    fast = compile(layer, backend)
    for T in (2, 2, 2, 3):
        x = tensor(np.zeros((T, 2, 3)), device=device, requires_grad=True)
        grad(fast(x)[0].sum(), x)
    (kernel,) = fast.compiled.kernels.values()
    spaces = [weakref.ref(space) for space in kernel.spare.things]
    assert len(spaces) == 2
    gc.disable()
    try:
        kernel.spare.things.clear()
        assert [space() for space in spaces] == [None, None]
    finally:
        gc.enable()
