"""Read a file never past its end nor more than was asked; all readers of `files` use it.

All readers of this folder get their bytes here. The size is known before anything is read, so a
length found *in* a file is compared with it before memory is set aside for it.
"""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np


class CheckpointError(ValueError):
    """Raised if a file is no checkpoint, is damaged, or holds a thing that is never loaded.

    The one exception of all wrong content; a file that cannot be opened or read is an OSError.
    """


class BoundedFile:
    """Hold a binary file and its size; reads outside of 0 … size raise CheckpointError.

    >>> file = BoundedFile(io.BytesIO(b"abcdef"))
    >>> file.size, file.read(2, 3)
    (6, b'cde')
    """

    def __init__(self, file: BinaryIO):
        self.file = file
        self.size = file.seek(0, io.SEEK_END)

    def read(self, offset: int, count: int) -> bytes:
        """Return exactly `count` bytes from `offset` on."""
        self._inside(offset, count)
        self.file.seek(offset)
        data = self.file.read(count)
        if len(data) != count:
            raise CheckpointError(f"the file became shorter while it was read ({self.size} bytes)")
        return data

    def read_array(self, offset: int, count: int) -> np.ndarray:
        """Return `count` bytes as an array of uint8, read into its memory and copied nowhere."""
        self._inside(offset, count)
        array = np.empty(count, np.uint8)
        view, filled = array.data, 0
        self.file.seek(offset)
        while filled < count:
            got = self.file.readinto(view[filled:])  # type: ignore[attr-defined]
            if not got:
                raise CheckpointError("the file became shorter while it was read")
            filled += got
        return array

    def _inside(self, offset: int, count: int) -> None:
        if offset < 0 or count < 0 or offset + count > self.size:
            place = f"bytes {offset} to {offset + count}"
            raise CheckpointError(f"{place} lie outside of the file, which has {self.size}")
