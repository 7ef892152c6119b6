"""What is timed: recurrent cells, each written once against a vocabulary of four names.

A contestant brings the vocabulary (`sigmoid`, `tanh`, `chunk`, `stack`) and its own arrays, so
that every library loops over the very same programme. A cell's `step` gets `xw`, the products of
x_t with the input weights, so that a contestant may also take them out of the loop at once.
Weights are (in, gates·H): `x @ W + h @ U + b`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """A cell's equations and the shapes of what they need, in units of H (`I` for the input)."""

    step: Callable[[Any, Any, tuple, Parameters], tuple]  # (vocabulary, xw, state, p) -> state
    shapes: dict[str, str]
    states: int = 1


@dataclass(frozen=True)
class Problem:
    """One training step: T steps of `cell`, B rows, I inputs, H hidden units."""

    cell: str
    T: int
    B: int
    I: int
    H: int
    dtype: str = "float32"

    def __str__(self) -> str:
        return f"{self.cell} T{self.T} B{self.B} H{self.H}"

    def parameters(self) -> dict[str, np.ndarray]:
        """Returns seeded weights uniform in ±1/√H, as torch starts its own."""
        draw, bound = np.random.default_rng(0), self.H**-0.5
        shapes = {name: self.shape(text) for name, text in CELLS[self.cell].shapes.items()}
        return {n: draw.uniform(-bound, bound, s).astype(self.dtype) for n, s in shapes.items()}

    def shape(self, text: str) -> tuple[int, ...]:
        """Returns the lengths that e.g. "I 4H" means: (I, 4·H)."""
        sizes = {"I": self.I, "H": self.H}
        return tuple(int(part[:-1] or 1) * sizes[part[-1]] for part in text.split())

    def inputs(self) -> np.ndarray:
        """Returns the sequence x, (T, B, I)."""
        x = np.random.default_rng(1).standard_normal((self.T, self.B, self.I))
        return x.astype(self.dtype)

    def upstream(self) -> np.ndarray:
        """Returns ∂L/∂h, (T, B, H), of the loss Σ h∘upstream that the `compiled` suite uses."""
        g = np.random.default_rng(2).standard_normal((self.T, self.B, self.H))
        return g.astype(self.dtype)

    def states(self) -> list[np.ndarray]:
        """Returns the zero states to start from, each (B, H)."""
        return [np.zeros((self.B, self.H), self.dtype)] * CELLS[self.cell].states


def rnn(v: Any, xw: Any, state: tuple, p: Parameters) -> tuple:
    (h,) = state
    return (v.tanh(xw + h @ p["U"] + p["b"]),)


def lstm(v: Any, xw: Any, state: tuple, p: Parameters) -> tuple:
    h, c = state
    i, f, g, o = v.chunk(xw + h @ p["U"] + p["b"], 4)
    c = v.sigmoid(f) * c + v.sigmoid(i) * v.tanh(g)
    return v.sigmoid(o) * v.tanh(c), c


def lstm_without_output_tanh(v: Any, xw: Any, state: tuple, p: Parameters) -> tuple:
    h, c = state
    i, f, g, o = v.chunk(xw + h @ p["U"] + p["b"], 4)
    c = v.sigmoid(f) * c + v.sigmoid(i) * v.tanh(g)
    return v.sigmoid(o) * c, c


def peephole_lstm(v: Any, xw: Any, state: tuple, p: Parameters) -> tuple:
    """Gates i and f see c_{t-1} and gate o sees c_t, through full matrices."""
    h, c = state
    gates, g, o = v.split(xw + h @ p["U"] + p["b"], (2, 1, 1))
    i, f = v.chunk(gates + c @ p["P"], 2)
    c = v.sigmoid(f) * c + v.sigmoid(i) * v.tanh(g)
    return v.sigmoid(o + c @ p["Q"]) * v.tanh(c), c


def gru(v: Any, xw: Any, state: tuple, p: Parameters) -> tuple:
    """Reset after the product, update gate keeps: the common library dialect."""
    (h,) = state
    xr, xz, xn = v.chunk(xw + p["b"], 3)
    hr, hz, hn = v.chunk(h @ p["U"] + p["d"], 3)
    n = v.tanh(xn + v.sigmoid(xr + hr) * hn)
    return (n + v.sigmoid(xz + hz) * (h - n),)


def gru_of_the_notes(v: Any, xw: Any, state: tuple, p: Parameters) -> tuple:
    """Reset before the product, update gate writes."""
    (h,) = state
    gates, xn = v.split(xw + p["b"], (2, 1))
    r, u = v.chunk(gates + h @ p["U"], 2)
    n = v.tanh(xn + (v.sigmoid(r) * h) @ p["V"])
    return (h + v.sigmoid(u) * (n - h),)


def user_cell(v: Any, xw: Any, state: tuple, p: Parameters) -> tuple:
    """No library ships this one: coupled gates, and an output gate that peeps at c_t."""
    h, c = state
    g, k, o = v.chunk(xw + h @ p["U"] + p["b"], 3)
    k = v.sigmoid(k)
    c = k * c + (1 - k) * v.tanh(g)
    return v.sigmoid(o + p["q"] * c) * c, c


CELLS = {
    "lstm": Cell(lstm, {"W": "I 4H", "U": "H 4H", "b": "4H"}, 2),
    "gru": Cell(gru, {"W": "I 3H", "U": "H 3H", "b": "3H", "d": "3H"}),
    "rnn": Cell(rnn, {"W": "I H", "U": "H H", "b": "H"}),
    "lstm-b": Cell(lstm_without_output_tanh, {"W": "I 4H", "U": "H 4H", "b": "4H"}, 2),
    "peephole": Cell(
        peephole_lstm, {"W": "I 4H", "U": "H 4H", "P": "H 2H", "Q": "H H", "b": "4H"}, 2
    ),
    "gru-notes": Cell(gru_of_the_notes, {"W": "I 3H", "U": "H 2H", "V": "H H", "b": "3H"}),
    "user": Cell(user_cell, {"W": "I 3H", "U": "H 3H", "b": "3H", "q": "H"}, 2),
}


def unroll(v: Any, problem: Problem, x: Any, state: tuple, p: Parameters) -> tuple[list, tuple]:
    """Returns [h_1 … h_T] and the last state of the plain loop, one `x_t @ W` per step."""
    step, W, outputs = CELLS[problem.cell].step, p["W"], []
    for t in range(problem.T):
        state = step(v, x[t] @ W, state, p)
        outputs.append(state[0])
    return outputs, state


def torch_state(problem: Problem) -> dict[str, np.ndarray]:
    """Returns the parameters under PyTorch's names and in its layout, for any of our layers too."""
    p = problem.parameters()
    U = np.concatenate([p["U"], p["V"]], 1) if "V" in p else p["U"]
    state = {"weight_ih_l0": p["W"].T, "weight_hh_l0": U.T, "bias_ih_l0": p["b"]}
    state["bias_hh_l0"] = p.get("d", np.zeros_like(p["b"]))
    if "P" in p:
        i, f = np.split(p["P"].T, 2)
        state |= {"weight_ci_l0": i, "weight_cf_l0": f, "weight_co_l0": p["Q"].T}
    return {name: np.ascontiguousarray(a) for name, a in state.items()}
