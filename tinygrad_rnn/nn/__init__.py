"""Build recurrent networks: cells, layers over time, bounds on gradients; programs begin here."""

from typing import NoReturn

from .. import init
from ..absent import signpost
from . import decoding, functional, utils
from .activations import (
    CELU,
    ELU,
    GELU,
    GLU,
    SELU,
    Activation,
    Flatten,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    Identity,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softmin,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
    Threshold,
    Unflatten,
)
from .attention import AdditiveAttention, Attention, AttentionCell, DotAttention, GeneralAttention
from .batch_norm import BatchNorm1d
from .cell import Cell
from .cell_layers import GRU, LSTM, MGU, RNN
from .cells import GRUCell, LSTMCell, MGUCell, RNNCell
from .clipping import clip_grad_norm_, clip_grad_value_
from .containers import ModuleDict, ModuleList
from .crf import CRF
from .criteria import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    GaussianNLLLoss,
    HingeEmbeddingLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    Loss,
    MarginRankingLoss,
    MSELoss,
    MultiLabelSoftMarginLoss,
    MultiMarginLoss,
    NLLLoss,
    PoissonNLLLoss,
    SmoothL1Loss,
    SoftMarginLoss,
    TripletMarginLoss,
)
from .ctc import CTCLoss, ctc_beam, ctc_greedy, ctc_loss
from .dropout import VariationalDropout
from .gates import Gate, Gated
from .language_model import LanguageModel
from .layers import Conv1d, Conv2d, Dropout, Embedding, LayerNorm, Linear, Sequential
from .masks import pad_sequence, unpad_sequence
from .module import Module, Parameter
from .multihead import MultiheadAttention
from .packed import PackedSequence
from .penalties import l1_penalty, l2_penalty, vanishing_penalty
from .pooling import AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d
from .readout import Readout
from .recurrent import Recurrent
from .reservoir import EchoState, echo_state_test, memory_capacity
from .scan import scan
from .seq2seq import Seq2Seq
from .small_layers import (
    AdaptiveAvgPool1d,
    AdaptiveMaxPool1d,
    Bilinear,
    CircularPad1d,
    ConstantPad1d,
    CosineSimilarity,
    GroupNorm,
    PairwiseDistance,
    PReLU,
    ReflectionPad1d,
    ReplicationPad1d,
    RMSNorm,
    ZeroPad1d,
)
from .truncated_bptt import tbptt
from .weight_drop import WeightDrop
from .zoneout import Zoneout

__all__ = [
    "CELU",
    "CRF",
    "ELU",
    "GELU",
    "GLU",
    "GRU",
    "LSTM",
    "MGU",
    "RNN",
    "SELU",
    "Activation",
    "AdaptiveAvgPool1d",
    "AdaptiveMaxPool1d",
    "AdditiveAttention",
    "Attention",
    "AttentionCell",
    "AvgPool1d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "Bilinear",
    "CTCLoss",
    "Cell",
    "CircularPad1d",
    "ConstantPad1d",
    "Conv1d",
    "Conv2d",
    "CosineEmbeddingLoss",
    "CosineSimilarity",
    "CrossEntropyLoss",
    "DotAttention",
    "Dropout",
    "EchoState",
    "Embedding",
    "Flatten",
    "GRUCell",
    "Gate",
    "Gated",
    "GaussianNLLLoss",
    "GeneralAttention",
    "GroupNorm",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LSTMCell",
    "LanguageModel",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "Loss",
    "MGUCell",
    "MSELoss",
    "MarginRankingLoss",
    "MaxPool1d",
    "MaxPool2d",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "MultiheadAttention",
    "NLLLoss",
    "PReLU",
    "PackedSequence",
    "PairwiseDistance",
    "Parameter",
    "PoissonNLLLoss",
    "RMSNorm",
    "RNNCell",
    "ReLU",
    "ReLU6",
    "Readout",
    "Recurrent",
    "ReflectionPad1d",
    "ReplicationPad1d",
    "Seq2Seq",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "TripletMarginLoss",
    "Unflatten",
    "VariationalDropout",
    "WeightDrop",
    "ZeroPad1d",
    "Zoneout",
    "clip_grad_norm_",
    "clip_grad_value_",
    "ctc_beam",
    "ctc_greedy",
    "ctc_loss",
    "decoding",
    "echo_state_test",
    "functional",
    "init",
    "l1_penalty",
    "l2_penalty",
    "memory_capacity",
    "pad_sequence",
    "scan",
    "tbptt",
    "unpad_sequence",
    "utils",
    "vanishing_penalty",
]


def __getattr__(name: str) -> NoReturn:
    """Say what to use instead of a name that is missing here."""
    signpost(__name__, name, __all__)
