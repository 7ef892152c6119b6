"""Recurrent networks: cells, layers over time, and what keeps their gradients in bounds."""

from . import decoding
from .attention import AdditiveAttention, Attention, AttentionCell, DotAttention, GeneralAttention
from .cell import Cell
from .cells import GRUCell, LSTMCell, MGUCell, RNNCell
from .crf import CRF
from .ctc import CTCLoss, ctc_beam, ctc_greedy, ctc_loss
from .dropout import VariationalDropout
from .gates import Gate, Gated
from .language_model import LanguageModel
from .layers import Conv1d, Conv2d, Dropout, Embedding, LayerNorm, Linear, Sequential
from .masks import pad_sequence, unpad_sequence
from .module import Module
from .readout import Readout
from .recurrent import GRU, LSTM, MGU, RNN, Recurrent
from .remedies import (
    clip_grad_norm_,
    clip_grad_value_,
    l1_penalty,
    l2_penalty,
    tbptt,
    vanishing_penalty,
)
from .reservoir import EchoState, echo_state_test, memory_capacity
from .scan import scan
from .seq2seq import Seq2Seq
from .weight_drop import WeightDrop
from .zoneout import Zoneout

__all__ = [
    "CRF",
    "GRU",
    "LSTM",
    "MGU",
    "RNN",
    "AdditiveAttention",
    "Attention",
    "AttentionCell",
    "CTCLoss",
    "Cell",
    "Conv1d",
    "Conv2d",
    "DotAttention",
    "Dropout",
    "EchoState",
    "Embedding",
    "GRUCell",
    "Gate",
    "Gated",
    "GeneralAttention",
    "LSTMCell",
    "LanguageModel",
    "LayerNorm",
    "Linear",
    "MGUCell",
    "Module",
    "RNNCell",
    "Readout",
    "Recurrent",
    "Seq2Seq",
    "Sequential",
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
    "l1_penalty",
    "l2_penalty",
    "memory_capacity",
    "pad_sequence",
    "scan",
    "tbptt",
    "unpad_sequence",
    "vanishing_penalty",
]
