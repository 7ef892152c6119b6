"""Accept PyTorch's packed sequences from ported programs, for `recurrent` and `nn.utils.rnn`.

Ours need no packing: `layer(x, lengths=…)` takes unsorted lengths, and gives 0 on padding. These
four functions keep PyTorch's names; nothing is sorted or copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..engine.class_signature import CheckedCall
from ..engine.options import kind
from ..engine.tensor import Tensor, tensor
from ..functions.shapes import pad
from .masks import checked_lengths, pad_sequence


class PackedSequence(CheckedCall):
    """A padded batch (T, B, …), time first, with the lengths of its sequences."""

    def __init__(self, padded: Tensor, lengths: np.ndarray):
        self.padded = kind(self, "padded", padded, Tensor, "a Tensor (T, B, …)")
        self.lengths = kind(self, "lengths", lengths, np.ndarray, "an array of lengths (B,)")

    @property
    def batch_sizes(self) -> Tensor:
        """Return how many sequences have a step t, for each t."""
        return tensor((np.arange(len(self.padded))[:, None] < self.lengths).sum(1))

    @property
    def data(self) -> Tensor:
        """Return the real steps one below the other, step by step, longest sequence first."""
        order = np.argsort(-self.lengths, kind="stable")
        real = np.arange(len(self.padded))[:, None] < self.lengths[order]
        rows = self.padded[:, tensor(order)]
        return rows[tensor(real)]

    def __iter__(self) -> Iterator[Any]:
        """Yield data, batch_sizes, sorted_indices and unsorted_indices, PyTorch's four parts."""
        order = np.argsort(-self.lengths, kind="stable")
        yield from (self.data, self.batch_sizes, tensor(order), tensor(np.argsort(order)))

    def __getitem__(self, k: int) -> Tensor:
        return tuple(self)[k]

    def __repr__(self) -> str:
        return f"PackedSequence({tuple(self.padded.shape)}, lengths={self.lengths.tolist()})"


def pack_padded_sequence(input: Tensor, lengths: Any, batch_first: bool = False,
                         enforce_sorted: bool = True) -> PackedSequence:  # fmt: skip
    """Return the record of a padded batch (T, B, …), or (B, T, …), and its lengths.

    >>> import tinygrad_rnn as t
    >>> packed = pack_padded_sequence(t.zeros(5, 2, 3), [3, 5], enforce_sorted=False)
    >>> output, h_n = t.nn.GRU(3, 4)(packed)
    >>> pad_packed_sequence(output)[0].shape
    (5, 2, 4)
    """
    kind("pack_padded_sequence", "input", input, Tensor, "a padded batch, a Tensor (T, B, …)")
    padded = input.transpose(0, 1) if batch_first else input
    sizes = checked_lengths(lengths, *padded.shape[:2])
    if not (sizes > 0).all():
        raise ValueError(f"pack_padded_sequence: lengths must be positive, got {sizes.tolist()}")
    if enforce_sorted and (np.diff(sizes) > 0).any():
        cure = "sort them, or pass enforce_sorted=False"
        raise RuntimeError(f"pack_padded_sequence: lengths {sizes.tolist()} must fall; {cure}")
    return PackedSequence(padded[: int(sizes.max())], sizes)


def pad_packed_sequence(sequence: PackedSequence, batch_first: bool = False,
                        padding_value: float = 0.0,
                        total_length: int | None = None) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return (padded batch, lengths) of a record."""
    kind("pad_packed_sequence", "sequence", sequence, PackedSequence, "a PackedSequence")
    x, steps = sequence.padded, len(sequence.padded)
    if total_length is not None:
        if total_length < steps:
            raise ValueError(f"total_length={total_length} is shorter than a sequence of {steps}")
        x = pad(x, (0, 0) * (x.ndim - 1) + (0, total_length - steps))
    real = np.arange(len(x))[:, None] < sequence.lengths
    shape = real.shape + (1,) * (x.ndim - 2)
    x = x.masked_fill(tensor(~real.reshape(shape)), padding_value)
    return (x.transpose(0, 1) if batch_first else x), tensor(sequence.lengths)


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Return the record of sequences (T_k, …) of different lengths."""
    padded = pad_sequence(sequences)
    lengths = [len(s) for s in sequences]
    return pack_padded_sequence(padded, lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed: PackedSequence) -> list[Tensor]:
    """Return the sequences of a record, each as long as it is."""
    kind("unpack_sequence", "packed", packed, PackedSequence, "a PackedSequence")
    return [packed.padded[:n, k] for k, n in enumerate(packed.lengths.tolist())]
