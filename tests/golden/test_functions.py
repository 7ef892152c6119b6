"""Functions that NumPy lacks, and gradient traps: values and gradients as torch recorded them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import golden
import tinygrad_rnn

CASES = golden.load("functions")
IDS = [f"{i}-{case.name}" for i, case in enumerate(CASES)]


def find(name: str) -> Any:
    found: Any = tinygrad_rnn
    for part in name.split("."):
        found = getattr(found, part)
    return found


def call(library: Any, case: golden.Case) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The results of our function as a tuple, and the tensors that were given to it."""
    tensors: dict[str, Any] = {}

    def bind(value: Any) -> Any:
        if not isinstance(value, dict):
            return tuple(value) if isinstance(value, list) else value
        key = value["array"]
        a = case.arrays[key]
        differentiable = key.startswith("arg/") and a.dtype.kind == "f"
        tensors[key] = library.tensor(a, requires_grad=differentiable)
        return tensors[key]

    args = [bind(a) for a in case.options["args"]]
    keywords = {k: bind(v) for k, v in case.options["keywords"].items()}
    made = find(case.name)(*args, **keywords)
    return (tuple(made) if isinstance(made, (tuple, list)) else (made,)), tensors


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_values_and_gradients_are_torchs(library, case):
    with np.errstate(all="ignore"):  # some cases are at infinities on purpose
        results, tensors = call(library, case)
        assert len(results) == len(case.named("result"))
        for i, result in enumerate(results):
            expected = case.arrays[f"result/{i}"]
            assert result.shape == expected.shape
            np.testing.assert_allclose(
                library.numpy(result), expected, rtol=1e-7, atol=1e-12, err_msg=f"result {i}"
            )
        total: Any = 0.0
        for i, given in case.named("given").items():
            total = total + (results[int(i)] * library.tensor(given)).sum()
        total.backward()
    for key, expected in case.named("grad").items():
        leaf = tensors[key]
        got = np.zeros(leaf.shape) if leaf.grad is None else library.numpy(leaf.grad)
        assert got.shape == expected.shape and got.dtype == np.float64
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-12, err_msg=f"gradient {key}")


def test_every_recorded_function_is_public():
    for case in CASES:
        assert callable(find(case.name)), case.name
