"""Cut exploding gradients after `backward()`; programs and `training.fit` call it.

Training loops call it between `backward()` and the optimizer's step; `training.fit` does so for its
option `clip`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..engine.options import real, unfit
from ..engine.tensor import Tensor, wrap


def _gradients(owner: str, parameters: Any) -> list[tuple[str, Tensor, Any]]:
    """Return (name, parameter, gradient's array) of a Module, Tensors or (name, Tensor) pairs."""
    wanted = "a Module, a Tensor, or a list of Tensors or of (name, Tensor)"
    if hasattr(parameters, "named_parameters"):
        parameters = parameters.named_parameters()
    if isinstance(parameters, str) or not isinstance(parameters, (Tensor, Iterable)):
        raise unfit(owner, "parameters", wanted, parameters, TypeError)
    found = []
    for k, item in enumerate([parameters] if isinstance(parameters, Tensor) else parameters):
        name, p = item if isinstance(item, tuple) and len(item) == 2 else (None, item)
        if not isinstance(p, Tensor):
            raise unfit(owner, "parameters", f"{wanted}; number {k} is none", p, TypeError)
        name = name or p.name or f"number {k}"
        if p.grad is not None:
            found.append((name, p, p.grad._array))
    return found


def clip_grad_norm_(parameters: Any, max_norm: float, norm_type: float = 2.0) -> float:
    """Scale all gradients so that their joint norm is at most max_norm; the norm before.

    Each gradient is divided by its largest entry before it is squared, so float32 does not
    overflow. A NaN or an infinity raises, naming the parameter, and leaves all gradients as they
    were.
    """
    if not _is_infinite(max_norm):
        real("clip_grad_norm_", "max_norm", max_norm, 0)
    if not _is_infinite(norm_type):
        real("clip_grad_norm_", "norm_type", norm_type, above=0)
    found = _gradients("clip_grad_norm_", parameters)
    norms = [_norm(name, g, norm_type) for name, _, g in found]
    total = largest = max(norms, default=0.0)
    if largest > 0 and math.isfinite(norm_type):
        total *= sum((n / largest) ** norm_type for n in norms) ** (1 / norm_type)
    if total > max_norm:
        for _, p, g in found:
            p.grad = wrap((g * (max_norm / (total + 1e-6))).astype(g.dtype, copy=False), None)
    return total


def _is_infinite(value: Any) -> bool:
    return isinstance(value, float) and value == math.inf


def _norm(name: str, g: Any, order: float) -> float:
    largest = float(abs(g).max()) if g.size else 0.0
    if not math.isfinite(largest):
        raise ValueError(f"non-finite gradient norm ({largest}) from parameter {name!r}")
    # divided by the largest entry: the square of a float32 of 1e20 is infinite
    if largest == 0 or math.isinf(order):
        return largest
    return largest * float(((abs(g) / largest) ** order).sum(dtype="float64")) ** (1 / order)


def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Cut every entry of every gradient to [−clip_value, clip_value]; NaN raises."""
    real("clip_grad_value_", "clip_value", clip_value, above=0)
    found = _gradients("clip_grad_value_", parameters)
    for name, _, g in found:
        if bool((g != g).any()):
            raise ValueError(f"NaN in the gradient of parameter {name!r}")
    for _, p, g in found:
        p.grad = wrap(g.clip(-clip_value, clip_value), None)
