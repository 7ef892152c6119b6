"""The step program: one time step, forward and backward, as a list of small instructions.

An `Instr` names a primitive, its operands and what it gave when it was captured. New instructions
are made by `make`, which runs the primitive on its operands' captured values: shapes and dtypes
need no rules of their own, and every rewrite can be compared with what it replaces. A `Step` holds
the leaves and the results; what lies between is found by walking the operands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..tensor import PRIMITIVES

LEAVES = ("x", "state", "param", "const", "dy", "dstate")


class Uncompilable(Exception):
    """Why a cell, or one emitter, cannot be compiled; the caller then runs unrolled."""


class Instr:
    """One instruction. `params` are the primitive's keyword arguments; a leaf has its number
    there."""

    __slots__ = ("args", "dtype", "gate", "op", "params", "shape", "value")

    def __init__(self, op: str, args: tuple[Instr, ...], params: dict, value: Any, gate: str = ""):
        self.op, self.args, self.params, self.value, self.gate = op, args, params, value, gate
        self.shape: tuple[int, ...] = np.shape(value)
        self.dtype: Any = getattr(value, "dtype", None)  # None: a Python number, which is weak

    @property
    def width(self) -> int:
        """Entries per row, 1 for a number."""
        return self.shape[-1] if self.shape else 1

    def __repr__(self) -> str:
        return f"<{self.op} {list(self.shape)}>"


def leaf(op: str, number: int, value: Any) -> Instr:
    return Instr(op, (), {"number": number}, value)


def const(value: Any) -> Instr:
    return Instr("const", (), {}, value)


def make(op: str, *args: Instr, gate: str = "", **params: Any) -> Instr:
    """The instruction `op(*args)`, its value computed from the operands' values."""
    with np.errstate(all="ignore"):
        value = compute(op)(*[a.value for a in args], **params)
    return Instr(op, args, params, value, gate or (args[0].gate if args else ""))


# Instructions that only the compiler makes: Σ over time (of one step: that step), and c + a @ b
OWN: dict[str, Callable] = {"accumulate": lambda a: a, "product_add": lambda c, a, b: c + a @ b}


def compute(op: str) -> Callable:
    """How `op` computes on arrays."""
    return OWN[op] if op in OWN else PRIMITIVES[op].compute


class Step:
    """One step: `y, news = step(xs, states)` and the gradients of its inputs.

    `dparams` are one step's contributions; the whole gradient is their sum over time. None stands
    for "no gradient". `news[k]` is the state that replaces `states[k]`, and `dolds[k]` is the
    gradient that replaces `dstates[k]` while time runs backwards. The last of `xs` are the step's
    random numbers and look-ups; `extras` says how to make them.
    """

    leaves = ("xs", "states", "params", "dstates")
    results = ("news", "dxs", "dolds", "dparams")

    def __init__(self, y: Instr, dy: Instr, extras: tuple[list, list], **lists: list):
        self.y, self.dy, self.extras = y, dy, extras
        self.xs: list[Instr] = lists["xs"]
        self.states: list[Instr] = lists["states"]
        self.params: list[Instr] = lists["params"]
        self.dstates: list[Instr] = lists["dstates"]
        self.news: list[Instr] = lists["news"]
        self.dxs: list[Instr | None] = lists["dxs"]
        self.dolds: list[Instr | None] = lists["dolds"]
        self.dparams: list[Instr | None] = lists["dparams"]

    def roots(self) -> list[Instr]:
        found = [self.y, *self.news, *self.dxs, *self.dolds, *self.dparams]
        return [r for r in found if r is not None]

    def order(self) -> list[Instr]:
        """Every instruction that a result needs, operands first."""
        return toposort(self.roots())

    def forward(self) -> set[Instr]:
        """What `y` and the new states are made of; all else is there for the gradients."""
        return set(toposort([self.y, *self.news]))

    def replaced(self, new: dict[Instr, Instr]) -> Step:
        """The same step with each result exchanged for `new[result]`."""
        swap = lambda instr: None if instr is None else new.get(instr, instr)
        lists = {name: [swap(i) for i in getattr(self, name)] for name in self.results}
        lists |= {name: getattr(self, name) for name in self.leaves}
        return Step(new.get(self.y, self.y), self.dy, self.extras, **lists)

    def with_dparams(self, dparams: list) -> Step:
        lists = {name: getattr(self, name) for name in self.leaves + self.results}
        return Step(self.y, self.dy, self.extras, **(lists | {"dparams": dparams}))


def toposort(roots: Iterable[Instr]) -> list[Instr]:
    """Everything the roots are made of, operands first, in a repeatable order (no recursion)."""
    order: list[Instr] = []
    done: set[Instr] = set()
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        instr, ready = stack.pop()
        if ready:
            order.append(instr)
        elif instr not in done:
            done.add(instr)
            stack.append((instr, True))
            stack.extend((a, False) for a in reversed(instr.args))
    return order


def rebuild(step: Step, rule: Callable[[Instr], Instr | None]) -> Step:
    """Applies a small rewrite everywhere, operands first.

    `rule` gets an instruction whose operands are already rewritten; it returns what replaces it, or
    None. A replacement with another value than the original's is an error in the rule.
    """
    new: dict[Instr, Instr] = {}
    for old in step.order():
        args = tuple(new[a] for a in old.args)
        same = all(a is b for a, b in zip(args, old.args))
        instr = old if same else Instr(old.op, args, old.params, old.value, old.gate)
        found = rule(instr)
        if found is not None and found is not instr:
            assert_same(found, old)
        new[old] = instr if found is None else found
    return step.replaced(new)


def assert_same(new: Instr, old: Instr) -> None:
    """A rewrite must not change the captured value: that would be a wrong rule, so it raises."""
    if new.shape != old.shape:
        raise AssertionError(f"a rewrite of {old} gave shape {new.shape}")
    a, b = np.asarray(new.value), np.asarray(old.value)
    tiny = 1e-3 if b.dtype.itemsize <= 4 else 1e-9
    if b.dtype.kind == "f" and b.size:
        finite = np.isfinite(b)
        scale = np.abs(b[finite]).max(initial=0) + tiny
        if np.abs(a[finite] - b[finite]).max(initial=0) <= tiny * scale:
            return
    if not np.array_equal(a, b, equal_nan=b.dtype.kind == "f"):
        raise AssertionError(f"a rewrite of {old} into {new} changed its value")


def depends(step: Step) -> dict[Instr, frozenset[str]]:
    """For every instruction the kinds of leaves it is made from ("x", "state", "dy", …)."""
    kinds: dict[Instr, frozenset[str]] = {}
    for i in step.order():
        own = frozenset([i.op]) if i.op in ("x", "state", "dy", "dstate") else frozenset()
        kinds[i] = own.union(*[kinds[a] for a in i.args])
    return kinds


def consumers(order: Iterable[Instr]) -> dict[Instr, list[Instr]]:
    """Who reads each instruction."""
    found: dict[Instr, list[Instr]] = {}
    for i in order:
        found.setdefault(i, [])
        for a in i.args:
            found[a].append(i)
    return found


def names_of(order: Iterable[Instr]) -> dict[Instr, str]:
    """A short name for each instruction, valid in C and Python: leaves by kind, others numbered."""
    names: dict[Instr, str] = {}
    for i in order:
        number = i.params.get("number")
        tail = "" if number is None else str(number)
        names[i] = f"{i.op}{tail}" if i.op in LEAVES and i.op != "const" else f"v{len(names)}"
    return names


def text(step: Step, phase: dict[Instr, str] | None = None) -> str:
    """The program as one line per instruction; with `phase`, grouped by when it runs."""
    order = step.order()
    names = names_of(order)
    lines = []
    for when in dict.fromkeys((phase or {}).values()) if phase else [""]:
        if phase:
            lines.append(f"{when}:")
        lines += [line(i, names) for i in order if not phase or phase.get(i) == when]
    roots = {"y": [step.y], **{r: getattr(step, r) for r in step.results}}
    for name, found in roots.items():
        lines.append(f"{name} = " + ", ".join(names[i] if i else "none" for i in found))
    return "\n".join(lines)


def line(i: Instr, names: dict[Instr, str]) -> str:
    shown = [names[a] if a.op != "const" or a.shape else repr(a.value) for a in i.args]
    shown += [f"{k}={v}" for k, v in i.params.items() if i.op not in LEAVES]
    gate = f"  # {i.gate}" if i.gate else ""
    return f"  {names[i]}{list(i.shape)} = {i.op}({', '.join(shown)}){gate}"
