"""A program of the kit: recorded once, replayed on any engine, printed and drawn as text."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

OPERATORS: dict[str, tuple[str, Callable]] = {
    "add": ("+", operator.add),
    "sub": ("-", operator.sub),
    "mul": ("*", operator.mul),
    "truediv": ("/", operator.truediv),
    "pow": ("**", operator.pow),
    "matmul": ("@", operator.matmul),
}


def _both(name: str) -> tuple[Callable, Callable]:
    """Return an operator as a method, and the reflected one."""
    left = lambda self, other: Step(name, (self, other))
    return left, lambda self, other: Step(name, (other, self))


class Step:
    """One value of a program: an input, or an operation on earlier steps and constants."""

    __array_ufunc__ = None  # a constant array asks the Step, not NumPy

    def __init__(self, op: str, args: tuple = (), options: dict | None = None):
        self.op, self.args, self.options = op, args, options or {}

    __add__, __radd__ = _both("add")
    __sub__, __rsub__ = _both("sub")
    __mul__, __rmul__ = _both("mul")
    __truediv__, __rtruediv__ = _both("truediv")
    __pow__, __rpow__ = _both("pow")
    __matmul__, __rmatmul__ = _both("matmul")

    def __neg__(self) -> Step:
        return Step("neg", (self,))

    def __getitem__(self, index: Any) -> Step:
        return Step("getitem", (self,), {"index": index})

    def __getattr__(self, name: str) -> Callable:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda **options: Step(name, (self,), options)

    def args_from(self, known: dict[Step, Any]) -> tuple:
        """Return the arguments with each step's value in its place."""
        get = lambda x: known[x] if isinstance(x, Step) else x
        return tuple([get(y) for y in x] if isinstance(x, list) else get(x) for x in self.args)

    @property
    def parents(self) -> list[Step]:
        """Return the steps among the arguments, those of a list too."""
        flat = [x for a in self.args for x in (a if isinstance(a, list) else [a])]
        return [x for x in flat if isinstance(x, Step)]


def concat(parts: list, axis: int = 0) -> Step:
    """Record the concatenation of several steps."""
    return Step("concat", (list(parts),), {"axis": axis})


class Program:
    """The steps from some inputs to a result, parents first."""

    def __init__(self, inputs: Sequence[Step], result: Step):
        self.inputs, self.result = list(inputs), result
        self.steps = _ordered(inputs, result)
        letters = (c for c in "abcdefghijklmnopqrstuvwxyz")
        self.names = {s: f"{next(letters, '')}" or f"v{k}" for k, s in enumerate(self.steps)}
        self.names[result] = "L"

    @classmethod
    def of(cls, f: Callable, count: int) -> Program:
        """Record a function of `count` inputs."""
        inputs = [Step("input") for _ in range(count)]
        return cls(inputs, f(*inputs))

    def replay(self, apply: Callable, values: Sequence[Any]) -> dict[Step, Any]:
        """Return the value of each step; `apply(op, args, options)` is the engine's."""
        known = dict(zip(self.inputs, values))
        for step in self.steps:
            if step.op != "input":
                known[step] = apply(step.op, step.args_from(known), step.options)
        return known

    @property
    def ops(self) -> set[str]:
        return {s.op for s in self.steps} - {"input"}

    def line(self, step: Step) -> str:
        """Return one step as a line of Python."""
        name = lambda x: self.names[x] if isinstance(x, Step) else text_of(x)
        if step.op == "input":
            return f"{self.names[step]} = leaf"
        args = [f"[{', '.join(map(name, a))}]" if isinstance(a, list) else name(a)
                for a in step.args]  # fmt: skip
        options = [f"{k}={text_of(v)}" for k, v in step.options.items()]
        if step.op in OPERATORS:
            right = f" {OPERATORS[step.op][0]} ".join(args)
        elif step.op == "neg":
            right = f"-{args[0]}"
        elif step.op == "getitem":
            right = f"{args[0]}[{text_of(step.options['index'], True)}]"
        else:
            right = f"{step.op}({', '.join([*args, *options])})"
        return f"{self.names[step]} = {right}"

    def drawn(self, notes: dict[Step, str]) -> list[str]:
        """Return the graph as text: a rail for each value, dots where it is read.

        ○ is an input, ◆ a result, ● a value read in that line; a note stands beside its line.
        """
        column = {s: k for k, s in enumerate(self.steps)}
        last = {p: column[s] for s in self.steps for p in s.parents}
        rows = []
        for step in self.steps:
            read, here = {column[p] for p in step.parents}, column[step]
            left = min(read | {here})
            rails = ""
            for k, other in enumerate(self.steps[: here + 1]):
                crosses, live = left <= k < here, last.get(other, -1) >= here
                rail = {(True, True): "┼", (True, False): "─", (False, True): "│"}
                mark = "●" if k in read else rail.get((crosses, live), " ")
                if k == here:
                    mark = "○" if step.op == "input" else "◆"
                rails += mark + ("─" if crosses else " ")
            rows.append((rails.rstrip(), self.line(step), notes.get(step, "")))
        wide, long = max(len(r[0]) for r in rows), max(len(r[1]) for r in rows)
        head = "".join(f"{n:<2}" for n in self.names.values()).rstrip()
        return [head, *(f"{a:<{wide}}  {b:<{long}}  {c}".rstrip() for a, b, c in rows)]


def _ordered(inputs: Sequence[Step], result: Step) -> list[Step]:
    """Return the inputs, then each step behind its parents; no recursion."""
    order, stack = dict.fromkeys(inputs), [result]
    while stack:
        waiting = [p for p in stack[-1].parents if p not in order]
        if waiting and stack[-1] not in order:
            stack += waiting
        else:
            order.setdefault(stack.pop())
    return list(order)


def text_of(value: Any, index: bool = False) -> str:
    """Return a constant, an index or an array as it is written."""
    if isinstance(value, slice):
        ends = ["" if v is None else str(v) for v in (value.start, value.stop, value.step)]
        return ":".join(ends[:2]) + (f":{ends[2]}" if ends[2] else "")
    if index and isinstance(value, tuple):
        return ", ".join(text_of(v, True) for v in value)
    if value is None or isinstance(value, (str, int, list, tuple)):
        return str(value)
    if not isinstance(value, (float, np.ndarray, np.generic)):
        return f"<{type(value).__name__}>"
    with np.printoptions(precision=4, threshold=12, suppress=True):
        return " ".join(str(np.asarray(value)).split())
