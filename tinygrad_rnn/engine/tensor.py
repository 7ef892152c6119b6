"""Tensors, and the graph that grows when they are computed with.

A Tensor is an array plus how it was made: `Tensor.node` points to a `Node`, and nodes point to the
nodes of their inputs. Nodes never point to Tensors, so there are no cycles and an array that no
gradient rule will read is freed as soon as the last Tensor holding it is gone.

One rule keeps every gradient right: **an array is never written after it was wrapped.** Changing a
Tensor binds a new array to it, so what the graph saved stays what it was.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import Array, as_array, is_array, library_of
from .context import MODE, SCOPE, Mode, enclosing, scope, tell
from .conversion import Hook, Outward
from .dtypes import WEAK_SCALARS, unwidened
from .errors import explained, line_of_user, watch

age = itertools.count().__next__  # a creation number, larger than any before
NO_PARAMS: dict[str, Any] = {}  # one for all nodes that have none; never written to
NUMBERS = frozenset([int, float, bool])  # what may stand beside a Tensor as it is


class Node:
    """How one value was made. `parents` has an entry per input: its Node, or None for a constant.

    `saved` is `(y, *inputs)` with only those arrays in it that a gradient rule reads; for the
    others the parent's Node stands in, which has the same shape, dtype and ndim. Creation order
    (`index`) is a topological order: a parent is always older than its child. What few nodes have
    (a name, a gradient, hooks, …) is in `special`, so that the others do not pay for it.
    """

    __slots__ = tuple("dtype index needs op params parents saved scope shape special".split())

    def __init__(self, op, parents, saved, params, shape, dtype, needs):  # type: ignore[no-untyped-def]
        self.op: Primitive | None = op
        self.parents: tuple[Node | None, ...] = parents
        self.saved: tuple | None = saved
        self.params: dict[str, Any] = params
        self.shape: tuple[int, ...] = shape
        self.dtype: np.dtype = dtype
        self.needs: bool = needs
        self.index = index = age()
        self.scope: scope | None = SCOPE.get()
        self.special: dict[str, Any] | None = None
        if index >= next_knot:
            tie(self)

    def _rare(key: str) -> Any:  # type: ignore[misc]
        def put(self: Node, value: Any) -> None:
            self.special = {**(self.special or {}), key: value}

        return property(lambda self: self.special.get(key) if self.special else None, put)

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


class Dropped(threading.local):
    """What this thread still has to let go of; None while it lets go of nothing."""

    pile: list | None = None


class Knot:
    """Stops the freeing of a chain of nodes from nesting, at one node.

    Python frees a node, inside that its parents, inside that theirs; CPython 3.13.0 lets this go
    on until a small stack is full. A knot, freed as its node's last slot, holds the parents longer
    and lays them on a pile that the outermost knot clears.
    """

    __slots__ = ("parents",)

    def __init__(self, parents: tuple):
        self.parents: tuple | None = parents

    def __del__(self, thread: Dropped = Dropped()) -> None:  # noqa: B008, one for all
        parents, self.parents = self.parents, None
        if thread.pile is not None:
            thread.pile.append(parents)
            return
        thread.pile = pile = [parents]
        del parents  # or popping it would free nothing
        try:
            while pile:
                pile.pop()
        finally:
            thread.pile = None


next_knot = chance = 0


def tie(node: Node) -> None:
    """Give the node a knot and draw the index of the next, some 32 on.

    They fall by chance, so that no program's period steps over them: a chain of a million nodes
    then nests some 300 deep.
    """
    global next_knot, chance
    chance = (chance * 1_103_515_245 + 12_345) % 2**31
    next_knot = node.index + 1 + (chance >> 16) % 64
    node.special = {"knot": Knot(node.parents)}


class Tensor(Outward):
    """An array plus how it was made. `tensor(data)` makes one; methods have PyTorch's names."""

    __slots__ = ("__weakref__", "_array", "node")
    __array_ufunc__ = None  # so that ndarray * Tensor is a Tensor, never an array of objects
    __hash__ = object.__hash__
    if TYPE_CHECKING:  # methods.py adds the operators, and every function as a method

        def __getattr__(self, name: str) -> Any: ...

        _any: Any = ...
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = _any
        __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __mod__ = __rmod__ = __rmatmul__ = _any
        __and__ = __or__ = __xor__ = __invert__ = __neg__ = __abs__ = __getitem__ = _any
        __lt__ = __le__ = __gt__ = __ge__ = _any

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
        """The array, to read: a read-only view (CuPy has none: a copy). Assign to change."""
        array = self._read("data")
        if not isinstance(array, np.ndarray):
            return array.copy()
        view = array.view()
        view.flags.writeable = False
        return view

    @data.setter
    def data(self, value: Any) -> None:
        new = as_array(value, self.dtype, self.device)
        if new.shape != self.shape:
            raise ValueError(f"data: shape {new.shape} cannot replace shape {self.shape}")
        if not self.is_leaf:
            raise RuntimeError("data: only a leaf can be given new data; this one was computed")
        tell("changes a Tensor", "data")
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
            raise RuntimeError(
                "you can only change requires_grad flags of leaf tensors; use detach()"
            )
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
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(f"grad: expected a Tensor or None, got {type(value).__name__}")
        if value is not None and value.dtype != self.dtype:
            raise TypeError(f"grad: dtype {value.dtype} does not fit the tensor's {self.dtype}")
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
        if not callable(hook):
            raise TypeError(f"register_hook: expected a function, got {type(hook).__name__}")
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
        x.node = Node(None, (), None, NO_PARAMS, x._array.shape, x._array.dtype, False)
    return x.node


class Primitive:
    """One operation: its name, how it computes on arrays, and one gradient rule per input.

    A rule `(g, y, *inputs, **params)` returns the gradient of its input from the gradient `g` of
    the result `y`, None if there is none. It is written with primitives, so run on arrays it
    computes, and run on Tensors it is a graph. Inputs have one-letter names; `keeps` lists those
    that rules read beyond their shape and dtype ("y", "ab", "all"): only these stay in memory.
    """

    __slots__ = tuple("casts compute keeps_all keeps_inputs keeps_y name postpones rules".split())

    def __init__(self, name: str, compute: Callable, rules: Any = (), keeps: str = "",
                 postpones: type | None = None, casts: Callable | None = None):  # fmt: skip
        self.name, self.compute, self.rules = name, compute, rules
        self.postpones, self.casts = postpones, casts
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
        return partial(self.rule, k)


PRIMITIVES: dict[str, Primitive] = {}
OWN: set[str] = set()  # names of the engine's own


def enter(op: Primitive, home: str) -> None:
    """Makes a primitive known by its name, which a compiled program calls it by."""
    name, own = op.name, home.partition(".")[0] == __package__.partition(".")[0]
    if name in OWN and not own:
        raise ValueError(f"primitive: {name!r} is one of the engine's own; choose another name")
    if own:
        OWN.add(name)
    older = PRIMITIVES.get(name)
    if older is not None:  # what was made with it, before a notebook ran again, stays what it was
        older.name = f"{name} {len(PRIMITIVES)}"
        PRIMITIVES[older.name] = older
    PRIMITIVES[name] = op


def primitive(name: str, compute: Callable, *rules: Any, keeps: str = "",
              casts: Callable | None = None, each: Callable | None = None,
              postpones: type | None = None) -> Callable:  # fmt: skip
    """Declares an operation and returns it as a function of arrays or Tensors.

    Called on arrays it computes; with a Tensor among the inputs it also records. `casts` brings
    the inputs to one dtype first; `each` is the rule of an operation with any number of inputs;
    `postpones` names the kind of postponed gradient that the rules take as it is.
    """
    home = sys._getframe(1).f_globals["__name__"]
    op = Primitive(name, compute, ForEach(each) if each else rules, keeps, postpones, casts)
    enter(op, home)

    def apply(*inputs: Any, **params: Any) -> Any:
        return run(op, inputs, params)

    apply.__name__ = apply.__qualname__ = name
    apply.__module__ = home  # there it is found to be pickled
    apply.op = op  # type: ignore[attr-defined]
    return apply


def run(op: Primitive, inputs: tuple, params: dict) -> Any:
    """The result of an operation: an array from arrays, a Tensor if any input is one."""
    arrays, tensors, foreign, needs = [], False, False, False
    for x in inputs:
        if type(x) is Tensor:
            tensors, node = True, x.node
            arrays.append(x._array)
            if node is not None and node.needs:
                needs = True
        else:
            arrays.append(x)
            foreign = foreign or type(x) not in NUMBERS
    if not tensors:
        return op.compute(*inputs, **params)
    try:
        if foreign:  # an array beside Tensors: a constant, of which we keep our own copy
            arrays = [constant(a, x) for a, x in zip(arrays, inputs)]
        if op.casts is not None:
            arrays = op.casts(arrays)
        y = op.compute(*arrays, **params) if params else op.compute(*arrays)
    except Exception as error:
        raise explained(op.name, inputs, error) from error
    if isinstance(y, np.generic):  # NumPy's reductions and 0-d results
        y = np.asarray(y if WEAK_SCALARS else unwidened(y, arrays))
    mode = MODE.get()
    if needs and mode.grad and op.rules or not mode.plain:
        return wrap(y, remembered(op, inputs, arrays, params, y, needs, mode))
    return wrap(y, None)


def remembered(op: Primitive, inputs: tuple, arrays: list, params: dict, y: Array, needs: bool,
               mode: Mode) -> Node:  # fmt: skip
    """The node of a result: its parents, and of the arrays only those that a rule will read."""
    parents = tuple([(x.node or leaf_of(x)) if type(x) is Tensor else None for x in inputs])
    if op.keeps_all:
        saved = (y if op.keeps_y else None, *arrays)
    elif op.keeps_inputs:
        kept = zip(op.keeps_inputs, arrays, parents)
        saved = (y if op.keeps_y else None, *[a if k or p is None else p for k, a, p in kept])
    else:
        saved = (y if op.keeps_y else None, *parents)
    needs = needs and mode.grad and bool(op.rules)
    node = Node(op, parents, saved, params or NO_PARAMS, y.shape, y.dtype, needs)
    if not mode.plain:
        node.inputs = tuple(arrays)
        look(mode, node, inputs, y)
    return node


def constant(array: Any, x: Any) -> Any:
    """The array of an input `x`: a Tensor's own, else a copy that nobody else can write to."""
    return array if isinstance(x, Tensor) or not is_array(array) else as_array(array)


def look(mode: Mode, node: Node, inputs: Sequence[Any], y: Array) -> None:
    """What tracing and anomaly mode do with a node just made."""
    if mode.nodes is not None:
        trace_leaves(inputs, mode.nodes)
        node.value = y
        mode.nodes.add(node)
    if mode.anomaly and node.op is not None:
        node.where = line_of_user()
        watch(node.op.name, str(node.scope or ""), y, node.where, given=node.inputs or ())


def trace_leaves(inputs: Iterable[Any], nodes: Any) -> None:
    """Adds the inputs that were made outside to a trace the first time they are used in it."""
    for x in inputs:
        if isinstance(x, Tensor) and leaf_of(x) not in nodes.seen:
            leaf_of(x).value = x._array
            nodes.add(leaf_of(x))


def toposort(*roots: Node) -> list[Node]:
    """Every node the roots were made from, parents before children."""
    seen, stack = set(roots), list(roots)
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=lambda node: node.index)
