"""Arrange a layer's cells as [layer][direction], new or given; `recurrent` calls it."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from ..engine.options import called, probability, unfit, whole
from .cell import Cell
from .dropout import VariationalDropout
from .zoneout import Zoneout

Cells = list[list[Cell]]
CELL = "a class of cells, a cell, or a list of cells or of pairs (forward, reverse)"


def finished(owner: Any, cell: Any, further: dict[str, Any]) -> Cells:
    """Return given cells as [layer][direction]; they have their sizes and options."""
    layers = cell if isinstance(cell, (list, tuple)) else [cell]
    cells = [list(c) if isinstance(c, (list, tuple)) else [c] for c in layers]
    every = [c for pair in cells for c in pair]
    if not every or not all(isinstance(c, Cell) for c in every):
        raise unfit(owner, "cell", CELL, cell, TypeError)
    if further:
        told = ", ".join(f"{name}={value!r}" for name, value in further.items())
        raise TypeError(f"{called(owner)}: finished cells are given, so {told} would be ignored")
    return cells


def built(owner: Any, cell: Callable, sizes: tuple, options: dict[str, Any],
          layers: int, sides: int) -> Cells:  # fmt: skip
    """Return new cells, each as wide as what the layer below gives."""
    size, hidden_size = (whole(owner, k, v) for k, v in zip(("input_size", "hidden_size"), sizes))
    if takes_seed(cell):
        options = options | {"seed": owner.generator}
    cells: Cells = []
    for _ in range(layers):
        cells.append([cell(size, hidden_size, **options) for _ in range(sides)])
        if not isinstance(cells[0][0], Cell):
            raise unfit(owner, "cell", CELL, cell, TypeError)
        size = owner.width(cells[-1])
    return cells


def wrapped(owner: Any, cells: Cells, zoneout: Any, input_dropout: Any,
            recurrent_dropout: Any) -> Cells:  # fmt: skip
    """Return the cells with the dropouts and the zoneout that are wanted, all of one seed."""
    masks = [probability(owner, "input_dropout", input_dropout)]
    masks += [probability(owner, "recurrent_dropout", recurrent_dropout)]
    parts = zoneout if isinstance(zoneout, tuple) else (zoneout,)
    rates = [probability(owner, "zoneout", p) for p in parts]
    if any(masks):
        drop = lambda c: VariationalDropout(c, *masks, seed=owner.generator)
        cells = [[drop(c) for c in pair] for pair in cells]
    if any(rates):
        cells = [[Zoneout(c, zoneout, seed=owner.generator) for c in pair] for pair in cells]
    return cells


def takes_seed(cell: Callable) -> bool:
    """Return whether the cell draws its weights from a generator it is given."""
    parameters = signature(cell).parameters.values()
    return any(p.name == "seed" or p.kind == p.VAR_KEYWORD for p in parameters)
