"""Say what is wrong with arguments, or find them under PyTorch's names; `arguments` loads it then.

Nothing here runs while all goes well: a signature is made and read only after a call has failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import Parameter, Signature, signature
from typing import Any

import numpy as np

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


def renamed(signature: Signature, args: tuple, options: Mapping[str, Any]) -> Any:
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


def fitting(signature: Signature, args: tuple, options: Mapping[str, Any]) -> bool:
    """Return whether a call with these arguments is possible."""
    try:
        signature.bind(*args, **options)
    except TypeError:
        return False
    return True


def misuse(name: str, signature: Signature, args: tuple, options: Mapping[str, Any],
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


def _named(known: Iterable[Parameter]) -> list[str]:
    """Return the names of what may be given by name."""
    return [p.name for p in known if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def _count(places: list[Parameter], noun: str) -> str:
    least = sum(p.default is p.empty for p in places)
    count = f"{least}" if least == len(places) else f"{least} to {len(places)}"
    told = f" ({', '.join(p.name for p in places)})" if len(places) > 1 else ""
    return f"{count} {noun}{'s' * (len(places) != 1)}{told}"


def _hint(wrong: str, known: Iterable[Parameter]) -> str:
    """Return `; did you mean 'dim'?`, or what there is instead."""
    from difflib import get_close_matches

    near = get_close_matches(wrong, _named(known), 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; it takes {_brief(known)}"


def _brief(known: Iterable[Parameter]) -> str:
    """Return a signature without types: `(x, axis=None, *, dim=None)`."""
    return str(Signature([p.replace(annotation=p.empty) for p in known]))


def bind(name: str, signature: Signature, args: tuple, options: dict[str, Any],
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


def signature_of_rule(source: Any, first: int) -> Signature:
    """Return the signature of a primitive: what its rule or computation takes from `first` on.

    One-letter names are inputs, given by place or name; the others options, by name alone.
    """
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
