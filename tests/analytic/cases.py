"""Random problems for every family: shapes, parameters, inputs, states and targets from one seed.

A `Case` holds `values` (every array that has a gradient, by name), what else is needed (`y`,
`options`), and `by_hand(values) -> (loss, grads)`. All arrays are float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import bidirectional, deep, gru, lstm, masked, peephole, truncated, unrolled, vanilla
from .deep import layer_params, named
from .losses import LOSSES
from .unrolled import Array, Cell, Params


def _shapes(gates: str, columns: Callable[[int, int], int]) -> Callable[[int, int], dict]:
    def shapes(I: int, H: int) -> dict[str, tuple[int, ...]]:
        return {f"W_{k}": (H, columns(I, H)) for k in gates} | {f"b_{k}": (H,) for k in gates}

    return shapes


def _separate(I: int, H: int) -> dict[str, tuple[int, ...]]:
    return {"W_aa": (H, H), "W_ax": (H, I), "b_a": (H,)}


def _libraries(I: int, H: int) -> dict[str, tuple[int, ...]]:
    weights = {f"W_{s}{k}": (H, n) for k in "rzn" for s, n in (("i", I), ("h", H))}
    return weights | {f"b_{s}{k}": (H,) for k in "rzn" for s in "ih"}


def _full(I: int, H: int) -> dict[str, tuple[int, ...]]:
    gates = {f"W_{k}": (H, 2 * H + I) for k in "ifo"} | {"W_c": (H, H + I)}
    return gates | {f"b_{k}": (H,) for k in "ifoc"}


def _diagonal(I: int, H: int) -> dict[str, tuple[int, ...]]:
    return _shapes("ifoc", lambda I, H: I + H)(I, H) | {f"p_{k}": (H,) for k in "ifo"}


_STACKED = _shapes("a", lambda I, H: I + H)
CELLS: dict[str, tuple[Cell, Callable[[int, int], dict]]] = {
    "vanilla-separate-tanh": (vanilla.separate("tanh"), _separate),
    "vanilla-separate-relu": (vanilla.separate("relu"), _separate),
    "vanilla-stacked-tanh": (vanilla.stacked("tanh"), _STACKED),
    "vanilla-stacked-relu": (vanilla.stacked("relu"), _STACKED),
    "gru-notes": (gru.DIALECTS["notes"], _shapes("urc", lambda I, H: I + H)),
    "gru-libraries": (gru.DIALECTS["libraries"], _libraries),
    "lstm-A": (lstm.cell("A"), _shapes("ufoc", lambda I, H: I + H)),
    "lstm-B": (lstm.cell("B"), _shapes("ufoc", lambda I, H: I + H)),
    "lstm-C": (lstm.cell("C"), _shapes("ufocr", lambda I, H: I + H)),
    "peephole-full": (peephole.cell("full"), _full),
    "peephole-diagonal": (peephole.cell("diagonal"), _diagonal),
}
WRAPPINGS = ("deep", "bidirectional", "truncated", "masked", "masked-reverse")


class Case(NamedTuple):
    wrapping: str  # "plain" or one of WRAPPINGS
    cells: tuple[str, ...]  # names into CELLS
    loss: str
    values: Params
    y: Array
    options: dict[str, Any]

    def by_hand(self, values: Params) -> tuple[float, Params]:
        """The loss and the hand-derived gradients at `values` (named as `self.values`)."""
        return BY_HAND[self.wrapping](self, values)


def _state(case: Case, values: Params, prefix: str = "", cell: int = 0) -> tuple[Array, ...]:
    return tuple(values[prefix + name] for name in CELLS[case.cells[cell]][0].state)


def _plain(case: Case, v: Params):
    cell = CELLS[case.cells[0]][0]
    return unrolled.forward_backward(cell, v, v["x"], _state(case, v), case.y, case.loss)


def _several(family: Any, prefixes: tuple[str, ...]):
    def by_hand(case: Case, v: Params):
        cells = [CELLS[name][0] for name in case.cells]
        states = [_state(case, v, prefix, i) for i, prefix in enumerate(prefixes)]
        return family.forward_backward(cells, v, v["x"], states, case.y, loss=case.loss)

    return by_hand


def _truncated(case: Case, v: Params):
    cell, state = CELLS[case.cells[0]][0], _state(case, v)
    return truncated.forward_backward(
        cell, v, v["x"], state, case.y, loss=case.loss, **case.options
    )


def _masked(case: Case, v: Params):
    cell, state = CELLS[case.cells[0]][0], _state(case, v)
    return masked.forward_backward(cell, v, v["x"], state, case.y, loss=case.loss, **case.options)


BY_HAND: dict[str, Callable[[Case, Params], tuple[float, Params]]] = {
    "plain": _plain,
    "deep": _several(deep, ("1.", "2.")),
    "bidirectional": _several(bidirectional, ("fwd.", "rev.")),
    "truncated": _truncated,
    "masked": _masked,
    "masked-reverse": _masked,
}
PREFIXES = {"deep": ("1.", "2."), "bidirectional": ("fwd.", "rev.")}


def _options(rng: np.random.Generator, wrapping: str, T: int, B: int) -> dict[str, Any]:
    if wrapping == "truncated":
        k1 = int(rng.integers(1, T + 1))
        return {"k1": k1, "k2": int(rng.integers(k1, T + 2))}
    if wrapping.startswith("masked"):
        lengths = rng.integers(0, T + 1, B)
        return {"lengths": lengths, "reverse": wrapping.endswith("reverse")}
    return {}


def make(seed: int, wrapping: str = "plain", cell: str | None = None) -> Case:
    """The case of that seed; with `cell` None the cells are drawn too, one for each layer."""
    rng = np.random.default_rng(seed)
    T, B, I, H, O = (int(rng.integers(1, n + 1)) for n in (6, 3, 4, 4, 3))
    prefixes = PREFIXES.get(wrapping, ("",))
    names = [cell or str(rng.choice(list(CELLS))) for _ in prefixes]
    values: Params = {}
    for layer, (prefix, name) in enumerate(zip(prefixes, names, strict=True)):
        kind, shapes = CELLS[name]
        width = H if wrapping == "deep" and layer else I
        p = {k: rng.normal(0, 0.7, s) for k, s in shapes(width, H).items()}
        values |= named(prefix, p | {k: rng.normal(0, 1, (B, H)) for k in kind.state})
    width = 2 * H if wrapping == "bidirectional" else H
    values |= {"W_ya": rng.normal(0, 0.7, (O, width)), "b_y": rng.normal(0, 1, O)}
    values["x"] = rng.normal(0, 1, (T, B, I))
    loss = LOSSES[seed % 3]
    y = {
        "bce": rng.uniform(0, 1, (T, B, O)).round(),
        "softmax": rng.integers(0, O, (T, B)),
        "mse": rng.normal(0, 1, (T, B, O)),
    }[loss]
    return Case(wrapping, tuple(names), loss, values, y, _options(rng, wrapping, T, B))


def every_case(seeds: range) -> list[tuple[str, int, str | None]]:
    """(wrapping, seed, cell): each cell alone on every seed, each wrapping on every seed."""
    alone = [("plain", seed, name) for name in CELLS for seed in seeds]
    return alone + [(wrapping, seed, None) for wrapping in WRAPPINGS for seed in seeds]


__all__ = ["CELLS", "WRAPPINGS", "Case", "every_case", "layer_params", "make"]
