"""Numbers recorded from other libraries, so that tests hold the product against them without them.

A fixture is one `.npz`, read with `allow_pickle=False`. It holds `numbers`, all arrays of all
cases laid end to end as float64, and `index`, a JSON text that says where each array lies, its
shape and dtype, the options of each case, and under `how` which versions made it.
`tools/golden/record.py` records them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FOLDER = Path(__file__).parent


class Case(NamedTuple):
    name: str
    options: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def named(self, prefix: str) -> dict[str, np.ndarray]:
        """The arrays called `prefix/…`, without it."""
        start = prefix + "/"
        return {k[len(start) :]: v for k, v in self.arrays.items() if k.startswith(start)}


def how(name: str) -> dict[str, str]:
    """What recorded the fixture: the versions of each library."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
        return json.loads(str(file["index"]))["how"]


def load(name: str) -> list[Case]:
    """The cases of one fixture, in the order recorded."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
        numbers, index = file["numbers"], json.loads(str(file["index"]))

    def array(place: dict[str, Any]) -> np.ndarray:
        start, shape = place["at"], tuple(place["shape"])
        flat = numbers[start : start + int(np.prod(shape, dtype=int))]
        return flat.reshape(shape).astype(place.get("dtype", "float64"))

    return [
        Case(c["name"], c["options"], {k: array(p) for k, p in c["arrays"].items()})
        for c in index["cases"]
    ]
