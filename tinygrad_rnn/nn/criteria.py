"""Losses as modules: each holds its options and calls the function of the same formula."""

from __future__ import annotations

from typing import Any, ClassVar

from ..engine.tensor import Tensor
from ..functions import losses
from .module import Module


class Loss(Module):
    """Base: `function(input, target, **options)` with the options of the constructor."""

    function: ClassVar[Any]

    def __init__(self, reduction: str = "mean", **options: Any):
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"{type(self).__name__}: reduction must be none, mean or sum, "
                             f"got {reduction!r}")  # fmt: skip
        self.options = {"reduction": reduction, **options}

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of predictions against targets."""
        return type(self).function(input, target, **self.options)

    def named_tensors(self, prefix: str = "") -> Any:
        return iter(())  # class weights are options, nothing that learns

    def extra_repr(self) -> str:
        """Return what stands in brackets behind the module's name."""
        return ", ".join(f"{k}={v!r}" for k, v in self.options.items() if v is not None)


class MSELoss(Loss):
    """(x − y)²"""

    function = losses.mse_loss


class L1Loss(Loss):
    """|x − y|"""

    function = losses.l1_loss


class HuberLoss(Loss):
    """½ (x − y)² near 0, δ (|x − y| − ½ δ) from δ on."""

    function = losses.huber_loss

    def __init__(self, reduction: str = "mean", delta: float = 1.0):
        super().__init__(reduction, delta=delta)


class SmoothL1Loss(Loss):
    """HuberLoss divided by β."""

    function = losses.smooth_l1_loss

    def __init__(self, reduction: str = "mean", beta: float = 1.0):
        super().__init__(reduction, beta=beta)


class BCELoss(Loss):
    """−y log p − (1 − y) log(1 − p) of probabilities p."""

    function = losses.binary_cross_entropy

    def __init__(self, weight: Any = None, reduction: str = "mean"):
        super().__init__(reduction, weight=weight)


class BCEWithLogitsLoss(Loss):
    """BCELoss of σ(x), exact for every finite x."""

    function = losses.binary_cross_entropy_with_logits

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None):
        super().__init__(reduction, weight=weight, pos_weight=pos_weight)


class NLLLoss(Loss):
    """−x[target] of log-probabilities x (N, C, …) and class numbers."""

    function = losses.nll_loss

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(reduction, weight=weight, ignore_index=ignore_index)


class CrossEntropyLoss(Loss):
    """−log softmax(x)[target] of scores x (N, C, …) and class numbers or probabilities.

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
    """y (log y − x) of log-probabilities x; y is given as a logarithm with log_target=True."""

    function = losses.kl_div

    def __init__(self, reduction: str = "mean", log_target: bool = False):
        if reduction != "batchmean":
            super().__init__(reduction, log_target=log_target)
        else:
            self.options = {"reduction": reduction, "log_target": log_target}
