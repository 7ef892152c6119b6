"""The notes' cells as `tinygrad_rnn.nn` cells: which class, which options, where each matrix goes.

`arrays(name, p, form)` lays the notes' parameters out as the cell's. It only cuts and stacks, so it
serves for gradients too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_rnn import nn

Array = np.ndarray
# family -> class, options, and the notes' gate for each of the cell's gates in its own order
CELLS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "vanilla-separate-tanh": (nn.RNNCell, {"nonlinearity": "tanh"}, "a"),
    "vanilla-separate-relu": (nn.RNNCell, {"nonlinearity": "relu"}, "a"),
    "vanilla-stacked-tanh": (nn.RNNCell, {"nonlinearity": "tanh"}, "a"),
    "vanilla-stacked-relu": (nn.RNNCell, {"nonlinearity": "relu"}, "a"),
    "gru-notes": (nn.GRUCell, {"reset": "before", "update": "writes"}, "ruc"),
    "gru-libraries": (nn.GRUCell, {}, "rzn"),
    "lstm-A": (nn.LSTMCell, {}, "ufco"),
    "lstm-B": (nn.LSTMCell, {"output_activation": None}, "ufco"),
    "lstm-C": (nn.LSTMCell, {"output_activation": None, "relevance": True}, "uforc"),
    "peephole-full": (nn.LSTMCell, {"peephole": "full"}, "ifco"),
    "peephole-diagonal": (nn.LSTMCell, {"peephole": "diagonal"}, "ifco"),
}


def arrays(name: str, p: dict[str, Array], form: str) -> dict[str, Array]:
    """The cell's parameters by its own names."""
    gates = CELLS[name][2]
    if name == "gru-libraries":
        return {
            f"{ours}_{s}h": np.concatenate([p[f"{notes}_{s}{k}"] for k in gates])
            for ours, notes in (("weight", "W"), ("bias", "b"))
            for s in "ih"
        }
    if name.startswith("vanilla-separate"):
        whole, bias = np.concatenate([p["W_aa"], p["W_ax"]], 1), p["b_a"]
    else:
        bias, H = np.concatenate([p[f"b_{k}"] for k in gates]), len(p["b_" + gates[0]])
        seen = {k: H if name == "peephole-full" and k != "c" else 0 for k in gates}
        whole = np.concatenate([p[f"W_{k}"][:, seen[k] :] for k in gates])
    H = len(bias) // len(gates)
    made = {"weight": whole, "bias": bias}
    if form == "separate":
        made = {"weight_hh": whole[:, :H], "weight_ih": whole[:, H:], "bias_ih": bias}
    if name == "peephole-full":
        made |= {f"weight_c{k}": p[f"W_{k}"][:, :H] for k in "ifo"}
    if name == "peephole-diagonal":
        made |= {f"weight_c{k}": p[f"p_{k}"] for k in "ifo"}
    return made


def cell(name: str, p: dict[str, Array], form: str, device: str) -> nn.Cell:
    """The cell with those parameters."""
    kind, options, gates = CELLS[name]
    laid = arrays(name, p, form)
    if name == "gru-libraries":
        H, I = laid["weight_ih"].shape[0] // 3, laid["weight_ih"].shape[1]
    else:
        H = len(laid["bias" if form == "stacked" else "bias_ih"]) // len(gates)
        I = laid["weight"].shape[1] - H if form == "stacked" else laid["weight_ih"].shape[1]
        options = options | {"bias": "single", "form": form}
    made = kind(I, H, dtype=np.float64, device=device, **options)
    made.load_state_dict(laid)
    return made
