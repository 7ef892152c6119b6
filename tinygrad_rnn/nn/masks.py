"""Tell real steps from padding, and pad lists of sequences; `recurrent` calls it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..engine.arrays import to_numpy
from ..engine.ops import where
from ..engine.options import flag, kind, unfit
from ..engine.tensor import Tensor, tensor
from ..functions.shapes import cat, stack


def time_mask(shape: tuple[int, ...], lengths: Any, mask: Any, batch_first: bool) -> Any:
    """Return a (T, B) array, True on real steps, from lengths (B,) or a mask; None if all are."""
    if lengths is None and mask is None:
        return None
    if lengths is not None and mask is not None:
        raise ValueError("give lengths or mask, not both")
    if lengths is not None:
        return np.arange(shape[0])[:, None] < checked_lengths(lengths, *shape[:2])
    real = to_numpy(mask)
    if real.dtype != np.bool_:
        raise TypeError(f"mask must hold booleans, True on real steps, got {real.dtype}")
    real = real[:, None] if real.ndim == 1 else real.T if batch_first else real
    if real.shape != tuple(shape[:2]):
        raise ValueError(f"mask is {real.shape} as (T, B), the input {tuple(shape[:2])}")
    return real


def checked_lengths(lengths: Any, steps: int, batch: int) -> np.ndarray:
    """Return the lengths as whole numbers in 0…T, one per sequence, or ValueError."""
    given = to_numpy(lengths)
    if given.dtype.kind not in "iu" and given.size:
        raise ValueError(f"lengths must be whole numbers, got {given.dtype}")
    given = given.reshape(-1) if given.ndim == 0 else given
    if given.shape != (batch,):
        raise ValueError(f"lengths has shape {given.shape}, the batch has {batch} sequences")
    for k, length in enumerate(given.tolist()):
        if length > steps:
            raise ValueError(f"lengths[{k}]={length} exceeds the sequence length {steps}")
        if length < 0:
            raise ValueError(f"lengths[{k}]={length} is negative")
    return given.astype(np.int64)


def repeated(steps: Any, real: Any, reverse: bool) -> Tensor:
    """Return outputs (T, B, …) that repeat on padding what was put out last, 0 before the first.

    >>> import numpy as np, tinygrad_rnn as t
    >>> real = np.array([[False], [True], [False]])
    >>> repeated(t.tensor([[0.0], [5.0], [0.0]]), real, reverse=False).tolist()
    [[0.0], [5.0], [5.0]]
    """
    outputs = steps if isinstance(steps, Tensor) else stack(list(steps), 0)
    real = real[::-1] if reverse else real
    latest = np.maximum.accumulate(np.where(real, np.arange(len(real))[:, None], -1), 0)
    missing = latest < 0
    if reverse:
        latest, missing = (len(real) - 1 - latest)[::-1], missing[::-1]
    latest = np.where(missing, 0, latest)
    chosen = outputs[latest, np.arange(outputs.shape[1])]
    rows = outputs.xp.asarray(missing).reshape(missing.shape + (1,) * (outputs.ndim - 2))
    return where(rows, 0.0, chosen) if missing.any() else chosen


def tensors_of(owner: str, option: str, values: Any) -> list[Tensor]:
    """Return a list of at least one Tensor."""
    many = isinstance(values, Iterable) and not isinstance(values, (str, Tensor))
    found = list(values) if many else []
    if not found:
        wanted = "a list of at least one Tensor"
        raise unfit(owner, option, wanted, values, ValueError if many else TypeError)
    for k, one in enumerate(found):
        kind(owner, f"{option}[{k}]", one, Tensor, "a Tensor")
    return found


def pad_sequence(
    sequences: Sequence[Tensor], batch_first: bool = False, padding_value: float = 0.0
) -> Tensor:
    """Return the sequences (T_k, …) as one padded batch (T, B, …)."""
    sequences = tensors_of("pad_sequence", "sequences", sequences)
    flag("pad_sequence", "batch_first", batch_first)
    if isinstance(padding_value, str) or not hasattr(padding_value, "__float__"):
        raise unfit("pad_sequence", "padding_value", "a number", padding_value, TypeError)
    for k, s in enumerate(sequences):
        if s.ndim == 0 or s.shape[1:] != sequences[0].shape[1:]:
            both = f"{tuple(sequences[0].shape)} and {tuple(s.shape)}, number {k}"
            raise ValueError(f"pad_sequence: sequences (T_k, …) differ behind time: {both}")
    longest = max(s.shape[0] for s in sequences)
    padded = [_padded(s, longest, padding_value) for s in sequences]
    return stack(padded, 0 if batch_first else 1)


def _padded(sequence: Tensor, longest: int, value: float) -> Tensor:
    missing = longest - sequence.shape[0]
    if not missing:
        return sequence
    rest = sequence.xp.full((missing, *sequence.shape[1:]), value, sequence.dtype)
    return cat((sequence, tensor(rest, device=sequence.device)), 0)


def unpad_sequence(padded: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """Return the sequences of a padded batch, each as long as it is."""
    kind("unpad_sequence", "padded", padded, Tensor, "a padded batch, a Tensor (T, B, …)")
    whole = padded if batch_first else padded.transpose(0, 1)
    sizes = checked_lengths(lengths, whole.shape[1], whole.shape[0])
    return [whole[k, :length] for k, length in enumerate(sizes.tolist())]
