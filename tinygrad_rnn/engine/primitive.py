"""Make one declaration an operation on arrays and Tensors with its gradient rules, for `ops`.

Run on arrays a primitive computes; with a Tensor among its inputs it also records a `Node`. The
rules are written with primitives, so the same holds for a backward pass.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import VARIADIC, Signed, names_in_rule
from .arrays import Array, as_array, is_array
from .context import MODE, Mode
from .dtypes import FLOAT32, FLOAT64, WEAK_SCALARS, unwidened
from .errors import explained
from .node import NO_PARAMS, Node
from .record import told, trace_node
from .tensor import Tensor, bare, leaf_of

if TYPE_CHECKING:
    import inspect

NUMBERS = frozenset([int, float, bool])  # what may stand beside a Tensor as it is
READERS: dict[type, Callable] = {}  # how inputs of another kind, as letters are, take an operation


class Primitive:
    """One operation: its name, how it computes on arrays, and one gradient rule per input.

    A rule `(g, y, *inputs, **options)` returns the gradient of its input from the gradient `g` of
    the result `y`, None if there is none. It is written with primitives, so run on arrays it
    computes, and run on Tensors it is a graph. Inputs have one-letter names; `keeps` lists those
    that rules read beyond their shape and dtype ("y", "ab", "all"): only these stay in memory.
    `writes` is how the operation is written down, in the letters of its inputs: "a + b".
    """

    __slots__ = tuple("bare casts compute keeps keeps_y name postpones rules writes".split())

    def __init__(self, name: str, compute: Callable, rules: Any = (), keeps: str = "",
                 postpones: type | None = None, casts: Callable | None = None,
                 writes: str | None = None):  # fmt: skip
        self.name, self.compute, self.rules = name, compute, rules
        self.postpones, self.casts, self.writes = postpones, casts, writes
        self.keeps_y, self.bare = "y" in keeps, False  # bare: it takes tensors, and no options
        code = rules[0].__code__ if isinstance(rules, tuple) and rules else None
        names = [n for n in code.co_varnames[2 : code.co_argcount] if len(n) == 1] if code else []
        fixed = code is not None and not code.co_flags & VARIADIC and keeps != "all"
        self.keeps = [n in keeps for n in names] if fixed else repeat(keeps == "all")

    def __repr__(self) -> str:
        return f"<Primitive {self.name}>"

    @property
    def signature(self) -> inspect.Signature:
        """Return inputs and options as the first rule names them, or the computation if there is
        none."""
        from .misuse import signature_of_rule

        return signature_of_rule(*self.source)

    @property
    def source(self) -> tuple[Callable, int]:
        """Return the function whose parameters name the inputs and options, and how many stand
        before them."""
        each = isinstance(self.rules, ForEach)
        source = self.rules.rule if each else self.rules[0] if self.rules else self.compute
        return source, 3 if each else 2 if self.rules else 0

    def bound(self, inputs: tuple, options: dict) -> tuple[tuple, dict]:
        """Return inputs by place and options by name; raise TypeError if others are declared."""
        from .misuse import bind

        return bind(self.name, self.signature, inputs, options, "tensor")


class ForEach:
    """The rules of a primitive with any number of inputs: one rule, told which input `k` it is."""

    __slots__ = ("rule",)

    def __init__(self, rule: Callable):
        self.rule = rule

    def __getitem__(self, k: int) -> Callable:
        return partial(self.rule, k)


PRIMITIVES: dict[str, Primitive] = {}
OWN: set[str] = set()  # names of the engine's own


def register_primitive(op: Primitive, home: str) -> None:
    """Make a primitive known by its name, which a compiled program calls it by."""
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
              postpones: type | None = None, writes: str | None = None,
              doc: str | None = None) -> Callable:  # fmt: skip
    """Declare an operation and return it as a function of arrays or Tensors.

    Called on arrays it computes; with a Tensor among the inputs it also records. Its signature is
    that of its rule: one-letter names are inputs, others are options. `casts` brings the inputs to
    one dtype, unless all are float32 or all float64; `each` is the rule of an operation with any
    number of inputs; `postpones` names the kind of postponed gradient that rules take as it is.

    >>> softcap = primitive("softcap", lambda a: a / (1 + abs(a)),
    ...                     lambda g, y, a: g * (1 - abs(y)) * (1 - abs(y)), keeps="y")
    >>> softcap(tensor([1.0, 3.0]))
    tensor([0.5 , 0.75])
    """
    home = sys._getframe(1).f_globals["__name__"]
    op = Primitive(name, compute, ForEach(each) if each else rules, keeps, postpones, casts, writes)
    letters, options, many, defaults = names_in_rule(*op.source)
    if isinstance(op.rules, tuple) and op.rules and len(op.rules) != len(letters):
        raise TypeError(f"primitive: {name!r} has {len(op.rules)} rules, and {len(letters)} inputs "
                        f"({', '.join(letters)}): inputs have one-letter names")  # fmt: skip
    op.bare = not options and not many
    register_primitive(op, home)
    if compute.__name__ == "<lambda>":  # as Python names it in what it says of arguments
        compute.__name__ = compute.__qualname__ = name
    op.writes = writes or f"{name}({', '.join(letters) or '*'})"
    apply = _caller(op, letters, len(options), many, defaults)
    apply.__name__ = apply.__qualname__ = name
    apply.__module__ = home  # there it is found to be pickled
    apply.__doc__ = doc or f"Return {op.writes}, entry by entry."
    apply.__wrapped__ = Signed(lambda: op.signature)  # type: ignore[attr-defined]
    apply.op = op  # type: ignore[attr-defined]
    return apply


def _caller(op: Primitive, letters: list[str], options: int, many: bool, defaults: bool) -> Any:
    """Return the function that applies `op`, and counts its arguments before anything runs.

    An argument too many would else be NumPy's `out=`, and be written to.
    """
    count = len(letters)

    def of_several(*inputs: Any, **params: Any) -> Any:
        if len(inputs) != count or len(params) != options:  # or PyTorch's names: input=, other=
            inputs, params = op.bound(inputs, params)
        return apply_primitive(op, inputs, params)

    def of_any(*inputs: Any, **params: Any) -> Any:
        if not inputs or defaults or len(params) != options:
            inputs, params = op.bound(inputs, params)
        return apply_primitive(op, inputs, params)

    return of_any if many or defaults else of_several


def apply_primitive(op: Primitive, inputs: tuple, params: dict) -> Any:
    """Return the result of an operation: an array from arrays, a Tensor if any input is one."""
    arrays, dtype, kinds, foreign, needs = [], None, 0, False, False
    for x in inputs:
        if type(x) is Tensor:
            array, node = x._array, x.node
            arrays.append(array)
            if array.dtype is not dtype:
                dtype, kinds = array.dtype, kinds + 1
            if node is not None and node.needs:
                needs = True
        else:
            arrays.append(x)
            kinds, foreign = kinds + 1, foreign or type(x) not in NUMBERS
    if dtype is None:
        return apply_to_arrays(op, inputs, params)
    try:
        if kinds > 1 or dtype is not FLOAT32 and dtype is not FLOAT64:
            arrays = alike(op, inputs, arrays, foreign)
        y = op.compute(*arrays, **params) if params else op.compute(*arrays)
    except Exception as error:
        raise failed(op, inputs, params, error) from error
    if isinstance(y, np.generic):  # NumPy's reductions and 0-d results
        y = np.asarray(y if WEAK_SCALARS else unwidened(y, arrays))
    mode, new = MODE.get(), bare(Tensor)
    needs = needs and mode.grad and bool(op.rules)
    new._array, new.node = y, None
    if needs or not mode.plain:
        new.node = record_node(op, inputs, arrays, params, y, needs, mode)
    return new


def record_node(op: Primitive, inputs: tuple, arrays: list, params: dict, y: Array, needs: bool,
               mode: Mode) -> Node:  # fmt: skip
    """Return a result's node: its parents, and of the arrays those that a rule will read."""
    parents, saved = [], [y if op.keeps_y else None]
    for x, array, keeps in zip(inputs, arrays, op.keeps):
        parent = (x.node or leaf_of(x)) if type(x) is Tensor else None
        parents.append(parent)
        saved.append(array if keeps else parent or told(array))
    node = Node(op, tuple(parents), tuple(saved), params or NO_PARAMS, y.shape, y.dtype, needs)
    if not mode.plain:
        trace_node(mode, node, inputs, arrays, y)
    return node


def alike(op: Primitive, inputs: tuple, arrays: list, foreign: bool) -> list:
    """Return the inputs' arrays in one dtype; an array beside Tensors is a constant, of which we
    keep our own copy."""
    if foreign:
        arrays = [constant(a, x) for a, x in zip(arrays, inputs)]
    return arrays if op.casts is None else op.casts(arrays)


def apply_to_arrays(op: Primitive, inputs: tuple, params: dict) -> Any:
    """Return the result of an operation, or its reading as letters (see `READERS`)."""
    if READERS and not READERS.keys().isdisjoint(map(type, inputs)):
        return next(READERS[type(x)] for x in inputs if type(x) in READERS)(op, inputs, params)
    return op.compute(*inputs, **params)


def failed(op: Primitive, inputs: tuple, params: dict, error: Exception) -> Exception:
    """Return what is raised instead of an error of the array library."""
    if params:
        op.bound(inputs, params)  # an option may be misspelt
    return explained(op.name, inputs, error)


def constant(array: Any, x: Any) -> Any:
    """Return an input's array: a Tensor's own, else a copy that nobody else can write to."""
    return array if isinstance(x, Tensor) or not is_array(array) else as_array(array)
