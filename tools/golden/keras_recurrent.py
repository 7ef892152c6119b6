"""keras.layers SimpleRNN, GRU (reset_after both ways) and LSTM, masked, reversed and bidirectional.

Run with Keras on its torch backend in float64, so that gradients come from torch. Gate order is
z,r,h and i,f,c,o, kernels are (input, gates·H), and a masked step carries the state. Keras repeats
the last output on masked steps by default: cases with `repeat` do; in the others
`zero_output_for_mask` is switched on, which gives zeros.
"""

from __future__ import annotations

import itertools
import os
from typing import Any

import numpy as np
from record import case

os.environ.setdefault("KERAS_BACKEND", "torch")
KINDS: dict[str, list[dict[str, Any]]] = {
    "SimpleRNN": [{"activation": "tanh"}, {"activation": "relu"}],
    "GRU": [{"reset_after": True}, {"reset_after": False}],
    "LSTM": [{"unit_forget_bias": True}],
}


def option_sets() -> list[tuple[str, dict[str, Any]]]:
    sets = []
    for kind, own in KINDS.items():
        directions = ("forward", "backwards", "concat", "sum")
        for o, direction, masked in itertools.product(own, directions, (False, True)):
            sets.append((kind, o | {"use_bias": True, "direction": direction, "masked": masked}))
        for o in own:
            sets.append((kind, o | {"use_bias": False, "direction": "forward", "masked": False}))
    for kind, own in KINDS.items():  # further cases come last: those before keep their numbers
        ways = itertools.product(("forward", "concat", "mul", "ave"), (False, True))
        for direction, repeat in ways:
            if repeat or direction in ("mul", "ave"):
                more = {"use_bias": True, "direction": direction, "masked": True, "repeat": repeat}
                sets.append((kind, own[0] | more))
    return sets


def build(kind: str, options: dict[str, Any], H: int) -> Any:
    """The layer, returning every output and (unless bidirectional) its last state."""
    import keras

    own = {k: v for k, v in options.items() if k not in ("direction", "masked", "repeat")}
    direction = options["direction"]
    alone = direction in ("forward", "backwards")
    layer = getattr(keras.layers, kind)(
        H,
        return_sequences=True,
        return_state=alone,
        go_backwards=direction == "backwards",
        **own,
    )
    layer.zero_output_for_mask = not options.get("repeat", False)
    if alone:
        return layer
    layer = keras.layers.Bidirectional(layer, merge_mode=direction)
    for one in (layer.forward_layer, layer.backward_layer):
        one.zero_output_for_mask = not options.get("repeat", False)
    return layer


def short_name(path: str) -> str:
    """`kernel`, or `forward/kernel` and `backward/kernel` in a bidirectional layer."""
    parts = path.split("/")
    side = [s for s in ("forward", "backward") if any(p.startswith(s + "_") for p in parts)]
    return "/".join([*side, parts[-1]])


def evaluate(kind: str, options: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    import torch

    T, B, I, H = (int(rng.integers(low, 5)) for low in (3, 2, 1, 2))
    x = torch.tensor(rng.normal(size=(B, T, I)), requires_grad=True)
    layer = build(kind, options, H)
    layer.build(x.shape)
    for v in layer.weights:
        v.assign(rng.normal(0, 0.6, v.shape))
    mask = None
    if options["masked"]:
        lengths = rng.permutation([T, *rng.integers(0, T + 1, B - 1)])
        mask = np.arange(T) < lengths[:, None]
    made = layer(x, mask=None if mask is None else torch.tensor(mask))
    made = made if isinstance(made, (list, tuple)) else [made]
    outputs = dict(zip(("output", "h", "c"), made, strict=False))
    given = {k: torch.tensor(rng.normal(size=tuple(o.shape))) for k, o in outputs.items()}
    sum((outputs[k] * given[k]).sum() for k in outputs).backward()
    weights = {short_name(v.path): v.value for v in layer.weights}
    arrays = {"input/x": x.detach(), "grad_input/x": x.grad}
    if mask is not None:
        arrays["mask"] = mask
    for name, v in weights.items():
        arrays |= {f"weight/{name}": v.detach(), f"grad/{name}": v.grad}
    arrays |= {f"output/{k}": o.detach() for k, o in outputs.items()}
    arrays |= {f"given/{k}": g for k, g in given.items()}
    return case(kind, options | {"input_size": I, "units": H}, arrays)


def record() -> list[dict[str, Any]]:
    import keras
    from keras.src.backend.common import dtypes

    keras.config.set_floatx("float64")  # or what layers make by themselves is float32
    dtypes.BIT64_TO_BIT32_DTYPE.pop("float64")  # or products of float64 round to float32
    rng = np.random.default_rng(3)
    return [evaluate(kind, options, rng) for kind, options in option_sets()]
