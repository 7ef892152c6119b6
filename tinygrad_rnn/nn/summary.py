"""List a model's parts, shapes and sizes for `module` (`Module.summary()`) to print."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from ..engine.arrays import to_numpy
from .gates import Gated
from .module import Module

Rows = list[tuple[str, ...]]


class Summary(str):
    """A summary as text; a notebook shows it as tables."""

    tables: list[Rows]

    def _repr_html_(self) -> str:
        return "".join(map(html_table, self.tables))


def summary(model: Module) -> Summary:
    """Return name, shape, count and norm of each Tensor; spectral radius and largest σ of gates."""
    rows: Rows = [("parameter", "shape", "count", "norm", "")]
    total = 0
    for name, tensor in model.named_tensors():
        array = to_numpy(tensor)
        frozen = "" if tensor.requires_grad else "frozen"
        total += array.size if tensor.requires_grad else 0
        shape = "×".join(map(str, array.shape)) or "1"
        rows.append((name, shape, str(array.size), f"{norm(array):.4g}", frozen))
    rows.append(("learning", "", str(total), "", ""))
    gates = [
        row for path, m in model.named_modules() if isinstance(m, Gated) for row in _gates(path, m)
    ]
    tables: list[Rows] = [rows]
    tables += [[("recurrent block", "spectral radius", "largest σ"), *gates]] if gates else []
    made = Summary("\n\n".join(map(text_table, tables)))
    made.tables = tables
    return made


def _gates(path: str, cell: Gated) -> Rows:
    rows: Rows = []
    for name in cell.gate_names:
        block = to_numpy(cell.gate(name).weight_hh)
        square = block.shape[0] == block.shape[1]
        radius = f"{spectral_radius(block):.4f}" if square else "–"
        label = f"{path or type(cell).__name__}.{name}"
        rows.append((label, radius, f"{np.linalg.norm(block, 2):.4f}"))
    return rows


def text_table(rows: Rows) -> str:
    """Return rows as lines: the first column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(rest, widths[1:])]
        lines.append("  ".join([f"{first:{widths[0]}}", *cells]).rstrip())
    return "\n".join(lines)


def html_table(rows: Rows) -> str:
    """Return rows as an HTML table whose first row is its head."""
    line = lambda row, tag: "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
    head, *body = rows
    inside = "".join(f"<tr>{line(row, 'td')}</tr>" for row in body)
    return f"<table><thead><tr>{line(head, 'th')}</tr></thead><tbody>{inside}</tbody></table>"


def spectral_radius(matrix: Any) -> float:
    """Return the largest |eigenvalue|."""
    return float(np.abs(np.linalg.eigvals(to_numpy(matrix).astype(np.float64))).max())


def norm(array: np.ndarray) -> float:
    return float(np.linalg.norm(array.astype(np.float64).ravel()))
