"""The output layer ŷ_t = g2(W_ya a_t + b_y) on top of a recurrent layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine.context import scope
from ..engine.tensor import Tensor
from ..functions.random import Generator
from ..functions.reductions import softmax
from .cell import State
from .gates import activation
from .layers import Linear
from .module import Module
from .recurrent import Recurrent


class Readout(Module):
    """ŷ_t = g2(W_ya a_t + b_y) on top of a recurrent layer; g2 "softmax", "sigmoid", … or None.

    Losses that take logits want None. Behind a bidirectional layer a_t is [a→_t, a←_t].
    """

    def __init__(
        self,
        layer: Recurrent,
        out_features: int,
        activation: str | Callable | None = None,
        *,
        seed: int | Generator | None = None,
        **options: Any,
    ):
        self.layer = layer
        seed = layer.generator if seed is None else seed
        self.linear = Linear(layer.output_size, out_features, seed=seed, **options)
        self.g2 = output_function(activation)

    def forward(
        self, x: Tensor, state: State | None = None, **options: Any
    ) -> tuple[Tensor, State]:
        a, state = self.layer(x, state, **options)
        with scope("readout", head="y"):
            return self.g2(self.linear(a)), state


def output_function(what: str | Callable | None) -> Callable:
    """An activation by name; "softmax" is taken over the last axis."""
    return softmax if what == "softmax" else activation(what)
