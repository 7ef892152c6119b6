"""Batch examples, shuffled by a seed, sorted by length against padding; programs call it.

Nothing is held but one batch, or with buckets the lengths of some fifty: the order of a pass is
computed where it is needed, from seed, pass and position. So the position is all there is to save.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..engine.arrays import to_numpy
from ..engine.tensor import Tensor, tensor, wrap

WINDOW = 50  # batches whose examples are sorted by length together
EXACT = 1 << 16  # up to so many examples the shuffled row itself is made


class Resumable:
    """Base of batches: write `__len__` and `batch(k)`; passes and their place are kept here."""

    epoch: int  # passes done
    position: int  # batches given out in this one
    goes_on: bool  # whether the next pass is one that was saved

    def __init__(self, settings: Mapping[str, Any]):
        self.settings = dict(settings)  # what a place in them depends on
        self.rewind()

    def __len__(self) -> int:
        raise NotImplementedError

    def batch(self, k: int) -> Any:
        """Return the k-th batch of the present pass."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Any]:
        """Begin a pass; after `load_state_dict` go on with the one that was saved."""
        if self.position and not self.goes_on:  # the pass before was left early
            self.epoch, self.position = self.epoch + 1, 0
        self.goes_on = False
        while self.position < len(self):
            batch = self.batch(self.position)
            self.position += 1
            yield batch
        self.epoch, self.position = self.epoch + 1, 0

    def rewind(self) -> None:
        """Begin with the first pass again."""
        self.epoch, self.position, self.goes_on = 0, 0, False

    def state_dict(self) -> dict[str, Any]:
        """Return where the batches stand: passes done, batches given out in this one."""
        return {"epoch": self.epoch, "position": self.position, "settings": dict(self.settings)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict()` was taken; ValueError if that was of other data."""
        if state["settings"] != self.settings:
            raise ValueError(f"the place was saved with {state['settings']}, here {self.settings}")
        self.epoch, self.position, self.goes_on = state["epoch"], state["position"], True


def moved(batch: Any, device: str | None) -> Any:
    """Return a batch with its Tensors on a device; None leaves them where they are."""
    if device is None:
        return batch
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, Padded):
        return Padded(batch.values.to(device), batch.lengths)
    return tuple(moved(part, device) for part in batch) if isinstance(batch, tuple) else batch


class Padded(NamedTuple):
    """Sequences side by side, (T, B, …), filled up behind their ends, and how long each is."""

    values: Tensor
    lengths: list[int]


def pad(sequences: Sequence[Any], value: float = 0) -> Padded:
    """Return sequences of different lengths as one Tensor (T, B, …) and their lengths.

    >>> pad([[1, 2, 3], [4]]).values.tolist()
    [[1, 4], [2, 0], [3, 0]]
    """
    arrays = [to_numpy(sequence) for sequence in sequences]
    lengths = [len(array) for array in arrays]
    filled = [array for array in arrays if array.size] or [np.empty(0, np.int64)]
    inner = {array.shape[1:] for array in filled}
    if len(inner) > 1:
        raise ValueError(f"pad: sequences of vectors of different shapes {sorted(inner)}")
    dtype = np.result_type(*(array.dtype for array in filled))
    if dtype.kind not in "fiub":
        raise TypeError(f"pad: sequences of {dtype}; encode text by a vocabulary first")
    values = np.full((max(lengths), len(arrays), *inner.pop()), value, dtype)
    for b, array in enumerate(arrays):
        values[: lengths[b], b] = array
    return Padded(wrap(values, None), lengths)


def collate(examples: Sequence[Any]) -> Any:
    """Return a batch: numbers as a Tensor (B,), sequences padded, tuples part by part.

    >>> words, label = collate([([5, 6], 1), ([7], 0)])
    >>> words.lengths, label.tolist()
    ([2, 1], [1, 0])
    """
    first = examples[0]
    if isinstance(first, tuple):
        return tuple(collate(part) for part in zip(*examples, strict=True))
    if isinstance(first, str):
        raise TypeError("collate: a batch is made of numbers; encode text by a vocabulary first")
    if np.ndim(to_numpy(first)):
        return pad(examples)
    return tensor(np.array([np.asarray(to_numpy(x)).item() for x in examples]))


class Batches(Resumable):
    """Examples of any sequence, `batch_size` at a time, made into a batch by `collate`.

    With `shuffle` each pass has another order, which depends on seed and pass alone. With `bucket`
    the examples of some fifty batches are sorted by length, so that little is padded; `length` says
    how long one is, by default its length or that of its first part. Of the last, smaller batch
    `drop_last` makes none.

    >>> batches = Batches([[1], [2, 3], [4], [5, 6]], batch_size=2, bucket=True, shuffle=False)
    >>> [batch.values.T.tolist() for batch in batches]
    [[[1], [4]], [[2, 3], [5, 6]]]
    """

    def __init__(self, examples: Sequence[Any], batch_size: int, *, shuffle: bool = True,
                 seed: int = 0, drop_last: bool = False, bucket: bool = False,
                 length: Callable[[Any], int] | None = None,
                 collate: Callable[[Sequence[Any]], Any] = collate,
                 device: str | None = None):  # fmt: skip
        if batch_size < 1 or not len(examples):
            raise ValueError(f"batches of {batch_size} of {len(examples)} examples: there is none")
        self.examples, self.batch_size, self.shuffle, self.seed = (
            examples,
            batch_size,
            shuffle,
            seed,
        )
        self.drop_last, self.window = drop_last, WINDOW if bucket else 1
        self.length, self.collate, self.device = length or _length, collate, device
        super().__init__({"examples": len(examples), "batch_size": batch_size, "shuffle": shuffle,
                          "seed": seed, "drop_last": drop_last, "bucket": bucket})  # fmt: skip
        self.cached: tuple[Any, list[list[int]]] = (None, [])

    def __len__(self) -> int:
        """Return how many batches a pass has."""
        whole, rest = divmod(len(self.examples), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def batch(self, k: int) -> Any:
        window, place = divmod(k, self.window)
        if self.cached[0] != (self.epoch, window):
            self.cached = (self.epoch, window), self._arranged(window)
        examples = [self.examples[i] for i in self.cached[1][place]]
        return moved(self.collate(examples), self.device)

    def _arranged(self, window: int) -> list[list[int]]:
        """Return which examples make up each batch of a window."""
        size = self.window * self.batch_size
        places = np.arange(window * size, min((window + 1) * size, len(self.examples)))
        if self.shuffle:
            places = shuffled(places, len(self.examples), (self.seed, self.epoch))
        order = [int(i) for i in places]
        if self.window > 1:
            order.sort(key=lambda i: self.length(self.examples[i]))
        groups = [order[k : k + self.batch_size] for k in range(0, len(order), self.batch_size)]
        if self.window > 1 and self.shuffle:  # else each window would begin with its shortest
            turn = np.random.default_rng([self.seed, self.epoch, window]).permutation
            last = groups[-1:] if len(groups[-1]) < self.batch_size else []  # stays the last one
            whole = groups[: len(groups) - len(last)]
            groups = [whole[i] for i in turn(len(whole))] + last
        return groups


def _length(example: Any) -> int:
    return len(example[0] if isinstance(example, tuple) else example)


def shuffled(places: np.ndarray, count: int, seed: Sequence[int]) -> np.ndarray:
    """Return which of `count` things stand at these places of a shuffled row.

    A short row is shuffled as it is. A long one never exists: four rounds of a Feistel cipher on
    the place's bits are a permutation that can be asked for one place.
    """
    if count <= EXACT:
        return np.random.default_rng(list(seed)).permutation(count)[places]
    half = np.uint64(((count - 1).bit_length() + 1) // 2)
    keys = np.random.SeedSequence(list(seed)).generate_state(4, np.uint64)
    found = _encrypted(places.astype(np.uint64), half, keys)
    while (beyond := found >= count).any():  # the cipher's row is up to four times as long
        found[beyond] = _encrypted(found[beyond], half, keys)
    return found.astype(np.int64)


def _encrypted(values: np.ndarray, half: np.uint64, keys: np.ndarray) -> np.ndarray:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = values >> half, values & mask
    for key in keys:
        mixed = (right + key) * np.uint64(0x9E3779B97F4A7C15)  # wraps around, as it should
        mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        left, right = right, left ^ ((mixed ^ (mixed >> np.uint64(32))) & mask)
    return (left << half) | right
