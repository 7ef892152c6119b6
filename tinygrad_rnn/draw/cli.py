"""Draw from the command line: one source in, files out, an exit code; `__main__` calls it.

0 all is well · 2 bad arguments · 3 no renderer · 4 too large · 5 the drawn code raised (what came
before it is drawn all the same). A file is written whole or not at all.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ..engine.command_line import complain, run_command
from .capture.models import CELLS, Sizes
from .capture.sources import MOST_STEPS, near, of_cell, of_source
from .command_options import add_arguments
from .draw_error import BAD_ARGUMENTS, USER_CODE, DrawError
from .drawing import Drawing, format_of, write
from .layout import architectures
from .settings import Settings

PROGRAM = "draw_graph"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise DrawError(message)

    def _print_message(self, message: str, file: Any = None) -> None:
        if (file or sys.stderr) is not None:  # Python 3.10 would write on None where there is none
            super()._print_message(message, file)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    made = _Parser(prog=PROGRAM, description="Draw the graph of a program, unrolled in time.")
    add_arguments(made)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    collects = gc.isenabled()
    gc.disable()  # a graph is large, kept to the end, and no garbage: looking for some takes long
    try:
        return run_command(lambda: _told(arguments), PROGRAM)
    finally:
        if collects:
            gc.enable()


def _told(arguments: Sequence[str] | None) -> int:
    try:
        return _run(parser().parse_args(arguments))
    except DrawError as error:
        say(str(error))
        return error.code


def say(text: str) -> None:
    complain(PROGRAM, text)


def _run(args: argparse.Namespace) -> int:
    _check(args)
    outputs = [
        (path, args.format or format_of(Path(path))) for path in _outputs(args) if path != "-"
    ]
    drawing = _drawing(args)
    if args.list_ops:
        return _list_ops(drawing)
    if args.check:
        return _check_graph(drawing)
    failed = _write_all(drawing, outputs)
    if "-" in args.output:
        data = drawing.encoded(args.format or "svg")
        if sys.stdout is None:
            raise DrawError("cannot write to stdout: it is closed")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    if args.dump_json:
        drawing.save(args.dump_json, "json")
    for line in dict.fromkeys(drawing.said):
        say(line)
    if args.open and outputs:
        import webbrowser  # takes long to load, and is seldom asked for

        webbrowser.open(Path(outputs[0][0]).resolve().as_uri())
    return failed or drawing.code


def _write_all(drawing: Drawing, outputs: list[tuple[str, str]]) -> int:
    """Write every file that can be written; return the code of the first that cannot, or 0."""
    failed = 0
    for path, format in outputs:
        try:
            write(Path(path), drawing.encoded(format))
        except DrawError as error:
            say(str(error))
            failed = failed or error.code
    return failed


def _outputs(args: argparse.Namespace) -> list[str]:
    """Return the files to write; without any, the table goes to stdout."""
    if not args.output and not (args.list_ops or args.check or args.dump_json):
        args.output = ["-"]
        args.format = args.format or "txt"
    return args.output


def _check(args: argparse.Namespace) -> None:
    sources = [s for s in (args.source, args.cell, args.arch, args.from_json) if s]
    both = bool(args.cell and args.arch and len(sources) == 2)
    if len(sources) != 1 and not both:
        raise DrawError(
            "give one source: file.py:function, module:object, graph.json, --cell or --arch"
        )
    if args.cell and args.cell not in CELLS:
        raise DrawError(f"unknown cell '{args.cell}'{near(args.cell, CELLS)}")
    if args.arch and args.arch not in architectures.NAMES:
        raise DrawError(f"unknown architecture '{args.arch}'{near(args.arch, architectures.NAMES)}")
    for name in ("steps", "layers", "hidden", "input", "batch"):
        if getattr(args, name) < 1:
            raise DrawError(f"--{name} must be at least 1, got {getattr(args, name)}")
    if args.steps > MOST_STEPS:
        raise DrawError(f"--steps must be at most {MOST_STEPS:,}, got {args.steps:,}")


def _settings(args: argparse.Namespace) -> Settings:
    """Return the options that are wishes; the others say what is drawn, and to where."""
    wishes = {f.name: getattr(args, f.name) for f in fields(Settings) if hasattr(args, f.name)}
    wishes["fold"], wishes["collapse"] = tuple(args.fold), tuple(args.collapse)
    if args.wrap is None:
        wishes["wrap"] = 4 if args.palette == "print" else 0
    return Settings(**wishes)


def _drawing(args: argparse.Namespace) -> Drawing:
    settings = _settings(args)
    if args.arch:
        return _architecture(args, settings)
    sizes = Sizes(
        args.steps, args.hidden, args.input, args.batch, args.layers, args.seed, args.loss
    )
    found = [of_cell(args.cell, sizes) if args.cell else of_source(_source(args), sizes)]
    if args.against:
        known = args.against in CELLS
        found.append(of_cell(args.against, sizes) if known else of_source(args.against, sizes))
    drawing = Drawing([graph for graph, _ in found], settings)
    for graph, error in found:
        if error is not None:
            drawing.error, drawing.code = error, USER_CODE
            drawing.said.extend(graph.notes[-1:])
    return drawing


def _source(args: argparse.Namespace) -> str:
    return str(args.from_json or args.source)


def _architecture(args: argparse.Namespace, settings: Settings) -> Drawing:
    """Return one of the five architectures; there is no computation in it."""
    cell = {"brnn": "RNN", "deep": "RNN"}.get(args.cell or "rnn", (args.cell or "rnn").upper())
    graph = architectures.arch_graph(args.arch, min(args.steps, 200), cell)
    view = "arch" if settings.view == "auto" else settings.view
    return Drawing([graph], replace(settings, view=view))


def _list_ops(drawing: Drawing) -> int:
    counts = Counter(node.op or node.role for node in drawing.graph.nodes)
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        print(f"{count:8,}  {name}")
    return drawing.code


def _check_graph(drawing: Drawing) -> int:
    """Print what was checked; 1 when the contributions of a parameter miss its gradient."""
    graph = drawing.graph.validate()
    print(f"{len(graph):,} nodes, ids dense, parents before children")
    worst = [(n.grad["check"], n.name) for n in graph.nodes if n.grad and "check" in n.grad]
    for difference, name in worst:
        print(f"Σₜ contributions = {name}.grad (max diff {difference:.0e})")
    return BAD_ARGUMENTS if any(not d < 1e-4 for d, _ in worst) else drawing.code
