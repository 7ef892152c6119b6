"""Every array function the engine calls exists in the real CuPy and takes the keywords given.

The engine's sources are read, not run, and held against the names recorded from the wheel; where a
wheel is installed (it imports without a GPU) the record itself is held against it.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from strict_array import record

PACKAGE = Path(__file__).parents[2] / "tinygrad_rnn"
FILES = (
    *("engine/arrays.py", "engine/tensor.py", "engine/ops.py", "engine/backward.py"),
    *("engine/dtypes.py", "engine/compute.py", "engine/accumulate.py", "analysis/derivatives.py"),
    *("functions/reductions.py", "functions/elementwise.py", "functions/products.py"),
    *("functions/shapes.py", "functions/indexing.py", "functions/losses.py", "functions/random.py"),
    *("functions/windows.py", "functions/creation.py", "functions/checkpoint.py"),
)
UFUNC_KEYWORDS = {"out", "dtype", "casting"}
# NumPy's own, where the engine means the host: types to recognise, and things of no array.
HOST = {"generic", "errstate", "asarray", "array", "random", "__version__"}


def root_of(node: ast.expr) -> str:
    """Return the dotted path below `np` or `….xp` that `node` names, or nothing."""
    path: list[str] = []
    while isinstance(node, ast.Attribute):
        if node.attr == "xp":
            return ".".join(path)
        path.insert(0, node.attr)
        node = node.value
    return ".".join(path) if isinstance(node, ast.Name) and node.id in ("np", "xp") else ""


def uses(source: str) -> Iterator[tuple[int, str, set[str]]]:
    """Yield (line, name below np, keywords it is called with) for each use in a source text."""
    tree = ast.parse(source)
    called = {id(n.func): n for n in ast.walk(tree) if isinstance(n, ast.Call)}
    inner = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or id(node) in inner or not root_of(node):
            continue
        call = called.get(id(node))
        keywords = {k.arg for k in call.keywords if k.arg} if call else set()
        yield node.lineno, root_of(node), keywords


def complaint(name: str, keywords: set[str]) -> str:
    """Return what CuPy lacks of `name` called with `keywords`, or nothing."""
    head, _, tail = name.partition(".")
    if head in HOST or name == "ndarray":
        return ""
    kind, details = record().get(name, ("", ()))
    if not kind and tail and record().get(head, ("",))[0] == "ufunc":
        lacking = tail not in record()[head][1] + ("outer",)
        return f"cupy.{head} has no working .{tail}" if lacking else ""
    if not kind and tail and record().get(head, ("",))[0] in ("numpy", "type"):
        return ""  # an attribute of a dtype or a type
    if not kind:
        return f"cupy has no {name}"
    known = UFUNC_KEYWORDS if kind == "ufunc" else set(details)
    open_ended = kind not in ("ufunc", "function") or any(d.startswith("**") for d in details)
    lacking_keywords = set() if open_ended else keywords - known
    return f"cupy.{name} takes no {lacking_keywords}" if lacking_keywords else ""


@pytest.mark.parametrize("file", FILES)
def test_the_engine_calls_only_what_cupy_has(file):
    found = list(uses((PACKAGE / file).read_text(encoding="utf-8")))
    faults = [f"{file}:{line}: {c}" for line, name, keys in found if (c := complaint(name, keys))]
    assert not faults, "\n".join(faults)


def test_the_scan_sees_the_engine():
    names = {name for file in FILES for _, name, _ in uses((PACKAGE / file).read_text("utf-8"))}
    assert len(names) > 40 and {"exp", "matmul", "concatenate"} <= names


@pytest.mark.parametrize(
    "source",
    [
        "np.frompyfunc(f, 1, 1)",
        "library_of(a).xp.erf(a)",
        "np.sum(a, initial=0)",
        "np.exp(a, where=m)",
        "np.maximum.reduce(a)",
        "np.linalg.vector_norm(a)",
    ],
)
def test_the_scan_finds_what_cupy_lacks(source):
    assert [c for _, name, keys in uses(source) if (c := complaint(name, keys))]


@pytest.mark.parametrize("source", ["np.add.at(a, i, g)", "t.xp.linalg.norm(a, axis=0)", "np.pi"])
def test_the_scan_passes_what_cupy_has(source):
    assert not [c for _, name, keys in uses(source) if (c := complaint(name, keys))]


@pytest.mark.skipif(not importlib.util.find_spec("cupy"), reason="CuPy is not installed")
def test_the_record_agrees_with_the_installed_wheel():
    lacking = []
    for name in record():
        head, _, tail = name.rpartition(".")
        path = head if head.startswith("cupyx") else f"cupy.{head}".removesuffix(".")
        if head == "ndarray":
            lacking += [] if hasattr(importlib.import_module("cupy").ndarray, tail) else [name]
        elif not hasattr(importlib.import_module(path), tail or name):
            lacking.append(name)
    assert not lacking
