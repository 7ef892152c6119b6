"""What surrounds a computation: the scopes that label its nodes, and the mode it runs in.

Both are context variables, so every thread and every asyncio task has its own. (A generator
suspended inside a block shares the block with whoever resumes it: enter blocks outside generators.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar
from typing import Any


class scope:
    """`with scope("lstm", layer=0, step=t, gate="forget"):` labels the nodes made inside."""

    __slots__ = ("labels", "name", "outer", "token")

    def __init__(self, name: str | None = None, **labels: Any):
        self.name, self.labels = name, labels
        self.outer: scope | None = None
        self.token: Any = None  # of the block being in; False after it

    def __enter__(self) -> scope:
        if self.token:
            raise RuntimeError(f"scope {self} is entered already; make another for the inner block")
        # Entered a second time, a copy stands in: the nodes made before keep their surroundings.
        inner = self if self.token is None else scope(self.name, **self.labels)
        inner.outer = SCOPE.get()
        self.token = SCOPE.set(inner)
        return inner

    def __exit__(self, *error: object) -> None:
        SCOPE.reset(self.token)
        self.token = False

    def __str__(self) -> str:
        return ".".join([self.name or "", *(f"{k}={v}" for k, v in self.labels.items())]).strip(".")


SCOPE: ContextVar[scope | None] = ContextVar("scope", default=None)


def enclosing(inner: scope | None) -> list[scope]:
    """The scopes around `inner`, outermost first."""
    chain = []
    while inner is not None:
        chain.append(inner)
        inner = inner.outer
    return chain[::-1]


class Mode:
    """What a primitive does besides computing: record for gradients, trace, look for NaN.

    `draw` stands in for random draws, `hear` is told what Python does with a Tensor's values.
    """

    __slots__ = ("anomaly", "draw", "grad", "hear", "nodes", "plain")

    def __init__(self, grad: bool = True, nodes: Trace | None = None, anomaly: bool = False,
                 draw: Callable | None = None, hear: Callable | None = None):  # fmt: skip
        self.grad, self.nodes, self.anomaly, self.draw, self.hear = grad, nodes, anomaly, draw, hear
        self.plain = nodes is None and not anomaly


MODE: ContextVar[Mode] = ContextVar("mode", default=Mode())  # noqa: B039 - never written to


class mode(ContextDecorator):
    """Changes some of the current mode for a block, in this thread or asyncio task only."""

    def __init__(self, **changes: Any):
        self.changes = changes

    def _recreate_cm(self) -> mode:
        return mode(**self.changes)  # every call of a decorated function is a block of its own

    def __enter__(self) -> Mode:
        now = MODE.get()
        new = Mode(**{"grad": now.grad, "nodes": now.nodes, "anomaly": now.anomaly,
                      "draw": now.draw, "hear": now.hear, **self.changes})  # fmt: skip
        self.token = MODE.set(new)
        return new

    def __exit__(self, *error: object) -> None:
        MODE.reset(self.token)


def tell(deed: str, way: str) -> None:
    """Every way by which Python reads a Tensor's values, or changes them, comes through here: what
    is made of them then is not to be seen in a graph."""
    hear = MODE.get().hear
    if hear is not None:
        hear(f"{deed} ({way})")


def no_grad() -> Any:
    """Within the block (or decorated function) nothing is recorded and nothing requires grad."""
    return mode(grad=False)


def enable_grad() -> Any:
    """Undoes an outer `no_grad` for a block or a decorated function."""
    return mode(grad=True)


def is_grad_enabled() -> bool:
    return MODE.get().grad


class Trace(list):
    """A list of nodes that knows which it has."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set = set()

    def add(self, node: Any) -> None:
        self.append(node)
        self.seen.add(node)


@contextmanager
def trace() -> Iterator[list]:
    """Yields a list that fills with every node made in the block, each with its `.value`.

    Also ops that need no gradient are recorded, and the list survives an exception half-way.
    """
    nodes = Trace()
    with mode(nodes=nodes):
        yield nodes
