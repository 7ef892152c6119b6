"""Write down what an operation was called with besides its inputs, for `run_to_graph`."""

from __future__ import annotations

from collections.abc import Mapping
from types import EllipsisType
from typing import Any

import numpy as np

from ..labels import number_text

MOST = 8  # numbers of an array that are written out


def options_of(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the options that can be written, the same text for the same value.

    >>> options_of({"low": -1, "high": None, "index": (slice(None), 3)})
    {'low': '−1', 'index': ':, 3'}
    """
    said = {name: value for name, value in params.items() if value is not None}
    texts = {name: _text(value) for name, value in said.items() if value is not False}
    return {name: text for name, text in texts.items() if text is not None}


def _text(value: Any) -> str | None:
    """Return a value as a reader would type it; None for what has no short text."""
    if isinstance(value, bool | str | np.dtype):
        return str(value)
    if isinstance(value, int | float | np.number):
        return number_text(float(value))
    if isinstance(value, slice):
        parts = [value.start, value.stop, *([] if value.step is None else [value.step])]
        return ":".join("" if part is None else str(_text(part)) for part in parts)
    if isinstance(value, tuple | list):
        return ", ".join(str(_text(part)) for part in value)
    if isinstance(value, EllipsisType):
        return "…"
    if isinstance(value, np.ndarray):
        many = "…" * (value.size > MOST)
        return f"[{', '.join(map(str, value.reshape(-1)[:MOST].tolist()))}{many}]"
    return None
