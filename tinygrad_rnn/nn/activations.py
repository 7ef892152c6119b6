"""Offer activations as modules, each a function with its options, to programs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from ..engine import ops
from ..engine.options import choice, flag, kind, real, whole
from ..engine.tensor import Tensor
from ..functions import elementwise, entries, reductions, shapes
from .module import Module


class Activation(Module):
    """Base of activations: call `function(x, **options)`, the options listed in `takes`."""

    function: ClassVar[Callable]
    takes: ClassVar[dict[str, Any]] = {}

    def __init__(self, *values: Any, **options: Any):
        names = [*self.takes, "inplace"]
        if len(values) > len(names) or not options.keys() <= set(names):
            got = ", ".join(map(str, [*values, *options]))
            raise TypeError(f"{type(self).__name__} takes {', '.join(names)}, got {got}")
        given = {**dict(zip(names, values)), **options}
        flag(self, "inplace", given.get("inplace", False))
        self.options = {name: self._fitting(name, given.get(name, own))
                        for name, own in self.takes.items()}  # fmt: skip

    def _fitting(self, name: str, value: Any) -> Any:
        """Return an option's value if it is of its default's kind."""
        own = self.takes[name]
        if isinstance(own, str):
            return choice(self, name, value, ("none", "tanh"))
        return (whole(self, name, value, -math.inf) if type(own) is int
                else real(self, name, value))  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Return the function of x."""
        return type(self).function(x, **self.options)

    def extra_repr(self) -> str:
        """Return what stands in brackets behind the module's name."""
        return ", ".join(f"{k}={v!r}" for k, v in self.options.items())


def _constructor(takes: dict[str, Any]) -> Callable:
    """Return a constructor whose signature has the options by name."""
    from inspect import Parameter, Signature

    def __init__(self: Any, *values: Any, **options: Any) -> None:
        Activation.__init__(self, *values, **options)

    place = Parameter.POSITIONAL_OR_KEYWORD
    known = {"self": Parameter.empty, **takes, "inplace": False}
    both = [Parameter(name, place, default=own,
                      annotation=Parameter.empty if name == "self" else type(own).__name__)
            for name, own in known.items()]  # fmt: skip
    __init__.__signature__ = Signature(  # type: ignore[attr-defined]
        both, return_annotation="None"
    )
    return __init__


def _activation(name: str, function: Callable, **takes: Any) -> type[Activation]:
    """Return the class of one activation."""
    said = (function.__doc__ or "").strip() or f"{function.__name__}(x)"
    body = {"function": staticmethod(function), "takes": takes, "__doc__": said,
            "__module__": __name__, "__init__": _constructor(takes)}  # fmt: skip
    return type(name, (Activation,), body)


Sigmoid = _activation("Sigmoid", ops.sigmoid)
Tanh = _activation("Tanh", ops.tanh)
ReLU = _activation("ReLU", ops.relu)
LeakyReLU = _activation("LeakyReLU", elementwise.leaky_relu, negative_slope=0.01)
ELU = _activation("ELU", elementwise.elu, alpha=1.0)
GELU = _activation("GELU", elementwise.gelu, approximate="none")
SiLU = _activation("SiLU", elementwise.silu)
Mish = _activation("Mish", elementwise.mish)
Softplus = _activation("Softplus", elementwise.softplus, beta=1.0)
Softsign = _activation("Softsign", elementwise.softsign)
Tanhshrink = _activation("Tanhshrink", elementwise.tanhshrink)
LogSigmoid = _activation("LogSigmoid", elementwise.logsigmoid)
Hardtanh = _activation("Hardtanh", elementwise.hardtanh, min_val=-1.0, max_val=1.0)
Hardsigmoid = _activation("Hardsigmoid", elementwise.hardsigmoid)
ReLU6 = _activation("ReLU6", elementwise.relu6)
GLU = _activation("GLU", elementwise.glu, dim=-1)
SELU = _activation("SELU", entries.selu)
CELU = _activation("CELU", entries.celu, alpha=1.0)
Hardshrink = _activation("Hardshrink", entries.hardshrink, lambd=0.5)
Softshrink = _activation("Softshrink", entries.softshrink, lambd=0.5)
Hardswish = _activation("Hardswish", entries.hardswish)
Threshold = _activation("Threshold", entries.threshold, threshold=0.0, value=0.0)
Softmax = _activation("Softmax", reductions.softmax, dim=-1)
Softmin = _activation("Softmin", reductions.softmin, dim=-1)
LogSoftmax = _activation("LogSoftmax", reductions.log_softmax, dim=-1)


class Identity(Module):
    """Return x as it is; any arguments of the constructor are ignored, as in PyTorch."""

    def __init__(self, *ignored: Any, **options: Any):
        pass

    def forward(self, x: Any) -> Any:
        """Return x."""
        return x


class Flatten(Module):
    """Axes start_dim … end_dim as one.

    >>> import tinygrad_rnn as t
    >>> t.nn.Flatten()(t.zeros(2, 3, 4)).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        self.start_dim = whole(self, "start_dim", start_dim, -math.inf)
        self.end_dim = whole(self, "end_dim", end_dim, -math.inf)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with those axes joined."""
        return shapes.flatten(x, self.start_dim, self.end_dim)


class Unflatten(Module):
    """One axis as several of these sizes."""

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]):
        self.dim = whole(self, "dim", dim, -math.inf)
        sizes = kind(self, "unflattened_size", unflattened_size, (tuple, list), "a tuple of sizes")
        self.unflattened_size = tuple(whole(self, "unflattened_size", n, -1) for n in sizes)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with that axis split up."""
        return shapes.unflatten(x, self.dim, self.unflattened_size)
