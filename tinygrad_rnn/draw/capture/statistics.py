"""Measure arrays for show: norm, range, mean, first numbers; for `run_to_graph`.

A long graph has tens of thousands of small arrays, of few shapes: those of one shape are
measured together, as the rows of one matrix.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...engine.arrays import to_numpy

SAMPLE = 64
TOGETHER = 1 << 18  # numbers measured at once: more would only cost memory
EXACT = 22  # 10^22 is the largest power of ten that a float holds exactly


def measured(arrays: Sequence[Any]) -> list[dict[str, Any] | None]:
    """Return `statistics` of each array; of a norm only that, and None of None."""
    found: list[dict[str, Any] | None] = [None] * len(arrays)
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, array in enumerate(arrays):
        if type(array) is float:
            found[place] = {"norm": array}
        elif array is not None:
            alike[array.shape].append(place)
    for shape, places in alike.items():
        many = max(1, TOGETHER // max(1, math.prod(shape)))
        for start in range(0, len(places), many):
            part = places[start : start + many]
            rows = flat(np.concatenate([to_numpy(arrays[place]) for place in part], axis=None))
            for place, made in zip(part, _of_rows(rows.reshape(len(part), -1)), strict=True):
                found[place] = made
    return found


def statistics(array: Any) -> dict[str, Any]:
    """Return norm, range, mean and a sample of an array; the finite part where some is not."""
    return _of_rows(flat(array)[None])[0]


def _of_rows(rows: np.ndarray) -> list[dict[str, Any]]:
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is shown as it is
        norms = np.sqrt((rows[:, None, :] @ rows[:, :, None])[:, 0, 0])
    if not rows.size or not np.isfinite(norms).all():
        return [_of_row(row, norm) for row, norm in zip(rows, norms.tolist(), strict=True)]
    low, high, mean = rows.min(1), rows.max(1), rows.sum(1) / rows.shape[1]
    columns = (each.tolist() for each in (norms, low, high, mean, digits(rows[:, :SAMPLE])))
    return [
        {"norm": n, "min": a, "max": b, "mean": m, "sample": s, "nonfinite": 0}
        for n, a, b, m, s in zip(*columns, strict=True)
    ]


def _of_row(row: np.ndarray, norm: float) -> dict[str, Any]:
    """Return the same where a number is missing or not finite; the norm is the plain one."""
    good = row[np.isfinite(row)]
    made: dict[str, Any] = {"norm": norm, "min": 0.0, "max": 0.0, "mean": 0.0}
    if good.size:
        made |= {"min": float(good.min()), "max": float(good.max()), "mean": float(good.mean())}
    return made | {"sample": digits(row[:SAMPLE]).tolist(), "nonfinite": row.size - good.size}


def digits(x: np.ndarray, kept: int = 6) -> np.ndarray:
    """Return the numbers with `kept` digits, each the float that its short text means."""
    some = np.isfinite(x) & (x != 0)
    y = np.where(some, x, 1.0)
    shift = kept - 1 - np.floor(np.log10(np.abs(y)))
    up, down = 10.0 ** np.clip(shift, 0, EXACT), 10.0 ** np.clip(-shift, 0, EXACT)
    made = np.where(some, np.rint(y * up / down) / up * down, x)
    for place in zip(*np.nonzero(np.abs(shift) > EXACT), strict=True):
        made[place] = float(f"{x[place]:.{kept}g}")
    return made


def size(g: Any) -> float:
    """Return the norm of a recorded gradient: it is a norm already, or an array.

    NumPy's scalars are Python floats too, but they are arrays here: −3 has norm 3.
    """
    if type(g) is float:
        return g
    row = flat(g)
    return float(row @ row) ** 0.5


def flat(array: Any) -> np.ndarray:
    return to_numpy(array).reshape(-1).astype(np.float64, copy=False)
