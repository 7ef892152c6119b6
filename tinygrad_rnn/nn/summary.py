"""A model at a glance: what `Module.summary()` prints."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.arrays import host
from .gates import Gated
from .module import Module


def summary(model: Module) -> str:
    """Name, shape, count and norm of each Tensor; spectral radius and largest σ of each gate."""
    lines = [f"{'parameter':32}{'shape':>16}{'count':>10}{'norm':>12}"]
    total = 0
    for name, tensor in model.named_tensors():
        array = host(tensor)
        frozen = "" if tensor.requires_grad else "  frozen"
        total += array.size if tensor.requires_grad else 0
        shape = "×".join(map(str, array.shape)) or "1"
        lines.append(f"{name:32}{shape:>16}{array.size:>10}{norm(array):>12.4g}{frozen}")
    lines.append(f"{'learning':48}{total:>10}")
    gates = [
        row for path, m in model.named_modules() if isinstance(m, Gated) for row in _gates(path, m)
    ]
    if gates:
        lines += ["", f"{'recurrent block':32}{'spectral radius':>16}{'largest σ':>12}", *gates]
    return "\n".join(lines)


def _gates(path: str, cell: Gated) -> list[str]:
    rows = []
    for name in cell.gate_names:
        block = host(cell.gate(name).weight_hh)
        radius = (
            f"{spectral_radius(block):16.4f}" if block.shape[0] == block.shape[1] else f"{'–':>16}"
        )
        label = f"{path or type(cell).__name__}.{name}"
        rows.append(f"{label:32}{radius}{np.linalg.norm(block, 2):12.4f}")
    return rows


def spectral_radius(matrix: Any) -> float:
    """The largest |eigenvalue|."""
    return float(np.abs(np.linalg.eigvals(host(matrix).astype(np.float64))).max())


def norm(array: np.ndarray) -> float:
    return float(np.linalg.norm(array.astype(np.float64).ravel()))
