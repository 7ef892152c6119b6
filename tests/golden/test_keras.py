"""keras.layers SimpleRNN, GRU (reset_after both ways), LSTM as recorded: masks, gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import golden
import tinygrad_rnn as lib
from golden import layouts
from tinygrad_rnn import nn

CASES = golden.load("keras_recurrent")
OURS = {"SimpleRNN": nn.RNNCell, "GRU": nn.GRUCell, "LSTM": nn.LSTMCell}


def label(case: golden.Case) -> str:
    hidden = ("input_size", "units", "unit_forget_bias")
    return "-".join([case.name, *(f"{k}={v}" for k, v in case.options.items() if k not in hidden)])


def laid_out(case: golden.Case, group: str, side: str) -> dict[str, np.ndarray]:
    """The arrays of "weight" or "grad", of one side ("", "forward", "backward"), in our layout."""
    return layouts.keras(case.name, case.named(f"{group}/{side}" if side else group))


def cell(library: Any, case: golden.Case, side: str) -> Any:
    o = case.options
    options: dict[str, Any] = {"bias": "single" if o["use_bias"] else False}
    if case.name == "SimpleRNN":
        options["nonlinearity"] = o["activation"]
    if case.name == "GRU":
        options["reset"] = "after" if o["reset_after"] else "before"
        options["bias"] = "double" if o["use_bias"] and o["reset_after"] else options["bias"]
    sizes = o["input_size"], o["units"]
    made = OURS[case.name](*sizes, dtype=np.float64, device=library.device, **options)
    made.load_state_dict(laid_out(case, "weight", side))
    return made


def run(case: golden.Case, cells: list, x: Any) -> dict[str, Any]:
    """output (B, T, …) and, of a single direction, the last state."""
    direction, mask = case.options["direction"], case.arrays.get("mask")
    time_mask = None if mask is None else mask.T
    if direction == "backwards":  # Keras leaves the outputs in the order they were made
        first = cells[0].start(x.shape[0], x)
        steps, last = nn.scan(cells[0], x.transpose(0, 1), first, time_mask, reverse=True)
        output = lib.stack(list(steps), 1).flip(1)
    else:
        merge = "concat" if direction == "forward" else direction
        masked = "repeat" if case.options.get("repeat") else "zero"
        layer = nn.Recurrent([cells], batch_first=True, merge=merge, masked_output=masked)
        output, last = layer(x, mask=mask)
        last = tuple(s[0] for s in last) if isinstance(last, tuple) else last[0]
    parts = last if isinstance(last, tuple) else (last,)
    return {"output": output} | dict(zip("hc", parts, strict=False))


@pytest.mark.parametrize("case", CASES, ids=label)
def test_values_and_gradients_are_keras(library, case):
    both = case.options["direction"] in ("concat", "sum", "mul", "ave")
    sides = ("forward", "backward") if both else ("",)
    cells = [cell(library, case, side) for side in sides]
    x = library.tensor(case.arrays["input/x"], requires_grad=True)
    outputs = run(case, cells, x)
    total: Any = 0.0
    for k, expected in case.named("output").items():
        assert_close(library.numpy(outputs[k]), expected, k)
        total = total + (outputs[k] * library.tensor(case.arrays[f"given/{k}"])).sum()
    total.backward()
    assert_close(library.numpy(x.grad), case.arrays["grad_input/x"], "x")
    for made, side in zip(cells, sides, strict=True):
        grads = laid_out(case, "grad", side)
        assert grads.keys() == {k for k, _ in made.named_parameters()}
        for k, parameter in made.named_parameters():
            assert_close(library.numpy(parameter.grad), grads[k], f"{side} {k}")


def assert_close(got: np.ndarray, expected: np.ndarray, name: str) -> None:
    np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-9, err_msg=name)


def test_both_resets_and_masks_are_there():
    assert {c.options.get("reset_after") for c in CASES} == {None, True, False}
    masked = [c for c in CASES if "mask" in c.arrays]
    assert len(masked) >= 20 and any((~c.arrays["mask"]).any() for c in masked)
