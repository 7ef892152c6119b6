"""The checker must pass what is right and fail on every wrong rule, naming the right operation."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import samples

import tinygrad_rnn as tg
from tinygrad_rnn import GradcheckError, gradcheck, gradgradcheck, scope
from tinygrad_rnn.engine import ops


def real(*shape: int, seed: int = 0, dtype: Any = float) -> tg.Tensor:
    numbers = np.random.default_rng(seed).uniform(0.3, 1.5, shape)
    return tg.tensor(numbers.astype(dtype), requires_grad=True)


@pytest.fixture
def wrong(primitives: dict) -> Callable:
    """Declares a primitive for one test."""
    return lambda *args, **options: tg.primitive("wrong", *args, **options)


def raw(x: Any) -> Any:
    """The array of a Tensor: what a rule that leaves the graph works with."""
    return getattr(x, "_array", x)


# Each takes the place of a right operation in the function below; `keeps` is all, for brevity
ZOO: dict[str, tuple] = {
    "sign": (np.tanh, lambda g, y, a: -g * (1 - y * y)),
    "missing factor": (np.square, lambda g, y, a: g * a),
    "missing square": (np.tanh, lambda g, y, a: g * (1 - y)),
    "of the input, not the result": (np.exp, lambda g, y, a: g * a),
    "off by a constant": (np.exp, lambda g, y, a: g * y + 0.1),
    "only where large": (np.sin, lambda g, y, a: g * ops.where(a > 0.6, 0.0, ops.cos(a))),
    "zero": (np.sin, lambda g, y, a: g * 0.0),
    "transposed": (lambda a: a.T.copy(), lambda g, y, a: g),
    "wrong inverse permutation": (lambda a: a[[1, 2, 0]], lambda g, y, a: g[[1, 2, 0]]),
    "reversed only forward": (lambda a: a[::-1], lambda g, y, a: g),
    "reduction not spread along its axis": (
        lambda a: a.sum(axis=1), lambda g, y, a: g),
    "mean without its count": (lambda a: a.mean(keepdims=True), lambda g, y, a: g),
    "cumulative sum not turned round": (
        lambda a: np.cumsum(a, 0), lambda g, y, a: ops.cumsum(g, axis=0)),
    "overwritten duplicates": (
        lambda a: a[[0, 0, 2]], lambda g, y, a: np.concatenate([g[1:2], 0 * g[:1], g[2:]])),
    "maximum to all": (lambda a: a.max(keepdims=True), lambda g, y, a: g),
    "wrong shape": (np.exp, lambda g, y, a: ops.concatenate(g, g, axis=0)),
    "raises": (np.exp, lambda g, y, a: g.no_such_method()),
}  # fmt: skip


def around(operation: Callable) -> Callable:
    """A composite in which `operation` is one of several steps, labelled as a cell's gate is."""

    def composite(x: tg.Tensor) -> tg.Tensor:
        h = tg.tanh(x @ (x * 0.5 + np.arange(9.0).reshape(3, 3) / 9))
        with scope("lstm", layer=0, gate="forget"):
            h = operation(h)
        weights = np.arange(1.0, 1 + h._array.size).reshape(h.shape)
        return (h * weights).sum() + x.sum()

    return composite


@pytest.mark.parametrize("fast", [False, True], ids=["full", "fast"])
@pytest.mark.parametrize("name", ZOO)
def test_every_wrong_rule_is_named(name, fast, wrong):
    operation = wrong(*ZOO[name], keeps="ya")
    composite = around(operation)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(composite, real(3, 3), fast_mode=fast)
    told = str(caught.value)
    assert re.search(r"\n  'wrong' \(node \d+, in lstm\.layer=0\.gate=forget\): its rule", told)
    if name != "raises":
        assert "argument 0" in told or "raises" in told
    assert not gradcheck(composite, real(3, 3), fast_mode=fast, raise_exception=False)


def test_the_argument_and_entry_at_fault_are_named(wrong):
    def second(g: Any, y: Any, a: Any, b: Any) -> Any:
        return g * a * ops.where(b > 1.4, 1.5, 1.0)

    times = wrong(np.multiply, lambda g, y, a, b: g * b, second, keeps="ab")
    a = real(2, 3)
    b = tg.tensor(np.where(np.arange(6).reshape(2, 3) == 4, 1.45, 0.5), requires_grad=True)
    with pytest.raises(GradcheckError, match=r"input 1 .*entry \(1, 1\)") as caught:
        gradcheck(lambda a, b: times(a, b).sum(), (a, b))
    found = re.search(r"argument 1, entry \(1, 1\): analytic (.*), numeric (.*)", str(caught.value))
    slope = a.tolist()[1][1]
    assert [float(v) for v in found.groups()] == pytest.approx([1.5 * slope, slope], rel=1e-6)


BROADCAST_RULES = {
    "summed over the wrong axis": lambda g, y, a, b: g.sum(axis=1),
    "one row instead of their sum": lambda g, y, a, b: g[0],
    "mean instead of sum": lambda g, y, a, b: g.sum(axis=0) * (1 / 3),
}


@pytest.mark.parametrize("rule", BROADCAST_RULES.values(), ids=BROADCAST_RULES.keys())
def test_a_wrong_unbroadcast_is_named(rule, wrong):
    plus = wrong(np.add, lambda g, y, a, b: g, rule)
    with pytest.raises(GradcheckError, match=r"\n  'wrong' .* for argument 1"):
        gradcheck(lambda a, b: tg.tanh(plus(a, b)), (real(3, 3), real(3)))


SECOND: dict[str, tuple] = {
    "rule computes on raw arrays": (np.exp, lambda g, y, a: g * np.exp(raw(a))),
    "result detached": (np.tanh, lambda g, y, a: g * (1 - y * raw(y))),
    "upstream gradient detached": (np.sin, lambda g, y, a: ops.cos(a) * raw(g)),
}


@pytest.mark.parametrize("name", SECOND)
def test_what_only_the_second_derivative_shows(name, wrong):
    composite = around(wrong(*SECOND[name], keeps="ya"))
    assert gradcheck(composite, real(3, 3))
    with pytest.raises(GradcheckError, match=r"\n  'wrong' .*: the gradient of its rule"):
        gradgradcheck(composite, real(3, 3))


CONSISTENT = ("zero", "only where large")  # wrong gradients, but their slopes are their slopes


@pytest.mark.parametrize("name", [n for n in ZOO if n not in CONSISTENT])
def test_a_wrong_first_derivative_is_named_by_the_second_too(name, wrong):
    operation = wrong(*ZOO[name], keeps="ya")
    composite = around(lambda h: operation(h * h) ** 2)
    with pytest.raises(GradcheckError, match=r"\n  'wrong' .*: its rule"):
        gradgradcheck(composite, real(3, 3))


# A graph that is cut, and functions that have no slope
def test_a_detached_part_is_shown_where_it_enters():
    def cut(x: tg.Tensor) -> tg.Tensor:
        y = tg.exp(x)
        return y * y.detach()

    message = r"every operation's own rule is right, but 'mul' .* argument 1, the value of 'exp'"
    with pytest.raises(GradcheckError, match=message):
        gradcheck(cut, real(3))


def test_a_part_that_left_the_graph_is_told_from_a_wrong_rule():
    with pytest.raises(GradcheckError, match="every operation's own rule is right"):
        gradcheck(lambda x: x * tg.tensor(np.exp(x.detach().numpy())), real(3))


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "hardtanh"])
def test_a_kink_is_called_one(name):
    x = tg.tensor(np.array([0.5, 0.0 if name != "hardtanh" else 1.0]), requires_grad=True)
    with pytest.raises(GradcheckError, match=r"entry \(1,\).*kink.*from below.*from above"):
        gradcheck(getattr(tg, name), x)
    smooth = tg.tensor(np.array([0.5, 2.0]), requires_grad=True)
    assert gradcheck(getattr(tg, name), smooth)


def test_a_function_that_draws_is_refused():
    source = tg.Generator(0)
    with pytest.raises(GradcheckError, match="differs between two calls"):
        gradcheck(lambda x: tg.dropout(x, 0.5, generator=source), real(50))
    assert gradcheck(lambda x: tg.dropout(x, 0.5, generator=tg.Generator(0)), real(5))


def test_nothing_to_check_is_refused():
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(tg.exp, tg.tensor([1.0]))


# Precision
def test_float32_is_checked_with_looser_tolerance(wrong):
    assert gradcheck(lambda x: tg.tanh(x @ x), real(2, 2, dtype=np.float32))
    assert gradgradcheck(lambda x: tg.tanh(x @ x), real(2, 2, dtype=np.float32))
    bad = wrong(np.tanh, ZOO["sign"][1], keeps="y")
    with pytest.raises(GradcheckError, match=r"tolerance 0\.01 .*\n  'wrong'"):
        gradcheck(bad, real(3, dtype=np.float32))


def test_float16_is_refused():
    with pytest.raises(ValueError, match="input 1 is float16"):
        gradcheck(tg.add, (real(2), real(2, dtype=np.float16)))


def test_tolerances_are_obeyed(wrong):
    slightly = wrong(np.exp, lambda g, y, a: g * y * 1.0001, keeps="y")
    assert gradcheck(slightly, real(3))
    assert not gradcheck(slightly, real(3), rtol=1e-5, atol=1e-8, raise_exception=False)


# What is right passes, and inputs come back as they were
SMOOTH = [s for s in samples.ROWS if s.order == 2 and sum(a.size for a in s.inputs) < 14][::4]


@pytest.mark.parametrize("sample", SMOOTH, ids=[f"{s.name}-{i}" for i, s in enumerate(SMOOTH)])
def test_right_functions_pass(sample):
    xs = [tg.tensor(a, requires_grad=a.dtype.kind == "f") for a in sample.inputs]
    arrays = [x._array for x in xs]
    assert gradcheck(sample.call, xs, rtol=1e-5, atol=1e-7)
    assert gradcheck(sample.call, xs, fast_mode=True)
    assert gradgradcheck(sample.call, xs)
    assert all(x._array is a and x.grad is None for x, a in zip(xs, arrays, strict=True))


def test_a_function_may_use_its_inputs_without_being_given_them():
    weight, x = real(3, 2), real(4, 3, seed=1)
    assert gradcheck(lambda *_: tg.tanh(x @ weight), (x, weight))


def test_several_outputs_and_integer_inputs(library):
    x = library.tensor(np.array([0.3, 0.7, 1.1])).requires_grad_()
    places = library.tensor(np.array([0, 2, 0]))
    assert gradcheck(lambda x, i: (tg.exp(x)[i], x.sum(), x.argmax()), (x, places))
    assert gradgradcheck(lambda x, i: (tg.exp(x)[i], (x * x).sum()), (x, places))


def test_inputs_are_put_back_after_an_error():
    x = real(3)
    before = x._array
    calls = []

    def fails_later(x: tg.Tensor) -> tg.Tensor:
        calls.append(x)
        if len(calls) == 5:
            raise KeyError("on purpose")
        return x * x

    with pytest.raises(KeyError, match="on purpose"):
        gradcheck(fails_later, x)
    assert x._array is before


def test_what_shares_the_inputs_memory_moves_with_it():
    """A detached factor hides half of the slope of x²: the rules say x, the differences 2 x."""
    x = tg.tensor(np.array([1.0, 2.0]), requires_grad=True)
    hidden = x.detach()
    with pytest.raises(tg.GradcheckError):
        tg.gradcheck(lambda x: x * hidden, (x,))
    assert x.tolist() == hidden.tolist() == [1.0, 2.0]
