"""Build the cells that `--cell` draws, a matrix for each gate, for `sources` and `cli`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import nn
from ...engine.context import scope
from ...engine.tensor import Tensor, tensor
from ...functions.reductions import log_softmax
from ...functions.shapes import cat
from ...nn.scan import scan


@dataclass(slots=True)
class Sizes:
    """Say how large the drawn model is."""

    steps: int = 3
    hidden: int = 4
    input: int = 3
    batch: int = 1
    layers: int = 1
    seed: int = 0
    loss: str = "all"
    classes: int = 3


@dataclass(frozen=True, slots=True)
class Recipe:
    """A cell with its options; `label` is what a picture calls it."""

    cell: Callable[..., nn.Cell]
    label: str
    options: dict[str, Any] = field(default_factory=dict)
    layers: int = 1  # at least
    both: bool = False  # in both directions
    trained: bool = True


BOOK = {"reset": "before", "update": "writes"}  # Γu writes, Γr acts on the state
CELLS = {
    "rnn": Recipe(nn.RNNCell, "rnn"),
    "gru": Recipe(nn.GRUCell, "gru", BOOK),
    "lstm": Recipe(nn.LSTMCell, "lstm"),
    "lstm-notanh": Recipe(nn.LSTMCell, "lstm", {"output_activation": None}),
    "peephole": Recipe(nn.LSTMCell, "peephole", {"peephole": "full"}),
    "mgu": Recipe(nn.MGUCell, "mgu"),
    "brnn": Recipe(nn.RNNCell, "rnn", both=True),
    "deep": Recipe(nn.RNNCell, "rnn", layers=2),
    "esn": Recipe(nn.RNNCell, "esn", {"form": "separate", "bias": False}, trained=False),
}
SHORT = {"weight_ih": "Win", "weight_hh": "Wres"}  # of a reservoir; W_f is Wf


def model(name: str, sizes: Sizes) -> Tensor:
    """Return the loss of one of `CELLS` run over random data."""
    recipe, random = CELLS[name], np.random.default_rng(sizes.seed)
    xs: list[Any] = []
    for t in range(sizes.steps):
        with scope("step", step=t):
            values = random.normal(size=(sizes.batch, sizes.input))
            xs.append(tensor(values, name=f"x⟨{t + 1}⟩"))
    layers = max(recipe.layers, sizes.layers)
    for layer in range(layers):
        end = f"[{layer + 1}]" if layers > 1 else ""
        seed = sizes.seed + 2 * layer
        forward = _over_time(name, xs, sizes, {"layer": layer}, end, seed)
        if recipe.both:
            reverse = _over_time(name, xs, sizes, {"layer": layer}, end, seed + 1, reverse=True)
            xs = [_paired(t, *both) for t, both in enumerate(zip(forward, reverse, strict=True))]
        else:
            xs = forward
    return _loss(xs, sizes, random)


def _over_time(
    name: str, xs: list, sizes: Sizes, labels: dict, end: str, seed: int, reverse: bool = False
) -> list[Tensor]:
    """Return the outputs of a new cell over all steps, its parameters called Wf, bf, …."""
    recipe = CELLS[name]
    options = {"form": "per_gate", "dtype": np.float64} | recipe.options
    cell = recipe.cell(xs[0].shape[-1], sizes.hidden, seed=seed, **options)
    end += ("←" if reverse else "→") if recipe.both else ""
    for known, parameter in cell.named_parameters():
        if known.startswith("b_"):  # gates half open, but that of forgetting open
            parameter.data = np.full(parameter.shape, float(known == "b_f"))
        parameter.requires_grad_(recipe.trained)
        parameter.name = SHORT.get(known, known.replace("_", "")) + end
    labels = labels | {"cell": recipe.label}
    labels |= {"dir": "rev" if reverse else "fwd"} if recipe.both else {}
    first = cell.start(sizes.batch, xs[0])
    before = sizes.steps + 1 if reverse else 0
    letters = ("a" if letter == "h" else letter for letter in cell.state_names)
    for letter, state in zip(letters, first if isinstance(first, tuple) else (first,)):
        state.name = f"{letter}{end}⟨{before}⟩"
    with scope(name, **labels):
        return list(scan(cell, xs, first, None, reverse)[0])


def _paired(t: int, forward: Tensor, reverse: Tensor) -> Tensor:
    with scope("step", step=t):
        both = cat((forward, reverse), -1)
    both.name = f"[a→,a←]⟨{t + 1}⟩"
    return both


def _loss(outputs: list[Tensor], sizes: Sizes, random: np.random.Generator) -> Tensor:
    """Return the sum of the cross-entropies −Σ y log ŷ of all steps, or that of the last one."""
    wide, bound = outputs[0].shape[-1], outputs[0].shape[-1] ** -0.5
    weight = random.uniform(-bound, bound, (wide, sizes.classes))
    w = tensor(weight, requires_grad=True, name="Wy")
    b = tensor(np.zeros(sizes.classes), requires_grad=True, name="by")
    losses = []
    for t in range(sizes.steps - 1 if sizes.loss == "last" else 0, sizes.steps):
        with scope("out", step=t, head="out"):
            chosen = random.integers(0, sizes.classes, sizes.batch)
            target = tensor(np.eye(sizes.classes)[chosen], name=f"y⟨{t + 1}⟩")
            guess = log_softmax(outputs[t] @ w + b, -1)
            guess.name = f"log ŷ⟨{t + 1}⟩"
            losses.append(-(target * guess).sum())
            losses[-1].name = f"L⟨{t + 1}⟩"
    total = losses[0]
    for one in losses[1:]:
        total = total + one
    if len(losses) > 1:
        total.name = "L"
    return total
