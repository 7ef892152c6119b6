"""A small language of tensor programs, and one interpreter for any library with torch's names.

A program is JSON: `leaves`, each {"shape", "dtype", "grad"}, then `lines`, each [op, arguments,
parameters]. Values are numbered: leaves first, then one for each line. `outputs` are the values
the loss is made of:

    loss = Σ over outputs of (value · weights(shape)).sum()

An argument is a value's number; constants are parameters. Most ops are functions of that name in
the library; SPECIAL has those that are spelled otherwise (operators, indexing, lists of tensors).
A parameter `piece` takes that entry of an op with several results, `method` calls it as a method.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Program = dict[str, Any]
OPERATORS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "@": operator.matmul,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "%": operator.mod,
    "//": operator.floordiv,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "~": operator.invert,
}


class Library:
    """torch or tinygrad_rnn: where its functions are and how its leaves are made."""

    def __init__(self, *namespaces: Any) -> None:
        self.namespaces = namespaces

    def function(self, name: str) -> Callable[..., Any]:
        for namespace in self.namespaces:
            if hasattr(namespace, name):
                return getattr(namespace, name)
        raise AttributeError(f"no function {name!r} in {self.namespaces}")

    def constant(self, data: Any) -> Any:
        return self.function("tensor")(np.asarray(data))

    def leaf(self, data: np.ndarray, grad: bool) -> Any:
        return self.function("tensor")(data, requires_grad=grad)

    def cast(self, x: Any, dtype: str) -> Any:
        return x.astype(dtype)


def torch_library() -> Library:
    import torch

    class Torch(Library):
        def cast(self, x: Any, dtype: str) -> Any:
            return x.to(getattr(torch, dtype))

    return Torch(torch, torch.autograd, torch.nn.functional, torch.linalg)


def our_library() -> Library:
    import tinygrad_rnn

    return Library(tinygrad_rnn, tinygrad_rnn.linalg)


def decoded(lib: Library, item: Any) -> Any:
    """One entry of an index: an integer, null for None, "..." or {"slice" | "ints" | "mask": …}."""
    if item == "...":
        return Ellipsis
    if not isinstance(item, dict):
        return item
    if "slice" in item:
        return slice(*item["slice"])
    dtype = np.int64 if "ints" in item else np.bool_
    flat: np.ndarray = np.array(item["ints"] if "ints" in item else item["mask"], dtype)
    return lib.constant(flat.reshape(item["shape"]))


def _getitem(lib: Library, args: list, params: dict) -> Any:
    index = tuple(decoded(lib, item) for item in params["index"])
    return args[0][index if len(index) != 1 else index[0]]


def _with_scalar(lib: Library, args: list, params: dict) -> Any:
    function, c = OPERATORS[params["op"]], params["scalar"]
    return function(c, args[0]) if params["left"] else function(args[0], c)


def _where(lib: Library, args: list, params: dict) -> Any:
    return lib.function("where")(_mask(lib, params), *args)


def _mask(lib: Library, params: dict) -> Any:
    return lib.constant(np.array(params["mask"], bool).reshape(params["shape"]))


def _with_index(lib: Library, args: list, params: dict) -> Any:
    index = lib.constant(np.array(params["index"], np.int64).reshape(params["shape"]))
    function = lib.function(params["op"])
    if params["op"] == "take_along_dim":
        return function(args[0], index, dim=params["dim"])
    return function(args[0], params["dim"], index, *args[1:])


def _gathered(lib: Library, args: list, params: dict) -> Any:
    return lib.function(params.get("op", "gather"))(args[0], params["dim"], args[1])


def _where_scalar(lib: Library, args: list, params: dict) -> Any:
    sides = (params["scalar"], args[1]) if params["left"] else (args[1], params["scalar"])
    return lib.function("where")(args[0], *sides)


IN_PLACE = {"+": operator.iadd, "-": operator.isub, "*": operator.imul}


def _written(lib: Library, args: list, params: dict) -> Any:
    """A copy of the first argument that was written to through a view of a view."""
    copy = view = args[0].detach().clone().contiguous()
    for name, *rest in params["views"]:
        if name == "T":
            view = view.T
        elif name in ("item", "slice"):
            view = view[rest[0] if name == "item" else slice(*rest)]
        else:
            view = getattr(view, name)(*rest)
    value = args[1].detach() if len(args) > 1 else params["scalar"]
    if params["how"] == "=":
        view[...] = value
    else:
        IN_PLACE[params["how"]](view, value)
    return copy


def _masked(lib: Library, args: list, params: dict) -> Any:
    return lib.function(params["op"])(args[0], _mask(lib, params), *params["rest"])


SPECIAL: dict[str, Callable[[Library, list, dict], Any]] = {
    "getitem": _getitem,
    "scalar": _with_scalar,
    "where_mask": _where,
    "indexed": _with_index,
    "masked": _masked,
    "gathered": _gathered,
    "where_scalar": _where_scalar,
    "written": _written,
    "cast": lambda lib, args, params: lib.cast(args[0], params["dtype"]),
    "taken": lambda lib, args, params: args[0][args[1]],
    "cat": lambda lib, args, params: lib.function("cat")(args, dim=params["dim"]),
    "stack": lambda lib, args, params: lib.function("stack")(args, dim=params["dim"]),
    "T": lambda lib, args, params: args[0].T,
    "mT": lambda lib, args, params: args[0].mT,
    "detach": lambda lib, args, params: args[0].detach(),
    "einsum": lambda lib, args, params: lib.function("einsum")(params["equation"], *args),
    "reshape": lambda lib, args, params: args[0].reshape(tuple(params["shape"])),
    "expand": lambda lib, args, params: args[0].expand(*params["shape"]),
    "repeat": lambda lib, args, params: args[0].repeat(*params["shape"]),
}


def apply(lib: Library, op: str, args: list, params: dict[str, Any]) -> Any:
    """The value of one line."""
    if op in OPERATORS:
        return OPERATORS[op](*args)
    if op in SPECIAL:
        return SPECIAL[op](lib, args, params)
    keywords = {k: tuple(v) if isinstance(v, list) else v for k, v in params.items()}
    piece, method = keywords.pop("piece", None), keywords.pop("method", False)
    positional = keywords.pop("positional", ())
    if method:
        result = getattr(args[0], op)(*args[1:], *positional, **keywords)
    else:
        result = lib.function(op)(*args, *positional, **keywords)
    return result if piece is None else result[piece]


def weights(shape: Sequence[int], k: int) -> np.ndarray:
    """The fixed weights of output k: distinct numbers, the same everywhere."""
    count = int(np.prod(shape, dtype=int))
    return np.cos(1.0 + k + 0.7 * np.arange(count)).reshape(shape)


def weighted(lib: Library, values: list) -> Any:
    """Σ (value · weights).sum() over those values that need a gradient, or None."""
    parts = [
        (v * lib.constant(weights(tuple(v.shape), k))).sum()
        for k, v in enumerate(values)
        if v is not None and v.requires_grad
    ]
    return sum(parts[1:], parts[0]) if parts else None


def evaluate(lib: Library, program: Program, data: list[np.ndarray]) -> tuple[list, list, Any]:
    """Every value of the program, its leaves, and its loss (None if nothing needs a gradient)."""
    leaves = [lib.leaf(a, leaf["grad"]) for a, leaf in zip(data, program["leaves"], strict=True)]
    values = list(leaves)
    for op, arguments, params in program["lines"]:
        values.append(apply(lib, op, [values[i] for i in arguments], params))
    return values, leaves, weighted(lib, [values[i] for i in program["outputs"]])


def run(lib: Library, program: Program, data: list[np.ndarray]) -> tuple[list, list]:
    """Every value of the program, and its leaves with their gradients in `.grad`."""
    values, leaves, loss = evaluate(lib, program, data)
    if loss is not None:
        loss.backward()
    return values, leaves


def second(lib: Library, program: Program, data: list[np.ndarray]) -> list[np.ndarray]:
    """The gradient of Σ (gradient · weights) by each leaf, zeros where nothing depends on it."""
    _, leaves, loss = evaluate(lib, program, data)
    wanted = [x for x in leaves if x.requires_grad]
    grad, slope = lib.function("grad"), None
    if loss is not None:
        first = grad(loss, wanted, create_graph=True, allow_unused=True)
        slope = weighted(lib, list(first))
    made = [None] * len(wanted) if slope is None else grad(slope, wanted, allow_unused=True)
    return [
        np.zeros_like(x.detach().numpy()) if g is None else g.detach().numpy()
        for g, x in zip(made, wanted, strict=True)
    ]


def in_dtype(normal: np.ndarray, dtype: str) -> np.ndarray:
    """Normal numbers in a dtype: whole ones some three times as large, booleans by their sign."""
    if dtype == "bool":
        return normal > 0
    if dtype.startswith("float"):
        return normal.astype(dtype)
    return np.rint(np.abs(3 * normal) if dtype[0] == "u" else 3 * normal).astype(dtype)


def leaf_data(program: Program) -> list[np.ndarray]:
    """The leaves' numbers: from the program's seed, or given where a program was shrunk."""
    rng = np.random.default_rng(program["seed"])
    drawn = [in_dtype(rng.normal(size=leaf["shape"]), leaf["dtype"]) for leaf in program["leaves"]]
    return [
        np.array(leaf["data"], leaf["dtype"]).reshape(leaf["shape"]) if "data" in leaf else a
        for leaf, a in zip(program["leaves"], drawn, strict=True)
    ]


def text(program: Program) -> str:
    """The program for reading, a line for each value."""
    lines = []
    for i, leaf in enumerate(program["leaves"]):
        grad = "" if leaf["grad"] else ", no gradient"
        given = f" = {leaf['data']}" if "data" in leaf else ""
        lines.append(f"v{i} = leaf {tuple(leaf['shape'])} {leaf['dtype']}{grad}{given}")
    for i, (op, arguments, params) in enumerate(program["lines"], len(program["leaves"])):
        inside = [f"v{a}" for a in arguments] + [f"{k}={v}" for k, v in params.items()]
        lines.append(f"v{i} = {op}({', '.join(inside)})")
    return "\n".join([*lines, "loss of " + ", ".join(f"v{i}" for i in program["outputs"])])
