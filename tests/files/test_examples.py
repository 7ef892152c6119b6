"""The examples in the docstrings of `files` run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from tinygrad_rnn import files

MODULES = [f"{files.__name__}.{m.name}" for m in pkgutil.iter_modules(files.__path__)]


@pytest.mark.parametrize("name", [files.__name__, *MODULES])
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
