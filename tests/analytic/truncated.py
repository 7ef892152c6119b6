"""Truncated BPTT(k1, k2): every k1 steps, back-propagate the last k1 losses through at most the
last k2 steps.

With all parameters fixed, let windows end at e = k1, 2·k1, … and at T. The window ending at e owns
the losses ε_t of the k1 steps t in (e − k1, e], and reaches back to step b + 1, b = max(e − k2,
0), k2 ≥ k1. The state s_b is taken as a constant, which cuts the double sum of the notes to

    ∂L/∂θ ≈ Σ_windows Σ_{t in (e−k1, e]} Σ_{b < k ≤ t} ∂ε_t/∂s_t · ∂s_t/∂s_k · ∂⁺s_k/∂θ

Steps b+1 … e−k1 carry gradient but have no loss of their own in this window: theirs was counted
before. So the window is the usual recursion with ∂⁺L/∂a_t = 0 there. No pair (t, k) with t − k ≥
k2 is counted, and none twice; k2 ≥ T gives the full gradient, and k1 = k2 cuts the sequence into
separate pieces. The gradient reaches s_0 only from the windows with b = 0.
"""

from __future__ import annotations

import numpy as np

from . import unrolled
from .losses import output_layer
from .unrolled import Array, Cell, Params, State


def windows(T: int, k1: int, k2: int) -> list[tuple[int, int, int]]:
    """(b, first, e): steps b … e−1 (counted from 0) carry gradient, first … e−1 have the loss."""
    ends = [*range(k1, T, k1), T]
    return [(max(e - k2, 0), start, e) for start, e in zip([0, *ends], ends, strict=False)]


def forward_backward(
    cell: Cell, p: Params, x: Array, state: State, y: Array, *, k1: int, k2: int, loss="bce"
) -> tuple[float, Params]:
    """The whole loss, and the gradient summed over all windows."""
    a, _, kept = unrolled.run(cell, p, x, state)
    value, da, grads = output_layer(p, a, y, loss)
    dx, d0 = np.zeros_like(x), tuple(np.zeros_like(s) for s in state)
    for begin, first, end in windows(len(x), k1, k2):
        d_out = da[begin:end].copy()
        d_out[: first - begin] = 0.0
        dx_part, dstate, dp = unrolled.bptt(cell, p, kept[begin:end], d_out)
        dx[begin:end] += dx_part
        if begin == 0:
            d0 = tuple(a + b for a, b in zip(d0, dstate, strict=True))
        unrolled.add_into(grads, dp)
    return value, grads | {"x": dx} | dict(zip(cell.state, d0, strict=True))
