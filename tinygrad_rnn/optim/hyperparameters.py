"""Check the options of an optimiser, given or loaded; `base` calls it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ..engine.options import bounds, called, choice, flag, nearest, real, unfit, whole

# What an option must be: its name in words, the least value, and what it must stay below.
LIMITS: dict[str, tuple[str, float, float]] = {
    "lr": ("learning rate", 0, math.inf),
    "momentum": ("momentum value", 0, math.inf),
    "dampening": ("dampening value", -math.inf, math.inf),
    "weight_decay": ("weight_decay value", 0, math.inf),
    "eps": ("epsilon value", 0, math.inf),
    "alpha": ("alpha value", 0, math.inf),
    "rho": ("rho value", 0, 1),
    "lambd": ("lambd value", 0, math.inf),
    "momentum_decay": ("momentum_decay value", 0, math.inf),
    "tolerance_grad": ("tolerance_grad value", 0, math.inf),
    "tolerance_change": ("tolerance_change value", 0, math.inf),
    "lr_decay": ("lr_decay value", 0, math.inf),
    "initial_accumulator_value": ("initial_accumulator_value value", 0, math.inf),
}
FLAGS = ("nesterov", "maximize", "amsgrad", "centered")
COUNTS = ("max_iter", "max_eval", "history_size")


def checked(owner: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options if an optimiser can work with each value; NaN is refused too."""
    good = dict(options)
    for name, value in options.items():
        if name in LIMITS:
            good[name] = _number(owner, name, value, *LIMITS[name])
        elif name in FLAGS:
            good[name] = flag(owner, name, value)
        elif name in COUNTS:
            good[name] = whole(owner, name, value)
        elif name in PAIRS:
            good[name] = PAIRS[name](owner, value)
        elif name == "t0" and not (isinstance(value, float) and value == math.inf):  # never
            good[name] = _number(owner, name, value, "t0 value", 0, math.inf)
        elif name == "line_search_fn":
            choice(owner, name, value, (None, "strong_wolfe"))
    if good.get("nesterov") and (good["momentum"] <= 0 or good["dampening"] != 0):
        got = f"momentum={good['momentum']} and dampening={good['dampening']}"
        need = "Nesterov momentum requires a momentum and zero dampening"
        raise ValueError(f"{called(owner)}: {need}; got {got}")
    return good


def _number(owner: Any, name: str, value: Any, words: str, least: float, below: float) -> float:
    try:
        return real(owner, name, value, least, below=below)
    except ValueError:
        wanted = "a finite number" + bounds(least, math.inf, below=below)
        told = f"Invalid {words}: {value}; {name} must be {wanted}"
        raise ValueError(f"{called(owner)}: {told}") from None


def _pair(owner: Any, name: str, such: tuple[float, float], pair: Any) -> tuple[Any, Any]:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise unfit(owner, name, f"two numbers such as {such}", pair, TypeError)
    return pair[0], pair[1]


def _betas(owner: Any, betas: Any) -> tuple[float, ...]:
    pair, words = _pair(owner, "betas", (0.9, 0.999), betas), "beta parameter at index {}"
    return tuple(
        _number(owner, f"betas[{k}]", b, words.format(k), 0, 1) for k, b in enumerate(pair)
    )


def _etas(owner: Any, etas: Any) -> tuple[float, ...]:
    shrink, grow = _pair(owner, "etas", (0.5, 1.2), etas)
    return (
        real(owner, "etas[0]", shrink, above=0, below=1),
        real(owner, "etas[1]", grow, above=1),
    )


def _step_sizes(owner: Any, sizes: Any) -> tuple[float, ...]:
    least, most = _pair(owner, "step_sizes", (1e-6, 50.0), sizes)
    least = real(owner, "step_sizes[0]", least, 0)
    return least, real(owner, "step_sizes[1]", most, least)


PAIRS = {"betas": _betas, "etas": _etas, "step_sizes": _step_sizes}


def refuse_unknown(owner: Any, options: Iterable[str], known: Iterable[str]) -> None:
    """Raise for an option that is not known, naming the nearest one."""
    known = sorted(known)
    for name in options:
        if name != "params" and name not in known:
            told = f"unknown option {name!r}{nearest(name, known)}"
            raise ValueError(f"{called(owner)}: {told}; known: {', '.join(known)}")
