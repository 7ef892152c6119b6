"""Who may import whom: an upper floor knows the lower ones, never the other way, and no circles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP = "tinygrad_rnn"
BELOW = {  # floor: the floors it may import
    "engine": "",
    "absent": "",
    "functions": "engine",
    "linalg": "functions",
    "init": "engine functions",
    "cuda": "engine",
    "optim": "engine functions absent",
    "nn": "engine functions init absent",
    "compile": "engine functions nn",
    "analysis": "engine functions nn",
    "draw": "engine functions init nn optim analysis",
    "files": "engine functions",
    "text": "engine functions",
    "exercises": "engine functions",
    "training": "engine functions init optim nn analysis compile draw files text",
}


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {dotted(p): p for p in sorted((ROOT / TOP).rglob("*.py"))}


def executed(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes, inside functions too, but not what only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node
            yield from executed(node)


def imports(name: str, text: str | None = None) -> set[str]:
    """The modules of this package that a module imports."""
    text = MODULES[name].read_text(encoding="utf-8") if text is None else text
    home = name.split(".") + ["__init__"] * (MODULES[name].name == "__init__.py")
    found = []
    for node in executed(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [*home[: -node.level]] if node.level else []
            base += node.module.split(".") if node.module else []
            found += [".".join([*base, a.name]) for a in node.names] + [".".join(base)]
    children = {f.rpartition(".")[0] for f in found if f in MODULES}
    return {f for f in found if f in MODULES and f not in children} - {name}


ARROWS = {name: imports(name) for name in MODULES}


def floor(name: str) -> str:
    return (name.split(".") + [""])[1]


@pytest.mark.parametrize("name", [n for n in MODULES if n != TOP])
def test_a_floor_imports_only_those_below(name):
    allowed = {floor(name), *BELOW[floor(name)].split()}
    assert {m for m in ARROWS[name] if floor(m) not in allowed} == set()


def circles(arrows: dict[str, set[str]]) -> set[str]:
    """The modules on circles, or between two: what is left when ends are taken away."""
    left = {name: set(to) for name, to in arrows.items()}
    while True:
        aims = set().union(*left.values())
        ends = {n for n, to in left.items() if not to or n not in aims}
        if not ends:
            return set(left)
        left = {n: to - ends for n, to in left.items() if n not in ends}


def test_there_are_no_circles():
    assert circles(ARROWS) == set()


def test_the_rules_find_what_they_forbid():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}, "e": set()}) == {"b", "c"}
    nested = "def f():\n    from ..draw import graph\n    import tinygrad_rnn.nn.cell"
    assert imports(f"{TOP}.engine.ops", nested) == {f"{TOP}.draw.graph", f"{TOP}.nn.cell"}
    for_types = "if TYPE_CHECKING:\n    from ..draw import graph"
    assert imports(f"{TOP}.engine.ops", for_types) == set()
    assert imports(f"{TOP}.engine", "from . import ops") == {f"{TOP}.engine.ops"}
