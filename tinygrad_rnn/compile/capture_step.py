"""Run one step, forward and backward, and keep it as a step program, for `runtime.call`.

The backward step is not written anywhere: `grad(…, create_graph=True)` runs the gradient rules on
Tensors, so it is a graph of the same primitives. The cell runs twice, on other numbers and on other
rows: a program that differs between the two runs depends on its data and is refused. Random
numbers that a step draws become inputs of it; a run then draws them in the unrolled loop's order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import count
from typing import Any, NoReturn

import numpy as np

from ..engine.arrays import is_array
from ..engine.backward import grad
from ..engine.context import Trace, mode
from ..engine.node import Node
from ..engine.tensor import Tensor, leaf_of, tensor
from .program import Index, Instr, Rows, Step, Uncompilable, const

DEPENDS = "the step's operations depend on the values it is given"


class Sample:
    """One run of a step on random values: its leaves, its results and all nodes between them.

    `run(rows, random)` gives the Tensors `(xs, states, held)` and the function that makes a step.
    """

    def __init__(self, run: Callable, rows: int, wants: list[bool], seed: int):
        rng = np.random.default_rng(seed)
        random = lambda t: _random(t, rows, rng)
        noted: list[tuple[Callable, Any, Tensor]] = []

        def note(draw: Callable[[], Tensor], kind: Any) -> Tensor:
            noted.append((draw, kind, draw()))
            return noted[-1][-1]

        xs, states, held, step = run(rows, random)
        given = zip([*xs, *states, *held], wants)
        asked = [t.requires_grad_() for t, wanted in given if wanted and t.dtype.kind == "f"]
        self.nodes = nodes = Trace()
        with mode(anomaly=False, nodes=nodes, draw=note, on_use=_refuse), np.errstate(all="ignore"):
            y, news = step(xs, states)
            _assert_shapes(y, news, states)
            upstream = [random(t) for t in (y, *news)]
            live = [(end, g) for end, g in zip((y, *news), upstream) if end.requires_grad]
            found = grad([end for end, _ in live], asked, [g for _, g in live],
                         create_graph=True, allow_unused=True)  # fmt: skip
        self.draws, self.kinds, drawn = ([one[k] for one in noted] for k in range(3))
        grads = {id(t): g for t, g in zip(asked, found)}
        sent_to = lambda tensors: [grads.get(id(t)) for t in tensors]
        self.leaves = {"param": held, "x": [*xs, *drawn], "state": states,
                       "dy": upstream[:1], "dstate": upstream[1:]}  # fmt: skip
        self.results = {"y": [y], "news": news, "dxs": sent_to([*xs, *drawn]),
                        "dolds": sent_to(states), "dparams": sent_to(held)}  # fmt: skip


def capture(run: Callable, rows: int, wants: list[bool]) -> Step:
    """Return the program of a step; `wants` says for each input, state and held Tensor, in this
    order, whether its gradient is asked for."""
    few = next(n for n in count(4) if math.gcd(n, rows) == 1)
    try:
        first, second = (Sample(run, n, wants, k) for k, n in enumerate((rows, few)))
    except Exception as error:
        reason = f"the step fails on random values of {rows} or {few} rows: {error}"
        raise Uncompilable(error if isinstance(error, Uncompilable) else reason) from error
    if len(first.nodes) != len(second.nodes) or first.kinds != second.kinds:
        raise Uncompilable(DEPENDS)
    known: dict[Node, Instr] = {}
    leaves: dict[str, list[Instr]] = {kind: [] for kind in first.leaves}
    for kind, tensors in first.leaves.items():
        for number, (a, b) in enumerate(zip(tensors, second.leaves[kind], strict=True)):
            leaf = Instr(kind, (), {"number": number}, (a._array, b._array))
            leaves[kind].append(leaf)
            known[leaf_of(a)] = known[leaf_of(b)] = leaf
    for p, q in zip(first.nodes, second.nodes):
        if p not in known:
            known[p] = known[q] = _read(p, q, known, leaves["x"][0])
    find = lambda a, b: known.get(leaf_of(a)) or _constant(a._array, b._array)
    result = lambda a, b: None if a is None or b is None else find(a, b)
    results: Any = {k: [*map(result, ts, second.results[k])] for k, ts in first.results.items()}
    (y,), (dy,) = results.pop("y"), leaves.pop("dy")
    lists = {f"{kind}s": found for kind, found in leaves.items()} | results
    return _as_inputs(Step(y=y, dy=dy, draws=first.draws, **lists))


def _as_inputs(step: Step) -> Step:
    """Turn what the cell holds for each row, such as a mask drawn once per sequence, into inputs
    that are the same at every step."""
    at = len(step.xs) - len(step.draws)
    for p in [p for p in step.params if p.batch][::-1]:
        if step.dparams[p.params["number"]] is not None:
            raise Uncompilable("the cell has a parameter for each row of the batch")
        x = Instr("x", (), {"held": p.params["number"]}, p.values)
        step = step.rewritten({p: x})
        step.xs.insert(at, x)
        step.dxs.insert(at, None)
    for number, x in enumerate(step.xs):
        x.params["number"] = number
    return step


def _read(a: Node, b: Node, known: dict[Node, Instr], x: Instr) -> Instr:
    """Return the instruction that two runs' nodes are; what was made outside becomes a constant."""
    if a.op is not b.op:
        raise Uncompilable(DEPENDS)
    if a is b:
        raise Uncompilable("the step uses a Tensor that the cell does not hold")
    if a.op is None:
        return _constant(a.value, b.value)
    args = [_operand(p, q, v, w, known)
            for p, q, v, w in zip(a.parents, b.parents, a.inputs, b.inputs)]  # fmt: skip
    params = {k: _both(v, b.params[k], args, x) for k, v in a.params.items()}
    return Instr(a.op.name, tuple(args), params, (a.value, b.value), str(a.labels.get("gate", "")))


def _operand(p: Node | None, q: Node | None, v: Any, w: Any, known: dict[Node, Instr]) -> Instr:
    if p is None or q is None:
        return _constant(v, w)
    if known[p] is not known[q]:
        raise Uncompilable(DEPENDS)
    if known[p].dtype != v.dtype:  # the primitive brought its inputs to one dtype
        return Instr("astype", (known[p],), {"dtype": v.dtype}, (v, w))
    return known[p]


def _constant(v: Any, w: Any) -> Instr:
    """Return a constant, if it is the same in both runs, or the same for all rows."""
    if np.array_equal(v, w, equal_nan=True):
        return const(v)
    alike = np.ndim(v) and np.shape(v)[1:] == np.shape(w)[1:]
    if alike and np.array_equal(v, np.broadcast_to(w[:1], v.shape), equal_nan=True):
        shape = (Rows.of(len(v), len(w)), *v.shape[1:])
        return Instr("broadcast_to", (const(v[:1]),), {"shape": shape}, (v, w))
    raise Uncompilable("the step makes constants that differ from run to run or with the batch")


def _both(v: Any, w: Any, args: list[Instr], x: Instr) -> Any:
    """Join an option that two runs gave: mark sizes that follow the batch, and x as an index."""
    if isinstance(v, tuple) and isinstance(w, tuple) and len(v) == len(w):
        return tuple([_both(p, q, args, x) for p, q in zip(v, w)])
    if is_array(v):
        if v is not x.values[0] or w is not x.values[1]:
            raise Uncompilable("a value is indexed by an array, which may depend on the data")
        if x not in args:
            args.append(x)
        return Index(args.index(x))
    rows, few = (len(value) for value in x.values)
    if type(v) is int and type(w) is int and v != w and v * few == w * rows:
        return Rows.of(v, w)
    if repr(v) != repr(w):
        raise Uncompilable(f"the step gives an option {v!r} in one run and {w!r} in another")
    return v


def _random(t: Tensor, rows: int, rng: np.random.Generator) -> Tensor:
    """Return a leaf like `t` for so many rows with other values; whole numbers, which may be
    indices, are taken from those that are there."""
    shape = (rows, *t.shape[1:])
    if t.dtype.kind != "f":
        return tensor(rng.choice(t._array.reshape(-1), shape))
    return tensor((4 * rng.random(shape, np.float32) - 2).astype(t.dtype))


def _assert_shapes(y: Tensor, news: list[Tensor], states: list[Tensor]) -> None:
    if not y.ndim:
        raise Uncompilable("the output of a step is a single number")
    for k, (new, old) in enumerate(zip(news, states, strict=True)):
        if new.shape != old.shape or new.dtype != old.dtype:
            before, after = f"{old.shape} {old.dtype}", f"{new.shape} {new.dtype}"
            raise Uncompilable(f"state {k} is {before} before a step and {after} after it")


def _refuse(deed: str) -> NoReturn:
    raise Uncompilable(f"the step {deed}")
