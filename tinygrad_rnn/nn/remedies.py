"""Against exploding and vanishing gradients: clipping, penalties, truncation.

Clipping cuts gradients after `backward()`; a penalty is a Tensor to add to the loss; truncation
limits how far back a loss is sent. (Initialisation is in `init`, gates are in `cells`, echo state
networks in `reservoir`.)
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ..engine.backward import grad
from ..engine.options import kind, real, unfit, whole
from ..engine.tensor import Tensor, wrap
from .cell import State, map_state, parts_of
from .masks import tensors_of


def _gradients(owner: str, parameters: Any) -> list[tuple[str, Tensor, Any]]:
    """Return (name, parameter, gradient's array) of a Module, Tensors or (name, Tensor) pairs."""
    wanted = "a Module, a Tensor, or a list of Tensors or of (name, Tensor)"
    if hasattr(parameters, "named_parameters"):
        parameters = parameters.named_parameters()
    if isinstance(parameters, str) or not isinstance(parameters, (Tensor, Iterable)):
        raise unfit(owner, "parameters", wanted, parameters, TypeError)
    found = []
    for k, item in enumerate([parameters] if isinstance(parameters, Tensor) else parameters):
        name, p = item if isinstance(item, tuple) and len(item) == 2 else (None, item)
        if not isinstance(p, Tensor):
            raise unfit(owner, "parameters", f"{wanted}; number {k} is none", p, TypeError)
        name = name or p.name or f"number {k}"
        if p.grad is not None:
            found.append((name, p, p.grad._array))
    return found


def clip_grad_norm_(parameters: Any, max_norm: float, norm_type: float = 2.0) -> float:
    """Scale all gradients so that their joint norm is at most max_norm; the norm before.

    Each gradient is divided by its largest entry before it is squared, so float32 does not
    overflow. A NaN or an infinity raises, naming the parameter, and leaves all gradients as they
    were.
    """
    if not _is_infinite(max_norm):
        real("clip_grad_norm_", "max_norm", max_norm, 0)
    if not _is_infinite(norm_type):
        real("clip_grad_norm_", "norm_type", norm_type, above=0)
    found = _gradients("clip_grad_norm_", parameters)
    norms = [_norm(name, g, norm_type) for name, _, g in found]
    total = largest = max(norms, default=0.0)
    if largest > 0 and math.isfinite(norm_type):
        total *= sum((n / largest) ** norm_type for n in norms) ** (1 / norm_type)
    if total > max_norm:
        for _, p, g in found:
            p.grad = wrap((g * (max_norm / (total + 1e-6))).astype(g.dtype, copy=False), None)
    return total


def _is_infinite(value: Any) -> bool:
    return isinstance(value, float) and value == math.inf


def _norm(name: str, g: Any, order: float) -> float:
    largest = float(abs(g).max()) if g.size else 0.0
    if not math.isfinite(largest):
        raise ValueError(f"non-finite gradient norm ({largest}) from parameter {name!r}")
    if largest == 0 or math.isinf(order):
        return largest
    return largest * float(((abs(g) / largest) ** order).sum(dtype="float64")) ** (1 / order)


def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Cut every entry of every gradient to [−clip_value, clip_value]; NaN raises."""
    real("clip_grad_value_", "clip_value", clip_value, above=0)
    found = _gradients("clip_grad_value_", parameters)
    for name, _, g in found:
        if bool((g != g).any()):
            raise ValueError(f"NaN in the gradient of parameter {name!r}")
    for _, p, g in found:
        p.grad = wrap(g.clip(-clip_value, clip_value), None)


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
    """Ω of Pascanu, Mikolov & Bengio (2013): how far each step is from keeping the gradient's norm.

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


def tbptt(
    model: Callable,
    xs: Sequence[Any],
    loss: Callable[[Tensor, int], Tensor | None],
    k1: int,
    k2: int,
    state: State | None = None,
    after: Callable[[], None] | None = None,
) -> tuple[float, State]:
    """Truncated BPTT(k1, k2): every k1 steps, the losses of these k1 steps go k2 steps back.

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
    """Backward through a window, newest step first: `fresh` losses count, `keep` graphs stay."""
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
            _sum(shares).backward(retain_graph=age < keep)
        arriving = [leaf.grad.detach() if leaf.grad is not None else None for leaf in step.leaves]
