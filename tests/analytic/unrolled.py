"""The sum over time that all cells share.

A cell is one step s_t = F(s_{t−1}, x_t; θ) of the state s. The unrolled network is F applied T
times with one θ. Let δ_t = ∂L/∂s_t be the total derivative. s_t acts on L in two ways: through the
loss of its own step, and through s_{t+1}. So

    δ_t = ∂⁺L/∂s_t + (∂s_{t+1}/∂s_t)ᵀ δ_{t+1},     δ_{T+1} = 0      (the recursion)
    ∂L/∂θ = Σ_t (∂⁺s_t/∂θ)ᵀ δ_t                                     (θ is used at every step)

where ∂⁺ is the immediate derivative, all else held. Unrolling the recursion gives back the notes'
formula ∂L/∂θ = Σ_t Σ_{k≤t} ∂ε_t/∂s_t · Π_{t≥i>k} ∂s_i/∂s_{i−1} · ∂⁺s_k/∂θ.

A cell is given as `step(p, x, state) -> (state, kept)` and `back(p, kept, dstate) -> (dx,
dstate_before, dp)`: the second is the transpose of the Jacobians of the first. The state is a
tuple whose first entry is what the layer above sees. Rows are the sequences of a batch, so W v of
the notes reads `v @ W.T`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from .losses import output_layer

Array = np.ndarray
State = tuple[Array, ...]
Params = dict[str, Array]


class Cell(NamedTuple):
    step: Callable
    back: Callable
    state: tuple[str, ...]  # the names of the initial state's parts, as in ("a0", "c0")


def add_into(total: Params, part: Params) -> None:
    for name, value in part.items():
        total[name] = total[name] + value if name in total else value


def run(cell: Cell, p: Params, x: Array, state: State) -> tuple[Array, State, list]:
    """The outputs (T, B, H), the last state, and what each step kept for its backward pass."""
    outputs, kept = [], []
    for x_t in x:
        state, keep = cell.step(p, x_t, state)
        outputs.append(state[0])
        kept.append(keep)
    return np.stack(outputs), state, kept


class Back(NamedTuple):
    """Step t of the recursion: δ_t = ∂L/∂a_t, and what it passes on."""

    t: int
    delta: Array
    dx: Array
    before: State  # ∂L/∂s_{t−1}
    dp: Params  # (∂⁺s_t/∂θ)ᵀ δ_t, this step's contribution to ∂L/∂θ


def steps_back(cell: Cell, p: Params, kept: list, d_outputs: Array) -> Iterator[Back]:
    """The recursion, from the last step to the first."""
    dstate = tuple(np.zeros_like(d_outputs[0]) for _ in cell.state)
    for t in reversed(range(len(kept))):
        delta = dstate[0] + d_outputs[t]
        dx, dstate, dp = cell.back(p, kept[t], (delta, *dstate[1:]))
        yield Back(t, delta, dx, dstate, dp)


def bptt(cell: Cell, p: Params, kept: list, d_outputs: Array) -> tuple[Array, State, Params]:
    """∂L/∂x (T, B, I), ∂L/∂s_0 and ∂L/∂θ, given each step's immediate ∂⁺L/∂a_t."""
    dp: Params = {}
    dx = [np.empty(0)] * len(kept)
    for back in steps_back(cell, p, kept, d_outputs):
        dx[back.t] = back.dx
        add_into(dp, back.dp)
    return np.stack(dx), back.before, dp


def forward_backward(
    cell: Cell, p: Params, x: Array, state: State, y: Array, loss: str
) -> tuple[float, Params]:
    """The loss of the sequence, and the gradient of every parameter, of x and of the state."""
    a, _, kept = run(cell, p, x, state)
    value, da, grads = output_layer(p, a, y, loss)
    dx, dstate, dp = bptt(cell, p, kept, da)
    return value, grads | dp | {"x": dx} | dict(zip(cell.state, dstate, strict=True))
