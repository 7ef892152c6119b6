"""Compute losses, and the functions that layers are made of; `nn` and programs call it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..engine.arguments import check_arguments
from ..engine.context import MODE
from ..engine.ops import absolute, exp, log, where, xlogy
from ..engine.tensor import Tensor, wrap
from .class_rows import ClassRows, losses_of_rows
from .elementwise import as_real, clamp, softplus
from .indexing import gather, take
from .random import Generator
from .reductions import log_softmax, safe_sqrt, var_mean
from .sampling import default_generator
from .shapes import same_shape

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "cosine_similarity", "cross_entropy", "dropout", "embedding", "huber_loss", "kl_div", "l1_loss",
    "layer_norm", "linear", "mse_loss", "nll_loss", "normalize", "smooth_l1_loss",
]  # fmt: skip


def reduced(x: Tensor, reduction: str) -> Tensor:
    """Return the losses as they are ("none"), their mean or their sum."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction!r} is not a valid value for reduction: none, mean or sum")
    return x if reduction == "none" else x.mean() if reduction == "mean" else x.sum()


# Losses
def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return (x - y)²; shapes must agree, since (4,) against (4, 1) is nearly always a slip.

    >>> t.mse_loss(t.tensor([1.0, 2.0]), t.tensor([0.0, 0.0]))
    tensor(2.5)
    """
    same_shape("mse_loss", input, target)
    away = as_real(input) - target
    return reduced(away * away, reduction)


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return |x - y|, averaged; shapes must agree."""
    same_shape("l1_loss", input, target)
    return reduced(absolute(as_real(input) - target), reduction)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0
) -> Tensor:
    """Return ½d² where |d| < delta, beyond it the tangent."""
    if delta <= 0:
        raise ValueError(f"huber_loss: delta must be positive, not {delta}")
    same_shape("huber_loss", input, target)
    d = absolute(as_real(input) - target)
    return reduced(where(d < delta, 0.5 * d * d, delta * (d - 0.5 * delta)), reduction)


def smooth_l1_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """Return huber_loss / beta; beta 0 is the L1 loss."""
    if beta == 0:
        return l1_loss(input, target, reduction)
    return huber_loss(input, target, reduction, beta) / beta


def binary_cross_entropy(input: Tensor, target: Tensor, weight: Any = None,
                         reduction: str = "mean") -> Tensor:  # fmt: skip
    """Return -y log p - (1 - y) log(1 - p), each logarithm held at -100 as PyTorch does."""
    same_shape("binary_cross_entropy", input, target)
    p = input._array
    if p.size and not bool(((p >= 0) & (p <= 1)).all()):
        raise ValueError("binary_cross_entropy: all elements of input should be between 0 and 1")
    input, target = as_real(input), as_real(target)
    losses = -(target * _held_log(input) + (1 - target) * _held_log(1 - input))
    return reduced(losses if weight is None else losses * weight, reduction)


def _held_log(p: Tensor) -> Tensor:
    """Return max(log p, -100), with the steep but finite gradient 10¹² where p is 0, as PyTorch has
    it."""
    tiny = np.maximum(1e-12, np.finfo(p.dtype).tiny).item()
    steep = (p - tiny) / tiny  # the slope of log at 1e-12
    held = steep - wrap(steep._array, None) - 100.0
    return where(p < tiny, where(p == 0, held, clamp(log(where(p == 0, 1.0, p)), min=-100.0)),
                 log(where(p < tiny, 1.0, p)))  # fmt: skip


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Any = None, reduction: str = "mean",
    pos_weight: Any = None,
) -> Tensor:  # fmt: skip
    """Return `binary_cross_entropy` of σ(input), exact for every finite input: nothing cancels."""
    same_shape("binary_cross_entropy_with_logits", input, target)
    input, target = as_real(input), as_real(target)
    hits = target if pos_weight is None else pos_weight * target
    losses = (1 - target) * softplus(input) + hits * softplus(-input)
    return reduced(losses if weight is None else losses * weight, reduction)


def cross_entropy(input: Tensor, target: Tensor, weight: Any = None, ignore_index: int = -100,
                  reduction: str = "mean", label_smoothing: float = 0.0) -> Tensor:  # fmt: skip
    """Return -log softmax(x)[target], for x (N, C, …) or (C,) and class numbers or probabilities.

    If every target is ignored the mean is 0 with zero gradient (and a warning), never NaN.

    >>> t.cross_entropy(t.tensor([[0.0, 0.0], [0.0, 0.0]]), t.tensor([0, 1]))
    tensor(0.6931)
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if weight is None and not label_smoothing and _are_plain_rows(input, target):
        return _cross_entropy_of_rows(input, target, ignore_index, reduction)
    axis = 0 if input.ndim == 1 else 1
    logp = log_softmax(input, axis)
    if target.dtype.kind == "f":
        if target.ndim == input.ndim - 1:
            what = f"target {target.shape} holds {target.dtype}"
            cure = "as class numbers they must be integers: call target.long(); "
            cure += f"as probabilities they must have the shape of input, {input.shape}"
            raise TypeError(f"cross_entropy: {what}; {cure}")
        return _soft_target_loss(logp, target, axis, weight, reduction, label_smoothing)
    losses = nll_loss(logp, target, weight, ignore_index, reduction)
    if label_smoothing == 0:
        return losses
    scale = _class_weights(logp, weight, axis)
    spread = -(logp * scale).sum(axis=axis)
    real = target != ignore_index
    spread = where(real, spread, 0.0)
    if reduction == "mean":
        spread = spread.sum() / _total_weight(logp, target, weight, ignore_index)
    else:
        spread = reduced(spread, reduction)
    classes = input.shape[axis]
    return (1 - label_smoothing) * losses + (label_smoothing / classes) * spread


def _are_plain_rows(input: Tensor, target: Tensor) -> bool:
    """Tell whether one operation can do it; while a trace is kept, its parts are to be seen."""
    a, integers = input._array, target.dtype.kind in "iu"
    fits = type(a) is np.ndarray and a.ndim == 2 and a.dtype.char in "fd" and a.size > 0
    return fits and integers and target.shape == a.shape[:1] and MODE.get().plain


def _cross_entropy_of_rows(input: Tensor, target: Tensor, ignore: int, reduction: str) -> Tensor:
    classes, count = target._array, input.shape[1]
    real = None
    if not 0 <= classes.min() <= classes.max() < count or 0 <= ignore < count:
        _check_targets(target, count, ignore)
        real = classes != ignore
    losses = losses_of_rows(input, rows=ClassRows(classes, real))
    if reduction == "mean":
        n = len(classes) if real is None else _total_weight(input, target, None, ignore)
        return losses.sum() / n
    return reduced(losses, reduction)


def _soft_target_loss(logp: Tensor, target: Tensor, axis: int, weight: Any, reduction: str,
                      smoothing: float) -> Tensor:  # fmt: skip
    same_shape("cross_entropy", logp, target)
    classes = logp.shape[axis]
    target = target * (1 - smoothing) + smoothing / classes if smoothing else target
    losses = -(logp * target * _class_weights(logp, weight, axis)).sum(axis=axis)
    if reduction == "mean":
        return losses.sum() / np.maximum(losses._array.size, 1).item()
    return reduced(losses, reduction)


def _class_weights(logp: Tensor, weight: Any, axis: int) -> Any:
    if weight is None:
        return 1.0
    return weight.reshape(*(-1 if i == axis else 1 for i in range(logp.ndim)))


def _total_weight(logp: Tensor, target: Tensor, weight: Any, ignore_index: int) -> Any:
    """Return what the mean divides by: the (weighted) number of targets not ignored, at least 1."""
    real: Any = target != ignore_index
    if weight is None:
        n = real.sum().item()
    else:
        n = where(real, take(weight, where(real, target, 0)), 0.0).sum().item()
    if n == 0:
        warnings.warn(
            "every target is ignored: the mean loss is 0 with zero gradient", stacklevel=4
        )
    return n or 1


def nll_loss(input: Tensor, target: Tensor, weight: Any = None, ignore_index: int = -100,
             reduction: str = "mean") -> Tensor:  # fmt: skip
    """Return -input[target], log-probabilities (N, C, …) or (C,) at class numbers (N, …) or ()."""
    axis = 0 if input.ndim == 1 else 1
    expected = input.shape[:axis] + input.shape[axis + 1 :]
    if target.shape != expected:
        told = f"target: expected shape {expected} for input {input.shape}, got {target.shape}"
        if target.shape == input.shape[:-1]:
            told += f"; classes are axis 1: reshape(-1, {input.shape[-1]}), and target.reshape(-1)"
        raise ValueError(told)
    _check_targets(target, input.shape[axis], ignore_index)
    real = target != ignore_index
    chosen = where(real, target, 0)
    losses = -gather(as_real(input), axis, chosen.unsqueeze(axis)).squeeze(axis)
    if weight is not None:
        losses = losses * take(weight, chosen)
    losses = where(real, losses, 0.0)
    if reduction == "mean":
        return losses.sum() / _total_weight(input, target, weight, ignore_index)
    return reduced(losses, reduction)


def _check_targets(target: Tensor, classes: int, ignore_index: int) -> None:
    t = target._array
    if t.dtype.kind not in "iu":
        told = "; call target.long()" if t.dtype.kind == "f" else ""
        raise TypeError(f"target: class numbers must be integers, not {t.dtype}{told}")
    bad = ((t < 0) | (t >= classes)) & (t != ignore_index)
    if bool(bad.any()):
        place = tuple(int(i[0]) for i in bad.nonzero()) if t.ndim else ()
        raise IndexError(f"target {int(t[place])} at position {place} is out of range for "
                         f"{classes} classes (ignore_index={ignore_index})")  # fmt: skip


def kl_div(
    input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """Return Σ t (log t - x) for log-probabilities x; "batchmean" divides by the batch size."""
    same_shape("kl_div", input, target)
    target = as_real(target)
    losses = (
        exp(target) * (target - input) if log_target else xlogy(target, target) - target * input
    )
    if reduction == "batchmean":
        return losses.sum() / input.shape[0]
    return reduced(losses, reduction)


# What layers are made of
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b, with weight (out, in).

    >>> t.linear(t.ones(5, 3), t.ones(2, 3)).shape
    (5, 2)
    """
    y = input @ weight.T
    return y if bias is None else y + bias


def embedding(input: Tensor, weight: Tensor) -> Tensor:
    """Return the rows of `weight` that the integers name; a one-hot product without the one-hot.

    >>> t.embedding(t.tensor([[0, 2]]), t.eye(3)).shape
    (1, 2, 3)
    """
    rows = input._array if isinstance(input, Tensor) else weight.xp.array(input)
    if rows.dtype.kind not in "iu":
        told = "; call input.long()" if rows.dtype.kind == "f" else ""
        raise TypeError(f"embedding: indices must be integers, not {rows.dtype}{told}")
    n = weight.shape[0]
    # a negative row would count from the end: a padding mark of -1 trained the last word
    if rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < n:
        raise IndexError(
            f"embedding: indices in [{rows.min()}, {rows.max()}] but there are {n} rows"
        )
    return take(weight, wrap(rows, None)) if rows.ndim else weight[int(rows)]


def dropout(input: Tensor, p: float = 0.5, training: bool = True,
            generator: Generator | None = None) -> Tensor:  # fmt: skip
    """Return each entry 0 with probability p, the others divided by 1 - p; p = 1 gives zeros.

    It draws from `generator`, or else from the default one, which `manual_seed` sets.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0:
        return input
    if p == 1:
        # 1 / (1 - p) would be infinite, and 0 · inf NaN
        return where(wrap(input.xp.zeros((), np.bool_), None), input, 0.0)
    keep = (generator or default_generator()).bernoulli(
        input.shape, 1 - p, dtype=input.dtype, device=input.device
    )
    return input * (keep * (1 / (1 - p)))


def layer_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None,
               bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:  # fmt: skip
    """Normalise the last axes to mean 0 and variance 1, then apply weight and bias.

    >>> t.layer_norm(t.tensor([[1.0, 3.0]]), 2)
    tensor([[-1.,  1.]])
    """
    sizes = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if input.shape[input.ndim - len(sizes) :] != sizes:
        raise ValueError(
            f"layer_norm: the last axes of {input.shape} are not normalized_shape={sizes}"
        )
    variance, middle = var_mean(input, tuple(range(-len(sizes), 0)), 0, keepdims=True)
    # eps within the root: on a constant row its slope stays finite
    y = (input - middle) / (variance + eps).sqrt()
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Return x / max(‖x‖, eps)"""
    return input / clamp(input.norm(p, dim, keepdims=True), min=eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return x₁·x₂ / (max(‖x₁‖, eps) max(‖x₂‖, eps))

    >>> t.cosine_similarity(t.tensor([[1.0, 0.0]]), t.tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """
    shape = np.broadcast_shapes(x1.shape, x2.shape)
    x1, x2 = (x if x.shape == shape else x.broadcast_to(shape) for x in (as_real(x1), as_real(x2)))
    lengths = [clamp(safe_sqrt((x * x).sum(axis=dim)), min=eps) for x in (x1, x2)]
    return (x1 * x2).sum(axis=dim) / (lengths[0] * lengths[1])


check_arguments(globals())
