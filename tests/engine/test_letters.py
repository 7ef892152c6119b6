"""Letters: what a rule prints is what it computes."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine import letters
from tinygrad_rnn.engine.letters import Letter, forward_text, rule_text
from tinygrad_rnn.engine.primitive import PRIMITIVES, ForEach

DIFFERENTIABLE = {n: op for n, op in PRIMITIVES.items() if op.rules}
RULES = [
    (name, k)
    for name, op in DIFFERENTIABLE.items()
    for k in range(2 if isinstance(op.rules, ForEach) else len(op.rules))
]
PROSE = re.compile(r"…|copies|^Σ|cumsum|einsum|reshape|\[")  # places and sizes are left out


def python(text: str) -> str:
    """Return a text of letters as Python."""
    text = re.sub(r"(.*) where (.*), else (.*)", r"where(\2, \1, \3)", text)
    text = re.sub(r"(\w+ [≤≥] \w+)", r"(\1)", text)
    for sign, code in {"∘": "*", "−": "-", "²": "**2", "^": "**", "√": "sqrt", "½": "0.5",
                       "ᵀ": ".T", " = ": " == ", "≤": "<=", "≥": ">=", " and ": " & ",
                       "Σ": "sum"}.items():  # fmt: skip
        text = text.replace(sign, code)
    return re.sub(r"(\d) (?=[^\W\d])", r"\1 * ", text)


OPTIONS: dict[str, Any] = dict(low=0.3, high=0.6, axes=(1, 0), axis=None, keepdims=False,
                               decimals=0, dtype=np.float64, device="cpu")  # fmt: skip
VOCABULARY = {
    n: getattr(np, n) for n in "exp log sin cos sinh cosh sqrt sign trunc floor sum".split()
}
VOCABULARY |= {"where": np.where, "hypot": np.hypot, "σ": PRIMITIVES["sigmoid"].compute}


@pytest.mark.parametrize("name, k", RULES)
def test_every_rule_prints_itself(name, k):
    text = rule_text(name, k)
    assert text and "<" not in text and "object" not in text and "∂" not in text


@pytest.mark.parametrize("name, k", [r for r in RULES if not PROSE.search(rule_text(*r))])
def test_what_a_rule_prints_is_what_it_computes(name, k):
    rng, op = np.random.default_rng(3), PRIMITIVES[name]
    names = list(inspect.signature(op.rules[0]).parameters)[2:]
    values: dict[str, Any] = {n: rng.uniform(0.2, 0.9, (3, 3)) for n in names if len(n) == 1}
    values |= {n: v > 0.5 for n, v in values.items() if n == "c"}
    options = {n: OPTIONS[n] for n in names if len(n) > 1}
    y = op.compute(*values.values(), **options)
    g = rng.uniform(0.2, 0.9, np.shape(y))
    share = op.rules[k](g, y, *values.values(), **options)
    share = share.dense() if hasattr(share, "dense") else share
    said = eval(python(rule_text(name, k)), VOCABULARY | values | options | {"y": y, "ĝ": g})
    assert np.allclose(np.broadcast_to(said, (3, 3)), share, rtol=1e-3)


def test_the_words():
    assert rule_text("sigmoid", 0) == "ĝ ∘ y ∘ (1 − y)"
    assert rule_text("power", 0) == "ĝ ∘ b ∘ a^(b − 1)"
    assert rule_text("matmul", 0, ["h", "W_hh"], gradient="G") == "G @ W_hhᵀ"
    assert rule_text("maximum", 1) == "ĝ where b = y, else 0"
    assert rule_text("atan2", 1) == "−ĝ ∘ a / hypot(a, b) / hypot(a, b)"
    assert rule_text("sum", 0) == "copies of ĝ"
    assert rule_text("broadcast_to", 0) == "Σ(ĝ)"
    assert rule_text("getitem", 0) == "ĝ put at […], else 0"
    assert rule_text("floor", 0) == rule_text("less", 0) == "0"


def test_a_factor_of_one_is_left_out():
    x, one = Letter(np.full(2, 0.5), "x"), Letter(1.0, "1")
    assert str(one * x) == str(x * one) == "x"


def test_an_operation_without_a_text_of_its_own_is_written_as_a_call():
    thrice = tg.primitive("thrice_as_text", lambda a: 3 * a, lambda g, y, a: 3 * g)
    del PRIMITIVES["thrice_as_text"]
    assert thrice.op.writes == "thrice_as_text(a)"


def test_brackets_stand_where_they_are_needed_and_nowhere_else():
    a, b, c = (Letter(np.ones(2), n) for n in "abc")
    assert [str(x) for x in (a - (b - c), a - b - c, a / (b * c), (a + b) * c, -(a + b), a - -b,
                             (a + b) ** c, (a * b).T, tg.exp(a + b), 2.0 * a * b, a * a * b)] == [
        "a − (b − c)", "a − b − c", "a / (b ∘ c)", "(a + b) ∘ c", "−(a + b)", "a − (−b)",
        "(a + b)^c", "(a ∘ b)ᵀ", "exp(a + b)", "2 a ∘ b", "a² ∘ b"]  # fmt: skip


def test_formulas_nest():
    x, w, b = "x W b".split()
    inner = letters.forward("add", [letters.forward("matmul", [x, w]), b])
    assert forward_text("tanh", [inner]) == "tanh(x @ W + b)"
    assert rule_text("mul", 0, [inner, "r"]) == "ĝ ∘ r"
    assert rule_text("mul", 1, [inner, "r"]) == "ĝ ∘ (x @ W + b)"


def test_every_primitive_is_written_with_its_own_letters():
    for name in PRIMITIVES:
        text = forward_text(name)
        assert text and "*" not in text and not math.isnan(len(text))


def test_a_primitive_of_ones_own_prints_itself(primitives):
    square = tg.primitive(
        "squared", lambda a: a * a, lambda g, y, a: 2 * g * a, keeps="a", writes="a²"
    )
    assert (forward_text("squared"), rule_text("squared", 0)) == ("a²", "2 ĝ ∘ a")
    assert str(square(Letter(1.0, "h"))) == "h²"
    tg.primitive("odd", lambda a, way: a[way], lambda g, y, a, way: g + way["up"])
    assert rule_text("odd", 0) == "ĝ · ∂odd(a)/∂a"  # it cannot be read
