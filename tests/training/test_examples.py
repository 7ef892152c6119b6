"""The examples in the docstrings of `training` run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from tinygrad_rnn import training

MODULES = [f"{training.__name__}.{m.name}" for m in pkgutil.iter_modules(training.__path__)]


@pytest.mark.parametrize("name", [training.__name__, *MODULES])
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
