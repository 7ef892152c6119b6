"""Sequences of different lengths in one batch: past its end a sequence's state stands still.

With m_t = 1 while t ≤ length and 0 after, for each sequence of the batch:

    s_t = m_t F(s_{t−1}, x_t) + (1 − m_t) s_{t−1}          (all parts of the state: h *and* c)
    a_t = m_t · (first part of s_t)                        (the outputs on padding are 0)
    L   = Σ_t m_t ε_t

    ∂L/∂s_{t−1} = m_t (∂F/∂s)ᵀ δ_t + (1 − m_t) δ_t
    ∂L/∂x_t = m_t (∂F/∂x)ᵀ δ_t              ∂L/∂θ = Σ_t m_t (∂F/∂θ)ᵀ δ_t

m_t selects, it does not multiply: padding may hold NaN, and 0 · NaN is NaN. So x_t is replaced by
0 where m_t = 0, F is fed those zeros, and what comes out is dropped. A sequence of length 0 keeps
s_0.

Reading backwards, each sequence is reversed within its own length and its padding stays at the end.
"""

from __future__ import annotations

import numpy as np

from .losses import output_layer
from .unrolled import Array, Cell, Params, State, add_into


def mask_of(T: int, lengths: Array) -> Array:
    """m (T, B)"""
    return np.arange(T)[:, None] < lengths


def flip_within(x: Array, lengths: Array) -> Array:
    """Each sequence reversed within its length; a permutation which is its own inverse."""
    t = np.arange(len(x))[:, None]
    source = np.where(t < lengths, lengths - 1 - t, t)  # (T, B)
    return x[source, np.arange(len(lengths))]


def run(cell: Cell, p: Params, x: Array, state: State, m: Array) -> tuple[Array, State, list]:
    outputs, kept = [], []
    for x_t, m_t in zip(x, m[..., None], strict=True):
        new, keep = cell.step(p, np.where(m_t, x_t, 0.0), state)
        state = tuple(np.where(m_t, n, s) for n, s in zip(new, state, strict=True))
        outputs.append(np.where(m_t, new[0], 0.0))
        kept.append(keep)
    return np.stack(outputs), state, kept


def bptt(cell: Cell, p: Params, kept: list, d_outputs: Array, m: Array):
    dp: Params = {}
    dx = [np.empty(0)] * len(kept)
    dstate = tuple(np.zeros_like(d_outputs[0]) for _ in cell.state)
    for t in reversed(range(len(kept))):
        m_t = m[t][:, None]
        into_F = (dstate[0] + d_outputs[t], *dstate[1:])
        into_F = tuple(np.where(m_t, d, 0.0) for d in into_F)
        dx_t, before, dp_t = cell.back(p, kept[t], into_F)
        dx[t] = np.where(m_t, dx_t, 0.0)
        dstate = tuple(np.where(m_t, b, d) for b, d in zip(before, dstate, strict=True))
        add_into(dp, dp_t)
    return np.stack(dx), dstate, dp


def forward_backward(
    cell: Cell,
    p: Params,
    x: Array,
    state: State,
    y: Array,
    lengths: Array,
    *,
    loss="bce",
    reverse=False,
) -> tuple[float, Params]:
    """The loss over the steps that exist, and its gradients; exactly 0 for x on padding."""
    m = mask_of(len(x), lengths)
    a, _, kept = run(cell, p, flip_within(x, lengths) if reverse else x, state, m)
    a = flip_within(a, lengths) if reverse else a
    value, da, grads = output_layer(p, a, y, loss, counted=m)
    dx, dstate, dp = bptt(cell, p, kept, flip_within(da, lengths) if reverse else da, m)
    grads |= dp | {"x": flip_within(dx, lengths) if reverse else dx}
    return value, grads | dict(zip(cell.state, dstate, strict=True))
