"""Differentiate programs on arrays and train recurrent networks; programs begin here.

The engine and its functions are here at once; `nn`, `optim`, `init`, `linalg`, `draw`, `compile`
and `microscope` load when they are first touched.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .absent import mark as _mark
from .engine.arrays import get_default_dtype, set_default_dtype
from .engine.backward import BackwardRecord, grad
from .engine.context import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    scope,
    set_grad_enabled,
    trace,
)
from .engine.conversion import get_array_module
from .engine.node import Node, toposort
from .engine.ops import *
from .engine.primitive import primitive
from .engine.tensor import Tensor, tensor
from .engine.upper import UPPER as _UPPER
from .functions import methods
from .functions.aliases import *
from .functions.arithmetic import *
from .functions.creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    linspace,
    one_hot,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from .functions.elementwise import (
    clamp,
    clip,
    elu,
    exp2,
    float_power,
    gelu,
    glu,
    hardsigmoid,
    hardtanh,
    leaky_relu,
    lerp,
    log2,
    log10,
    logsigmoid,
    mish,
    pow,
    reciprocal,
    relu6,
    round,
    rsqrt,
    silu,
    softplus,
    softsign,
    square,
    tanhshrink,
)
from .functions.indexing import (
    argsort,
    gather,
    index_add,
    index_put,
    index_select,
    masked_fill,
    masked_select,
    scatter,
    scatter_add,
    scatter_reduce,
    select,
    sort,
    take_along_dim,
    topk,
)
from .functions.later import HOMES as _HOMES
from .functions.reductions import (
    all,
    amax,
    amin,
    any,
    argmax,
    argmin,
    cummax,
    cumprod,
    cumsum,
    log_softmax,
    logsumexp,
    masked_softmax,
    max,
    mean,
    min,
    norm,
    prod,
    safe_sqrt,
    softmax,
    softmin,
    std,
    std_mean,
    sum,
    var,
    var_mean,
    vector_norm,
)
from .functions.shapes import (
    broadcast_to,
    cat,
    chunk,
    contiguous,
    diag,
    diagonal,
    expand,
    expand_as,
    flatten,
    flip,
    hstack,
    movedim,
    narrow,
    pad,
    permute,
    ravel,
    repeat,
    reshape,
    roll,
    split,
    split_with_sizes,
    squeeze,
    stack,
    swapaxes,
    tile,
    transpose,
    tril,
    triu,
    unbind,
    unflatten,
    unfold,
    unsqueeze,
    view,
    vstack,
)
from .functions.sizes import device, numel, repeat_interleave

if TYPE_CHECKING:  # they load when they are first touched
    from .analysis.derivatives import detect_anomaly, hessian, hvp, jacobian, jvp, vjp
    from .analysis.gradcheck import GradcheckError, gradcheck, gradgradcheck
    from .functions.arrangements import *
    from .functions.checkpoint import checkpoint
    from .functions.comparison import *
    from .functions.constructors import *
    from .functions.entries import *
    from .functions.losses import (
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
    from .functions.more_losses import *
    from .functions.order_statistics import *  # type: ignore[assignment]
    from .functions.products import *
    from .functions.random import Generator
    from .functions.sampling import *
    from .functions.windows import (
        avg_pool1d,
        avg_pool2d,
        conv1d,
        conv2d,
        max_pool1d,
        max_pool2d,
    )

_mark(Tensor, "Tensor")
_UPPER.load = lambda path: import_module(f".{path}", __name__)
FLOORS = {name: f".{name}" for name in ("nn", "optim", "init", "linalg", "draw", "compile", "cuda")}
FLOORS |= {name: f".{name}" for name in ("analysis", "files", "text", "training", "exercises")}
FLOORS["tasks"] = ".tasks"
FLOORS["autograd"] = ".autograd"
FLOORS["microscope"] = ".analysis.microscope"
CONSTRUCTORS = ("BoolTensor", "DoubleTensor", "FloatTensor", "IntTensor", "LongTensor")
LOSSES = """binary_cross_entropy binary_cross_entropy_with_logits cosine_similarity cross_entropy
dropout embedding huber_loss kl_div l1_loss layer_norm linear mse_loss nll_loss normalize
smooth_l1_loss""".split()
MORE_LOSSES = """soft_margin_loss hinge_embedding_loss margin_ranking_loss cosine_embedding_loss
triplet_margin_loss triplet_margin_with_distance_loss multi_margin_loss
multilabel_soft_margin_loss poisson_nll_loss gaussian_nll_loss rms_norm group_norm
scaled_dot_product_attention adaptive_avg_pool1d adaptive_max_pool1d""".split()
WINDOWS = ("avg_pool1d", "avg_pool2d", "conv1d", "conv2d", "max_pool1d", "max_pool2d")
DERIVATIVES = ("detect_anomaly", "hessian", "hvp", "jacobian", "jvp", "vjp")
CHECKS = ("GradcheckError", "gradcheck", "gradgradcheck")
FROM_FLOORS = dict.fromkeys(("CheckpointError", "load", "save"), ".files")
FROM_FLOORS |= dict.fromkeys(("check", "hint"), ".exercises")
FROM_FLOORS |= dict.fromkeys(DERIVATIVES, ".analysis.derivatives")
FROM_FLOORS |= dict.fromkeys(WINDOWS, ".functions.windows")
FROM_FLOORS |= dict.fromkeys(CONSTRUCTORS, ".functions.constructors")
FROM_FLOORS |= dict.fromkeys(LOSSES, ".functions.losses")
FROM_FLOORS |= dict.fromkeys(MORE_LOSSES, ".functions.more_losses")
FROM_FLOORS |= {name: f".functions.{home}" for name, home in _HOMES.items()}
FROM_FLOORS["checkpoint"] = ".functions.checkpoint"
FROM_FLOORS |= dict.fromkeys(CHECKS, ".analysis.gradcheck")

# what `from tinygrad_rnn import *` brings: all that is here, and what loads for it alone
__all__ = [*(n for n in globals() if n[0] != "_"), *CONSTRUCTORS, *LOSSES, *MORE_LOSSES]
__all__ += _HOMES


def __getattr__(name: str) -> Any:
    """Load a floor, or a function of one, when it is first touched: `tinygrad_rnn.nn`."""
    if name in FROM_FLOORS:
        globals()[name] = getattr(import_module(FROM_FLOORS[name], __name__), name)
    elif name in FLOORS:
        globals()[name] = import_module(FLOORS[name], __name__)
    else:
        from .absent import signpost

        signpost(__name__, name, __dir__())
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *FLOORS, *FROM_FLOORS})
