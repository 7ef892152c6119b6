"""More functions of each entry, for programs: signs, angles, bits, flat activations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine import ops
from ..engine.arguments import check_arguments
from ..engine.dtypes import common_dtype
from ..engine.tensor import Tensor, wrap
from . import methods
from .elementwise import as_real, elu, hardsigmoid
from .in_place import in_place
from .later import IN_PLACE, attach
from .reductions import softmax
from .sampling import default_generator

LN_2 = math.log(2)
SELU = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017: λ and α


def positive(input: Tensor) -> Tensor:
    """Return the Tensor itself."""
    return input


def frac(input: Tensor) -> Tensor:
    """Return what is behind the point, with the entry's sign."""
    return input - ops.trunc(input)


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """Return log(x / (1 − x)); with `eps` x is first held between eps and 1 − eps."""
    x = as_real(input)
    x = x if eps is None else ops.clamp(x, low=eps, high=1 - eps)
    return ops.log(x / (1 - x))


def acosh(input: Tensor) -> Tensor:
    """Return the number of at least 0 whose cosh is x."""
    away = as_real(input) - 1
    return ops.log1p(away + ops.sqrt(away * (away + 2)))


def sinc(input: Tensor) -> Tensor:
    """Return sin(πx) / (πx), 1 at 0."""
    x = as_real(input) * math.pi
    zero = ops.equal(x, 0)
    return ops.where(zero, 1 - x * x / 6, ops.sin(x) / ops.where(zero, 1.0, x))


def rad2deg(input: Tensor) -> Tensor:
    """Return degrees of radians."""
    return as_real(input) * (180 / math.pi)


def deg2rad(input: Tensor) -> Tensor:
    """Return radians of degrees."""
    return as_real(input) * (math.pi / 180)


def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """Return log₂(2ˣ + 2ʸ)."""
    return ops.logaddexp(input * LN_2, other * LN_2) / LN_2


def fmax(input: Tensor, other: Any) -> Tensor:
    """Return the larger of two numbers, of a number and NaN the number; ties are the first's."""
    first = ops.logical_or(ops.greater_equal(input, other), ops.isnan(_at_least(other, input)))
    return ops.where(first, input, other)


def fmin(input: Tensor, other: Any) -> Tensor:
    """Return the smaller of two numbers, of a number and NaN the number; ties are the first's."""
    first = ops.logical_or(ops.less_equal(input, other), ops.isnan(_at_least(other, input)))
    return ops.where(first, input, other)


def _at_least(x: Any, like: Tensor) -> Tensor:
    return x if isinstance(x, Tensor) else wrap(like.xp.asarray(x), None)


def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """Return 0 below 0, 1 above it, and `values` at 0; no gradient flows."""
    if input.dtype != values.dtype:
        raise TypeError(f"heaviside: both must be of one dtype, got {input.dtype}, {values.dtype}")
    return wrap(np.heaviside(input._array, values._array).astype(input.dtype), None)


def signbit(input: Tensor) -> Tensor:
    """Return whether the sign is −, that of −0.0 too."""
    a = input._array
    return wrap(np.signbit(a) if a.dtype.kind == "f" else a < 0, None)


def isposinf(input: Tensor) -> Tensor:
    """Return where the entries are ∞."""
    return ops.equal(input, math.inf)


def isneginf(input: Tensor) -> Tensor:
    """Return where the entries are −∞."""
    return ops.equal(input, -math.inf)


def isreal(input: Tensor) -> Tensor:
    """Return True everywhere: all numbers here are real."""
    return wrap(input.xp.ones(input.shape, bool), None)


def is_complex(input: Tensor) -> bool:
    """Return False: all numbers here are real."""
    return False


def bitwise_and(input: Any, other: Any) -> Tensor:
    """Return the bits that both whole numbers have.

    >>> import tinygrad_rnn as t
    >>> t.bitwise_and(t.tensor([6, 5]), 3)
    tensor([2, 1])
    """
    return input & other


def bitwise_or(input: Any, other: Any) -> Tensor:
    """Return the bits that one of both whole numbers has."""
    return input | other


def bitwise_xor(input: Any, other: Any) -> Tensor:
    """Return the bits that just one of both whole numbers has."""
    return input ^ other


def bitwise_not(input: Tensor) -> Tensor:
    """Return all bits turned; of booleans the opposite."""
    return ~input


def bitwise_left_shift(input: Tensor, other: Any) -> Tensor:
    """Return x · 2ʸ of whole numbers."""
    return methods.bits(np.left_shift, input, other)


def bitwise_right_shift(input: Tensor, other: Any) -> Tensor:
    """Return ⌊x / 2ʸ⌋ of whole numbers."""
    return methods.bits(np.right_shift, input, other)


def gcd(input: Tensor, other: Any) -> Tensor:
    """Return the greatest common divisor of whole numbers."""
    return methods.bits(np.gcd, input, other)


def lcm(input: Tensor, other: Any) -> Tensor:
    """Return the least common multiple of whole numbers."""
    return methods.bits(np.lcm, input, other)


# Activations
def selu(input: Tensor) -> Tensor:
    """Return λ · elu(x, α) with the constants that keep mean 0 and variance 1."""
    return SELU[0] * elu(input, SELU[1])


def celu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Return x if positive, else α(e^(x/α) − 1)."""
    low = ops.clamp(as_real(input), low=None, high=0.0)
    return ops.where(input > 0, input, alpha * ops.expm1(low / alpha))


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return x, but 0 between −λ and λ."""
    return ops.where(ops.logical_and(input >= -lambd, input <= lambd), 0.0, input)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return x drawn towards 0 by λ, and 0 where it would pass it."""
    if lambd < 0:
        raise ValueError(f"softshrink: lambd must be at least 0, got {lambd}")
    low = ops.where(input < -lambd, input + lambd, 0.0 * input)
    return ops.where(input > lambd, input - lambd, low)


def hardswish(input: Tensor) -> Tensor:
    """Return x · hardsigmoid(x), the piecewise stand-in of silu."""
    return ops.where(input >= 3, input, input * hardsigmoid(input))


def threshold(input: Tensor, threshold: float, value: float) -> Tensor:
    """Return x where it exceeds `threshold`, else `value`."""
    x = as_real(input) if isinstance(value, float) and input.dtype.kind == "b" else input
    return ops.where(x <= threshold, wrap(np.asarray(value, x.dtype), None), x)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Return x if positive, else w · x, with one w or one for each channel (axis 1).

    >>> import tinygrad_rnn as t
    >>> t.prelu(t.tensor([[-2.0, 4.0]]), t.tensor([0.5]))
    tensor([[-1.,  4.]])
    """
    channels = input.shape[1] if input.ndim > 1 else 1
    count = math.prod(weight.shape)
    if count not in (1, channels):
        raise ValueError(f"prelu: weight {weight.shape} fits no input of {channels} channels")
    slope = weight.reshape(1, -1, *(1,) * (input.ndim - 2)) if input.ndim > 1 else weight
    return ops.where(input > 0, input, slope.reshape(()) * input if count == 1 else slope * input)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, *, dim: int = -1,
                   generator: Any = None) -> Tensor:  # fmt: skip
    """Return a sample of one-hot rows, softened by `tau` so that gradients flow (Jang et al. 2017).

    With hard=True the values are one-hot, and the gradient is the soft sample's.

    >>> import tinygrad_rnn as t
    >>> t.gumbel_softmax(t.zeros(2, 3), hard=True).sum(-1).tolist()
    [1.0, 1.0]
    """
    u = (generator or default_generator()).uniform(logits.shape, 1e-20, 1.0, dtype=logits.dtype)
    soft = softmax((logits - ops.log(-ops.log(u))) / tau, dim)
    if not hard:
        return soft
    top = ops.equal(soft, soft.amax(dim, keepdims=True)).astype(soft.dtype).detach()
    return soft + (top - soft).detach()


def result_type(tensor1: Any, tensor2: Any) -> Any:
    """Return the dtype in which two operands meet."""
    return common_dtype([getattr(x, "_array", x) for x in (tensor1, tensor2)])


arccosh = acosh

check_arguments(globals())
attach(globals())
for _name in IN_PLACE:
    setattr(Tensor, f"{_name}_", in_place(getattr(Tensor, _name), f"{_name}_"))
