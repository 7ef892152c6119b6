"""The public surface is a list: whoever adds or loses a name says so by changing the record.

So do the signatures of its functions and methods: a default that changes changes programs.
`python -m tests.project.test_public` writes `public_names.txt` and `public_signatures.txt` anew.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

RECORD = Path(__file__).parent / "public_names.txt"
SIGNATURES = Path(__file__).parent / "public_signatures.txt"
MODULES = ["tinygrad_rnn", "tinygrad_rnn.nn", "tinygrad_rnn.optim", "tinygrad_rnn.init"]
MODULES += [
    f"tinygrad_rnn.{name}"
    for name in (
        "draw",
        "compile",
        "analysis.microscope",
        "files",
        "text",
        "training",
        "exercises",
        "paper",
        "tasks",
    )
]


def present() -> list[Any]:
    """Return those of MODULES that exist by now."""
    specs = {m: importlib.util.find_spec(m) for m in MODULES}
    return [importlib.import_module(m) for m, spec in specs.items() if spec and spec.origin]


def public(module: Any) -> list[str]:
    """Return a module's public names: `__all__`, or all without _ but modules and foreign things.

    A plain module's own are those made in it; a package's are those made anywhere in this project.
    """
    if hasattr(module, "__all__") and module.__name__ != MODULES[0]:  # whose * brings more
        return sorted(module.__all__)
    home = "tinygrad_rnn" if hasattr(module, "__path__") else module.__name__
    offered = {n: getattr(module, n) for n in dir(module) if n[0] != "_"}  # what loads late too
    names = [n for n, thing in offered.items() if not inspect.ismodule(thing)]
    made = {n: getattr(getattr(module, n), "__module__", None) or "" for n in names}
    own = [
        n
        for n in names
        if made[n].startswith(home) or type(getattr(module, n)).__name__ == "Primitive"
    ]
    return sorted(own)


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
            written = [(n, m) for n, m in methods if m.__code__.co_filename[0] != "<"]
            yield from ((f"{line}.{n}", m) for n, m in written if n[0] != "_" or n == "__init__")


def test_the_surface_is_the_recorded_one():
    recorded, now = set(RECORD.read_text().split()), set(surface())
    assert now == recorded, f"new: {sorted(now - recorded)}; lost: {sorted(recorded - now)}"


def signatures() -> Iterator[str]:
    """Yield one line per public function: what it takes, without types, which may get better."""
    for name, function in functions():
        bare = []
        for p in inspect.signature(function).parameters.values():
            default = p.default if isinstance(p.default, (bool, int, float, str, tuple)) else None
            shown = p.empty if p.default is p.empty else default
            bare.append(p.replace(annotation=p.empty, default=shown))
        yield f"{name}{inspect.Signature(bare)}"


def test_the_signatures_are_the_recorded_ones():
    recorded, now = set(SIGNATURES.read_text().splitlines()), set(signatures())
    assert now == recorded, f"new: {sorted(now - recorded)}; lost: {sorted(recorded - now)}"


def test_every_public_function_has_type_hints():
    bare = []
    for name, function in functions():
        if name.endswith("Node.__init__") or function.__name__ == "<lambda>":
            continue  # only the engine makes nodes; a lambda's hints have no place
        signature = inspect.signature(function)
        named = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
        if any(p.annotation is p.empty for p in named) or (
            signature.return_annotation is inspect.Signature.empty and "__init__" not in name
        ):
            bare.append(name)
    assert not bare


def test_whatever_is_not_said_by_its_name_and_one_line_has_a_docstring():
    named = [(n, f) for n, f in functions() if n.split(".")[-2].islower()]
    bare = [n for n, f in named if not f.__doc__ and len(inspect.getsourcelines(f)[0]) > 8]
    assert not bare


@pytest.mark.parametrize("module", ["numpy", "torch", "cupy"])
def test_no_foreign_module_leaks_out(module):
    assert not [line for line in surface() if line.endswith(f".{module}")]


if __name__ == "__main__":
    RECORD.write_text("\n".join(surface()) + "\n")
    SIGNATURES.write_text("\n".join(signatures()) + "\n")
