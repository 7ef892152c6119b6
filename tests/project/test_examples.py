"""Every example in a docstring runs and says what it gives."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import tinygrad_rnn as t

ROOT = Path(t.__file__).parent
FILES = [p for p in sorted(ROOT.glob("**/*.py")) if ">>> " in p.read_text(encoding="utf-8")]
NAMES = [".".join(p.relative_to(ROOT.parent).with_suffix("").parts) for p in FILES]
FINDER = doctest.DocTestFinder()


def examples(name: str) -> list[doctest.DocTest]:
    """Return the docstrings of a module that have examples; `t` is the package in each."""
    module = importlib.import_module(name.removesuffix(".__init__"))
    given = {"t": t, "tensor": t.tensor, "nn": t.nn, **vars(module)}
    return [each for each in FINDER.find(module, globs=given) if each.examples]


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_module(name, primitives):
    found = examples(name)
    assert found, "its examples are in no docstring"
    for each in found:
        assert doctest.DocTestRunner().run(each).failed == 0, each.name


def test_there_are_enough():
    assert sum(len(examples(name)) for name in NAMES) >= 150
