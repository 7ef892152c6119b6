"""From one step to all of them: how an instruction outside the loops works on T steps at once.

A value that changes with time is an array (T, *shape). Element-wise operations and shapes carry
over by moving axes, products become one product of T·B rows, and Σ_t aᵀ b is one product that
contracts time and rows together. What is not known here runs step by step, so every primitive is
right, if not fast.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..backend import library_of
from .ir import Instr, compute

# fmt: off
UFUNCS: dict[str, np.ufunc] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.true_divide,
    "neg": np.negative, "power": np.power, "maximum": np.maximum, "minimum": np.minimum,
    "abs": np.abs, "sqrt": np.sqrt, "exp": np.exp, "log": np.log, "expm1": np.expm1,
    "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "sign": np.sign,
    "equal": np.equal, "not_equal": np.not_equal, "less": np.less, "less_equal": np.less_equal,
    "greater": np.greater, "greater_equal": np.greater_equal, "logical_and": np.logical_and,
    "logical_or": np.logical_or, "logical_not": np.logical_not,
}
# fmt: on
ELEMENTWISE = {*UFUNCS, "sigmoid", "relu", "where", "clamp", "astype", "clone", "erf"}
VIEWS = {"getitem", "transpose", "broadcast_to", "reshape"}
Lifted = Callable[..., Any]  # (*arrays, out=None) -> array


def lifted(i: Instr, varies: tuple[bool, ...]) -> Lifted:
    """`i` on all time steps: a function of arrays, those that vary having T in front."""
    if i.op == "accumulate":
        return (lambda a, steps: _summed(a)) if any(varies) else (lambda a, steps: a * steps)
    if not any(varies):
        return _plain(partial(compute(i.op), **i.params))
    if i.op in ELEMENTWISE:
        return _elementwise(i, varies)
    if i.op == "matmul":
        return _product(i, varies)
    moved = _moved(i) if all(varies) else None
    return _plain(moved or partial(_step_by_step, i, varies))


def _plain(function: Callable) -> Lifted:
    """A function that ignores `out`; the caller copies if it wants the result elsewhere."""
    return lambda *arrays, out=None: function(*arrays)


def _summed(a: Any) -> Any:
    """Σ over time; as a product with ones where that is a matrix, which is faster and rounds
    less."""
    if a.dtype.kind != "f" or not a.flags.c_contiguous:
        return a.sum(0)
    ones = library_of(a).xp.ones(len(a), a.dtype)
    return (ones @ a.reshape(len(a), -1)).reshape(a.shape[1:])


def _elementwise(i: Instr, varies: tuple[bool, ...]) -> Lifted:
    """Broadcasting aligns axes from the right, so T must stand further left than any step's
    axis."""
    ndim = len(i.shape)
    short = [v and len(a.shape) < ndim for v, a in zip(varies, i.args)]

    def align(arrays: tuple) -> list:
        return [
            a.reshape(len(a), *(1,) * (ndim + 1 - a.ndim), *a.shape[1:]) if s else a
            for a, s in zip(arrays, short)
        ]

    ufunc = UFUNCS.get(i.op)
    if ufunc is not None:
        return lambda *arrays, out=None: ufunc(*align(arrays), out=out)
    function = partial(compute(i.op), **i.params)
    return lambda *arrays, out=None: function(*align(arrays))


def _product(i: Instr, varies: tuple[bool, ...]) -> Lifted:
    a, b = i.args
    if varies == (True, False) and len(a.shape) == len(b.shape) == 2:

        def rows(a: Any, b: Any, out: Any = None) -> Any:
            flat = None if out is None else out.reshape(-1, out.shape[-1])
            return np.matmul(a.reshape(-1, a.shape[-1]), b, out=flat).reshape(*a.shape[:2], -1)

        return rows
    if len(a.shape) == len(b.shape) == 2:
        return lambda a, b, out=None: np.matmul(a, b, out=out)
    return _plain(partial(_step_by_step, i, varies))


def contraction(a: Any, b: Any) -> Any:
    """Σ_t a[t] @ b[t] as one product: the time axis joins the one that is summed."""
    T, K, B = a.shape
    return a.transpose(1, 0, 2).reshape(K, T * B) @ b.reshape(T * B, -1)


def _moved(i: Instr) -> Callable | None:
    """Operations on axes: each axis is one further right."""
    p, ndim = i.params, len(i.args[0].shape)
    right = lambda axis: axis if axis < 0 else axis + 1
    if i.op == "reshape":
        return lambda a: a.reshape(len(a), *i.shape)
    if i.op == "transpose":
        return lambda a: a.transpose(0, *[k + 1 for k in p["axes"]])
    if i.op == "broadcast_to":
        fill = (1,) * (len(i.shape) - ndim)
        return lambda a: np.broadcast_to(a.reshape(len(a), *fill, *a.shape[1:]), (len(a), *i.shape))
    if i.op == "getitem" and is_view(i):
        index = p["index"] if isinstance(p["index"], tuple) else (p["index"],)
        return lambda a: a[(slice(None), *index)]
    if i.op in ("concatenate", "stack", "cumsum", "softmax", "log_softmax"):
        options = {**p, "axis": right(p["axis"])}
        return partial(compute(i.op), **options)
    if i.op in ("sum", "amax"):
        axis = p["axis"]
        axes = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        return partial(compute(i.op), axis=tuple(right(k) for k in axes), keepdims=p["keepdims"])
    return None


def is_view(i: Instr) -> bool:
    """True if `i` shows part of its operand in another way and computes nothing."""
    if i.op != "getitem":
        return i.op in VIEWS
    index = i.params["index"] if isinstance(i.params["index"], tuple) else (i.params["index"],)
    return all(k is None or k is Ellipsis or isinstance(k, (int, slice)) for k in index)


def _step_by_step(i: Instr, varies: tuple[bool, ...], *arrays: Any) -> Any:
    steps = next(len(a) for a, v in zip(arrays, varies) if v)
    function = partial(compute(i.op), **i.params)
    parts = [function(*[a[t] if v else a for a, v in zip(arrays, varies)]) for t in range(steps)]
    return np.stack(parts) if parts else np.zeros((0, *i.shape), i.dtype)
