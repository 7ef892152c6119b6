"""Lines of arithmetic: functions, operators, reductions and products.

Each function draws arguments from `w`, a `writer.Writer`, and emits a line, or several where
the domain is restricted. What cannot be had raises Rejected, and the writer tries another kind.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Rejected(Exception):
    """The line just tried is not wanted."""


SMOOTH = "sin cos atan tanh sigmoid erf square neg exp exp2 expm1 sinh cosh".split()
SMOOTH_FUNCTIONS = "gelu silu softplus softsign logsigmoid mish tanhshrink".split()
OF_POSITIVE = "log log2 log10 log1p sqrt rsqrt reciprocal".split()
CORNERS = {
    "relu": (0.0,),
    "abs": (0.0,),
    "leaky_relu": (0.0,),
    "elu": (0.0,),
    "hardtanh": (-1.0, 1.0),
    "relu6": (0.0, 6.0),
    "hardsigmoid": (-3.0, 3.0),
}
STEPS = ("sign", "floor", "ceil", "round", "trunc")


def require(condition: Any) -> None:
    if not condition:
        raise Rejected


def gaps(a: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Differences between neighbours in order, over the flattened axes."""
    last = np.moveaxis(a, axes, range(a.ndim - len(axes), a.ndim))
    count = int(np.prod([a.shape[i] for i in axes], dtype=int))
    flat = last.reshape(*last.shape[: a.ndim - len(axes)], count)
    return np.diff(np.sort(flat, -1), axis=-1)


def some_axes(w: Any, a: np.ndarray) -> tuple[int, ...]:
    require(a.ndim)
    count = int(w.rng.integers(1, a.ndim + 1))
    return tuple(int(i) for i in w.rng.choice(a.ndim, count, replace=False))


def some_axis(w: Any, a: np.ndarray) -> int:
    require(a.ndim)
    return int(w.rng.integers(-a.ndim, a.ndim))


def broadcast(*shapes: tuple[int, ...]) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


def broadcasts(w: Any, i: int) -> int:
    """Another value that broadcasts with value i (it may be i itself)."""
    return w.pick(lambda b: broadcast(w.shape(i), b.shape))


def positive(w: Any, i: int) -> int:
    """Emits i² + ½."""
    square = w.emit("*", i, i) if w.chance(0.5) else w.emit("square", i)
    return w.emit("scalar", square, op="+", scalar=0.5, left=w.chance(0.5))


def smooth(w: Any) -> None:
    a = w.pick(lambda a: a.size == 0 or np.abs(a).max() < 5)
    if w.chance(0.6):
        w.emit(w.choice(SMOOTH), a, **({"method": True} if w.chance(0.5) else {}))
    else:
        w.emit(w.choice(SMOOTH_FUNCTIONS), a)


def restricted(w: Any) -> None:
    a = w.pick()
    if w.chance(0.3):
        inside = w.emit("scalar", w.emit("tanh", a), op="*", scalar=0.9, left=False)
        w.emit(w.choice(["asin", "acos", "tan"]), inside)
    else:
        w.emit(w.choice(OF_POSITIVE), positive(w, a))


def cornered(w: Any) -> None:
    a = w.pick()
    if w.chance(0.7):
        name = w.choice(list(CORNERS))
        for corner in CORNERS[name]:
            w.away(w.value(a) - corner)
        return w.emit(name, a)
    name = w.choice(STEPS)
    shifted = w.value(a) - (0.5 if name == "round" else 0.0)
    w.away(shifted - np.rint(shifted), ties=False)
    return w.emit(name, a)


def scalar(w: Any) -> None:
    a, op, left = w.pick(), w.choice("+-*/*"), w.chance(0.5)
    if w.chance(0.3):
        op = "**"
    c = w.choice([2, -1.5, 0.5, 3, 1])
    if op == "**" and left:
        require(w.value(a).size == 0 or np.abs(w.value(a)).max() < 5)
        c = 2.0
    elif op == "**":
        c = w.choice([2, 3, 0, 1, 2.0, 0.0])
    elif op == "/" and left:
        require((np.abs(w.value(a)) > 0.1).all())
    w.emit("scalar", a, op=op, scalar=c, left=left)


def binary(w: Any) -> None:
    a = w.pick()
    w.emit(w.choice("+-*"), a, broadcasts(w, a))


def quotient(w: Any) -> None:
    a = w.pick()
    b = positive(w, broadcasts(w, a))
    kind = w.choice(["/", "/", "fmod", "remainder", "xlogy", "**"])
    if kind == "**":
        base = positive(w, a)
        require(w.value(b).size == 0 or np.abs(w.value(b)).max() < 4)
        return w.emit("**", base, b)
    if kind in ("fmod", "remainder"):
        ratio = w.value(a) / w.value(b)
        w.away(ratio - np.rint(ratio), ties=False)
    return w.emit(kind, a, b) if kind != "xlogy" else w.emit("xlogy", a, b)


def two(w: Any) -> None:
    a = w.pick()
    b = broadcasts(w, a)
    x, y = w.value(a), w.value(b)
    name = w.choice(["maximum", "minimum", "atan2", "hypot", "logaddexp", "lerp"])
    if name in ("maximum", "minimum"):
        w.away(x - y)
    if name in ("atan2", "hypot"):
        require((np.hypot(x, y) > 0.1).all() and ((np.abs(x) > 1e-3) | (y > 0)).all())
    if name == "lerp":
        return w.emit("lerp", a, b, positional=[0.3])
    return w.emit(name, a, b)


def mask_of(w: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    mask = w.rng.random(shape) < 0.5
    return {"mask": [int(m) for m in np.ravel(mask)], "shape": list(shape)}


def selecting(w: Any) -> None:
    a = w.pick()
    x = w.value(a)
    kind = w.choice(["compare", "where", "masked_fill", "masked_select", "clamp"])
    if kind == "compare":
        b = broadcasts(w, a)
        w.away(x - w.value(b), ties=False)
        condition = w.emit(w.choice(["<", ">="]), a, b)
        return w.emit("where", condition, a, b)
    if kind == "where":
        b = broadcasts(w, a)
        return w.emit("where_mask", a, b, **mask_of(w, np.broadcast(x, w.value(b)).shape))
    if kind == "clamp":
        low, high = -0.5, w.choice([0.25, 1.0])
        for corner in (low, high):
            w.away(x - corner)
        return w.emit(
            "clamp", a, **w.choice([{"min": low}, {"max": high}, {"min": low, "max": high}])
        )
    rest = [w.choice([0.0, 1.5])] if kind == "masked_fill" else []
    return w.emit("masked", a, op=kind, rest=rest, **mask_of(w, x.shape))


def reduction(w: Any) -> None:
    a = w.pick()
    x = w.value(a)
    name = w.choice("sum sum mean var std amax amin logsumexp vector_norm prod".split())
    axes = tuple(range(x.ndim)) if name == "prod" or w.chance(0.3) else some_axes(w, x)
    params: dict[str, Any] = {"keepdim": w.chance(0.5)} if name != "prod" else {}
    if len(axes) < x.ndim or (name == "logsumexp" or params.get("keepdim")):
        params["dim"] = axes[0] if len(axes) == 1 and w.chance(0.7) else list(axes)
    else:
        params.pop("keepdim", None)
    if params.get("dim") == []:
        raise Rejected
    if name not in ("sum", "prod"):
        require(x.size)
    if name in ("amax", "amin"):
        w.away(gaps(x, axes))
    if name in ("std", "var"):
        params["correction"] = int(w.rng.integers(0, 2))
        require(int(np.prod([x.shape[i] for i in axes])) > 1)
        require((x.std(axes) > 1e-2).all())
    if name == "vector_norm":
        w.away(np.sqrt((x * x).sum(axes)))
        params["ord"] = 2
    w.emit(name, a, **params)


def along(w: Any) -> None:
    a = w.pick(lambda a: a.ndim > 0)
    x = w.value(a)
    axis = some_axis(w, x)
    name = w.choice(
        "softmax log_softmax softmin cumsum cumprod prod max min cummax sort topk".split()
        + ["var_mean", "std_mean"]
    )
    params: dict[str, Any] = {"dim": axis}
    if name in ("max", "min", "cummax", "sort", "topk"):
        require(x.shape[axis])
        w.away(gaps(x, (axis % x.ndim,)), ties=name in ("max", "min"))
        params["piece"] = 0
    if name in ("var_mean", "std_mean"):
        require(x.shape[axis] > 1 and x.size and (x.std(axis) > 1e-2).all())
        params |= {"piece": int(w.rng.integers(2)), "keepdim": w.chance(0.5)}
    if name in ("sort", "topk") and w.chance(0.5):
        params["descending" if name == "sort" else "largest"] = name == "sort"
    if name == "topk":
        params["positional"] = [int(w.rng.integers(1, x.shape[axis] + 1))]
    w.emit(name, a, **params)


def product(w: Any) -> None:
    a = w.pick(lambda a: a.ndim > 0)
    x = w.value(a)
    b = w.pick(lambda b: b.ndim > 0 and b.shape[max(b.ndim - 2, 0)] == x.shape[-1])
    y = w.value(b)
    require(x.dtype == y.dtype)
    if x.ndim == 2 and y.ndim == 2 and w.chance(0.5):
        name = w.choice(["mm", "einsum", "tensordot", "linear"])
        if name == "einsum":
            return w.emit(name, a, b, equation=w.choice(["ij,jk->ik", "ij,jk->ki", "ij,jk->i"]))
        if name == "linear":
            return w.emit(name, a, w.emit("T", b))
        return w.emit(name, a, b, **({"dims": 1} if name == "tensordot" else {}))
    special = {(1, 1): "dot", (2, 1): "mv", (3, 3): "bmm"}.get((x.ndim, y.ndim))
    if special and w.chance(0.5) and (special != "bmm" or x.shape[0] == y.shape[0]):
        return w.emit(special, a, b)
    require(broadcast(x.shape[:-2], y.shape[:-2]))
    return w.emit(w.choice(["@", "matmul"]), a, b)


def outer(w: Any) -> None:
    a, b = (w.pick(lambda a: a.ndim == 1) for _ in range(2))
    require(w.value(a).dtype == w.value(b).dtype)
    w.emit("outer", a, b)


ARITHMETIC = [
    *(smooth, smooth, restricted, cornered, scalar, binary, binary, binary, quotient, two),
    *(selecting, reduction, reduction, along, product, product, outer),
]
