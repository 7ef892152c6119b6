"""Keep a long row of token numbers in memory or on the disk, for `vocabulary`."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

IN_MEMORY = 32 << 20  # bytes


class Tokens:
    """Numbers below `vocabulary`, appended to and read in slices.

    >>> tokens = Tokens(100)
    >>> tokens.append([7, 8, 9])
    >>> len(tokens), tokens[1:3]
    (3, array([8, 9]))
    """

    def __init__(self, vocabulary: int):
        self.dtype = np.min_scalar_type(max(0, vocabulary - 1))  # one byte for a few characters
        self.file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
        weakref.finalize(self, self.file.close)
        self.count = 0

    def append(self, numbers: Sequence[int] | np.ndarray) -> None:
        """Append token numbers to the file."""
        self.file.seek(0, 2)
        self.file.write(np.asarray(numbers, self.dtype).tobytes())
        self.count += len(numbers)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, part: slice) -> np.ndarray:
        """Return the numbers of a slice of step 1 as int64."""
        start, stop, step = part.indices(self.count)
        if step != 1:
            raise ValueError(f"tokens are read forwards one by one, not by steps of {step}")
        size = self.dtype.itemsize
        self.file.seek(start * size)
        data: Any = self.file.read(max(0, stop - start) * size)
        return np.frombuffer(data, self.dtype).astype(np.int64)
