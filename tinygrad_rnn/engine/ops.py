"""List every primitive, its computation beside its gradient rules; `functions` builds on it.

A rule is `(g, y, *inputs, **params) -> gradient`, one per input, with `g` the gradient of the
result `y`. Rules are written with primitives and operators, so on arrays they compute and on
Tensors they build a graph. They need not undo broadcasting: `backward` sums a gradient to its
input's shape, or spreads it there. What is made of these, with no rule of its own, is in
`functions/`.

A row is all there is to an operation: `casts` brings inputs to one dtype, `keeps` says which arrays
its rules read, `writes` how it is written, `doc` what `help` says of it.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from . import compute, dtypes
from .accumulate import PendingMatmul, SlicedGradient
from .arrays import Array, is_array, library_of, move
from .compute import ENOUGH, MANY, ONE, choose, multiply_rows, place_of, square, whole
from .primitive import primitive
from .tensor import Tensor, wrap

SCALARS: Any = (int, float, np.generic)
SQRT_PI = float(np.sqrt(np.pi))


# Pieces of rules. Each is polymorphic: on arrays it computes, on Tensors it is a graph
def zero(g: Any) -> Any:
    """Return a gradient of nothing, to be spread to any shape."""
    return (
        wrap(zero(g._array), None) if isinstance(g, Tensor) else library_of(g).xp.zeros((), g.dtype)
    )


def unreduced(g: Any, a: Any, axis: Any, keepdims: bool) -> Any:
    """Return `g` with the reduced axes back as ones, so that it broadcasts against `a`."""
    if keepdims or axis is None:
        return g
    axes = {i % a.ndim for i in (axis if isinstance(axis, tuple) else (axis,))}
    return g.reshape(tuple(1 if i in axes else n for i, n in enumerate(a.shape)))


def even_split(g: Any, y: Any, a: Any, axis: Any, keepdims: bool) -> Any:
    """Return the gradient of an extreme value, shared evenly among the entries that reach it."""
    y = unreduced(y, a, axis, keepdims)
    ties = where(isnan(y), isnan(a), a == y).astype(g.dtype)
    return unreduced(g, a, axis, keepdims) * ties / ties.sum(axis=axis, keepdims=True)


def flipped(x: Any, axis: int) -> Any:
    return x[(slice(None),) * (axis % x.ndim) + (slice(None, None, -1),)]


def compute_sigmoid(a: Array) -> Array:
    """Return eᵃ / (1 + eᵃ), right to 4 units in the last place wherever σ is a number at all.

    ½ + ½ tanh(a/2) has on the left only what tanh leaves of -1: at -17 half of float32 is gone.
    """
    if type(a) is not np.ndarray or not a.ndim:
        return sigmoid_of_any(a)
    if a.size < MANY or not a.max() <= ENOUGH[a.dtype]:  # NaN is not below it either
        a = np.minimum(a, ENOUGH[a.dtype])
    e = np.exp(a)
    return np.divide(e, e + ONE[a.dtype], e)


def sigmoid_of_any(a: Any) -> Any:
    """Return σ of a NumPy scalar or another library's array: all that cannot be written into."""
    one = a.dtype.type(1)  # NumPy 1 would make float64 of a 0-d float32 and a Python number
    e = np.exp(np.minimum(a, one * ENOUGH[a.dtype]))
    return e / (e + one)


def through_sigmoid(g: Any, y: Any) -> Any:
    """Return g ∘ y ∘ (1 − y) of NumPy arrays with one allocation."""
    if type(g) is not np.ndarray or not g.ndim or y.dtype not in ONE:
        return g * (y * (1 - y))
    slope = ONE[y.dtype] - y
    slope *= y
    slope *= g
    return slope


def through_tanh(g: Any, y: Any) -> Any:
    """Return g ∘ (1 − y²) of NumPy arrays with one allocation."""
    if type(g) is not np.ndarray or not g.ndim or y.dtype not in ONE:
        return g * (1 - y * y)
    slope = y * y
    np.subtract(ONE[y.dtype], slope, slope)
    slope *= g
    return slope


def _t(x: Any) -> Any:
    return x.T if x.ndim == 2 else x.swapaxes(-1, -2)


def _to_left(g: Any, y: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return g[..., None] * b
    if a.ndim == 1:
        return (g[..., None, :] @ _t(b))[..., 0, :]
    return multiply_rows(g, _t(b)) if g.ndim > 2 and is_array(g) else g @ _t(b)


def _to_right(g: Any, y: Any, a: Any, b: Any) -> Any:
    if a.ndim == 1:
        return a * g if b.ndim == 1 else a[:, None] * g[..., None, :]
    if b.ndim == 1:
        return (_t(a) @ g[..., None])[..., 0]
    if b.ndim > 2:
        return _t(a) @ g
    if a.ndim > 2:  # all rows at once; their number is not -1: of an empty array none can tell it
        rows = math.prod(a.shape[:-1])
        a, g = a.reshape((rows, a.shape[-1])), g.reshape((rows, g.shape[-1]))
    if isinstance(g, Tensor) or isinstance(a, Tensor):
        return a.T @ g
    return PendingMatmul(a, g)


def _part(k: int, g: Any, y: Any, *inputs: Any, axis: int) -> Any:
    """Return the k-th input's share of the gradient of a concatenation."""
    start = sum(x.shape[axis] for x in inputs[:k])
    return g[(slice(None),) * (axis % g.ndim) + (slice(start, start + inputs[k].shape[axis]),)]


def _einsum_share(k: int, g: Any, y: Any, *inputs: Any, subscripts: str) -> Any:
    """Return the k-th input's gradient: the same contraction with the result in its place."""
    names, out = subscripts.split("->")
    terms = names.split(",")
    others = [t for i, t in enumerate(terms) if i != k]
    present = [c for c in terms[k] if c in set("".join([out, *others]))]
    rest = [x for i, x in enumerate(inputs) if i != k]
    share = einsum(g, *rest, subscripts=f"{','.join([out, *others])}->{''.join(present)}")
    sizes = [n if c in present else 1 for c, n in zip(terms[k], inputs[k].shape, strict=True)]
    return share.reshape(tuple(sizes))


def spread(g: Any, a: Any, index: tuple) -> Any:
    """Return what `a[index]` sends back to `a`: a SlicedGradient for arrays, `put` for Tensors."""
    if isinstance(g, Tensor):
        return put(g, index=index, shape=a.shape, dtype=a.dtype)
    return SlicedGradient(g, index, a)


# fmt: off
# name                  computation      gradient of the first input       of the second
# ---------------------------------------------------------------------------------------------------
add = primitive("add",  np.add,          lambda g, y, a, b: g,             lambda g, y, a, b: g,      casts=dtypes.promoted, writes="a + b")
sub = primitive("sub",  np.subtract,     lambda g, y, a, b: g,             lambda g, y, a, b: -g,     casts=dtypes.promoted, writes="a − b")
mul = primitive("mul",  np.multiply,     lambda g, y, a, b: g * b,         lambda g, y, a, b: g * a,  keeps="ab", casts=dtypes.promoted, writes="a ∘ b")
div = primitive("div",  np.true_divide,  lambda g, y, a, b: g / b,         lambda g, y, a, b: -g * y / b, keeps="yb", casts=dtypes.as_floats, writes="a / b",
    doc="Divide entry by entry; whole numbers give real ones.")
neg = primitive("neg",  np.negative,     lambda g, y, a: -g, writes="−a")
power = primitive("power", np.power,
    lambda g, y, a, b: g * power_slope(a, b),
    lambda g, y, a, b: g * (y * power_log(a, b)), keeps="yab", casts=dtypes.counted, writes="a^b",
    doc="Raise `a` to the power `b`, entry by entry.")
maximum = primitive("maximum", np.maximum,
    lambda g, y, a, b: split_at_ties(g, a, b, y),         lambda g, y, a, b: split_at_ties(g, b, a, y), keeps="yab", casts=dtypes.promoted, writes="max(a, b)",
    doc="Take the larger of each two entries; NaN wins, and ties share the gradient.")
minimum = primitive("minimum", np.minimum,
    lambda g, y, a, b: split_at_ties(g, a, b, y),         lambda g, y, a, b: split_at_ties(g, b, a, y), keeps="yab", casts=dtypes.promoted, writes="min(a, b)",
    doc="Take the smaller of each two entries; NaN wins, and ties share the gradient.")
fmod = primitive("fmod", np.fmod,        lambda g, y, a, b: g,             lambda g, y, a, b: -g * nearest((a - y) / b), keeps="yab", casts=dtypes.divided, writes="fmod(a, b)",
    doc="Return the remainder of a / b with the sign of `a`.")
remainder = primitive("remainder", np.remainder,
                                         lambda g, y, a, b: g,             lambda g, y, a, b: -g * nearest((a - y) / b), keeps="yab", casts=dtypes.divided,
    doc="Return the remainder of a / b with the sign of `b`, as Python's % does.")
atan2 = primitive("atan2", np.arctan2,   lambda g, y, a, b: g * turned(b, a, b), lambda g, y, a, b: -g * turned(a, a, b), keeps="ab", casts=dtypes.as_floats,
    doc="Return the angle of the point (b, a).")
hypot = primitive("hypot", np.hypot,     lambda g, y, a, b: g * (a / y),   lambda g, y, a, b: g * (b / y), keeps="yab", casts=dtypes.as_floats,
    doc="Return √(a² + b²) without overflow.")
logaddexp = primitive("logaddexp", np.logaddexp,
                                         lambda g, y, a, b: g * sigmoid(a - b), lambda g, y, a, b: g * sigmoid(b - a), keeps="ab", casts=dtypes.as_floats,
    doc="Return log(eᵃ + eᵇ) without overflow.")
xlogy = primitive("xlogy", lambda a, b: dtypes.unwidened(np.where(a == 0, np.where(np.isnan(b), b, a * 0), a * np.log(np.where(a == 0, b.dtype.type(1), b))), [a, b]),
    lambda g, y, a, b: g * log(where(logical_and(equal(a, 0), less_equal(b, 0)), 1.0, b)),
    lambda g, y, a, b: g * a / b, keeps="ab", casts=dtypes.typed_floats,
    doc="Return a · log(b), and 0 where `a` is 0.")

abs = absolute = primitive("abs", np.abs,     lambda g, y, a: g * sign(a), keeps="a", writes="|a|")
sqrt = primitive("sqrt",     np.sqrt,    lambda g, y, a: g * 0.5 / y, keeps="y", casts=dtypes.as_floats, writes="√(a)")
exp = primitive("exp",       np.exp,     lambda g, y, a: g * y, keeps="y", casts=dtypes.as_floats)
log = primitive("log",       np.log,     lambda g, y, a: g / a, keeps="a", casts=dtypes.as_floats)
expm1 = primitive("expm1",   np.expm1,   lambda g, y, a: g * exp(a), keeps="a", casts=dtypes.as_floats,
    doc="Return eᵃ − 1, exact for small `a`.")
log1p = primitive("log1p",   np.log1p,   lambda g, y, a: g / (a + 1), keeps="a", casts=dtypes.as_floats,
    doc="Return log(1 + a), exact for small `a`.")
sin = primitive("sin",       np.sin,     lambda g, y, a: g * cos(a), keeps="a", casts=dtypes.as_floats)
cos = primitive("cos",       np.cos,     lambda g, y, a: -g * sin(a), keeps="a", casts=dtypes.as_floats)
tan = primitive("tan",       np.tan,     lambda g, y, a: g * (1 + y * y), keeps="y", casts=dtypes.as_floats)
asin = primitive("asin",     np.arcsin,  lambda g, y, a: g / sqrt((1 - a) * (1 + a)), keeps="a", casts=dtypes.as_floats)
acos = primitive("acos",     np.arccos,  lambda g, y, a: -g / sqrt((1 - a) * (1 + a)), keeps="a", casts=dtypes.as_floats)
atan = primitive("atan",     np.arctan,  lambda g, y, a: g / (1 + square(a)), keeps="a", casts=dtypes.as_floats)
sinh = primitive("sinh",     np.sinh,    lambda g, y, a: g * cosh(a), keeps="a", casts=dtypes.as_floats)
cosh = primitive("cosh",     np.cosh,    lambda g, y, a: g * sinh(a), keeps="a", casts=dtypes.as_floats)
asinh = primitive("asinh",   np.arcsinh, lambda g, y, a: g / sqrt(1 + square(a)), keeps="a", casts=dtypes.as_floats)
atanh = primitive("atanh",   np.arctanh, lambda g, y, a: g / (1 - square(a)), keeps="a", casts=dtypes.as_floats)
tanh = primitive("tanh",     np.tanh,    lambda g, y, a: through_tanh(g, y), keeps="y", casts=dtypes.as_floats)
sigmoid = primitive("sigmoid", compute_sigmoid, lambda g, y, a: through_sigmoid(g, y), keeps="y", casts=dtypes.as_floats, writes="σ(a)",
    doc="Return 1 / (1 + e⁻ᵃ) of each entry, between 0 and 1.")
erf = primitive("erf", lambda a: library_of(a).erf(a), lambda g, y, a: g * exp(-square(a)) * (2 / SQRT_PI), keeps="a", casts=dtypes.as_floats,
    doc="Return the error function of each entry.")
relu = primitive("relu", lambda a: np.maximum(a, a.dtype.type(0)), lambda g, y, a: where(less_equal(y, 0), 0.0, g), keeps="y", writes="max(0, a)")
clamp = primitive("clamp", lambda a, low, high: dtypes.cast(np.clip(a, low, high), a.dtype),
    lambda g, y, a, low, high: where(_within(a, low, high), g, 0.0), keeps="a")
sign = primitive("sign",     np.sign,    lambda g, y, a: zero(g),
    doc="Return −1, 0 or 1 for the sign of each entry.")
floor = primitive("floor",   whole(np.floor), lambda g, y, a: zero(g),
    doc="Round each entry down.")
ceil = primitive("ceil",    whole(np.ceil), lambda g, y, a: zero(g),
    doc="Round each entry up.")
trunc = primitive("trunc",   whole(np.trunc), lambda g, y, a: zero(g),
    doc="Round each entry towards 0.")
rounded = primitive("round",   whole(np.round), lambda g, y, a, decimals: zero(g))
where = primitive("where",   choose,     lambda g, y, c, a, b: zero(g),
    lambda g, y, c, a, b: where(c, g, 0.0),  lambda g, y, c, a, b: where(c, 0.0, g), keeps="c", casts=dtypes.branches, writes="a where c, else b",
    doc="Take `a` where the condition `c` holds, else `b`.")

# Reductions and scans
total = primitive("sum", compute.total,     lambda g, y, a, axis, keepdims: unreduced(g, a, axis, keepdims), writes="Σ(a)")
amax = primitive("amax", lambda a, axis, keepdims: a.max(axis=axis, keepdims=keepdims), even_split, keeps="ya", writes="max(a)")
amin = primitive("amin", lambda a, axis, keepdims: a.min(axis=axis, keepdims=keepdims), even_split, keeps="ya", writes="min(a)")
cumsum = primitive("cumsum", compute.cumsum,
    lambda g, y, a, axis: flipped(cumsum(flipped(g, axis), axis=axis), axis))
softmax = primitive("softmax", compute.softmax, lambda g, y, a, axis: y * (g - (g * y).sum(axis=axis, keepdims=True)), keeps="y", casts=dtypes.as_floats)
log_softmax = primitive("log_softmax", compute.log_softmax,
    lambda g, y, a, axis: g - exp(y) * g.sum(axis=axis, keepdims=True), keeps="y", casts=dtypes.as_floats, writes="log softmax(a)")

# Products
matmul = primitive("matmul", lambda a, b: np.matmul(a, b) if a.ndim < 3 else multiply_rows(a, b), _to_left,                        _to_right, keeps="ab", casts=dtypes.multiplied, writes="a @ b",
    doc="Multiply matrices, vectors or batches of them.")
einsum = primitive("einsum", compute.einstein, each=_einsum_share, keeps="all", casts=dtypes.multiplied)

# Shapes and places
reshape = primitive("reshape", lambda a, shape: a.reshape(shape), lambda g, y, a, shape: g.reshape(a.shape))
transpose = primitive("transpose", lambda a, axes: a.transpose(axes),
    lambda g, y, a, axes: transpose(g, axes=tuple(sorted(range(len(axes)), key=axes.__getitem__))), postpones=PendingMatmul, writes="aᵀ")
broadcast_to = primitive("broadcast_to", lambda a, shape: np.broadcast_to(a, shape), lambda g, y, a, shape: g, writes="copies of a")
getitem = primitive("getitem", lambda a, index: a[index], lambda g, y, a, index: spread(g, a, index), writes="a[…]")
put = primitive("put", compute.put, lambda g, y, a, index, shape, dtype: g[index], writes="a put at […], else 0")
concatenate = primitive("concatenate", lambda *a, axis: np.concatenate(a, axis=axis), each=_part, casts=dtypes.together, writes="[*]")
stack = primitive("stack", lambda *a, axis: np.stack(a, axis=axis),
    each=lambda k, g, y, *a, axis: g[(slice(None),) * (axis % g.ndim) + (k,)], casts=dtypes.together)
astype = primitive("astype", lambda a, dtype: a.astype(dtype), lambda g, y, a, dtype: g)
clone = primitive("clone", lambda a: a if a.flags.c_contiguous else a.copy("K"), lambda g, y, a: g,
    doc="Return the same values as a node of its own.")
transfer = primitive("transfer", lambda a, device: move(a, device),
    lambda g, y, a, device: transfer(g, device=library_of(getattr(a, "_array", a)).device), keeps="a")

# No gradient flows through these
equal = primitive("equal", np.equal, casts=dtypes.compared, writes="a = b")
not_equal = primitive("not_equal", np.not_equal, casts=dtypes.compared, writes="a ≠ b")
less = primitive("less", np.less, casts=dtypes.compared, writes="a < b")
less_equal = primitive("less_equal", np.less_equal, casts=dtypes.compared, writes="a ≤ b")
greater = primitive("greater", np.greater, casts=dtypes.compared, writes="a > b")
greater_equal = primitive("greater_equal", np.greater_equal, casts=dtypes.compared, writes="a ≥ b")
logical_and = primitive("logical_and", np.logical_and, writes="a and b",
    doc="Tell where both hold; a number holds unless it is 0.")
logical_or = primitive("logical_or", np.logical_or, writes="a or b",
    doc="Tell where one of them holds; a number holds unless it is 0.")
logical_xor = primitive("logical_xor", np.logical_xor, writes="xor(a, b)",
    doc="Tell where exactly one of them holds.")
logical_not = primitive("logical_not", np.logical_not, writes="not(a)")
isnan = primitive("isnan", np.isnan,
    doc="Tell which entries are NaN.")
isinf = primitive("isinf", np.isinf,
    doc="Tell which entries are infinite.")
isfinite = primitive("isfinite", np.isfinite,
    doc="Tell which entries are neither infinite nor NaN.")
all_of = primitive("all", lambda a, axis, keepdims: np.all(a, axis=axis, keepdims=keepdims))
any_of = primitive("any", lambda a, axis, keepdims: np.any(a, axis=axis, keepdims=keepdims))
argmax = primitive("argmax", place_of(np.argmax))
argmin = primitive("argmin", place_of(np.argmin))
argsort = primitive("argsort", place_of(partial(np.argsort, kind="stable")))
# fmt: on

# A primitive that takes tensors alone (one-letter names) is public, and a method; one with options
# is dressed by a function of `functions/`
__all__ = sorted(
    {f.op.name for f in list(globals().values())
     if hasattr(f, "op") and f.op.bare}
)  # fmt: skip


def power_slope(a: Any, b: Any) -> Any:
    """Return b aᵇ⁻¹, and 0 where b is 0, even if a is too."""
    if isinstance(b, SCALARS):
        return b * power(a, b - 1) if b else zero(a)
    none = equal(b, 0)
    return where(none, 0.0, b * power(a, where(none, 1.0, b - 1)))


def power_log(a: Any, b: Any) -> Any:
    """Return log a, and 0 where a is 0 and b is not negative: there aᵇ does not change with b."""
    if isinstance(a, SCALARS) and a > 0:
        return math.log(a)
    return log(where(logical_and(equal(a, 0), greater_equal(b, 0)), 1.0, a))


def split_at_ties(g: Any, a: Any, b: Any, y: Any) -> Any:
    """Return g where `a` is the extreme `y`, half of it where `b` is too, 0 elsewhere."""
    # half to each: with all to both, maximum(x, x) had slope 2
    return where(equal(a, b), g * 0.5, where(logical_or(equal(a, y), isnan(a)), g, 0.0))


def turned(x: Any, a: Any, b: Any) -> Any:
    """Return x / (a² + b²) without the squares, which may be no numbers, and 0 at the origin."""
    length = hypot(a, b)
    none = equal(length, 0)
    length = where(none, 1.0, length)
    return where(none, 0.0, x / length / length)


def nearest(x: Any) -> Any:
    """Return the whole number that `x` is but for rounding."""
    return floor(x + 0.5)


def _within(a: Any, low: Any, high: Any) -> Any:
    inside = equal(a, a) if low is None else greater_equal(a, low)
    return inside if high is None else logical_and(inside, less_equal(a, high))
