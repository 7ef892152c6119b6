"""Show a module as `LSTM(3, 4)`, and with modules inside as a tree; `module` prints it."""

from __future__ import annotations

import inspect
from typing import Any

from ..engine.class_signature import signature_of
from ..engine.tensor import Tensor

UNSHOWN = ("seed", "device", "dtype", "init")
PLAIN = (bool, int, float, str, tuple, type(None))


def call_of(module: Any) -> str:
    """Return the call that makes such a module: sizes, and the options that are not the usual.

    >>> call_of(nn.LSTM(3, 4, num_layers=2, bidirectional=True))
    'LSTM(3, 4, num_layers=2, bidirectional=True)'
    """
    if told := module.extra_repr():
        return f"{type(module).__name__}({told})"
    parts = []
    made_as: Any = type(module)
    for p in signature_of(made_as).parameters.values():
        known, value = found(module, p.name)
        if not known or p.name in UNSHOWN or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        if callable(value):
            value = {"identity": None}.get(name := getattr(value, "__name__", ""), name)
        if isinstance(value, PLAIN) and value not in ("", p.default):
            value = value[0] if isinstance(value, tuple) and len(value) == 1 else value
            parts.append(repr(value) if p.default is p.empty else f"{p.name}={value!r}")
    return f"{type(module).__name__}({', '.join(parts)})"


def found(module: Any, name: str) -> tuple[bool, Any]:
    """Return (whether it is known, the value) of an option, of a layer's first cell if need be."""
    if name == "bias" and hasattr(cell := first_cell(module), "biases"):
        return True, {"double": True, "single": "single", "none": False}[cell.biases]
    for holder in (module, first_cell(module)):
        value = inspect.getattr_static(holder, name, None)
        if value is not None and not isinstance(value, Tensor):
            return True, getattr(holder, name)
        if isinstance(value, Tensor) and name == "bias":
            return True, True
        if name in vars(holder):
            return True, name != "bias" and None
    return False, None


def first_cell(module: Any) -> Any:
    """Return the first cell of a layer, without its wrappers; a module itself otherwise."""
    cells = vars(module).get("cells")
    return cells[0][0].core if cells else module


def tree(module: Any) -> str:
    """Return a module in one line, or in one line for each module inside, with what it learns."""
    rows = lines("", module, 0)
    if len(rows) == 1:
        return rows[0][0]
    width = max(len(text) for text, _ in rows) + 2
    return "\n".join(f"{text:{width}}{count:>9,}" if count else text for text, count in rows)


def lines(label: str, module: Any, depth: int) -> list[tuple[str, int]]:
    """Return (text, count of parameters) of a module and, deeper, of those in it."""
    count = sum(p._array.size for p in module.parameters())
    rows = [(f"{'  ' * depth}{label}{call_of(module)}", count)]
    if hasattr(type(module), "cell_class"):  # its cells are all alike
        return rows
    for name, member in module.named_members():
        if not isinstance(member, Tensor):
            rows += lines(f"{name}: ", member, depth + 1)
    return rows
