"""The LSTM with peepholes: the gates see the cell state. State (h_t, C_t), u = [h_{t−1}, x_t].

    i = σ(ζ_i)   f = σ(ζ_f)   o = σ(ζ_o)   C̃ = tanh(W_c u + b_c)
    C_t = i ∘ C̃ + f ∘ C_{t−1}               h_t = o ∘ tanh(C_t)

    full      ζ_• = W_• [C_{t−1}, u] + b_•       for • = f, i      ζ_o = W_o [C_t, u] + b_o
    diagonal  ζ_• = W_• u + p_• ∘ C_{t−1} + b_•  for • = f, i      ζ_o = W_o u + p_o ∘ C_t + b_o

Split each full W_• into [P_• : V_•], P_• for the cell state; the diagonal form is P_• = diag(p_•).
So both read ζ_• = P_• C + V_• u + b_•, and one derivation serves. The output gate sees the *new*
C_t, so C_t acts on L in three ways: through C_{t+1} (γ), through h_t past the gate, and through
the gate itself:

    e_o = α ∘ tanh(C_t) ∘ o(1 − o)
    κ   = γ + α ∘ o ∘ (1 − tanh²C_t) + P_oᵀ e_o
    e_f = κ ∘ C_{t−1} ∘ f(1 − f)       e_i = κ ∘ C̃ ∘ i(1 − i)       e_c = κ ∘ i ∘ (1 − C̃²)
    ∂L/∂C_{t−1} = κ ∘ f + P_fᵀ e_f + P_iᵀ e_i
    ∂L/∂u = V_fᵀ e_f + V_iᵀ e_i + V_oᵀ e_o + W_cᵀ e_c
    ∂⁺L/∂V_• = e_• uᵀ     ∂⁺L/∂b_• = e_•     ∂⁺L/∂P_• = e_• Cᵀ     diagonal: ∂⁺L/∂p_• = e_• ∘ C

where C is C_t for the output gate, C_{t−1} for the other two.
"""

from __future__ import annotations

import numpy as np

from . import unrolled
from .losses import sigmoid
from .unrolled import Array, Cell, Params, State


def peep(kind: str, p: Params, k: str, C: Array) -> Array:
    """P_k C"""
    return C * p[f"p_{k}"] if kind == "diagonal" else C @ p[f"W_{k}"][:, : C.shape[-1]].T


def peep_back(kind: str, p: Params, k: str, e: Array) -> Array:
    """P_kᵀ e"""
    return e * p[f"p_{k}"] if kind == "diagonal" else e @ p[f"W_{k}"][:, : e.shape[-1]]


def weight_gradient(kind: str, k: str, e: Array, C: Array, u: Array) -> Params:
    """∂⁺L of gate k's parameters."""
    if kind == "diagonal":
        return {f"W_{k}": e.T @ u, f"p_{k}": (e * C).sum(0), f"b_{k}": e.sum(0)}
    return {f"W_{k}": np.concatenate([e.T @ C, e.T @ u], -1), f"b_{k}": e.sum(0)}


def cell(kind: str) -> Cell:
    def own(p: Params, k: str) -> Array:
        """V_k, the part of W_k that multiplies u (W_c has no part for the cell state)."""
        return p[f"W_{k}"][:, p["b_c"].size :] if kind == "full" else p[f"W_{k}"]

    def gate(p: Params, k: str, u: Array, C: Array) -> Array:
        return sigmoid(u @ own(p, k).T + peep(kind, p, k, C) + p[f"b_{k}"])

    def step(p: Params, x: Array, state: State):
        h_before, C_before = state
        u = np.concatenate([h_before, x], -1)
        i, f = gate(p, "i", u, C_before), gate(p, "f", u, C_before)
        candidate = np.tanh(u @ p["W_c"].T + p["b_c"])
        C = i * candidate + f * C_before
        o = gate(p, "o", u, C)
        return (o * np.tanh(C), C), (C_before, u, i, f, candidate, C, o)

    def back(p: Params, kept: tuple, dstate: State):
        (C_before, u, i, f, candidate, C, o), (alpha, gamma) = kept, dstate
        s, H = np.tanh(C), C.shape[-1]
        e_o = alpha * s * o * (1 - o)
        kappa = gamma + alpha * o * (1 - s * s) + peep_back(kind, p, "o", e_o)
        e_f = kappa * C_before * f * (1 - f)
        e_i = kappa * candidate * i * (1 - i)
        e_c = kappa * i * (1 - candidate**2)
        dC_before = kappa * f + peep_back(kind, p, "f", e_f) + peep_back(kind, p, "i", e_i)
        du, dp = e_c @ p["W_c"], {"W_c": e_c.T @ u, "b_c": e_c.sum(0)}
        for k, e, seen in (("f", e_f, C_before), ("i", e_i, C_before), ("o", e_o, C)):
            du = du + e @ own(p, k)
            dp |= weight_gradient(kind, k, e, seen, u)
        return du[:, H:], (du[:, :H], dC_before), dp

    return Cell(step, back, ("a0", "c0"))


def forward_backward(
    p: Params, x: Array, a0: Array, c0: Array, y: Array, *, kind="full", loss="bce"
) -> tuple[float, Params]:
    """The loss and the gradients of all parameters, x, a0 (h_0) and c0 (C_0)."""
    return unrolled.forward_backward(cell(kind), p, x, (a0, c0), y, loss)
