"""Offer functions where ported programs look for them: `nn.functional`.

>>> import tinygrad_rnn as t
>>> import tinygrad_rnn.nn.functional as F
>>> F.softmax(t.zeros(2, 4), dim=-1).shape
(2, 4)
"""

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
from ..functions.reductions import log_softmax, masked_softmax, softmax, softmin
from ..functions.shapes import pad
from ..functions.windows import avg_pool1d, avg_pool2d, conv1d, conv2d, max_pool1d, max_pool2d
from .batch_norm import batch_norm
from .ctc import ctc_loss

__all__ = [
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "conv1d",
    "conv2d",
    "cosine_similarity",
    "cross_entropy",
    "ctc_loss",
    "dropout",
    "elu",
    "embedding",
    "gelu",
    "glu",
    "hardsigmoid",
    "hardtanh",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "masked_softmax",
    "max_pool1d",
    "max_pool2d",
    "mish",
    "mse_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "relu",
    "relu6",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softmin",
    "softplus",
    "softsign",
    "tanh",
    "tanhshrink",
]
