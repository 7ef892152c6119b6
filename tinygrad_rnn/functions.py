"""Functions made of primitives: reductions, activations, norms. None has a rule of its own.

Axes may be called `axis` or `dim`, and kept axes `keepdims` or `keepdim`. Where two libraries
disagree about a gradient at a corner, PyTorch's value holds; the tests list every such corner.
"""

from __future__ import annotations

import math
from builtins import abs as magnitude
from typing import Any

import numpy as np

from . import ops
from .backend import get_default_dtype
from .ops import (
    absolute,
    equal,
    exp,
    expm1,
    log,
    logaddexp,
    maximum,
    power,
    sigmoid,
    sqrt,
    tanh,
    total,
    where,
)  # fmt: skip
from .shapes import ValuesIndices, axis_of, flatten, narrow, take_along_dim
from .tensor import Tensor, wrap

SQRT_HALF = math.sqrt(0.5)


def _axes(x: Tensor, axis: Any, dim: Any) -> Any:
    """None, one axis or a tuple of axes, counted from the front and checked."""
    named = dim if axis is None else axis
    if named is None or (isinstance(named, (tuple, list)) and not len(named)):
        return None
    if isinstance(named, (tuple, list)):
        axes = tuple(axis_of(x, a) for a in named)
        if len(set(axes)) < len(axes):
            raise ValueError(f"an axis appears twice in {tuple(named)}")
        return axes if x.ndim else None
    first = axis_of(x, named)
    return first if x.ndim else None


def _count(x: Tensor, axis: Any) -> int:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return math.prod(x.shape[a] for a in axes)


def _nonempty(name: str, x: Tensor, axis: Any) -> None:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    for a in axes:
        if x.shape[a] == 0:
            raise ValueError(f"{name}() of an empty axis (shape {x.shape}, dim {a})")


def sum(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
        keepdim: bool = False) -> Tensor:  # fmt: skip
    """The sum over all axes or those named; booleans are counted."""
    x = x.astype(np.int64) if x.dtype.kind == "b" else x
    return total(x, axis=_axes(x, axis, dim), keepdims=keepdims or keepdim)


def mean(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
         keepdim: bool = False) -> Tensor:  # fmt: skip
    """The mean; NaN of nothing."""
    axes, keep = _axes(x, axis, dim), keepdims or keepdim
    if x.dtype == np.float16:  # the sum may exceed what half precision holds
        return mean(x.astype(np.float32), axes, keep).astype(np.float16)
    x = x if x.dtype.kind == "f" else x.astype(get_default_dtype())
    n = _count(x, axes)
    return total(x, axis=axes, keepdims=keep) * (1 / n if n else math.nan)


def var(x: Tensor, axis: Any = None, ddof: int = 1, keepdims: bool = False, *, dim: Any = None,
        keepdim: bool = False, correction: int | None = None) -> Tensor:  # fmt: skip
    """The variance from two passes, divided by n - ddof (1 as in PyTorch; NumPy has 0)."""
    return var_mean(x, axis, ddof, keepdims, dim=dim, keepdim=keepdim, correction=correction)[0]


def var_mean(x: Tensor, axis: Any = None, ddof: int = 1, keepdims: bool = False, *,
             dim: Any = None, keepdim: bool = False,
             correction: int | None = None) -> tuple[Tensor, Tensor]:  # fmt: skip
    """(variance, mean)."""
    axes, keep = _axes(x, axis, dim), keepdims or keepdim
    if x.dtype == np.float16:
        both = var_mean(x.astype(np.float32), axes, ddof, keep, correction=correction)
        return both[0].astype(np.float16), both[1].astype(np.float16)
    middle = mean(x, axes, keepdims=True)
    n = _count(x, axes) - (ddof if correction is None else correction)
    away = x - middle
    variance = total(away * away, axis=axes, keepdims=keep) * (1 / n if n > 0 else math.nan)
    return variance, middle if keep else middle.reshape(variance.shape)


def std(x: Tensor, axis: Any = None, ddof: int = 1, keepdims: bool = False, **names: Any) -> Tensor:
    """The square root of `var`; its gradient at constant input is 0, not NaN."""
    return safe_sqrt(var(x, axis, ddof, keepdims, **names))


def std_mean(x: Tensor, axis: Any = None, ddof: int = 1, keepdims: bool = False,
             **names: Any) -> tuple[Tensor, Tensor]:  # fmt: skip
    variance, middle = var_mean(x, axis, ddof, keepdims, **names)
    return safe_sqrt(variance), middle


def safe_sqrt(x: Tensor) -> Tensor:
    """The square root with gradient 0 at 0. The inner `where` keeps the infinite slope out."""
    zero = equal(x, 0)
    return where(zero, 0.0, sqrt(where(zero, 1.0, x)))


def prod(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: int | None = None,
         keepdim: bool = False) -> Tensor:  # fmt: skip
    """The product. Halves multiply each other, so zeros leave every gradient exact."""
    axis = _axes(x, axis, dim)
    keep = keepdims or keepdim
    if axis is None:
        return prod(flatten(x), 0).reshape((1,) * x.ndim if keep else ())
    y = x
    while y.shape[axis] > 1:
        half = y.shape[axis] // 2
        pairs = narrow(y, axis, 0, half) * narrow(y, axis, half, half)
        rest = y.shape[axis] - 2 * half
        y = ops.concatenate(pairs, narrow(y, axis, 2 * half, rest), axis=axis) if rest else pairs
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    y = y if y.shape[axis] else x.sum(axis, keepdims=True) + 1
    return y if keep else y.reshape(shape[:axis] + shape[axis + 1 :])


def amax(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
         keepdim: bool = False) -> Tensor:  # fmt: skip
    """The largest value; ties share the gradient evenly."""
    axis = _axes(x, axis, dim)
    _nonempty("max", x, axis)
    return ops.amax(x, axis=axis, keepdims=keepdims or keepdim)


def amin(x: Tensor, axis: Any = None, keepdims: bool = False, **names: Any) -> Tensor:
    """The smallest value; ties share the gradient evenly."""
    return -amax(-x, axis, keepdims, **names)


def max(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
        keepdim: bool = False) -> Any:  # fmt: skip
    """Over everything: the largest value. Along an axis: (values, indices), of ties the first."""
    if isinstance(axis, Tensor):
        return maximum(x, axis)
    if axis is None and dim is None:
        return amax(x, None, keepdims or keepdim)
    return _extreme(argmax, x, dim if axis is None else axis, keepdims or keepdim)


def min(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
        keepdim: bool = False) -> Any:  # fmt: skip
    """Over everything: the smallest value. Along an axis: (values, indices), of ties the first."""
    if isinstance(axis, Tensor):
        return ops.minimum(x, axis)
    if axis is None and dim is None:
        return amin(x, None, keepdims or keepdim)
    return _extreme(argmin, x, dim if axis is None else axis, keepdims or keepdim)


def _extreme(where_is: Any, x: Tensor, axis: int, keep: bool) -> ValuesIndices:
    places = where_is(x, axis, keepdims=True)
    values = take_along_dim(x, places, axis) if x.ndim else x
    if keep or not x.ndim:
        return ValuesIndices(values, places)
    return ValuesIndices(values.squeeze(axis), places.squeeze(axis))


def argmax(x: Tensor, axis: int | None = None, keepdims: bool = False, *, dim: int | None = None,
           keepdim: bool = False) -> Tensor:  # fmt: skip
    """Where the largest value is, the first of several; over all axes: in the flattened tensor."""
    axis = _axes(x, axis, dim)
    _nonempty("argmax", x, axis)
    y = ops.argmax(x, axis=axis)
    return y if not (keepdims or keepdim) or axis is None else y.unsqueeze(axis)


def argmin(x: Tensor, axis: int | None = None, keepdims: bool = False, *, dim: int | None = None,
           keepdim: bool = False) -> Tensor:  # fmt: skip
    """Where the smallest value is, the first of several."""
    axis = _axes(x, axis, dim)
    _nonempty("argmin", x, axis)
    y = ops.argmin(x, axis=axis)
    return y if not (keepdims or keepdim) or axis is None else y.unsqueeze(axis)


def all(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None) -> Tensor:
    return ops.all_of(x, axis=_axes(x, axis, dim), keepdims=keepdims)


def any(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None) -> Tensor:
    return ops.any_of(x, axis=_axes(x, axis, dim), keepdims=keepdims)


def logsumexp(x: Tensor, axis: Any = None, keepdims: bool = False, *, dim: Any = None,
              keepdim: bool = False) -> Tensor:  # fmt: skip
    """log Σ exp, finite wherever the answer is; -inf of nothing."""
    axes, keep = _axes(x, axis, dim), keepdims or keepdim
    if not _count(x, axes):
        return log(total(exp(x), axis=axes, keepdims=keep))
    top = ops.amax(x.detach(), axis=axes, keepdims=True)
    top = where(ops.isfinite(top), top, 0.0)
    y = log(total(exp(x - top), axis=axes, keepdims=True)) + top
    return y if keep else y.reshape(total(x.detach(), axis=axes, keepdims=False).shape)


def cumsum(x: Tensor, axis: int | None = None, *, dim: int | None = None) -> Tensor:
    """Running sums along an axis (of the flattened tensor if none is named)."""
    axis = _axes(x, axis, dim)
    return ops.cumsum(flatten(x) if axis is None else x, axis=axis or 0)


def cumprod(x: Tensor, axis: int | None = None, *, dim: int | None = None) -> Tensor:
    """Running products, in log₂ n steps of pairwise products, so zeros leave gradients exact."""
    axis = axis_of(x, (0 if dim is None else dim) if axis is None else axis)
    shift = 1
    while x.ndim and shift < x.shape[axis]:
        rest = x.shape[axis] - shift
        moved = narrow(x, axis, shift, rest) * narrow(x, axis, 0, rest)
        x = ops.concatenate(narrow(x, axis, 0, shift), moved, axis=axis)
        shift *= 2
    return x


def cummax(x: Tensor, dim: int) -> ValuesIndices:
    """Running maxima and where they were (of equal ones the latest)."""
    if not x.ndim:
        return ValuesIndices(x, wrap(x.xp.zeros((), np.int64), None))
    dim, a, xp = axis_of(x, dim), x._array, x.xp
    lead = (slice(None),) * dim
    places = xp.broadcast_to(
        xp.arange(a.shape[dim]).reshape((-1,) + (1,) * (a.ndim - dim - 1)), a.shape
    )
    shift = 1
    while shift < a.shape[dim]:
        now, before = (*lead, slice(shift, None)), (*lead, slice(None, -shift))
        keeps = np.greater_equal(a[now], a[before]) | np.isnan(a[now])
        first = (*lead, slice(shift))
        places = np.concatenate(
            [places[first], np.where(keeps, places[now], places[before])], axis=dim
        )
        a = np.concatenate([a[first], np.where(keeps, a[now], a[before])], axis=dim)
        shift *= 2
    indices = wrap(places, None)
    return ValuesIndices(take_along_dim(x, indices, dim), indices)


def vector_norm(x: Tensor, ord: float = 2, axis: Any = None, keepdims: bool = False, *,
                dim: Any = None, keepdim: bool = False) -> Tensor:  # fmt: skip
    """(Σ|x|ᵖ)^(1/p), also for p = ∞, -∞, 0 and 1; its gradient at 0 is 0."""
    axis, keep = _axes(x, axis, dim), keepdims or keepdim
    if ord in (math.inf, -math.inf):
        return (amax if ord > 0 else amin)(absolute(x), axis, keep)
    if ord == 0:
        return total(ops.not_equal(x, 0).astype(x.dtype), axis=axis, keepdims=keep)
    if ord == 1:
        return total(absolute(x), axis=axis, keepdims=keep)
    if ord == 2:
        return safe_sqrt(total(x * x, axis=axis, keepdims=keep))
    sums = total(power(absolute(x), ord), axis=axis, keepdims=keep)
    zero = equal(sums, 0)
    return where(zero, 0.0, power(where(zero, 1.0, sums), 1 / ord))


def norm(x: Tensor, p: Any = 2, axis: Any = None, keepdims: bool = False, **names: Any) -> Tensor:
    """The p-norm of all entries or along axes ("fro" is 2)."""
    return vector_norm(x, 2 if p == "fro" else p, axis, keepdims, **names)


def softmax(x: Tensor, axis: int | None = None, *, dim: int | None = None) -> Tensor:
    """exp(x) / Σ exp(x) along an axis (the last), without overflow."""
    axis = axis_of(x, (-1 if dim is None else dim) if axis is None else axis)
    return ops.softmax(x, axis=axis) if x.ndim else exp(x - x.detach())


def softmin(x: Tensor, axis: int | None = None, *, dim: int | None = None) -> Tensor:
    return softmax(-x, axis, dim=dim)


def log_softmax(x: Tensor, axis: int | None = None, *, dim: int | None = None) -> Tensor:
    """log softmax, exact where softmax itself would round to 0."""
    axis = axis_of(x, (-1 if dim is None else dim) if axis is None else axis)
    return ops.log_softmax(x, axis=axis) if x.ndim else x - x


def masked_softmax(x: Tensor, mask: Any, axis: int = -1) -> Tensor:
    """softmax over the entries where `mask` is true; where none is, zeros and no gradient."""
    some = any(
        mask if isinstance(mask, Tensor) else wrap(x.xp.asarray(mask), None), axis, keepdims=True
    )
    filled = where(mask, x, where(some, -math.inf, 0.0).astype(x.dtype))
    return where(mask, softmax(filled, axis), 0.0)


# Powers and logarithms
def square(x: Tensor) -> Tensor:
    return x * x


def pow(x: Any, exponent: Any) -> Tensor:
    """x ** exponent; an integer to a negative integer is refused as NumPy does."""
    return power(x, exponent)


def float_power(x: Tensor, exponent: Any) -> Tensor:
    """x ** exponent computed in double precision."""
    both = [v.astype(np.float64) if isinstance(v, Tensor) else float(v) for v in (x, exponent)]
    return power(*both)


def reciprocal(x: Tensor) -> Tensor:
    return 1 / x


def rsqrt(x: Tensor) -> Tensor:
    return 1 / sqrt(x)


def exp2(x: Tensor) -> Tensor:
    return power(2.0, x if x.dtype.kind == "f" else x.astype(get_default_dtype()))


def log2(x: Tensor) -> Tensor:
    return log(x) * (1 / math.log(2))


def log10(x: Tensor) -> Tensor:
    return log(x) * (1 / math.log(10))


def lerp(start: Tensor, end: Tensor, weight: Any) -> Tensor:
    """start + weight · (end - start)"""
    return start + weight * (end - start)


def clamp(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """x held between two bounds, numbers or Tensors; at a bound the gradient is 1."""
    if min is None and max is None:
        raise ValueError("clamp: At least one of 'min' or 'max' must not be None")
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        low = x if min is None else maximum(x, min)
        return low if max is None else ops.minimum(low, max)
    return ops.clamp(x, low=min, high=max)


clip = clamp


def round(x: Tensor, decimals: int = 0) -> Tensor:
    """To the nearest number of so many decimals, halves to even."""
    return ops.rounded(x, decimals=decimals)


# Activations
def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    return where(x > 0, x, negative_slope * x)


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """x if positive, else α(eˣ - 1)"""
    return where(x > 0, x, alpha * expm1(clamp(x, max=0.0)))


def silu(x: Tensor) -> Tensor:
    return x * sigmoid(x)


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """x Φ(x); with approximate="tanh" the usual approximation."""
    if approximate == "tanh":
        return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    if approximate != "none":
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', not {approximate!r}")
    return 0.5 * x * (1 + ops.erf(x * SQRT_HALF))


def softplus(x: Tensor, beta: float = 1.0) -> Tensor:
    """log(1 + eˣ), the smooth relu"""
    return logaddexp(x, 0.0) if beta == 1.0 else logaddexp(x * beta, 0.0) / beta


def logsigmoid(x: Tensor) -> Tensor:
    """log σ(x) = -softplus(-x), exact where σ rounds to 0"""
    return -softplus(-x)


def softsign(x: Tensor) -> Tensor:
    return x / (1 + absolute(x))


def hardtanh(x: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """x cut off at two bounds; unlike clamp the gradient at a bound is 0."""
    return where(x <= min_val, min_val, where(x >= max_val, max_val, x))


def relu6(x: Tensor) -> Tensor:
    return hardtanh(x, 0.0, 6.0)


def hardsigmoid(x: Tensor) -> Tensor:
    return hardtanh(x + 3, 0.0, 6.0) / 6


def mish(x: Tensor) -> Tensor:
    return x * tanh(softplus(x))


def tanhshrink(x: Tensor) -> Tensor:
    return x - tanh(x)


def glu(x: Tensor, dim: int = -1) -> Tensor:
    """The first half times the sigmoid of the second."""
    if x.ndim == 0 or x.shape[axis_of(x, dim)] % 2:
        raise ValueError(f"glu: halving dimension needs an even size, shape is {x.shape}")
    a, b = x.chunk(2, dim)
    return a * sigmoid(b)


# Products
def mm(a: Tensor, b: Tensor) -> Tensor:
    """The product of two matrices, nothing else."""
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"mm: expects two matrices, got shapes {a.shape} and {b.shape}")
    return a @ b


def bmm(a: Tensor, b: Tensor) -> Tensor:
    """Batched products of matrices of one batch size."""
    if a.ndim != 3 or b.ndim != 3 or a.shape[0] != b.shape[0]:
        raise ValueError(f"bmm: expects (B, n, m) and (B, m, p), got {a.shape} and {b.shape}")
    return a @ b


def mv(a: Tensor, v: Tensor) -> Tensor:
    if a.ndim != 2 or v.ndim != 1:
        raise ValueError(f"mv: expects a matrix and a vector, got {a.shape} and {v.shape}")
    return a @ v


def dot(a: Tensor, b: Tensor) -> Tensor:
    if a.ndim != 1 or b.ndim != 1:
        raise ValueError(f"dot: expects two vectors, got shapes {a.shape} and {b.shape}")
    return a @ b


def addmm(c: Tensor, a: Tensor, b: Tensor, *, beta: float = 1.0, alpha: float = 1.0) -> Tensor:
    """β c + α a @ b"""
    product = mm(a, b) if alpha == 1 else alpha * mm(a, b)
    return (c if beta == 1 else beta * c) + product


def outer(a: Tensor, b: Tensor) -> Tensor:
    return a.reshape(-1, 1) * b.reshape(1, -1)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Σ over the last axes of both."""
    return a * b if not (a.ndim and b.ndim) else tensordot(a, b, ([-1], [-1]))


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Contracts the last axes of `a` with the first of `b` (a number), or the axes named."""
    if isinstance(dims, int):
        dims = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    left, right = ([axis_of(t, i) for i in axes] for t, axes in zip((a, b), dims, strict=True))
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise ValueError(
            f"tensordot: axes {left} of {a.shape} and {right} of {b.shape} differ in size"
        )
    keep_a = [i for i in range(a.ndim) if i not in left]
    keep_b = [i for i in range(b.ndim) if i not in right]
    inside = math.prod(a.shape[i] for i in left)
    shape_a, shape_b = [a.shape[i] for i in keep_a], [b.shape[i] for i in keep_b]
    flat_a = a.permute(*keep_a, *left).reshape(math.prod(shape_a), inside)
    flat_b = b.permute(*right, *keep_b).reshape(inside, math.prod(shape_b))
    return (flat_a @ flat_b).reshape(*shape_a, *shape_b)


def einsum(subscripts: str, *operands: Tensor) -> Tensor:
    """Einstein's summation, with ellipses and repeated letters: `einsum("bi,io->bo", x, w)`."""
    names, operands = _spelled_out(subscripts.replace(" ", ""), operands)
    single = [_without_repeats(t, n) for t, n in zip(operands, names[:-1], strict=True)]
    terms = ",".join(n for _, n in single)
    return ops.einsum(*[t for t, _ in single], subscripts=f"{terms}->{names[-1]}")


def _spelled_out(subscripts: str, operands: tuple) -> tuple[list[str], tuple]:
    """Every operand's letters and the result's, with ellipses replaced by letters of their own."""
    left, arrow, out = subscripts.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ValueError(
            f"einsum: {len(terms)} terms in {subscripts!r} for {len(operands)} operands"
        )
    spare = [c for c in map(chr, range(65, 123)) if c.isalpha() and c not in subscripts]
    widths = [t.ndim - len(n.replace("...", "")) for t, n in zip(operands, terms, strict=True)]
    widest = "".join(spare[: magnitude(np.max(widths))]) if "..." in left else ""
    if not arrow:
        letters = left.replace("...", "").replace(",", "")
        out = ("..." if widest else "") + "".join(
            sorted(c for c in set(letters) if letters.count(c) == 1)
        )
    names = [
        n.replace("...", widest[len(widest) - w :]) for n, w in zip(terms, widths, strict=True)
    ]
    for t, n in zip(operands, names, strict=True):
        if t.ndim != len(n):
            raise ValueError(f"einsum: {n!r} in {subscripts!r} does not name the axes of {t.shape}")
    return [*names, out.replace("...", widest)], _same_sizes(operands, names, widest)


def _same_sizes(operands: tuple, names: list[str], widest: str) -> tuple:
    """Ellipsis axes of size 1 broadcast to the others' size."""
    sizes: dict[str, int] = {}
    for t, n in zip(operands, names, strict=True):
        for c, size in zip(n, t.shape, strict=True):
            if c in widest:
                sizes[c] = size if sizes.get(c, 1) == 1 else sizes[c]
    return tuple(
        t.expand(*[sizes[c] if c in widest else -1 for c in n]) if n else t
        for t, n in zip(operands, names, strict=True)
    )


def _without_repeats(x: Tensor, letters: str) -> tuple[Tensor, str]:
    """Takes diagonals until no letter names two axes of `x`."""
    for c in letters:
        while letters.count(c) > 1:
            first, second = letters.index(c), letters.rindex(c)
            if x.shape[first] != x.shape[second]:
                raise ValueError(f"einsum: {c!r} names axes of different sizes in shape {x.shape}")
            x = x.diagonal(0, first, second)
            letters = letters[:first] + letters[first + 1 : second] + letters[second + 1 :] + c
    return x, letters
