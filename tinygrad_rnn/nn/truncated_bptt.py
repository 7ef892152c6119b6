"""Send each loss back through its last k2 steps only, every k1 steps; programs call it.

Training loops over sequences too long for one graph call `tbptt` with one step of their model.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from ..engine.options import whole
from ..engine.tensor import Tensor
from .cell import State, map_state, parts_of


def tbptt(
    model: Callable,
    xs: Sequence[Any],
    loss: Callable[[Tensor, int], Tensor | None],
    k1: int,
    k2: int,
    state: State | None = None,
    after: Callable[[], None] | None = None,
) -> tuple[float, State]:
    """Train by truncated BPTT(k1, k2): every k1 steps, the losses of these k1 steps go k2 steps
    back.

    `model(x, state)` returns (output, state) of one step; `loss(output, t)` may be None. Gradients
    accumulate in `.grad`; `after()` runs behind each backward pass (an optimiser's step). The
    forward pass is made once: each step keeps its own graph and hands the gradient of its state to
    the one before, so windows overlap (k2 > k1) without work done twice; a step in two windows
    keeps the weights it ran with. A layer used as `model` draws its dropout masks for each step.
    Returns the summed loss and the last state.
    """
    whole("tbptt", "k2", k2, whole("tbptt", "k1", k1))
    window: deque[_Step] = deque(maxlen=k2)
    total, steps = 0.0, len(xs)
    for t, x in enumerate(xs):
        leaves = () if t == 0 else parts_of(state)
        output, end = model(x, state)
        term = loss(output, t)
        window.append(_Step(leaves, parts_of(end), term))
        total += 0.0 if term is None else term.item()
        if (t + 1) % k1 == 0 or t + 1 == steps:
            until_next = min(k1, steps - t - 1)
            _send_back(window, fresh=t % k1 + 1, keep=k2 - until_next if until_next else 0)
            if after is not None:
                after()
        # a new leaf: else the graph of all steps stays alive, and backward runs through freed ones
        state = map_state(_leaf, end)
    return total, state if state is None else map_state(lambda s: s.detach(), state)


class _Step(NamedTuple):
    """One step's graph: the leaves it began with, the state it ended with, its loss."""

    leaves: Sequence[Tensor]
    end: Sequence[Tensor]
    loss: Tensor | None


def _leaf(s: Tensor) -> Tensor:
    return s.detach().requires_grad_()


def _send_back(window: Iterable[_Step], fresh: int, keep: int) -> None:
    """Go backward through a window, newest step first: `fresh` losses count, `keep` graphs stay."""
    arriving: list[Tensor | None] = []
    for age, step in enumerate(reversed(list(window))):
        shares = [
            (s * g).sum() for s, g in zip(step.end, arriving) if g is not None and s.requires_grad
        ]
        if age < fresh and step.loss is not None:
            shares.append(step.loss)
        for leaf in step.leaves:
            leaf.grad = None
        if shares:
            reduce(add, shares).backward(retain_graph=age < keep)
        arriving = [leaf.grad.detach() if leaf.grad is not None else None for leaf in step.leaves]
