"""Recurrent networks: cells, layers over time, and what keeps their gradients in bounds."""

from .cell import Cell
from .cells import GRUCell, LSTMCell, MGUCell, RNNCell
from .crf import CRF
from .ctc import CTCLoss, ctc_beam, ctc_greedy, ctc_loss
from .dropout import VariationalDropout
from .gates import Gate, Gated
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
from .zoneout import Zoneout

__all__ = [
    "CRF",
    "GRU",
    "LSTM",
    "MGU",
    "RNN",
    "CTCLoss",
    "Cell",
    "Conv1d",
    "Conv2d",
    "Dropout",
    "EchoState",
    "Embedding",
    "GRUCell",
    "Gate",
    "Gated",
    "LSTMCell",
    "LayerNorm",
    "Linear",
    "MGUCell",
    "Module",
    "RNNCell",
    "Readout",
    "Recurrent",
    "Sequential",
    "VariationalDropout",
    "Zoneout",
    "clip_grad_norm_",
    "clip_grad_value_",
    "ctc_beam",
    "ctc_greedy",
    "ctc_loss",
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
