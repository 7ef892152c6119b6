"""List all options of a class whose constructors hand options on; `nn` and `optim` call it.

`LSTM(3, 4, form="stacked")`: the layer's constructor takes what it knows and hands `**options` to
its base, which hands the rest to a cell. `signature_of(LSTM)` lists them all, so `help` shows them
and `check_call` says which one is missing or misspelt, in the name of the class that was called.
A class that gives its base some arguments by itself lists their names in `settled`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from .misuse import misuse

OWN = __name__.partition(".")[0]
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@lru_cache(maxsize=512)
def signature_of(cls: type, cell: type | None = None) -> inspect.Signature:
    """Return all that a class takes, its constructor's arguments first; `cell` is made by it."""
    found: dict[str, inspect.Parameter] = {}
    rest: list[inspect.Parameter] = []
    settled = {name for kind in layers_of(cls, cell) for name in vars(kind).get("settled", ())}
    settled |= sizes_of(cell or getattr(cls, "cell_class", None))
    for k, (constructor, ours) in enumerate(constructors(cls, cell)):
        parameters = list(inspect.signature(constructor).parameters.values())[1:]
        rest = [p for p in parameters if p.kind is p.VAR_KEYWORD]
        for p in parameters:
            if p not in rest and p.name not in found and (k == 0 or p.name not in settled):
                found[p.name] = p if k == 0 else p.replace(kind=p.KEYWORD_ONLY)
        if not rest or not ours:
            break
    in_order = sorted(found.values(), key=lambda p: (p.kind, p.default is not p.empty))
    return inspect.Signature([*in_order, *rest])


def sizes_of(cell: type | None) -> set[str]:
    """Return how a cell calls its two sizes, which a layer hands it by place."""
    given = list(inspect.signature(cell).parameters.values())[:2] if cell else []
    return {p.name for p in given if p.kind in POSITIONAL}


def layers_of(cls: type, cell: type | None) -> tuple[type, ...]:
    """Return a class and its bases, then the cell that it is made of, and its bases."""
    cell = cell or getattr(cls, "cell_class", None) or object
    return (*cls.__mro__[:-1], *cell.__mro__[:-1])


def constructors(cls: type, cell: type | None) -> Iterator[tuple[Callable, bool]]:
    """Yield (constructor, whether it is ours): what others do with `**options` is not known."""
    for kind in layers_of(cls, cell):
        if "__init__" in vars(kind):
            yield vars(kind)["__init__"], kind.__module__.partition(".")[0] == OWN


def check_call(cls: type, args: tuple, options: dict[str, Any], cell: Any = None) -> None:
    """Raise unless a class can be called so; the message lists what it takes.

    >>> check_call(nn.LSTM, (3, 4), {"num_layer": 2})
    Traceback (most recent call last):
    TypeError: LSTM() has no argument 'num_layer'; did you mean 'num_layers'?
    """
    signature = signature_of(cls, cell)
    try:
        signature.bind(*args, **options)
    except TypeError:
        known = signature.parameters
        if options.keys() <= known.keys():  # a place is the trouble: do not list what has none
            places = [p for p in known.values() if p.kind in POSITIONAL or p.name in options]
            signature = signature.replace(parameters=places)
        raise misuse(cls.__name__, signature, args, options) from None


class ClassSignature:
    """Give `help` and editors `cls.__signature__`; objects of the class have none."""

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        if instance is not None:
            raise AttributeError("__signature__")
        return signature_of(owner)


class CheckedCall:
    """Base of classes whose calls are checked before their constructors run."""

    __signature__ = ClassSignature()

    def __new__(cls, *args: Any, **options: Any) -> Any:
        check_call(cls, args, options)
        return object.__new__(cls)

    def __reduce_ex__(self, protocol: Any) -> Any:
        made: Any = super().__reduce_ex__(max(2, protocol))
        return object.__new__, *made[1:]  # a copy has no arguments to be checked
