"""torch.nn.RNN, GRU, LSTM and their cells as recorded: a state_dict loads as it is, all agrees."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

import golden
from tinygrad_rnn import nn

CASES = golden.load("torch_recurrent")
LAYERS = [case for case in CASES if not case.name.endswith("Cell")]
SINGLE = [case for case in CASES if case.name.endswith("Cell")]


def label(case: golden.Case) -> str:
    changed = [
        f"{k}={v}" for k, v in case.options.items() if k not in ("hidden_size", "input_size")
    ]
    return "-".join([case.name, *changed])


def made(library: Any, case: golden.Case, dtype: Any) -> Any:
    options = {k: v for k, v in case.options.items() if k not in ("form", "given_state")}
    module = getattr(nn, case.name)(**options, dtype=dtype, device=library.device)
    module.load_state_dict(case.named("weight"))
    return module


def inputs(library: Any, case: golden.Case, dtype: Any) -> tuple[dict[str, Any], Any]:
    given = {
        k: library.tensor(a.astype(dtype), requires_grad=True)
        for k, a in case.named("input").items()
    }
    state = given.get("h0") if "c0" not in given else (given["h0"], given["c0"])
    return given, state


def check(library: Any, case: golden.Case, module: Any, given: dict, outputs: dict, tol: float):
    """Values, then every gradient of Σ output · (its recorded weights)."""
    total: Any = 0.0
    for k, expected in case.named("output").items():
        assert outputs[k].shape == expected.shape
        assert_close(library.numpy(outputs[k]), expected, tol, k)
        weights = library.tensor(case.arrays[f"given/{k}"].astype(outputs[k].dtype))
        total = total + (outputs[k] * weights).sum()
    total.backward()
    grads = {k: t.grad for k, t in module.named_parameters()}
    assert grads.keys() == case.named("grad").keys()
    for k, expected in case.named("grad").items():
        assert_close(library.numpy(grads[k]), expected, tol, k)
    for k, expected in case.named("grad_input").items():
        assert_close(library.numpy(given[k].grad), expected, tol, k)


def assert_close(got: np.ndarray, expected: np.ndarray, tol: float, name: str) -> None:
    scale = max(1.0, np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(got, expected, rtol=tol, atol=tol * scale, err_msg=name)


def layer_outputs(case: golden.Case, module: Any, given: dict, state: Any) -> dict[str, Any]:
    lengths = {"lengths": case.arrays["lengths"]} if "lengths" in case.arrays else {}
    output, last = module(given["x"], state, **lengths)
    parts = dict(zip(("h_n", "c_n"), last if isinstance(last, tuple) else (last,), strict=False))
    return {"output": output} | parts


@pytest.mark.parametrize("case", LAYERS, ids=label)
def test_layers(library, case):
    module = made(library, case, np.float64)
    given, state = inputs(library, case, np.float64)
    check(library, case, module, given, layer_outputs(case, module, given, state), 1e-9)


@pytest.mark.parametrize("library", [("numpy", "cpu")], indirect=True, ids=["numpy"])
@pytest.mark.parametrize("case", LAYERS, ids=label)
def test_layers_in_float32(library, case):
    module = made(library, case, np.float32)
    given, state = inputs(library, case, np.float32)
    outputs = layer_outputs(case, module, given, state)
    assert all(t.dtype == np.float32 for t in outputs.values())
    check(library, case, module, given, outputs, 5e-6)  # the recorded numbers are float64


@pytest.mark.parametrize("case", SINGLE, ids=label)
def test_cells(library, case):
    module = made(library, case, np.float64)
    given, state = inputs(library, case, np.float64)
    new = module(given["x"], state)
    outputs = {"h": new[0], "c": new[1]} if case.name == "LSTMCell" else {"h": new}
    check(library, case, module, given, outputs, 1e-9)


def test_every_value_of_every_option_is_there():
    seen: dict[tuple[str, str], set] = defaultdict(set)
    for case in LAYERS:
        for option, value in case.options.items():
            seen[case.name, option].add(value)
    for kind in ("RNN", "GRU", "LSTM"):
        assert seen[kind, "num_layers"] == {1, 2, 3}
        assert seen[kind, "form"] == {"batched", "unbatched", "lengths"}
        for flag in ("bidirectional", "bias", "batch_first", "given_state"):
            assert seen[kind, flag] == {True, False}
    assert seen["RNN", "nonlinearity"] == {"tanh", "relu"}
    assert len(seen["LSTM", "proj_size"]) == 2
