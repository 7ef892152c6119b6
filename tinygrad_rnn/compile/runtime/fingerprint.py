"""Tell whether a kernel still fits a cell, from all that the cell holds, for `compile.layer`."""

from __future__ import annotations

from collections import deque
from copy import deepcopy
from itertools import chain, count
from operator import is_
from typing import Any

import numpy as np

from ...engine.arrays import is_array, move, to_numpy
from ...engine.tensor import Tensor, wrap
from ...nn.module import Module

PLAIN = (int, float, str, bool, type(None), np.generic)
CONTAINERS = (list, tuple, dict, deque)
KINDS: dict[tuple, int] = {}  # numbers for what modules hold: they are compared at every call
SERIALS = count()  # each is given once, whichever threads ask


class CellFingerprint:
    """Hold all that a module holds, found by walking its attributes: every Tensor once (drawn masks
    and frozen parameters too), options by value, other objects (functions, …) by identity. With
    equal `key`s it is the same but for the numbers in the Tensors, as long as one of them lives."""

    def __init__(self, module: Module):
        self.module = module
        self.tensors: list[Tensor] = []
        self.inside: list[Any] = [module]  # grows while we walk
        self.options: list[tuple[Any, Any]] = []
        known = {id(module): 0}  # what was met, by number: a Tensor may be held in two places
        told: list[Any] = []
        for thing in self.inside:
            told.append(outline(thing))
            for value in views_of(thing)[0]:
                if is_walked(value):
                    if id(value) not in known:
                        (self.tensors if isinstance(value, Tensor) else self.inside).append(value)
                    told.append((type(value), known.setdefault(id(value), len(known))))
                else:
                    told.append(option(value))
                    self.options.append((value, told[-1]))
        self.loose = [(value, then) for value, then in self.options if is_loose(value)]
        others = [value for value, _ in self.options if has_fields(value)]
        self.views = [view for thing in (*self.inside, *others) for view in views_of(thing)]
        self.seen = list(chain.from_iterable(self.views))
        key = (id(module), *told, *map(kind_of, self.tensors))
        self.key = KINDS.setdefault(key, next(SERIALS))

    def unchanged(self) -> bool:
        """Tell whether the module holds the same objects still, none changed in place."""
        now = list(chain.from_iterable(self.views))
        same = len(now) == len(self.seen) and all(map(is_, now, self.seen))
        return same and all(option(value) == then for value, then in self.loose)

    def copied(self) -> Module:
        """Return a copy of the module on the processor. No hook hears of it, Tensors that were
        computed are leaves of it like all others; functions and generators are shared."""
        apart: dict[int, Any] = {id(t): on_processor(t) for t in self.tensors}
        apart |= {id(v): v for v, _ in self.options if not is_walked(getattr(v, "__self__", v))}
        apart |= {id(v): to_numpy(v).copy() if is_array(v) else set(v) for v, _ in self.loose}
        return deepcopy(self.module, apart)


def on_processor(t: Tensor) -> Tensor:
    return wrap(move(t._array, "cpu"), None)


def is_loose(value: Any) -> bool:
    """Return True for what can change in its place, and counts as one option."""
    return is_array(value) or isinstance(value, set)


def is_walked(value: Any) -> bool:
    return isinstance(value, (Tensor, Module, *CONTAINERS)) or is_record(value)


def has_fields(value: Any) -> bool:
    """Return True for objects of classes, but no functions, classes or modules."""
    return hasattr(value, "__dict__") and type(value).__module__ != "builtins"


def is_record(value: Any, around: tuple = ()) -> bool:
    """Return True for an object that holds options and such objects, as a SimpleNamespace does, and
    nothing else. One that holds nothing is no record: it may be there to be told from others."""
    if not has_fields(value) or not vars(value):
        return False
    if any(value is outer for outer in around):
        return True
    simple = (*PLAIN, *CONTAINERS, Tensor, Module, set, frozenset)
    empty = lambda v: has_fields(v) and not vars(v)
    fits = lambda v: isinstance(v, simple) or is_array(v) or empty(v)
    return all(fits(v) or is_record(v, (*around, value)) for v in vars(value).values())


def views_of(thing: Any) -> tuple[Any, ...]:
    """List the values in a module, a record or a container, with names if it has any; they show
    changes."""
    inside = thing if isinstance(thing, CONTAINERS) else vars(thing)
    return (inside.values(), inside.keys()) if isinstance(inside, dict) else (inside,)


def outline(thing: Any) -> tuple:
    """Return what a module, a record or a container is, how many values it has, and their names."""
    values, *names = views_of(thing)
    return type(thing), len(values), *map(tuple, names)


def option(value: Any) -> Any:
    """Return what tells an option from another: its value if it is plain, an array or a set, else
    its identity."""
    if is_array(value):
        return value.dtype.str, value.shape, to_numpy(value).tobytes()
    if isinstance(value, (set, frozenset)):  # these have no order
        return type(value), tuple(sorted(map(repr, value)))
    return (type(value), repr(value)) if isinstance(value, PLAIN) else id(value)


def kind_of(t: Tensor) -> tuple:
    array = t._array
    return type(array), array.dtype.char, array.shape
