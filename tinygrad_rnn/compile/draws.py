"""Random numbers inside a step: drawn outside of the compiled loop, in the order of the unrolled
one.

While a step is captured, what its generators draw is noted and becomes an input of the step. A run
then makes the same draws for every time step beforehand, so compiled dropout has the unrolled
layer's masks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..random import NOTED, Generator
from ..tensor import Tensor

Draw = tuple[Generator, str, tuple, dict]  # generator, method, its arguments
METHODS = ("normal", "uniform", "bernoulli", "integers", "permutation")
_hook: ContextVar[Callable | None] = ContextVar("hook", default=None)


@contextmanager
def intercepted(hook: Callable[[Draw, Callable], Tensor]) -> Iterator[None]:
    """Within the block every draw of this thread is `hook(draw, original)`."""
    token = _hook.set(hook)
    old = {name: vars(Generator)[name] for name in METHODS}
    try:
        for name, method in old.items():
            setattr(Generator, name, _asking(name, method))
        yield
    finally:
        for name, method in old.items():
            setattr(Generator, name, method)
        _hook.reset(token)


def _asking(name: str, method: Callable) -> Callable:
    def drawn(self: Generator, *args: Any, **options: Any) -> Tensor:
        hook = _hook.get()
        make = lambda: method(self, *args, **options)
        return make() if hook is None else hook((self, name, args, options), make)

    return drawn


@contextmanager
def undone() -> Iterator[Callable[[], None]]:
    """Yields a function that sets back every generator used in the block."""
    noted: dict[Generator, Any] = {}
    token = NOTED.set(noted)

    def set_back() -> None:
        for generator, state in noted.items():
            generator.state = state

    try:
        yield set_back
    finally:
        NOTED.reset(token)
        around = NOTED.get()
        if around is not None:
            around.update({g: s for g, s in noted.items() if g not in around})


def drawn_for(draws: list[Draw], steps: int, xp: Any) -> list[Any]:
    """One array (T, …) per draw of a step, drawn in the order in which an unrolled loop draws."""
    rows = [[getattr(g, name)(*a, **o)._array for g, name, a, o in draws] for _ in range(steps)]
    return [xp.stack(column) for column in zip(*rows)]
