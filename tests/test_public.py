"""The public surface is a list: whoever adds or loses a name says so by changing the record.

`python tests/test_public.py` writes `public_names.txt` anew.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

RECORD = Path(__file__).parent / "public_names.txt"
MODULES = ["tinygrad_rnn", "tinygrad_rnn.nn", "tinygrad_rnn.optim", "tinygrad_rnn.init"]
MODULES += ["tinygrad_rnn.draw", "tinygrad_rnn.compile", "tinygrad_rnn.microscope"]


def present() -> list[Any]:
    """Return those of MODULES that exist by now."""
    return [
        importlib.import_module(m)
        for m in MODULES
        if m == MODULES[0] or importlib.util.find_spec(m)
    ]


def public(module: Any) -> list[str]:
    """Return a module's public names: `__all__`, or what is made in this package and has no _."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    own = [n for n in vars(module) if n[0] != "_" and n != "annotations"]
    made = [n for n in own if not inspect.ismodule(getattr(module, n))]
    here = module.__name__ if module.__file__.endswith("__init__.py") is False else "tinygrad_rnn"
    return sorted(
        n
        for n in made
        if (getattr(getattr(module, n), "__module__", here) or here).startswith(here)
    )


def surface() -> Iterator[str]:
    """Yield one dotted line per public name."""
    for module in present():
        yield from (f"{module.__name__}.{name}" for name in public(module))


def functions() -> Iterator[tuple[str, Any]]:
    """Yield every public function, and every public method of a public class, once."""
    seen = set()
    for line in surface():
        module, _, name = line.rpartition(".")
        thing = getattr(importlib.import_module(module), name)
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if inspect.isfunction(thing):
            yield line, thing
        elif inspect.isclass(thing):
            methods = [(n, m) for n, m in vars(thing).items() if inspect.isfunction(m)]
            yield from ((f"{line}.{n}", m) for n, m in methods if n[0] != "_" or n == "__init__")


def test_the_surface_is_the_recorded_one():
    recorded, now = set(RECORD.read_text().split()), set(surface())
    assert now == recorded, f"new: {sorted(now - recorded)}; lost: {sorted(recorded - now)}"


def test_every_public_function_has_type_hints():
    bare = []
    for name, function in functions():
        signature = inspect.signature(function)
        named = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
        if any(p.annotation is p.empty for p in named) or (
            signature.return_annotation is inspect.Signature.empty and "__init__" not in name
        ):
            bare.append(name)
    assert not bare


def test_every_public_name_has_a_docstring():
    bare = []
    for line in surface():
        module, _, name = line.rpartition(".")
        thing = getattr(importlib.import_module(module), name)
        if callable(thing) and not (getattr(thing, "__doc__", None) or "").strip():
            bare.append(line)
    assert not bare


@pytest.mark.parametrize("module", ["numpy", "torch", "cupy"])
def test_no_foreign_module_leaks_out(module):
    assert not [line for line in surface() if line.endswith(f".{module}")]


if __name__ == "__main__":
    RECORD.write_text("\n".join(surface()) + "\n")
