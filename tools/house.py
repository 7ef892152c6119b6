"""Who imports whom in the package, and a picture of its floors: `house.py PICTURE.svg`.

tests/project/test_house.py holds the arrows to the rules; CONTRIBUTING.md shows the picture.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOP = "tinygrad_rnn"


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {dotted(p): p for p in sorted((ROOT / TOP).rglob("*.py"))}


def executed(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes, inside functions too, but not what only type checkers read."""
    ahead = [tree]
    while ahead:
        node = ahead.pop()
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node
            ahead += ast.iter_child_nodes(node)


@cache
def imports(name: str, text: str | None = None) -> set[str]:
    """The modules of this package that a module imports, by its own text or by another."""
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


def floor(name: str) -> str:
    """The part of the package a module is in: "nn" for tinygrad_rnn.nn.cells."""
    return [*name.split("."), ""][1]


def floors() -> dict[str, set[str]]:
    """Each folder of the package, and those it imports."""
    folders = {floor(name) for name, path in MODULES.items() if path.name == "__init__.py"} - {""}
    arrows: dict[str, set[str]] = {name: set() for name in folders}
    for name in MODULES:
        if floor(name) in folders:
            arrows[floor(name)] |= {floor(m) for m in imports(name)} & folders - {floor(name)}
    return arrows


def below(arrows: dict[str, set[str]], name: str) -> set[str]:
    """All floors under one, however far."""
    return arrows[name].union(*(below(arrows, m) for m in arrows[name]))


def draw_floors(picture: str) -> None:
    """Draw each floor over those right below it: an arrow that others make is left out."""
    from tinygrad_rnn.draw import Graph, GraphNode, draw

    arrows = floors()
    order = sorted(arrows, key=lambda name: (len(below(arrows, name)), name))
    nodes: list[GraphNode] = []
    for name in order:
        right = {m for m in arrows[name] if not any(m in below(arrows, o) for o in arrows[name])}
        parents = tuple(sorted(order.index(m) for m in right))
        nodes.append(GraphNode(len(nodes), None if not parents else name, parents, (), name=name))
    title = "The floors: each imports those it stands on"
    draw(Graph(nodes), title=title, legend=False).save(picture)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    draw_floors(sys.argv[1])
