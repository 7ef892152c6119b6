"""Hold the weights of all gates of a cell and multiply them at once; `cells` inherits it.

The rows of `weight_ih` (G·H, I), `weight_hh` (G·H, H) and the biases belong to G gates, in the
order of `gate_names`. One product serves all gates; `cell.gate("f").weight_hh` shows one gate's
rows. Two more forms, as the books write it, are in `forms`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

from .. import init as initial
from ..engine.context import scope
from ..engine.ops import getitem, relu, sigmoid, tanh, transpose
from ..engine.options import choice, explained_by, flag, kind, nearest, probability, unfit
from ..engine.tensor import Tensor, assign
from ..functions.elementwise import elu, gelu, leaky_relu, silu, softplus, softsign
from ..functions.random import Generator
from .cell import Cell
from .forms import FORMS, LETTERS
from .layers import Dropout, LayerNorm, Sequential

ACTIVATIONS: dict[str, Callable] = {
    f.__name__: f for f in (tanh, sigmoid, relu, leaky_relu, elu, gelu, silu, softplus, softsign)
}
BIASES = {True: "double", "double": "double", "single": "single", False: "none", None: "none"}


Gates = tuple[str, ...]
Parts = dict[str, Tensor]


def identity(z: Tensor) -> Tensor:
    """Return z: no activation. (A lambda could not be pickled.)"""
    return z


def activation(what: Any, owner: Any = "activation", option: str = "nonlinearity") -> Callable:
    """Return the function of that name, the function itself, or the identity for None."""
    if what is None or what == "identity":
        return identity
    if callable(what):
        return what
    if not isinstance(what, str) or what not in ACTIVATIONS:
        error = unfit(owner, option, f"a function or one of {', '.join(sorted(ACTIVATIONS))}", what)
        raise ValueError(f"{error}{nearest(what, ACTIVATIONS)}")
    return ACTIVATIONS[what]


class Gated(Cell):
    """A cell whose gates are rows of stacked weights.

    bias is True or "double" (PyTorch's two), "single" or False; form is "separate", "stacked" or
    "per_gate" (see `forms`). Gates are σ and candidates tanh unless `gate_activation` and
    `candidate_activation` say else; `candidate_dropout` drops candidates at that rate, anew in each
    step (Semeniuta et al.). init refills by name: {"hh": "orthogonal", "f.bias": 1.0}.
    """

    roles: ClassVar[dict[str, str]] = {}
    one_product: ClassVar[bool] = True  # all gates see the same h, so W x and U h are whole
    peephole: str | None = None
    weight_ih: Tensor  # form "separate"
    weight_hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    weight: Tensor  # form "stacked"
    bias: Tensor | None = None
    _mask: Tensor | None = None  # a dropout's, for one sequence

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool | str = True,
        *,
        form: str = "separate",
        gate_activation: str | Callable = "sigmoid",
        candidate_activation: str | Callable = "tanh",
        candidate_dropout: float = 0.0,
        layer_norm: bool = False,
        init: dict[str, Any] | None = None,
        device: str | None = None,
        dtype: Any = None,
        seed: int | Generator | None = None,
    ):
        super().__init__(input_size, hidden_size, seed=seed, device=device, dtype=dtype)
        self.form = choice(self, "form", form, FORMS)
        self.biases = BIASES[choice(self, "bias", bias, BIASES)]
        name = type(self).__name__
        if flag(self, "layer_norm", layer_norm) and not self.one_product:
            raise ValueError(f"{name} has no layer_norm: its gates see different h")
        if layer_norm and form != "separate":
            why = "layer_norm normalises W x and U h apart"
            raise ValueError(f'{name}: {why}: it needs form="separate", got form={form!r}')
        if form != "separate" and self.biases == "double":
            self.biases = "single"  # a matrix on [h, x] has one bias
        self.gate_activation = activation(gate_activation, self, "gate_activation")
        self.candidate_activation = activation(candidate_activation, self, "candidate_activation")
        self.candidate_dropout = probability(self, "candidate_dropout", candidate_dropout)
        if candidate_dropout:
            drop = Dropout(candidate_dropout, seed=self.generator)
            self.candidate_activation = Sequential(self.candidate_activation, drop)
        for name, shape in self.shapes().items():
            setattr(self, name, self.parameter(*shape))
        self.norm_ih = self._norm() if layer_norm else None
        self.norm_hh = self._norm() if layer_norm else None
        if init is not None:
            self.refill(kind(self, "init", init, dict, 'a dict such as {"hh": "orthogonal"}'))

    def refill(self, init: dict[str, Any]) -> None:
        """Set starting values by name: {"hh": "orthogonal", "f.bias": 1.0}."""
        gates = [key.rpartition(".")[0] for key in init]
        for gate in filter(None, gates):
            choice(self, "a gate of init", gate, self.gate_names)
        explained_by(self, "init", initial.apply, self, init, self.generator)

    @property
    def output_size(self) -> int:
        return getattr(self, "proj_size", 0) or self.hidden_size

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return name → shape of each parameter."""
        return FORMS[self.form].shapes(self)

    def _norm(self) -> LayerNorm:
        rows = len(self.gate_names) * self.hidden_size
        return LayerNorm(rows, device=self.device, dtype=self.dtype)

    def letter(self, gate: str) -> str:
        """Return the letter by which the equations call a gate, "a" for a vanilla network."""
        return LETTERS.get(self.roles.get(gate, ""), "a")

    def gate(self, name: str) -> Gate:
        """Return one gate's share of every parameter."""
        return Gate(self, name)

    # W x + U h + b of several gates
    def pre_activations(self, x: Tensor, h: Tensor, gates: Gates | None = None) -> Parts:
        """Return {gate: W x + U h + b} for the named gates, or all."""
        if self.form != "separate":
            return FORMS[self.form].pre_activations(self, x, h, gates)
        return self.split(self.from_input(x, gates) + self.from_state(h, gates), gates)

    def from_input(self, x: Tensor, gates: Gates | None = None) -> Tensor:
        """Return W x + b_ih of all gates side by side, (B, G·H)."""
        weight, bias = self.rows(self.weight_ih, gates), self.rows(self.bias_ih, gates)
        z = affine(x, weight, bias) if x._array.dtype.kind == "f" else looked_up(x, weight, bias)
        return self.norm_ih(z) if self.norm_ih else z

    def from_state(self, h: Tensor, gates: Gates | None = None) -> Tensor:
        """Return U h + b_hh of all gates side by side, (B, G·H)."""
        h = h if self._mask is None else h * self._mask
        z = affine(h, self.rows(self.weight_hh, gates), self.rows(self.bias_hh, gates))
        return self.norm_hh(z) if self.norm_hh else z

    def rows(self, stacked: Any, gates: Gates | None) -> Any:
        """Return the rows of neighbouring gates; all of them for None."""
        return stacked if gates is None or stacked is None else stacked[self.rows_of(*gates)]

    def rows_of(self, *gates: str) -> slice:
        """Return where the rows of neighbouring gates lie in a stacked parameter."""
        first = self.gate_names.index(gates[0]) * self.hidden_size
        return slice(first, first + len(gates) * self.hidden_size)

    def split(self, z: Tensor, gates: Gates | None = None) -> Parts:
        """Return {gate: (B, H)} of pre-activations that lie side by side."""
        names = gates or self.gate_names
        if len(names) == 1:
            return {names[0]: z}
        places = side_by_side(len(names), self.hidden_size)
        return {name: getitem(z, index=place) for name, place in zip(names, places)}

    def gate_value(self, name: str, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Return σ(z), of a candidate tanh(z); with peepholes the gate sees the cell state c."""
        role = self.roles[name]
        with scope(name, gate=role):
            if self.peephole and c is not None:
                z = self.add_peephole(name, z, c)
            y = self.candidate_activation(z) if role == "candidate" else self.gate_activation(z)
        return y if self._record is None else self.keep(name, y)

    def add_peephole(self, gate: str, z: Tensor, c: Tensor) -> Tensor:
        """Return the pre-activation with what the gate sees of c added."""
        raise NotImplementedError(f"{type(self).__name__} has no peepholes")

    def keeping_gate(self) -> tuple[str | None, str | None]:
        """Return (the gate that keeps the state, the gate that writes it), None for neither."""
        raise TypeError(f"{type(self).__name__} has no gate that keeps its state")


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
        """Return (parameter's name, index) of "ih", "hh", "bias_ih", "bias_hh"."""
        if part == "bias_hh" and self.cell.biases != "double":
            raise AttributeError(f"this {type(self.cell).__name__} has no bias_hh")
        return FORMS[self.cell.form].where(self.cell, self.name, part)

    def _read(self, part: str) -> Tensor:
        name, index = self._where(part)
        return getattr(self.cell, name)[index]

    def _write(self, part: str, values: Any) -> None:
        name, index = self._where(part)
        whole = getattr(self.cell, name)
        new = whole._array.copy()
        new[index] = whole.xp.asarray(getattr(values, "_array", values))
        assign(whole, new)

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


def affine(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return W x + b of each row of x: `linear` for what runs at every step, without its check of
    arguments and a view of W that nobody else would see."""
    z = x @ transpose(weight, axes=(1, 0))
    return z if bias is None else z + bias


@cache
def side_by_side(parts: int, width: int) -> list[tuple]:
    """Return the indices of parts of equal width that lie side by side in the last axis."""
    return [(..., slice(k * width, (k + 1) * width)) for k in range(parts)]


def looked_up(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return W one_hot(x) + b without the one-hot vectors: columns of W."""
    return weight[:, x].T if bias is None else weight[:, x].T + bias
