"""Write a whole program as Python source, the loops and the calls around them, for `listing`.

Nothing is described twice: the loops are bound to `Letters` instead of arrays, and the calls that
would run are printed. With `xs, states, params, dy, dstates` in its namespace the text leaves
`y, last, dxs, dstates, dparams`, equal to a run's to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from ..phases import LOOPS
from ..program import Instr, Rows, names_of
from .comments import comment
from .emit_numpy import BoundWorkspace, general
from .memory import inputs

HEAD = """\
import numpy as np
from numpy import inf, nan
from tinygrad_rnn.compile.program import Index, execute"""
FORWARD, BACKWARD = ("before", "forward", "between"), ("ready", "backward", "after")


class Letters:
    """An array, or the number of a step, as text: to index it, or to count on, gives text again."""

    def __init__(self, text: str, dtype: Any = None):
        self.text, self.dtype = text, dtype

    def __getitem__(self, index: Any) -> Letters:
        if index is Ellipsis:
            return self
        keys = index if isinstance(index, tuple) else (index,)
        return Letters(f"{self.text}[{', '.join(map(_key, keys))}]", self.dtype)

    def __add__(self, number: int) -> Letters:
        return Letters(f"({self.text} + {number})")

    def __mod__(self, number: int) -> Letters:
        return Letters(f"{self.text} % {number}")


STEP: Any = Letters("t")


def _key(key: Any) -> str:
    if isinstance(key, slice):
        return ":".join("" if k is None else str(k) for k in (key.start, key.stop))
    return written(key)


def written(value: Any, rows: str = "B") -> str:
    """Return a value as Python source: nothing else gets into the text but through here."""
    if isinstance(value, Letters):
        return value.text
    if isinstance(value, Rows):
        return f"{value.times} * {rows}"
    if isinstance(value, tuple):
        return f"({', '.join(written(v, rows) for v in value)}{',' * (len(value) == 1)})"
    if isinstance(value, np.dtype) or isinstance(value, type) and issubclass(value, np.generic):
        return f"np.dtype({np.dtype(value).name!r})"
    if isinstance(value, np.ndarray | np.generic):
        numbers = np.asarray(value)
        flat = f"np.array({numbers.reshape(-1).tolist()}, {written(numbers.dtype)})"
        return f"{flat}.reshape({written(numbers.shape)})"
    return "..." if value is Ellipsis else ascii(value)


class NumPySource(BoundWorkspace):
    """The text of a kernel's program; where loops are code of another language, they are named."""

    def __init__(self, kernel: Any):  # no arrays are made
        self.loops, self.memory, self.kernel = kernel.loops, kernel.loops.memory, kernel
        self.program, self.step = kernel.program, kernel.program.step
        self.names = names_of(self.program.order)
        self.buffers: dict[tuple[str, Any], str] = {}
        self.imports: dict[str, None] = {}
        self.inputs = inputs(self.program)

    def text(self) -> str:
        """Return the whole program, to be executed."""
        forward = [*self.given(), *self.weights(), *self.first_states()]
        forward += self.phases(FORWARD)
        ends = [self.array("state", k)[-1] for k in range(len(self.step.states))]
        forward += [f"y = {self.of_all_steps(self.step.y)}", f"last = {listed(ends)}"]
        backward = self.backward() if any([*self.step.dxs, *self.step.dparams]) else []
        rows = self.rows_of_buffers()
        made = [f"{name} = {self.empty(*key)}" for key, name in self.buffers.items()]
        head = [HEAD, *self.imports, "T, B = xs[0].shape[:2]"]
        return "\n".join([*head, *made, *rows, *forward, *backward, ""])

    def around(self) -> list[str]:
        """Return the array calls alone, for loops in another language."""
        return self.phases(("static", *FORWARD, *BACKWARD))

    def given(self) -> list[str]:
        xs = enumerate(self.step.xs)
        return [line for k, i in xs for line in self.taken_over(i, Letters(f"xs[{k}]"))]

    def taken_over(self, i: Instr, array: Letters) -> list[str]:
        """Return the rows of all steps of an input, and the copy that loops read."""
        if i not in self.names:
            return []
        lines = [f"{self.names[i]} = {array.text}.reshape({written((-1, *i.shape[1:]))})"]
        place = self.memory.where(i)
        given = array[0] if place.kind == "still" else array  # the same at every step: there once
        text = f"{self.array(place.kind, place.of).text}[...] = {given.text}"
        return lines + [text] * (i in self.inputs)

    def weights(self) -> list[str]:
        """Return the parameters, what is made of them alone, and the copies that loops read."""
        params = [(i, k) for k, i in enumerate(self.step.params) if i in self.names]
        lines = [f"{self.names[i]} = params[{k}]" for i, k in params] + self.phases(["static"])
        for i in self.program.order:
            if i in self.inputs and i not in self.program.varies:
                rows = f"[:{len(i.value)}]" if i.batch == [0] else ""
                lines.append(f"{self.array('fixed', i).text}[...] = {self.names[i]}{rows}")
        return lines

    def first_states(self) -> list[str]:
        count = range(len(self.step.states))
        return [f"{self.array('state', k)[0].text} = states[{k}]" for k in count]

    def backward(self) -> list[str]:
        count = range(len(self.step.dstates))
        at = "T" if self.program.keeps_adjoints else "T % 2"
        lines = self.taken_over(self.step.dy, Letters("dy"))
        lines += [f"{self.array('carry', k).text}[{at}] = dstates[{k}]" for k in count]
        lines += self.phases(BACKWARD)
        dxs = [i and Letters(self.of_all_steps(i)) for i in self.step.dxs]
        shares = [i and Letters(self.summed(i)) for i in self.step.dparams]
        ends = [self.array("carry", k)[0] for k in count]
        return [*lines, f"dxs = {listed(dxs)}", f"dstates = {listed(ends)}",
                f"dparams = {listed(shares)}"]  # fmt: skip

    def phases(self, names: Iterable[str]) -> list[str]:
        lines = []
        for name in names:
            loop, calls = (
                self.loop(name),
                [self.array_call(*one) for one in self.kernel.calls[name]],
            )
            lines += [f"# {name}", *loop, *calls] if loop or calls else []
        return lines

    def loop(self, name: str) -> list[str]:
        """Return a loop over time in NumPy; of other code the name."""
        if self.loops.workspace is not BoundWorkspace:
            return ["# by the code above"] if self.program.native.get(name) else []
        if name not in LOOPS or not (body := self.bind(name, STEP)):
            return []
        times = "range(T)" if name == "forward" else "reversed(range(T))"
        return [f"for t in {times}:", *("    " + self.call(*one) for one in body)]

    def call(self, function: Callable, arguments: tuple) -> str:
        """Return one call in a loop; the last argument, or `out`, is where the result goes."""
        if function is comment:
            return f"# {comment(*arguments)}"
        if function is general:
            i, args, _, out = arguments
            return f"{out.text}[...] = {self.executed(i, args)}"
        words = [*map(written, arguments)]
        if isinstance(function, partial):
            words += [f"{k}={written(v)}" for k, v in function.keywords.items()]
            function = function.func
        return f"{self.named(function)}({', '.join(words)})"

    def array_call(self, i: Instr, function: Callable | None) -> str:
        """Return one call on the rows of all steps; what is kept is written where it is kept."""
        args, name = [Letters(self.names[a]) for a in i.args], self.names[i]
        note = f"  # {comment(i.gate)}" if i.gate else ""
        if function is None:
            where = f"{name}[...]" if self.is_shown(i) else name
            return f"{where} = {self.executed(i, args, 'T * B')}{note}"
        out = f", out={name}" if self.is_shown(i) else ""
        return f"{name} = {self.named(function)}({', '.join(map(written, args))}{out}){note}"

    def executed(self, i: Instr, args: Iterable[Any], rows: str = "B") -> str:
        params = ", ".join(f"{k!a}: {written(v, rows)}" for k, v in i.params.items())
        return f"execute({i.op!a}, {listed(args)}, {{{params}}})"

    def named(self, function: Callable) -> str:
        """Return the text of a function: NumPy's by its name there, another by an import."""
        name = function.__name__
        if getattr(np, name, None) is function:
            return f"np.{name}"
        self.imports[f"from {function.__module__} import {name}"] = None
        return name

    # The memory, in letters
    def array(self, kind: str, of: Any) -> Letters:
        if kind in ("state", "carry"):
            return Letters(self.buffers.setdefault((kind, of), f"{kind}_{of}"))
        single = kind in ("once", "fixed", "still")  # a step's, a weight, a context
        kind = kind if single else "all"
        name = self.buffers.setdefault((kind, of), f"{kind}_{self.names[of]}")
        return Letters(name, of.dtype or self.memory.real)

    def spare(self, shape: tuple[int, ...], dtype: Any) -> Letters:
        key = "spare", (shape, dtype)
        return Letters(self.buffers.setdefault(key, f"spare_{len(self.buffers)}"), dtype)

    def bound_at(self, i: Instr, t: Any, at: dict[Instr, Any]) -> Any:
        if i in self.program.views:
            return Letters(self.executed(i, [self.bound_at(a, t, at) for a in i.args]), i.dtype)
        return super().bound_at(i, t, at)

    def calls_of(self, i: Instr, args: list, out: Any) -> list[tuple[Callable, tuple]]:
        return [(comment, (i.gate,))] * bool(i.gate) + super().calls_of(i, args, out)

    def empty(self, kind: str, of: Any) -> str:
        """Return the text that makes a buffer."""
        if kind == "fixed" and of.op == "const":
            return written(of.value)
        if kind == "spare":
            return f"np.empty({written(of[0])}, {of[1].name!r})"
        like, first = of, [Letters("T")] * (kind == "all")
        if kind in ("state", "carry"):
            like = (self.step.states if kind == "state" else self.step.dstates)[of]
            two = kind == "carry" and not self.program.keeps_adjoints
            first = [Letters("2" if two else "T + 1")]
        dtype = np.dtype(like.dtype or self.memory.real).name
        return f"np.empty({written((*first, *like.shape))}, {dtype!r})"

    def rows_of_buffers(self) -> list[str]:
        """Return the rows of all steps of what is in memory, and constants."""
        lines = []
        for i in self.program.order:
            if i.op == "const":
                lines.append(f"{self.names[i]} = {written(i.value)}")
            elif self.is_shown(i):
                rows = f".reshape({written((-1, *i.shape[1:]))})" if i.batch == [0] else ""
                lines.append(f"{self.names[i]} = {self.part(i).text}{rows}")
        return lines

    def is_shown(self, i: Instr) -> bool:
        adjoint = i.op == "dstate" and self.program.keeps_adjoints
        return i in self.program.kept or i.op == "state" or adjoint

    def of_all_steps(self, i: Instr) -> str:
        sizes = written((Letters("T"), *i.shape))
        if i.batch:
            return f"{self.names[i]}.reshape({sizes})"
        return f"np.broadcast_to({self.names[i]}, {sizes})"

    def summed(self, i: Instr) -> str:
        if i not in self.program.varies:
            return f"{self.names[i]} * T"
        return self.names[i] + (".sum(0)" if self.program.phase[i] in LOOPS else "")


def listed(values: Iterable[Any]) -> str:
    return f"[{', '.join(map(written, values))}]"
