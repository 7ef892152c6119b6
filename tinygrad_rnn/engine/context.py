"""Hold what surrounds a computation: scopes for labels, the mode; `primitive` reads it.

Both are context variables, so every thread and every asyncio task has its own. A block keeps no
state: one object can be entered again, within itself and by several threads. (A `with` in a
generator holds for whoever resumes it; a decorated generator has the block only while it runs.)
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextvars import ContextVar
from functools import wraps
from types import coroutine
from typing import Any


class ContextBlock:
    """Decorate as well as a `with` block: it is on while the function's own lines run, which for
    generators and coroutines are interrupted by those of others."""

    __slots__ = ()

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(self, *error: object) -> None:
        raise NotImplementedError

    def __call__(self, function: Callable) -> Callable:
        def call(*args: Any, **options: Any) -> Any:
            with self:
                return function(*args, **options)

        import inspect  # here: it costs a fifth of NumPy's import

        if inspect.isgeneratorfunction(function):

            def call(*args: Any, **options: Any) -> Any:  # type: ignore
                return (yield from in_turns(self, function(*args, **options)))

        elif inspect.iscoroutinefunction(function):

            async def call(*args: Any, **options: Any) -> Any:  # type: ignore
                return await awaited(self, function(*args, **options))

        elif inspect.isasyncgenfunction(function):

            def call(*args: Any, **options: Any) -> Any:  # type: ignore
                return in_async_turns(self, function(*args, **options))

        return wraps(function)(call)


def in_turns(block: ContextBlock, steps: Any) -> Generator:
    """Run each step of a generator within the block, and what is between them outside it."""
    act: Any = steps.send
    given: Any = None
    while True:
        try:
            with block:
                made = act(given)
        except StopIteration as end:
            return end.value
        try:
            act, given = steps.send, (yield made)
        except GeneratorExit:
            with block:
                steps.close()
            raise
        except BaseException as error:
            act, given = steps.throw, error


awaited = coroutine(in_turns)  # a coroutine is sent to and thrown at as a generator is


async def in_async_turns(block: ContextBlock, steps: AsyncGenerator) -> AsyncGenerator:
    """Runs each step of an asynchronous generator within the block."""
    act: Any = steps.asend
    given: Any = None
    try:
        while True:
            try:
                made = await awaited(block, act(given))
            except StopAsyncIteration:
                return
            try:
                act, given = steps.asend, (yield made)
            except GeneratorExit:
                raise
            except BaseException as error:
                act, given = steps.athrow, error
    finally:
        await awaited(block, steps.aclose())


class scope(ContextBlock):
    """Label the nodes made inside: `with scope("lstm", layer=0, step=t, gate="forget"):`."""

    __slots__ = ("labels", "name", "outer", "unused")
    outer: scope | None

    def __init__(self, name: str | None = None, **labels: Any):
        self.name, self.labels = name, labels
        self.unused = True  # deleted by the first to enter, whichever thread that is

    def __enter__(self) -> scope:
        try:
            del self.unused
            inner = self
        except AttributeError:  # the nodes made before keep their surroundings: a copy stands in
            inner = scope(self.name, **self.labels)
        inner.outer = SCOPE.get()
        SCOPE.set(inner)
        return inner

    def __exit__(self, *error: object) -> None:
        SCOPE.set(SCOPE.get().outer)  # type: ignore[union-attr]

    def __str__(self) -> str:
        return ".".join([self.name or "", *(f"{k}={v}" for k, v in self.labels.items())]).strip(".")


SCOPE: ContextVar[scope | None] = ContextVar("scope", default=None)


def enclosing(inner: scope | None) -> list[scope]:
    """Return the scopes around `inner`, outermost first."""
    chain = []
    while inner is not None:
        chain.append(inner)
        inner = inner.outer
    return chain[::-1]


class Mode:
    """Hold what a primitive does besides computing: record for gradients, trace, look for NaN.

    `draw` stands in for random draws, `on_use` is told what Python does with a Tensor's values.
    """

    __slots__ = ("anomaly", "draw", "grad", "nodes", "on_use", "outer", "plain")

    def __init__(self, grad: bool = True, nodes: Trace | None = None, anomaly: bool = False,
                 draw: Callable | None = None, on_use: Callable | None = None):  # fmt: skip
        self.grad, self.nodes, self.anomaly = grad, nodes, anomaly
        self.draw, self.on_use = draw, on_use
        self.plain = nodes is None and not anomaly
        self.outer: Mode | None = None  # what held before the block


MODE: ContextVar[Mode] = ContextVar("mode", default=Mode())  # noqa: B039 - never written to


class mode(ContextBlock):
    """Change some of the current mode for a block, in this thread or asyncio task only."""

    __slots__ = ("changes",)

    def __init__(self, **changes: Any):
        self.changes = changes

    def __enter__(self) -> Any:
        now = MODE.get()
        new = Mode(**{"grad": now.grad, "nodes": now.nodes, "anomaly": now.anomaly,
                      "draw": now.draw, "on_use": now.on_use, **self.changes})  # fmt: skip
        new.outer = now
        MODE.set(new)
        return new

    def __exit__(self, *error: object) -> None:
        MODE.set(MODE.get().outer or Mode())


def report_use(deed: str, way: str) -> None:
    """Report every way by which Python reads a Tensor's values or changes them: a graph does not
    show what is made of them then."""
    on_use = MODE.get().on_use
    if on_use is not None:
        on_use(f"{deed} ({way})")


def no_grad() -> Any:
    """Record nothing within the block (or decorated function), so that nothing requires grad."""
    return mode(grad=False)


def enable_grad() -> Any:
    """Undo an outer `no_grad` for a block or a decorated function."""
    return mode(grad=True)


class set_grad_enabled(ContextBlock):
    """Record from here on, or not: at once, and until the end of a `with` block if it begins one.

    >>> with set_grad_enabled(False):
    ...     is_grad_enabled()
    False
    """

    __slots__ = ("before", "grad")

    def __init__(self, mode: bool):
        if not isinstance(mode, bool):
            raise TypeError(f"set_grad_enabled: expected True or False, got {mode!r}")
        self.grad, self.before = mode, MODE.get()
        self.__enter__()

    def __enter__(self) -> None:
        now = MODE.get()
        new = Mode(self.grad, now.nodes, now.anomaly, now.draw, now.on_use)
        new.plain, new.outer = now.plain, now.outer
        MODE.set(new)

    def __exit__(self, *error: object) -> None:
        MODE.set(self.before)

    def __call__(self, function: Callable) -> Callable:
        MODE.set(self.before)  # a decorated function has it while it runs, nothing else
        return mode(grad=self.grad)(function)


def inference_mode(mode: Any = True) -> Any:
    """Record nothing within the block or decorated function, as with `no_grad`."""
    if callable(mode):
        return no_grad()(mode)
    return no_grad() if mode else enable_grad()


def is_grad_enabled() -> bool:
    """Tell whether operations are recorded here and now."""
    return MODE.get().grad


class Trace(list):
    """A list of nodes that knows which it has."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set = set()

    def add(self, node: Any) -> None:
        self.append(node)
        self.seen.add(node)


class trace(mode):
    """List every node made in the block, each with its `.value`.

    Also ops that need no gradient are recorded, and the list survives an exception half-way.
    """

    __slots__ = ()

    def __init__(self, *surplus: Any, input: Any = None) -> None:
        if surplus or input is not None:
            told = "trace() takes nothing: it records a block, `with trace() as nodes`"
            raise TypeError(f"{told}; the sum of a diagonal is x.trace()")
        super().__init__()

    def __enter__(self) -> list:
        nodes = super().__enter__().nodes = Trace()
        MODE.get().plain = False
        return nodes
