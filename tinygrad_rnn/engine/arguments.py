"""Explain arguments that do not fit: surplus, missing, misspelt; `primitive` calls it.

Python binds arguments before anything runs. A primitive counts its tensors itself; any other public
function is `checked`: it costs nothing while all goes well but one more call, and on failure tells
what the signature knows.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:  # else imported where a signature is wanted: it costs a fifth of NumPy's import
    import inspect

Function = TypeVar("Function", bound=Callable)
VARIADIC = 0x04  # the flag of code that takes *inputs


def checked(function: Function) -> Function:
    """Return the function with better words for arguments that its signature refuses."""

    def call(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # it came from inside
            from inspect import signature

            from .misuse import misuse, renamed

            accepted = signature(function)
            if (again := renamed(accepted, args, options)) is None:
                raise misuse(function.__name__, accepted, args, options) from None
        return function(*again[0], **again[1])

    told: Any = function  # what `functools.wraps` copies, in a fifth of its time: import has 190
    call.__name__, call.__qualname__, call.__doc__ = told.__name__, told.__qualname__, told.__doc__
    call.__module__, call.__annotations__ = told.__module__, told.__annotations__
    call.__wrapped__ = function  # type: ignore[attr-defined]
    return call  # type: ignore[return-value]


def check_arguments(namespace: dict[str, Any]) -> None:
    """Replace each public function that a module defines by its `checked` form."""
    home: str = namespace["__name__"]
    done: dict[Any, Any] = {}
    for name, thing in list(namespace.items()):
        own = (
            isinstance(thing, FunctionType)
            and thing.__module__ == home
            and not hasattr(thing, "op")
        )
        if own and name[0] != "_" and not hasattr(thing, "__wrapped__"):
            done[thing] = done.get(thing) or checked(thing)  # once, though it has two names
            namespace[name] = done[thing]


def names_in_rule(source: Any, first: int) -> tuple[list[str], list[str], bool, bool]:
    """Return what `signature_of_rule` would list, read from the code: no signature is made.

    (inputs, options, whether any number of inputs is taken, whether anything has a default):

    >>> names_in_rule(lambda g, y, a, b, axis=0: g, 2)
    (['a', 'b'], ['axis'], False, True)
    """
    if isinstance(source, np.ufunc):
        return list("abcd"[: source.nin]), [], False, False
    if not isinstance(source, FunctionType) or hasattr(source, "__wrapped__"):
        from .misuse import signature_of_rule

        known = list(signature_of_rule(source, first).parameters.values())
        inputs = [p.name for p in known if p.kind is p.POSITIONAL_OR_KEYWORD]
        many = any(p.kind is p.VAR_POSITIONAL for p in known)
        defaults = any(p.default is not p.empty for p in known)
        options = [p.name for p in known if p.kind is p.KEYWORD_ONLY]
        return inputs, options, many, defaults
    code = source.__code__
    count, by_name = code.co_argcount, code.co_kwonlyargcount
    places = code.co_varnames[max(first, code.co_posonlyargcount) : count]
    inputs = [name for name in places if len(name) == 1]
    options = [name for name in places if len(name) > 1]
    options += code.co_varnames[count : count + by_name]
    defaults = bool(source.__kwdefaults__ or (source.__defaults__ and places))
    return inputs, options, bool(code.co_flags & VARIADIC), defaults


class Signed:
    """Show `inspect` a wrapped function's signature, made when it is asked for."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], inspect.Signature]):
        self.make = make

    @property
    def __signature__(self) -> inspect.Signature:
        return self.make()
