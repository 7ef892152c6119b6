"""Change the learning rate with the steps taken; `lr_scheduler` offers it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..engine.class_signature import CheckedCall
from ..engine.options import choice, kind, real, shown, unfit, whole
from .base import Optimizer


class Schedule(CheckedCall):
    """Base of schedules: every group's learning rate is its first one times `factor(step)`."""

    def __init__(self, optimizer: Optimizer):
        self.optimizer = kind(self, "optimizer", optimizer, Optimizer, "an optimizer")
        self.last_epoch = 0
        self.base_lrs: list[float] = []
        self._set()

    def factor(self, step: int) -> float:
        """Return the factor of the first learning rate after `step` steps."""
        raise NotImplementedError(f"{type(self).__name__} has no factor")

    def step(self) -> None:
        """Count one step and set the learning rates for it."""
        self.last_epoch += 1
        self._set()

    def _set(self) -> None:
        groups = self.optimizer.param_groups
        self.base_lrs += [group["lr"] for group in groups[len(self.base_lrs) :]]  # added since
        for group, lr in zip(groups, self.base_lrs, strict=True):
            group["lr"] = self.rate(lr)

    def rate(self, lr: float) -> float:
        """Return the learning rate now of a group that began with `lr`."""
        return lr * self.factor(self.last_epoch)

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return plain numbers that `load_state_dict` goes on from."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict()` was taken; nothing changes if anything is wrong."""
        check_keys(self, state, ("last_epoch", "base_lrs"))
        epoch = whole(self, "last_epoch", state["last_epoch"], 0)
        rates = [real(self, "base_lrs", lr, 0) for lr in state["base_lrs"]]
        if len(rates) != len(self.optimizer.param_groups):
            own = len(self.optimizer.param_groups)
            raise ValueError(f"{type(self).__name__}: {len(rates)} base_lrs for {own} groups")
        self.last_epoch, self.base_lrs = epoch, rates
        self._set()

    def __repr__(self) -> str:
        own = {k: v for k, v in vars(self).items() if k not in ("optimizer", "base_lrs")}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in own.items())})"


def check_keys(owner: Any, state: Any, needed: tuple[str, ...]) -> None:
    """Raise unless a saved state has what it needs."""
    if not isinstance(state, Mapping) or not set(needed) <= state.keys():
        got = sorted(map(str, state)) if isinstance(state, Mapping) else shown(state)
        raise ValueError(f"{type(owner).__name__}: a state dict has {', '.join(needed)}; got {got}")


class LambdaLR(Schedule):
    """Multiply the first learning rate by function(step)."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float]):
        if not callable(lr_lambda):
            raise TypeError(f"LambdaLR: lr_lambda must be a function, got {shown(lr_lambda)}")
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return self.lr_lambda(step)


class StepLR(Schedule):
    """Multiply the learning rate by `gamma` every `step_size` steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1):
        self.step_size = whole(self, "step_size", step_size)
        self.gamma = real(self, "gamma", gamma, 0)
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return self.gamma ** (step // self.step_size)


class ExponentialLR(StepLR):
    """Multiply the learning rate by `gamma` every step."""

    def __init__(self, optimizer: Optimizer, gamma: float):
        super().__init__(optimizer, 1, gamma)


class CosineAnnealingLR(Schedule):
    """Lower the rate along half a cosine, from its first value to `eta_min` over `T_max` steps."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0):
        self.T_max = whole(self, "T_max", T_max)
        self.eta_min = real(self, "eta_min", eta_min, 0)
        super().__init__(optimizer)

    def rate(self, lr: float) -> float:
        wave = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return self.eta_min + (lr - self.eta_min) * wave


class LinearWarmup(Schedule):
    """Raise the rate from 1/warmup of its first value to all of it over `warmup` steps."""

    def __init__(self, optimizer: Optimizer, warmup: int):
        self.warmup = whole(self, "warmup", warmup)
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return min(1.0, (step + 1) / self.warmup)


class ReduceLROnPlateau(CheckedCall):
    """Multiply the rate by `factor` when a metric has got no better for more than `patience` steps.

    Better is smaller, or larger with mode="max", by a share (threshold_mode="rel") or an amount.
    """

    def __init__(self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1,
                 patience: int = 10, threshold: float = 1e-4, threshold_mode: str = "rel",
                 cooldown: int = 0, min_lr: float = 0.0, eps: float = 1e-8):  # fmt: skip
        self.sign = 1 if choice(self, "mode", mode, ("min", "max")) == "min" else -1
        self.by_share = choice(self, "threshold_mode", threshold_mode, ("rel", "abs")) == "rel"
        self.cooldown, self.eps = whole(self, "cooldown", cooldown, 0), real(self, "eps", eps, 0)
        self.resting = 0
        self.optimizer = kind(self, "optimizer", optimizer, Optimizer, "an optimizer")
        self.factor = real(self, "factor", factor, above=0, below=1)
        self.patience = whole(self, "patience", patience, 0)
        self.threshold = real(self, "threshold", threshold, 0)
        self.min_lr = real(self, "min_lr", min_lr, 0)
        self.best, self.waited = self.sign * math.inf, 0

    def step(self, metric: float) -> None:
        """Compare a metric, a loss say, with the best so far."""
        if not hasattr(metric, "__float__"):
            raise unfit(self, "metric", "a number, as loss.item() is", metric, TypeError)
        better = self._is_better(float(metric))
        self.best = float(metric) if better else self.best
        self.waited = 0 if better else self.waited + 1
        if self.resting:
            self.resting, self.waited = self.resting - 1, 0
        if self.waited > self.patience:
            self.waited, self.resting = 0, self.cooldown
            for group in self.optimizer.param_groups:
                lower = max(group["lr"] * self.factor, self.min_lr)
                group["lr"] = lower if group["lr"] - lower > self.eps else group["lr"]

    def _is_better(self, metric: float) -> bool:
        if math.isinf(self.best):
            return self.sign * metric < self.sign * self.best
        gap = self.threshold * (self.sign * self.best if self.by_share else 1)
        return self.sign * metric < self.sign * self.best - gap

    def state_dict(self) -> dict[str, Any]:
        """Return plain numbers that `load_state_dict` goes on from."""
        return {"best": self.best, "waited": self.waited, "resting": self.resting}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict()` was taken; nothing changes if anything is wrong."""
        check_keys(self, state, ("best", "waited"))
        waited = whole(self, "waited", state["waited"], 0)
        if not isinstance(state["best"], (int, float)):
            raise unfit(self, "best", "a number", state["best"], TypeError)
        self.best, self.waited = float(state["best"]), waited
        self.resting = whole(self, "resting", state.get("resting", 0), 0)

    __repr__ = Schedule.__repr__
