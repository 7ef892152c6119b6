"""Penalise large weights, and steps where gradients fade or grow; programs add it to a loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..engine.backward import grad
from ..engine.options import kind
from ..engine.tensor import Tensor
from .masks import tensors_of


def l1_penalty(tensors: Iterable[Tensor]) -> Tensor:
    """Return Σ |w|."""
    return _sum(w.abs().sum() for w in tensors_of("l1_penalty", "tensors", tensors))


def l2_penalty(tensors: Iterable[Tensor]) -> Tensor:
    """Return Σ w²."""
    return _sum((w * w).sum() for w in tensors_of("l2_penalty", "tensors", tensors))


def _sum(terms: Iterable[Tensor]) -> Tensor:
    terms = list(terms)
    if not terms:
        raise ValueError("a penalty needs at least one Tensor")
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def vanishing_penalty(loss: Tensor, states: Sequence[Tensor]) -> Tensor:
    """Return Ω of Pascanu, Mikolov & Bengio (2013): how far each step is from keeping the
    gradient's norm.

    Ω = Σ_k ( ‖(∂L/∂a_{k+1}) ∂a_{k+1}/∂a_k‖ / ‖∂L/∂a_{k+1}‖ − 1 )². `states` are a_1 … a_T as the
    loop made them (not stacked and cut again). The result is a graph: backward(loss + λ·Ω). What
    arrives from the loss, ∂L/∂a_{k+1}, counts as given; the Jacobian's dependence on weights and
    states is exact. A step that no gradient reaches contributes nothing.
    """
    kind("vanishing_penalty", "loss", loss, Tensor, "a Tensor")
    states = tensors_of("vanishing_penalty", "states", states)
    if len(states) < 2:
        raise ValueError("the penalty compares neighbours: it needs at least two states")
    arriving = grad(loss, list(states), retain_graph=True, allow_unused=True)
    terms = []
    for before, after, g in zip(states, states[1:], arriving[1:]):
        if g is None or not bool((g._array != 0).any()):
            continue
        (carried,) = grad(after, [before], [g], create_graph=True, retain_graph=True)
        terms.append((carried.norm() / g.norm() - 1) ** 2)
    return _sum(terms)
