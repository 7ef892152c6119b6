"""Random programs as torch recorded them: values and gradients, without torch.

`check_engine.py` writes and runs tens of thousands live; these are a sample of the same kind.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import golden
import numpy as np
import pytest

import tinygrad_rnn
from differential import check_engine, programs, shrink, whole, writer

CASES = golden.load("programs")
VALUE, GRADIENT = 1e-7, 1e-6
VALUE_F32, GRADIENT_F32 = 2e-4, 2e-3  # where a leaf is not float64


class Lib(programs.Library):
    """Our functions, with leaves and constants of the array library under test."""

    def __init__(self, library: Any) -> None:
        super().__init__(*programs.our_library().namespaces)
        self.library = library

    def constant(self, data):
        return self.library.tensor(data)

    def leaf(self, data, grad):
        return self.library.tensor(data, requires_grad=grad)


def assert_same(got, expected, tolerance, scale, program, what):
    assert got.shape == expected.shape and got.dtype == expected.dtype, what
    off = np.abs(got - expected) > tolerance * np.maximum(np.abs(expected), scale)
    assert not off.any(), f"{what}: {got} instead of {expected}\n{programs.text(program)}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_values_and_gradients_are_torchs(library, case):
    program = case.options
    data = [case.arrays[f"leaf/{i}"] for i in range(len(program["leaves"]))]
    mixed = any(a.dtype != np.float64 for a in data)
    value, gradient = (VALUE_F32, GRADIENT_F32) if mixed else (VALUE, GRADIENT)
    values, leaves = programs.run(Lib(library), program, data)
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
    """Shared nodes, broadcasting, repeated indices, 0-d and zero-size, all dtypes, writes."""
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
    assert seen == {"shared", "0-d", "zero-size", "repeated", *whole.DTYPES}
    kinds = {p.get("op", op) for case in CASES for op, _, p in case.options["lines"]}
    assert len(CASES) >= 400 and len(kinds) >= 150 and "written" in kinds, len(kinds)


OURS = programs.our_library()  # stands in torch's place too


def test_a_seed_is_a_program():
    written = [writer.write(seed, OURS) for seed in (1, 2, 1)]
    assert written[0] == written[2] != written[1]
    assert all(check_engine.disagreement(p, OURS, OURS) == "" for p in written)


@pytest.mark.parametrize(
    "wrong, symptom",
    [
        ({"tanh": lambda x: tinygrad_rnn.tanh(x) + 1e-5}, "value v"),
        ({"tanh": lambda x: tinygrad_rnn.tanh(x).detach() + x - x.detach()}, "gradient of v"),
        ({"tanh": lambda x: tinygrad_rnn.tanh(x).reshape(1, *x.shape)}, "shape"),
    ],
    ids=["value", "gradient", "shape"],
)
def test_a_wrong_engine_is_found_and_the_program_made_small(wrong, symptom):
    broken = programs.Library(SimpleNamespace(**wrong), *OURS.namespaces)
    differs = lambda p: check_engine.disagreement(p, broken, OURS)
    found = 0
    for seed in range(60):
        program = writer.write(seed, OURS)
        uses = [line for line in program["lines"] if line[0] == "tanh" and len(line[2]) == 0]
        if not uses or symptom not in differs(program):
            continue
        small = shrink.shrunk(program, OURS, differs)
        assert differs(small) and len(small["lines"]) <= 3
        assert "tanh" in programs.text(small)
        found += 1
        if found == 3:
            return
    pytest.fail(f"found {found} of 3")


def test_second_derivatives_are_those_of_the_weighted_loss():
    """loss Σ w x³, its gradient 3 w x², and the gradient of Σ w · 3 w x² is 6 w² x."""
    leaf = {"shape": [3], "dtype": "float64", "grad": True, "data": [0.5, -1.0, 2.0]}
    cube = ["scalar", [0], {"op": "**", "scalar": 3, "left": False}]
    program = {"seed": 0, "leaves": [leaf], "lines": [cube], "outputs": [1]}
    data, w = programs.leaf_data(program), programs.weights((3,), 0)
    (got,) = programs.second(OURS, program, data)
    np.testing.assert_allclose(got, 6 * w**2 * data[0], rtol=1e-12)
    wrong = SimpleNamespace(
        grad=lambda *args, **kw: [g * 1.001 for g in tinygrad_rnn.grad(*args, **kw)]
    )
    broken = programs.Library(wrong, *OURS.namespaces)
    assert "second" in check_engine.second_disagreement(program, broken, OURS)
