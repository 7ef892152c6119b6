"""tinygrad_rnn: reverse-mode autodiff from scratch, and recurrent networks as graphs of primitives."""

from . import linalg
from .autodiff import Flow, grad
from .backend import get_default_dtype, set_default_dtype
from .calculus import checkpoint, detect_anomaly, hessian, hvp, jacobian, jvp, vjp
from .creation import (
    arange, eye, from_dlpack, full, full_like, linspace, ones, ones_like, zeros, zeros_like,
)  # fmt: skip
from .functions import (
    all, amax, amin, any, argmax, argmin, bmm, addmm, clamp, clip, cummax, cumprod, cumsum, dot, einsum,
    elu, exp2, float_power, gelu, glu, hardsigmoid, hardtanh, inner, leaky_relu, lerp, log10, log2,
    log_softmax, logsigmoid, logsumexp, masked_softmax, max, mean, min, mish, mm, mv, norm, outer, pow,
    prod, reciprocal, relu6, round, rsqrt, safe_sqrt, silu, softmax, softmin, softplus, softsign, square,
    std, std_mean, sum, tanhshrink, tensordot, var, var_mean, vector_norm,
)  # fmt: skip
from .losses import (
    avg_pool2d, binary_cross_entropy, binary_cross_entropy_with_logits, conv1d, conv2d,
    cosine_similarity, cross_entropy, dropout, embedding, huber_loss, kl_div, l1_loss, layer_norm,
    linear, max_pool2d, mse_loss, nll_loss, normalize, smooth_l1_loss,
)  # fmt: skip
from .ops import (
    absolute as abs, acos, add, asin, atan, atan2, ceil, clone, cos, cosh, div, equal, erf, exp, expm1,
    floor, fmod, greater, greater_equal, hypot, isfinite, isinf, isnan, less, less_equal, log, log1p,
    logaddexp, logical_and, logical_not, logical_or, logical_xor, matmul, maximum, minimum, mul, neg,
    not_equal, power, relu, remainder, sigmoid, sign, sin, sinh, sqrt, sub, tan, tanh, trunc, where,
    xlogy,
)  # fmt: skip
from .random import Generator
from .shapes import (
    argsort, broadcast_to, cat, chunk, contiguous, diag, diagonal, expand, expand_as, flatten, flip,
    gather, hstack, index_put, index_select, masked_fill, masked_select, movedim, narrow, pad, permute,
    ravel, repeat, reshape, roll, scatter, scatter_add, select, sort, split, split_with_sizes, squeeze,
    stack, swapaxes, take_along_dim, tile, topk, transpose, tril, triu, unbind, unflatten, unfold,
    unsqueeze, view, vstack,
)  # fmt: skip
from .tensor import (
    Node, Tensor, enable_grad, get_array_module, is_grad_enabled, no_grad, primitive, scope, tensor,
    toposort, trace,
)  # fmt: skip
from . import methods  # noqa: F401  isort: skip - gives Tensor its methods
