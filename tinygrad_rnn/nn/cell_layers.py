"""Offer RNN, GRU, LSTM and MGU, layers of one kind of cell each, to programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from .cells import GRUCell, LSTMCell, MGUCell, RNNCell
from .gates import Gated
from .recurrent import Recurrent

OPTIONS = """
    Called as layer(x), layer(x, state), with lengths= (B,) or mask= (T, B) for padded batches, with
    trace=True to keep every gate and state. T counts steps, B sequences, I is input_size, H is
    hidden_size, L num_layers, D 2 if bidirectional, else 1.
        x       (T, B, I), (B, T, I) with batch_first, (T, I) alone; or whole numbers (T, B)
        output  (T, B, D·H), (B, T, D·H) with batch_first, (T, D·H) alone
        state   (L·D, B, H) for each part, layer by layer, forward before reverse

    Options of the layer
        num_layers          cells above each other; each reads the outputs of the one below
        batch_first         True: x and output begin with the batch, as the state never does
        dropout             rate at which outputs are dropped on their way to the next layer
        bidirectional       True: a second cell for each layer reads from the end
        merge               what makes one output of two: "concat", "sum", "mul" or "ave"
        zoneout             rate at which states stay as they were, or a rate for each part
        input_dropout       rate at which units of x are dropped, one mask for a sequence
        recurrent_dropout   rate at which units of h are hidden from gates, one mask for a sequence
        masked_output       what the output is on padding: "zero", or "repeat" the last real one
        stateful            True: a call begins where the last one ended, without its graph
        seed                a number or a Generator, from which weights and masks are drawn
    Options of every cell
        bias                True or "double" as PyTorch, "single", or False
        form                how weights are kept: "separate" as PyTorch, "stacked", "per_gate"
        init                starting values by name: {"hh": "orthogonal", "f.bias": 1.0}
        layer_norm          True: W x and U h are normalised
        device, dtype       where parameters are, and of which kind
"""
GATES = """\
        gate_activation, candidate_activation    functions or names, "sigmoid" and "tanh"
        candidate_dropout   rate at which candidates are dropped, anew in each step
"""


class CellLayer(Recurrent):
    """Base of layers that have one class of cell."""

    cell_class: ClassVar[type[Gated]]
    settled: ClassVar = ("cell",)  # of Recurrent's arguments

    def __init_subclass__(cls, gates: str = GATES) -> None:
        if cls.__module__ == __name__ and "cell_class" in vars(cls):
            cls.__doc__ = f"{cls.__doc__}{OPTIONS}{gates}"


class RNN(CellLayer, gates=""):
    """Layers of RNNCell, h' = g(W_hh h + W_ih x + b): PyTorch's `nn.RNN` with more options.

    >>> import tinygrad_rnn as t
    >>> layer = t.nn.RNN(3, 4, nonlinearity="relu", seed=0)
    >>> output, h_n = layer(t.zeros(5, 2, 3))  # 5 steps of 2 sequences
    >>> output.shape, h_n.shape
    ((5, 2, 4), (1, 2, 4))

    Options of RNNCell
        nonlinearity        g, a function or a name, "tanh"
        leak                α of h' = (1 − α) h + α g(…), 1
    """

    label, cell_class = "rnn", RNNCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str | Callable = "tanh",
        bias: bool | str = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        **options: Any,
    ):
        options |= {"nonlinearity": nonlinearity, "bias": bias, "batch_first": batch_first}
        options |= {"dropout": dropout, "bidirectional": bidirectional}
        super().__init__(RNNCell, input_size, hidden_size, num_layers, **options)


class GatedLayer(CellLayer):
    """Base of layers whose cells have gates."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool | str = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        **options: Any,
    ):
        options |= {"bias": bias, "batch_first": batch_first}
        options |= {"dropout": dropout, "bidirectional": bidirectional}
        super().__init__(self.cell_class, input_size, hidden_size, num_layers, **options)


class GRU(GatedLayer):
    """Layers of GRUCell: PyTorch's `nn.GRU` with more options.

    >>> import tinygrad_rnn as t
    >>> layer = t.nn.GRU(3, 4, num_layers=2, seed=0)
    >>> output, h_n = layer(t.zeros(5, 2, 3), lengths=[5, 2])  # the second has 2 real steps
    >>> output.shape, h_n.shape
    ((5, 2, 4), (2, 2, 4))

    Options of GRUCell
        reset               "after" the product U h, as PyTorch, or "before" it, as the notes
        update              z "keeps" the old state, as PyTorch, or "writes" the new, as the notes
    """

    label, cell_class = "gru", GRUCell


class LSTM(GatedLayer):
    """Layers of LSTMCell: PyTorch's `nn.LSTM` with more options. The state is a pair (h, c).

    >>> import tinygrad_rnn as t
    >>> layer = t.nn.LSTM(3, 4, num_layers=2, bidirectional=True, seed=0)
    >>> output, (h_n, c_n) = layer(t.zeros(5, 2, 3))  # 5 steps of 2 sequences
    >>> output.shape, h_n.shape, c_n.shape
    ((5, 2, 8), (4, 2, 4), (4, 2, 4))

    Options of LSTMCell
        output_activation   of c, "tanh"; None: h' = o ∘ c'
        relevance           True: a gate r in the candidate, g = tanh(W x + U (r ∘ h) + b)
        peephole            "diagonal" or "full": i and f see c, o sees c'
        coupled             True: i = 1 − f
        proj_size           P: h' = W_hr (o ∘ tanh(c')) has P units, 0: no projection
        forget_bias         the whole bias of f, 1.0 say; None leaves PyTorch's start
    """

    label, cell_class = "lstm", LSTMCell


class MGU(GatedLayer):
    """Layers of MGUCell, the minimal gated unit.

    >>> import tinygrad_rnn as t
    >>> output, h_n = t.nn.MGU(3, 4, seed=0)(t.zeros(5, 2, 3))
    >>> output.shape, h_n.shape
    ((5, 2, 4), (1, 2, 4))
    """

    label, cell_class = "mgu", MGUCell
