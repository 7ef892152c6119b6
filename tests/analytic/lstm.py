"""The LSTM of the notes in its three variants. The state is (a_t, c_t); v = [a_{t−1}, x_t].

    Γ_u, Γ_f, Γ_o = σ(W_• v + b_•)            c̃ = tanh(W_c v + b_c)
    c_t = Γ_u ∘ c̃ + Γ_f ∘ c_{t−1}
    A:  a_t = Γ_o ∘ tanh(c_t)        B:  a_t = Γ_o ∘ c_t     (Γ_o ∘ s(c_t), s tanh or identity)
    C:  as B, and c̃ = tanh(W_c [Γ_r ∘ a_{t−1}, x_t] + b_c),  Γ_r = σ(W_r v + b_r)

With α = ∂L/∂a_t (from the loss and from step t+1) and γ = ∂L/∂c_t coming from step t+1:

    κ   = γ + α ∘ Γ_o ∘ s'(c_t)               the whole ∂L/∂c_t: c_t acts through a_t too
    e_o = α ∘ s(c_t) ∘ Γ_o(1 − Γ_o)           e_f = κ ∘ c_{t−1} ∘ Γ_f(1 − Γ_f)
    e_u = κ ∘ c̃ ∘ Γ_u(1 − Γ_u)                e_c = κ ∘ Γ_u ∘ (1 − c̃²)
    ∂L/∂c_{t−1} = κ ∘ Γ_f                     the carousel: no matrix and no squashing in between
    ∂L/∂v = Σ_• W_•ᵀ e_•                      split into ∂L/∂a_{t−1} and ∂L/∂x_t
    ∂⁺L/∂W_• = e_• vᵀ,   ∂⁺L/∂b_• = e_•

In C the candidate sees w = [Γ_r ∘ a_{t−1}, x_t] instead of v. With [m, dx_c] = W_cᵀ e_c:

    e_r = m ∘ a_{t−1} ∘ Γ_r(1 − Γ_r)          and ∂L/∂a_{t−1} gains m ∘ Γ_r
"""

from __future__ import annotations

import numpy as np

from . import unrolled
from .losses import sigmoid
from .unrolled import Array, Cell, Params, State

SQUASH = {"A": np.tanh, "B": lambda c: c, "C": lambda c: c}
SQUASH_PRIME = {"A": lambda s: 1 - s * s, "B": np.ones_like, "C": np.ones_like}  # from s = s(c)


def cell(variant: str) -> Cell:
    relevance = variant == "C"

    def step(p: Params, x: Array, state: State):
        a_before, c_before = state
        v = np.concatenate([a_before, x], -1)
        gate = {
            k: sigmoid(v @ p[f"W_{k}"].T + p[f"b_{k}"]) for k in ("ufor" if relevance else "ufo")
        }
        w = np.concatenate([gate["r"] * a_before, x], -1) if relevance else v
        candidate = np.tanh(w @ p["W_c"].T + p["b_c"])
        c = gate["u"] * candidate + gate["f"] * c_before
        s = SQUASH[variant](c)
        return (gate["o"] * s, c), (a_before, c_before, v, w, gate, candidate, s)

    def back(p: Params, kept: tuple, dstate: State):
        (a_before, c_before, v, w, gate, candidate, s), (alpha, gamma) = kept, dstate
        kappa = gamma + alpha * gate["o"] * SQUASH_PRIME[variant](s)
        by_gate = {"o": alpha * s, "f": kappa * c_before, "u": kappa * candidate}
        e_c = kappa * gate["u"] * (1 - candidate**2)
        dw, H = e_c @ p["W_c"], alpha.shape[-1]
        direct = dw  # what reaches [a_{t−1}, x_t] past the gates
        if relevance:
            m = dw[:, :H]
            by_gate["r"] = m * a_before
            direct = np.concatenate([m * gate["r"], dw[:, H:]], -1)
        e = {k: d * gate[k] * (1 - gate[k]) for k, d in by_gate.items()}
        dv = direct + sum(e[k] @ p[f"W_{k}"] for k in e)
        dp = {f"W_{k}": e[k].T @ v for k in e} | {f"b_{k}": e[k].sum(0) for k in e}
        dp |= {"W_c": e_c.T @ w, "b_c": e_c.sum(0)}
        return dv[:, H:], (dv[:, :H], kappa * gate["f"]), dp

    return Cell(step, back, ("a0", "c0"))


def forward_backward(
    p: Params, x: Array, a0: Array, c0: Array, y: Array, *, variant="A", loss="bce"
) -> tuple[float, Params]:
    """The loss and the gradients of all parameters, x, a0 and c0."""
    return unrolled.forward_backward(cell(variant), p, x, (a0, c0), y, loss)
