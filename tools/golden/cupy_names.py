"""Record which names the real CuPy has, into `tests/golden/cupy_names.txt`.

The wheel imports without a GPU, so any machine can run this in an environment of its own:

    pip install cupy-cuda13x==14.2.0 && python tools/golden/cupy_names.py

One line is one name: what it is (`numpy` for NumPy's very object), then the parameters it takes,
or for a ufunc its methods. `tests/strict_array.py` offers these names and no others.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

RECORD = Path(__file__).resolve().parents[2] / "tests" / "golden" / "cupy_names.txt"
MODULES = ("cupy", "cupy.linalg", "cupy.lib.stride_tricks", "cupyx", "cupyx.scipy.special")
REDUCING = {"add": "at reduce accumulate", "multiply": "reduce accumulate"}
SCATTERING = ("subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor")


def parameters(function: Any) -> str:
    """Return the names of what `function` takes, in order; stars are kept."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return "*args **kwargs"
    kinds = inspect.Parameter
    stars: dict[Any, str] = {kinds.VAR_POSITIONAL: "*", kinds.VAR_KEYWORD: "**"}
    return " ".join(stars.get(p.kind, "") + p.name for p in found)


def documented(method: Any) -> str:
    """Return the parameters' names that the first line of a compiled method's docstring lists."""
    listed = re.search(r"\((?:self(?:, )?)?(.*?)\)(?: ->|$)", (method.__doc__ or "").split("\n")[0])
    pieces = re.sub(r"[(\[][^)\]]*[)\]]", "", listed[1]).split(", ") if listed else []
    names = (re.match(r"(\**)(?:[\w.]+ )*(\w+)", piece) for piece in pieces)
    return " ".join(m[1] + m[2] for m in names if m)


def describe(name: str, thing: Any) -> str:
    """Return one line of the record, without the module's name."""
    if getattr(np, name, None) is thing:
        return f"{name} numpy"
    if type(thing).__name__ == "ufunc":
        methods = "at" if name in SCATTERING else REDUCING.get(name, "")
        return f"{name} ufunc {methods}".rstrip()
    if isinstance(thing, ModuleType):
        return f"{name} module"
    if isinstance(thing, type) or not callable(thing):
        return f"{name} {'type' if isinstance(thing, type) else 'value'}"
    return f"{name} function {parameters(thing)}".rstrip()


def lines() -> Iterator[str]:
    """Yield the record; raises ImportError where no CuPy is installed."""
    import cupy

    yield f"# CuPy {cupy.__version__}, recorded by tools/golden/cupy_names.py"
    for path in MODULES:
        __import__(path)
        module = sys.modules[path]
        prefix = f"{path}.".removeprefix("cupy.")
        for name in sorted(n for n in dir(module) if not n.startswith("_")):
            yield prefix + describe(name, getattr(module, name))
    for name in sorted(n for n in dir(cupy.ndarray) if not n.startswith("_")):
        member = getattr(cupy.ndarray, name)
        kind = f"method {documented(member)}" if callable(member) else "attribute"
        yield f"ndarray.{name} {kind}".rstrip()


if __name__ == "__main__":
    RECORD.write_text("\n".join(lines()) + "\n", encoding="utf-8")
    print(f"{RECORD.name}: {len(RECORD.read_text().splitlines()) - 1} names")
