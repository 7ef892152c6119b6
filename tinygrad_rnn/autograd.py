"""Offer `torch.autograd`'s names to ported programs; each stands at the top as well.

>>> import tinygrad_rnn as t
>>> x = t.tensor(3.0, requires_grad=True)
>>> t.autograd.grad(x * x, x)
(tensor(6.),)
"""

from __future__ import annotations

from typing import Any

from .analysis.derivatives import detect_anomaly, hessian, hvp, jacobian, jvp, vjp
from .analysis.gradcheck import gradcheck, gradgradcheck
from .engine.backward import grad
from .engine.context import enable_grad, inference_mode, no_grad, set_grad_enabled
from .engine.tensor import Tensor

__all__ = [
    "Variable",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "hessian",
    "hvp",
    "inference_mode",
    "jacobian",
    "jvp",
    "no_grad",
    "set_grad_enabled",
    "vjp",
]


def Variable(data: Any, requires_grad: bool = False) -> Tensor:
    """Return the Tensor itself: since 2018 a Tensor is what a Variable was."""
    new = data if isinstance(data, Tensor) else Tensor(data)
    return new.requires_grad_() if requires_grad else new
