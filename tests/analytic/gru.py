"""The GRU in two dialects. The state is c_t, and a_t = c_t.

Notes (reset *before* the product, update gate *writes*), with v = [c_{t−1}, x_t]:

    Γ_u = σ(W_u v + b_u)     Γ_r = σ(W_r v + b_r)     c̃ = tanh(W_c [Γ_r ∘ c_{t−1}, x_t] + b_c)
    c_t = Γ_u ∘ c̃ + (1 − Γ_u) ∘ c_{t−1}

With δ = ∂L/∂c_t, and e_• the derivative by the argument of each non-linearity:

    e_c = δ ∘ Γ_u ∘ (1 − c̃²)                 e_u = δ ∘ (c̃ − c_{t−1}) ∘ Γ_u(1 − Γ_u)
    [m, dx_c] = W_cᵀ e_c                      m is the derivative by Γ_r ∘ c_{t−1}
    e_r = m ∘ c_{t−1} ∘ Γ_r(1 − Γ_r)
    ∂L/∂c_{t−1} = δ ∘ (1 − Γ_u) + m ∘ Γ_r + first part of W_uᵀ e_u + W_rᵀ e_r
    ∂L/∂x_t = dx_c + second part of the same
    ∂⁺L/∂W_u = e_u vᵀ,  ∂⁺L/∂W_r = e_r vᵀ,  ∂⁺L/∂W_c = e_c [Γ_r ∘ c_{t−1}, x_t]ᵀ,  ∂⁺L/∂b_• = e_•

Libraries (reset *after* the product, update gate *keeps*), with h' = h_{t−1}:

    r = σ(W_ir x + b_ir + W_hr h' + b_hr)     z = σ(W_iz x + b_iz + W_hz h' + b_hz)
    q = W_hn h' + b_hn                        n = tanh(W_in x + b_in + r ∘ q)
    h = (1 − z) ∘ n + z ∘ h'

    e_n = δ ∘ (1 − z) ∘ (1 − n²)     e_z = δ ∘ (h' − n) ∘ z(1 − z)
    e_r = e_n ∘ q ∘ r(1 − r)         e_q = e_n ∘ r
    ∂L/∂h' = δ ∘ z + W_hrᵀ e_r + W_hzᵀ e_z + W_hnᵀ e_q
    ∂L/∂x  = W_irᵀ e_r + W_izᵀ e_z + W_inᵀ e_n
"""

from __future__ import annotations

import numpy as np

from . import unrolled
from .losses import sigmoid
from .unrolled import Array, Cell, Params, State


def step_notes(p: Params, x: Array, state: State):
    (c_before,) = state
    v = np.concatenate([c_before, x], -1)
    update = sigmoid(v @ p["W_u"].T + p["b_u"])
    reset = sigmoid(v @ p["W_r"].T + p["b_r"])
    w = np.concatenate([reset * c_before, x], -1)
    candidate = np.tanh(w @ p["W_c"].T + p["b_c"])
    c = update * candidate + (1 - update) * c_before
    return (c,), (c_before, v, w, update, reset, candidate)


def back_notes(p: Params, kept: tuple, dstate: State):
    (c_before, v, w, update, reset, candidate), (delta,) = kept, dstate
    H = delta.shape[-1]
    e_c = delta * update * (1 - candidate**2)
    e_u = delta * (candidate - c_before) * update * (1 - update)
    dw = e_c @ p["W_c"]
    m, dx_c = dw[:, :H], dw[:, H:]
    e_r = m * c_before * reset * (1 - reset)
    dv = e_u @ p["W_u"] + e_r @ p["W_r"]
    dc_before = delta * (1 - update) + m * reset + dv[:, :H]
    dp = {"W_u": e_u.T @ v, "W_r": e_r.T @ v, "W_c": e_c.T @ w}
    dp |= {"b_u": e_u.sum(0), "b_r": e_r.sum(0), "b_c": e_c.sum(0)}
    return dx_c + dv[:, H:], (dc_before,), dp


def step_libraries(p: Params, x: Array, state: State):
    (h_before,) = state

    def from_x(k: str) -> Array:
        return x @ p["W_i" + k].T + p["b_i" + k]

    def from_h(k: str) -> Array:
        return h_before @ p["W_h" + k].T + p["b_h" + k]

    r, z = sigmoid(from_x("r") + from_h("r")), sigmoid(from_x("z") + from_h("z"))
    q = from_h("n")
    n = np.tanh(from_x("n") + r * q)
    return ((1 - z) * n + z * h_before,), (x, h_before, r, z, q, n)


def back_libraries(p: Params, kept: tuple, dstate: State):
    (x, h_before, r, z, q, n), (delta,) = kept, dstate
    e_n = delta * (1 - z) * (1 - n * n)
    e_z = delta * (h_before - n) * z * (1 - z)
    e_r = e_n * q * r * (1 - r)
    dx, dh_before, dp = np.zeros_like(x), delta * z, {}
    for k, e_x, e_h in (("r", e_r, e_r), ("z", e_z, e_z), ("n", e_n, e_n * r)):
        dx = dx + e_x @ p["W_i" + k]
        dh_before = dh_before + e_h @ p["W_h" + k]
        dp |= {"W_i" + k: e_x.T @ x, "b_i" + k: e_x.sum(0)}
        dp |= {"W_h" + k: e_h.T @ h_before, "b_h" + k: e_h.sum(0)}
    return dx, (dh_before,), dp


DIALECTS = {
    "notes": Cell(step_notes, back_notes, ("c0",)),
    "libraries": Cell(step_libraries, back_libraries, ("c0",)),
}


def forward_backward(
    p: Params, x: Array, c0: Array, y: Array, *, dialect="notes", loss="bce"
) -> tuple[float, Params]:
    """The loss and the gradients of all parameters, x and c0."""
    return unrolled.forward_backward(DIALECTS[dialect], p, x, (c0,), y, loss)
