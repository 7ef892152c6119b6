"""Cut one long text into batches for truncated BPTT; programs call it.

The text is cut into B streams of one length that stand side by side. Each batch is the next T
tokens of every stream, so the state that the batch before ended with belongs at its beginning.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.tensor import Tensor, wrap
from .batches import Resumable, moved


class Streams(Resumable):
    """Pairs (x, y) of shape (T, B): the next tokens, and for each of them the one that follows.

    The last batch of a pass is shorter if T does not divide the streams. `state_dict()` says where
    the streams stand, and after `load_state_dict` they go on there.

    >>> for x, y in Streams(range(11), batch_size=2, steps=3):
    ...     print(x.T.tolist(), y.T.tolist())
    [[0, 1, 2], [5, 6, 7]] [[1, 2, 3], [6, 7, 8]]
    [[3, 4], [8, 9]] [[4, 5], [9, 10]]
    """

    def __init__(self, tokens: Any, batch_size: int, steps: int, drop_last: bool = False,
                 device: str | None = None):  # fmt: skip
        if batch_size < 1 or steps < 1:
            raise ValueError(f"need batch_size and steps >= 1, got {batch_size} and {steps}")
        self.tokens, self.batch_size, self.steps = tokens, batch_size, steps
        self.drop_last, self.device = drop_last, device
        self.length = (len(tokens) - 1) // batch_size  # of each stream
        if len(self) < 1:
            raise ValueError(f"{len(tokens)} tokens are too few for {batch_size} streams")
        super().__init__({"tokens": len(tokens), "batch_size": batch_size, "steps": steps,
                          "drop_last": drop_last})  # fmt: skip

    def __len__(self) -> int:
        """Return how many batches a pass has."""
        whole, rest = divmod(self.length, self.steps)
        return whole + (rest > 0 and not self.drop_last)

    def batch(self, k: int) -> tuple[Tensor, Tensor]:
        start = k * self.steps
        stop = min(start + self.steps, self.length)
        starts = [b * self.length for b in range(self.batch_size)]
        rows = [np.asarray(self.tokens[s + start : s + stop + 1], np.int64) for s in starts]
        both = np.stack(rows, axis=1)  # (T + 1, B)
        return moved((wrap(both[:-1].copy(), None), wrap(both[1:].copy(), None)), self.device)
