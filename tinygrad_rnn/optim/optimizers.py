"""Offer the common optimisers, one formula each: SGD, RMSprop, Adam; programs call it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from .base import Array, Optimizer


class SGD(Optimizer):
    """Step p ← p − lr·v,  v = μ v + (1 − dampening) g;  Nesterov looks ahead: g + μ v."""

    keeps = ("momentum_buffer",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
    ):
        options = {"lr": lr, "momentum": momentum, "dampening": dampening}
        options |= {"weight_decay": weight_decay, "nesterov": nesterov, "maximize": maximize}
        super().__init__(params, options)

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> Array:
        g = penalised(p, g, group)
        if (mu := group["momentum"]) != 0:
            old = state.get("momentum_buffer")
            v = g if old is None else mu * old + (1 - group["dampening"]) * g
            state["momentum_buffer"] = v
            g = g + mu * v if group["nesterov"] else v
        return p - group["lr"] * g


class Adagrad(Optimizer):
    """Step p ← p − lr·g / (√Σ g² + eps), the sum over all steps."""

    keeps = lasting = ("sum",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        maximize: bool = False,
    ):
        options = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps}
        options["initial_accumulator_value"] = initial_accumulator_value
        super().__init__(params, options | {"maximize": maximize})

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> Array:
        g = penalised(p, g, group)
        total = state.get("sum", group["initial_accumulator_value"]) + g * g
        state["sum"] = total
        lr = group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
        return p - lr * g / (total**0.5 + group["eps"])


class RMSprop(Optimizer):
    """Step p ← p − lr·g / (√v + eps),  v = α v + (1 − α) g²; `centered` takes off mean²."""

    keeps = ("square_avg", "grad_avg", "momentum_buffer")
    lasting = ("square_avg",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        maximize: bool = False,
    ):
        options = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay}
        super().__init__(
            params, options | {"momentum": momentum, "centered": centered, "maximize": maximize}
        )

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> Array:
        g, alpha = penalised(p, g, group), group["alpha"]
        square = state["square_avg"] = alpha * state.get("square_avg", 0.0) + (1 - alpha) * g * g
        if group["centered"]:
            mean = state["grad_avg"] = alpha * state.get("grad_avg", 0.0) + (1 - alpha) * g
            square = square - mean * mean
        move = g / (square**0.5 + group["eps"])
        if group["momentum"] > 0:
            move = state["momentum_buffer"] = (
                group["momentum"] * state.get("momentum_buffer", 0.0) + move
            )
        return p - group["lr"] * move


class Adam(Optimizer):
    """Step p ← p − lr·m̂ / (√v̂ + eps): running means of g and g², corrected for their start."""

    keeps = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    lasting = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        maximize: bool = False,
    ):
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, options | {"amsgrad": amsgrad, "maximize": maximize})

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> Array:
        lr, (b1, b2), t = group["lr"], group["betas"], state["step"]
        if self.decoupled:
            p, group = p * (1 - lr * group["weight_decay"]), {**group, "weight_decay": 0.0}
        g = penalised(p, g, group)
        m = state["exp_avg"] = b1 * state.get("exp_avg", 0.0) + (1 - b1) * g
        v = state["exp_avg_sq"] = b2 * state.get("exp_avg_sq", 0.0) + (1 - b2) * g * g
        if group["amsgrad"]:
            v = state["max_exp_avg_sq"] = larger(v, state.get("max_exp_avg_sq", v))
        scale = v**0.5 / math.sqrt(1 - b2**t) + group["eps"]
        return p - (lr / (1 - b1**t)) * m / scale


class AdamW(Adam):
    """Adam with weight decay applied to the parameter, not to the gradient."""

    decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        maximize: bool = False,
    ):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize)


def penalised(p: Array, g: Array, group: dict[str, Any]) -> Array:
    """Return the gradient to descend: of −L if maximising, plus that of ½·weight_decay·‖p‖²."""
    g = -g if group["maximize"] else g
    return g + group["weight_decay"] * p if group["weight_decay"] else g


def larger(a: Array, b: Array) -> Array:
    return a * (a >= b) + b * (a < b)
