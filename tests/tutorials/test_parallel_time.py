"""Notebook 17's rounds are the loop: values and gradients, of every length; nonlinear steps not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tinygrad_rnn import grad, tensor

TEXT = (Path(__file__).parents[2] / "tutorials" / "17_time_in_parallel.py").read_text("utf-8")


def taught() -> dict:
    """Return the notebook's two functions, as they stand there."""
    names: dict = {}
    exec("from tinygrad_rnn import cat, stack, tensor\nimport numpy as np", names)
    for name in ("one_by_one", "in_rounds"):
        (code,) = re.findall(rf"^def {name}\(.*?(?=^\S)", TEXT, re.MULTILINE | re.DOTALL)
        exec(code, names)
    return names


@pytest.mark.parametrize("steps", [2, 3, 7, 8, 33])
def test_a_linear_recurrence_in_rounds_is_the_loop(steps):
    rng, both = np.random.default_rng(steps), taught()
    a, b = (tensor(rng.normal(size=(steps, 2, 3)), requires_grad=True) for _ in range(2))
    weights = rng.normal(size=(steps, 2, 3))
    results = [both[name](a, b) for name in ("one_by_one", "in_rounds")]
    slopes = [grad((h * weights).sum(), [a, b]) for h in results]
    for ours, theirs in zip((results[0], *slopes[0]), (results[1], *slopes[1])):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), 1e-9, 1e-12)
