"""One table of samples: a row per primitive and per public function, read by `test_ops.py`.

A row names a function and says how to call it, on which arrays, and what NumPy gets. Everything
else — both derivatives, every array library, every dtype — follows from the row. Inputs lie away
from kinks and ties; what happens *at* those is the subject of `test_numerics.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.engine import ops
from tinygrad_rnn.engine.ops import transfer

Array = np.ndarray


class Sample(NamedTuple):
    """`call(*Tensors)` gives what `reference(*arrays)` gives; `order` derivatives are checked."""

    name: str
    call: Callable
    inputs: tuple[Array, ...] = ()
    reference: Callable | None = None
    order: int = 2


class Draw:
    """Reproducible arrays: `d(2, 3)` normal; the others keep to where a function is smooth."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> Array:
        return self.rng.normal(size=shape)

    def positive(self, *shape: int) -> Array:
        return self.rng.uniform(0.5, 2.0, shape)

    def unit(self, *shape: int) -> Array:
        return self.rng.uniform(0.1, 0.9, shape) * self.rng.choice([-1, 1], shape)

    def apart(self, *shape: int) -> Array:
        """All values different, none at 0 or near a half or whole number."""
        n = math.prod(shape)
        return ((self.rng.permutation(n) - n // 2) * 0.6 + 0.19).reshape(shape)

    def mask(self, *shape: int) -> Array:
        return self.rng.random(shape) < 0.5

    def integers(self, high: int, *shape: int) -> Array:
        return self.rng.integers(0, high, shape)


d = Draw(5)
SHORT = {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
               "gt": np.greater, "ge": np.greater_equal}  # fmt: skip
ARITHMETIC = {"true_divide": np.divide, "divide": np.divide, "multiply": np.multiply,
              "subtract": np.subtract}  # fmt: skip


def row(name: str, inputs: tuple | Array, reference: Any = None, call: Any = None, order: int = 2
        ) -> Sample:  # fmt: skip
    """A sample of the public function `name` (a primitive's where there is none such)."""
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return Sample(name, call or getattr(tg, name), inputs, reference, order)


def method(name: str, *args: Any, **options: Any) -> Callable:
    """The public function with further arguments: `method("sum", 1)` is x ↦ sum(x, 1)."""
    return lambda *xs: getattr(tg, name)(*xs, *args, **options)


def many(name: str, **options: Any) -> Callable:
    """The same for functions that take one sequence of tensors."""
    return lambda *xs: getattr(tg, name)(xs, **options)


# Formulas that NumPy does not have in one call
erf = np.vectorize(math.erf, otypes=[float])


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softplus(x: Array) -> Array:
    return np.log(1 + np.exp(x))


def softmax(x: Array, axis: int = -1) -> Array:
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


def windows(x: Array, size: tuple[int, int], step: int = 1) -> Array:
    seen = np.lib.stride_tricks.sliding_window_view(x, size, axis=(-2, -1))
    return seen[..., ::step, ::step, :, :]


def correlate(x: Array, w: Array, b: Array) -> Array:
    return np.einsum("ncrsij,ocij->nors", windows(x, w.shape[2:]), w) + b[:, None, None]


def normalised(x: Array) -> Array:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def picked(logp: Array, target: Array) -> Array:
    return -logp[np.arange(len(target)), target].mean()


def bce(p: Array, t: Array) -> Array:
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()


def huber(x: Array, y: Array, delta: float = 1.0) -> Array:
    away = np.abs(x - y)
    return np.where(away < delta, away**2 / 2, delta * (away - delta / 2)).mean()


def cosine(x: Array, y: Array) -> Array:
    return (x * y).sum(1) / (np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1))


def put_reference(x: Array, key: Any, values: Array) -> Array:
    x = x.copy()
    x[key] = values
    return x


def add_reference(x: Array, key: Any, values: Array) -> Array:
    x = x.copy()
    np.add.at(x, key, values)
    return x


def dropped(x: Array) -> Array:
    keep = tg.Generator(3).bernoulli(x.shape, 0.6, dtype=x.dtype).numpy()
    return x * keep / 0.6


def erf_gelu(x: Array) -> Array:
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


REPEATED = np.array([[0, 0, 2], [1, 0, 1]])
LATER = np.array([[0, 2], [3, 1], [2, 0]])
TARGET = np.array([2, 0, 1, 1])
PLACES = np.array([0, 2, 0])

UNARY: dict[str, tuple[Array, Any]] = {
    "neg": (d(2, 3), np.negative), "sqrt": (d.positive(4), np.sqrt), "exp": (d(2, 3), np.exp),
    "abs": (d.apart(2, 3), np.abs), "log": (d.positive(4), np.log), "expm1": (d(4), np.expm1),
    "log1p": (d.positive(4), np.log1p), "sin": (d(4), np.sin), "cos": (d(4), np.cos),
    "tan": (d.unit(4), np.tan), "asin": (d.unit(4), np.arcsin), "acos": (d.unit(4), np.arccos),
    "atan": (d(4), np.arctan), "asinh": (d(4), np.arcsinh), "atanh": (d.unit(4), np.arctanh), "sinh": (d(4), np.sinh), "cosh": (d(4), np.cosh),
    "tanh": (d(2, 3), np.tanh), "sigmoid": (d(2, 3), sigmoid), "erf": (d(4), erf),
    "relu": (d.apart(5), lambda x: np.maximum(x, 0)), "sign": (d.apart(4), np.sign),
    "floor": (d.apart(4), np.floor), "ceil": (d.apart(4), np.ceil), "clone": (d(3), np.copy),
    "trunc": (d.apart(4), np.trunc), "round": (d.apart(5), np.round), "square": (d(4), np.square),
    "reciprocal": (d.positive(4), lambda x: 1 / x), "exp2": (d(4), np.exp2),
    "rsqrt": (d.positive(4), lambda x: 1 / np.sqrt(x)), "log2": (d.positive(4), np.log2),
    "log10": (d.positive(4), np.log10), "silu": (d(4), lambda x: x * sigmoid(x)),
    "leaky_relu": (d.apart(5), lambda x: np.where(x > 0, x, 0.01 * x)), "softplus": (d(4), softplus),
    "elu": (d.apart(5), lambda x: np.where(x > 0, x, np.expm1(x))), "gelu": (d(4), erf_gelu),
    "logsigmoid": (d(4), lambda x: np.log(sigmoid(x))), "softmin": (d(2, 3), lambda x: softmax(-x)),
    "softsign": (d.apart(5), lambda x: x / (1 + np.abs(x))),
    "hardtanh": (d.apart(7), lambda x: np.clip(x, -1, 1)), "mish": (d(4), lambda x: x * np.tanh(softplus(x))),
    "relu6": (4 * d.apart(7), lambda x: np.clip(x, 0, 6)), "tanhshrink": (d(4), lambda x: x - np.tanh(x)),
    "hardsigmoid": (4 * d.apart(7), lambda x: np.clip(x + 3, 0, 6) / 6),
    "glu": (d(2, 4), lambda x: x[:, :2] * sigmoid(x[:, 2:])), "softmax": (d(2, 3), softmax),
    "log_softmax": (d(2, 3), lambda x: np.log(softmax(x))), "safe_sqrt": (d.positive(4), np.sqrt),
    "ravel": (d(2, 3), np.ravel), "flatten": (d(2, 3, 2), np.ravel), "contiguous": (d(3), np.copy),
    "mean": (d(2, 3), np.mean), "sum": (d(2, 3), np.sum), "prod": (d(5), np.prod),
    "var": (d(2, 3), lambda x: x.var(ddof=1)), "std": (d(2, 3), lambda x: x.std(ddof=1)),
    "norm": (d(2, 3), np.linalg.norm), "amax": (d.apart(2, 3), np.max), "max": (d.apart(5), np.max),
    "amin": (d.apart(2, 3), np.min), "min": (d.apart(2, 3), np.min), "cumsum": (d(4), np.cumsum),
    "cumprod": (d(5), np.cumprod), "vector_norm": (d(4), np.linalg.norm), "squeeze": (d(2, 1), np.squeeze),
    "tril": (d(3, 4), np.tril), "triu": (d(3, 4), np.triu), "diag": (d(3), np.diag),
    "diagonal": (d(3, 4), np.diagonal), "logsumexp": (d(5), lambda x: np.log(np.exp(x).sum())),
    "transpose": (d(2, 3), np.transpose), "zeros_like": (d(3), np.zeros_like), "ones_like": (d(3), np.ones_like),
    "unbind": (d(2, 3), tuple), "sort": (d.apart(6), lambda x: (np.sort(x), np.argsort(x))),
}  # fmt: skip

BINARY: dict[str, tuple[tuple[Array, ...], Any]] = {
    "add": ((d(2, 3), d(3)), np.add), "sub": ((d(2, 1), d(2, 3)), np.subtract),
    "mul": ((d(2, 3), d(3)), np.multiply), "div": ((d(2, 3), d.positive(2, 1)), np.divide),
    "power": ((d.positive(2, 3), d(3)), np.power), "pow": ((d.positive(3), d(3)), np.power),
    "float_power": ((d.positive(3), d(3)), np.power), "hypot": ((d(2, 3), d(3)), np.hypot),
    "maximum": ((d.apart(2, 3), d(3)), np.maximum), "minimum": ((d.apart(2, 3), d(3)), np.minimum),
    "fmod": ((3 * d.apart(5), d.positive(5)), np.fmod), "atan2": ((d(2, 3), d(3)), np.arctan2),
    "remainder": ((3 * d.apart(5), d.positive(5)), np.remainder), "inner": ((d(2, 3), d(4, 3)), np.inner),
    "logaddexp": ((d(2, 3), d(3)), np.logaddexp), "matmul": ((d(2, 3), d(3, 4)), np.matmul),
    "xlogy": ((d(2, 3), d.positive(3)), lambda x, y: x * np.log(y)), "mm": ((d(2, 3), d(3, 2)), np.matmul),
    "where": ((d.mask(2, 3), d(2, 3), d(3)), np.where), "bmm": ((d(2, 2, 3), d(2, 3, 2)), np.matmul),
    "mv": ((d(2, 3), d(3)), np.matmul), "dot": ((d(4), d(4)), np.dot), "outer": ((d(2), d(3)), np.outer),
    "lerp": ((d(3), d(3), d(3)), lambda a, b, w: a + w * (b - a)), "kl_div":
    ((d(2, 3), d.positive(2, 3)), lambda x, t: (t * (np.log(t) - x)).mean()),
    "addmm": ((d(2), d(2, 3), d(3, 2)), lambda c, a, b: c + a @ b),
    "linear": ((d(2, 3), d(4, 3), d(4)), lambda x, w, b: x @ w.T + b),
    "mse_loss": ((d(2, 3), d(2, 3)), lambda x, y: ((x - y) ** 2).mean()),
    "l1_loss": ((d.apart(2, 3), d(2, 3)), lambda x, y: np.abs(x - y).mean()),
    "huber_loss": ((d.apart(5), d(5)), huber), "smooth_l1_loss": ((d.apart(5), d(5)), huber),
    "binary_cross_entropy": ((np.abs(d.unit(5)), np.abs(d.unit(5))), bce),
    "binary_cross_entropy_with_logits": ((d(5), np.abs(d.unit(5))), lambda x, t: bce(sigmoid(x), t)),
    "cross_entropy": ((d(4, 3), TARGET), lambda x, t: picked(np.log(softmax(x)), t)),
    "nll_loss": ((d(4, 3), TARGET), picked), "cosine_similarity": ((d(3, 4), d(3, 4)), cosine),
    "embedding": ((REPEATED, d(3, 2)), lambda i, w: w[i]), "expand_as": ((d(3), d(2, 3)), lambda x, y: x + 0 * y),
    "conv2d": ((d(2, 2, 4, 5), d(3, 2, 2, 3), d(3)), correlate),
    "conv1d": ((d(2, 2, 5), d(3, 2, 2), d(3)), lambda x, w, b:
               correlate(x[:, :, None], w[:, :, None], b)[:, :, 0]),
    "masked_select": ((d(3, 4), d.mask(3, 4)), lambda x, m: x[m]),
}  # fmt: skip

COMPARISONS = "equal not_equal less less_equal greater greater_equal".split()
LOGIC = "logical_and logical_or logical_xor".split()

ROWS = [row(name, *given) for table in (UNARY, BINARY) for name, given in table.items()]
ROWS += [row(n, (d.integers(3, 8), d.integers(3, 8)), getattr(np, n), order=0) for n in COMPARISONS]
ROWS += [row(n, (d.mask(8), d.mask(8)), getattr(np, n), order=0) for n in LOGIC]
ROWS += [
    row(n, np.array([1, np.nan, np.inf]), getattr(np, n), order=0)
    for n in ("isnan", "isinf", "isfinite")
]
ROWS += [row("logical_not", d.mask(8), np.logical_not, order=0)]

# One row per line: name, inputs, what NumPy gets, how it is called
ROWS += [
    row("clamp", d.apart(7), lambda x: np.clip(x, -1, 0.7), method("clamp", -1, 0.7)),
    row("clip", d.apart(7), lambda x: np.maximum(x, -1), method("clip", -1)),
    row("clamp", (d.apart(7), d(7) - 2), np.maximum, lambda x, low: tg.clamp(x, min=low)),
    row("gelu", d(4), None, method("gelu", "tanh")),
    row("softplus", d(4), lambda x: softplus(2 * x) / 2, method("softplus", 2.0)),
    row("power", d.positive(2, 3), lambda x: x**3, lambda x: x**3),
    row("power", d(3), lambda x: 2.0**x, lambda x: 2.0**x),
    row("div", d.positive(3), lambda x: 2 / x, lambda x: 2 / x),
    row("sum", d(2, 3, 2), lambda x: x.sum((0, 2)), method("sum", (0, -1))),
    row("sum", d(2, 3), lambda x: x.sum(1, keepdims=True), method("sum", 1, True)),
    row("mean", d(2, 3), lambda x: x.mean(1), method("mean", 1)),
    row("var", d(2, 3), lambda x: x.var(1), method("var", 1, 0)),
    row("std", d(2, 3), lambda x: x.std(0), method("std", 0, 0)),
    row("var_mean", d(2, 3), lambda x: (x.var(1, ddof=1), x.mean(1)), method("var_mean", 1)),
    row("std_mean", d(2, 3), lambda x: (x.std(1, ddof=1), x.mean(1)), method("std_mean", 1)),
    row("prod", d(3, 4), lambda x: x.prod(1), method("prod", 1)),
    row("amax", d.apart(2, 3, 2), lambda x: x.max((0, 2)), method("amax", (0, 2))),
    row("max", d.apart(2, 3), lambda x: (x.max(1), x.argmax(1)), method("max", 1)),
    row("min", d.apart(2, 3), lambda x: (x.min(0), x.argmin(0)), method("min", 0)),
    row("argmax", d.apart(2, 3), lambda x: x.argmax(1), method("argmax", 1), order=0),
    row("argmin", d.apart(2, 3), lambda x: x.argmin(0), method("argmin", 0), order=0),
    row("argsort", d.apart(2, 3), lambda x: np.argsort(x, 1), method("argsort", 1), order=0),
    row("all", d.mask(2, 3), lambda x: x.all(1), method("all", 1), order=0),
    row("any", d.mask(2, 3), lambda x: x.any(0), method("any", 0), order=0),
    row("logsumexp", d(2, 3), lambda x: np.log(np.exp(x).sum(1)), method("logsumexp", 1)),
    row("cumsum", d(2, 3), lambda x: x.cumsum(1), method("cumsum", 1)),
    row("cumprod", d(2, 5), lambda x: x.cumprod(1), method("cumprod", 1)),
    row("cummax", d.apart(2, 5), lambda x: np.maximum.accumulate(x, 1), lambda x: tg.cummax(x, 1)[0]),
    row("vector_norm", d(2, 3), lambda x: (np.abs(x) ** 3).sum(1) ** (1 / 3), method("vector_norm", 3, 1)),
    row("vector_norm", d.apart(5), lambda x: np.abs(x).max(), method("vector_norm", math.inf)),
    row("norm", d.apart(2, 3), lambda x: np.abs(x).sum(1), method("norm", 1, 1)),
    row("softmax", d(2, 3), lambda x: softmax(x, 0), method("softmax", 0)),
    row("log_softmax", d(2, 3), lambda x: np.log(softmax(x, 0)), method("log_softmax", 0)),
    row("masked_softmax", (d(4), np.array([True, False, True, True])),
        lambda x, m: m * np.exp(x) / (m * np.exp(x)).sum()),
    row("matmul", (d(2, 2, 3), d(3, 2)), np.matmul),
    row("matmul", (d(2, 3), d(2, 3, 2)), np.matmul),
    row("matmul", (d(3), d(3, 2)), np.matmul),
    row("matmul", (d(2, 2, 3), d(3)), np.matmul),
    row("matmul", (d(3), d(3)), np.matmul),
    row("einsum", (d(2, 3, 2), d(2, 4)), lambda a, b: np.einsum("bij,jk->bik", a, b),
        lambda a, b: tg.einsum("bij,jk->bik", a, b)),
    row("einsum", (d(2, 3), d(3)), lambda a, b: np.einsum("ij,j", a, b), lambda a, b: tg.einsum("ij,j", a, b)),
    row("einsum", (d(3, 3), d(2)), lambda a, b: np.einsum("ii,k->k", a, b),
        lambda a, b: tg.einsum("ii,k->k", a, b)),
    row("tensordot", (d(2, 3, 2), d(3, 2, 2)), lambda a, b: np.tensordot(a, b, 2), method("tensordot", 2)),
    row("reshape", d(2, 3), lambda x: x.reshape(3, 2), method("reshape", 3, -1)),
    row("view", d(2, 3), lambda x: x.reshape(6), method("view", -1)),
    row("unflatten", d(2, 4), lambda x: x.reshape(2, 2, 2), method("unflatten", 1, (2, -1))),
    row("permute", d(2, 3, 2), lambda x: x.transpose(2, 0, 1), method("permute", 2, 0, 1)),
    row("transpose", d(2, 3, 2), lambda x: x.swapaxes(0, 2), method("transpose", 0, 2)),
    row("swapaxes", d(2, 3, 2), lambda x: x.swapaxes(1, 2), method("swapaxes", 1, -1)),
    row("movedim", d(2, 3, 2), lambda x: np.moveaxis(x, 0, 2), method("movedim", 0, -1)),
    row("unsqueeze", d(2, 3), lambda x: x[:, None], method("unsqueeze", 1)),
    row("expand", d(3, 1), lambda x: np.broadcast_to(x, (2, 3, 4)), method("expand", 2, -1, 4)),
    row("broadcast_to", d(3, 1), lambda x: np.broadcast_to(x, (2, 3, 4)), method("broadcast_to", (2, 3, 4))),
    row("tile", d(2, 3), lambda x: np.tile(x, (2, 2)), method("tile", 2, 2)),
    row("repeat", d(3), lambda x: np.tile(x, (2, 2)), method("repeat", 2, 2)),
    row("flip", d(2, 3), lambda x: x[::-1, ::-1], method("flip", 0, 1)),
    row("roll", d(2, 3), lambda x: np.roll(x, 1, 1), method("roll", 1, 1)),
    row("cat", (d(2, 3), d(1, 3)), lambda *xs: np.concatenate(xs), many("cat")),
    row("stack", (d(2, 3), d(2, 3)), lambda *xs: np.stack(xs, 1), many("stack", axis=1)),
    row("hstack", (d(2, 3), d(2, 1)), lambda *xs: np.hstack(xs), many("hstack")),
    row("vstack", (d(3), d(2, 3)), lambda *xs: np.vstack(xs), many("vstack")),
    row("narrow", d(2, 4), lambda x: x[:, 1:3], method("narrow", 1, 1, 2)),
    row("select", d(2, 4), lambda x: x[:, 2], method("select", 1, 2)),
    row("split", d(5, 2), lambda x: (x[:2], x[2:4], x[4:]), method("split", 2)),
    row("split_with_sizes", d(4), lambda x: (x[:1], x[1:]), method("split_with_sizes", [1, 3])),
    row("chunk", d(2, 4), lambda x: (x[:, :2], x[:, 2:]), method("chunk", 2, 1)),
    row("unfold", d(5), lambda x: np.stack([x[0:3], x[2:5]]), method("unfold", 0, 3, 2)),
    row("pad", d(2, 2), lambda x: np.pad(x, ((0, 1), (1, 2)), constant_values=3), method("pad", (1, 2, 0, 1), value=3)),
    row("diag", d(3, 4), lambda x: np.diagonal(x, 1), method("diag", 1)),
    row("gather", (d(3, 3), REPEATED), lambda x, i: np.take_along_axis(x, i, 0), lambda x, i: tg.gather(x, 0, i)),
    row("scatter", (d(3, 4), LATER, d(3, 2)), lambda x, i, s: put_reference(x, (np.arange(3)[:, None], i), s),
        lambda x, i, s: tg.scatter(x, 1, i, s)),
    row("scatter_add", (d(3, 3), REPEATED, d(2, 3)), lambda x, i, s: add_reference(x, (i, np.arange(3)), s),
        lambda x, i, s: tg.scatter_add(x, 0, i, s)),
    row("index_put", (d(4), PLACES, d(3)), put_reference),
    row("index_put", (d(4), PLACES, d(3)), add_reference, method("index_put", True)),
    row("index_select", (d(2, 3), PLACES), lambda x, i: x[:, i], lambda x, i: tg.index_select(x, 1, i)),
    row("index_add", (d(2, 3), PLACES, d(2, 3)), lambda x, i, s: add_reference(x, (slice(None), i), s),
        lambda x, i, s: tg.index_add(x, 1, i, s)),
    row("take_along_dim", (d(3, 3), REPEATED), lambda x, i: np.take_along_axis(x[:2], i, 1),
        lambda x, i: tg.take_along_dim(x[:2], i, 1)),
    row("masked_fill", (d(2, 3), d.mask(3)), lambda x, m: np.where(m, 7, x), method("masked_fill", 7)),
    row("topk", d.apart(2, 4), lambda x: (-np.sort(-x, 1)[:, :2], np.argsort(-x, 1)[:, :2]), method("topk", 2)),
    row("sort", d.apart(2, 4), lambda x: (-np.sort(-x, 0), np.argsort(-x, 0)), method("sort", 0, True)),
    row("dropout", d(3, 4), dropped, lambda x: tg.dropout(x, 0.4, generator=tg.Generator(3))),
    row("layer_norm", (d(2, 3), d(3), d(3)), lambda x, w, b: normalised(x) * w + b,
        lambda x, w, b: tg.layer_norm(x, 3, w, b)),
    row("normalize", d(2, 3), lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)),
    row("max_pool2d", d.apart(1, 1, 4, 4), lambda x: windows(x, (2, 2), 2).max((-1, -2)), method("max_pool2d", 2)),
    row("max_pool1d", d.apart(1, 1, 4), lambda x: x.reshape(1, 1, 2, 2).max(-1), method("max_pool1d", 2)),
    row("avg_pool1d", d(1, 1, 4), lambda x: x.reshape(1, 1, 2, 2).mean(-1), method("avg_pool1d", 2)),
    row("avg_pool2d", d(1, 2, 3, 4), lambda x: windows(x, (2, 2), 1).mean((-1, -2)), method("avg_pool2d", 2, 1)),
    # Primitives behind indexing, concatenation and conversion, called as what they are
    row("getitem", d(3, 4), lambda x: x[::-2, 1], lambda x: x[::-2, 1]),
    row("getitem", d(3, 4), lambda x: x[None, ..., PLACES], lambda x: x[None, ..., PLACES]),
    row("getitem", d(3), lambda x: x[1], lambda x: x[1]),
    row("put", d(3), lambda x: add_reference(np.zeros(4), PLACES, x),
        lambda x: ops.put(x, index=(x.xp.asarray(PLACES),), shape=(4,), dtype=x.dtype)),
    row("concatenate", (d(2, 1), d(2, 3), d(2, 2)), lambda *xs: np.concatenate(xs, 1),
        lambda *xs: ops.concatenate(*xs, axis=1)),
    row("astype", d(3), np.copy, lambda x: ops.astype(x, dtype=np.dtype(float))),
    row("transfer", d(3), np.copy, lambda x: transfer(x, device=x.device)),
]  # fmt: skip

# Made from nothing: no gradient, and one place to be
ROWS += [
    row("zeros", (), lambda: np.zeros((2, 3)), lambda: tg.zeros(2, 3), 0),
    row("ones", (), lambda: np.ones((2, 3)), lambda: tg.ones((2, 3)), 0),
    row("full", (), lambda: np.full((2,), 7.5), lambda: tg.full((2,), 7.5), 0),
    row("arange", (), lambda: np.arange(1, 7, 2), lambda: tg.arange(1, 7, 2), 0),
    row("chain_matmul", (d(2, 3), d(3, 2), d(2, 2)), lambda a, b, c: a @ b @ c),
    row("linspace", (), lambda: np.linspace(0, 1, 5), lambda: tg.linspace(0, 1, 5), 0),
    row("empty", (), lambda: np.zeros((2, 3)), lambda: tg.empty(2, 3), 0),
    row("as_tensor", (), lambda: np.arange(3.0), lambda: tg.as_tensor([0.0, 1.0, 2.0]), 0),
    row("from_numpy", (), lambda: np.arange(3.0), lambda: tg.from_numpy(np.arange(3.0)), 0),
    row("one_hot", (), lambda: np.eye(4)[[1, 3]], lambda: tg.one_hot(tg.tensor([1, 3]), 4), 0),
    row("empty_like", d(3), np.zeros_like, order=0),
    *[row(n, (d.apart(3), d.apart(3)), f, order=0) for n, f in SHORT.items()],
    *[row(n, (d(3), d.positive(3)), f) for n, f in ARITHMETIC.items()],
    row("concat", (d(2), d(3)), lambda a, b: np.concatenate([a, b]), lambda *x: tg.concat(x)),
    row("floor_divide", (d.apart(3), d.positive(3)), lambda a, b: a // b, order=0),
    row("eye", (), lambda: np.eye(2, 3), lambda: tg.eye(2, 3), 0),
    row("full_like", d(3), lambda x: np.full(3, 2.5), method("full_like", 2.5), 0),
    row("from_dlpack", (), lambda: np.arange(3.0), lambda: tg.from_dlpack(np.arange(3.0)), 0),
]  # fmt: skip
