"""Compute the output ŷ_t = g2(W_ya a_t + b_y) on top of a recurrent layer, for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine.context import scope
from ..engine.options import kind, whole
from ..engine.tensor import Tensor
from ..functions.random import Generator
from ..functions.reductions import softmax
from .cell import State
from .gates import activation
from .layers import Linear, placed
from .module import Module
from .recurrent import Recurrent


class Readout(Module):
    """Compute ŷ_t = g2(W_ya a_t + b_y) on top of a recurrent layer; g2 is a name or None.

    Losses that take logits want None. Behind a bidirectional layer a_t is [a→_t, a←_t].
    """

    def __init__(
        self,
        layer: Recurrent,
        out_features: int,
        activation: str | Callable | None = None,
        *,
        device: str | None = None,
        dtype: Any = None,
        seed: int | Generator | None = None,
    ):
        self.layer = kind(self, "layer", layer, Recurrent, "a recurrent layer such as LSTM")
        seed = layer.generator if seed is None else seed
        where: Any = dict(zip(("device", "dtype", "seed"), placed(self, device, dtype, seed)))
        self.linear = Linear(layer.output_size, whole(self, "out_features", out_features), **where)
        self.g2 = output_function(activation, self)

    def forward(
        self, x: Tensor, state: State | None = None, **options: Any
    ) -> tuple[Tensor, State]:
        a, state = self.layer(x, state, **options)
        with scope("readout", head="y"):
            return self.g2(self.linear(a)), state


def output_function(what: Any, owner: Any = "Readout") -> Callable:
    """Return an activation by name; "softmax" is taken over the last axis."""
    return softmax if what == "softmax" else activation(what, owner, "activation")
