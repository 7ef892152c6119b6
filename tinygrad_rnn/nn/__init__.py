"""Build recurrent networks: cells, layers over time, bounds on gradients; programs begin here."""

from typing import NoReturn

from .. import init
from ..absent import signpost
from . import decoding, functional, utils
from .activations import (
    ELU,
    GELU,
    GLU,
    Activation,
    Flatten,
    Hardsigmoid,
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
    Softsign,
    Tanh,
    Tanhshrink,
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
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from .ctc import CTCLoss, ctc_beam, ctc_greedy, ctc_loss
from .dropout import VariationalDropout
from .gates import Gate, Gated
from .language_model import LanguageModel
from .layers import Conv1d, Conv2d, Dropout, Embedding, LayerNorm, Linear, Sequential
from .masks import pad_sequence, unpad_sequence
from .module import Module, Parameter
from .packed import PackedSequence
from .penalties import l1_penalty, l2_penalty, vanishing_penalty
from .pooling import AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d
from .readout import Readout
from .recurrent import Recurrent
from .reservoir import EchoState, echo_state_test, memory_capacity
from .scan import scan
from .seq2seq import Seq2Seq
from .truncated_bptt import tbptt
from .weight_drop import WeightDrop
from .zoneout import Zoneout

__all__ = [
    "CRF",
    "ELU",
    "GELU",
    "GLU",
    "GRU",
    "LSTM",
    "MGU",
    "RNN",
    "Activation",
    "AdditiveAttention",
    "Attention",
    "AttentionCell",
    "AvgPool1d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "CTCLoss",
    "Cell",
    "Conv1d",
    "Conv2d",
    "CrossEntropyLoss",
    "DotAttention",
    "Dropout",
    "EchoState",
    "Embedding",
    "Flatten",
    "GRUCell",
    "Gate",
    "Gated",
    "GeneralAttention",
    "Hardsigmoid",
    "Hardtanh",
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
    "MaxPool1d",
    "MaxPool2d",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "PackedSequence",
    "Parameter",
    "RNNCell",
    "ReLU",
    "ReLU6",
    "Readout",
    "Recurrent",
    "Seq2Seq",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Unflatten",
    "VariationalDropout",
    "WeightDrop",
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
