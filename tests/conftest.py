"""What all tests share: the array libraries they run on, and a clean global state after each."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before NumPy: tests run in several processes already

import gpu  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import strict_array  # noqa: E402

import tinygrad_rnn  # noqa: E402
from tinygrad_rnn.engine import arrays as backend  # noqa: E402
from tinygrad_rnn.engine.primitive import PRIMITIVES, Primitive  # noqa: E402


def _strict_erf(a: strict_array.StrictArray) -> strict_array.StrictArray:
    return strict_array.StrictArray(backend.NUMPY.erf(a.get()))


backend.register(
    strict_array.StrictArray,
    strict_array.xp,
    "strict",
    strict_array.StrictArray.get,
    _strict_erf,
)


class ArrayLibrary:
    """One array library as tests see it: `tensor` and `asarray` make, `numpy` brings back."""

    def __init__(self, name: str, device: str) -> None:
        self.name, self.device = name, device
        self.xp: Any = backend.library(device).xp

    def __repr__(self) -> str:
        return self.name

    def asarray(self, data: Any, dtype: Any = None) -> Any:
        """Return a fresh array of this library with NumPy's dtype rules (floats are float64)."""
        return self.xp.array(np.asarray(data, dtype))

    def tensor(self, data: Any, **options: Any) -> tinygrad_rnn.Tensor:
        """Return a Tensor here, of the dtype `np.asarray(data)` has unless told otherwise."""
        return tinygrad_rnn.tensor(self.asarray(data), **options)

    def numpy(self, x: Any) -> np.ndarray:
        """Return the NumPy array of a Tensor or of an array of this library."""
        return backend.move(getattr(x, "_array", x), "cpu")


LIBRARIES = [
    pytest.param(("numpy", "cpu"), id="numpy"),
    pytest.param(("strict", "strict"), id="strict"),
    pytest.param(("cupy", "cuda"), id="cupy", marks=gpu.NEEDED),
]


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> ArrayLibrary:
    """Each array library in turn; a test that takes this runs on NumPy, the stand-in and CuPy."""
    return ArrayLibrary(*request.param)


@pytest.fixture(autouse=True)
def _default_dtype_is_put_back() -> Iterator[None]:
    before = backend.get_default_dtype()
    yield
    backend.set_default_dtype(before)


@pytest.fixture
def primitives() -> Iterator[dict[str, Primitive]]:
    """The table of primitives; what a test declares is gone after it."""
    before = dict(PRIMITIVES)
    yield PRIMITIVES
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--short", action="store_true", help="three cases of each test, no browser")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --short, keep three cases of each test that another interpreter may change.

    What a browser does with a page is none of them; recorded numbers, quickly compared, are kept
    all: an older NumPy has other dtypes in a few of thousands.
    """
    if not config.getoption("short"):
        return
    cases = defaultdict(list)
    for item in items:
        if item.get_closest_marker("browser"):
            continue
        recorded = "golden" in item.path.parts or "differential" in item.path.parts
        cases[item.nodeid if recorded else item.nodeid.partition("[")[0]].append(item)
    kept = {item for of in cases.values() for item in (of[0], of[len(of) // 2], of[-1])}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


NEEDS = {
    "gpu": "need a GPU",
    "CuPy": "need a GPU",
    "dot": "need Graphviz",
    "browser": "need a Chromium",
    "compiler": "need a C compiler",
    "notebook": "need the notebooks' packages",
}


def reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why a test or a file was skipped: what its mark needs, else in its skip's words."""
    words = getattr(report, "keywords", ())  # a file that skips as a whole has none
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    marked = [need for mark, need in NEEDS.items() if mark in words or mark in told]
    return marked[0] if marked else told.removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in one line how many tests were skipped, and why."""
    why = Counter(reason(r) for r in terminalreporter.stats.get("skipped", []))
    if why:
        told = ", ".join(f"{n:,} {text}" for text, n in why.most_common())
        terminalreporter.write_line(f"{why.total():,} skipped: {told}")
