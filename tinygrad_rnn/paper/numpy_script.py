"""Write a cell over time, forward and backward, as a script in NumPy alone, for programs.

Both loops are written from one captured step: the forward turn is its graph, the backward turn the
graph of its gradient rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..compile.program import Index, Instr, Rows, Uncompilable
from ..engine.primitive import PRIMITIVES
from ..nn.cell import Cell
from .captured_cell import VIEWS, CapturedCell, index_text, python_name

# op: how it is written, and how tightly that binds; an operand at the right must bind tighter
INFIX = {"add": ("+", 1), "sub": ("-", 1), "mul": ("*", 2), "div": ("/", 2), "matmul": ("@", 3)}
SIGNED, POSTFIX = 4, 6
HELPERS = {
    "sigmoid": "def sigmoid(z):\n    return np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z)))",
    "put": "def put(g, index, shape):\n    zeros = np.zeros(shape, g.dtype)\n"
           "    np.add.at(zeros, index, g)\n    return zeros",
    "relu": "def relu(z):\n    return np.maximum(z, 0)",
}  # fmt: skip
HELPED = {"sigmoid": "sigmoid({0})", "relu": "relu({0})"}
HEAD = '''\
"""{cell}, {width} inputs, {units} units, over time: forward and backward in NumPy alone.

Rows are samples: a product W x of the book is x @ W.T. Written by tinygrad_rnn.paper.
"""

import numpy as np'''
FORWARD = '''\
def forward({given}):
    """Return the outputs of all steps, the last state, and what backward needs."""
    outputs, kept = [], []
    for x_t in x:  # a⟨t⟩ from a⟨t−1⟩ and x⟨t⟩
{body}
        kept.append(({kept}))
        outputs.append({y})
        {states} = {news}
    return np.array(outputs), ({last}), kept'''
BACKWARD = '''\
def backward({given}):
    """Return the gradients of x, of the first state, and of the parameters by name."""
    d_x = []
{zeros}
    for d_y, ({kept}) in zip(d_outputs[::-1], kept[::-1]):
{body}
        d_x.append({dx})
        {states} = {olds}
    shares = dict({shares})
    return np.array(d_x[::-1]), ({first}), shares'''
LONGEST = 72  # characters of an expression that stays on one line with others


def numpy_script(cell: Cell, *, states: Sequence[str] = ()) -> str:
    """Return a script with `forward` and `backward` of a cell over time, in NumPy alone.

    `forward(x, *state, **parameters)` takes x of (T, B, I) and returns the outputs, the last state
    and what `backward` needs; that returns the gradients of x, the state and the parameters.

    >>> names = {}
    >>> exec(numpy_script(nn.RNNCell(2, 3, bias="single")), names)
    >>> sorted(name for name in names if not name.startswith("_"))
    ['backward', 'forward', 'np']
    """
    paper = CapturedCell(cell, states)
    if paper.step.draws or len(paper.step.xs) > 1:
        raise Uncompilable("the step draws random numbers: switch to cell.eval() for a script")
    return _Script(paper).text()


class _Script:
    def __init__(self, paper: CapturedCell):
        self.paper, self.step = paper, paper.step
        self.helpers: dict[str, str] = {}
        self.names: dict[Instr, str] = {i: python_name(n) for i, n in paper.parameters.items()}
        self.names[self.step.xs[0]] = "x_t"
        self.names |= dict(zip(self.step.states, paper.states))
        self.names |= dict(zip(self.step.dstates, [f"d_{s}" for s in paper.states]))
        self.names[self.step.dy] = "d_y"
        self.parameters = [self.names[i] for i in self.step.params]

    def text(self) -> str:
        """Return the whole script."""
        forward = self.body([i for i in self.paper.order if i in self.paper.forward], "v")
        kept = [i for i in self.names if i in self.read_backwards()]
        backward = self.body([i for i in self.paper.order if i not in self.paper.forward], "g")
        parts = [self.head(), *self.helpers.values(), self.forward(forward, kept),
                 self.backward(backward, kept)]  # fmt: skip
        return "\n\n\n".join(parts) + "\n"

    def head(self) -> str:
        cell, width, units = (
            type(self.paper.cell).__name__,
            self.step.xs[0].width,
            self.step.y.width,
        )
        return HEAD.format(cell=cell, width=width, units=units)

    def read_backwards(self) -> set[Instr]:
        """Return what the backward turn reads of the forward turn, parameters apart."""
        forward = self.paper.forward
        read: set[Instr] = set()
        stack = [a for i in self.paper.order if i not in forward for a in i.args]
        while stack:
            i = stack.pop()
            if i.op in VIEWS and i not in self.names:
                stack += i.args
            elif i.op not in ("param", "const", "dy", "dstate") and (i in forward or not i.args):
                read.add(i)
        return read

    def body(self, order: Iterable[Instr], letter: str) -> list[str]:
        """Return a turn's statements: a line for what is read twice, the rest within it."""
        order, lines = list(order), []
        uses = Counter(a for i in self.paper.order for a in i.args)
        for i in order:
            if not i.args or i.op in VIEWS:
                continue
            text = self.expression(i)
            once = uses[i] <= 1 and len(text) < LONGEST and i not in self.step.news
            if once and not self.is_kept(i) and i not in self.paper.gates:
                continue
            self.names[i] = self.name(i, letter)
            lines.append(f"{self.names[i]} = {text}")
        return lines

    def is_kept(self, i: Instr) -> bool:
        """Return True for a value of the forward turn that the backward turn reads."""
        forward = self.paper.forward
        return i in forward and any(i in j.args for j in self.paper.order if j not in forward)

    def name(self, i: Instr, letter: str) -> str:
        if i in self.step.news:
            return f"{self.paper.states[self.step.news.index(i)]}_next"
        if self.paper.is_joined(i):
            return "".join(self.names[a] for a in i.args).removesuffix("_t")  # [a, x] is ax
        if i in self.paper.gates:
            return python_name(self.paper.gates[i])
        return f"{letter}{1 + sum(n[0] == letter and n[1:].isdigit() for n in self.names.values())}"

    # Expressions
    def expression(self, i: Instr) -> str:
        return self._text(i, top=True)[0]

    def at(self, i: Instr, level: int = 0) -> str:
        """Return an operand's text, in brackets if it binds less than `level`."""
        text, binds = self._text(i)
        return f"({text})" if binds < level else text

    def _text(self, i: Instr, top: bool = False) -> tuple[str, int]:
        if i in self.names and not top:
            return self.names[i], POSTFIX
        if i.op == "const":
            return _number(i.value)
        if i.op in INFIX:
            sign, level = INFIX[i.op]
            left, right = (self.at(a, level + k) for k, a in enumerate(i.args))
            return f"{left} {sign} {right}", level
        return self._call(i)

    def _call(self, i: Instr) -> tuple[str, int]:
        """Return the text of what is no infix: a method, a function of NumPy, or of the script."""
        args, p = i.args, i.params
        if i.op == "neg":
            return f"-{self.at(args[0], SIGNED)}", SIGNED
        if i.op == "power":
            return f"{self.at(args[0], POSTFIX)} ** {self.at(args[1], POSTFIX)}", 5
        if i.op == "transpose":
            axes = tuple(p["axes"])
            turned = ".T" if axes == (1, 0) else f".transpose({axes})"
            return self.at(args[0], POSTFIX) + turned, POSTFIX
        if i.op == "getitem":
            return f"{self.at(args[0], POSTFIX)}[{self.index(i)}]", POSTFIX
        if i.op == "put":
            self.helpers["put"] = HELPERS["put"]
            return f"put({self.at(args[0])}, np.s_[{self.index(i)}], {_sizes(p['shape'])})", POSTFIX
        if i.op in HELPED:
            self.helpers[i.op] = HELPERS[i.op]
            return HELPED[i.op].format(self.at(args[0])), POSTFIX
        if i.op in ("concatenate", "stack"):
            return f"np.{i.op}([{', '.join(map(self.at, args))}], {p['axis']})", POSTFIX
        if i.op in ("sum", "reshape", "astype", "max"):
            words = [f"{k}={_sizes(v)}" for k, v in p.items() if v is not None and v is not False]
            words = [_sizes(p["shape"])] if i.op == "reshape" else words
            return f"{self.at(args[0], POSTFIX)}.{i.op}({', '.join(words)})", POSTFIX
        if i.op in ("where", "broadcast_to"):
            return (
                f"np.{i.op}({', '.join([*map(self.at, args), *map(_sizes, p.values())])})",
                POSTFIX,
            )
        compute = PRIMITIVES[i.op].compute
        if isinstance(compute, np.ufunc):
            return f"np.{compute.__name__}({', '.join(map(self.at, args))})", POSTFIX
        raise Uncompilable(f"a script has no line for the operation {i.op!r}")

    def index(self, i: Instr) -> str:
        index = i.params["index"]
        parts = index if isinstance(index, tuple) else (index,)
        return ", ".join(self.at(i.args[k.number]) if type(k) is Index else index_text(k)
                         for k in parts)  # fmt: skip

    # The two functions
    def forward(self, body: list[str], kept: list[Instr]) -> str:
        states = ", ".join(self.paper.states)
        return FORWARD.format(
            given=", ".join(["x", *self.paper.states, *self.parameters]),
            body=_indented(body),
            kept=_tuple(self.names[i] for i in kept),
            y=self.at(self.step.y),
            states=states,
            news=", ".join(map(self.at, self.step.news)),
            last=_tuple(self.paper.states),
        )

    def backward(self, body: list[str], kept: list[Instr]) -> str:
        given = [f"d_{s}" for s in self.paper.states]
        pairs = zip(self.step.params, self.step.dparams)
        shares = [f"d_{self.names[i]} += {self.at(d)}" for i, d in pairs if d is not None]
        olds = zip(self.step.dolds, given)
        dx = self.step.dxs[0]
        return BACKWARD.format(
            given=", ".join(["kept", "d_outputs", *given, *self.parameters]),
            zeros="\n".join(f"    d_{n} = np.zeros_like({n})" for n in self.parameters),
            kept=_tuple(self.names[i] for i in kept),
            body=_indented([*body, *shares]),
            dx=self.at(dx) if dx else "0 * x_t",
            states=", ".join(given),
            olds=", ".join(f"0 * {n}" if d is None else self.at(d) for d, n in olds),
            shares=", ".join(f"{n}=d_{n}" for n in self.parameters),
            first=_tuple(given),
        )


def _indented(lines: list[str]) -> str:
    return "\n".join(f"        {line}" for line in lines)


def _tuple(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names) + "," * (len(names) == 1)


def _number(value: Any) -> tuple[str, int]:
    if np.ndim(value):
        return f"np.array({np.asarray(value).tolist()})", POSTFIX
    return (f"({value})" if value < 0 else f"{np.asarray(value).item()!r}"), POSTFIX


def _sizes(value: Any) -> str:
    """Return an option's text; a size that follows the batch is counted in rows."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_sizes, value))}{',' * (len(value) == 1)})"
    if isinstance(value, Rows):
        return "len(x_t)" if value.times == 1 else f"{value.times} * len(x_t)"
    return f"np.dtype({value.name!r})" if isinstance(value, np.dtype) else repr(value)
