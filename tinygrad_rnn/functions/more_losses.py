"""Compare pairs, margins and distributions; normalise; attend in one call: for programs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.arguments import check_arguments
from ..engine.ops import equal, exp, log, sqrt, where
from ..engine.tensor import Tensor, wrap
from .elementwise import as_real, clamp, logsigmoid, softplus
from .indexing import gather
from .losses import dropout, reduced
from .products import pairwise_distance
from .reductions import mean, softmax, var_mean
from .shapes import cat, same_shape


def soft_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return log(1 + exp(−y x)) for targets y of 1 and −1."""
    same_shape("soft_margin_loss", input, target)
    return reduced(softplus(-target * input), reduction)


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0,
                         reduction: str = "mean") -> Tensor:  # fmt: skip
    """Return x where the target is 1, max(0, margin − x) where it is −1."""
    far = where(equal(target, 1), 0.0, clamp(margin - input, min=0.0))
    return reduced(far + where(equal(target, -1), 0.0, input), reduction)


def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0,
                        reduction: str = "mean") -> Tensor:  # fmt: skip
    """Return max(0, margin − y (x₁ − x₂)): with y = 1 the first should be larger."""
    return reduced(clamp(-target * (input1 - input2) + margin, min=0.0), reduction)


def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0,
                          reduction: str = "mean") -> Tensor:  # fmt: skip
    """Return 1 − cos where the target is 1, max(0, cos − margin) where it is −1."""
    x, y = as_real(input1), as_real(input2)
    products = [(a * b).sum(-1) for a, b in ((x, y), (x, x), (y, y))]
    near = products[0] / sqrt((products[1] + 1e-12) * (products[2] + 1e-12))
    alike = where(equal(target, 1), 1 - near, 0.0)
    return reduced(alike + where(equal(target, -1), clamp(near - margin, min=0.0), 0.0), reduction)


def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0,
                        p: float = 2, eps: float = 1e-6, swap: bool = False,
                        reduction: str = "mean") -> Tensor:  # fmt: skip
    """Return max(0, d(anchor, positive) − d(anchor, negative) + margin)."""
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        other = pairwise_distance(positive, negative, p, eps)
        far = where(other < far, other, far)
    return reduced(clamp(margin + near - far, min=0.0), reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0,
    swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Return `triplet_margin_loss` with any distance of two Tensors."""
    away = distance_function or pairwise_distance
    near, far = away(anchor, positive), away(anchor, negative)
    if swap:
        other = away(positive, negative)
        far = where(other < far, other, far)
    return reduced(clamp(margin + near - far, min=0.0), reduction)


def multi_margin_loss(input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0,
                      weight: Tensor | None = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """Return Σ max(0, margin − x[y] + x[i])ᵖ / C over the other classes i."""
    rows = input.reshape(1, -1) if input.ndim < 2 else input
    classes = target.reshape(-1, 1)
    gaps = clamp(margin - gather(rows, 1, classes) + rows, min=0.0)
    gaps = gaps if p == 1 else gaps**p
    gaps = gaps if weight is None else gaps * weight[classes]
    own = rows.xp.arange(rows.shape[1]) == classes._array
    losses = where(wrap(own, None), 0.0, gaps).sum(1) * (1 / rows.shape[1])
    return reduced(losses if input.ndim > 1 else losses.reshape(()), reduction)


def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Tensor | None = None,
                                reduction: str = "mean") -> Tensor:  # fmt: skip
    """Return the mean over classes of −y log σ(x) − (1 − y) log σ(−x)."""
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    losses = losses if weight is None else losses * weight
    return reduced(losses.mean(-1), reduction)


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool = True, full: bool = False,
                     eps: float = 1e-8, reduction: str = "mean") -> Tensor:  # fmt: skip
    """Return eˣ − y x for rates given as logarithms, x − y log(x + eps) for rates themselves.

    With `full` Stirling's term of log y! is added where y > 1.
    """
    loss = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        safe = where(target > 1, target, 1)
        stirling = target * log(safe) - target + 0.5 * log(2 * math.pi * safe)
        loss = loss + where(target > 1, stirling, 0.0)
    return reduced(loss, reduction)


def gaussian_nll_loss(input: Tensor, target: Tensor, var: Any, full: bool = False,
                      eps: float = 1e-6, reduction: str = "mean") -> Tensor:  # fmt: skip
    """Return ½ (log σ² + (x − y)²/σ²), with σ² held at `eps` in the value, not in the gradient."""
    if not isinstance(var, Tensor):
        var = wrap(input.xp.full((), var, input.dtype), None)
    if var._array.size and bool((var._array < 0).any()):
        raise ValueError("gaussian_nll_loss: var has negative entries")
    if var.ndim == input.ndim - 1 and var.shape == input.shape[:-1]:
        var = var.unsqueeze(-1)
    held = var + wrap(np.maximum(var._array, eps) - var._array, None)
    loss = 0.5 * (log(held) + (input - target) ** 2 / held)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def rms_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None,
             eps: float | None = None) -> Tensor:  # fmt: skip
    """Return x / √(mean x² + eps) over the last axes, then times the weight."""
    sizes = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if input.shape[input.ndim - len(sizes) :] != sizes:
        raise ValueError(f"rms_norm: the last axes of {input.shape} are not {sizes}")
    eps = float(np.finfo(input.dtype).eps) if eps is None else eps
    y = input / sqrt(mean(input * input, tuple(range(-len(sizes), 0)), keepdims=True) + eps)
    return y if weight is None else y * weight


def group_norm(input: Tensor, num_groups: int, weight: Tensor | None = None,
               bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:  # fmt: skip
    """Return (B, C, …) with mean 0 and variance 1 over each group of channels."""
    if input.ndim < 2 or input.shape[1] % num_groups:
        raise ValueError(f"group_norm: {num_groups} groups do not divide channels of {input.shape}")
    groups = input.reshape(input.shape[0], num_groups, math.prod(input.shape[1:]) // num_groups)
    variance, middle = var_mean(groups, -1, 0, keepdims=True)
    y = ((groups - middle) / sqrt(variance + eps)).reshape(input.shape)
    along = (1, -1) + (1,) * (input.ndim - 2)
    y = y if weight is None else y * weight.reshape(*along)
    return y if bias is None else y + bias.reshape(*along)


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Any = None,
                                 dropout_p: float = 0.0, is_causal: bool = False,
                                 scale: float | None = None, *,
                                 generator: Any = None) -> Tensor:  # fmt: skip
    """Return softmax(Q Kᵀ / √E) V; a mask of booleans says what is seen, one of floats is added.

    >>> import tinygrad_rnn as t
    >>> q, k, v = t.ones(2, 5, 4), t.ones(2, 7, 4), t.ones(2, 7, 3)
    >>> scaled_dot_product_attention(q, k, v).shape
    (2, 5, 3)
    """
    scores = query @ key.swapaxes(-1, -2)
    scores = scores * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal and attn_mask is not None:
        raise ValueError("scaled_dot_product_attention: is_causal is a mask; give no other")
    if is_causal:
        seen = np.tril(np.ones(scores.shape[-2:], bool))
        attn_mask = wrap(query.xp.asarray(seen), None)
    if attn_mask is not None:
        plain = attn_mask.dtype.kind == "b"
        scores = where(attn_mask, scores, -math.inf) if plain else scores + attn_mask
    weights = softmax(scores, -1)
    return dropout(weights, dropout_p, dropout_p > 0, generator) @ value


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Return the means of so many windows that cover the last axis evenly."""
    return _evenly(input, output_size, lambda x, start: x.mean(-1, keepdims=True))


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return the largest values of so many windows that cover the last axis evenly."""
    values = _evenly(input, output_size, lambda x, start: x.max(-1, keepdims=True).values)
    if not return_indices:
        return values
    where_is = lambda x, start: x.argmax(-1, keepdims=True) + start
    return values, _evenly(input, output_size, where_is)


def _evenly(x: Tensor, size: Any, of: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Return what `of` (a window, where it begins) gives of windows that cover the last axis."""
    count, n = size[0] if isinstance(size, (tuple, list)) else size, x.shape[-1]
    ends = [(k * n // count, -(-(k + 1) * n // count)) for k in range(count)]
    return cat([of(x[..., a:b], a) for a, b in ends], -1)


__all__ = """soft_margin_loss hinge_embedding_loss margin_ranking_loss cosine_embedding_loss
triplet_margin_loss triplet_margin_with_distance_loss multi_margin_loss multilabel_soft_margin_loss
poisson_nll_loss gaussian_nll_loss rms_norm group_norm scaled_dot_product_attention
adaptive_avg_pool1d adaptive_max_pool1d""".split()

check_arguments(globals())
