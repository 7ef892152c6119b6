"""Lines about dtypes: whole numbers and booleans, alone and among floats, and writes through views.

Each function draws arguments from `w`, a `writer.Writer`, and emits a line, or several where the
domain is restricted. Integers wrap as torch's do; what torch refuses, `emit` takes back. Not
written is what this engine refuses on purpose: a number that a dtype does not hold, the sign of
booleans.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from differential.arithmetic import broadcast, gaps, require, some_axes, some_axis

WHOLE = ("uint8", "int8", "int16", "int32", "int64", "bool")
DTYPES = (*WHOLE, "float32", "float64")
SCALARS = (0, 1, 2, -3, 7, 300, True, 0.5, -1.5, 2.0)
OF_WHOLE = "abs neg square relu floor ceil round trunc isnan isinf isfinite".split()
TO_FLOAT = "exp sqrt log sin cos tanh sigmoid reciprocal rsqrt log1p expm1 atan erf".split()
ALIKE = "zeros_like ones_like full_like".split()


def broadcasts(w: Any, i: int, kinds: str = "fiub") -> int:
    return w.pick(lambda b: broadcast(w.shape(i), b.shape), kinds)


def holds(a: np.ndarray, c: Any) -> bool:
    """Whether the dtype has the number, or arithmetic with it leaves the dtype anyway."""
    if a.dtype.kind not in "iu" or isinstance(c, float):
        return True
    return bool(np.iinfo(a.dtype).min <= c <= np.iinfo(a.dtype).max)


def mixed(w: Any) -> None:
    a = w.pick_any()
    w.emit(w.choice("+-*"), a, broadcasts(w, a))


def with_scalar(w: Any) -> None:
    a, c = w.pick_any(), w.choice(SCALARS)
    op, left = w.choice(["+", "-", "*", "/", "%", "//", "**"]), w.chance(0.5)
    x = w.value(a)
    require(holds(x, c))
    if op == "**":
        require(x.dtype != bool and not left and c in (0, 1, 2, 2.0, 0.5))
        require((np.abs(x) < 30).all() and (c != 0.5 or (x > 0.1).all()))
    elif op in "/%//":
        require(op == "/" or x.dtype.kind != "f")  # torch has no derivative of //
        require((np.abs(x) > 0.1).all() if left else c)
        ratio = c / x if left else x / c
        w.away(ratio - np.rint(ratio), ties=x.dtype.kind != "f")
    w.emit("scalar", a, op=op, scalar=c, left=left)


def divided(w: Any) -> None:
    a = w.pick_any()
    b = broadcasts(w, a)
    x, y = w.value(a), w.value(b)
    require((np.abs(y.astype(float)) > 0.1).all())
    op = w.choice(["/", "%", "//", "fmod", "remainder"])
    require(op == "/" or "f" not in x.dtype.kind + y.dtype.kind)
    ratio = x.astype(float) / y
    w.away(ratio - np.rint(ratio), ties="f" not in x.dtype.kind + y.dtype.kind)
    w.emit(op, a, b)


def two(w: Any) -> None:
    a = w.pick_any()
    b = broadcasts(w, a)
    x, y = w.value(a).astype(float), w.value(b).astype(float)
    name = w.choice(["maximum", "minimum", "atan2", "**", "xlogy"])
    if name == "**":
        require((np.abs(x) < 10).all() and (y >= 0).all() and (y < 4).all() and (x > 0).all())
    elif name == "atan2":  # torch's gradient negates unsigned integers, which wraps
        require(w.value(a).dtype.kind != "u" and w.value(b).dtype.kind != "u")
        require((np.hypot(x, y) > 0.1).all() and ((np.abs(x) > 1e-3) | (y > 0)).all())
    elif name == "xlogy":
        require((y > 0.1).all())
    else:
        w.away(x - y)
    w.emit(name, a, b)


def compared(w: Any) -> None:
    a = w.pick_any()
    b = broadcasts(w, a)
    floats = "f" in w.value(a).dtype.kind + w.value(b).dtype.kind
    w.away(w.value(a).astype(float) - w.value(b), ties=not floats)
    w.emit(w.choice(["<", "<=", ">", ">=", "==", "!="]), a, b)


def compared_with_scalar(w: Any) -> None:
    a, c = w.pick_any(), w.choice(SCALARS)
    require(holds(w.value(a), c))
    w.away(w.value(a).astype(float) - c, ties=w.value(a).dtype.kind != "f")
    w.emit("scalar", a, op=w.choice(["<", ">=", "==", "!="]), scalar=c, left=w.chance(0.3))


def logic(w: Any) -> None:
    if w.chance(0.4):
        a = w.pick(kinds="b")
        if w.chance(0.3):
            return w.emit("~", a)
        return w.emit(w.choice("&|^"), a, broadcasts(w, a, "b"))
    a = w.pick_any()
    if w.chance(0.2):
        return w.emit("logical_not", a)
    return w.emit(w.choice(["logical_and", "logical_or", "logical_xor"]), a, broadcasts(w, a))


def one(w: Any) -> None:
    a = w.pick(kinds="iub")
    x = w.value(a)
    if w.chance(0.5):
        return w.emit(w.choice(OF_WHOLE), a)
    if w.chance(0.6):
        require((np.abs(x.astype(float)) < 6).all())
        return w.emit(w.choice(TO_FLOAT), a)
    low, high = w.choice([-2, 0, 1, -0.5]), w.choice([2, 3, 1.5])
    require(holds(x, low) and holds(x, high))
    bounds = w.choice([{"min": low}, {"max": high}, {"min": low, "max": high}])
    return w.emit("clamp", a, **bounds)


def alike(w: Any) -> None:
    name = w.choice(ALIKE)
    w.emit(name, w.pick_any(), **({"positional": [w.choice([2, 1.5])]} if name[0] == "f" else {}))


def reduced(w: Any) -> None:
    a = w.pick(kinds="iub")
    x = w.value(a)
    name = w.choice("sum prod amax amin max min any all argmax argmin mean logsumexp".split())
    params: dict[str, Any] = {}
    axes = tuple(range(x.ndim))
    if x.ndim and w.chance(0.6):
        axes = some_axes(w, x) if name in ("sum", "amax", "amin") else (some_axis(w, x) % x.ndim,)
        params = {"dim": axes[0] if len(axes) == 1 else list(axes), "keepdim": w.chance(0.5)}
    if name in ("max", "min") and params:
        params["piece"] = 0
    if name in ("argmax", "argmin"):
        require((gaps(x.astype(float), axes) > 0).all())
    if name == "logsumexp":
        require(params)
    if name not in ("sum", "prod", "any", "all"):
        require(x.size)
    if name in ("any", "all"):
        require(x.dtype != "uint8")  # torch gives uint8 there
    w.emit(name, a, **params)


def along(w: Any) -> None:
    a = w.pick(lambda a: a.ndim > 0, "iub")
    x = w.value(a)
    axis = some_axis(w, x)
    name = w.choice("cumsum cumprod cummax sort topk argsort".split())
    params: dict[str, Any] = {"dim": axis}
    if name in ("cummax", "sort", "topk"):
        require(x.shape[axis])
        params["piece"] = 0
    if name == "topk":
        params["positional"] = [int(w.rng.integers(1, x.shape[axis] + 1))]
    if name == "argsort":
        require((gaps(x.astype(float), (axis % x.ndim,)) > 0).all())
    w.emit(name, a, **params)


def cast(w: Any) -> int:
    a, to = w.pick_any(), w.choice(DTYPES)
    return cast_of(w, a, to)


def cast_of(w: Any, a: int, to: str) -> int:
    """Emits the value in another dtype; a float must be well inside what that can hold."""
    x = w.value(a)
    if x.dtype.kind == "f" and to in WHOLE:
        w.away(x - np.rint(x), ties=False)
        require(to != "bool" or (np.abs(x) > 0.01).all())
        held = np.iinfo(to) if to != "bool" else np.iinfo("int8")
        require(((x > held.min) & (x < held.max)).all())
    return w.emit("cast", a, dtype=to)


def chosen(w: Any) -> None:
    a = w.pick_any()
    condition = w.pick(lambda c: broadcast(c.shape, w.shape(a)), "b")
    c = w.choice(SCALARS)
    require(holds(w.value(a), c))
    kind = w.choice(["where", "where_scalar", "masked_fill", "masked_select", "taken"])
    if kind == "where":
        shape = np.broadcast_shapes(w.shape(a), w.shape(condition))
        other = w.pick(lambda b: broadcast(b.shape, shape), "fiub")
        return w.emit("where", condition, a, other)
    if kind == "where_scalar":
        return w.emit(kind, condition, a, scalar=c, left=w.chance(0.5))
    if kind == "masked_fill":
        require(np.asarray(c).astype(w.value(a).dtype) == c)
        return w.emit(kind, a, condition, positional=[c])
    require(kind == "masked_select" or w.shape(condition) == w.shape(a)[: w.value(condition).ndim])
    require(kind == "masked_select" or w.value(condition).ndim)
    return w.emit(kind, a, condition)


def looked_up(w: Any) -> None:
    """Takes rows by numbers that were computed: with [], gather or index_select."""
    a = w.pick_any(lambda a: a.ndim > 0 and a.shape[0] > 0)
    n, whole = w.shape(a)[0], w.pick(kinds="iu")
    index = w.emit("scalar", cast_of(w, whole, "int64"), op="%", scalar=n, left=False)
    i = w.value(index)
    kind = w.choice(["taken", "gathered", "index_select"])
    if kind == "taken":
        if w.chance(0.5):
            index = w.emit("scalar", index, op="-", scalar=n, left=False)
        return w.emit("taken", a, index if w.chance(0.7) else cast_of(w, index, "int32"))
    if kind == "gathered":
        require(i.ndim == w.value(a).ndim and i.shape[1:] <= w.shape(a)[1:])
        require(all(k <= m for k, m in zip(i.shape[1:], w.shape(a)[1:])))
        return w.emit(kind, a, index, dim=0)
    require(i.ndim == 1)
    return w.emit("gathered", a, index, dim=0, op="index_select")


def product(w: Any) -> None:
    a = w.pick(lambda a: a.ndim > 0, "iu")
    x = w.value(a)
    b = w.pick(
        lambda b: b.ndim > 0 and b.dtype == x.dtype and b.shape[max(b.ndim - 2, 0)] == x.shape[-1],
        "iu",
    )
    require(broadcast(x.shape[:-2], w.shape(b)[:-2]))
    w.emit("@", a, b)


VIEWS = ["T", "view", "unsqueeze", "transpose", "narrow", "item", "every other"]


def view_of(w: Any, shape: tuple[int, ...]) -> tuple[list[Any], tuple[int, ...]]:
    """One step from a Tensor of that shape to a view of it, and the view's shape."""
    kind = w.choice(VIEWS)
    if kind == "T":
        require(len(shape) == 2)
        return ["T"], shape[::-1]
    if kind == "view":
        return ["flatten"], (int(np.prod(shape, dtype=int)),)
    if kind == "unsqueeze":
        return ["unsqueeze", 0], (1, *shape)
    require(len(shape) and shape[0])
    if kind == "transpose":
        require(len(shape) > 1)
        return ["transpose", 0, 1], (shape[1], shape[0], *shape[2:])
    if kind == "item":
        return ["item", int(w.rng.integers(-shape[0], shape[0]))], shape[1:]
    if kind == "narrow":
        start = int(w.rng.integers(0, shape[0]))
        return ["narrow", 0, start, shape[0] - start], (shape[0] - start, *shape[1:])
    return ["slice", None, None, 2], (-(-shape[0] // 2), *shape[1:])


def written(w: Any) -> None:
    """Writes into a view of a view of a copy; the line's value is the copy."""
    a = w.pick_any()
    shape = w.shape(a)
    steps: list[Any] = []
    for _ in range(int(w.rng.integers(0, 4))):
        step, shape = view_of(w, shape)
        require(step != ["flatten"] or "T" not in str(steps) + str(steps).replace("transpose", "T"))
        steps.append(step)
    if w.chance(0.4):
        return w.emit("written", a, views=steps, how=w.choice("+-*="), scalar=w.choice([0, 2, 3]))
    b = w.pick_any(
        lambda b: broadcast(b.shape, shape) and np.broadcast_shapes(b.shape, shape) == shape
    )
    how = w.choice("+-*=")
    require(how == "=" or w.value(a).dtype == w.value(b).dtype)
    x = w.value(b)
    if x.dtype.kind == "f" and w.value(a).dtype.kind != "f":
        b = cast_of(w, b, w.value(a).dtype.name)
    return w.emit("written", a, b, views=steps, how=how)


DTYPE_LINES = [
    *(mixed, mixed, with_scalar, with_scalar, divided, two, compared, compared_with_scalar),
    *(logic, one, one, alike, reduced, reduced, along, cast, chosen, looked_up, product),
    *(written, written),
]
