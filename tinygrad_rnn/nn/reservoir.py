"""Fit only the read-out of fixed random recurrent weights (echo state), for programs.

    a_t = (1 − α) a_{t−1} + α tanh(W_in [1, u_t] + W a_{t−1}),   y_t = W_out [1, u_t, a_t]
    W_out = Y Aᵀ (A Aᵀ + λ I)⁻¹

Nothing is propagated back through time, so nothing vanishes. The reservoir is an ordinary RNNCell:
`unfreeze()` sets it free, and BPTT goes on from the fitted read-out. The echo-state test and the
memory capacity take any cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.arrays import move
from ..engine.context import no_grad
from ..engine.options import flag, real, whole
from ..engine.tensor import Tensor, assign, tensor
from ..functions.random import Generator
from ..functions.shapes import cat, stack
from ..init import generator_from, normal, uniform
from .cell import Cell, State, map_state, parts_of
from .cell_trace import CellTrace
from .cells import RNNCell
from .layers import Linear, placed
from .module import Module
from .recurrent import Recurrent
from .scan import scan
from .summary import spectral_radius as radius_of


def reservoir(
    size: int,
    spectral_radius: float = 0.9,
    sparsity: float = 0.9,
    seed: int | Generator | None = None,
) -> np.ndarray:
    """Return a random matrix with that share of zeros, scaled to that largest |eigenvalue|."""
    if not 0 <= sparsity < 1 or not spectral_radius >= 0:
        told = f"spectral_radius={spectral_radius}, sparsity={sparsity}"
        raise ValueError(f"need spectral_radius >= 0 and 0 <= sparsity < 1, got {told}")
    draw = generator_from(seed)
    dense = normal((size, size), generator=draw, dtype=np.float64)
    kept = uniform((size, size), generator=draw, dtype=np.float64) >= sparsity
    matrix = dense * kept
    radius = radius_of(matrix)
    if radius < 1e-12 and spectral_radius:
        raise ValueError(f"a {size}×{size} reservoir of sparsity {sparsity} came out nilpotent")
    return matrix * (spectral_radius / radius) if spectral_radius else matrix * 0


def ridge(features: np.ndarray, targets: np.ndarray, penalty: float) -> np.ndarray:
    """Return W (outputs, features) that minimises ‖A Wᵀ − Y‖² + λ‖W‖², rows being samples."""
    if not penalty >= 0:
        raise ValueError(f"the ridge penalty must not be negative, got {penalty}")
    gram = features.T @ features + penalty * np.eye(features.shape[1])
    return np.linalg.solve(gram, features.T @ targets).T


class EchoState(Module):
    """An echo state network (T, B, I) → (T, B, O): `fit`, then call it, then perhaps `unfreeze`."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        *,
        spectral_radius: float = 0.9,
        leak: float = 1.0,
        sparsity: float = 0.9,
        input_scale: float = 0.5,
        batch_first: bool = False,
        device: str | None = None,
        dtype: Any = None,
        seed: int | Generator | None = None,
    ):
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            whole(self, name, size)
        whole(self, "output_size", output_size)
        real(self, "leak", leak, above=0, most=1)
        flag(self, "batch_first", batch_first)
        real(self, "input_scale", input_scale, 0)
        real(self, "spectral_radius", spectral_radius, 0)
        real(self, "sparsity", sparsity, 0, below=1)
        device, dtype, draw = placed(self, device, dtype, seed)
        options: dict[str, Any] = {"device": device, "dtype": dtype, "seed": draw}
        cell = RNNCell(input_size, hidden_size, "single", leak=leak, **options)
        gate = cell.gate("h")
        gate.weight_hh = reservoir(hidden_size, spectral_radius, sparsity, draw)
        gate.fill("ih", ("uniform", {"low": -input_scale, "high": input_scale}), draw)
        gate.fill("bias", ("uniform", {"low": -input_scale, "high": input_scale}), draw)
        self.layer = Recurrent(cell, batch_first=batch_first, seed=draw)
        self.layer.requires_grad_(False)
        self.readout = Linear(input_size + hidden_size, output_size, **options)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        features, state = self.features(x, state)
        return self.readout(features), state

    def features(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return ([u_t, a_t] for every t, last state)."""
        a, state = self.layer(x, state)
        return cat((x, a), -1), state

    def fit(self, x: Tensor, y: Tensor, *, washout: int = 0, penalty: float = 1e-6) -> EchoState:
        """Set the read-out by ridge regression on all steps but each sequence's first `washout`."""
        with no_grad():
            features, _ = self.features(x)
        keep = (slice(None),) * (self.layer.batch_first and x.ndim == 3) + (slice(washout, None),)
        A, Y = (_rows(v, keep) for v in (features, y))
        if not len(A) or len(A) != len(Y):
            raise ValueError(
                f"{len(A)} steps to fit after a washout of {washout}, {len(Y)} targets"
            )
        W = ridge(np.hstack([np.ones((len(A), 1)), A]), Y, penalty)
        weight, bias = self.readout.weight, self.readout.bias
        assign(weight, W[:, 1:])
        if bias is not None:
            assign(bias, W[:, 0])
        return self

    def generate(self, x: Tensor, steps: int, state: State | None = None) -> Tensor:
        """Return `steps` outputs, each fed back as the next input, beginning with x (1, B, I)."""
        made = []
        with no_grad():
            for _ in range(steps):
                x, state = self(x, state)
                made.append(x)
        return cat(made, 0)

    def unfreeze(self) -> EchoState:
        """Let the reservoir learn by BPTT from here on; return this network."""
        self.layer.requires_grad_()
        return self


def echo_state_test(
    cell: Cell, x: Tensor, *, scale: float = 1.0, seed: int | Generator | None = 0
) -> np.ndarray:
    """Return the distances (T + 1,) between two runs over x (T, B, I) from random states.

    A cell has the echo state property on this input when they fall to 0: it forgets its start.
    """
    draw, blank = generator_from(seed), cell.start(x.shape[1], cell.like(x))
    random = lambda s: draw.normal(s.shape, scale, dtype=s.dtype, device=s.device)
    first, second = (_path(cell, x, map_state(random, blank)) for _ in range(2))
    return np.sqrt(((first - second) ** 2).sum((1, 2)))


def _path(cell: Cell, x: Tensor, state: State) -> np.ndarray:
    """Return every state (T + 1, B, S) of a run, its parts side by side."""
    run = CellTrace("echo", 0, 0, cell)
    with no_grad():
        scan(cell, x, state, run=run)
        later = run.close().states.values() if x.shape[0] else ()
    whole = np.concatenate([_host(p)[None] for p in parts_of(state)], -1)
    return np.concatenate(
        [whole, *([np.concatenate([_host(s) for s in later], -1)] if later else [])]
    )


def memory_capacity(
    cell: Cell,
    longest: int,
    *,
    steps: int = 2000,
    washout: int = 100,
    penalty: float = 1e-8,
    seed: int | Generator | None = 0,
) -> np.ndarray:
    """Return for each delay 1…longest the squared correlation of u_{t−delay} and its best linear
    read-out.

    u is white noise in [−0.5, 0.5]; the sum is the memory capacity, at most the number of units
    (Jaeger 2001). The second half of the steps measures what the first half was fitted on.
    """
    if cell.input_size != 1:
        raise ValueError(f"memory is measured with one input, the cell has {cell.input_size}")
    draw, like = generator_from(seed), next(t for _, t in cell.named_tensors())
    u = uniform((washout + steps, 1, 1), -0.5, 0.5, generator=draw, dtype=like.dtype)
    with no_grad():
        xs = tensor(u, device=like.device)
        outputs, _ = scan(cell, xs, cell.start(1, xs))
    A = _host(stack(list(outputs), 0))[:, 0]
    A = np.hstack([np.ones((len(A), 1)), A])[max(washout, longest) :]
    Y = np.stack(
        [u[max(washout, longest) - d : len(u) - d, 0, 0] for d in range(1, longest + 1)], 1
    )
    half = len(A) // 2
    guess = A[half:] @ ridge(A[:half], Y[:half], penalty).T
    return np.array([_correlation(g, y) ** 2 for g, y in zip(guess.T, Y[half:].T)])


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / size) if size > 0 else 0.0


def _rows(x: Tensor, keep: tuple) -> np.ndarray:
    whole = _host(x)[keep]
    return whole.reshape(-1, whole.shape[-1])


def _host(x: Tensor) -> np.ndarray:
    return move(x._array, "cpu").astype(np.float64)
