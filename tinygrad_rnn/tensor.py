"""Tensors, and the graph that grows when they are computed with.

A Tensor is an array plus how it was made: `Tensor.node` points to a `Node`, and nodes point to the
nodes of their inputs. Nodes never point to Tensors, so there are no cycles and an array that no
gradient rule will read is freed as soon as the last Tensor holding it is gone.

One rule keeps every gradient right: **an array is never written after it was wrapped.** Changing a
Tensor binds a new array to it, so what the graph saved stays what it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from .backend import (
    Array,
    as_array,
    get_default_dtype,
    is_array,
    library,
    library_of,
    move,
)
from .errors import different_devices, explained, line_of_user, watch

_count = itertools.count()
NUMBERS = frozenset([int, float, bool])  # what may stand beside a Tensor as it is


class Node:
    """How one value was made. `parents` has an entry per input: its Node, or None for a constant.

    `saved` is `(y, *inputs)` with only those arrays in it that a gradient rule reads; for the others
    the parent's Node stands in, which has the same shape, dtype and ndim. Creation order (`index`)
    is a topological order: a parent is always older than its child. What few nodes have (a name, a
    gradient, hooks, …) is in the dictionary `extra`, so that the others do not pay for it.
    """

    __slots__ = (
        "op", "parents", "saved", "params", "shape", "dtype", "needs", "index", "scope", "extra",
    )  # fmt: skip

    def __init__(self, op, parents, saved, params, shape, dtype, needs):  # type: ignore[no-untyped-def]
        self.op: Primitive | None = op
        self.parents: tuple[Node | None, ...] = parents
        self.saved: tuple | None = saved
        self.params: dict[str, Any] = params
        self.shape: tuple[int, ...] = shape
        self.dtype: np.dtype = dtype
        self.needs: bool = needs
        self.index = next(_count)
        self.scope: scope | None = SCOPE.get()
        self.extra: dict[str, Any] | None = None

    def _rare(key: str) -> Any:  # type: ignore[misc]  # noqa: N805
        def put(self: Node, value: Any) -> None:
            self.extra = {**(self.extra or {}), key: value}

        return property(lambda self: self.extra.get(key) if self.extra else None, put)

    grad = _rare("grad")  # of a leaf, or where retain_grad() was called
    hooks = _rare("hooks")
    retains = _rare("retains")
    name = _rare("name")
    value = _rare("value")  # the array, when traced
    inputs = _rare("inputs")  # the arrays it was computed from, when traced
    flow = _rare("flow")  # what backward(record=…) saw
    where = _rare("where")  # the user's line, within detect_anomaly()

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def labels(self) -> dict[str, Any]:
        """All labels of the scopes around this node, inner ones winning."""
        return {k: v for s in enclosing(self.scope) for k, v in s.labels.items()}

    @property
    def path(self) -> tuple[str, ...]:
        """The names of the scopes around this node, outermost first."""
        return tuple(s.name for s in enclosing(self.scope) if s.name)

    def __repr__(self) -> str:
        what = self.op.name if self.op else "leaf"
        return f"<Node {self.index} {what} {self.name or ''}{list(self.shape)}>"


def age() -> int:
    """A creation number between the nodes made before and those made after this call."""
    return next(_count)


class scope:  # noqa: N801 - used like a keyword
    """`with scope("lstm", layer=0, step=t, gate="forget"):` labels the nodes made inside."""

    __slots__ = ("labels", "name", "outer", "token")

    def __init__(self, name: str | None = None, **labels: Any):
        self.name, self.labels = name, labels

    def __enter__(self) -> scope:
        self.outer = SCOPE.get()
        self.token = SCOPE.set(self)
        return self

    def __exit__(self, *error: object) -> None:
        SCOPE.reset(self.token)
        del self.token

    def __str__(self) -> str:
        return ".".join([self.name or "", *(f"{k}={v}" for k, v in self.labels.items())]).strip(".")


SCOPE: ContextVar[scope | None] = ContextVar("scope", default=None)


def enclosing(inner: scope | None) -> list[scope]:
    """The scopes around `inner`, outermost first."""
    chain = []
    while inner is not None:
        chain.append(inner)
        inner = inner.outer
    return chain[::-1]


class Mode:
    """What a primitive does besides computing: record for gradients, trace, look for NaN."""

    __slots__ = ("anomaly", "grad", "nodes", "plain")

    def __init__(self, grad: bool = True, nodes: list[Node] | None = None, anomaly: bool = False):
        self.grad, self.nodes, self.anomaly = grad, nodes, anomaly
        self.plain = nodes is None and not anomaly


MODE: ContextVar[Mode] = ContextVar("mode", default=Mode())  # noqa: B039 - never written to


@contextmanager
def mode(**changes: Any) -> Iterator[Mode]:
    """Change some of the current mode for a block; threads and asyncio tasks each have their own."""
    now = MODE.get()
    token = MODE.set(Mode(**{"grad": now.grad, "nodes": now.nodes, "anomaly": now.anomaly, **changes}))
    try:
        yield MODE.get()
    finally:
        MODE.reset(token)


def no_grad() -> Any:
    """Within the block (or decorated function) nothing is recorded and nothing requires grad."""
    return mode(grad=False)


def enable_grad() -> Any:
    """Undoes an outer `no_grad` for a block or a decorated function."""
    return mode(grad=True)


def is_grad_enabled() -> bool:
    return MODE.get().grad


@contextmanager
def trace() -> Iterator[list[Node]]:
    """Yields a list that fills with every node made in the block, each with its `.value`.

    Also ops that need no gradient are recorded, and the list survives an exception half-way.
    """
    nodes: list[Node] = []
    with mode(nodes=nodes):
        yield nodes


class Tensor:
    """An array plus how it was made. Make one with `tensor(data)`; methods carry PyTorch's names."""

    __slots__ = ("__weakref__", "_array", "node")
    __array_ufunc__ = None  # so that ndarray * Tensor is a Tensor, never an array of objects
    __hash__ = object.__hash__
    if TYPE_CHECKING:  # ops.py, functions.py and autodiff.py add their functions as methods

        def __getattr__(self, name: str) -> Any: ...

    _array: Array
    node: Node | None

    def __init__(self, data: Any, dtype: Any = None, device: str | None = None,
                 requires_grad: bool = False, name: str | None = None):  # fmt: skip
        self._array = as_array(data, dtype, device)
        self.node = None
        if requires_grad:
            self.requires_grad_()
        if name is not None:
            self.name = name

    # What it is
    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def dtype(self) -> np.dtype:
        return self._array.dtype

    @property
    def device(self) -> str:
        return library_of(self._array).device

    @property
    def xp(self) -> Any:
        """The array library's namespace: numpy or cupy."""
        return library_of(self._array).xp

    @property
    def is_leaf(self) -> bool:
        return self.node is None or self.node.op is None

    @property
    def data(self) -> Array:
        """The array, to read: a read-only view (CuPy has none, so there a copy). Assign to change."""
        if isinstance(self._array, np.ndarray):
            view = self._array.view()
            view.flags.writeable = False
            return view
        return self._array.copy()

    @data.setter
    def data(self, value: Any) -> None:
        new = as_array(value, self.dtype, self.device)
        if new.shape != self.shape:
            raise ValueError(f"data: shape {new.shape} cannot replace shape {self.shape}")
        if not self.is_leaf:
            raise RuntimeError("data: only a leaf can be given new data; this one was computed")
        self._array = new

    # Gradients: where they are kept and whether they flow
    @property
    def requires_grad(self) -> bool:
        return self.node is not None and self.node.needs

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Turns gradients on or off for a leaf and returns it; integers have none."""
        if not self.is_leaf:
            raise RuntimeError("you can only change requires_grad flags of leaf tensors; use detach()")
        if requires_grad and self.dtype.kind != "f":
            message = f"only floating point tensors can require gradients (got {self.dtype})"
            raise RuntimeError(message)
        if requires_grad != self.requires_grad:
            old, self.node = self.node, None
            leaf_of(self).needs = requires_grad
            if old is not None and old.name:
                self.name = old.name
        return self

    @property
    def grad(self) -> Tensor | None:
        return self.node.grad if self.node is not None else None

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and value.shape != self.shape:
            raise ValueError(f"grad: shape {value.shape} does not fit the tensor's {self.shape}")
        if value is not None or self.node is not None:
            leaf_of(self).grad = value

    def retain_grad(self) -> None:
        """Makes backward() leave this tensor's `.grad` too, though it is not a leaf."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        leaf_of(self).retains = True

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Hook:
        """`hook(gradient)` runs when this tensor's gradient is complete; it may return another."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        node = leaf_of(self)
        node.hooks = node.hooks or {}
        return Hook(node.hooks, hook)

    def detach(self) -> Tensor:
        """The same values with no history: gradients do not flow past it."""
        return wrap(self._array, None)

    @property
    def name(self) -> str | None:
        """A label for drawings and messages."""
        return self.node.name if self.node is not None else None

    @name.setter
    def name(self, value: str | None) -> None:
        leaf_of(self).name = value

    # Leaving Tensors
    def numpy(self) -> np.ndarray:
        """The values as a NumPy array of your own (a copy)."""
        if self.requires_grad:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
            )
        return library_of(self._array).to_numpy(self._array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def item(self) -> Any:
        """The single value as a Python number; ValueError if there is not exactly one."""
        if self._array.size != 1:
            raise ValueError(f"item: only a tensor of one element has one value; shape {self.shape}")
        return self._array.item()

    def tolist(self) -> Any:
        return self._array.tolist()

    def to(self, target: Any) -> Tensor:
        """On another device (`"cuda"`, `"cpu"`) or with another dtype; gradients flow back."""
        if isinstance(target, str) and target in ("cpu", "cuda", "numpy", "cupy", self.device):
            return self if library(target).device == self.device else transfer(self, device=target)
        return self.astype(target)

    def cpu(self) -> Tensor:
        return self.to("cpu")

    def cuda(self) -> Tensor:
        return self.to("cuda")

    def __dlpack__(self, **options: Any) -> Any:
        if self.requires_grad:
            raise BufferError("a Tensor that requires grad does not export; use detach() first")
        return self._array.copy().__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise RuntimeError("only leaves can be copied deeply or pickled; use detach() first")
        values = self.detach().numpy()
        return (Tensor, (values, None, self.device, self.requires_grad, self.name))

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.shape[0]))

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise RuntimeError(
                f"Boolean value of Tensor with shape {self.shape} is ambiguous; use .any() or .all()"
            )
        return bool(self._array.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iub":
            raise TypeError(f"only an integer tensor of one element is an index, not {self.dtype}")
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 else format(repr(self), spec)

    def __repr__(self) -> str:
        numbers = np.array2string(library_of(self._array).to_numpy(self._array), 88, 4, separator=", ",
                                  prefix="tensor(")  # fmt: skip
        tail = "" if self.dtype in (get_default_dtype(), np.int64, np.bool_) else f", dtype={self.dtype}"
        tail += "" if self.device == "cpu" else f", device={self.device!r}"
        if self.requires_grad:
            made = self.node.op.name if self.node and self.node.op else ""
            tail += f", grad_fn=<{made}>" if made else ", requires_grad=True"
        return f"tensor({numbers}{tail})"


class Hook:
    """What `register_hook` returns; `remove()` takes the hook away again."""

    __slots__ = ("hooks",)

    def __init__(self, hooks: dict, function: Callable):
        self.hooks = hooks
        hooks[self] = function

    def remove(self) -> None:
        self.hooks.pop(self, None)


def tensor(data: Any, dtype: Any = None, device: str | None = None, requires_grad: bool = False,
           name: str | None = None) -> Tensor:  # fmt: skip
    """A new Tensor holding a copy of `data`; float arrays keep their dtype, Python floats get the
    default one (float32 unless `set_default_dtype` said otherwise)."""
    return Tensor(data, dtype, device, requires_grad, name)


def wrap(array: Array, node: Node | None) -> Tensor:
    """A Tensor around an array that nobody will write to any more; nothing is copied."""
    new = Tensor.__new__(Tensor)
    new._array = array
    new.node = node
    return new


def leaf_of(x: Tensor) -> Node:
    """The node of a Tensor, made now if it had none because nothing was recorded so far."""
    if x.node is None:
        x.node = Node(None, (), None, {}, x._array.shape, x._array.dtype, False)
    return x.node


def get_array_module(*values: Any) -> Any:
    """The namespace (numpy or cupy) the given Tensors or arrays live in; mixing raises."""
    arrays = [v._array if isinstance(v, Tensor) else v for v in values]
    found = {library_of(a).device: library_of(a).xp for a in arrays if is_array(a)}
    if len(found) > 1:
        raise TypeError(different_devices("get_array_module", arrays))
    return next(iter(found.values()), np)


class Primitive:
    """One operation: its name, how it computes on arrays, and one gradient rule per input.

    A rule `(g, y, *inputs, **params)` returns the gradient of its input from the gradient `g` of the
    result `y`. It is written with primitives, so run on arrays it computes, and run on Tensors it is
    a graph. Inputs have one-letter names; `keeps` lists those that rules read beyond their shape and
    dtype ("y", "ab", "all"): only these stay in memory.
    """

    __slots__ = ("compute", "keeps_all", "keeps_inputs", "keeps_y", "name", "postpones", "rules")

    def __init__(self, name: str, compute: Callable, rules: Any, keeps: str, postpones: bool):
        self.name, self.compute, self.rules, self.postpones = name, compute, rules, postpones
        self.keeps_y = "y" in keeps
        code = rules[0].__code__ if isinstance(rules, tuple) and rules else None
        names = [n for n in code.co_varnames[2 : code.co_argcount] if len(n) == 1] if code else []
        self.keeps_inputs = tuple(n in keeps for n in names) if set(names) & set(keeps) else ()
        self.keeps_all = keeps == "all" or (bool(self.keeps_inputs) and all(self.keeps_inputs))

    def __repr__(self) -> str:
        return f"<Primitive {self.name}>"


class ForEach:
    """The rules of a primitive with any number of inputs: one rule, told which input `k` it is."""

    __slots__ = ("rule",)

    def __init__(self, rule: Callable):
        self.rule = rule

    def __getitem__(self, k: int) -> Callable:
        return lambda g, *saved, **params: self.rule(k, g, *saved, **params)


PRIMITIVES: dict[str, Primitive] = {}


def primitive(name: str, compute: Callable, *rules: Any, keeps: str = "",
              casts: Callable | None = None, each: Callable | None = None,
              postpones: bool = False) -> Callable:  # fmt: skip
    """Declares an operation and returns it as a function of arrays or Tensors.

    Called on arrays it computes; with a Tensor among the inputs it also records. `casts` brings the
    inputs to one dtype first; `each` is the rule of an operation with any number of inputs; one that
    `postpones` has a rule that takes a product not multiplied yet as it is.
    """
    op = PRIMITIVES[name] = Primitive(name, compute, rules, keeps, postpones)
    if each is not None:
        op.rules = ForEach(each)
    differentiable = bool(op.rules)

    def apply(*inputs: Any, **params: Any) -> Any:
        arrays, parents, tensors, foreign, needs = [], [], False, False, False
        for x in inputs:
            if isinstance(x, Tensor):
                tensors, node = True, x.node
                arrays.append(x._array)
                parents.append(node)
                if node is not None and node.needs:
                    needs = differentiable
            else:
                arrays.append(x)
                parents.append(None)
                foreign = foreign or type(x) not in NUMBERS
        if not tensors:
            return compute(*arrays, **params)
        try:
            if foreign:  # an array beside Tensors: a constant, of which we keep our own copy
                arrays = [constant(a, x) for a, x in zip(arrays, inputs, strict=True)]
            if casts is not None:
                arrays = casts(arrays)
            y = compute(*arrays, **params)
        except Exception as error:
            raise explained(name, inputs, error) from error
        if isinstance(y, np.generic):  # NumPy's reductions and 0-d results
            y = np.asarray(y)
        mode = MODE.get()
        if not (needs and mode.grad) and mode.plain:
            return wrap(y, None)
        if None in parents:
            parents = [leaf_of(x) if isinstance(x, Tensor) else None for x in inputs]
        if op.keeps_all:
            saved = (y if op.keeps_y else None, *arrays)
        elif op.keeps_inputs:
            kept = zip(op.keeps_inputs, arrays, parents, strict=False)
            saved = (y if op.keeps_y else None, *[a if k or p is None else p for k, a, p in kept])
        else:
            saved = (y if op.keeps_y else None, *parents)
        made = Node(op, tuple(parents), saved, params, y.shape, y.dtype, needs and mode.grad)
        if not mode.plain:
            look(mode, made, inputs, y)
        return wrap(y, made)

    apply.__name__ = apply.__qualname__ = name
    apply.op = op  # type: ignore[attr-defined]
    return apply


def constant(array: Any, x: Any) -> Any:
    """The array of an input `x`: a Tensor's own, else a copy that nobody else can write to."""
    return array if isinstance(x, Tensor) or not is_array(array) else as_array(array)


def look(mode: Mode, node: Node, inputs: Sequence[Any], y: Array) -> None:
    """What tracing and anomaly mode do with a node just made."""
    if mode.nodes is not None:
        trace_leaves(inputs, mode.nodes)
        node.value = y
        mode.nodes.append(node)
    if mode.anomaly and node.op is not None:
        node.where = line_of_user()
        watch(node.op.name, str(node.scope or ""), y, node.where)


def trace_leaves(inputs: Iterable[Any], nodes: list[Node]) -> None:
    """Adds the inputs that were made outside to a trace the first time they are used in it."""
    for x in inputs:
        if isinstance(x, Tensor) and leaf_of(x).value is not x._array:
            leaf_of(x).value = x._array
            nodes.append(leaf_of(x))


transfer = primitive(
    "transfer",
    lambda a, device: move(a, device),
    lambda g, y, a, device: transfer(g, device=library_of(a).device),
    keeps="a",
)


def toposort(*roots: Node) -> list[Node]:
    """Every node the roots were made from, parents before children."""
    seen, stack = set(roots), list(roots)
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=lambda node: node.index)
