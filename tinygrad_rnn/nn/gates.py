"""The stacked parameters of gates, and what all gated cells share.

The rows of `weight_ih` (G·H, I), `weight_hh` (G·H, H) and the biases belong to G gates, in the
order of `gate_names`. One product serves all gates; `cell.gate("f").weight_hh` shows one gate's
rows. Form "stacked" keeps one matrix W = [W_hh : W_ih] and multiplies it with [h, x]: the same
numbers, as the books write it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from .. import init as initial
from ..engine.context import scope
from ..engine.ops import getitem, relu, sigmoid, tanh
from ..engine.tensor import Tensor
from ..functions.elementwise import elu, gelu, leaky_relu, silu, softplus, softsign
from ..functions.losses import dropout, linear
from ..functions.random import Generator
from ..functions.shapes import cat
from .cell import Cell
from .layers import LayerNorm

ACTIVATIONS: dict[str, Callable] = {
    f.__name__: f for f in (tanh, sigmoid, relu, leaky_relu, elu, gelu, silu, softplus, softsign)
}
BIASES = {True: "double", "double": "double", "single": "single", False: "none", None: "none"}


def activation(what: str | Callable | None) -> Callable:
    """The function of that name, the function itself, or the identity for None."""
    if what is None or what == "identity":
        return lambda z: z
    if callable(what):
        return what
    if what not in ACTIVATIONS:
        known = ", ".join(sorted(ACTIVATIONS))
        raise ValueError(f"Unknown nonlinearity {what!r}. Known: {known}, or any function.")
    return ACTIVATIONS[what]


class Gated(Cell):
    """A cell whose gates are rows of stacked weights.

    bias is True or "double" (PyTorch's two), "single" or False; form is "separate" or "stacked".
    Gates are σ and candidates tanh unless `gate_activation` and `candidate_activation` say else.
    init refills by name: {"hh": "orthogonal", "f.bias": 1.0}. `input_dropout` and
    `recurrent_dropout` keep one mask for a sequence (Gal & Ghahramani), `candidate_dropout` draws
    anew each step (Semeniuta et al.).
    """

    roles: ClassVar[dict[str, str]] = {}
    one_product: ClassVar[bool] = True  # all gates see the same h, so W x and U h are whole
    weight: Tensor  # form "stacked"
    bias: Tensor
    weight_ih: Tensor  # form "separate"
    weight_hh: Tensor
    bias_ih: Tensor
    bias_hh: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool | str = True,
        *,
        form: str = "separate",
        gate_activation: str | Callable = "sigmoid",
        candidate_activation: str | Callable = "tanh",
        layer_norm: bool = False,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        candidate_dropout: float = 0.0,
        init: dict[str, Any] | None = None,
        device: str | None = None,
        dtype: Any = None,
        seed: int | Generator | None = None,
    ):
        super().__init__(input_size, hidden_size, seed=seed, device=device, dtype=dtype)
        if form not in ("separate", "stacked") or bias not in BIASES:
            options = 'form "separate" or "stacked"; bias True, "double", "single" or False'
            raise ValueError(f"need {options}; got form={form!r}, bias={bias!r}")
        if layer_norm and not self.one_product:
            raise ValueError(f"{type(self).__name__} has no layer_norm: its gates see different h")
        if layer_norm and form == "stacked":
            raise ValueError('layer_norm normalises W x and U h apart: it needs form="separate"')
        self.form, self.biases = form, BIASES[bias]
        if form == "stacked" and self.biases == "double":
            self.biases = "single"  # one matrix has one bias
        self.gate_activation = activation(gate_activation)
        self.candidate_activation = activation(candidate_activation)
        self.input_dropout = rate(input_dropout)
        self.recurrent_dropout, self.candidate_dropout = (
            rate(recurrent_dropout),
            rate(candidate_dropout),
        )
        self._masks: tuple[Tensor | None, Tensor | None] | None = None
        for name, shape in self.shapes().items():
            setattr(self, name, self.parameter(*shape))
        self.norm_ih = self._norm() if layer_norm else None
        self.norm_hh = self._norm() if layer_norm else None
        if init:
            initial.apply(self, init, self.generator)

    @property
    def output_size(self) -> int:
        return getattr(self, "proj_size", 0) or self.hidden_size

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name → shape of each parameter."""
        rows, width = len(self.gate_names) * self.hidden_size, self.output_size
        biases = {"double": ["bias_ih", "bias_hh"], "single": ["bias_ih"], "none": []}[self.biases]
        shapes: dict[str, tuple[int, ...]]
        if self.form == "stacked":
            shapes, biases = {"weight": (rows, width + self.input_size)}, ["bias"][: len(biases)]
        else:
            shapes = {"weight_ih": (rows, self.input_size), "weight_hh": (rows, width)}
        return shapes | dict.fromkeys(biases, (rows,))

    def _norm(self) -> LayerNorm:
        rows = len(self.gate_names) * self.hidden_size
        return LayerNorm(rows, device=self.device, dtype=self.dtype)

    def gate(self, name: str) -> Gate:
        """One gate's share of every parameter."""
        return Gate(self, name)

    # The pre-activations: W x + U h + b of several gates in one product
    def pre(self, x: Tensor, h: Tensor, gates: tuple[str, ...] | None = None) -> dict[str, Tensor]:
        """{gate: W x + U h + b} for the named gates, or all."""
        if self.form == "separate":
            return self.split(self._from_input(x, gates) + self._from_state(h, gates), gates)
        if x.dtype.kind != "f":
            raise TypeError('an index input needs form="separate": [h, x] would be dense')
        x, h = self._masked(x, h)
        bias = None if self.biases == "none" else self.rows(self.bias, gates)
        return self.split(linear(cat((h, x), -1), self.rows(self.weight, gates), bias), gates)

    def from_input(self, x: Tensor) -> dict[str, Tensor]:
        """{gate: W x + b_ih}."""
        return self.split(self._from_input(x), None)

    def from_state(self, h: Tensor) -> dict[str, Tensor]:
        """{gate: U h + b_hh}."""
        return self.split(self._from_state(h), None)

    def _from_input(self, x: Tensor, gates: tuple[str, ...] | None = None) -> Tensor:
        weight = self.rows(self.weight_ih, gates)
        bias = None if self.biases == "none" else self.rows(self.bias_ih, gates)
        if x.dtype.kind == "f":
            z = linear(self._masked(x, None)[0], weight, bias)
        else:  # W one_hot(x) is a column of W: look it up
            z = weight[:, x].T if bias is None else weight[:, x].T + bias
        return self.norm_ih(z) if self.norm_ih else z

    def _from_state(self, h: Tensor, gates: tuple[str, ...] | None = None) -> Tensor:
        bias = self.rows(self.bias_hh, gates) if self.biases == "double" else None
        z = linear(self._masked(None, h)[1], self.rows(self.weight_hh, gates), bias)
        return self.norm_hh(z) if self.norm_hh else z

    def rows(self, stacked: Tensor, gates: tuple[str, ...] | None) -> Tensor:
        """The rows of neighbouring gates; all of them for None."""
        if gates is None or gates == self.gate_names:
            return stacked
        first = self.gate_names.index(gates[0])
        return stacked[first * self.hidden_size : (first + len(gates)) * self.hidden_size]

    def split(self, z: Tensor, gates: tuple[str, ...] | None) -> dict[str, Tensor]:
        names, H = gates or self.gate_names, self.hidden_size
        if len(names) == 1:
            return {names[0]: z}
        parts = [(..., slice(k * H, (k + 1) * H)) for k in range(len(names))]
        return {name: getitem(z, index=part) for name, part in zip(names, parts)}

    # What an activation adds to a pre-activation
    def open(self, name: str, pre: dict[str, Tensor], c: Tensor | None = None) -> Tensor:
        """The gate's value σ(z), or the candidate's tanh(z); c adds the peephole."""
        role = self.roles[name]
        with scope(name, gate=role):
            z = pre[name] if c is None else self.peep(name, pre[name], c)
            squash = self.candidate_activation if role == "candidate" else self.gate_activation
            return self.keep(name, squash(z))

    def peep(self, gate: str, z: Tensor, c: Tensor) -> Tensor:
        return z

    def keeping_gate(self) -> tuple[str | None, str | None]:
        """(the gate that keeps the state, the gate that writes it), None where there is none."""
        raise TypeError(f"{type(self).__name__} has no gate that keeps its state")

    # Dropout
    def begin(self, batch: int, like: Tensor) -> None:
        if self.input_dropout or self.recurrent_dropout:
            self._masks = self._draw(batch, like)

    def end(self) -> None:
        self._masks = None

    def _draw(self, batch: int, like: Tensor) -> tuple[Tensor | None, Tensor | None]:
        sizes = (self.input_dropout, self.input_size), (self.recurrent_dropout, self.output_size)
        ones: Callable = lambda size: self.blank(batch, size, like) + 1
        masks = [dropout(ones(n), p, generator=self.generator) if p else None for p, n in sizes]
        return masks[0], masks[1]

    def _masked(self, x: Any, h: Any) -> tuple[Any, Any]:
        if not self.training or not (self.input_dropout or self.recurrent_dropout):
            return x, h
        like = h if x is None else x
        masks = self._masks or self._draw(like.shape[0], like)
        return tuple(
            v if v is None or m is None else v * m for v, m in zip((x, h), masks, strict=True)
        )

    def drop(self, candidate: Tensor) -> Tensor:
        if not self.candidate_dropout:
            return candidate
        p = self.candidate_dropout
        return dropout(candidate, p, training=self.training, generator=self.generator)


class Gate:
    """One gate's rows of a cell's parameters; reading shows them, assigning replaces them.

    `gate.bias` is the whole bias, the sum of both if there are two; setting it puts it into the
    first, because a forget bias of 1 set in both would be 2.
    """

    def __init__(self, cell: Gated, name: str):
        if name not in cell.gate_names:
            known = ", ".join(cell.gate_names)
            raise KeyError(f"{type(cell).__name__} has no gate {name!r}; its gates: {known}")
        self.cell, self.name = cell, name

    def _where(self, part: str) -> tuple[str, Any]:
        """(parameter's name, index) of "ih", "hh", "bias_ih", "bias_hh"."""
        H, first = self.cell.hidden_size, self.cell.gate_names.index(self.name)
        rows = slice(first * H, (first + 1) * H)
        if part == "bias_hh" and self.cell.biases != "double":
            raise AttributeError(f"this {type(self.cell).__name__} has no bias_hh")
        if self.cell.form == "separate":
            return (part if part.startswith("bias") else f"weight_{part}"), rows
        if part == "bias_ih":
            return "bias", rows
        width = self.cell.output_size
        return "weight", (rows, slice(0, width) if part == "hh" else slice(width, None))

    def _read(self, part: str) -> Tensor:
        name, index = self._where(part)
        return getattr(self.cell, name)[index]

    def _write(self, part: str, values: Any) -> None:
        name, index = self._where(part)
        whole = getattr(self.cell, name)
        new = whole._array.copy()
        new[index] = whole.xp.asarray(getattr(values, "_array", values))
        whole.data = new

    weight_ih = property(lambda self: self._read("ih"), lambda self, v: self._write("ih", v))
    weight_hh = property(lambda self: self._read("hh"), lambda self, v: self._write("hh", v))
    bias_ih = property(
        lambda self: self._read("bias_ih"), lambda self, v: self._write("bias_ih", v)
    )
    bias_hh = property(
        lambda self: self._read("bias_hh"), lambda self, v: self._write("bias_hh", v)
    )

    @property
    def bias(self) -> Tensor:
        return self.bias_ih + self.bias_hh if self.cell.biases == "double" else self.bias_ih

    @bias.setter
    def bias(self, value: Any) -> None:
        self.bias_ih = value
        if self.cell.biases == "double":
            self.bias_hh = 0.0

    def fill(self, part: str, what: Any, generator: Generator | None = None) -> None:
        """Set "ih", "hh", "bias", "bias_ih" or "bias_hh" by rule, number, array or function."""
        parts = ("ih", "hh", "bias", "bias_ih", "bias_hh")
        if part not in parts:
            raise ValueError(f"unknown part {part!r} of a gate; known: {', '.join(parts)}")
        if "bias" in part and self.cell.biases == "none":
            raise ValueError(f"cannot set {part}: the cell was made with bias=False")
        shape = tuple(self._read("bias_ih" if part == "bias" else part).shape)
        values = initial.values(what, shape, generator, self.cell.dtype)
        name = part if "bias" in part else f"weight_{part}"
        setattr(self, name, values)


def rate(p: float) -> float:
    """The dropout rate, checked."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    return float(p)
