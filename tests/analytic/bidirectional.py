"""Bidirectional networks: one layer reads x_1 … x_T, another x_T … x_1, and ŷ_t = g2(W_ya [a→_t,
a←_t] + b_y).

The reverse layer is an ordinary layer on the reversed sequence, whose outputs are reversed again
so that a←_t stands beside a→_t. Reversal R is a permutation, its own inverse and its own
transpose. With [d→_t, d←_t] = W_yaᵀ ∂L/∂z_t, split as the concatenation was:

    forward layer:  the recursion with ∂⁺L/∂a→_t = d→_t, from t = T down to 1
    reverse layer:  the recursion with R d←, that is from t = 1 up to T
    ∂L/∂x = (∂L/∂x of the forward layer) + R (∂L/∂Rx of the reverse layer)

Its initial state a←_0 stands before x_T. Parameters are named "fwd.W_a", "rev.W_a".
"""

from __future__ import annotations

import numpy as np

from . import unrolled
from .deep import layer_params, named
from .losses import output_layer
from .unrolled import Array, Cell, Params, State

DIRECTIONS = ("fwd", "rev")


def forward_backward(
    cells: list[Cell], p: Params, x: Array, states: list[State], y: Array, *, loss="bce"
) -> tuple[float, Params]:
    """The loss and the gradients, for cells and states in the order forward, reverse."""
    read, kept = {"fwd": x, "rev": x[::-1]}, {}
    out = {}
    for name, cell, state in zip(DIRECTIONS, cells, states, strict=True):
        out[name], _, kept[name] = unrolled.run(
            cell, layer_params(p, name + "."), read[name], state
        )
    a = np.concatenate([out["fwd"], out["rev"][::-1]], -1)
    value, da, grads = output_layer(p, a, y, loss)
    H = out["fwd"].shape[-1]
    d_out = {"fwd": da[..., :H], "rev": da[::-1, :, H:]}
    dx = {}
    for name, cell in zip(DIRECTIONS, cells, strict=True):
        own = layer_params(p, name + ".")
        dx[name], dstate, dp = unrolled.bptt(cell, own, kept[name], d_out[name])
        grads |= named(name + ".", dp | dict(zip(cell.state, dstate, strict=True)))
    return value, grads | {"x": dx["fwd"] + dx["rev"][::-1]}
