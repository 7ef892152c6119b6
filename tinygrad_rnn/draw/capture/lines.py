"""Note which line of which function made each operation, for `run_to_graph` and `runs`.

While a function is traced, the lines that run are noted with every node: those of the reader's
code, and of the library's cells the innermost. The engine and what only calls it are left out.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from ...engine.context import Trace
from ...engine.node import Node
from ..graph import Graph
from .calls import CallStack
from .turn_counter import Pass, PassCounter

PACKAGE = __name__.partition(".")[0]
BELOW = tuple(f"{PACKAGE}.{floor}" for floor in ("engine", "functions", "draw", "linalg"))
LIBRARY = str(Path(__file__).parents[2])
LONGEST = 400  # lines of a function that are kept

Line = tuple[CodeType, int]
Chain = tuple[Line, ...]  # the innermost first


class LinedTrace(Trace):
    """Trace, and know for each operation which lines were running."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[Node, Chain] = {}
        self.passes: dict[Node, tuple[Pass, ...]] = {}
        self.stack = CallStack()
        self._known: dict[Chain, Chain] = {}
        self._counter = PassCounter()
        self._caller = sys._getframe(1).f_code  # what calls the traced function

    def add(self, node: Any) -> None:
        super().add(node)
        if node.op is not None:
            frames = running_frames(self._caller)
            chain = running_lines(frames)
            self.lines[node] = self._known.setdefault(chain, chain)
            outer_first = [(frame, not module) for frame, module in reversed(frames)]
            self.passes[node] = self._counter.at(outer_first)
            self.stack.made[node] = self.stack.running


def running_frames(caller: CodeType) -> list[tuple[FrameType, str]]:
    """Return the functions that run, the innermost first, up to what calls the traced one.

    Each has the module of this library that it is of, "" where it is the reader's.
    """
    frames: list[tuple[FrameType, str]] = []
    frame = sys._getframe(1).f_back
    while frame is not None:
        if frame.f_code is caller:
            break
        module = frame.f_globals.get("__name__", "")
        own = module == PACKAGE or module.startswith(f"{PACKAGE}.")
        frames.append((frame, module if own else ""))
        frame = frame.f_back
    return frames


def running_lines(frames: list[tuple[FrameType, str]]) -> Chain:
    """Return the lines of the reader's functions, and the innermost of the library's models."""
    lines: list[Line] = []
    inside = False  # a line of the library is among them
    for frame, module in frames:
        if not module or not (inside or lines or module.startswith(BELOW)):
            lines.append((frame.f_code, frame.f_lineno))
            inside = bool(module)
    return tuple(lines)


def add_lines(graph: Graph, chains: dict[Node, Chain]) -> Graph:
    """Return the graph, changed in place, with the code that made it and each node's lines."""
    nodes = graph.live[0] if graph.live else ()
    met = [chains.get(node, ()) for node in nodes]
    places = _functions(graph, met)
    for made, chain in zip(graph.nodes, met, strict=False):
        lines = ((places[code], line) for code, line in chain if code in places)
        made.lines = tuple(dict.fromkeys(lines))  # a comprehension runs on a line of its function
    return graph


def _functions(graph: Graph, chains: Sequence[Chain]) -> dict[CodeType, int]:
    """Put the functions' text into the graph, outer ones first; return the place of each."""
    outer = (code for chain in chains for code, _ in reversed(chain))
    texts = {code: _text(code) for code in dict.fromkeys(outer)}
    known = {code: text for code, text in texts.items() if text is not None}
    # by the code's own lines: for an inner function inspect may find too many, such as in 3.13
    spans = {code: (code.co_firstlineno, _last_line(code)) for code in known}
    places: dict[CodeType, int] = {}
    for code in known:
        home = _enclosing(code, spans)
        if home not in places:
            places[home] = len(graph.code)
            first, lines = known[home]
            name = getattr(home, "co_qualname", home.co_name).replace("<locals>.", "")
            file = home.co_filename.replace("\\", "/").rpartition("/")[2]
            text = "\n".join(lines)
            made: dict[str, Any] = {"file": file, "name": name, "first": first, "text": text}
            if home.co_filename.startswith(LIBRARY):
                made["library"] = True
            graph.code.append(made)
        places[code] = places[home]
    return places


def _text(code: CodeType) -> tuple[int, list[str]] | None:
    """Return first line and lines of a function, None where its source is not to be had."""
    try:
        lines, first = inspect.getsourcelines(code)
    except (OSError, TypeError, SyntaxError, IndexError):
        return None
    if code.co_name.isidentifier() and not any(code.co_name in line for line in lines):
        return None  # "<string>" is what exec runs, and since 3.13 also the text after python -c
    return max(first, 1), [line.rstrip() for line in lines[:LONGEST]]


def _last_line(code: CodeType) -> int:
    """Return the last line of a function, the functions written in it included."""
    inner = (_last_line(part) for part in code.co_consts if isinstance(part, CodeType))
    return max(code.co_firstlineno, *(line or 0 for *_, line in code.co_lines()), *inner)


def _enclosing(code: CodeType, spans: dict[CodeType, tuple[int, int]]) -> CodeType:
    """Return the largest of the functions that a function is written in; often itself."""
    first, last = spans[code]
    around = {
        other: end - start
        for other, (start, end) in spans.items()
        if other.co_filename == code.co_filename and start <= first and last <= end
    }
    return max(around, key=around.__getitem__)


def line_of(error: BaseException) -> str:
    """Return `line 12 of file.py` where the reader's code raised, or ""."""
    found, trace = "", error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module != PACKAGE and not module.startswith(f"{PACKAGE}."):
            file = trace.tb_frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2]
            found = f"line {trace.tb_lineno} of {file}"
        trace = trace.tb_next
    return found
