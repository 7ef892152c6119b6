"""Write one time step of each recurrent network as the book does; `cell_layers` runs them.

A cell has `start(batch, like)`, its first state, and `step(x, state) -> (output, state)`. The loop
over time is elsewhere and works for every cell. What all cells share (stacked weights, the product
that serves all gates at once, biases, dropout, initialisation) is in `Gated`; what is left here are
the equations. Options name the dialects: every variant in use is one of these classes with the
right options.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ..engine.options import choice, flag, real, whole
from ..engine.tensor import Tensor
from ..functions.losses import linear
from .forms import FORMS
from .gates import Gated, activation
from .layers import LayerNorm


class RNNCell(Gated):
    """Compute h' = g(W_hh h + W_ih x + b): Elman's network; `nonlinearity` g, a name or function.

    With leak α (echo state networks): h' = (1 − α) h + α g(…).
    """

    gate_names = ("h",)
    settled: ClassVar = ("gate_activation", "candidate_activation", "candidate_dropout")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool | str = True,
        nonlinearity: str | Callable = "tanh",
        *,
        leak: float = 1.0,
        **shared: Any,
    ):
        super().__init__(input_size, hidden_size, bias, **shared)
        self.nonlinearity = activation(nonlinearity, self)
        self.leak = real(self, "leak", leak, above=0, most=1)

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        new = self.nonlinearity(self.pre_activations(x, h)["h"])
        h = new if self.leak == 1 else (1 - self.leak) * h + self.leak * new
        return h, h


class GRUCell(Gated):
    """Compute r, z = σ(W x + U h + b);  n = tanh(W x + U(r ∘ h) + b);  h' blends h and n by z.

    reset="after":  n = tanh(W x + b_in + r ∘ (U h + b_hn)), PyTorch's and cuDNN's.
    reset="before": n = tanh(W x + U (r ∘ h) + b), the papers' and the notes'.
    update="keeps":  h' = z ∘ h + (1 − z) ∘ n, PyTorch's and Keras'.
    update="writes": h' = (1 − z) ∘ h + z ∘ n, the notes' Γ_u, where 1 means overwrite.
    """

    gate_names = ("r", "z", "n")
    roles: ClassVar = {"r": "reset", "z": "update", "n": "candidate"}

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool | str = True,
        *,
        reset: str = "after",
        update: str = "keeps",
        **shared: Any,
    ):
        choice(self, "reset", reset, ("after", "before"))
        choice(self, "update", update, ("keeps", "writes"))
        if shared.get("form", "separate") in ("stacked", "per_gate") and reset == "after":
            told = f'form="{shared["form"]}" is W [r ∘ h, x]'
            raise ValueError(f'GRUCell: {told}: it needs reset="before"')
        if shared.get("layer_norm") and reset == "before":
            raise ValueError('GRUCell: layer_norm needs reset="after"')
        super().__init__(input_size, hidden_size, bias, **shared)
        self.reset, self.update = reset, update

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        z, n = self.gates(x, h)
        h = z * h + (1 - z) * n if self.update == "keeps" else (1 - z) * h + z * n
        return h, h

    def gates(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return z and the candidate n, which sees the state that r lets through."""
        if self.reset == "after":
            wx, uh = self.split(self.from_input(x)), self.split(self.from_state(h))
            pre = {name: wx[name] + uh[name] for name in ("r", "z")}
        else:
            pre = self.pre_activations(x, h, ("r", "z"))
        r, z = self.gate_value("r", pre["r"]), self.gate_value("z", pre["z"])
        if self.reset == "after":
            pre["n"] = wx["n"] + r * uh["n"]
        else:
            pre |= self.pre_activations(x, r * h, ("n",))
        return z, self.gate_value("n", pre["n"])

    def keeping_gate(self) -> tuple[str | None, str | None]:
        return ("z", None) if self.update == "keeps" else (None, "z")


class MGUCell(Gated):
    """Compute f = σ(W x + U h + b); n = tanh(W x + U (f ∘ h) + b); h' = (1 − f) ∘ h + f ∘ n.

    The minimal gated unit (Zhou et al. 2016): one gate both resets and writes.
    """

    gate_names = ("f", "n")
    one_product = False
    roles: ClassVar = {"f": "forget", "n": "candidate"}

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        f = self.gate_value("f", self.pre_activations(x, h, ("f",))["f"])
        n = self.gate_value("n", self.pre_activations(x, f * h, ("n",))["n"])
        h = (1 - f) * h + f * n
        return h, h

    def keeping_gate(self) -> tuple[str | None, str | None]:
        return None, "f"


class LSTMCell(Gated):
    """Compute i, f, o = σ(W x + U h + b);  g = tanh(W x + U h + b)
    c' = f ∘ c + i ∘ g;  h' = o ∘ tanh(c')

    output_activation=None: h' = o ∘ c'.   relevance=True: a gate r, g = tanh(W x + U (r ∘ h) + b).
    coupled=True: i = 1 − f.   proj_size=P: h' = W_hr (o ∘ tanh(c')).
    peephole="diagonal" or "full": i and f see c, o sees c' (vectors or matrices weight_ci, …).
    forget_bias=1.0: the whole bias of f; None leaves PyTorch's start.
    """

    state_names = ("h", "c")
    weight_hr: Tensor
    roles: ClassVar = {"i": "update", "f": "forget", "g": "candidate", "o": "output", "r": "reset"}

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool | str = True,
        *,
        output_activation: str | Callable | None = "tanh",
        relevance: bool = False,
        peephole: str | None = None,
        coupled: bool = False,
        proj_size: int = 0,
        forget_bias: float | None = None,
        layer_norm: bool = False,
        **shared: Any,
    ):
        choice(self, "peephole", peephole, (None, "diagonal", "full"))
        whole(self, "proj_size", proj_size, 0, whole(self, "hidden_size", hidden_size) - 1)
        if forget_bias is not None:
            real(self, "forget_bias", forget_bias)
        flag(self, "coupled", coupled)
        if flag(self, "relevance", relevance) and (layer_norm or proj_size):
            raise ValueError("LSTMCell: relevance does not go with layer_norm or proj_size")
        names = ("i", "f", "o", "r", "g") if relevance else ("i", "f", "g", "o")
        self.gate_names = tuple(k for k in names if not (coupled and k == "i"))
        self.gates_of_h = self.gate_names[:-1] if relevance else None  # None: all of them
        self.relevance, self.peephole, self.coupled = relevance, peephole, coupled
        self.proj_size = proj_size
        super().__init__(input_size, hidden_size, bias, layer_norm=layer_norm, **shared)
        self.output_activation = activation(output_activation, self, "output_activation")
        self.norm_c = (
            LayerNorm(hidden_size, device=self.device, dtype=self.dtype) if layer_norm else None
        )
        if forget_bias is not None:
            self.gate("f").fill("bias", forget_bias)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        H = self.hidden_size
        peep: Any = {None: None, "diagonal": (H,), "full": (H, H)}[self.peephole]
        extra: dict[str, tuple[int, ...]] = (
            {"weight_hr": (self.proj_size, H)} if self.proj_size else {}
        )
        if peep:
            seeing = [k for k in ("i", "f", "o") if k in self.gate_names]
            extra |= {self.peephole_name(k): peep for k in seeing}
        return super().shapes() | extra

    def peephole_name(self, gate: str) -> str:
        """Return the name of the weights by which a gate sees the cell state."""
        return FORMS[self.form].peephole(self, gate)

    def start(self, batch: int, like: Tensor) -> tuple[Tensor, Tensor]:
        return self.blank(batch, self.output_size, like), self.blank(batch, self.hidden_size, like)

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, c = state
        i, f, g, z = self.gates(x, h, c)
        c = f * c + i * g
        o = self.gate_value("o", z, c)
        h = o * self.output_activation(self.norm_c(c) if self.norm_c else c)
        h = linear(h, self.weight_hr) if self.proj_size else h
        return h, (h, c)

    def gates(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return i, f, g and what o is to be opened by: its peephole waits for the new c."""
        pre = self.pre_activations(x, h, self.gates_of_h)
        f = self.gate_value("f", pre["f"], c)
        i = 1 - f if self.coupled else self.gate_value("i", pre["i"], c)
        if self.relevance:
            r = self.gate_value("r", pre["r"])
            pre |= self.pre_activations(x, r * h, ("g",))
        return i, f, self.gate_value("g", pre["g"]), pre["o"]

    def add_peephole(self, gate: str, z: Tensor, c: Tensor) -> Tensor:
        """Return z + w_c ∘ c, or z + W_c c with full matrices."""
        weight = getattr(self, self.peephole_name(gate))
        return z + (weight * c if self.peephole == "diagonal" else linear(c, weight))

    def keeping_gate(self) -> tuple[str | None, str | None]:
        return "f", None if self.coupled else "i"
