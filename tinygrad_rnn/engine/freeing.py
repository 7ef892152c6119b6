"""Free long chains of nodes one by one, so that no stack overflows; `node` calls it."""

from __future__ import annotations

from _thread import _local  # threading.local, without all of threading


class Dropped(_local):
    """Hold what this thread still has to let go of; None while it lets go of nothing."""

    pile: list | None = None


class Knot:
    """Stop the freeing of a chain of nodes from nesting, at one node.

    Python frees a node, inside that its parents, inside that theirs; CPython 3.13.0 lets this go
    on until a small stack is full. A knot, freed as its node's last slot, holds the parents longer
    and lays them on a pile that the outermost knot clears.
    """

    __slots__ = ("parents",)

    def __init__(self, parents: tuple):
        self.parents: tuple | None = parents

    def __del__(self, thread: Dropped = Dropped()) -> None:  # noqa: B008, one for all
        parents, self.parents = self.parents, None
        if thread.pile is not None:
            thread.pile.append(parents)
            return
        thread.pile = pile = [parents]
        del parents  # or popping it would free nothing
        try:
            while pile:
                pile.pop()
        finally:
            thread.pile = None
