"""Capture: run one step, forward and backward, and keep what was computed as a step program.

The backward step is not written anywhere: `grad(…, create_graph=True)` runs the gradient rules on
Tensors, so it is a graph of the same primitives. The cell runs twice on different random values: a
program that differs between the two runs depends on data or draws random numbers and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from ..autodiff import grad
from ..backend import is_array
from ..context import enable_grad, trace
from ..tensor import Node, Tensor, leaf_of, tensor
from .draws import Draw, intercepted, undone
from .ir import Instr, Step, Uncompilable, const, leaf
from .lookups import Lookup, intercepted_lookups, leaf_like, same, with_other_numbers

_capturing: ContextVar[bool] = ContextVar("capturing", default=False)
READS = ("__array__", "__bool__", "__float__", "__index__", "__int__", "data", "item", "numpy",
         "tolist")  # fmt: skip


def capture(step: Callable, xs: Sequence[Tensor], states: Sequence[Tensor],
            params: Sequence[Tensor], wants: Sequence[bool]) -> Step:  # fmt: skip
    """The program of `y, news = step(xs, states)`; `xs` and `states` say shapes and dtypes.

    `params` are the Tensors read at call time. `wants` says for each input, state and parameter, in
    this order, whether its gradient is asked for.
    """
    with undone() as set_back:
        first, second = (_run(step, xs, states, params, wants, seed) for seed in (0, 1))
        set_back()
    _assert_repeatable(first, second)
    return first


def _run(step: Callable, xs: Sequence[Tensor], states: Sequence[Tensor], params: Sequence[Tensor],
         wants: Sequence[bool], seed: int) -> Step:  # fmt: skip
    rng = np.random.default_rng(seed)
    draws: list[Draw] = []
    drawn: list[Tensor] = []
    lookups: list[Lookup] = []
    looked: list[Tensor] = []

    def note(what: Any, values: Tensor, into: list, tensors: list) -> Tensor:
        into.append(what)
        tensors.append(values)
        return values

    ins = [_random(t, rng, w) for t, w in zip([*xs, *states], wants)]
    ins_x, ins_s = ins[: len(xs)], ins[len(xs) :]
    draw = lambda what, make: note(what, make(), draws, drawn)
    look = lambda what, values: note(what, leaf_like(values), lookups, looked)
    seeing = intercepted_lookups(ins_x[0], params, look)
    with enable_grad(), trace() as nodes, _watched(), intercepted(draw), seeing:
        y, news = step(ins_x, ins_s)
        _assert_states(news, states)
        outs = [y, *news]
        gs = [_random(t, rng, False) for t in outs]
        asked = [t for t, w in zip([*ins, *params], wants) if w and t.requires_grad]
        asked += [t for t in looked if t.requires_grad and any(wants)]
        live = [(o, g) for o, g in zip(outs, gs) if o.requires_grad]
        found = _gradients(live, asked) if live and asked else []
    grads = {id(t): g for t, g in zip(asked, found)}
    number: dict[Node, Instr] = {}
    lists: dict[str, list] = {}
    kinds = {
        "xs": [*ins_x, *drawn, *looked],
        "states": ins_s,
        "params": params,
        "dy": gs[:1],
        "dstates": gs[1:],
    }
    for kind, tensors in kinds.items():
        one = kind.rstrip("s") if kind != "dy" else kind
        lists[kind] = [leaf(one, k, t._array) for k, t in enumerate(tensors)]
        number |= {leaf_of(t): i for t, i in zip(tensors, lists[kind])}
    to_instr = _Reader(number, nodes)
    lists["news"] = [to_instr(t) for t in news]
    for kind, tensors in (
        ("dxs", [*ins_x, *drawn, *looked]),
        ("dolds", ins_s),
        ("dparams", params),
    ):
        lists[kind] = [to_instr(grads.get(id(t))) for t in tensors]
    return Step(to_instr.of(y), lists.pop("dy")[0], (draws, lookups), **lists)


class _Reader:
    """Turns traced nodes into instructions; what was made outside becomes a constant."""

    def __init__(self, known: dict[Node, Instr], nodes: list[Node]):
        self.known = known
        for node in nodes:
            if node not in known:
                known[node] = self.read(node) if node.inputs is not None else const(node.value)

    def read(self, node: Node) -> Instr:
        assert node.op is not None
        args = tuple(self.operand(p, a) for p, a in zip(node.parents, node.inputs))
        return Instr(node.op.name, args, node.params, node.value, str(node.labels.get("gate", "")))

    def operand(self, parent: Node | None, array: Any) -> Instr:
        if parent is None:
            return const(array)
        found = self.known[parent]
        if found.dtype != array.dtype:  # the primitive brought its inputs to one dtype
            return Instr("astype", (found,), {"dtype": array.dtype}, array)
        return found

    def of(self, t: Tensor) -> Instr:
        return self.known.get(leaf_of(t)) or const(t._array)

    def __call__(self, t: Tensor | None) -> Instr | None:
        return None if t is None else self.of(t)


def _random(t: Tensor, rng: np.random.Generator, wanted: bool) -> Tensor:
    """A leaf like `t` with other values; integers, which may be indices, change places."""
    if t.dtype.kind != "f":
        return tensor(with_other_numbers(t._array, rng))
    values = t.xp.asarray(rng.standard_normal(t.shape), dtype=t.dtype)
    return tensor(values, requires_grad=bool(wanted))


def _gradients(live: list[tuple[Tensor, Tensor]], asked: list[Tensor]) -> Sequence[Tensor | None]:
    outs, gs = [o for o, _ in live], [g for _, g in live]
    return grad(outs, asked, gs, create_graph=True, allow_unused=True)


def _assert_states(news: Sequence[Tensor], states: Sequence[Tensor]) -> None:
    for k, (new, old) in enumerate(zip(news, states, strict=True)):
        if new.shape != old.shape or new.dtype != old.dtype:
            before, after = f"{old.shape} {old.dtype}", f"{new.shape} {new.dtype}"
            raise Uncompilable(f"state {k} is {before} before a step and {after} after it")


def _assert_repeatable(first: Step, second: Step) -> None:
    """The two runs must have made the same program with the same constants."""
    a, b = first.order(), second.order()
    place_a, place_b = ({i: k for k, i in enumerate(order)} for order in (a, b))
    for i, j in zip(a, b):
        if [place_a[p] for p in i.args] != [place_b[p] for p in j.args] or i.op != j.op:
            raise Uncompilable("the step's operations depend on the values it is given")
        if i.op == "const" and not np.array_equal(i.value, j.value, equal_nan=True):
            raise Uncompilable("the step makes constants that differ from run to run")
        if repr(i.params) != repr(j.params):
            raise Uncompilable(f"the step gives {i.op} different options in different runs")
        for value in _nested(i.params):
            if is_array(value):
                raise Uncompilable(f"{i.op} is indexed by an array, which may depend on the data")
    drawn = first.extras[0] == second.extras[0] and same(first.extras[1], second.extras[1])
    if len(a) != len(b) or not drawn:
        raise Uncompilable("the step's operations depend on the values it is given")


def _nested(params: dict) -> Iterator[Any]:
    for value in params.values():
        yield from value if isinstance(value, (tuple, list)) else (value,)


@contextmanager
def _watched() -> Iterator[None]:
    """Within the block, Python code that looks at a Tensor's values is refused."""
    owners = {name: next(c for c in Tensor.__mro__ if name in vars(c)) for name in READS}
    old = {name: vars(owner)[name] for name, owner in owners.items()}
    token = _capturing.set(True)
    try:
        for name, method in old.items():
            setattr(owners[name], name, _refusing(name, method))
        yield
    finally:
        for name, method in old.items():
            setattr(owners[name], name, method)
        _capturing.reset(token)


def _refusing(name: str, method: Any) -> Any:
    """`method`, except that it raises in the thread that captures."""

    def read(self: Tensor, *args: Any, **options: Any) -> Any:
        if _capturing.get():
            raise Uncompilable(f"the step reads a Tensor's values in Python ({name})")
        return method.__get__(self)(*args, **options)

    if isinstance(method, property):
        get: Any = method.fget
        return property(lambda t: read(t) if _capturing.get() else get(t), method.fset)
    return read
