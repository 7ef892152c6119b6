"""The ONNX operators RNN, GRU, LSTM as recorded: peepholes, both resets, directions, lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import golden
import tinygrad_rnn as lib
from golden import layouts
from tinygrad_rnn import nn

CASES = golden.load("onnx_recurrent")
FUNCTIONS: dict[str, Callable] = {
    "Sigmoid": lib.sigmoid,
    "Tanh": lib.tanh,
    "Relu": lib.relu,
    "Softsign": lib.softsign,
    "HardSigmoid": lambda z: (0.2 * z + 0.5).clamp(0.0, 1.0),
}
TOLERANCE = {"float64": 1e-9, "float32": 2e-6}


def label(case: golden.Case) -> str:
    return "-".join([case.name, *(f"{k}={v}" for k, v in case.options.items())])


def with_activations(kind: type, names: list[str]) -> type:
    """The cell with ONNX's `activations`: [f, g] of a GRU, [f, g, h] of an LSTM."""
    f, g = FUNCTIONS[names[0]], FUNCTIONS[names[1]]

    class Other(kind):  # type: ignore[misc, valid-type]
        def gate_value(self, name: str, z: Any, c: Any = None) -> Any:
            z = self.add_peephole(name, z, c) if self.peephole and c is not None else z
            return (g if self.roles[name] == "candidate" else f)(z)

    return Other


def cell(library: Any, case: golden.Case, direction: int) -> Any:
    given, names = case.named("input"), case.options.get("activations")
    kind, options = getattr(nn, case.name + "Cell"), {}
    if case.name == "RNN" and names:
        options["nonlinearity"] = FUNCTIONS[names[0]]
    elif names:
        kind = with_activations(kind, names)
    if case.name == "LSTM":
        options["peephole"] = "diagonal" if "P" in given else None
        options["output_activation"] = FUNCTIONS[names[2]] if names else "tanh"
    if case.name == "GRU":
        options["reset"] = "after" if case.options["linear_before_reset"] else "before"
    H, dtype = given["R"].shape[2], given["X"].dtype
    made = kind(given["X"].shape[2], H, "B" in given, dtype=dtype, device=library.device, **options)
    made.load_state_dict(layouts.onnx(case.name, given, direction))
    return made


def first_states(library: Any, case: golden.Case, directions: int) -> list | None:
    given = case.named("input")
    if "initial_h" not in given:
        return None
    parts = [library.tensor(given[k]) for k in ("initial_h", "initial_c") if k in given]
    return [
        tuple(p[d] for p in parts) if len(parts) > 1 else parts[0][d] for d in range(directions)
    ]


@pytest.mark.parametrize("case", CASES, ids=label)
def test_values_are_onnxs(library, case):
    x, lengths = library.tensor(case.arrays["input/X"]), case.arrays.get("input/sequence_lens")
    directions = case.arrays["input/W"].shape[0]
    cells = [cell(library, case, d) for d in range(directions)]
    states = first_states(library, case, directions)
    if case.options["direction"] == "reverse":
        mask = None if lengths is None else np.arange(len(x))[:, None] < lengths
        first = states[0] if states else cells[0].start(x.shape[1], x)
        steps, last = nn.scan(cells[0], x, first, mask, reverse=True)
        output = lib.stack(list(steps))
        last = lib.stack([last]) if case.name != "LSTM" else tuple(s.unsqueeze(0) for s in last)
    else:
        output, last = nn.Recurrent([cells])(x, states, lengths=lengths)
    T, B, H = len(x), x.shape[1], cells[0].hidden_size
    by_direction = output.reshape(T, B, directions, H).transpose(1, 2)
    parts = last if isinstance(last, tuple) else (last,)
    got = dict(zip(("Y", "Y_h", "Y_c"), (by_direction, *parts), strict=False))
    for name, expected in case.named("output").items():
        tolerance = TOLERANCE[expected.dtype.name]
        assert got[name].dtype == expected.dtype
        np.testing.assert_allclose(
            library.numpy(got[name]), expected, rtol=tolerance, atol=tolerance, err_msg=name
        )


def test_the_conventions_are_all_there():
    options = [case.options for case in CASES]
    assert {o.get("linear_before_reset") for o in options} == {None, 0, 1}
    assert {o["direction"] for o in options} == {"forward", "reverse", "bidirectional"}
    assert any(o.get("peepholes") for o in options) and any("activations" in o for o in options)
