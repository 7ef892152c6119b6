"""The examples in the docstrings of `text` run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from tinygrad_rnn import text

MODULES = [f"{text.__name__}.{m.name}" for m in pkgutil.iter_modules(text.__path__)]


@pytest.mark.parametrize("name", [text.__name__, *MODULES])
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
