"""Project a whole sequence and take its cross-entropy as one operation, for `nn.language_model`.

All T·B rows go through the output layer together, a block of rows at a time: the (T·B, V) table of
logits, which for a language model is the largest array of all, never exists. The gradients are made
while a block's probabilities are at hand, so the backward pass only scales them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.arguments import check_arguments
from ..engine.arrays import library_of, to_numpy
from ..engine.backward import grad
from ..engine.context import is_grad_enabled
from ..engine.ops import clone
from ..engine.primitive import PRIMITIVES, primitive
from ..engine.tensor import Tensor
from .losses import cross_entropy, linear

BLOCK = 1 << 20  # so many logits at a time


def sequence_loss(output: Tensor, weight: Tensor, targets: Any, bias: Tensor | None = None,
                  ignore_index: int = -100) -> Tensor:  # fmt: skip
    """Return the mean cross-entropy of softmax(output @ weight.T + bias) against `targets`.

    `output` is (…, H), `targets` has its leading shape and counts classes; rows whose target is
    `ignore_index` do not count. Equals cross_entropy(linear(output, weight, bias), targets).
    """
    classes = to_numpy(targets)
    if classes.shape != output.shape[:-1]:
        raise ValueError(
            f"targets have shape {classes.shape}, the rows of output {output.shape[:-1]}"
        )
    counted = classes != ignore_index
    wrong = counted & ((classes < 0) | (classes >= weight.shape[0]))
    if wrong.any():
        raise IndexError(
            f"target {classes[wrong][0]} is out of range for {weight.shape[0]} classes"
        )
    inputs = [output, weight] + ([] if bias is None else [bias])
    wants = is_grad_enabled() and any(t.requires_grad for t in inputs)
    return _fused(*inputs, rows=_CountedRows(classes.reshape(-1), ignore_index, wants))


class _CountedRows:
    """The targets of all rows, and the gradients once the loss has been computed."""

    def __init__(self, targets: np.ndarray, ignore: int, wants: bool):
        self.targets, self.ignore, self.wants = targets, ignore, wants
        self.gradients: list[Any] = []

    def loss(self, output: Any, weight: Any, bias: Any = None) -> Any:
        flat = output.reshape(-1, output.shape[-1])
        xp, size = library_of(flat).xp, max(1, BLOCK // weight.shape[0])
        count = max(int((self.targets != self.ignore).sum()), 1)
        targets, total = xp.asarray(self.targets), 0.0
        sums = [np.empty_like(flat), np.zeros_like(weight), np.zeros_like(weight[:, 0])]
        for start in range(0, len(flat), size):
            part = slice(start, start + size)
            p = flat[part] @ weight.T
            if bias is not None:
                p += bias
            total += self._block(p, targets[part], count)
            if self.wants:
                np.matmul(p, weight, out=sums[0][part])
                sums[1] += p.T @ flat[part]
                sums[2] += p.sum(0)
        self.gradients = [sums[0].reshape(output.shape), *sums[1:]]
        return xp.asarray(total / count, flat.dtype)

    def _block(self, p: Any, targets: Any, count: int) -> Any:
        """Return the block's summed loss; its logits become the gradient of the mean loss."""
        counted = targets != self.ignore
        targets, rows = np.where(counted, targets, 0), library_of(p).xp.arange(len(p))
        p -= p.max(1, keepdims=True)
        right = p[rows, targets].copy()
        np.exp(p, out=p)
        norm = p.sum(1)
        p *= (counted / (norm * count))[:, None].astype(p.dtype)
        p[rows, targets] -= (counted / count).astype(p.dtype)
        return np.where(counted, np.log(norm) - right, 0).sum(dtype=np.float64)


def _rule(k: int, g: Any, y: Any, *inputs: Any, rows: _CountedRows) -> Any:
    """Return the gradients: on arrays they are there already; on Tensors the plain composite gives
    them a graph."""
    if not isinstance(g, Tensor):
        return rows.gradients[k] * g
    parts = [
        clone(t) if isinstance(t, Tensor) else Tensor(t) for t in inputs
    ]  # none leads to another
    logits = linear(*parts).reshape(-1, parts[1].shape[0])
    targets = Tensor(rows.targets, device=logits.device)
    loss = cross_entropy(logits, targets, ignore_index=rows.ignore)
    return grad(loss, parts[k], g, create_graph=True)[0]


_fused = primitive("sequence_loss", lambda *a, rows: rows.loss(*a), each=_rule, keeps="all")
del PRIMITIVES["sequence_loss"]  # it belongs to its targets: no part of the vocabulary of programs


check_arguments(globals())
