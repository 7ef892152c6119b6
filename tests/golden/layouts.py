"""Weights of other libraries laid out as `tinygrad_rnn.nn` has them; written from their manuals.

Each function only cuts, permutes and transposes, so it serves for gradients too. Gate orders:
ONNX i,o,f,c and z,r,h with peepholes i,o,f; Keras i,f,c,o and z,r,h; ours i,f,g,o and r,z,n.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray
ORDER = {  # for each of our gates, its place in the other library
    ("onnx", "RNN"): (0,),
    ("onnx", "GRU"): (1, 0, 2),
    ("onnx", "LSTM"): (0, 2, 3, 1),
    ("keras", "SimpleRNN"): (0,),
    ("keras", "GRU"): (1, 0, 2),
    ("keras", "LSTM"): (0, 1, 2, 3),
}


def regate(library: str, kind: str, stacked: Array) -> Array:
    """Rows (G·H, …) in our order of gates."""
    order = ORDER[library, kind]
    return np.concatenate([np.split(stacked, len(order))[k] for k in order])


def onnx(kind: str, given: dict[str, Array], direction: int) -> dict[str, Array]:
    """W (D, G·H, I), R (D, G·H, H), B (D, 2·G·H), P (D, 3·H) of one direction."""
    made = {"weight_ih": given["W"][direction], "weight_hh": given["R"][direction]}
    if "B" in given:
        made["bias_ih"], made["bias_hh"] = np.split(given["B"][direction], 2)
    made = {k: regate("onnx", kind, a) for k, a in made.items()}
    if "P" in given:
        p_i, p_o, p_f = np.split(given["P"][direction], 3)
        made |= {"weight_ci": p_i, "weight_cf": p_f, "weight_co": p_o}
    return made


def keras(kind: str, given: dict[str, Array]) -> dict[str, Array]:
    """kernel (I, G·H), recurrent_kernel (H, G·H), bias (G·H,) or, reset after, (2, G·H)."""
    made = {"weight_ih": given["kernel"].T, "weight_hh": given["recurrent_kernel"].T}
    if "bias" in given:
        rows = np.atleast_2d(given["bias"])
        made |= dict(zip(("bias_ih", "bias_hh"), rows, strict=False))
    return {k: regate("keras", kind, a) for k, a in made.items()}
