"""Offer losses as modules that hold their options, to programs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ..engine.arrays import is_array
from ..engine.options import choice, flag, real, unfit, whole
from ..engine.tensor import Tensor
from ..functions import losses, more_losses
from .module import Module


def _weights(owner: Any, name: str, value: Any) -> Any:
    array = value if is_array(value) else getattr(value, "_array", None)
    array = np.asarray(value) if array is None else array
    if value is not None and array.dtype.kind not in "fiu":
        raise unfit(owner, name, "None or a Tensor of weights", value, TypeError)


# What each option must be
CHECKS: dict[str, Callable[[Any, str, Any], Any]] = {
    "weight": _weights,
    "pos_weight": _weights,
    "delta": lambda owner, name, value: real(owner, name, value, above=0),
    "beta": lambda owner, name, value: real(owner, name, value, 0),
    "label_smoothing": lambda owner, name, value: real(owner, name, value, 0, 1),
    "ignore_index": lambda owner, name, value: whole(owner, name, value, -math.inf),
    "log_target": flag,
    "margin": lambda owner, name, value: real(owner, name, value),
    "eps": lambda owner, name, value: real(owner, name, value, 0),
    "p": lambda owner, name, value: real(owner, name, value),
    "swap": flag,
    "full": flag,
    "log_input": flag,
}


class Loss(Module):
    """Base of losses: call `function(input, target, **options)` with the constructor's options."""

    function: ClassVar[Any]

    reductions: ClassVar[tuple[str, ...]] = ("none", "mean", "sum")

    def __init__(self, reduction: str = "mean", **options: Any):
        choice(self, "reduction", reduction, self.reductions)
        for name, value in options.items():
            CHECKS[name](self, name, value)
        self.options = {"reduction": reduction, **options}

    def forward(self, input: Tensor, target: Tensor, *more: Tensor) -> Tensor:
        """Return the loss of predictions against targets."""
        return type(self).function(input, target, *more, **self.options)

    def named_tensors(self, prefix: str = "") -> Any:
        return iter(())  # class weights are options, nothing that learns

    def extra_repr(self) -> str:
        """Return what stands in brackets behind the module's name."""
        return ", ".join(f"{k}={v!r}" for k, v in self.options.items() if v is not None)


class MSELoss(Loss):
    """Return (x − y)², its mean unless `reduction` says otherwise."""

    function = losses.mse_loss

    def __init__(self, reduction: str = "mean"):
        super().__init__(reduction)


class L1Loss(Loss):
    """Return |x − y|, its mean unless `reduction` says otherwise."""

    function = losses.l1_loss

    def __init__(self, reduction: str = "mean"):
        super().__init__(reduction)


class HuberLoss(Loss):
    """Return ½ (x − y)² near 0, δ (|x − y| − ½ δ) from δ on."""

    function = losses.huber_loss

    def __init__(self, reduction: str = "mean", delta: float = 1.0):
        super().__init__(reduction, delta=delta)


class SmoothL1Loss(Loss):
    """Return HuberLoss divided by β."""

    function = losses.smooth_l1_loss

    def __init__(self, reduction: str = "mean", beta: float = 1.0):
        super().__init__(reduction, beta=beta)


class BCELoss(Loss):
    """Return −y log p − (1 − y) log(1 − p) of probabilities p."""

    function = losses.binary_cross_entropy

    def __init__(self, weight: Any = None, reduction: str = "mean"):
        super().__init__(reduction, weight=weight)


class BCEWithLogitsLoss(Loss):
    """Return BCELoss of σ(x), exact for every finite x."""

    function = losses.binary_cross_entropy_with_logits

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None):
        super().__init__(reduction, weight=weight, pos_weight=pos_weight)


class NLLLoss(Loss):
    """Return −x[target] of log-probabilities x (N, C, …) and class numbers."""

    function = losses.nll_loss

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(reduction, weight=weight, ignore_index=ignore_index)


class CrossEntropyLoss(Loss):
    """Return −log softmax(x)[target] of scores x (N, C, …), targets classes or probabilities.

    >>> import tinygrad_rnn as t
    >>> loss = t.nn.CrossEntropyLoss()
    >>> round(loss(t.zeros(3, 4), t.tensor([0, 1, 3])).item(), 4)  # log 4
    1.3863
    """

    function = losses.cross_entropy

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
                 label_smoothing: float = 0.0):  # fmt: skip
        options = {"weight": weight, "ignore_index": ignore_index}
        super().__init__(reduction, **options, label_smoothing=label_smoothing)


class KLDivLoss(Loss):
    """Return y (log y − x) of log-probabilities x; y is a logarithm with log_target=True."""

    function = losses.kl_div

    reductions = (*Loss.reductions, "batchmean")

    def __init__(self, reduction: str = "mean", log_target: bool = False):
        super().__init__(reduction, log_target=log_target)


class SoftMarginLoss(Loss):
    """Return log(1 + exp(−y x)) for targets y of 1 and −1."""

    function = more_losses.soft_margin_loss

    def __init__(self, reduction: str = "mean"):
        super().__init__(reduction)


class HingeEmbeddingLoss(Loss):
    """Return x where the target is 1, max(0, margin − x) where it is −1."""

    function = more_losses.hinge_embedding_loss

    def __init__(self, margin: float = 1.0, reduction: str = "mean"):
        super().__init__(reduction, margin=margin)


class MarginRankingLoss(Loss):
    """Return max(0, margin − y (x₁ − x₂))."""

    function = more_losses.margin_ranking_loss

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        super().__init__(reduction, margin=margin)


class CosineEmbeddingLoss(Loss):
    """Return 1 − cos where the target is 1, max(0, cos − margin) where it is −1."""

    function = more_losses.cosine_embedding_loss

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        super().__init__(reduction, margin=margin)


class TripletMarginLoss(Loss):
    """Return max(0, d(anchor, positive) − d(anchor, negative) + margin)."""

    function = more_losses.triplet_margin_loss

    def __init__(self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap:
                 bool = False, reduction: str = "mean"):  # fmt: skip
        super().__init__(reduction, margin=margin, p=p, eps=eps, swap=swap)


class MultiMarginLoss(Loss):
    """Return Σ max(0, margin − x[y] + x[i])ᵖ / C over the other classes i."""

    function = more_losses.multi_margin_loss

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None,
                 reduction: str = "mean"):  # fmt: skip
        super().__init__(reduction, p=p, margin=margin, weight=weight)


class MultiLabelSoftMarginLoss(Loss):
    """Mean over classes of −y log σ(x) − (1 − y) log σ(−x)."""

    function = more_losses.multilabel_soft_margin_loss

    def __init__(self, weight: Any = None, reduction: str = "mean"):
        super().__init__(reduction, weight=weight)


class PoissonNLLLoss(Loss):
    """Return eˣ − y x for rates given as logarithms."""

    function = more_losses.poisson_nll_loss

    def __init__(self, log_input: bool = True, full: bool = False, eps: float =
                 1e-8, reduction: str = "mean"):  # fmt: skip
        super().__init__(reduction, log_input=log_input, full=full, eps=eps)


class GaussianNLLLoss(Loss):
    """Return ½ (log σ² + (x − y)²/σ²), called with x, y and σ²."""

    function = more_losses.gaussian_nll_loss

    def __init__(self, full: bool = False, eps: float = 1e-6, reduction: str =
                 "mean"):  # fmt: skip
        super().__init__(reduction, full=full, eps=eps)
