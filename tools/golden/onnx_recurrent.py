"""The ONNX operators RNN, GRU and LSTM: gate order i,o,f,c and z,r,h, peepholes, resets,
activations.

Two evaluators, named in each case's options: `onnx.reference` in float64, which knows directions,
diagonal peepholes and linear_before_reset, and `onnxruntime` in float32, which also knows other
activations and sequence_lens. Only values: neither has gradients.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from record import case

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
OUTPUTS = {"RNN": ("Y", "Y_h"), "GRU": ("Y", "Y_h"), "LSTM": ("Y", "Y_h", "Y_c")}
OTHER_ACTIVATIONS = {
    "RNN": [["Relu"], ["Softsign"]],
    "GRU": [["HardSigmoid", "Tanh"], ["Sigmoid", "Softsign"]],
    "LSTM": [["HardSigmoid", "Tanh", "Tanh"], ["Sigmoid", "Relu", "Softsign"]],
}


def inputs(kind: str, options: dict[str, Any], dtype: Any, rng: np.random.Generator) -> dict:
    """The operator's inputs by its own names, some left out as the options say."""
    T, B, I, H = (int(rng.integers(low, 5)) for low in (2, 1, 1, 2))
    D, G = 2 if options["direction"] == "bidirectional" else 1, GATES[kind]
    shapes: dict[str, tuple[int, ...]] = {"X": (T, B, I), "W": (D, G * H, I), "R": (D, G * H, H)}
    if options.get("bias"):
        shapes["B"] = (D, 2 * G * H)
    if options.get("given_state"):
        shapes |= dict.fromkeys(("initial_h", "initial_c")[: 1 + (kind == "LSTM")], (D, B, H))
    if options.get("peepholes"):
        shapes["P"] = (D, 3 * H)
    made = {k: rng.normal(0, 0.7, s).astype(dtype) for k, s in shapes.items()}
    if options.get("sequence_lens"):
        made["sequence_lens"] = rng.integers(1, T + 1, B).astype(np.int32)
    return made


def model(kind: str, attributes: dict[str, Any], given: dict[str, np.ndarray]) -> Any:
    from onnx import TensorProto, helper

    types = {
        "float64": TensorProto.DOUBLE,
        "float32": TensorProto.FLOAT,
        "int32": TensorProto.INT32,
    }
    names = [k if k in given else "" for k in INPUTS]
    while names[-1] == "":
        names.pop()
    node = helper.make_node(kind, names, list(OUTPUTS[kind]), **attributes)
    graph = helper.make_graph(
        [node],
        kind,
        [helper.make_tensor_value_info(k, types[a.dtype.name], a.shape) for k, a in given.items()],
        [
            helper.make_tensor_value_info(k, types[given["X"].dtype.name], None)
            for k in OUTPUTS[kind]
        ],
    )
    return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 14)])


def evaluate(kind: str, options: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    reference = options["evaluator"] == "onnx.reference"
    given = inputs(kind, options, np.float64 if reference else np.float32, rng)
    attributes = {"hidden_size": given["R"].shape[-1], "direction": options["direction"]}
    if kind == "GRU":
        attributes["linear_before_reset"] = options["linear_before_reset"]
    if "activations" in options:
        attributes["activations"] = options["activations"] * given["W"].shape[0]
    proto = model(kind, attributes, given)
    if reference:
        from onnx.reference import ReferenceEvaluator

        made = ReferenceEvaluator(proto).run(None, given)
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(
            proto.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        made = session.run(None, given)
    outputs = dict(zip(OUTPUTS[kind], made, strict=True))
    arrays = {f"input/{k}": a for k, a in given.items()}
    return case(kind, options, arrays | {f"output/{k}": a for k, a in outputs.items()})


def option_sets(kind: str) -> list[dict[str, Any]]:
    directions = ("forward", "reverse", "bidirectional")
    flags: dict[str, tuple[Any, ...]] = {"bias": (True, False), "given_state": (True, False)}
    if kind == "LSTM":
        flags["peepholes"] = (True, False)
    if kind == "GRU":
        flags["linear_before_reset"] = (0, 1)
    space = {"direction": directions} | flags
    exact = [dict(zip(space, v, strict=True)) for v in itertools.product(*space.values())]
    full: dict[str, Any] = {"bias": True, "given_state": True} | (
        {"peepholes": True} if kind == "LSTM" else {}
    )
    resets = (0, 1) if kind == "GRU" else (None,)
    fast = []
    for direction, reset in itertools.product(directions, resets):
        base = full | {"direction": direction}
        if reset is not None:
            base["linear_before_reset"] = reset
        fast += [base, base | {"sequence_lens": True}]
        fast += [base | {"activations": a} for a in OTHER_ACTIVATIONS[kind]]
    return [o | {"evaluator": "onnx.reference"} for o in exact] + [
        o | {"evaluator": "onnxruntime"} for o in fast
    ]


def record() -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    return [evaluate(kind, options, rng) for kind in GATES for options in option_sets(kind)]
