"""Explain arguments that do not fit: surplus, missing, misspelt; `primitive` calls it.

Python binds arguments before anything runs. A primitive counts its tensors itself; any other public
function is `checked`: it costs nothing while all goes well but one more call, and on failure tells
what the signature knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:  # else imported where a signature is wanted: it costs a fifth of NumPy's import
    import inspect

Function = TypeVar("Function", bound=Callable)
VARIADIC = 0x04  # the flag of code that takes *inputs


RENAMED: dict[str, tuple] = {  # PyTorch's name of an argument → ours; None is the first one
    "input": (None,), "self": (None,), "other": ("exponent", "y", "b"), "size": ("shape",),
    "fill_value": ("value",), "split_size_or_sections": ("sizes",), "split_size": ("sizes",),
    "hx": ("state",), "train": ("training",), "low": ("start",), "axis": ("dim",),
    "keepdims": ("keepdim",), "repeats": ("dims",), "seq": ("tensors",), "mat1": ("a",),
    "mat2": ("b",), "vec": ("v", "b"), "vec2": ("b",), "tensor": ("b",), "split_sizes": ("sizes",),
    "indices": ("input", "key", "indices_or_sections"), "value": ("src",), "dim0": ("axis0",),
    "dim1": ("axis1",), "sections": ("indices_or_sections",),
    "tensor_indices_or_sections": ("indices_or_sections",),
}  # fmt: skip
SPREAD = ("size", "shape", "dims", "repeats", "sizes", "dim0", "dim1")  # of `*sizes` and the like


def renamed(signature: inspect.Signature, args: tuple, options: Mapping[str, Any]) -> Any:
    """Return (args, options) under the names of `signature`, or None if it knows no others.

    >>> from inspect import signature
    >>> renamed(signature(lambda x, dim: 0), (), {"input": 3, "dim": 1})
    ((), {'x': 3, 'dim': 1})
    """
    known: Any = signature.parameters
    first: Any = next(iter(known), None)
    many = any(p.kind is p.VAR_POSITIONAL for p in known.values())
    named = _named(known.values())
    new: dict[str, Any] = {}
    spread = []
    for name, value in options.items():
        own = [first if k is None else k for k in RENAMED.get(name, ())]
        fits = [k for k in own if k in known and k not in options]
        if name in named or not (fits or (many and name in SPREAD)):
            new[name] = value
        elif fits and fits[0] in named:
            new[fits[0]] = value
        else:
            spread.append(value)
    if spread and first in new and first in named:
        args = (new.pop(first), *args)
    changed = spread or list(new) != list(options)
    return ((*args, *spread), new) if changed and fitting(signature, args, new) else None


def fitting(signature: inspect.Signature, args: tuple, options: Mapping[str, Any]) -> bool:
    """Return whether a call with these arguments is possible."""
    try:
        signature.bind(*args, **options)
    except TypeError:
        return False
    return True


def misuse(name: str, signature: inspect.Signature, args: tuple, options: Mapping[str, Any],
           noun: str = "argument") -> TypeError:  # fmt: skip
    """Return the error for arguments that `signature` refuses: `exp() takes 1 tensor, got 2`.

    `noun` is what a positional argument is called.
    """
    known = list(signature.parameters.values())
    places = [p for p in known if p.kind is p.POSITIONAL_OR_KEYWORD]
    named = _named(known)
    unknown = [k for k in options if k not in named]
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in known):
        return TypeError(f"{name}() has no argument {unknown[0]!r}{_hint(unknown[0], known)}")
    if len(args) > len(places) and not any(p.kind is p.VAR_POSITIONAL for p in known):
        return TypeError(f"{name}() takes {_count(places, noun)}, got {len(args)}")
    filled = {p.name for p in places[: len(args)]}
    if twice := [k for k in options if k in filled]:
        return TypeError(f"{name}() got {twice[0]!r} twice, by place and by name")
    lacking = [p for p in known if p.name in named and p.default is p.empty
               and p.name not in filled and p.name not in options]  # fmt: skip
    if lacking and noun != "argument" and lacking[0] in places:
        return TypeError(f"{name}() takes {_count(places, noun)}, got {len(args)}")
    if lacking:
        missing = ", ".join(p.name for p in lacking)
        return TypeError(f"{name}() is missing {missing}: {name}{_brief(known)}")
    return TypeError(f"{name}() cannot be called so: it is {name}{_brief(known)}")


def _named(known: Iterable[inspect.Parameter]) -> list[str]:
    """Return the names of what may be given by name."""
    return [p.name for p in known if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def _count(places: list[inspect.Parameter], noun: str) -> str:
    least = sum(p.default is p.empty for p in places)
    count = f"{least}" if least == len(places) else f"{least} to {len(places)}"
    told = f" ({', '.join(p.name for p in places)})" if len(places) > 1 else ""
    return f"{count} {noun}{'s' * (len(places) != 1)}{told}"


def _hint(wrong: str, known: Iterable[inspect.Parameter]) -> str:
    """Return `; did you mean 'dim'?`, or what there is instead."""
    from difflib import get_close_matches

    near = get_close_matches(wrong, _named(known), 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; it takes {_brief(known)}"


def _brief(known: Iterable[inspect.Parameter]) -> str:
    """Return a signature without types: `(x, axis=None, *, dim=None)`."""
    from inspect import Signature

    return str(Signature([p.replace(annotation=p.empty) for p in known]))


def checked(function: Function) -> Function:
    """Return the function with better words for arguments that its signature refuses."""

    def call(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # it came from inside
            from inspect import signature

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


def bind(name: str, signature: inspect.Signature, args: tuple, options: dict[str, Any],
         noun: str = "argument") -> tuple[tuple, dict]:  # fmt: skip
    """Return arguments by place and by name as `signature` has them, under PyTorch's names too;
    raise `misuse` if it has not."""
    again = args, options
    if not fitting(signature, args, options):
        again = renamed(signature, args, options)
        if again is None:
            raise misuse(name, signature, args, options, noun)
    given = signature.bind(*again[0], **again[1])
    return given.args, given.kwargs


def signature_of_rule(source: Any, first: int) -> inspect.Signature:
    """Return the signature of a primitive: what its rule or computation takes from `first` on.

    One-letter names are inputs, given by place or name; the others options, by name alone.
    """
    from inspect import Parameter, Signature, signature

    place = Parameter.POSITIONAL_OR_KEYWORD
    if isinstance(source, np.ufunc):
        parameters = [Parameter(name, place) for name in "abcd"[: source.nin]]
    else:
        try:
            parameters = list(signature(source).parameters.values())[first:]
        except ValueError:  # a function of C's that does not say
            parameters = [Parameter("inputs", Parameter.VAR_POSITIONAL)]
    inputs = [p for p in parameters if p.kind is place and len(p.name) == 1]
    many = [p for p in parameters if p.kind is p.VAR_POSITIONAL]
    named = [p.replace(kind=p.KEYWORD_ONLY) for p in parameters
             if p not in inputs and p.kind in (place, p.KEYWORD_ONLY)]  # fmt: skip
    kind = "Tensor" if len(inputs) == 1 else "Any"  # beside a Tensor a number may stand
    every = [p.replace(annotation=kind if p in inputs else "Any") for p in (*inputs, *many, *named)]
    return Signature(every, return_annotation="Tensor")


def names_in_rule(source: Any, first: int) -> tuple[list[str], list[str], bool, bool]:
    """Return what `signature_of_rule` would list, read from the code: no signature is made.

    (inputs, options, whether any number of inputs is taken, whether anything has a default):

    >>> names_in_rule(lambda g, y, a, b, axis=0: g, 2)
    (['a', 'b'], ['axis'], False, True)
    """
    if isinstance(source, np.ufunc):
        return list("abcd"[: source.nin]), [], False, False
    if not isinstance(source, FunctionType) or hasattr(source, "__wrapped__"):
        known = list(signature_of_rule(source, first).parameters.values())
        inputs = [p.name for p in known if p.kind is p.POSITIONAL_OR_KEYWORD]
        many = any(p.kind is p.VAR_POSITIONAL for p in known)
        defaults = any(p.default is not p.empty for p in known)
        return inputs, [n for n in _named(known) if n not in inputs], many, defaults
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
