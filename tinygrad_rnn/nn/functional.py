"""Offer functions where ported programs look for them: `nn.functional`.

>>> import tinygrad_rnn as t
>>> import tinygrad_rnn.nn.functional as F
>>> F.softmax(t.zeros(2, 4), dim=-1).shape
(2, 4)
"""

from typing import NoReturn

from ..absent import signpost
from ..engine.ops import relu, sigmoid, tanh
from ..functions.creation import one_hot
from ..functions.elementwise import (
    elu,
    gelu,
    glu,
    hardsigmoid,
    hardtanh,
    leaky_relu,
    logsigmoid,
    mish,
    relu6,
    silu,
    softplus,
    softsign,
    tanhshrink,
)
from ..functions.entries import (
    celu,
    gumbel_softmax,
    hardshrink,
    hardswish,
    prelu,
    selu,
    softshrink,
    threshold,
)
from ..functions.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_similarity,
    cross_entropy,
    dropout,
    embedding,
    huber_loss,
    kl_div,
    l1_loss,
    layer_norm,
    linear,
    mse_loss,
    nll_loss,
    normalize,
    smooth_l1_loss,
)
from ..functions.more_losses import (
    adaptive_avg_pool1d,
    adaptive_max_pool1d,
    cosine_embedding_loss,
    gaussian_nll_loss,
    group_norm,
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_soft_margin_loss,
    poisson_nll_loss,
    rms_norm,
    scaled_dot_product_attention,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from ..functions.products import bilinear, pairwise_distance, pdist
from ..functions.reductions import log_softmax, masked_softmax, softmax, softmin
from ..functions.shapes import pad
from ..functions.windows import avg_pool1d, avg_pool2d, conv1d, conv2d, max_pool1d, max_pool2d
from .batch_norm import batch_norm
from .ctc import ctc_loss

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_max_pool1d",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "conv1d",
    "conv2d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "ctc_loss",
    "dropout",
    "elu",
    "embedding",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "group_norm",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "margin_ranking_loss",
    "masked_softmax",
    "max_pool1d",
    "max_pool2d",
    "mish",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "pdist",
    "poisson_nll_loss",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]


def __getattr__(name: str) -> NoReturn:
    """Say what to use instead of a name that is missing here."""
    signpost(__name__, name, __all__)
