"""Programs in the idiom of PyTorch's users, nothing but the import swapped, against torch's losses.

`python -m tests.programs.test_programs` writes anew which names they use, in `names.txt`.
"""

from __future__ import annotations

import ast
import runpy
from collections.abc import Iterator
from pathlib import Path

import golden
import numpy as np
import pytest

HERE = Path(__file__).parent
RECORD = HERE / "names.txt"
CURVES = {case.name: case.arrays for case in golden.load("curves")}
PROGRAMS = sorted(p.stem for p in HERE.glob("*.py") if not p.stem.startswith(("test_", "__")))
ALLOWED = ("numpy", "math", "tinygrad_rnn")


def losses(name: str, seed: int) -> np.ndarray:
    """Run a program."""
    return np.array(runpy.run_path(str(HERE / f"{name}.py"))["run"](seed))


def compare(name: str, seed: int) -> None:
    ours, theirs = losses(name, seed), CURVES[name][f"seed {seed}"]
    np.testing.assert_allclose(ours[:3], theirs[:3], rtol=1e-5)
    np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_has_torchs_losses(name):
    compare(name, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_has_torchs_losses_from_other_starts(name, seed):
    compare(name, seed)


def test_every_program_is_recorded_and_learns():
    assert set(CURVES) == set(PROGRAMS) and len(PROGRAMS) >= 20
    for name in PROGRAMS:
        curves = np.array([CURVES[name][f"seed {s}"] for s in range(4)])
        third = max(curves.shape[1] // 3, 1)
        assert curves[:, -third:].mean() < curves[:, :third].mean(), name


def uses(tree: ast.AST) -> Iterator[str]:
    """Each name of the library, as `nn.LSTM`, and each attribute of anything else, as `.view`."""
    places = {"torch": "torch", "nn": "nn", "F": "nn.functional", "optim": "optim"}
    inner: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or id(node) in inner:
            continue
        chain, value = [node.attr], node.value
        while isinstance(value, ast.Attribute):
            inner.add(id(value))
            chain.append(value.attr)
            value = value.value
        if isinstance(value, ast.Name) and value.id in places:
            yield ".".join([places[value.id], *chain[::-1]])
        elif not (isinstance(value, ast.Name) and value.id in ("np", "self", "math", "rng")):
            yield from (f".{name}" for name in chain)


def names() -> list[str]:
    """What the programs use, from the library."""
    trees = [ast.parse((HERE / f"{n}.py").read_text(encoding="utf-8")) for n in PROGRAMS]
    return sorted({name for tree in trees for name in uses(tree)})


def test_what_they_use_is_listed():
    assert names() == RECORD.read_text(encoding="utf-8").split()
    assert len(names()) > 150


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_a_users_own(name):
    text = (HERE / f"{name}.py").read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        for module in (
            [a.name for a in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        ):  # fmt: skip
            assert module.partition(".")[0] in ALLOWED


if __name__ == "__main__":
    RECORD.write_text("\n".join(names()) + "\n", encoding="utf-8")
