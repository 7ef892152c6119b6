"""The reference: one page per part of the public face, from its signatures and docstrings.

An example is the one in the docstring, else the one that `tutorials/site/examples.txt` keeps for
the name; tests run both.
"""

from __future__ import annotations

import importlib
import inspect
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import tinygrad_rnn

ROOT = Path(__file__).resolve().parents[2]
NAMES = ROOT / "tests" / "project" / "public_names.txt"
EXAMPLES = ROOT / "tutorials" / "site" / "examples.txt"
TITLES = {
    "engine.ops": "Primitives: each an operation with its gradient rules",
    "engine": "Tensors, graphs and gradients",
    "functions.elementwise": "Entry by entry",
    "functions.arithmetic": "Arithmetic",
    "functions.reductions": "Sums, means and other reductions",
    "functions.shapes": "Shapes",
    "functions.indexing": "Indexing",
    "functions.products": "Products",
    "functions.losses": "Losses",
    "functions.sampling": "Random Tensors",
    "functions": "Other functions",
    "analysis": "Derivatives and checks",
    "files": "Saving and loading",
    "exercises": "Exercises",
    "nn": "nn: cells, layers, losses",
    "optim": "optim: optimisers and schedules",
    "init": "init: starting values",
    "draw": "draw: pictures of graphs",
    "compile": "compile: fast loops",
    "analysis.microscope": "microscope: BPTT step by step",
    "paper": "paper: a cell as the paper has it, in letters and single numbers",
    "text": "text: vocabularies and batches",
    "training": "training: the loop and its curves",
}
INTRODUCTION = """\
Everything public, with its signature and what `help()` says of it. In the examples `t` is
`tinygrad_rnn`, and `nn` and `optim` are `t.nn` and `t.optim`."""


def part(line: str) -> str:
    """Return the page of a public name: its module, and for a top-level one where it is made."""
    module, _, name = line.rpartition(".")
    if module != "tinygrad_rnn":
        return module.removeprefix("tinygrad_rnn.")
    made = getattr(getattr(tinygrad_rnn, name), "__module__", "")
    home = made.removeprefix("tinygrad_rnn.")
    homes = [title for title in TITLES if home == title or home.startswith(f"{title}.")]
    return max(homes, key=len, default="functions")


@cache
def examples() -> dict[str, str]:
    """Return the example kept for each name that has none in its docstring."""
    text = EXAMPLES.read_text(encoding="utf-8").split("\n\n", 1)[1]
    blocks = [block.split("\n", 1) for block in text.strip().split("\n\n")]
    return dict(blocks)


def entry(line: str) -> str:
    """Return the reStructuredText of one public name: what autodoc says, and an example."""
    module, _, name = line.rpartition(".")
    thing = getattr(importlib.import_module(module), name)
    directive, options = "autodata", "   :no-value:\n"
    if inspect.isclass(thing):
        directive, options = "autoclass", "   :members:\n"
    elif callable(thing):
        directive, options = "autofunction", ""
    shown = examples().get(line, "").replace("\n", "\n   ")
    example = f"\n   {shown}\n" if shown else ""
    if module != "tinygrad_rnn" and getattr(tinygrad_rnn, name, None) is thing:
        options += "   :no-index:\n"  # it is described among the names at the top
    return f".. {directive}:: {line}\n{options}{example}\n"


def page(where: str, lines: list[str]) -> str:
    """Return one page of the reference."""
    title = TITLES.get(where, where)
    head = f"{title}\n{'=' * len(title)}\n\n.. currentmodule:: tinygrad_rnn\n\n"
    return head + "\n".join(entry(line) for line in lines)


def pages() -> Iterator[tuple[str, str]]:
    """Yield (file, text) of every page of the reference, and of the page that lists them."""
    parts = defaultdict(list)
    for line in NAMES.read_text(encoding="utf-8").split():
        parts[part(line)].append(line)
    listed = sorted(parts, key=[*TITLES, *parts].index)
    for where in listed:
        yield f"reference/{where}.rst", page(where, parts[where])
    tree = "\n".join(["```{toctree}", ":maxdepth: 1", "", *listed, "```"])
    yield "reference/index.md", f"# Reference\n\n{INTRODUCTION}\n\n{tree}\n"
