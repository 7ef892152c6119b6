"""Convert weights to and from PyTorch, Keras and ONNX; programs call it.

A dialect is data: the order of gates, which way matrices lie, how biases are kept. PyTorch's is
ours, so its dictionaries load as they are. Meaning is never lost in silence: z that writes becomes
z that keeps (σ(−v) = 1 − σ(v)), two biases become one where they are only ever added, and what a
dialect cannot say raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..engine.arrays import to_numpy
from ..engine.ops import relu, sigmoid, tanh
from ..engine.options import choice
from ..engine.tensor import assign
from .cell_layers import GRU, LSTM, RNN
from .cells import GRUCell, LSTMCell, RNNCell
from .gates import Gated
from .layers import Sequential
from .recurrent import Recurrent

Array = np.ndarray
CELLS: dict[str, type[Gated]] = {"RNN": RNNCell, "GRU": GRUCell, "LSTM": LSTMCell}
LAYERS: dict[str, type[Recurrent]] = {"RNN": RNN, "GRU": GRU, "LSTM": LSTM}
ORDER: dict[str, dict[str, tuple[str, ...]]] = {
    "torch": {"RNN": ("h",), "GRU": ("r", "z", "n"), "LSTM": ("i", "f", "g", "o")},
    "keras": {"RNN": ("h",), "GRU": ("z", "r", "n"), "LSTM": ("i", "f", "g", "o")},
    "onnx": {"RNN": ("h",), "GRU": ("z", "r", "n"), "LSTM": ("i", "o", "f", "g")},
}
ONNX_PEEPHOLES = ("i", "o", "f")
KERAS_NAMES = ("kernel", "recurrent_kernel", "bias")
# What must hold for a cell to be expressible at all, and what each dialect asks besides.
ALWAYS: dict[str, tuple] = {
    "leak": (1.0,),
    "relevance": (False,),
    "coupled": (False,),
    "norm_ih": (None,),
}
ALWAYS |= {
    "gate_activation": (sigmoid,),
    "candidate_activation": (tanh,),
    "output_activation": (tanh,),
}
LIMITS: dict[str, dict[str, tuple]] = {
    "torch": {"peephole": (None,), "reset": ("after",), "nonlinearity": (tanh, relu)},
    "keras": {"peephole": (None,), "proj_size": (0,)},
    "onnx": {"peephole": (None, "diagonal"), "proj_size": (0,)},
}


class GateArrays(NamedTuple):
    """One gate's weights: rows (H, I) and (H, H), and its two biases, 0 where there is none."""

    ih: Array
    hh: Array
    b_ih: Array
    b_hh: Array


def blocks_of(cell: Gated) -> dict[str, GateArrays]:
    """Return a cell's weights gate by gate."""
    found = {}
    for name in cell.gate_names:
        gate, none = cell.gate(name), np.zeros(cell.hidden_size, cell.dtype)
        b_ih = none if cell.biases == "none" else to_numpy(gate.bias_ih)
        b_hh = to_numpy(gate.bias_hh) if cell.biases == "double" else none
        found[name] = GateArrays(to_numpy(gate.weight_ih), to_numpy(gate.weight_hh), b_ih, b_hh)
    return found


def fill(cell: Gated, blocks: Mapping[str, GateArrays]) -> Gated:
    """Return the cell with these weights."""
    for name, block in blocks.items():
        gate = cell.gate(name)
        gate.weight_ih, gate.weight_hh = block.ih, block.hh
        if cell.biases != "none":
            gate.bias_ih = block.b_ih
        if cell.biases == "double":
            gate.bias_hh = block.b_hh
    return cell


def spoken(cell: Gated, dialect: str) -> dict[str, GateArrays]:
    """Return the weights of a cell that the dialect can express, a GRU's z keeping; else
    ValueError."""
    for option, allowed in (ALWAYS | LIMITS[dialect]).items():
        told = getattr(cell, option, allowed[0])
        told = told[0] if isinstance(told, Sequential) else told  # what follows is dropout
        if told not in allowed:
            told = getattr(told, "__name__", told)
            raise ValueError(f"{dialect} has no {type(cell).__name__} with {option}={told!r}")
    blocks = blocks_of(cell)
    if getattr(cell, "update", "keeps") == "writes":
        blocks["z"] = GateArrays(*(-part for part in blocks["z"]))
    return blocks


def stacked(blocks: Mapping[str, GateArrays], order: Sequence[str], part: str) -> Array:
    """Return one part of all gates below each other, in the dialect's order."""
    return np.concatenate([getattr(blocks[gate], part) for gate in order])


def cut(
    order: Sequence[str], ih: Any, hh: Any, b_ih: Any = None, b_hh: Any = None
) -> dict[str, GateArrays]:
    """Return the reverse of `stacked`, for all parts."""
    rows = len(hh)
    parts = [np.zeros(rows) if part is None else np.asarray(part) for part in (ih, hh, b_ih, b_hh)]
    if rows % len(order) or any(len(part) != rows for part in parts):
        raise ValueError(f"rows {[len(p) for p in parts]} are not those of {len(order)} gates")
    pieces = [np.split(part, len(order)) for part in parts]
    return {gate: GateArrays(*(p[k] for p in pieces)) for k, gate in enumerate(order)}


def kind_of(cell: Any) -> str:
    """Return "RNN", "GRU" or "LSTM"."""
    for kind, made in CELLS.items():
        if isinstance(cell, made):
            return kind
    raise TypeError(f"no dialect knows {type(cell).__name__}; they know {', '.join(CELLS)}")


# PyTorch
def from_torch(module: Any) -> Recurrent:
    """Return our layer of a torch.nn.RNN, GRU or LSTM, with its weights (torch itself is not
    imported)."""
    kind = type(module).__name__
    if kind not in LAYERS:
        raise TypeError(f"from_torch takes an RNN, GRU or LSTM, not {kind}")
    names = ("num_layers", "bias", "batch_first", "dropout", "bidirectional")
    options = {name: getattr(module, name) for name in names}
    if kind == "RNN":
        options["nonlinearity"] = module.nonlinearity
    if kind == "LSTM":
        options["proj_size"] = module.proj_size
    state = {name: to_numpy(value) for name, value in module.state_dict().items()}
    dtype = next(iter(state.values())).dtype
    layer = LAYERS[kind](module.input_size, module.hidden_size, dtype=dtype, **options)
    layer.load_state_dict(state)
    return layer


def to_torch(layer: Recurrent) -> dict[str, Array]:
    """Return the arrays of `torch.nn.RNN/GRU/LSTM`'s state_dict, both biases there or none."""
    state: dict[str, Array] = {}
    for ending, wrapped in layer.flat_cells():
        cell: Any = wrapped.core  # dropouts and zoneout are no weights
        kind = kind_of(cell)
        blocks = spoken(cell, "torch")
        parts = {"weight_ih": "ih", "weight_hh": "hh", "bias_ih": "b_ih", "bias_hh": "b_hh"}
        for name, part in parts.items():
            if not (name.startswith("bias") and cell.biases == "none"):
                state[name + ending] = stacked(blocks, ORDER["torch"][kind], part)
        if getattr(cell, "proj_size", 0):
            state["weight_hr" + ending] = to_numpy(vars(cell)["weight_hr"])
    return state


# Keras: kernel (I, G·H), recurrent_kernel (H, G·H), bias (G·H,), or (2, G·H) for reset after
def from_keras(kind: str, weights: Any, **options: Any) -> Gated:
    """Return our cell of a Keras SimpleRNN, GRU or LSTM, its weights by name or in Keras' order.

    Activations are not weights: pass `nonlinearity=` or `activation=` if they are not Keras'
    defaults. Nor is `reset_after` if a GRU has no bias: pass reset="after" (Keras' default) or
    "before".
    """
    kind = {"SimpleRNN": "RNN"}.get(kind, kind)
    choice("from_keras", "kind", kind, CELLS)
    if not isinstance(weights, Mapping):
        weights = dict(zip(KERAS_NAMES, weights))
    kernel, recurrent, bias = (weights.get(name) for name in KERAS_NAMES)
    b_ih, b_hh = (None, None) if bias is None else (*np.atleast_2d(bias), None)[:2]
    if kind == "GRU" and bias is None and "reset" not in options:
        told = "a GRU without bias does not tell its reset_after"
        raise ValueError(f'from_keras: {told}: pass reset="after" (Keras\' default) or "before"')
    if kind == "GRU":
        options = {"reset": "before" if b_hh is None else "after"} | options
    biases = False if bias is None else "single" if b_hh is None else "double"
    blocks = cut(ORDER["keras"][kind], kernel.T, recurrent.T, b_ih, b_hh)
    sizes, dtype = (len(kernel), len(recurrent)), np.asarray(kernel).dtype
    return fill(CELLS[kind](*sizes, biases, dtype=dtype, **options), blocks)


def to_keras(cell: Any) -> dict[str, Array]:
    """Return kernel, recurrent_kernel and bias if any; a GRU's reset is `reset_after`."""
    cell = cell.core
    blocks, order = spoken(cell, "keras"), ORDER["keras"][kind_of(cell)]
    weights = {"kernel": stacked(blocks, order, "ih").T}
    weights["recurrent_kernel"] = stacked(blocks, order, "hh").T
    if cell.biases != "none":
        both = np.stack([stacked(blocks, order, part) for part in ("b_ih", "b_hh")])
        weights["bias"] = both if getattr(cell, "reset", "") == "after" else both.sum(0)
    return weights


# ONNX: W (D, G·H, I), R (D, G·H, H), B (D, 2·G·H), P (D, 3·H), D directions
def from_onnx(
    kind: str, inputs: Mapping[str, Any], linear_before_reset: int = 0, **options: Any
) -> list:
    """Return our cells of an ONNX RNN, GRU or LSTM, one per direction: `nn.Recurrent([cells])` runs
    them.

    A node with direction "reverse" has one cell: run it with `nn.scan(…, reverse=True)`.
    """
    choice("from_onnx", "kind", kind, CELLS)
    if kind == "GRU":
        options = {"reset": "after" if linear_before_reset else "before"} | options
    if kind == "LSTM" and inputs.get("P") is not None:
        options = {"peephole": "diagonal"} | options
    return [_onnx_cell(kind, inputs, d, options) for d in range(len(inputs["W"]))]


def _onnx_cell(kind: str, inputs: Mapping[str, Any], d: int, options: dict[str, Any]) -> Gated:
    W, R, B = inputs["W"][d], inputs["R"][d], inputs.get("B")
    b_ih, b_hh = (None, None) if B is None else np.split(np.asarray(B[d]), 2)
    blocks = cut(ORDER["onnx"][kind], W, R, b_ih, b_hh)
    sizes = W.shape[1], R.shape[1]
    cell: Any = fill(CELLS[kind](*sizes, B is not None, dtype=W.dtype, **options), blocks)
    if inputs.get("P") is not None:
        for gate, part in zip(ONNX_PEEPHOLES, np.split(np.asarray(inputs["P"][d]), 3)):
            assign(getattr(cell, cell.peephole_name(gate)), part)
    return cell


def to_onnx(layer: Recurrent) -> dict[str, Any]:
    """Return W, R, B and P of a layer of depth one, and for a GRU linear_before_reset."""
    if layer.num_layers != 1:
        raise ValueError(f"an ONNX node is one layer, this has {layer.num_layers}: export each")
    cells: list[Any] = [cell.core for cell in layer.cells[0]]
    order = ORDER["onnx"][kind_of(cells[0])]
    blocks = [spoken(cell, "onnx") for cell in cells]
    made: dict[str, Any] = {"W": np.stack([stacked(b, order, "ih") for b in blocks])}
    made["R"] = np.stack([stacked(b, order, "hh") for b in blocks])
    if cells[0].biases != "none":
        both = [[stacked(b, order, part) for part in ("b_ih", "b_hh")] for b in blocks]
        made["B"] = np.stack([np.concatenate(pair) for pair in both])
    if getattr(cells[0], "peephole", None):
        rows = [
            [to_numpy(getattr(c, c.peephole_name(gate))) for gate in ONNX_PEEPHOLES] for c in cells
        ]
        made["P"] = np.stack([np.concatenate(row) for row in rows])
    if hasattr(cells[0], "reset"):
        made["linear_before_reset"] = int(cells[0].reset == "after")
    return made
