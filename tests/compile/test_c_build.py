"""Building C: found, cached, locked, repaired; and what happens where that is not possible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from compile.test_loops import assert_same, layer_of

from tinygrad_rnn import grad, tensor
from tinygrad_rnn.compile import NotCompiled, compile
from tinygrad_rnn.compile.codegen import emit_c
from tinygrad_rnn.compile.runtime import c_build as native

pytestmark = pytest.mark.compiler
needs_cc = pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler (cc)")
SOURCE = "long answer(void) { return ANSWER; }"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield tmp_path / "tinygrad_rnn"


@needs_cc
def test_built_once_and_built_again_when_damaged(cache: Path) -> None:
    assert native.load(SOURCE, ("ANSWER=42",)).answer() == 42
    (library,) = cache.glob("*.so")
    made = library.stat().st_mtime_ns
    native.load(SOURCE, ("ANSWER=42",))
    assert library.stat().st_mtime_ns == made
    library.unlink()
    library.write_bytes(b"no library")
    assert native.load(SOURCE, ("ANSWER=42",)).answer() == 42
    assert native.load(SOURCE, ("ANSWER=43",)).answer() == 43


@needs_cc
def test_a_cache_that_cannot_be_written_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))  # a folder cannot be made in it
    assert native.load(SOURCE, ("ANSWER=7",)).answer() == 7


@needs_cc
def test_two_processes_build_at_once(cache: Path) -> None:
    code = f"""
from tinygrad_rnn.compile.runtime import c_build as native
assert native.load({SOURCE!r}, ("ANSWER=11",)).answer() == 11
"""
    root = str(Path(native.__file__).parents[3])
    both = [subprocess.Popen([sys.executable, "-c", code], cwd=root) for _ in range(2)]
    assert [p.wait(timeout=60) for p in both] == [0, 0]
    assert len(list(cache.glob("*.so"))) == 1


@needs_cc
def test_an_error_of_the_compiler_is_shown(cache: Path) -> None:
    with pytest.raises(native.CannotBuild, match=r"failed: .*error"):
        native.load("no C", ())


def test_without_a_compiler_numpy_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing() -> None:
        raise native.CannotBuild("there is no C compiler")

    layer = layer_of("lstm", 3, 4, np.float64)
    x = np.random.default_rng(0).standard_normal((4, 2, 3))
    fast = compile(layer)
    monkeypatch.setattr(native.compiler, "command", nothing)
    assert_same(layer, fast, x)
    assert "there is no C compiler" in fast.explain()
    with pytest.warns(NotCompiled, match="NumPy loops instead of C"):
        compile(layer, "c")(tensor(x))


@needs_cc
@pytest.mark.parametrize("name", ["lstm", "gru of the notes", "lstm normalised"])
def test_the_text_is_the_same_every_time(name: str) -> None:
    """Else no library would be found in the cache."""
    texts = set()
    for _ in range(5):
        fast = compile(layer_of(name, 3, 4, np.float32), "c")
        fast(tensor(np.zeros((2, 2, 3), np.float32), requires_grad=True))
        texts.add(fast.source())
        ballast = [object() for _ in range(1000)]  # so that addresses differ
    assert len(texts) == 1 and ballast


@needs_cc
def test_threads_change_no_number() -> None:
    x = np.random.default_rng(0).standard_normal((4, 13, 3)).astype(np.float32)
    layer = layer_of("lstm", 3, 4, np.float32)
    found = []
    for threads in (1, 3):
        fast, given = compile(layer, "c", threads=threads), tensor(x, requires_grad=True)
        output = fast(given)[0]
        found.append([output, *grad(output.sum(), [given, *layer.parameters()])])
        (kernel,) = fast.compiled.kernels.values()
        assert kernel.loops.threads == threads
    assert all(np.array_equal(one._array, three._array) for one, three in zip(*found, strict=True))


KERNELS = native.packaged("tinygrad_rnn.compile.codegen", "kernels.h")
SUMS = """
void both(long part, long next, long *args) {
  const long parts = args[0], K = args[1], M = args[2], N = args[3], wide = args[4];
  const real *A = (real *)args[5], *B = (real *)args[6];
  contract(SHARE(M), N, K, A, wide, B, wide, (real *)args[7]);
  sums(SHARE(M), K, A, wide, (real *)args[8]);
}
"""


@needs_cc
@pytest.mark.parametrize("real", ["float", "double"])
@pytest.mark.parametrize("sizes", [(0, 2, 3), (1, 1, 1), (7, 5, 3), (300, 13, 33), (513, 260, 64)])
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_sums_over_rows(sizes: tuple[int, int, int], real: str, parts: int) -> None:
    """Aᵀ B and column sums, of columns of a wider array, by several threads; of no rows too."""
    defines = (f"REAL={real}", f"SINGLE={int(real == 'float')}", "ALONE=0")
    library = native.load(
        Path(emit_c.__file__).with_name("kernels.h").read_text("utf-8") + SUMS, defines
    )
    K, M, N = sizes
    dtype = np.float32 if real == "float" else np.float64
    wide = np.random.default_rng(0).standard_normal((K + 1, M + N + 3)).astype(dtype)
    a, b = wide[:K, 1 : M + 1], wide[:K, M + 2 : -1]
    product, total = np.full((M, N), np.nan, dtype), np.full(M, np.nan, dtype)
    given = [x.ctypes.data for x in (a, b, product, total)]
    args = native.numbers([parts, K, M, N, wide.shape[1], *given])
    native.bind_parallel(library, "both", native.numbers(range(parts + 1)), args)()
    tolerance = {"float": 1e-6, "double": 1e-15}[real] * (K + 1)
    assert np.allclose(product, a.T @ b, rtol=0, atol=tolerance)
    assert np.allclose(total, a.sum(0), rtol=0, atol=tolerance)


TEAM = """
import ctypes, os, threading
from tinygrad_rnn.compile.runtime import c_build as native
mark = native.load(
    "void mark(long first, long last, long *at) { while (first < last) at[first++]++; }", ()
).mark
start = ctypes.cast(mark, ctypes.c_void_p)
def work(times):
    marks, ends = (ctypes.c_long * 100)(), (ctypes.c_long * 4)(0, 30, 31, 100)
    for _ in range(times):
        native.thread_pool().run_parallel(3, start, ends, marks)
    assert list(marks) == [times] * 100, list(marks)
work(2000)
others = [threading.Thread(target=work, args=(2000,)) for _ in range(3)]
[thread.start() for thread in others]
[thread.join() for thread in others]
child = os.fork()
work(100)
if child:
    assert os.waitpid(child, 0)[1] == 0
else:
    os._exit(0)
"""


@needs_cc
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_team_does_every_part_once_also_for_several_callers_and_after_a_fork() -> None:
    root = Path(native.__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", TEAM], cwd=root, timeout=120)
    assert done.returncode == 0


@needs_cc
def test_the_vector_functions_are_exact_to_three_units(cache: Path) -> None:
    """e^x, σ and tanh against NumPy in higher precision, at the edges and through NaN too."""
    text = KERNELS
    for name in ("exp", "sigmoid", "tanh"):
        loop = f"for (long j = 0; j < n; j++) x[j] = {name}_of(x[j]);"
        text += f"\nvoid {name}s(long n, real *x) {{ {loop} }}"
    exact = {
        "exp": np.exp, "tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    }  # fmt: skip
    for single, dtype in ((1, np.float32), (0, np.float64)):
        library = native.load(
            text, (f"REAL={'float' if single else 'double'}", f"SINGLE={single}", "ALONE=0")
        )
        x = np.concatenate(
            [np.linspace(-30, 30, 60001), [1e-8, -1e-4, 80, -80, np.inf, -np.inf, np.nan]]
        )
        x = x.astype(dtype)
        for name, function in exact.items():
            y = x.copy()
            getattr(library, f"{name}s")(
                native.ctypes.c_long(len(y)), native.ctypes.c_void_p(y.ctypes.data)
            )
            want = function(x.astype(np.longdouble))
            with np.errstate(invalid="ignore"):
                error = np.abs(y - want)
            close = error <= 3 * np.spacing(np.abs(want).astype(dtype)) + np.finfo(dtype).tiny * 2
            assert np.all(close | (y == want) | np.isnan(want)), (name, dtype)
            assert np.isnan(y[-1])
