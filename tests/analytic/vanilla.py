"""The vanilla RNN: a_t = g1(z_t),  z_t = W_aa a_{t−1} + W_ax x_t + b_a,  g1 = tanh or ReLU.

One step. With δ = ∂L/∂a_t and e = δ ∘ g1'(z_t):

    ∂a_t/∂a_{t−1} = diag(g1'(z_t)) W_aa       so   ∂L/∂a_{t−1} = W_aaᵀ e,   ∂L/∂x_t = W_axᵀ e
    ∂⁺L/∂W_aa = e a_{t−1}ᵀ        ∂⁺L/∂W_ax = e x_tᵀ        ∂⁺L/∂b_a = e
    tanh'(z) = 1 − a_t²           ReLU'(z) = [z > 0] = [a_t > 0]

Stacked form: W_a = [W_aa : W_ax] and z_t = W_a [a_{t−1}, x_t] + b_a. Then ∂⁺L/∂W_a = e [a_{t−1},
x_t]ᵀ, whose columns are the two gradients above side by side.

The notes' formula, written out instead of folded into a recursion (`sum_over_pairs`):

    ∂ε_t/∂θ = Σ_{k≤t} ∂ε_t/∂a_t · ∂a_t/∂a_k · ∂⁺a_k/∂θ
    ∂a_t/∂a_k = Π_{t≥i>k} diag(g1'(z_i)) W_aa

and its bound: ‖∂a_t/∂a_k‖ ≤ c^{t−k} with c = max_i ‖diag(g1'(z_i))‖ · ‖W_aa‖ (spectral norms).
"""

from __future__ import annotations

import numpy as np

from . import unrolled
from .losses import output_layer
from .unrolled import Array, Cell, Params, State

G1 = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0.0)}
G1_PRIME = {
    "tanh": lambda a: 1 - a * a,
    "relu": lambda a: (a > 0) * 1.0,
}  # from the value a = g1(z)


def separate(g1: str) -> Cell:
    def step(p: Params, x: Array, state: State):
        (a_before,) = state
        a = G1[g1](a_before @ p["W_aa"].T + x @ p["W_ax"].T + p["b_a"])
        return (a,), (x, a_before, a)

    def back(p: Params, kept: tuple, dstate: State):
        (x, a_before, a), (delta,) = kept, dstate
        e = delta * G1_PRIME[g1](a)
        dp = {"W_aa": e.T @ a_before, "W_ax": e.T @ x, "b_a": e.sum(0)}
        return e @ p["W_ax"], (e @ p["W_aa"],), dp

    return Cell(step, back, ("a0",))


def stacked(g1: str) -> Cell:
    def step(p: Params, x: Array, state: State):
        ax = np.concatenate([state[0], x], -1)  # [a_{t−1}, x_t]
        a = G1[g1](ax @ p["W_a"].T + p["b_a"])
        return (a,), (ax, a)

    def back(p: Params, kept: tuple, dstate: State):
        (ax, a), (delta,) = kept, dstate
        e = delta * G1_PRIME[g1](a)
        d_ax, H = e @ p["W_a"], e.shape[-1]
        return d_ax[:, H:], (d_ax[:, :H],), {"W_a": e.T @ ax, "b_a": e.sum(0)}

    return Cell(step, back, ("a0",))


FORMS = {"separate": separate, "stacked": stacked}


def forward_backward(
    p: Params, x: Array, a0: Array, y: Array, *, form="separate", g1="tanh", loss="bce"
) -> tuple[float, Params]:
    """The loss and the gradients of all parameters, x and a0."""
    return unrolled.forward_backward(FORMS[form](g1), p, x, (a0,), y, loss)


def jacobian(p: Params, a: Array, g1: str, t: int, k: int) -> Array:
    """∂a_t/∂a_k (B, H, H), the product of the Jacobians; a[i] (B, H) is the state after step i."""
    B, H = a[0].shape
    product = np.broadcast_to(np.eye(H), (B, H, H))
    for i in range(t, k, -1):
        product = product @ (G1_PRIME[g1](a[i])[:, :, None] * p["W_aa"])
    return product


def bound(p: Params, a: Array, g1: str) -> float:
    """c such that ‖∂a_t/∂a_k‖ ≤ c^{t−k}."""
    return float(np.abs(G1_PRIME[g1](a)).max() * np.linalg.norm(p["W_aa"], 2))


def sum_over_pairs(
    p: Params, x: Array, a0: Array, y: Array, *, g1="tanh", loss="bce"
) -> tuple[float, Params]:
    """As `forward_backward` for W_aa, W_ax and b_a, by the double sum over t and k ≤ t."""
    outputs, _, _ = unrolled.run(separate(g1), p, x, (a0,))
    a = np.concatenate([a0[None], outputs])  # a[t], t = 0 … T
    value, da, grads = output_layer(p, outputs, y, loss)
    for name in ("W_aa", "W_ax", "b_a"):
        grads[name] = np.zeros_like(p[name])
    for t in range(1, len(a)):
        for k in range(1, t + 1):
            row = np.einsum("bi,bij->bj", da[t - 1], jacobian(p, a, g1, t, k))  # ∂ε_t/∂a_k
            e = row * G1_PRIME[g1](a[k])
            grads["W_aa"] += e.T @ a[k - 1]
            grads["W_ax"] += e.T @ x[k - 1]
            grads["b_a"] += e.sum(0)
    return value, grads
