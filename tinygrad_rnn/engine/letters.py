"""Run gradient rules on letters, so that they print themselves, for `draw.transform.formulas`.

A `Letter` is an expression and a sample of its values, so that shapes are real. NumPy and the
primitives take it as they take an array; so a gradient rule is read off the rule itself.

>>> rule_text("tanh", 0), rule_text("matmul", 1, ["x", "W"]), forward_text("add", ["x", "b"])
('ĝ ∘ (1 − y²)', 'xᵀ @ ĝ', 'x + b')

Letters stand for ordinary numbers: none is NaN, and no input equals another or a constant. What
rules do at such corners is left out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from .accumulate import DELAYED, SlicedGradient
from .arguments import names_in_rule
from .arrays import Library, register_type
from .backward import fitted
from .primitive import PRIMITIVES, READERS, Primitive

GRADIENT, RESULT = "ĝ", "y"
LETTER = re.compile(r"(?<![A-Za-z])[a-z](?![A-Za-z])")  # by itself, not inside a word
INFIX = re.compile(r"([a-z])( \S+ |\^)([a-z])")
# How tightly each way of writing binds
LEVELS = {"or": 1, "and": 2, "=": 3, "≠": 3, "<": 3, "≤": 3, ">": 3, "≥": 3,
          "+": 4, "−": 4, "∘": 5, "/": 5, "@": 5, "^": 7}  # fmt: skip
SENTENCE, SIGNED, POSTFIX, CLOSED = 0, 5, 8, 9
POWERS = {"2": "²", "3": "³", "−1": "⁻¹"}
SAMPLE = np.array([[0.3, 0.6], [0.7, 0.4]])
# What stands for an option while a rule is read: the first with which the operation can be done
OPTIONS: dict[str, tuple] = {
    "axis": (None, 0), "keepdims": (False,), "shape": ((4,), (4, 2), (3, 2, 2)), "axes": ((1, 0),),
    "index": ((slice(0, 2),),), "dtype": (np.dtype("f8"),), "device": ("cpu",), "decimals": (0,),
    "subscripts": ("ij,jk->ik", "ij->ji"),
}  # fmt: skip


def _method(name: str, op: str | None = None) -> Callable:
    def call(self: Letter, *args: Any, **options: Any) -> Letter:
        return write(op or name, [self], lambda a: getattr(a, name)(*args, **options))

    return call


class Letter(NDArrayOperatorsMixin):
    """A leaf with its text, or the operation `op` of some `parts`; with a sample of its values."""

    def __init__(self, sample: Any, text: str = "", op: str = "", parts: tuple[Letter, ...] = (),
                 result: bool = False):  # fmt: skip
        self.sample, self.text, self.op, self.parts = np.asarray(sample), text, op, parts
        # True if the operation's result is in it, which may equal an input
        self.result: bool = result or any(p.result for p in parts)

    shape = property(lambda self: self.sample.shape)
    ndim = property(lambda self: self.sample.ndim)
    dtype = property(lambda self: self.sample.dtype)
    T = property(lambda self: self.transpose(tuple(range(self.ndim))[::-1]))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Letter:
        return write(NAMES.get(ufunc, ufunc.__name__), inputs, ufunc)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Letter:
        inputs = args[0] if isinstance(args[0], (tuple, list)) else args
        name = NAMES.get(function, function.__name__)
        return write(name, inputs, lambda *_: function(*_samples(args), **options))

    sum = _method("sum")
    reshape = _method("reshape")
    astype = _method("astype")
    transpose = _method("transpose")
    swapaxes = _method("swapaxes", "transpose")
    __getitem__ = _method("__getitem__", "getitem")

    def __str__(self) -> str:
        return _text(self)[0]

    def __repr__(self) -> str:
        return f"<Letter {self}>"


def _samples(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return type(value)(map(_samples, value))
    return value.sample if isinstance(value, Letter) else value


def _leaf(value: Any) -> Letter:
    return value if isinstance(value, Letter) else Letter(value, _number(value))


def _number(value: Any) -> str:
    return "½" if value == 0.5 else f"{float(value):.4g}".replace("-", "−")


def _is_number(x: Letter) -> bool:
    return not x.op and x.text[-1] in "0123456789½"


# Making expressions
def write(op: str, inputs: Sequence[Any], compute: Callable | None = None) -> Letter:
    """Return the expression `op(*inputs)`, shorter where that is the same; `compute` gives its
    sample."""
    parts = tuple(map(_leaf, inputs))
    with np.errstate(all="ignore"):
        sample = (compute or PRIMITIVES[op].compute)(*[x.sample for x in parts])
    return _shorter(op, parts, np.shape(sample)) or Letter(sample, "", op, parts)


def _read(op: Primitive, inputs: tuple, options: dict) -> Letter:
    return write(op.name, inputs, lambda *a: op.compute(*a, **options))


TRUE, FALSE, NOTHING = Letter(True, "true"), Letter(False, "false"), Letter(0.0, "0")


def _shorter(op: str, x: tuple[Letter, ...], shape: tuple[int, ...]) -> Letter | None:
    """Return a shorter expression that is equal for ordinary numbers, if there is one; its value
    has this shape."""
    if op in ("isnan", "isinf", "equal", "isfinite", "not_equal") and not (
        len(x) > 1 and _meet(*x)
    ):
        return TRUE if op in ("isfinite", "not_equal") else FALSE
    if op in ("logical_or", "logical_and"):
        ends, passes = (TRUE, FALSE) if op == "logical_or" else (FALSE, TRUE)
        if any(part is ends for part in x):
            return ends
        return x[1] if x[0] is passes else x[0] if x[1] is passes else None
    if op == "where" and (x[0] is TRUE or x[0] is FALSE):
        return x[1] if x[0] is TRUE else x[2]
    if op == "mul" and "1" in map(str, x):
        return x[1] if str(x[0]) == "1" else x[0]
    if op == "mul" and str(x[0]) == str(x[1]) and not _is_number(x[0]):
        return Letter(x[0].sample ** 2, "", "power", (x[0], _leaf(2)))
    if op == "astype" and x[0].dtype.kind == "b":
        return Letter(x[0].sample.astype("f8"), "", "indicator", x)
    if op in ("astype", "clone", "transfer") or op in ("reshape", "broadcast_to") and (
        x[0].shape == shape or _is_number(x[0])):  # fmt: skip
        return x[0]
    return None


def _meet(a: Letter, b: Letter) -> bool:
    """Return True if two values may be equal: only the result can be, to an input that it came
    from."""
    return (a.result or b.result) and not (_is_number(a) or _is_number(b))


# Writing them down
def _text(x: Letter) -> tuple[str, int]:
    """Return the text of an expression, and how tightly it binds."""
    if not x.op:
        return x.text, SIGNED if x.text.startswith("−") else CLOSED
    if x.op == "mul" and any(map(_is_number, x.parts)):  # a number stands in front: 2 y, ½ ĝ
        number, other = x.parts if _is_number(x.parts[0]) else x.parts[::-1]
        return f"{number} {_within(other, LEVELS['∘'])}", LEVELS["∘"]
    if x.op == "power" and str(x.parts[1]) in POWERS:
        return _within(x.parts[0], POSTFIX) + POWERS[str(x.parts[1])], POSTFIX
    template, names = _template(x.op)
    if "*" in template:
        return template.replace("*", ", ".join(map(str, x.parts))), CLOSED
    level, needs = _binding(template)
    slots = dict(zip(names, x.parts))

    def fill(found: re.Match) -> str:
        part, first = slots.get(found[0]), found.start() == 0
        return found[0] if part is None else _within(part, needs.get(found[0], 0), first)

    return LETTER.sub(fill, template), level


def _within(x: Letter, need: int, first: bool = True) -> str:
    """Return the text as part of another: in brackets if it binds less, or has a sign but is not
    first."""
    text, level = _text(x)
    signed = text.startswith("−") and not first and need
    return f"({text})" if level < need or signed else text


@lru_cache
def _template(op: str) -> tuple[str, str]:
    """Return how an operation is written, and the letters of its inputs in order."""
    known = PRIMITIVES.get(op)
    if known is None:
        return "[a]" if op == "indicator" else f"{op}(*)", "a"
    return known.writes or f"{op}(*)", "".join(names_in_rule(*known.source)[0])


@lru_cache
def _binding(template: str) -> tuple[int, dict[str, int]]:
    """Return how tightly a way of writing binds, and how tightly each of its letters must."""
    letters = LETTER.findall(template)
    infix = INFIX.fullmatch(template)
    if infix:
        sign = infix[2].strip()
        level = LEVELS.get(sign, SENTENCE)
        left, right = sign == "^", sign in ("−", "/", "^")
        return level, {infix[1]: level + left, infix[3]: level + right}
    if template[0] == "−":
        return SIGNED, dict.fromkeys(letters, SIGNED)
    if template[0] in letters and " " not in template:
        return POSTFIX, dict.fromkeys(letters, POSTFIX)
    if template[-1] in ")]|":
        return CLOSED, {}
    return SENTENCE, dict.fromkeys(letters, SENTENCE + 1)


# Reading operations
def forward(op: str, inputs: Sequence[Any] | None = None) -> Letter:
    """Return the operation itself as an expression; `inputs` are texts or Letters."""
    return Letter(SAMPLE, "", op, _inputs(op, inputs))


def rule(op: str, k: int, inputs: Sequence[Any] | None = None, result: Any = RESULT,
         gradient: Any = GRADIENT) -> Letter:  # fmt: skip
    """Return what the gradient rule sends to the k-th input, as an expression."""
    known, parts = PRIMITIVES[op], _inputs(op, inputs)
    for options in _options(known) if known.rules else ():
        with suppress(ValueError, TypeError, IndexError), np.errstate(all="ignore"):
            y = known.compute(*_samples(parts), **{n: _samples(v) for n, v in options.items()})
            g = np.full(np.shape(y), SAMPLE[0, 0])
            share = known.rules[k](Letter(g, str(gradient)), Letter(y, str(result), result=True),
                                   *parts, **options)  # fmt: skip
            share = _dense(share) if type(share) in DELAYED else share
            return NOTHING if share is None else fitted(_leaf(share), parts[k].shape)
    return (
        NOTHING
        if not known.rules
        else Letter(SAMPLE, f"{gradient} · ∂{forward(op, inputs)}/∂{parts[k]}")
    )


def _dense(share: Any) -> Letter:
    """Return a delayed gradient, not delayed."""
    if type(share) is SlicedGradient:
        return write("put", [share.g], lambda g: np.zeros(share.shape))
    return share.dense()


def _inputs(op: str, given: Sequence[Any] | None) -> tuple[Letter, ...]:
    names = _template(op)[1] if op in PRIMITIVES else "a"
    given = list(names or "ab") if given is None else given
    boolean = {k for k, n in enumerate(names) if n == "c"}  # a condition
    samples = [SAMPLE > 0.5 if k in boolean else SAMPLE for k in range(len(given))]
    return tuple(x if isinstance(x, Letter) else Letter(s, x) for x, s in zip(given, samples))


def _options(op: Primitive) -> Iterator[dict[str, Any]]:
    named = [p.name for p in op.signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
    choices = [OPTIONS.get(n) or (Letter(0.5, n),) for n in named]
    for values in itertools.product(*choices):
        yield dict(zip(named, values))


def forward_text(op: str, inputs: Sequence[Any] | None = None) -> str:
    """Return how the operation is written.

    >>> forward_text("where"), forward_text("power", ["x", "2"]), forward_text("matmul")
    ('a where c, else b', 'x²', 'a @ b')
    """
    return str(forward(op, inputs))


def rule_text(op: str, k: int, inputs: Sequence[Any] | None = None, result: Any = RESULT,
              gradient: Any = GRADIENT) -> str:  # fmt: skip
    """Return what the gradient rule of an operation sends to its k-th input.

    >>> rule_text("div", 1), rule_text("sum", 0), rule_text("logaddexp", 0, ["u", "v"])
    ('−ĝ ∘ y / b', 'copies of ĝ', 'ĝ ∘ σ(u − v)')
    """
    return str(rule(op, k, inputs, result, gradient))


NAMES = {op.compute: name for name, op in PRIMITIVES.items()}
READERS[Letter] = _read
_paper = SimpleNamespace(zeros=lambda shape, dtype=None: Letter(np.zeros(shape), "0"))
register_type(Letter, Library(_paper, "cpu", lambda x: x.sample, lambda x: write("erf", [x])))
