"""List the arguments of the command for `cli`: a sentence, a default, an example each."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from .capture.models import CELLS
from .layout import architectures
from .palette import PALETTES, THEMES
from .render.graphviz import ENGINES
from .transform.fold import LEVELS
from .views import VIEWS

Argument = tuple[str, dict[str, Any], str, str]  # flag, options, sentence, example
LIST: dict[str, Any] = {"action": "append", "default": []}
SWITCH: dict[str, Any] = {"action": argparse.BooleanOptionalAction, "default": True}
FLAG: dict[str, Any] = {"action": "store_true"}


def one_of(*choices: str) -> dict[str, Any]:
    return {"choices": choices, "default": choices[0]}


def number(default: int) -> dict[str, Any]:
    return {"type": int, "default": default}


CELL = f"a cell of the book over random data: {', '.join(CELLS)}"
ARCH = f"an architecture: {', '.join(architectures.NAMES)}"
WHAT: tuple[Argument, ...] = (
    ("--cell", {}, CELL, "gru"),
    ("--arch", {}, ARCH, "many-to-one"),
    ("--from-json", {"metavar": "FILE"}, "a graph that --dump-json wrote", "lstm.json"),
    ("--against", {"metavar": "SOURCE"}, "a second model, for flow and diff", "mine.py:f"),
    ("--steps", number(3), "time steps; drawn functions may ask for these by name", "30"),
    ("--layers", number(1), "cells on top of each other", "2"),
    ("--hidden", number(4), "units of a state", "8"),
    ("--input", number(3), "features of an input", "5"),
    ("--batch", number(1), "sequences at once", "2"),
    ("--seed", number(0), "what the random numbers start from", "7"),
    ("--loss", one_of("all", "last"), "which steps have a loss", "last"),
)
HOW: tuple[Argument, ...] = (
    ("--view", one_of("auto", *VIEWS), "what is shown, see below; auto goes by size", "cell"),
    ("--fold", LIST | {"choices": sorted(LEVELS)}, "each of these becomes one box", "gate"),
    ("--expand", {"default": "", "metavar": "TERMS"}, "what --fold and --view gate leave open",
     '"t=1,2,-1 gate=forget"'),
    ("--collapse", LIST | {"metavar": "WHERE"}, "fold what lies there: names of scopes, layers, "
     "modules or operations, with * for any, `in` for inside and key=value",
     '"softmax in decoder"'),
    ("--elide", {"default": "auto", "metavar": "K1,K2"}, "steps kept at both ends, or none", "2,2"),
    ("--wrap", {"type": int, "metavar": "N"}, "steps per row; 4 with --palette print", "10"),
    ("--grad", one_of("norm", "none", "maxabs", "ratio"), "what colours a wire: the norm of the "
     "gradient, its largest entry, or its ratio to the gradient above", "ratio"),
    ("--values", one_of("none", "shape", "stats", "full"), "written beside nodes: shapes on the "
     "wires, B×4H, once for steps alike; norms; norms and small heat maps", "shape"),
    ("--params", one_of("chips", "shelf", "once"), "a chip per use, or a list below", "shelf"),
    ("--engine", one_of("auto", "builtin", *ENGINES), "who lays out; others are Graphviz's", "dot"),
    ("--max-px", number(16_000), "the widest PNG", "30000"),
    ("--timeout", {"type": float, "default": 30.0}, "seconds that Graphviz may lay out", "120"),
    ("--palette", one_of(*PALETTES), "colours of gradients", "print"),
    ("--theme", one_of(*THEMES), "colours of the page", "dark"),
    ("--ascii", FLAG, "plain letters only", ""),
    ("--title", {}, "a title instead of the source's name", '"my cell"'),
    ("--legend", SWITCH, "explain colours and boxes below the picture", ""),
    ("--force", FLAG, "allow what --params once refuses", ""),
)  # fmt: skip
MORE: tuple[Argument, ...] = (
    ("--format", {"metavar": "NAME"}, "instead of what the suffix says", "svg"),
    ("--positions", SWITCH, "DOT with the places of the SVG; without, dot lays out", ""),
    ("--dump-json", {"metavar": "FILE"}, "write the graph, for --from-json", "lstm.json"),
    ("--open", FLAG, "show the first file written", ""),
    ("--list-ops", FLAG, "count the operations and stop", ""),
    ("--check", FLAG, "check the graph and its sums and stop", ""),
)
GROUPS = {"what to draw": WHAT, "how to draw it": HOW, "more": MORE}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the source, the outputs and all options, and a line per view below them."""
    parser.add_argument("source", nargs="?", help="file.py:function, module:object or graph.json")
    output = "where to, again and again; - is stdout; the suffix says the format. Example: -o x.svg"
    parser.add_argument("-o", "--output", metavar="FILE", help=output, **LIST)
    for title, arguments in GROUPS.items():
        group = parser.add_argument_group(title)
        for flag, options, sentence, example in arguments:
            told = ". ".join([_with_default(sentence, options), *_example(flag, example)])
            group.add_argument(flag, help=told.replace("%", "%%"), **options)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "views:\n" + "\n".join(f"  {name:9} {told}" for name, told in VIEWS.items())


def _with_default(sentence: str, options: dict[str, Any]) -> str:
    default = options.get("default")
    unsaid = default is None or default is True or default in ([], "")
    return sentence if unsaid else f"{sentence} (default {default})"


def _example(flag: str, example: str) -> Iterator[str]:
    if example:
        yield f"Example: {flag} {example}"
