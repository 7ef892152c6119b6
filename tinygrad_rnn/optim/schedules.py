"""Schedules: how the learning rate of an optimiser changes with the steps taken."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .optimizers import Optimizer


class Schedule:
    """Base: the learning rate of every group is its first one times `factor(step)`."""

    def __init__(self, optimizer: Optimizer):
        self.optimizer, self.last_epoch = optimizer, 0
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]
        self._set()

    def factor(self, step: int) -> float:
        raise NotImplementedError

    def step(self) -> None:
        self.last_epoch += 1
        self._set()

    def _set(self) -> None:
        for group, lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = lr * self.factor(self.last_epoch)

    def get_last_lr(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.last_epoch, self.base_lrs = state["last_epoch"], list(state["base_lrs"])
        self._set()


class LambdaLR(Schedule):
    """Times function(step)."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float]):
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return self.lr_lambda(step)


class StepLR(Schedule):
    """Times gamma every step_size steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1):
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return self.gamma ** (step // self.step_size)


class ExponentialLR(StepLR):
    """Times gamma every step."""

    def __init__(self, optimizer: Optimizer, gamma: float):
        super().__init__(optimizer, 1, gamma)


class CosineAnnealingLR(Schedule):
    """Half a cosine from 1 down to eta_min/lr over T_max steps."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0):
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def _set(self) -> None:
        wave = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        for group, lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self.eta_min + (lr - self.eta_min) * wave


class LinearWarmup(Schedule):
    """From 1/warmup up to 1 over the first `warmup` steps, then 1."""

    def __init__(self, optimizer: Optimizer, warmup: int):
        if warmup < 1:
            raise ValueError(f"warmup must be at least 1 step, got {warmup}")
        self.warmup = warmup
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return min(1.0, (step + 1) / self.warmup)


class ReduceLROnPlateau:
    """Times factor when a metric has not become smaller for more than `patience` steps."""

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        min_lr: float = 0.0,
    ):
        if not 0 < factor < 1:
            raise ValueError(f"Factor should be in (0, 1), got {factor}")
        self.optimizer, self.factor, self.patience = optimizer, factor, patience
        self.threshold, self.min_lr = threshold, min_lr
        self.best, self.waited = math.inf, 0

    def step(self, metric: float) -> None:
        better = float(metric) < self.best * (1 - self.threshold)
        self.best = float(metric) if better else self.best
        self.waited = 0 if better else self.waited + 1
        if self.waited > self.patience:
            self.waited = 0
            for group in self.optimizer.param_groups:
                group["lr"] = max(group["lr"] * self.factor, self.min_lr)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.waited = state["best"], state["waited"]
