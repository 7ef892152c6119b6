"""The site's reference: every public name has an example, and those kept beside docstrings run."""

from __future__ import annotations

import doctest
import importlib
import inspect

import pytest

import tinygrad_rnn as t
from tools.website.reference import NAMES, examples, pages

LINES = NAMES.read_text(encoding="utf-8").split()


def told(line: str) -> str:
    """Return the docstring of a public name."""
    module, _, name = line.rpartition(".")
    return inspect.getdoc(getattr(importlib.import_module(module), name)) or ""


def test_every_public_name_has_an_example():
    lacking = [name for name in LINES if ">>> " not in told(name) and name not in examples()]
    assert lacking == []


def test_no_example_is_kept_for_a_name_that_is_gone_or_has_its_own():
    assert [name for name in examples() if name not in LINES or ">>> " in told(name)] == []


@pytest.mark.parametrize("name", examples())
def test_a_kept_example_gives_what_it_says(name, primitives, tmp_path):
    given = {"t": t, "nn": t.nn, "optim": t.optim, "__name__": "example"}
    test = doctest.DocTestParser().get_doctest(examples()[name], given, name, None, 0)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0


def test_every_public_name_stands_on_a_page_once():
    text = "\n".join(text for _, text in pages()) + "\n"
    assert [name for name in LINES if text.count(f":: {name}\n") != 1] == []
