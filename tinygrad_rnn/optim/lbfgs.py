"""Step along −H g, with H known from the last few steps (L-BFGS); programs call it.

Nocedal & Wright, Numerical Optimization: algorithms 7.4 (the two loops), 3.5 and 3.6 (the strong
Wolfe line search). All parameters are one long vector here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..engine.context import enable_grad
from ..engine.options import kind, real, whole
from ..engine.shared_memory import rebind
from ..engine.tensor import wrap
from .base import Array, Optimizer, counted

KEPT = {"step", "d", "length", "g", "s", "y", "scale"}
TORCHS = {"n_iter": "step", "t": "length", "prev_flat_grad": "g", "old_stps": "s",
          "old_dirs": "y", "H_diag": "scale"}  # fmt: skip
TORCH_ONLY = ("func_evals", "prev_loss", "ro", "al")
DECREASE, CURVATURE = 1e-4, 0.9  # the two conditions of Wolfe


class LBFGS(Optimizer):
    """Step as PyTorch's LBFGS: `step(closure)` makes up to `max_iter` iterations; the closure sets
    gradients to zero, computes the loss, calls backward and returns the loss.

    `line_search_fn="strong_wolfe"` finds a step length in each; None takes `lr`.
    """

    keeps = None

    def __init__(self, params: Iterable[Any], lr: float = 1.0, max_iter: int = 20,
                 max_eval: int | None = None, tolerance_grad: float = 1e-7,
                 tolerance_change: float = 1e-9, history_size: int = 100,
                 line_search_fn: str | None = None):  # fmt: skip
        iterations = whole(self, "max_iter", max_iter)
        options: dict[str, Any] = {
            "lr": lr, "max_iter": max_iter,
            "max_eval": iterations * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
            "history_size": history_size, "line_search_fn": line_search_fn}  # fmt: skip
        super().__init__(params, options)
        if len(self.param_groups) > 1:
            raise ValueError("LBFGS: all parameters are one vector: it has no groups of parameters")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Iterate; return the loss before the first iteration."""
        if closure is None:
            raise TypeError("LBFGS: step() needs a closure that gives the loss and its gradients")
        options, state = self.param_groups[0], self.state.setdefault((0, 0), {})
        evaluate = lambda: self._evaluated(closure)
        first = evaluate()
        loss, g = float(first.item()), self._gradient()
        evaluations = 1
        for k in range(options["max_iter"]):
            if np.abs(g).max() <= options["tolerance_grad"]:
                break
            d, length = self._direction(g, state, options)
            slope = float(g @ d)
            if slope > -options["tolerance_change"]:
                break
            x, old = self._vector(), loss
            if options["line_search_fn"] is None:
                self._move(x + length * d)
                if k + 1 == options["max_iter"]:  # the next step() begins with an evaluation here
                    state.update(d=d, length=length, g=g, step=state["step"] + 1)
                    break
                loss, new, used = float(evaluate().item()), self._gradient(), 1
            else:
                probe = Probe(self, evaluate, x, d)
                length = strong_wolfe(probe, length, loss, slope)
                loss, new, used = *probe.seen[length], len(probe.seen)
                self._move(x + length * d)
            evaluations += used
            state.update(d=d, length=length, g=g, step=state["step"] + 1)
            moved, change = np.abs(length * d).max(), abs(loss - old)
            g = new
            if evaluations >= options["max_eval"] or np.abs(g).max() <= options["tolerance_grad"]:
                break
            if min(moved, change) <= options["tolerance_change"]:
                break
        return first

    def _direction(self, g: Array, state: dict[str, Any], options: dict) -> tuple[Array, float]:
        """Return −H g by two loops over the pairs (s, y) of past steps and gradients' changes."""
        if "g" not in state:
            state.update(step=0, s=[], y=[], scale=1.0)
            return -g, min(1.0, 1 / np.abs(g).sum()) * options["lr"]
        y, s = g - state["g"], state["d"] * state["length"]
        if (fits := float(y @ s)) > 1e-10:  # else the curvature is not positive
            state["y"] = [*state["y"], y][-options["history_size"] :]
            state["s"] = [*state["s"], s][-options["history_size"] :]
            state["scale"] = fits / float(y @ y)
        q, pairs, alphas = -g, list(zip(state["s"], state["y"])), []
        for s, y in reversed(pairs):
            alphas.append(float(s @ q) / float(y @ s))
            q = q - alphas[-1] * y
        d = q * state["scale"]
        for (s, y), alpha in zip(pairs, reversed(alphas)):
            d = d + s * (alpha - float(y @ d) / float(y @ s))
        return d, options["lr"]

    # All parameters as one vector
    def _vector(self) -> Array:
        return np.concatenate([p._array.reshape(-1) for p in self.parameters()])

    def _gradient(self) -> Array:
        blank = lambda p: p.xp.zeros(p._array.size, p.dtype)
        flat = [blank(p) if p.grad is None else p.grad._array.reshape(-1)
                for p in self.parameters()]  # fmt: skip
        return np.concatenate(flat)

    def _move(self, x: Array) -> None:
        at = 0
        for p in self.parameters():
            size = p._array.size
            rebind(p, x[at : at + size].reshape(p.shape).astype(p.dtype))
            at += size

    @staticmethod
    def _evaluated(closure: Callable[[], Any]) -> Any:
        with enable_grad():
            return closure()

    def _loaded_entry(self, number: Any, saved: Any) -> tuple[tuple[int, int], dict]:
        """Return the state of the one vector, under our names if PyTorch saved it."""
        where = f"LBFGS: state of parameter {number}"
        if str(number) != "0" or not isinstance(saved, Mapping):
            raise ValueError(f"{where}: there is one dict for all parameters, that of number 0")
        entry = {TORCHS.get(str(k), str(k)): v for k, v in saved.items() if k not in TORCH_ONLY}
        if entry and entry.keys() != KEPT:
            told = f"keeps {', '.join(sorted(KEPT))}, got {', '.join(sorted(entry))}"
            raise ValueError(f"{where}: {told}")
        for name, value in entry.items():
            if name in ("length", "scale"):
                entry[name] = real(where, name, value)
            elif name == "step":
                entry[name] = counted(where, value)
            elif name in ("d", "g"):
                entry[name] = self._loaded_vector(where, name, value)
            else:
                rows = kind(where, name, value, list, "a list of vectors")
                entry[name] = [self._loaded_vector(where, name, row) for row in rows]
        if entry and len(entry["s"]) != len(entry["y"]):
            raise ValueError(f"{where}: {len(entry['s'])} s saved and {len(entry['y'])} y")
        return (0, 0), entry

    def _loaded_vector(self, where: str, name: str, value: Any) -> Array:
        like = self._vector()
        return self._loaded_array(f"{where}: {name!r}", value, wrap(like, None))


class Probe:
    """Compute φ(a) = loss(x + a d) and its slope φ′(a) once each: seen[a] = (loss, gradient)."""

    def __init__(self, optimizer: LBFGS, evaluate: Callable, x: Array, d: Array):
        self.optimizer, self.evaluate, self.x, self.d = optimizer, evaluate, x, d
        self.seen: dict[float, tuple[float, Array]] = {}

    def __call__(self, a: float) -> tuple[float, float]:
        if a not in self.seen:
            self.optimizer._move(self.x + a * self.d)
            loss = float(self.evaluate().item())
            self.seen[a] = loss, self.optimizer._gradient()
        loss, g = self.seen[a]
        return loss, float(g @ self.d)


def strong_wolfe(phi: Probe, a: float, loss: float, slope: float, most: int = 25) -> float:
    """Return a step length with φ(a) ≤ φ(0) + c₁ a φ′(0) and |φ′(a)| ≤ c₂ |φ′(0)|.

    Steps grow until an interval must hold such a length; `zoom` then closes in on it.
    """
    before, (f0, s0) = 0.0, (loss, slope)
    f_before, s_before = f0, s0
    for k in range(most):
        f, s = phi(a)
        if not math.isfinite(f) or f > f0 + DECREASE * a * s0 or (k and f >= f_before):
            return zoom(phi, (before, f_before, s_before), (a, f, s), f0, s0, most)
        if abs(s) <= -CURVATURE * s0:
            return a
        if s >= 0:
            return zoom(phi, (a, f, s), (before, f_before, s_before), f0, s0, most)
        farther = cubic((before, f_before, s_before), (a, f, s), a + 0.01 * (a - before), 10 * a)
        before, f_before, s_before, a = a, f, s, farther
    return before


def zoom(phi: Probe, low: tuple, high: tuple, f0: float, s0: float, most: int) -> float:
    """Narrow an interval whose end `low` has the least loss so far, until both conditions hold."""
    for _ in range(most):
        left, right = sorted((low[0], high[0]))
        if (right - left) * max(abs(low[2]), abs(high[2])) < 1e-9:
            break
        margin = 0.1 * (right - left)  # closer to an end than this there would be no progress
        a = cubic(low, high, left + margin, right - margin)
        f, s = phi(a)
        if not math.isfinite(f) or f > f0 + DECREASE * a * s0 or f >= low[1]:
            high = (a, f, s)
            continue
        if abs(s) <= -CURVATURE * s0:
            return a
        if s * (high[0] - low[0]) >= 0:
            high = low
        low = (a, f, s)
    phi(low[0])
    return low[0]


def cubic(p: tuple, q: tuple, least: float, most: float) -> float:
    """Return the lowest place of the cubic through two points with their slopes, held within
    bounds; the middle of the bounds if it has no minimum."""
    (a, fa, sa), (b, fb, sb) = sorted((p, q))
    with np.errstate(all="ignore"):
        d1 = sa + sb - 3 * (fa - fb) / (a - b)
        square = d1 * d1 - sa * sb
    if not (math.isfinite(square) and square >= 0):
        return (least + most) / 2
    d2 = math.sqrt(square)
    bottom = sb - sa + 2 * d2
    at = b - (b - a) * (sb + d2 - d1) / bottom if bottom else (least + most) / 2
    return min(max(at, least), most)
