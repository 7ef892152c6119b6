"""Lines that move values about: shapes, joining and cutting, indices with repeats, scatter.

Each function draws arguments from `w`, a `writer.Writer`, and emits a line.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from differential.arithmetic import mask_of, require, some_axes, some_axis


def reshaping(w: Any) -> None:
    a = w.pick_any()
    x = w.value(a)
    kinds = [
        "reshape",
        "unsqueeze",
        "squeeze",
        "expand",
        "repeat",
        "broadcast_to",
        "flatten",
        "ravel",
    ]
    name = w.choice([*kinds, "tile", "unflatten"])
    lead = int(w.rng.integers(1, 4))
    if name == "reshape":
        shape = list(w.rng.permutation(x.shape)) if x.size == 0 or w.chance(0.5) else [-1]
        if shape == [-1] and w.chance(0.5):
            shape = [k for k in (2, 3, 4) if x.size % k == 0][:1] + [-1]
        return w.emit("reshape", a, shape=[int(n) for n in shape])
    if name == "unsqueeze":
        return w.emit(name, a, positional=[int(w.rng.integers(-x.ndim - 1, x.ndim + 1))])
    if name == "squeeze":
        one = [i for i, n in enumerate(x.shape) if n == 1]
        return w.emit(name, a, **({"dim": w.choice(one)} if one and w.chance(0.5) else {}))
    if name in ("expand", "broadcast_to"):
        shape = [lead, *(int(w.rng.integers(1, 4)) if n == 1 else n for n in x.shape)]
        kept = {"shape": shape} if name == "expand" else {"positional": [shape]}
        return w.emit(name, a, **kept)
    if name == "repeat":
        return w.emit(name, a, shape=[lead, *(int(w.rng.integers(1, 3)) for _ in x.shape)])
    if name == "tile":
        return w.emit(name, a, dims=[int(w.rng.integers(1, 3)) for _ in range(lead)])
    require(x.ndim)
    if name == "unflatten":
        axis = some_axis(w, x)
        require(x.shape[axis])
        return w.emit(name, a, positional=[axis, w.choice([[-1, 1], [1, x.shape[axis]]])])
    if name == "ravel":
        return w.emit(name, a)
    start = int(w.rng.integers(0, x.ndim))
    return w.emit(name, a, positional=[start, int(w.rng.integers(start, x.ndim))])


def turning(w: Any) -> None:
    a = w.pick_any(lambda a: a.ndim > 0)
    x = w.value(a)
    i, j = (int(w.rng.integers(-x.ndim, x.ndim)) for _ in range(2))
    name = w.choice(
        "transpose permute T mT swapaxes movedim flip roll clone contiguous detach".split()
    )
    if name in ("transpose", "swapaxes", "movedim"):
        return w.emit(name, a, positional=[i, j], **({"method": True} if w.chance(0.5) else {}))
    if name == "permute":
        return w.emit(name, a, positional=[[int(k) for k in w.rng.permutation(x.ndim)]])
    if name in ("T", "mT"):
        require(x.ndim == 2 or (name == "mT" and x.ndim > 2))
        return w.emit(name, a)
    if name == "flip":
        return w.emit(name, a, dims=list(some_axes(w, x)))
    if name == "roll":
        return w.emit(name, a, shifts=int(w.rng.integers(-3, 4)), dims=i)
    return w.emit(name, a, **({"method": True} if name == "contiguous" else {}))


def joining(w: Any) -> None:
    a = w.pick_any(lambda a: a.ndim > 0)
    x = w.value(a)
    if w.chance(0.4):
        same = [w.pick_any(lambda b: b.shape == x.shape) for _ in range(int(w.rng.integers(1, 3)))]
        return w.emit("stack", a, *same, dim=int(w.rng.integers(-x.ndim - 1, x.ndim + 1)))
    axis = some_axis(w, x)
    others = np.delete(x.shape, axis)

    def fits(b: np.ndarray) -> bool:
        return b.ndim == x.ndim and list(np.delete(b.shape, axis)) == list(others)

    return w.emit("cat", a, *(w.pick_any(fits) for _ in range(int(w.rng.integers(1, 3)))), dim=axis)


def cutting(w: Any) -> None:
    a = w.pick_any(lambda a: a.ndim > 0 and a.size > 0)
    x = w.value(a)
    axis = some_axis(w, x)
    n = x.shape[axis]
    name = w.choice("split chunk unbind narrow select tril triu diagonal pad".split())
    if name in ("split", "chunk"):
        k = int(w.rng.integers(1, n + 1))
        pieces = -(-n // (k if name == "split" else -(-n // k)))
        return w.emit(name, a, positional=[k], dim=axis, piece=int(w.rng.integers(pieces)))
    if name == "unbind":
        return w.emit(name, a, dim=axis, piece=int(w.rng.integers(n)))
    if name == "narrow":
        start = int(w.rng.integers(0, n))
        return w.emit(name, a, positional=[axis, start, int(w.rng.integers(0, n - start + 1))])
    if name == "select":
        return w.emit(name, a, positional=[axis, int(w.rng.integers(-n, n))])
    if name == "pad":
        widths = [int(k) for k in w.rng.integers(0, 3, 2 * int(w.rng.integers(1, x.ndim + 1)))]
        return w.emit(name, a, pad=widths, value=w.choice([0.0, 1.0]))
    require(x.ndim > 1)
    offset = int(w.rng.integers(-1, 2))
    return w.emit(name, a, **{"offset" if name == "diagonal" else "diagonal": offset})


def integers(w: Any, n: int, shape: list[int]) -> dict[str, Any]:
    """Random rows of n, repeated and negative ones too."""
    drawn = w.rng.integers(-n, n, shape)
    return {"ints": [int(k) for k in drawn.ravel()], "shape": shape}


def getitem(w: Any) -> None:
    a = w.pick_any(lambda a: a.ndim > 0)
    x = w.value(a)
    index: list[Any] = []
    arrays = [int(w.rng.integers(1, 4))] if w.chance(0.7) else [2, int(w.rng.integers(1, 3))]
    for n in x.shape:
        kind = w.choice(["all", "slice", "slice", "int", "ints", "stop"])
        if kind == "stop":
            break
        if kind in ("int", "ints") and n == 0:
            kind = "slice"
        if kind == "int":
            index.append(int(w.rng.integers(-n, n)))
        elif kind == "ints":
            index.append(integers(w, n, arrays))
        else:
            start, step = int(w.rng.integers(-n - 1, n + 1)), int(w.rng.integers(1, 3))
            stop = w.choice([None, int(w.rng.integers(-n, n + 2))])
            index.append({"slice": [None, None, None] if kind == "all" else [start, stop, step]})
    if w.chance(0.2):
        index.insert(int(w.rng.integers(0, len(index) + 1)), None)
    if w.chance(0.2):
        index.append("...")
    require(index)
    w.emit("getitem", a, index=index)


def mask_index(w: Any) -> None:
    a = w.pick_any(lambda a: a.ndim > 0)
    shape = w.shape(a)[: int(w.rng.integers(1, w.value(a).ndim + 1))]
    w.emit("getitem", a, index=[mask_of(w, shape)])


def indexed(w: Any) -> None:
    a = w.pick_any(lambda a: a.ndim > 0 and a.size > 0)
    x = w.value(a)
    axis = some_axis(w, x)
    n = x.shape[axis]
    op = w.choice(["gather", "index_select", "take_along_dim", "scatter_add", "scatter"])
    if op == "index_select":
        rows = [int(k) for k in w.rng.integers(0, n, int(w.rng.integers(0, 5)))]
        return w.emit("indexed", a, op=op, dim=axis, index=rows, shape=[len(rows)])
    shape = list(x.shape)
    shape[axis] = int(w.rng.integers(1, n + 1 if op == "scatter" else 5))
    if op == "scatter":  # no duplicates: which of two writes wins is not defined
        order = np.argsort(w.rng.random(x.shape), axis)
        drawn = np.take(order, range(shape[axis]), axis)
    else:
        drawn = w.rng.integers(0, n, shape)
    rest = [w.pick_any(lambda b: b.shape == tuple(shape))] if op.startswith("scatter") else []
    if rest:
        require(w.value(rest[0]).dtype == x.dtype)
    flat = [int(k) for k in drawn.ravel()]
    return w.emit("indexed", a, *rest, op=op, dim=axis, index=flat, shape=shape)


PLACES = [
    *(reshaping, turning, joining, cutting),
    *(getitem, getitem, mask_index, indexed),
]
