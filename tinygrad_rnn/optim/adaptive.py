"""Step every number by its own rate: Adadelta, Adamax, NAdam, Rprop, ASGD; for programs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..engine.options import unfit, whole
from ..engine.shared_memory import rebind
from .base import Array, Optimizer
from .optimizers import penalised


class Adadelta(Optimizer):
    """Step p ← p − lr·δ,  δ = √(d + eps) / √(v + eps) · g: running means v of g² and d of δ²."""

    keeps = lasting = ("square_avg", "acc_delta")

    def __init__(self, params: Iterable[Any], lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6,
                 weight_decay: float = 0.0, maximize: bool = False):  # fmt: skip
        options = {"lr": lr, "rho": rho, "eps": eps}
        super().__init__(params, options | {"weight_decay": weight_decay, "maximize": maximize})

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> Array:
        g, rho, eps = penalised(p, g, group), group["rho"], group["eps"]
        v = state["square_avg"] = rho * state.get("square_avg", 0.0) + (1 - rho) * g * g
        moved = state.get("acc_delta", 0.0)
        delta = (moved + eps) ** 0.5 / (v + eps) ** 0.5 * g
        state["acc_delta"] = rho * moved + (1 - rho) * delta * delta
        return p - group["lr"] * delta


class Adamax(Optimizer):
    """Step p ← p − lr·m̂ / u,  u = max(β₂ u, |g| + eps): Adam with a maximum for the mean square."""

    keeps = lasting = ("exp_avg", "exp_inf")

    def __init__(self, params: Iterable[Any], lr: float = 2e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, maximize: bool = False):  # fmt: skip
        options = {"lr": lr, "betas": betas, "eps": eps}
        super().__init__(params, options | {"weight_decay": weight_decay, "maximize": maximize})

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> Array:
        g, (b1, b2) = penalised(p, g, group), group["betas"]
        m = state["exp_avg"] = b1 * state.get("exp_avg", 0.0) + (1 - b1) * g
        u = np.maximum(b2 * state.get("exp_inf", np.zeros_like(g)), abs(g) + group["eps"])
        state["exp_inf"] = u
        return p - group["lr"] / (1 - b1 ** state["step"]) * m / u


class NAdam(Optimizer):
    """Adam that looks ahead: the step also has the share of g that the next mean will hold."""

    keeps = lasting = ("exp_avg", "exp_avg_sq", "mu_product")
    numbers = ("mu_product",)

    def __init__(self, params: Iterable[Any], lr: float = 2e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, momentum_decay: float = 4e-3,
                 maximize: bool = False):  # fmt: skip
        options = {"lr": lr, "betas": betas, "eps": eps, "momentum_decay": momentum_decay}
        super().__init__(params, options | {"weight_decay": weight_decay, "maximize": maximize})

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> Array:
        g, (b1, b2), t = penalised(p, g, group), group["betas"], state["step"]
        mu, ahead = (b1 * (1 - 0.5 * 0.96 ** (k * group["momentum_decay"])) for k in (t, t + 1))
        past = state["mu_product"] = state.get("mu_product", 1.0) * mu
        m = state["exp_avg"] = b1 * state.get("exp_avg", 0.0) + (1 - b1) * g
        v = state["exp_avg_sq"] = b2 * state.get("exp_avg_sq", 0.0) + (1 - b2) * g * g
        move = (1 - mu) / (1 - past) * g + ahead / (1 - past * ahead) * m
        return p - group["lr"] * move / ((v / (1 - b2**t)) ** 0.5 + group["eps"])


class Rprop(Optimizer):
    """Step p ← p − s sign(g): each s grows while the sign stays and shrinks when it turns.

    For whole batches: with noise the signs mean little.
    """

    keeps = lasting = ("prev", "step_size")

    def __init__(self, params: Iterable[Any], lr: float = 1e-2,
                 etas: tuple[float, float] = (0.5, 1.2),
                 step_sizes: tuple[float, float] = (1e-6, 50.0),
                 maximize: bool = False):  # fmt: skip
        options = {"lr": lr, "etas": etas, "step_sizes": step_sizes}
        super().__init__(params, options | {"maximize": maximize})

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> Array:
        g, (shrink, grow) = (-g if group["maximize"] else g), group["etas"]
        same = g * state.get("prev", np.zeros_like(g))
        factor = np.where(same > 0, grow, np.where(same < 0, shrink, 1.0)).astype(p.dtype)
        size = state.get("step_size", np.full_like(p, group["lr"])) * factor
        size = state["step_size"] = np.clip(size, *group["step_sizes"])
        g = state["prev"] = np.where(same < 0, g * 0, g)  # after a turn it waits for one step
        return p - np.sign(g) * size


class ASGD(Optimizer):
    """Plain descent with a falling rate η; `average()` is the mean of what p was after t0 steps."""

    keeps = lasting = ("eta", "mu", "ax")
    numbers = ("eta", "mu")

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, lambd: float = 1e-4,
                 alpha: float = 0.75, t0: float = 1e6, weight_decay: float = 0.0,
                 maximize: bool = False):  # fmt: skip
        options = {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0}
        super().__init__(params, options | {"weight_decay": weight_decay, "maximize": maximize})

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> Array:
        g, t, lambd = penalised(p, g, group), state["step"], group["lambd"]
        eta, mu = state.get("eta", group["lr"]), state.get("mu", 1.0)
        p = p * (1 - lambd * eta) - eta * g
        ax = state.get("ax", p)
        state["ax"] = p if mu == 1 else ax + (p - ax) * mu
        state["eta"] = group["lr"] / (1 + lambd * group["lr"] * t) ** group["alpha"]
        state["mu"] = 1 / max(1.0, t - group["t0"])
        return p

    def average(self) -> list[Array]:
        """Return the mean array of each parameter; the parameter's own before any step."""
        kept = [self.state.get(place, {}) for place in self.places()]
        return [state.get("ax", p._array) for state, p in zip(kept, self.parameters(), strict=True)]


class NTASGD(ASGD):
    """Merity et al. 2018: averaging begins once validation stops to improve.

    Tell each validation loss to `validated`: when it is worse than the best of those before the
    last `patience`, averaging is triggered. `swapped()` puts the averages in place to evaluate.
    """

    def __init__(self, params: Iterable[Any], lr: float = 30.0, patience: int = 5,
                 weight_decay: float = 0.0):  # fmt: skip
        super().__init__(params, lr, lambd=0.0, t0=math.inf, weight_decay=weight_decay)
        self.patience, self.losses = whole(self, "patience", patience, 0), []

    losses: list[float]

    @property
    def triggered(self) -> bool:
        """Return True once means are taken."""
        return self.param_groups[0]["t0"] < math.inf

    def validated(self, loss: float) -> bool:
        """Note a validation loss; return True if averaging has begun."""
        older = self.losses[: -self.patience or None]
        if not self.triggered and older and loss > min(older):
            now = max((state["step"] for state in self.state.values()), default=0)
            for group in self.param_groups:
                group["t0"] = now - 1.0  # the mean begins with the next step
        self.losses.append(float(loss))
        return self.triggered

    def swapped(self) -> Swapped:
        """Return a block within which the parameters are their means."""
        return Swapped(self)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "losses": list(self.losses)}

    def load_state_dict(self, saved: Any) -> None:
        losses = saved.get("losses", []) if isinstance(saved, Mapping) else []
        if not isinstance(losses, list) or not all(isinstance(x, (int, float)) for x in losses):
            raise unfit(self, "losses", "a list of numbers", losses, TypeError)
        super().load_state_dict(saved)
        self.losses = [float(loss) for loss in losses]


class Swapped:
    """Put averaged parameters in the place of the last ones until the block ends."""

    def __init__(self, optimizer: NTASGD):
        self.optimizer = optimizer

    def __enter__(self) -> None:
        self.own = [p._array for p in self.optimizer.parameters()]
        self._set(self.optimizer.average())

    def __exit__(self, *error: object) -> None:
        self._set(self.own)

    def _set(self, arrays: list[Array]) -> None:
        for p, array in zip(self.optimizer.parameters(), arrays, strict=True):
            rebind(p, array)
