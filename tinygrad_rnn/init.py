"""Draw the starting values of weights, gate by gate; `nn` and programs call it.

Each rule returns a new array of a given shape, drawn from an explicit generator: `orthogonal((H,
H), generator=g)`. The same name with an underscore refills a Tensor, as in PyTorch: `orthogonal_(p,
generator=g)`. Recurrent weights stack several gates in one matrix, and a rule applied to the stack
gives blocks that do not obey it (the blocks of an orthogonal (4H, H) matrix have singular values
down to 0). So `apply` works gate by gate:

    apply(cell, {"hh": "orthogonal", "f.bias": 1.0}, generator)
"""

from __future__ import annotations

import inspect
import math
import secrets
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from .absent import signpost
from .engine.arrays import get_default_dtype
from .engine.misuse import misuse
from .engine.options import whole
from .engine.tensor import Tensor, assign
from .functions.random import Generator

Rule = Callable[..., Any]
Shape = tuple[int, ...]
Seed = int | Generator | None


def generator_from(seed: Seed) -> Generator:
    """Return the generator given, one from an integer, or for None one new in every run."""
    if isinstance(seed, Generator):
        return seed
    return Generator(secrets.randbits(63) if seed is None else seed)


def seeded(owner: Any, seed: Seed) -> Generator:
    """Return what `generator_from` does; a seed that is none is told in the owner's name."""
    if seed is not None and not isinstance(seed, Generator):
        seed = whole(owner, "seed", seed, 0)
    return generator_from(seed)


def fans(shape: Shape) -> tuple[int, int]:
    """Return (inputs, outputs) that one unit of a weight (out, in, *kernel) is connected to."""
    if len(shape) < 2:
        raise ValueError(f"fan in and fan out need a weight of two or more axes, got shape {shape}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor that keeps activations' variance through a nonlinearity, as PyTorch."""
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    gains = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}
    gains |= {"conv1d": 1.0, "conv2d": 1.0}
    if nonlinearity not in gains:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}; known: {sorted(gains)}")
    return gains[nonlinearity]


def constant(shape: Shape, value: float = 0.0, *, generator: Seed = None, dtype: Any = None) -> Any:
    """Return `value` everywhere."""
    return np.full(shape, value, dtype or get_default_dtype())


def zeros(shape: Shape, *, generator: Seed = None, dtype: Any = None) -> Any:
    """Return zeros everywhere."""
    return constant(shape, 0.0, dtype=dtype)


def ones(shape: Shape, *, generator: Seed = None, dtype: Any = None) -> Any:
    """Return ones everywhere."""
    return constant(shape, 1.0, dtype=dtype)


def uniform(
    shape: Shape, low: float = 0.0, high: float = 1.0, *, generator: Seed = None, dtype: Any = None
) -> Any:
    """Draw independently from U(low, high)."""
    draw = generator_from(generator).uniform(shape, low, high, np.float64, "cpu")
    return _array(draw._array, dtype)


def normal(
    shape: Shape, mean: float = 0.0, std: float = 1.0, *, generator: Seed = None, dtype: Any = None
) -> Any:
    """Draw independently from N(mean, std²)."""
    draw = generator_from(generator).normal(shape, std, mean, np.float64, "cpu")
    return _array(draw._array, dtype)


def xavier_uniform(
    shape: Shape, gain: float = 1.0, *, generator: Seed = None, dtype: Any = None
) -> Any:
    """Draw from U(−b, b) with b = gain·√(6 / (fan_in + fan_out)) (Glorot & Bengio 2010)."""
    bound = gain * math.sqrt(6 / sum(fans(shape)))
    return uniform(shape, -bound, bound, generator=generator, dtype=dtype)


def xavier_normal(
    shape: Shape, gain: float = 1.0, *, generator: Seed = None, dtype: Any = None
) -> Any:
    """Draw from N(0, s²) with s = gain·√(2 / (fan_in + fan_out))."""
    std = gain * math.sqrt(2 / sum(fans(shape)))
    return normal(shape, 0.0, std, generator=generator, dtype=dtype)


def kaiming_uniform(
    shape: Shape,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: Seed = None,
    dtype: Any = None,
) -> Any:
    """Draw from U(−b, b) with b = gain·√(3 / fan) (He et al. 2015)."""
    bound = math.sqrt(3) * _kaiming_std(shape, a, mode, nonlinearity)
    return uniform(shape, -bound, bound, generator=generator, dtype=dtype)


def kaiming_normal(
    shape: Shape,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: Seed = None,
    dtype: Any = None,
) -> Any:
    """Draw from N(0, s²) with s = gain / √fan."""
    std = _kaiming_std(shape, a, mode, nonlinearity)
    return normal(shape, 0.0, std, generator=generator, dtype=dtype)


def _kaiming_std(shape: Shape, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    fan = fans(shape)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


def orthogonal(
    shape: Shape, gain: float = 1.0, *, generator: Seed = None, dtype: Any = None
) -> Any:
    """Return gain·Q with orthonormal rows or columns, whichever are fewer; uniform over such
    matrices."""
    if len(shape) < 2:
        raise ValueError(f"Only tensors with 2 or more dimensions are supported, got shape {shape}")
    rows, columns = shape[0], math.prod(shape[1:])
    tall = normal((max(rows, columns), min(rows, columns)), generator=generator, dtype=np.float64)
    q, r = np.linalg.qr(tall)
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)  # without the signs Q is not uniform
    return _array(gain * (q if rows >= columns else q.T).reshape(shape), dtype)


def identity(shape: Shape, gain: float = 1.0, *, generator: Seed = None, dtype: Any = None) -> Any:
    """Return gain·I; with ReLU and zero bias the IRNN of Le, Jaitly & Hinton (2015)."""
    if len(shape) != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, got shape {shape}")
    return gain * np.eye(*shape, dtype=dtype or get_default_dtype())


def sparse(
    shape: Shape, sparsity: float, std: float = 0.01, *, generator: Seed = None, dtype: Any = None
) -> Any:
    """Draw from N(0, std²) with ⌈sparsity·rows⌉ entries of every column set to 0 (Martens 2010)."""
    if len(shape) != 2 or not 0 <= sparsity <= 1:
        raise ValueError(f"need two axes and 0 <= sparsity <= 1, got {shape} and {sparsity}")
    order = np.argsort(uniform(shape, generator=(g := generator_from(generator))), axis=0)
    dropped = np.argsort(order, axis=0) < math.ceil(sparsity * shape[0])
    return np.where(dropped, 0, normal(shape, 0.0, std, generator=g, dtype=dtype))


def _array(values: Any, dtype: Any) -> Any:
    return np.asarray(values, dtype or get_default_dtype())


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (constant, zeros, ones, uniform, normal, xavier_uniform, xavier_normal)
    + (kaiming_uniform, kaiming_normal, orthogonal, identity, sparse)
}


def _refilling(rule: Rule, name: str) -> Rule:
    """Return what refills a Tensor by a rule: with the rule's own options but shape and dtype."""
    _, *options = inspect.signature(rule).parameters.values()
    place = inspect.Parameter.POSITIONAL_OR_KEYWORD
    tensor = inspect.Parameter("tensor", place, annotation="Tensor")
    taken = [tensor, *(p for p in options if p.name != "dtype")]
    signature = inspect.Signature(taken, return_annotation="Tensor")

    def refill(*args: Any, **options: Any) -> Tensor:
        try:
            given = signature.bind(*args, **options).arguments
        except TypeError:
            raise misuse(name, signature, args, options) from None
        tensor = given.pop("tensor")
        return assign(tensor, rule(tuple(tensor.shape), dtype=tensor.dtype, **given))

    refill.__name__ = refill.__qualname__ = name
    refill.__doc__ = f"Refill a Tensor and return it: {rule.__doc__ or name}"
    refill.__signature__ = signature  # type: ignore[attr-defined]
    return refill


constant_ = _refilling(constant, "constant_")
uniform_ = _refilling(uniform, "uniform_")
normal_ = _refilling(normal, "normal_")
xavier_uniform_ = _refilling(xavier_uniform, "xavier_uniform_")
xavier_normal_ = _refilling(xavier_normal, "xavier_normal_")
kaiming_uniform_ = _refilling(kaiming_uniform, "kaiming_uniform_")
kaiming_normal_ = _refilling(kaiming_normal, "kaiming_normal_")
orthogonal_ = _refilling(orthogonal, "orthogonal_")
eye_ = _refilling(identity, "eye_")
sparse_ = _refilling(sparse, "sparse_")
zeros_ = _refilling(zeros, "zeros_")
ones_ = _refilling(ones, "ones_")


def values(what: Any, shape: Shape, generator: Seed = None, dtype: Any = None) -> Any:
    """Return an array of `shape` from a rule's name, (name, options), a number, an array or a
    function."""
    if isinstance(what, tuple):
        name, options = what
        return _named(name)(shape, generator=generator, dtype=dtype, **options)
    if isinstance(what, str):
        return _named(what)(shape, generator=generator, dtype=dtype)
    if callable(what):
        what = what(shape, generator=generator)
    array = _array(what, dtype)
    if array.shape not in ((), tuple(shape)):
        raise ValueError(f"initial values of shape {array.shape} given for a block of {shape}")
    return np.broadcast_to(array, shape).astype(dtype or array.dtype)


def _named(name: str) -> Rule:
    if name not in RULES:
        raise ValueError(f"unknown initialisation {name!r}; known: {', '.join(sorted(RULES))}")
    return RULES[name]


def apply(cell: Any, spec: dict[str, Any], generator: Seed = None) -> None:
    """Draw a cell's weights anew: keys "hh", "ih", "bias" mean every gate, "f.hh" one alone.

    Named gates win over all gates whatever the order, so {"f.bias": 1, "bias": 0} does what it
    says.
    """
    generator = generator_from(generator)
    for key in sorted(spec, key=lambda k: "." in k):
        gate, _, part = key.rpartition(".")
        for name in (gate,) if gate else cell.gate_names:
            cell.gate(name).fill(part, spec[key], generator)


def chrono_(cell: Any, longest: int, generator: Seed = None) -> None:
    """Set biases so that a cell remembers for up to `longest` steps (Tallec & Ollivier 2018).

    A gate that keeps gets b = log U(1, longest − 1); the gate that writes, if it is separate, gets
    −b.
    """
    if longest < 3:
        raise ValueError(f"chrono needs a memory of at least 3 steps, got {longest}")
    keep, write = cell.keeping_gate()
    span = uniform((cell.hidden_size,), 1.0, longest - 1.0, generator=generator, dtype=np.float64)
    bias = np.log(span)
    for name, value in ((keep, bias), (write, -bias)):
        if name is not None:
            cell.gate(name).fill("bias", value)


def __getattr__(name: str) -> NoReturn:
    """Say what to use instead of a name that is missing here."""
    signpost(__name__, name, list(globals()))
