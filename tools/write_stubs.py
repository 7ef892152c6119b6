"""Writes what editors and mypy read of Tensor's methods, from the methods themselves.

python tools/write_stubs.py

`functions/methods.py` attaches the methods when it is imported, which no type checker sees; so
`engine/attached.pyi` lists them. A test holds it to what this program writes.
"""

from __future__ import annotations

import builtins
import inspect
import re
from collections.abc import Iterator
from inspect import Parameter
from pathlib import Path
from typing import Any

import tinygrad_rnn
from tinygrad_rnn.engine.atomic_write import atomic_write

PACKAGE = Path(tinygrad_rnn.__file__).parent
STUB = PACKAGE / "engine" / "attached.pyi"
HEAD = '''"""What functions/methods.py attaches to Tensor; made by tools/write_stubs.py."""

'''
OVERRIDES = ("__eq__", "__ne__")  # Python itself says that these give a bool
HOMES = {"Any": "typing", "Sequence": "collections.abc", "Callable": "collections.abc",
         "Tensor": "tinygrad_rnn.engine.tensor",
         "BackwardRecord": "tinygrad_rnn.engine.record",
         "Generator": "tinygrad_rnn.functions.random",
         "ValuesIndices": "tinygrad_rnn.functions.indexing"}  # fmt: skip


def methods() -> Iterator[tuple[str, Any]]:
    """Yield name and function of what was attached to Tensor, in order of name."""
    for name in vars(tinygrad_rnn.Tensor).copy():
        hasattr(tinygrad_rnn.Tensor, name)  # touched, a method of `functions/later.py` loads
    for name, thing in sorted(vars(tinygrad_rnn.Tensor).items()):
        function = thing.fget if isinstance(thing, property) else thing
        if inspect.isfunction(function) and function.__module__ != "tinygrad_rnn.engine.tensor":
            yield name, thing


def line(name: str, thing: Any) -> str:
    """Return the lines of one method or property."""
    if isinstance(thing, property):
        return f"    @property\n    def {name}(self) -> Tensor: ...\n"
    signature = inspect.signature(thing)
    first, *others = signature.parameters.values()
    if first.kind is Parameter.VAR_POSITIONAL:  # an operator that looks at what it is given
        others = [] if name == "__invert__" else [Parameter("other", Parameter.POSITIONAL_ONLY)]
    given = [Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *map(typed, others)]
    returns = signature.return_annotation
    if name.startswith("__"):
        given = [p.replace(kind=Parameter.POSITIONAL_ONLY) for p in given]
        returns = "None" if name == "__setitem__" else "Tensor"
    elif returns is Parameter.empty:
        returns = "Tensor"
    text = str(signature.replace(parameters=given, return_annotation=Parameter.empty))
    text = re.sub(r"(?<=: )'([^']*)'", r"\1", text)  # annotations are strings
    note = "  # type: ignore[override]" if name in OVERRIDES else ""
    return f"    def {name}{text} -> {returns}: ...{note}\n"


def typed(parameter: Parameter) -> Parameter:
    """Return the parameter with a type, and … for a default that is no plain value."""
    plain = parameter.default is Parameter.empty or isinstance(
        parameter.default, (int, float, str, type(None))
    )
    return parameter.replace(
        annotation="Any" if parameter.annotation is Parameter.empty else parameter.annotation,
        default=parameter.default if plain else ...,
    )


def stub() -> str:
    """Return the whole stub."""
    body = "".join(line(name, thing) for name, thing in methods())
    kinds = set(re.findall(r"(?:: |-> |\| |\[|, )([A-Z]\w*)", body)) - {"None"}
    imports: dict[str, list[str]] = {}
    for kind in sorted(kinds):
        imports.setdefault(HOMES[kind], []).append(kind)
    # A method called `float` or `all` would stand for the type or function in what follows it
    named = {n for n, _ in methods() if isinstance(getattr(builtins, n, None), type)}
    for word in sorted(named):
        place = rf"(?<=-> ){word}\b|(?<=[:|,\[] ){word}\b(?![:(])|(?<=\[){word}\b"
        body = re.sub(place, f"builtins.{word}", body)
    froms = [f"from {home} import {', '.join(names)}\n" for home, names in sorted(imports.items())]
    return f"{HEAD}import builtins\n{''.join(froms)}\nclass Attached:\n{body}"


def main() -> None:
    atomic_write(STUB, stub().encode())
    print(f"{STUB.relative_to(PACKAGE.parent)}: {len(list(methods()))} methods")


if __name__ == "__main__":
    main()
