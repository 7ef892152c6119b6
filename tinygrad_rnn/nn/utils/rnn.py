"""Offer padded and packed sequences under the names of `torch.nn.utils.rnn`, to programs."""

from ..masks import pad_sequence, unpad_sequence
from ..packed import (
    PackedSequence,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    unpack_sequence,
)

__all__ = ["PackedSequence", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence",
           "pad_sequence", "unpack_sequence", "unpad_sequence"]  # fmt: skip
