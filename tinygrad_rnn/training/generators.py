"""Find all sources of random numbers below a model, since they belong to the state of a `run`.

A layer's dropout, a cell's zoneout, a wrapper's masks hold `Generator`s, often one together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..functions.random import Generator

PACKAGE = __name__.partition(".")[0]


def generators_of(*roots: Any) -> list[Any]:
    """Return each Generator that can be reached from these objects once, in a fixed order.

    Looked into are lists, tuples, dicts, and the attributes of objects whose class is of this
    package or derived from one of it, as every model's is; NumPy's own generators count too.
    """
    found: list[Any] = []
    seen: set[int] = set()
    waiting = list(reversed(roots))
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, (Generator, np.random.Generator)):
            found.append(thing)
        else:
            waiting += reversed([*_parts(thing)])
    return found


def _parts(thing: Any) -> Iterable[Any]:
    if isinstance(thing, dict):
        return thing.values()
    if isinstance(thing, (list, tuple)):
        return thing
    homes = [kind.__module__ for kind in type(thing).__mro__]
    if type(thing).__module__.startswith(f"{PACKAGE}.compile"):
        return ()  # it refers to what the cell holds, in an order that depends on earlier calls
    ours = any(home.partition(".")[0] == PACKAGE for home in homes)
    return vars(thing).values() if ours and hasattr(thing, "__dict__") else ()


def states_of(generators: Iterable[Any]) -> list[dict[str, Any]]:
    return [dict(_state_holder(g).state) for g in generators]


def set_states(generators: list[Any], states: list[dict[str, Any]]) -> None:
    """Put generators where `states_of` found them; ValueError if these are not as many."""
    if len(states) != len(generators):
        raise ValueError(f"{len(states)} generators were saved, here are {len(generators)}")
    for generator, state in zip(generators, states, strict=True):
        _state_holder(generator).state = state


def _state_holder(generator: Any) -> Any:
    return generator if isinstance(generator, Generator) else generator.bit_generator
