"""Name nodes by the variables that held them when a function returned, for `run_to_graph`.

A picture speaks the language of who wrote the program. The drawn function's own variables win over
those of functions it calls, which name only what they made and the leaves they were given.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np

from ...engine.node import Node
from ...engine.tensor import Tensor, leaf_of

STORES = ("STORE_FAST", "STORE_DEREF")
OURS = (str(Path(__file__).parents[2]), str(Path(np.__file__).parent))


def named(variables: dict[str, Any]) -> dict[Node, str]:
    """Return node → variable for the Tensors among some variables, also inside modules.

    Of several variables for one Tensor the first counts: `h`, not the `last` it becomes at the end.
    """
    shown = {name: value for name, value in variables.items() if not name.startswith("_")}
    found: dict[Node, str] = {}
    for name, value in shown.items():
        if isinstance(value, Tensor):
            found.setdefault(leaf_of(value), name)
    for value in shown.values():
        if hasattr(value, "named_parameters") and not isinstance(value, type):
            found |= {leaf_of(parameter): inner for inner, parameter in value.named_parameters()}
    return found


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
def watched(function: Callable, nodes: Sequence[Node], names: dict[Node, str]) -> Iterator[None]:
    """Note the names that variables have when the function and those that it calls return."""
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

    def __init__(self, code: CodeType, nodes: Sequence[Node]) -> None:
        self.code, self.nodes = code, nodes
        self.known: dict[CodeType, bool] = {}
        self.starts: dict[FrameType, int] = {}
        self.own: dict[Node, str] = {}
        self.called: dict[Node, str] = {}
        self.given: dict[Node, str] = {}
        self.tuples: dict[Node, str] = {}

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event not in ("call", "return") or not self._is_read(frame.f_code):
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
            if node.index > start:
                self.called[node] = name
            elif node.op is None:
                self.given.setdefault(node, name)

    def names(self) -> dict[Node, str]:
        return self.tuples | self.given | self.called | self.own


def _variables(frame: FrameType) -> dict[str, Any]:
    """Return a frame's variables as its code stores them: `f_locals` has closures' last."""
    stored = _stored(frame.f_code)
    held = frame.f_locals
    return {name: held[name] for name in stored if name in held} | held


@lru_cache(1000)
def _stored(code: CodeType) -> tuple[str, ...]:
    given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    stores = [i.argval for i in dis.get_instructions(code) if i.opname.startswith(STORES)]
    pairs = [one if isinstance(one, tuple) else (one,) for one in stores]  # from Python 3.13 on
    return (*given, *dict.fromkeys(name for pair in pairs for name in pair))
