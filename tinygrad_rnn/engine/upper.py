"""How a method of a lower class reaches the floor that answers it: `Recurrent.compile`, `drawing`.

A lower floor imports no upper one. The package at the top, which knows them all, hands in `load`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Upper:
    """The floors above, each loaded when it is first asked for: `UPPER("compile").compile`."""

    load: Callable[[str], Any]

    def __call__(self, path: str) -> Any:
        return self.load(path)


UPPER = Upper()
