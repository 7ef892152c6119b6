"""Who may import whom: an upper floor knows the lower ones, never the other way, and no circles."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache

import pytest

from tools.house import MODULES, ROOT, TOP, floor, floors, imports

BELOW = {  # floor: the floors it may import
    "engine": "",
    "absent": "",
    "functions": "engine",
    "linalg": "engine functions absent",
    "init": "engine functions absent",
    "cuda": "engine",
    "optim": "engine functions absent",
    "nn": "engine functions init absent",
    "compile": "engine functions nn",
    "analysis": "engine functions nn",
    "autograd": "engine analysis",
    "draw": "engine functions init nn optim analysis",
    "files": "engine functions",
    "text": "engine functions",
    "exercises": "engine functions",
    "paper": "engine nn compile draw",
    "training": "engine functions init optim nn analysis compile draw files text",
    "tasks": "engine functions optim nn draw files text training",
}


TEXTS = {name: path.read_text(encoding="utf-8") for name, path in MODULES.items()}


@pytest.mark.parametrize("name", [n for n in MODULES if n != TOP])
def test_a_floor_imports_only_those_below(name):
    allowed = {floor(name), *BELOW[floor(name)].split()}
    assert {m for m in imports(name) if floor(m) not in allowed} == set()


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
    assert circles({name: imports(name) for name in MODULES}) == set()


def test_the_rules_find_what_they_forbid():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}, "e": set()}) == {"b", "c"}
    nested = "def f():\n    from ..draw import graph\n    import tinygrad_rnn.nn.cell"
    assert imports(f"{TOP}.engine.ops", nested) == {f"{TOP}.draw.graph", f"{TOP}.nn.cell"}
    for_types = "if TYPE_CHECKING:\n    from ..draw import graph"
    assert imports(f"{TOP}.engine.ops", for_types) == set()
    assert imports(f"{TOP}.engine", "from . import ops") == {f"{TOP}.engine.ops"}


# CONTRIBUTING is true
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TICKED = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", CONTRIBUTING, flags=re.DOTALL))
FILES = [t for t in TICKED if re.fullmatch(r"[\w/.]+/([\w.]*\.\w+)?", t)]


def place(name: str) -> list:
    """Where a file that CONTRIBUTING names may lie."""
    homes = (ROOT, ROOT / TOP, ROOT / "tests" / "differential")
    return [home / name for home in homes if (home / name).exists()]


@pytest.mark.parametrize("name", FILES)
def test_the_files_named_exist(name):
    assert place(name)


def test_the_answers_to_strangers_are_where_they_are_said_to_be():
    told = re.findall(r"`([\w/]+\.py)`: ((?:`\w+`(?: and )?)+)", CONTRIBUTING)
    answers = [(file, name) for file, names in told for name in re.findall(r"\w+", names)
               if name != "and"]  # fmt: skip
    assert len(answers) >= 7 and len(FILES) >= 15
    for file, name in answers:
        text = place(file)[0].read_text(encoding="utf-8")
        assert re.search(rf"^(def|class) {name}\b", text, re.MULTILINE), (file, name)


def test_the_map_shows_every_floor():
    picture = (ROOT / "tutorials" / "pictures" / "house.svg").read_text(encoding="utf-8")
    shown = set(re.findall(r">(\w+)</text>", picture))
    assert shown >= set(floors()), "run: make pictures"


# Names
def more_than_once(names: list[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


def test_no_two_modules_share_a_name():
    """A folder counts as its package: `draw/capture/` and a module `compile/capture.py` would."""
    names = [name.rpartition(".")[2] for name, path in MODULES.items() if path.stem != "__main__"]
    assert not more_than_once(names)


def test_no_two_classes_share_a_name():
    nodes = (node for text in TEXTS.values() for node in ast.parse(text).body)
    names = [node.name for node in nodes if isinstance(node, ast.ClassDef)]
    assert not more_than_once(names)


@cache
def quoted(name: str) -> set[str]:
    """The last words of the dotted names in a module's strings: "cell" of "..nn.cell"."""
    return set(re.findall(r'["\'](?:[\w.]*\.)?(\w+)["\']', TEXTS[name]))


def callers(name: str) -> set[str]:
    """The modules outside that import a module or a part of it, or load it by its name."""
    stem = name.rpartition(".")[2]
    parts = {m for m in MODULES if f"{m}.".startswith(f"{name}.")}
    return {m for m in MODULES if imports(m) & parts or stem in quoted(m)} - parts


def is_for_programs(name: str) -> bool:
    """Whether an `__init__` offers what a module defines, at once or later, or nobody needs it."""
    by = callers(name)
    return not by or any(MODULES[m].name in ("__init__.py", "later.py") for m in by)


@pytest.mark.parametrize("name", [n for n in MODULES if not n.endswith("__main__")])
def test_a_modules_first_line_says_its_idea_and_who_calls_it(name):
    """In at most two lines; a caller stands in backticks, users' programs are "programs"."""
    first = (ast.get_docstring(ast.parse(TEXTS[name])) or "").partition("\n\n")[0]
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", first))))
    by = {word for caller in callers(name) for word in caller.split(".")}
    assert len(first.split()) >= 4 and first.count("\n") <= 1, first
    assert words & by or ("programs" in first and is_for_programs(name)), (first, by)


def test_the_callers_of_a_module_are_found():
    assert f"{TOP}.nn.recurrent" in callers(f"{TOP}.nn.scan")
    assert f"{TOP}.exercises.registry" in callers(f"{TOP}.exercises.graphs")  # by import_module
    assert is_for_programs(f"{TOP}.nn.crf") and not is_for_programs(f"{TOP}.nn.shown")
