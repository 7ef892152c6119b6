"""Name nodes by the variables that held them when a function returned, for `run_to_graph`.

A picture speaks the language of who wrote the program. The drawn function's own variables win over
those of functions it calls, which name only what they made and the leaves they were given.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np

from ...engine.node import Node
from ...engine.tensor import Tensor, leaf_of
from ...nn import Module
from .calls import is_noted
from .lines import LinedTrace

STORES = ("STORE_FAST", "STORE_DEREF")
OURS = (str(Path(__file__).parents[2]), str(Path(np.__file__).parent))


def named(variables: dict[str, Any]) -> dict[Any, str]:
    """Return node → variable for the Tensors among some variables, also inside modules.

    Of several variables for one Tensor the first counts: `h`, not the `last` it becomes at the end.
    What modules hold is called by its path from the variable, and so are, by their ids, modules.
    """
    shown = {name: value for name, value in variables.items() if not name.startswith("_")}
    found: dict[Any, str] = {}
    for name, value in shown.items():
        if isinstance(value, Tensor):
            found.setdefault(leaf_of(value), name)
    for name, value in shown.items():
        if isinstance(value, Module) and name != "self":
            found = joined(found, paths(value, name))
    return found


def paths(module: Module, name: str) -> dict[Any, str]:
    """Return the paths of a module's parameters and, by their ids, of all modules in it."""
    inside = {id(inner): f"{name}.{path}".rstrip(".") for path, inner in module.named_modules()}
    return inside | {leaf_of(p): f"{name}.{path}" for path, p in module.named_parameters()}


def joined(*tables: dict[Any, str]) -> dict[Any, str]:
    """Return all names; of two for one thing the longer path, or that of the later table."""
    found: dict[Any, str] = {}
    for table in tables:
        kept = ((k, n) for k, n in table.items() if n.count(".") >= found.get(k, "").count("."))
        found |= dict(kept)
    return found


def shortened(names: dict[Any, str], nodes: Iterable[Node]) -> dict[Any, str]:
    """Return the names without the variable that all paths among some nodes begin with."""
    used = (names.get(node, "") for node in nodes)
    roots = {name.partition(".")[0] for name in used if "." in name}
    root = f"{roots.pop()}." if len(roots) == 1 else "\0"
    return {key: name.removeprefix(root) for key, name in names.items()}


def inside_tuples(variables: dict[str, Any]) -> dict[Node, str]:
    """Return node → `state[0]` for the Tensors in a tuple called `state`."""
    return {
        leaf_of(item): f"{name}[{k}]"
        for name, value in variables.items()
        if isinstance(value, tuple) and not name.startswith("_")
        for k, item in enumerate(value)
        if isinstance(item, Tensor)
    }


@contextmanager
def watched(function: Callable, nodes: LinedTrace, names: dict[Any, str]) -> Iterator[None]:
    """Note the calls, and the names that variables have when functions return."""
    code = getattr(function, "__code__", None)
    if code is None or sys.getprofile() is not None:  # never in the way of a profiler
        yield
        return
    watch = _Watch(code, nodes)
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(None)
        names.update(watch.names())


class _Watch:
    """A profiler that reads the variables of every function of the reader's that returns."""

    def __init__(self, code: CodeType, nodes: LinedTrace) -> None:
        self.code, self.nodes = code, nodes
        self.known: dict[CodeType, bool] = {}
        self.starts: dict[FrameType, int] = {}
        self.own: dict[Any, str] = {}
        self.called: dict[Any, str] = {}
        self.given: dict[Node, str] = {}
        self.tuples: dict[Node, str] = {}

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event not in ("call", "return"):
            return
        if is_noted(frame.f_code):
            stack = self.nodes.stack
            (stack.enter if event == "call" else stack.leave)(frame)
        if not self._is_read(frame.f_code):
            return
        if event == "call":
            self.starts[frame] = self.nodes[-1].index if self.nodes else -1
        elif frame.f_code is self.code:
            self.own.update(named(_variables(frame)))
            self.tuples.update(inside_tuples(frame.f_locals))
        else:
            self._called(frame)

    def _is_read(self, code: CodeType) -> bool:
        """Tell whether code is the reader's; a comprehension has no variables to speak of."""
        if code not in self.known:
            inner = code.co_name.startswith("<") or code.co_filename.startswith(OURS)
            self.known[code] = code is self.code or not inner
        return self.known[code]

    def _called(self, frame: FrameType) -> None:
        start = self.starts.pop(frame, -1)
        for node, name in named(_variables(frame)).items():
            if isinstance(node, int):
                self.called.setdefault(node, name)
            elif node.index > start:
                self.called[node] = name
            elif node.op is None:
                self.given.setdefault(node, name)

    def names(self) -> dict[Any, str]:
        met = [paths(module, type(module).__name__) for module in self.nodes.stack.roots()]
        return joined(*met, self.tuples, self.given, self.called, self.own)


def _variables(frame: FrameType) -> dict[str, Any]:
    """Return a frame's variables as its code stores them: `f_locals` has closures' last.

    Of the module's variables those that the code reads come after all others.
    """
    stored, held, outer = _stored(frame.f_code), frame.f_locals, frame.f_globals
    read = {name: outer[name] for name in frame.f_code.co_names if name in outer}
    own = {name: held[name] for name in stored if name in held} | held
    return own | {name: value for name, value in read.items() if name not in own}


@lru_cache(1000)
def _stored(code: CodeType) -> tuple[str, ...]:
    given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    stores = [i.argval for i in dis.get_instructions(code) if i.opname.startswith(STORES)]
    pairs = [one if isinstance(one, tuple) else (one,) for one in stores]  # from Python 3.13 on
    return (*given, *dict.fromkeys(name for pair in pairs for name in pair))
