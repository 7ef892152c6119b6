"""The engine that is tested: `--engine my_engine.py`."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest


def pytest_addoption(parser):
    parser.addoption("--engine", default="my_engine.py", help="your engine's file")


@pytest.fixture(scope="session")
def engine(request):
    """Return the engine as a module."""
    path = Path(request.config.getoption("--engine")).resolve()
    if not path.exists():
        pytest.fail(f"there is no {path}: name your engine with --engine FILE", pytrace=False)
    spec = importlib.util.spec_from_file_location("my_engine", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def slopes(engine):
    """Return a function: the gradients of f(*values) in each value, by the engine."""

    def of(f, *data):
        leaves = [engine.Value(np.array(d, float)) for d in data]
        f(*leaves).backward()
        return [leaf.grad for leaf in leaves]

    return of


@pytest.fixture
def agrees(engine, slopes):
    """Return a function that compares gradients with central differences, entry by entry."""

    def check(f, *data):
        for k, found in enumerate(slopes(f, *data)):
            for at in np.ndindex(np.shape(data[k])):
                ends = []
                for step in (1e-6, -1e-6):
                    moved = [np.array(d, float) for d in data]
                    moved[k][at] += step
                    ends.append(float(f(*map(engine.Value, moved)).data))
                wanted = (ends[0] - ends[1]) / 2e-6
                assert np.shape(found) == np.shape(data[k]), f"the shape of gradient {k + 1}"
                where = f"gradient {k + 1} at {at}"
                assert np.isclose(np.asarray(found)[at], wanted, 1e-4, 1e-6), where

    return check
