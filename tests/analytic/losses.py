"""The three losses of the notes, each behind the output layer ŷ_t = g2(W_ya a_t + b_y).

Write z_t = W_ya a_t + b_y. Each loss is paired with the g2 for which ∂L/∂z_t is a plain difference:

    bce      g2 = sigmoid,  L = Σ_t −y log ŷ − (1−y) log(1−ŷ)
             ∂L/∂z = (−y/ŷ + (1−y)/(1−ŷ)) · ŷ(1−ŷ) = ŷ − y
    softmax  g2 = softmax,  L = −Σ_t log ŷ_t[k_t],  k_t the index of the right class
             ∂ŷ_j/∂z_i = ŷ_j(δ_ij − ŷ_i)   so   ∂L/∂z_i = −(δ_ik − ŷ_i) = ŷ_i − δ_ik
    mse      g2 = identity, J = 1/(2m) Σ (ŷ − y)²,  m the number of sequences
             ∂J/∂z = (ŷ − y)/m

The layer itself: ∂L/∂W_ya = Σ_t (∂L/∂z_t) a_tᵀ,  ∂L/∂b_y = Σ_t ∂L/∂z_t,  ∂L/∂a_t = W_yaᵀ ∂L/∂z_t.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray
LOSSES = ("bce", "softmax", "mse")


def sigmoid(z: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * z))


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def bce(z: Array, y: Array) -> tuple[Array, Array]:
    minus_log_p, minus_log_q = (
        np.logaddexp(0, -z),
        np.logaddexp(0, z),
    )  # q = 1 − p, p may round to 1
    return (y * minus_log_p + (1 - y) * minus_log_q).sum(-1), sigmoid(z) - y


def softmax_cross_entropy(z: Array, k: Array) -> tuple[Array, Array]:
    p, right = softmax(z), np.eye(z.shape[-1])[k]
    return -(right * np.log(p)).sum(-1), p - right


def half_mse(z: Array, y: Array) -> tuple[Array, Array]:
    m = z.shape[-2]
    return ((z - y) ** 2).sum(-1) / (2 * m), (z - y) / m


OUTPUT = {"bce": bce, "softmax": softmax_cross_entropy, "mse": half_mse}


def output_layer(
    p: dict[str, Array], a: Array, y: Array, loss: str, counted: Array | None = None
) -> tuple[float, Array, dict[str, Array]]:
    """The loss over all steps a (T, B, H), ∂L/∂a, and the gradients of W_ya and b_y.

    `counted` (T, B) is 1 where a step has a loss and 0 elsewhere; None counts all.
    """
    z = a @ p["W_ya"].T + p["b_y"]  # (T, B, O)
    each, dz = OUTPUT[loss](z, y)  # (T, B), (T, B, O)
    if counted is not None:
        each, dz = each * counted, dz * counted[..., None]
    grads = {"W_ya": np.einsum("tbo,tbh->oh", dz, a), "b_y": dz.sum((0, 1))}
    return float(each.sum()), dz @ p["W_ya"], grads
