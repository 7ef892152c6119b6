"""Note which calls of modules and functions made each operation, for `run_to_graph`.

While a function is traced, every call of a Module and of a public function of `nn.functional` is
noted, with the calls that it was made in. What a picture folds to one box is one such call.
"""

from __future__ import annotations

import inspect
from functools import cache
from types import CodeType, FrameType
from typing import Any

from ...engine.node import Node
from ...nn import Module, functional
from ..graph import Call, Graph

MODULE = Module.__call__.__code__
Running = tuple[Any, ...]  # modules, and names of functions, with the place of each call


class CallStack:
    """The calls that are running, the outermost first; `made` has those that made each node."""

    def __init__(self) -> None:
        self.frames: list[FrameType] = []
        self.running: Running = ()
        self.made: dict[Node, Running] = {}
        self.count = 0

    def enter(self, frame: FrameType) -> None:
        """Note a call, unless it runs inside of a composite: that is one box, whatever it calls."""
        if self.running and isinstance(self.running[-1][0], str):
            return
        module = frame.f_code is MODULE
        what = frame.f_locals["self"] if module else composites()[id(frame.f_code)]
        self.frames.append(frame)
        self.running += ((what, self.count),)
        self.count += 1

    def leave(self, frame: FrameType) -> None:
        if self.frames and self.frames[-1] is frame:
            self.frames.pop()
            self.running = self.running[:-1]

    def roots(self) -> list[Module]:
        """Return the modules that were called by no other."""
        outer = [next((w for w, _ in run if not isinstance(w, str)), None) for run in self.known()]
        return list({id(module): module for module in outer if module is not None}.values())

    def known(self) -> list[Running]:
        """Return the calls that made something."""
        return list(dict.fromkeys(self.made.values()))


@cache
def composites() -> dict[int, str]:
    """Return id of the code → name of the public functions that are made of primitives."""
    found: dict[int, str] = {}
    for name, function in vars(functional).items():
        code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
        if code is not None and not name.startswith("_") and not hasattr(function, "op"):
            found.setdefault(id(code), name)
    return found


def is_noted(code: CodeType) -> bool:
    """Return whether calls of some code are noted."""
    return code is MODULE or id(code) in composites()


def add_calls(graph: Graph, made: dict[Node, Running], names: dict[Any, str]) -> Graph:
    """Return the graph, changed in place, with the calls that made each node."""
    nodes = graph.live[0] if graph.live else ()
    calls = {
        run: tuple(_call(what, place, names) for what, place in run) for run in set(made.values())
    }
    for node, drawn in zip(nodes, graph.nodes, strict=False):
        drawn.calls = calls.get(made.get(node, ()), ())
    return graph


def _call(what: Any, place: int, names: dict[Any, str]) -> Call:
    """Return a call as data: what it is called in the picture, its kind if a module, its place."""
    if isinstance(what, str):
        return (what, "", place)
    kind = type(what).__name__
    return (names.get(id(what), kind), kind, place)
