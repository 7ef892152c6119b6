"""Set rates by milestones, ramps and cycles, several in turn; `lr_scheduler` offers them."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from ..engine.options import (
    choice,
    flag,
    kind,
    made_by,
    probability,
    real,
    several,
    shown,
    unfit,
    whole,
)
from .base import Optimizer
from .schedules import Schedule


def step_numbers(owner: Any, option: str, values: Any) -> list[int]:
    """Return a list of numbers of steps."""
    is_one = lambda owner, option, value: whole(owner, option, value, 0)
    return several(owner, option, values, is_one, "numbers of steps")


def schedules_of(owner: Schedule, given: Any, optimizer: Any) -> list[Schedule]:
    """Return a list of schedules, of one optimizer alone."""
    is_one = lambda owner, option, value: kind(
        owner, option, value, Schedule, "a list of schedules"
    )
    schedules = several(owner, "schedulers", given, is_one, "schedules")
    if not schedules:
        raise unfit(owner, "schedulers", "a list of at least one schedule", "[]")
    own = schedules[0].optimizer if optimizer is None else optimizer
    kind(owner, "optimizer", own, Optimizer, "an optimizer")
    for k, schedule in enumerate(schedules):
        if schedule.optimizer is not own:
            told = f"schedulers[{k}] ({type(schedule).__name__}) belongs to another optimizer"
            raise ValueError(f"{type(owner).__name__}: {told}")
    return schedules


class MultiStepLR(Schedule):
    """Multiply the rate by gamma at each milestone passed."""

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1):
        self.milestones = sorted(step_numbers(self, "milestones", milestones))
        self.gamma = real(self, "gamma", gamma, 0)
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return self.gamma ** bisect_right(self.milestones, step)


class MultiplicativeLR(Schedule):
    """Multiply the rate by function(1) · function(2) · … · function(step)."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float]):
        if not callable(lr_lambda):
            told = f"lr_lambda must be a function, got {shown(lr_lambda)}"
            raise TypeError(f"MultiplicativeLR: {told}")
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return math.prod(self.lr_lambda(k) for k in range(1, step + 1))


class ConstantLR(Schedule):
    """Multiply the rate by one factor for the first total_iters steps, then 1."""

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5):
        self.start_factor = real(self, "factor", factor, 0, 1)
        self.total_iters = whole(self, "total_iters", total_iters, 0)
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return self.start_factor if step < self.total_iters else 1.0


class LinearLR(Schedule):
    """Multiply the rate by a factor that goes along a line for total_iters steps."""

    def __init__(self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0,
                 total_iters: int = 5):  # fmt: skip
        self.start_factor = real(self, "start_factor", start_factor, above=0, most=1)
        self.end_factor = real(self, "end_factor", end_factor, 0, 1)
        self.total_iters = whole(self, "total_iters", total_iters)
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        done = min(step / self.total_iters, 1.0)
        return self.start_factor + (self.end_factor - self.start_factor) * done


class PolynomialLR(Schedule):
    """Multiply the rate by (1 − step / total_iters)^power, down to 0."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0):
        self.total_iters = whole(self, "total_iters", total_iters)
        self.power = real(self, "power", power)
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return (1 - min(step / self.total_iters, 1.0)) ** self.power


class CosineAnnealingWarmRestarts(Schedule):
    """Half a cosine down to eta_min over T_0 steps, and again, each time T_mult times as long."""

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0):
        self.T_0, self.T_mult = whole(self, "T_0", T_0), whole(self, "T_mult", T_mult)
        self.eta_min = real(self, "eta_min", eta_min, 0)
        super().__init__(optimizer)

    def rate(self, lr: float) -> float:
        step, length = self.last_epoch, self.T_0
        while step >= length:
            step, length = step - length, length * self.T_mult
        return self.eta_min + (lr - self.eta_min) * (1 + math.cos(math.pi * step / length)) / 2


class Cycle(Schedule):
    """Base: learning rates between bounds of their own, and a momentum that goes the other way.

    Write `part(step)`, (of the way from the lower to the upper rate, of the way back of momentum).
    """

    low: list[float]
    high: list[float]
    momenta: tuple[float, float] | None

    def part(self, step: int) -> float:
        """Return how far from the lower to the upper bound the rate is."""
        raise NotImplementedError(f"{type(self).__name__} has no part")

    def ends(self, bound: str, value: Any) -> list[float]:
        """Return a bound for each group."""
        count = len(self.optimizer.param_groups)
        values = list(value) if isinstance(value, (list, tuple)) else [value] * count
        if len(values) != count:
            raise unfit(self, bound, f"a number or {count} of them, one for each group", value)
        return [real(self, bound, v, 0) for v in values]

    def _checked_momenta(self, cycles: bool, base: float, top: float) -> tuple | None:
        if not flag(self, "cycle_momentum", cycles):
            return None
        if any("betas" not in g and not g.get("momentum") for g in self.optimizer.param_groups):
            told = "cycle_momentum=True needs an optimizer with momentum or betas"
            raise ValueError(f"{type(self).__name__}: {told}; pass cycle_momentum=False")
        return real(self, "base_momentum", base, 0, 1), real(self, "max_momentum", top, 0, 1)

    def _set(self) -> None:
        groups, part = self.optimizer.param_groups, self.part(self.last_epoch)
        self.base_lrs = list(self.low)
        for group, low, high in zip(groups, self.low, self.high, strict=True):
            group["lr"] = self.between(low, high, part)
            if self.momenta is None:
                continue
            m = self.momentum(part)
            group.update({"betas": (m, group["betas"][1])} if "betas" in group else {"momentum": m})

    def between(self, low: float, high: float, part: float) -> float:
        """Return the rate of a group."""
        return low + (high - low) * part

    def momentum(self, part: float) -> float:
        """Return the momentum: the largest where the rate is the smallest."""
        assert self.momenta is not None
        return self.momenta[1] - (self.momenta[1] - self.momenta[0]) * part


class CyclicLR(Cycle):
    """Up and down between two rates (Smith 2017); the height halves, or falls by gamma per step.

    `mode` is "triangular", "triangular2" or "exp_range"; `scale_fn` is any other height, of the
    cycle's number (scale_mode="cycle") or of the step ("iterations").
    """

    def __init__(self, optimizer: Optimizer, base_lr: Any, max_lr: Any, step_size_up: int = 2000,
                 step_size_down: int | None = None, mode: str = "triangular", gamma: float = 1.0,
                 scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle",
                 cycle_momentum: bool = True, base_momentum: float = 0.8,
                 max_momentum: float = 0.9):  # fmt: skip
        self.optimizer = kind(self, "optimizer", optimizer, Optimizer, "an optimizer")
        self.low, self.high = self.ends("base_lr", base_lr), self.ends("max_lr", max_lr)
        self.up = real(self, "step_size_up", step_size_up, above=0)
        self.down = self.up if step_size_down is None else real(
            self, "step_size_down", step_size_down, above=0)  # fmt: skip
        choice(self, "mode", mode, ("triangular", "triangular2", "exp_range"))
        gamma = real(self, "gamma", gamma, 0)
        choice(self, "scale_mode", scale_mode, ("cycle", "iterations"))
        if scale_fn is not None:
            made_by(self, "scale_fn", scale_fn, "None or a function of a number")
        self.by_cycle = scale_mode == "cycle" if scale_fn else mode != "exp_range"
        heights: dict[str, Callable[[float], float]] = {
            "triangular": lambda k: 1.0, "triangular2": lambda k: 0.5 ** (k - 1),
            "exp_range": lambda k: gamma**k}  # fmt: skip
        self.height = scale_fn or heights[mode]
        self.momenta = self._checked_momenta(cycle_momentum, base_momentum, max_momentum)
        super().__init__(optimizer)

    def part(self, step: int) -> float:
        cycle = math.floor(1 + step / (self.up + self.down))
        x = 1 + step / (self.up + self.down) - cycle
        rise = self.up / (self.up + self.down)
        way = x / rise if x <= rise else (x - 1) / (rise - 1)
        return way * self.height(cycle if self.by_cycle else step)


class OneCycleLR(Cycle):
    """Up to max_lr once and down to nearly nothing (Smith and Topin 2018), by cosines or lines."""

    def __init__(self, optimizer: Optimizer, max_lr: Any, total_steps: int | None = None,
                 epochs: int | None = None, steps_per_epoch: int | None = None,
                 pct_start: float = 0.3, anneal_strategy: str = "cos", cycle_momentum: bool = True,
                 base_momentum: float = 0.85, max_momentum: float = 0.95, div_factor: float = 25.0,
                 final_div_factor: float = 1e4, three_phase: bool = False):  # fmt: skip
        self.optimizer = kind(self, "optimizer", optimizer, Optimizer, "an optimizer")
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise ValueError("OneCycleLR: give total_steps, or epochs and steps_per_epoch")
        for name, count in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
            if count is not None:
                whole(self, name, count)
        total = total_steps if total_steps is not None else (epochs or 0) * (steps_per_epoch or 0)
        self.total_steps = whole(self, "total_steps", total)
        share = probability(self, "pct_start", pct_start)
        self.by_cosine = (
            choice(self, "anneal_strategy", anneal_strategy, ("cos", "linear")) == "cos"
        )
        self.high = self.ends("max_lr", max_lr)
        first = real(self, "div_factor", div_factor, above=0)
        self.low = [lr / first for lr in self.high]
        last_share = real(self, "final_div_factor", final_div_factor, above=0)
        self.least = [lr / last_share for lr in self.low]
        self.momenta = self._checked_momenta(cycle_momentum, base_momentum, max_momentum)
        peak, last = share * self.total_steps - 1, self.total_steps - 1
        phased = flag(self, "three_phase", three_phase)
        self.phases = [(peak, "low", "high"), (2 * peak, "high", "low"), (last, "low", "least")]
        self.phases = self.phases if phased else [self.phases[0], (last, "high", "least")]
        super().__init__(optimizer)

    def _set(self) -> None:
        step = self.last_epoch
        if step >= self.total_steps:
            raise ValueError(f"OneCycleLR: step {step + 1} of {self.total_steps} total steps")
        place = sum(step > end for end, _, _ in self.phases[:-1])
        end, first, then = self.phases[place]
        begun = self.phases[place - 1][0] if place else 0.0
        part = (step - begun) / (end - begun)
        part = (1 - math.cos(math.pi * part)) / 2 if self.by_cosine else part
        self.base_lrs = list(self.low)
        ways = zip(self.optimizer.param_groups, getattr(self, first), getattr(self, then))
        for group, a, b in ways:
            group["lr"] = a + (b - a) * part
            if self.momenta is not None:
                low, high = self.momenta
                m0, m1 = (low if end_ == "high" else high for end_ in (first, then))
                m = m0 + (m1 - m0) * part
                both = {"betas": (m, group["betas"][1])} if "betas" in group else {"momentum": m}
                group.update(both)


class SequentialLR(Schedule):
    """One schedule after the other: the next begins anew at each milestone."""

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[Schedule],
                 milestones: Sequence[int]):  # fmt: skip
        self.schedulers = schedules_of(self, schedulers, optimizer)
        self.milestones = step_numbers(self, "milestones", milestones)
        if len(self.milestones) != len(self.schedulers) - 1:
            told = f"{len(self.schedulers)} schedules need one milestone less"
            raise ValueError(f"SequentialLR: {told}, got {self.milestones}")
        for schedule in self.schedulers:
            schedule.base_lrs = list(self.schedulers[0].base_lrs)
        self.optimizer, self.last_epoch = optimizer, 0
        self.base_lrs = list(self.schedulers[0].base_lrs)
        self._set()

    def _set(self) -> None:
        place = bisect_right(self.milestones, self.last_epoch)
        now = self.schedulers[place]
        now.last_epoch = self.last_epoch - (self.milestones[place - 1] if place else 0)
        now._set()


class ChainedScheduler(Schedule):
    """All schedules at once: the first rate times the product of their factors."""

    def __init__(self, schedulers: Sequence[Schedule], optimizer: Optimizer | None = None):
        self.schedulers = schedules_of(self, schedulers, optimizer)
        for s in self.schedulers:
            if type(s).rate is not Schedule.rate or type(s)._set is not Schedule._set:
                told = f"{type(s).__name__} is no factor, so it cannot be multiplied with others"
                raise ValueError(f"ChainedScheduler: {told}")
        self.optimizer, self.last_epoch = self.schedulers[0].optimizer, 0
        self.base_lrs = list(self.schedulers[0].base_lrs)
        self._set()

    def factor(self, step: int) -> float:
        return math.prod(s.factor(step) for s in self.schedulers)
