"""Offer arithmetic under PyTorch's names and options to programs and `aliases`."""

from __future__ import annotations

from typing import Any

from ..engine import ops
from ..engine.arguments import check_arguments
from ..engine.tensor import Tensor
from . import elementwise, methods


def add(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """Return input + alpha · other.

    >>> import tinygrad_rnn as t
    >>> t.add(t.tensor([1.0, 2.0]), t.tensor([10.0, 20.0]), alpha=2)
    tensor([21., 42.])
    """
    return ops.add(input, other if alpha == 1 else ops.mul(other, alpha))


def sub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """Return input - alpha · other."""
    return ops.sub(input, other if alpha == 1 else ops.mul(other, alpha))


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """Return input / other; on request rounded down ("floor") or towards 0 ("trunc").

    Rounded, whole numbers stay whole, and no gradient flows.

    >>> import tinygrad_rnn as t
    >>> t.div(t.tensor([-3.0, 3.0]), 2.0, rounding_mode="trunc")
    tensor([-1.,  1.])
    """
    if rounding_mode is None:
        return ops.div(input, other)
    if rounding_mode not in ("floor", "trunc"):
        wanted = "None, 'floor' or 'trunc'"
        raise ValueError(f"div: rounding_mode must be {wanted}, not {rounding_mode!r}")
    down = methods.floor_divide(input, other)
    if rounding_mode == "floor":
        return down
    up = -methods.floor_divide(-input, other)  # -⌊-a/b⌋ is rounded up
    return ops.where(ops.less(down, 0), up, down)


def clamp_min(input: Tensor, min: Any) -> Tensor:
    """Return the entries, none below `min`."""
    return elementwise.clamp(input, min=min)


def clamp_max(input: Tensor, max: Any) -> Tensor:
    """Return the entries, none above `max`."""
    return elementwise.clamp(input, max=max)


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """Return input + value · tensor1 · tensor2."""
    return input + (tensor1 * tensor2 if value == 1 else tensor1 * tensor2 * value)


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """Return input + value · tensor1 / tensor2."""
    return input + (tensor1 / tensor2 if value == 1 else tensor1 / tensor2 * value)


def is_floating_point(input: Tensor) -> Any:
    """Return True for a Tensor of floats."""
    return input.dtype.kind == "f"


__all__ = "add sub div clamp_min clamp_max addcmul addcdiv is_floating_point".split()

check_arguments(globals())
for _name in __all__:
    setattr(Tensor, _name, globals()[_name])
