"""Random programs as torch recorded them: values and gradients, without torch.

`tools/check_engine.py` writes and runs tens of thousands live; these are a sample of the same kind.
"""

from __future__ import annotations

import golden
import numpy as np
import pytest

from tools import random_programs

CASES = golden.load("programs")
VALUE, GRADIENT = 1e-7, 1e-6
VALUE_F32, GRADIENT_F32 = 2e-4, 2e-3  # where a leaf is float32


class Lib(random_programs.Library):
    """Our functions, with leaves and constants of the array library under test."""

    def __init__(self, library) -> None:
        super().__init__(*random_programs.our_library().namespaces)
        self.library = library

    def constant(self, data):
        return self.library.tensor(data)

    def leaf(self, data, grad):
        return self.library.tensor(data, requires_grad=grad)


def assert_same(got, expected, tolerance, scale, program, what):
    assert got.shape == expected.shape and got.dtype == expected.dtype, what
    off = np.abs(got - expected) > tolerance * np.maximum(np.abs(expected), scale)
    assert not off.any(), f"{what}: {got} instead of {expected}\n{random_programs.text(program)}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_values_and_gradients_are_torchs(library, case):
    program = case.options
    data = [case.arrays[f"leaf/{i}"] for i in range(len(program["leaves"]))]
    mixed = any(a.dtype == np.float32 for a in data)
    value, gradient = (VALUE_F32, GRADIENT_F32) if mixed else (VALUE, GRADIENT)
    values, leaves = random_programs.run(Lib(library), program, data)
    for i, expected in case.named("output").items():
        got = library.numpy(values[int(i)])
        assert_same(got, expected, value, 1.0, program, f"v{i}")
    grads = case.named("grad")
    largest = max([1.0, *(np.abs(g).max() for g in grads.values() if g.size)])
    for i, leaf in enumerate(leaves):
        assert (leaf.grad is not None) == (str(i) in grads), f"gradient of v{i}"
        if leaf.grad is not None:
            got, expected = library.numpy(leaf.grad), grads[str(i)]
            assert_same(got, expected, gradient, largest, program, f"gradient of v{i}")


def test_the_sample_has_what_it_should():
    """Shared nodes, broadcasting, repeated indices, 0-d and zero-size arrays, both float types."""
    seen: set[str] = set()
    for case in CASES:
        arguments = [i for _, args, _ in case.options["lines"] for i in args]
        shapes = [tuple(leaf["shape"]) for leaf in case.options["leaves"]]
        ints = [i["ints"] for _, _, p in case.options["lines"] for i in p.get("index", [])
                if isinstance(i, dict) and "ints" in i]  # fmt: skip
        seen |= {"shared"} if len(arguments) > len(set(arguments)) else set()
        seen |= {"0-d"} if () in shapes else set()
        seen |= {"zero-size"} if any(0 in shape for shape in shapes) else set()
        seen |= {"repeated"} if any(len(k) > len(set(k)) for k in ints) else set()
        seen |= {leaf["dtype"] for leaf in case.options["leaves"]}
    assert seen == {"shared", "0-d", "zero-size", "repeated", "float32", "float64"}
    kinds = {p.get("op", op) for case in CASES for op, _, p in case.options["lines"]}
    assert len(CASES) >= 300 and len(kinds) >= 120, len(kinds)
