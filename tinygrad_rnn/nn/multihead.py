"""Attend with several heads at once, as ported programs call it; `nn` offers it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import init as initial
from ..engine.ops import where
from ..engine.options import flag, probability, whole
from ..engine.tensor import Tensor, wrap
from ..functions.losses import dropout, linear
from ..functions.random import Generator
from ..functions.reductions import softmax
from .layers import Linear, parameter, placed
from .module import Module, check_dtype


class MultiheadAttention(Module):
    """Attention of several heads (Vaswani et al. 2017), each with its own part of the features.

    Queries (L, B, E), keys and values (S, B, E), or batch first, or one sequence without B. A mask
    of booleans is True where nothing may be seen, as in PyTorch; one of floats is added to scores.

    >>> import tinygrad_rnn as t
    >>> attend = t.nn.MultiheadAttention(8, 2, seed=0)
    >>> read, weights = attend(t.zeros(3, 5, 8), t.zeros(7, 5, 8), t.zeros(7, 5, 8))
    >>> read.shape, weights.shape
    ((3, 5, 8), (5, 3, 7))
    """

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
                 kdim: int | None = None, vdim: int | None = None, batch_first: bool = False, *,
                 device: str | None = None, dtype: Any = None,
                 seed: int | Generator | None = None):  # fmt: skip
        self.embed_dim = size = whole(self, "embed_dim", embed_dim)
        self.num_heads = whole(self, "num_heads", num_heads)
        if size % num_heads:
            told = f"embed_dim={size} must be divisible by num_heads={num_heads}"
            raise ValueError(f"MultiheadAttention: {told}")
        self.dropout = probability(self, "dropout", dropout)
        self.batch_first = flag(self, "batch_first", batch_first)
        self.kdim, self.vdim = (size if n is None else whole(self, name, n)
                                for name, n in (("kdim", kdim), ("vdim", vdim)))  # fmt: skip
        device, dtype, self.generator = placed(self, device, dtype, seed)
        self._weights(device, dtype)
        self.in_proj_bias = None
        if flag(self, "bias", bias):
            self.in_proj_bias = parameter(np.zeros(3 * size, dtype), device)
        self.out_proj = Linear(size, size, bias, device=device, dtype=dtype, seed=self.generator)
        if self.out_proj.bias is not None:
            self.out_proj.bias.data = self.out_proj.bias.detach() * 0

    def _weights(self, device: Any, dtype: Any) -> None:
        """Make one matrix for queries, keys and values, or three where their sizes differ."""
        size, draw = self.embed_dim, self.generator

        def uniform(rows: int, columns: int) -> Tensor:
            bound = math.sqrt(6 / (rows + columns))
            made = initial.uniform((rows, columns), -bound, bound, generator=draw, dtype=dtype)
            return parameter(made, device)

        if self.kdim == self.vdim == size:
            self.in_proj_weight = uniform(3 * size, size)
        else:
            self.q_proj_weight = uniform(size, size)
            self.k_proj_weight = uniform(size, self.kdim)
            self.v_proj_weight = uniform(size, self.vdim)

    def forward(self, query: Tensor, key: Tensor, value: Tensor,
                key_padding_mask: Tensor | None = None, need_weights: bool = True,
                attn_mask: Tensor | None = None, average_attn_weights: bool = True,
                is_causal: bool = False) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """Return (what was read, weights (B, L, S) or of each head (B, heads, L, S))."""
        check_dtype(self, query, self.out_proj.weight, what="query")
        alone = query.ndim == 2
        given = [x.unsqueeze(1) if alone else x.transpose(0, 1) if self.batch_first else x
                 for x in (query, key, value)]  # fmt: skip
        self._check(given)
        if is_causal and attn_mask is None:
            raise ValueError("MultiheadAttention: is_causal=True needs the attn_mask it tells of")
        q, k, v = (self._heads(x) for x in self._projected(*given))
        scores = (q * (1 / math.sqrt(q.shape[-1]))) @ k.mT
        weights = softmax(self._masked(scores, attn_mask, key_padding_mask), -1)
        kept = dropout(weights, self.dropout, self.training, self.generator)
        read = (kept @ v).permute(2, 0, 1, 3).reshape(*given[0].shape[:2], self.embed_dim)
        output = self.out_proj(read)
        shown = weights.mean(1) if average_attn_weights else weights
        if alone:
            output, shown = output.squeeze(1), shown.squeeze(0)
        elif self.batch_first:
            output = output.transpose(0, 1)
        return output, shown if need_weights else None

    def _check(self, given: list[Tensor]) -> None:
        sizes = (self.embed_dim, self.kdim, self.vdim)
        for name, x, n in zip(("query", "key", "value"), given, sizes):
            if x.ndim != 3 or x.shape[-1] != n:
                raise ValueError(f"MultiheadAttention: {name} must have {n} features, is {x.shape}")

    def _projected(self, *given: Tensor) -> list[Tensor]:
        size, bias = self.embed_dim, self.in_proj_bias
        together = self.kdim == self.vdim == size
        weights = (
            [self.in_proj_weight[k * size : (k + 1) * size] for k in range(3)]
            if together
            else [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        )
        biases = [None if bias is None else bias[k * size : (k + 1) * size] for k in range(3)]
        return [linear(x, w, b) for x, w, b in zip(given, weights, biases)]

    def _heads(self, x: Tensor) -> Tensor:
        """Split (T, B, E) into (B, heads, T, E / heads)."""
        parts = x.reshape(*x.shape[:2], self.num_heads, self.embed_dim // self.num_heads)
        return parts.permute(1, 2, 0, 3)

    def _masked(self, scores: Tensor, mask: Tensor | None, padding: Tensor | None) -> Tensor:
        batch, heads, length, seen = scores.shape
        if mask is not None:
            wide = mask.reshape(batch, heads, length, seen) if mask.ndim == 3 else mask
            scores = _hidden(scores, wide)
        if padding is not None:
            scores = _hidden(scores, padding.reshape(batch, 1, 1, seen))
        return scores


def _hidden(scores: Tensor, mask: Tensor) -> Tensor:
    if mask.dtype.kind == "b":
        return where(mask, wrap(np.asarray(-math.inf, scores.dtype), None), scores)
    return scores + mask
