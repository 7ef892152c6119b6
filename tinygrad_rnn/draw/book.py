"""The cells as the notes write them, each gate with its own matrix, so a drawing can name each.

The library multiplies all gates at once; these say Γf = σ([a, x] Wf + bf) literally. They are
ordinary code on the engine, a test holds them equal to the library's cells, and `--cell` draws
them. What a cell needs is asked of `Weights`, which makes a parameter when it is first named.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..engine.context import scope
from ..engine.ops import sigmoid, tanh
from ..engine.tensor import Tensor, tensor
from ..functions.reductions import log_softmax
from ..functions.shapes import cat


@dataclass(slots=True)
class Sizes:
    """How large the drawn model is."""

    steps: int = 3
    hidden: int = 4
    input: int = 3
    batch: int = 1
    layers: int = 1
    seed: int = 0
    loss: str = "all"
    classes: int = 3


@dataclass(slots=True)
class Weights:
    """Parameters by name, made on first use: matrices uniform, biases 0, forget biases 1."""

    seed: int
    made: dict[str, Tensor] = field(default_factory=dict)
    random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def matrix(self, name: str, rows: int, columns: int, trained: bool = True) -> Tensor:
        """Return the (rows, columns) parameter of that name."""
        if name not in self.made:
            bound = 1 / math.sqrt(rows)
            values = self.random.uniform(-bound, bound, (rows, columns))
            self.made[name] = tensor(values, requires_grad=trained, name=name)
        return self.made[name]

    def bias(self, name: str, size: int) -> Tensor:
        """Return the (size,) parameter of that name."""
        if name not in self.made:
            values = np.full(size, 1.0 if name.startswith("bf") else 0.0)
            self.made[name] = tensor(values, requires_grad=True, name=name)
        return self.made[name]


def gate(
    w: Weights,
    letter: str,
    label: str,
    z: Tensor,
    hidden: int,
    act: Callable,
    c: Tensor | None = None,
) -> Tensor:
    """Return act(z W + b), or act(z W + c V + b) when the gate sees the cell state c."""
    with scope(label, gate=label):
        pre = z @ w.matrix(f"W{letter}", z.shape[-1], hidden)
        if c is not None:
            pre = pre + c @ w.matrix(f"V{letter}", hidden, hidden)
        return act(pre + w.bias(f"b{letter}", hidden))


def joined(a: Tensor, x: Tensor) -> Tensor:
    z = cat((a, x), -1)
    z.name = "[a,x]"
    return z


State = tuple[Tensor, ...]


def rnn(w: Weights, x: Tensor, state: State, end: str = "") -> State:
    """a' = tanh([a, x] Wa + ba)."""
    (a,) = state
    z = joined(a, x) @ w.matrix(f"Wa{end}", a.shape[-1] + x.shape[-1], a.shape[-1])
    return (tanh(z + w.bias(f"ba{end}", a.shape[-1])),)


def esn(w: Weights, x: Tensor, state: State, end: str = "") -> State:
    """a' = tanh(a Wres + x Win): the echo state network, whose matrices are never trained."""
    (a,) = state
    size = a.shape[-1]
    kept = a @ w.matrix(f"Wres{end}", size, size, trained=False)
    return (tanh(kept + x @ w.matrix(f"Win{end}", x.shape[-1], size, trained=False)),)


def gru(w: Weights, x: Tensor, state: State, end: str = "") -> State:
    """a' = Γu ∘ c̃ + (1 − Γu) ∘ a with c̃ = tanh([Γr ∘ a, x] Wc + bc)."""
    (a,) = state
    size, z = a.shape[-1], joined(a, x)
    reset = gate(w, f"r{end}", "reset", z, size, sigmoid)
    update = gate(w, f"u{end}", "update", z, size, sigmoid)
    inner = cat((reset * a, x), -1)
    inner.name = "[Γr∘a,x]"
    new = gate(w, f"c{end}", "candidate", inner, size, tanh)
    return (update * new + (1 - update) * a,)


def lstm(
    w: Weights, x: Tensor, state: State, end: str = "", squash: bool = True, peep: bool = False
) -> State:
    """c' = Γf ∘ c + Γu ∘ c̃ and a' = Γo ∘ tanh(c'); Γo ∘ c' without `squash`."""
    a, c = state
    size, z = a.shape[-1], joined(a, x)
    seen = c if peep else None
    forget = gate(w, f"f{end}", "forget", z, size, sigmoid, seen)
    update = gate(w, f"u{end}", "update", z, size, sigmoid, seen)
    new = gate(w, f"c{end}", "candidate", z, size, tanh)
    c = forget * c + update * new
    output = gate(w, f"o{end}", "output", z, size, sigmoid, c if peep else None)
    return output * (tanh(c) if squash else c), c


def lstm_notanh(w: Weights, x: Tensor, state: State, end: str = "") -> State:
    return lstm(w, x, state, end, squash=False)


def peephole(w: Weights, x: Tensor, state: State, end: str = "") -> State:
    return lstm(w, x, state, end, peep=True)


# name → (step, layers at least, both directions)
CELLS: dict[str, tuple[Callable, int, bool]] = {
    "rnn": (rnn, 1, False),
    "gru": (gru, 1, False),
    "lstm": (lstm, 1, False),
    "lstm-notanh": (lstm_notanh, 1, False),
    "peephole": (peephole, 1, False),
    "brnn": (rnn, 1, True),
    "deep": (rnn, 2, False),
    "esn": (esn, 1, False),
}

NAMES = {"brnn": "rnn", "deep": "rnn", "lstm-notanh": "lstm"}


def model(cell: str, sizes: Sizes) -> tuple[Tensor, Weights]:
    """Return the loss of one of `CELLS` run over random data, and the weights it made."""
    step, least, both = CELLS[cell]
    w = Weights(sizes.seed)
    xs = _inputs(sizes)
    for layer in range(max(least, sizes.layers)):
        several = max(least, sizes.layers) > 1
        forward = _layer(step, cell, w, xs, sizes, layer, "", several, "fwd")
        if both:
            reverse = _layer(step, cell, w, xs, sizes, layer, "", several, "rev")
            xs = [_paired(t, a, b) for t, (a, b) in enumerate(zip(forward, reverse), 1)]
        else:
            xs = forward
    return _loss(w, xs, sizes), w


def _inputs(sizes: Sizes) -> list[Tensor]:
    made = []
    random = np.random.default_rng(sizes.seed + 1)
    for t in range(1, sizes.steps + 1):
        with scope("step", step=t):
            values = random.normal(size=(sizes.batch, sizes.input))
            made.append(tensor(values, name=f"x⟨{t}⟩"))
    return made


def _layer(
    step: Callable, cell: str, w: Weights, xs: list[Tensor], sizes: Sizes, layer: int, end: str,
    several: bool, way: str,
) -> list[Tensor]:  # fmt: skip
    """Return the outputs of one layer in one direction, in time order."""
    blank = np.zeros((sizes.batch, sizes.hidden))
    names = ("h", "c") if CELLS[cell][0] in (lstm, lstm_notanh, peephole) else ("h",)
    both = CELLS[cell][2]
    end += f"[{layer + 1}]" if several else ""
    end += {"fwd": "→", "rev": "←"}[way] if both else ""
    before = len(xs) + 1 if way == "rev" else 0
    letters = ("a" if name == "h" else name for name in names)
    state = tuple(tensor(blank, name=f"{letter}{end}⟨{before}⟩") for letter in letters)
    outputs: list[Tensor] = list(xs)
    labels = {"layer": layer, "cell": NAMES.get(cell, cell)} | ({"dir": way} if both else {})
    order = range(len(xs) - 1, -1, -1) if way == "rev" else range(len(xs))
    with scope(cell, **labels):
        for t in order:
            with scope("step", step=t + 1):
                state = step(w, xs[t], state, end)
                for part, name in zip(state, names, strict=True):
                    part.name = name
                outputs[t] = state[0]
    return outputs


def _paired(t: int, forward: Tensor, reverse: Tensor) -> Tensor:
    with scope("step", step=t):
        both = cat((forward, reverse), -1)
    both.name = f"[a→,a←]⟨{t}⟩"
    return both


def _loss(w: Weights, xs: list[Tensor], sizes: Sizes) -> Tensor:
    """Return the sum of the cross-entropies −Σ y log ŷ of all steps or of the last one."""
    random = np.random.default_rng(sizes.seed + 2)
    last = sizes.steps if sizes.loss == "last" else 1
    losses = []
    for t in range(last, sizes.steps + 1):
        with scope("out", step=t, head="out"):
            target = np.eye(sizes.classes)[random.integers(0, sizes.classes, sizes.batch)]
            losses.append(_step_loss(w, xs[t - 1], tensor(target, name=f"y⟨{t}⟩"), t))
    total = losses[0]
    for one in losses[1:]:
        total = total + one
    if len(losses) > 1:
        total.name = "L"
    return total


def _step_loss(w: Weights, a: Tensor, target: Tensor, t: int) -> Tensor:
    classes = target.shape[-1]
    z = a @ w.matrix("Wy", a.shape[-1], classes) + w.bias("by", classes)
    guess = log_softmax(z, -1)
    guess.name = f"log ŷ⟨{t}⟩"
    loss = -(target * guess).sum()
    loss.name = f"L⟨{t}⟩"
    return loss
