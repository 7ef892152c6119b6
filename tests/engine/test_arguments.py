"""Arguments: a surplus, a missing and a misspelt one are refused by name before anything runs.

A surplus argument would otherwise reach NumPy as `out=`, and be written to.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Iterator
from inspect import Parameter
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine.arguments import checked

PLACE, NAMED = Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY


def offered() -> Iterator[tuple[str, Callable]]:
    """Yield every function of the top level, and every method of Tensor that has arguments."""
    for name, thing in vars(tg).items():
        if (
            name[0] != "_"
            and inspect.isfunction(thing)
            and thing.__module__.startswith(tg.__name__)
        ):
            yield name, thing
    for name, thing in vars(tg.Tensor).items():
        if name[0] != "_" and inspect.isfunction(thing) and thing.__name__ != "<lambda>":
            yield f"Tensor.{name}", thing


OFFERED = dict(offered())
every = pytest.mark.parametrize("name", OFFERED)


def leaf() -> tg.Tensor:
    return tg.tensor([[0.5, 0.25], [0.75, 1.0]], requires_grad=True)


def places(function: Callable) -> tuple[list[Parameter], bool]:
    """Return what may be given by place, and whether any number may."""
    parameters = inspect.signature(function).parameters.values()
    by_place = [p for p in parameters if p.kind in (PLACE, p.POSITIONAL_ONLY)]
    return by_place, any(p.kind is p.VAR_POSITIONAL for p in parameters)


def refused(function: Callable, args: list, options: dict[str, Any]) -> str:
    """Return the message; no input may have changed."""
    before = [x.numpy() for x in (a.detach() for a in args)]
    with pytest.raises(TypeError) as caught:
        function(*args, **options)
    for a, old in zip(args, before, strict=True):
        assert np.array_equal(a.detach().numpy(), old) and a.grad is None
    assert function.__name__ in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", [n for n, f in OFFERED.items() if not places(f)[1]])
def test_a_surplus_argument_is_refused(name):
    by_place, _ = places(OFFERED[name])
    refused(OFFERED[name], [leaf() for _ in range(len(by_place) + 1)], {})


@every
def test_a_missing_argument_is_refused(name):
    by_place, _ = places(OFFERED[name])
    needed = [p for p in by_place if p.default is p.empty]
    if needed:
        refused(OFFERED[name], [leaf() for _ in needed[1:]], {})


@every
def test_a_misspelt_argument_is_refused(name):
    function = OFFERED[name]
    by_place, _ = places(function)
    needed = [p for p in by_place if p.default is p.empty]
    refused(function, [leaf() for _ in needed], {"zzz": 1})
    options = [p.name for p in inspect.signature(function).parameters.values()
               if p.default is not p.empty and len(p.name) > 2]  # fmt: skip
    for option in options if hasattr(function, "__wrapped__") else ():
        if option[-1] == option[-2]:  # its end turned round is itself
            continue
        told = refused(function, [leaf() for _ in needed], {option[:-2] + option[:-3:-1]: 1})
        assert "did you mean" in told


def test_the_words():
    x = leaf()
    told = {
        "exp() takes 1 tensor, got 2": lambda: tg.exp(x, x),
        "matmul() takes 2 tensors (a, b), got 3": lambda: tg.matmul(x, x, x),
        "matmul() takes 2 tensors (a, b), got 1": lambda: x.matmul(),
        "where() takes 3 tensors (c, a, b), got 4": lambda: tg.where(x > 0, x, x, x),
        "sigmoid() has no argument 'dim'; it takes (a)": lambda: x.sigmoid(dim=1),
        "sum() has no argument 'dmi'; did you mean 'dim'?": lambda: x.sum(dmi=1),
        "mm() takes 2 arguments (a, b), got 3": lambda: tg.mm(x, x, x),
        "mul() got 'a' twice, by place and by name": lambda: tg.mul(x, x, a=x),
        "tensor() has no argument 'requires_grads'; did you mean 'requires_grad'?": (
            lambda: tg.tensor(1.0, requires_grads=True)
        ),
    }
    for words, call in told.items():
        with pytest.raises(TypeError) as caught:
            call()
        assert str(caught.value) == words


@pytest.mark.parametrize("make", [np.array, tg.tensor], ids=["array", "Tensor"])
def test_nothing_is_written_to_a_surplus_array(make):
    spare = make([5.0, 5.0])
    for function in (tg.exp, tg.tanh, tg.isnan, tg.logical_not, tg.floor, tg.sign):
        with pytest.raises(TypeError, match=r"takes 1 tensor, got 2"):
            function(make([1.0, 2.0]), spare)
    for function in (tg.mul, tg.maximum, tg.less, tg.logical_and, tg.hypot):
        with pytest.raises(TypeError, match=r"takes 2 tensors"):
            function(make([1.0, 2.0]), make([1.0, 2.0]), spare)
        with pytest.raises(TypeError, match=r"has no argument 'out'"):
            function(make([1.0, 2.0]), make([1.0, 2.0]), out=spare)
    assert np.array_equal(np.asarray(spare), [5.0, 5.0])


def test_signatures_are_those_of_the_rules():
    assert list(inspect.signature(tg.where).parameters) == ["c", "a", "b"]
    assert list(inspect.signature(tg.tanh).parameters) == ["a"]
    x = leaf()
    assert np.array_equal(tg.hypot(b=x, a=0 * x).detach().numpy(), x.detach().numpy())


def test_a_primitive_of_ones_own_has_its_rules_signature(primitives):
    def rule(g: Any, y: Any, a: Any, slope: float = 0.1) -> Any:
        return g * slope

    leaky = tg.primitive("leaky", lambda a, slope=0.1: a * slope, rule)
    x = leaf()
    assert np.allclose(leaky(x).detach().numpy(), 0.1 * x.detach().numpy())
    assert np.allclose(leaky(x, slope=2.0).detach().numpy(), 2 * x.detach().numpy())
    with pytest.raises(TypeError, match=r"leaky\(\) has no argument 'slop'; did you mean 'slope'"):
        leaky(x, slop=2.0)
    with pytest.raises(TypeError, match="takes 1 tensor, got 2"):
        leaky(x, 2.0)
    with pytest.raises(TypeError, match="1 rules, and 2 inputs"):
        tg.primitive("poor", np.multiply, lambda g, y, a, b: g * b)


def test_an_error_from_inside_a_function_stays_what_it_was():
    def inner(x: Any) -> Any:
        return len(x, x)  # type: ignore[call-arg]

    with pytest.raises(TypeError, match="len"):
        checked(inner)(1)


@pytest.mark.parametrize("name", [n for n in OFFERED if not n.startswith("Tensor.")])
def test_a_function_can_still_be_pickled(name):
    assert pickle.loads(pickle.dumps(OFFERED[name])) is OFFERED[name]
