"""What is said of arguments that do not fit: which are surplus, missing or misspelt.

Python binds arguments before anything runs. A primitive counts its tensors itself; any other public
function is `checked`: it costs nothing while all goes well but one more call, and on failure tells
what the signature knows.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

import numpy as np

Function = TypeVar("Function", bound=Callable)
PLACE = inspect.Parameter.POSITIONAL_OR_KEYWORD
NAMED = (PLACE, inspect.Parameter.KEYWORD_ONLY)
VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def misuse(name: str, signature: inspect.Signature, args: tuple, options: Mapping[str, Any],
           noun: str = "argument") -> TypeError:  # fmt: skip
    """Return the error for arguments that `signature` refuses: `exp() takes 1 tensor, got 2`.

    `noun` is what a positional argument is called.
    """
    known = list(signature.parameters.values())
    places = [p for p in known if p.kind is p.POSITIONAL_OR_KEYWORD]
    named = [p.name for p in known if p.kind in NAMED]
    catches = {p.kind for p in known if p.kind in VARIABLE}
    unknown = [k for k in options if k not in named]
    if unknown and inspect.Parameter.VAR_KEYWORD not in catches:
        return TypeError(f"{name}() has no argument {unknown[0]!r}{_hint(unknown[0], known)}")
    if len(args) > len(places) and inspect.Parameter.VAR_POSITIONAL not in catches:
        return TypeError(f"{name}() takes {_count(places, noun)}, got {len(args)}")
    filled = {p.name for p in places[: len(args)]}
    if twice := [k for k in options if k in filled]:
        return TypeError(f"{name}() got {twice[0]!r} twice, by place and by name")
    lacking = [p for p in known if p.kind in NAMED and p.default is p.empty
               and p.name not in filled and p.name not in options]  # fmt: skip
    if (
        lacking
        and noun != "argument"
        and lacking[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ):
        return TypeError(f"{name}() takes {_count(places, noun)}, got {len(args)}")
    if lacking:
        missing = ", ".join(p.name for p in lacking)
        return TypeError(f"{name}() is missing {missing}: {name}{_brief(known)}")
    return TypeError(f"{name}() cannot be called so: it is {name}{_brief(known)}")


def _count(places: list[inspect.Parameter], noun: str) -> str:
    least = sum(p.default is p.empty for p in places)
    count = f"{least}" if least == len(places) else f"{least} to {len(places)}"
    told = f" ({', '.join(p.name for p in places)})" if len(places) > 1 else ""
    return f"{count} {noun}{'s' * (len(places) != 1)}{told}"


def _hint(wrong: str, known: Iterable[inspect.Parameter]) -> str:
    """`; did you mean 'dim'?`, or what there is instead."""
    names = [p.name for p in known if p.kind in NAMED]
    near = get_close_matches(wrong, names, 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; it takes {_brief(known)}"


def _brief(known: Iterable[inspect.Parameter]) -> str:
    """A signature without types: `(x, axis=None, *, dim=None)`."""
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in known]
    return str(inspect.Signature(bare))


def checked(function: Function) -> Function:
    """Return the function with better words for arguments that its signature refuses."""

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # it came from inside
            signature = inspect.signature(function)
            raise misuse(function.__name__, signature, args, options) from None

    return call  # type: ignore[return-value]


def check_arguments(namespace: dict[str, Any]) -> None:
    """Replace each public function that a module defines by its `checked` form."""
    home: str = namespace["__name__"]
    done: dict[Any, Any] = {}
    for name, thing in list(namespace.items()):
        own = inspect.isfunction(thing) and thing.__module__ == home and not hasattr(thing, "op")
        if own and name[0] != "_" and not hasattr(thing, "__wrapped__"):
            done[thing] = done.get(thing) or checked(thing)  # once, though it has two names
            namespace[name] = done[thing]


def bind(name: str, signature: inspect.Signature, args: tuple, options: dict[str, Any],
         noun: str = "argument") -> tuple[tuple, dict]:  # fmt: skip
    """Return arguments by place and by name as `signature` has them; `misuse` if it has not."""
    try:
        given = signature.bind(*args, **options)
    except TypeError:
        raise misuse(name, signature, args, options, noun) from None
    return given.args, given.kwargs


def signature_of_rule(source: Any, first: int) -> inspect.Signature:
    """The signature of a primitive, from what its rule or its computation takes from `first` on.

    One-letter names are inputs, given by place or name; the others options, by name alone.
    """
    if isinstance(source, np.ufunc):
        parameters = [inspect.Parameter(name, PLACE) for name in "abcd"[: source.nin]]
    else:
        try:
            parameters = list(inspect.signature(source).parameters.values())[first:]
        except ValueError:  # a function of C's that does not say
            parameters = [inspect.Parameter("inputs", inspect.Parameter.VAR_POSITIONAL)]
    inputs = [p for p in parameters if p.kind is PLACE and len(p.name) == 1]
    many = [p for p in parameters if p.kind is p.VAR_POSITIONAL]
    named = [p.replace(kind=p.KEYWORD_ONLY) for p in parameters
             if p not in inputs and p.kind in (PLACE, p.KEYWORD_ONLY)]  # fmt: skip
    kind = "Tensor" if len(inputs) == 1 else "Any"  # beside a Tensor a number may stand
    every = [p.replace(annotation=kind if p in inputs else "Any") for p in (*inputs, *many, *named)]
    return inspect.Signature(every, return_annotation="Tensor")
