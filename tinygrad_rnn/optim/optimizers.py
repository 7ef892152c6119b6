"""Optimisers and schedules.

`step()` gives every parameter a new array; no array is written into, so graphs that are still alive
stay right. Formulas, names and defaults are PyTorch's. `state_dict()` is plain numbers and arrays,
and a run that is saved and loaded goes on bit for bit as if it had not been.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from ..engine.tensor import Tensor, wrap

Array = Any
Groups = list[dict[str, Any]]


class Optimizer:
    """Base: write `update(array, gradient, state, group)`, which returns the new array."""

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        check_options(defaults)
        self.defaults = defaults
        given = list(params)
        if not given:
            raise ValueError("optimizer got an empty parameter list")
        groups = given if isinstance(given[0], dict) else [{"params": given}]
        self.param_groups: Groups = []
        for group in groups:
            self.add_param_group(group)
        self.state: dict[int, dict[str, Any]] = {}

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Further parameters, with options of their own: {"params": […], "lr": 0.01}."""
        unknown = set(group) - {"params"} - set(self.defaults)
        if unknown:
            raise ValueError(f"unknown options {sorted(unknown)}; known: {sorted(self.defaults)}")
        params = group["params"]
        group = {
            **self.defaults,
            **group,
            "params": [params] if isinstance(params, Tensor) else list(params),
        }
        check_options(group)
        seen = {id(p) for other in self.param_groups for p in other["params"]}
        for p in group["params"]:
            if not isinstance(p, Tensor):
                raise TypeError(
                    f"optimizer can only optimize Tensors, but one of the params is {type(p)}"
                )
            if not p.is_leaf or not p.requires_grad:
                raise ValueError("can't optimize a non-leaf Tensor or one without requires_grad")
            if id(p) in seen:
                raise ValueError(f"parameter {p.name or tuple(p.shape)} appears more than once")
            seen.add(id(p))
        self.param_groups.append(group)

    def parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for p in self.parameters():
            gone = set_to_none or p.grad is None
            p.grad = None if gone else wrap(p.xp.zeros(p.shape, p.dtype), None)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; the closure's loss, if one is given."""
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state.setdefault(id(p), {})
                state["step"] = state.get("step", 0) + 1
                new = self.update(p._array, p.grad._array, state, group)
                p._array = new.astype(p.dtype, copy=False)
        return loss

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> Array:
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """{"state": {index: …}, "param_groups": […]}: numbers and arrays, parameters by index."""
        index: Any = {id(p): k for k, p in enumerate(self.parameters())}
        groups = [
            {**group, "params": [index[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        return {
            "state": {index[key]: dict(state) for key, state in self.state.items()},
            "param_groups": groups,
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on where `state_dict()` was taken; nothing changes if the parameters do not fit."""
        groups, params = saved["param_groups"], self.parameters()
        sizes = [len(group["params"]) for group in groups]
        if sizes != [len(group["params"]) for group in self.param_groups]:
            raise ValueError("loaded state dict has parameter groups of a different number or size")
        state = {int(k): dict(v) for k, v in saved["state"].items()}
        for k, entry in state.items():
            for name, value in entry.items():
                if getattr(value, "ndim", 0) and value.shape != params[k].shape:
                    shapes = f"{value.shape} saved, the parameter is {tuple(params[k].shape)}"
                    raise ValueError(f"state {name!r} of parameter {k}: {shapes}")
                if hasattr(value, "shape"):
                    entry[name] = params[k].xp.asarray(value)
        for group, other in zip(self.param_groups, groups, strict=True):
            group.update({key: value for key, value in other.items() if key != "params"})
        self.state = {id(params[k]): entry for k, entry in state.items()}


def check_options(options: dict[str, Any]) -> None:
    """ValueError for a value that no optimiser can work with, NaN included."""
    checks = {
        "lr": ("learning rate", 0, math.inf),
        "momentum": ("momentum value", 0, math.inf),
        "dampening": ("dampening value", -math.inf, math.inf),
        "weight_decay": ("weight_decay value", 0, math.inf),
        "eps": ("epsilon value", 0, math.inf),
        "alpha": ("alpha value", 0, math.inf),
        "lr_decay": ("lr_decay value", 0, math.inf),
        "initial_accumulator_value": ("initial_accumulator_value value", 0, math.inf),
    }
    for name, (words, low, high) in checks.items():
        value = options.get(name, low if low == 0 else 0.0)
        if not (low <= value < high):
            raise ValueError(f"Invalid {words}: {value}")
    for k, beta in enumerate(options.get("betas", ())):
        if not 0 <= beta < 1:
            raise ValueError(f"Invalid beta parameter at index {k}: {beta}")
    if options.get("nesterov") and (options["momentum"] <= 0 or options["dampening"] != 0):
        raise ValueError("Nesterov momentum requires a momentum and zero dampening")


class SGD(Optimizer):
    """p ← p − lr·v,  v = μ v + (1 − dampening) g;  Nesterov looks ahead: g + μ v."""

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
    """p ← p − lr·g / (√Σ g² + eps), the sum over all steps."""

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
    """p ← p − lr·g / (√v + eps),  v = α v + (1 − α) g²; centred takes off the mean's square."""

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
    """p ← p − lr·m̂ / (√v̂ + eps): running means of g and g², corrected for their start at 0."""

    decoupled = False

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
        options = {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}
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
    """The gradient to descend: of −L if maximising, plus that of ½·weight_decay·‖p‖²."""
    g = -g if group["maximize"] else g
    return g + group["weight_decay"] * p if group["weight_decay"] else g


def larger(a: Array, b: Array) -> Array:
    return a * (a >= b) + b * (a < b)
