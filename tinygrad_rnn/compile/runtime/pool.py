"""Lend things that are used again and again to one thread at a time, for `compiled_loop`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Pool(Generic[Thing]):
    """Keep up to `size` things that nobody uses; of more, the oldest go.

    A deque gives an entry to one thread only, however threads take turns, and needs no lock, which
    a garbage collection within the block could want a second time.
    """

    def __init__(self, size: int):
        self.things: deque[Thing] = deque(maxlen=size)

    def give(self, thing: Thing) -> None:
        self.things.append(thing)

    def take(self, fits: Callable[[Thing], bool]) -> Thing | None:
        """Return one that fits, now the caller's alone, or None."""
        for _ in range(len(self.things)):
            try:
                thing = self.things.popleft()
            except IndexError:  # other threads were faster
                return None
            if fits(thing):
                return thing
            self.things.append(thing)
        return None
