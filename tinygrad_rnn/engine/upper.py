"""Let a method of a lower class find the floor that answers it; `nn.module` calls it.

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
