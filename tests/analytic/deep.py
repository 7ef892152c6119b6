"""Deep networks: layer l reads the outputs of layer l−1, a^[l]_t = F_l(a^[l]_{t−1}, a^[l−1]_t),
a^[0]_t = x_t.

For the vanilla cell that is a^[l]_t = g(W_a^[l] [a^[l]_{t−1}, a^[l−1]_t] + b_a^[l]). The loss sees
the top layer L only, ŷ_t = g2(W_ya a^[L]_t + b_y). a^[l]_t for l < L acts on the loss through its
own next step, which the recursion of layer l covers, and through layer l+1 at the same step, where
it is the input:

    ∂⁺L/∂a^[L]_t = W_yaᵀ ∂L/∂z_t           ∂⁺L/∂a^[l]_t = ∂L/∂x_t of layer l+1

so back-propagation runs through all of time for layer L, then through all of time for layer L−1,
and so on. Parameters are named by layer: "1.W_a", "2.W_a", …
"""

from __future__ import annotations

from . import unrolled
from .losses import output_layer
from .unrolled import Array, Cell, Params, State


def layer_params(p: Params, prefix: str) -> Params:
    """The parameters whose names begin with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in p.items() if k.startswith(prefix)}


def named(prefix: str, grads: Params) -> Params:
    return {prefix + k: v for k, v in grads.items()}


def forward_backward(
    cells: list[Cell], p: Params, x: Array, states: list[State], y: Array, *, loss="bce"
) -> tuple[float, Params]:
    """The loss and the gradients; parameters and initial states by layer ("1.W_a", "2.a0")."""
    a, kept = x, []
    for layer, (cell, state) in enumerate(zip(cells, states, strict=True), 1):
        a, _, keep = unrolled.run(cell, layer_params(p, f"{layer}."), a, state)
        kept.append(keep)
    value, da, grads = output_layer(p, a, y, loss)
    for layer in range(len(cells), 0, -1):
        cell = cells[layer - 1]
        da, dstate, dp = unrolled.bptt(cell, layer_params(p, f"{layer}."), kept[layer - 1], da)
        grads |= named(f"{layer}.", dp | dict(zip(cell.state, dstate, strict=True)))
    return value, grads | {"x": da}
