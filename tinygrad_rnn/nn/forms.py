"""Store a gated cell's weights stacked, per gate or concatenated; `gates` reads the form.

    separate  weight_ih (G·H, I), weight_hh (G·H, H), bias_ih, bias_hh: PyTorch's
    stacked   weight (G·H, H + I), bias: one matrix W = [W_hh : W_ih] times [h, x]
    per_gate  W_f (H, H + I), b_f, W_o, b_o, …: as the books write it, one matrix for each gate

A form says which parameters a cell has, how they meet x and h, and where one gate's share lies.
In form "per_gate" gates are called by the letters of the equations: u updates, f forgets, o puts
out, r resets, c is the candidate; a vanilla network has W_a. A peephole's weights are V_f, ….
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..engine.context import scope
from ..engine.tensor import Tensor
from ..functions.losses import linear
from ..functions.shapes import cat

if TYPE_CHECKING:
    from .gates import Gated

LETTERS = {"update": "u", "forget": "f", "output": "o", "reset": "r", "candidate": "c"}
Shapes = dict[str, tuple[int, ...]]
Gates = tuple[str, ...] | None


class Separate:
    """Keep weights in PyTorch's form; a cell multiplies by it in `from_input` and `from_state`."""

    @staticmethod
    def shapes(cell: Gated) -> Shapes:
        rows = len(cell.gate_names) * cell.hidden_size
        shapes: Shapes = {"weight_ih": (rows, cell.input_size)}
        shapes["weight_hh"] = (rows, cell.output_size)
        biases = {"double": ("bias_ih", "bias_hh"), "single": ("bias_ih",), "none": ()}
        return shapes | dict.fromkeys(biases[cell.biases], (rows,))

    @staticmethod
    def where(cell: Gated, gate: str, part: str) -> tuple[str, Any]:
        """Return the parameter and the index of a gate's "ih", "hh", "bias_ih" or "bias_hh"."""
        return (part if part.startswith("bias") else f"weight_{part}"), cell.rows_of(gate)

    @staticmethod
    def peephole(cell: Gated, gate: str) -> str:
        """Return the name of the weights by which a gate sees the cell state."""
        return f"weight_c{gate}"


class Stacked(Separate):
    """One matrix [W_hh : W_ih] of all gates and one bias."""

    @staticmethod
    def shapes(cell: Gated) -> Shapes:
        rows = len(cell.gate_names) * cell.hidden_size
        shapes: Shapes = {"weight": (rows, cell.output_size + cell.input_size)}
        return shapes | ({} if cell.biases == "none" else {"bias": (rows,)})

    @staticmethod
    def pre_activations(cell: Gated, x: Tensor, h: Tensor, gates: Gates) -> dict[str, Tensor]:
        weight, bias = cell.rows(cell.weight, gates), cell.rows(cell.bias, gates)
        return cell.split(linear(joined(cell, h, x), weight, bias), gates)

    @staticmethod
    def where(cell: Gated, gate: str, part: str) -> tuple[str, Any]:
        if part == "bias_ih":
            return "bias", cell.rows_of(gate)
        return "weight", (cell.rows_of(gate), columns(cell, part))


class PerGate(Stacked):
    """Keep a matrix W_f on [h, x] and a bias b_f for each gate."""

    @staticmethod
    def shapes(cell: Gated) -> Shapes:
        shapes: Shapes = {}
        for letter in map(cell.letter, cell.gate_names):
            shapes[f"W_{letter}"] = (cell.hidden_size, cell.output_size + cell.input_size)
            if cell.biases != "none":
                shapes[f"b_{letter}"] = (cell.hidden_size,)
        return shapes

    @staticmethod
    def pre_activations(cell: Gated, x: Tensor, h: Tensor, gates: Gates) -> dict[str, Tensor]:
        both = joined(cell, h, x)
        return {gate: PerGate._product(cell, gate, both) for gate in gates or cell.gate_names}

    @staticmethod
    def _product(cell: Gated, gate: str, both: Tensor) -> Tensor:
        letter = cell.letter(gate)
        bias = getattr(cell, f"b_{letter}", None)
        role = {"gate": cell.roles[gate]} if gate in cell.roles else {}
        with scope(gate, **role):  # a drawing shows the matrix inside its gate
            return linear(both, getattr(cell, f"W_{letter}"), bias)

    @staticmethod
    def where(cell: Gated, gate: str, part: str) -> tuple[str, Any]:
        letter = cell.letter(gate)
        if part == "bias_ih":
            return f"b_{letter}", slice(None)
        return f"W_{letter}", (slice(None), columns(cell, part))

    @staticmethod
    def peephole(cell: Gated, gate: str) -> str:
        return f"V_{cell.letter(gate)}"


FORMS: dict[str, Any] = {"separate": Separate, "stacked": Stacked, "per_gate": PerGate}


def joined(cell: Gated, h: Tensor, x: Tensor) -> Tensor:
    """Return [h, x], which a matrix on both multiplies."""
    if x.dtype.kind != "f":
        raise TypeError('an index input needs form="separate": [h, x] would be dense')
    both = cat((h if cell._mask is None else h * cell._mask, x), -1)
    both.name = "[h,x]"
    return both


def columns(cell: Gated, part: str) -> slice:
    """Return the columns of a matrix on [h, x] that belong to "hh" or "ih"."""
    width = cell.output_size
    return slice(0, width) if part == "hh" else slice(width, None)
