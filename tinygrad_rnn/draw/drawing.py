"""Make the drawing of whatever x is; programs call it as `draw(x)`, the command from `cli`.

x is a Tensor (or several), a function that returns one, or a Graph. No `.grad` changes. A
function is run once, with its backward pass; of a Tensor whose backward pass was not recorded
(`backward(record="norm")`), gradients are shown as absent.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..engine.atomic_write import atomic_write
from ..engine.tensor import Tensor
from ..nn import Cell, Recurrent
from . import labels
from .capture.programs import compiled_graphs, is_compiled
from .capture.run_to_graph import check_result, graph_of, run
from .capture.runs import graph_of_run
from .capture.sources import layer_graph
from .capture.variables import named
from .draw_error import TOO_LARGE, USER_CODE, DrawError
from .graph import Graph
from .layout.architectures import is_architecture
from .layout.dot_recipe import dot_text
from .render import graphviz
from .render.dot import positioned
from .render.mermaid import MERMAID_EDGES, mermaid
from .render.svg import svg
from .render.table import table
from .render.tikz import tikz
from .scene import Scene
from .settings import Settings
from .views import VIEWS, prepared, scene_of, view_of

FORMATS = ("svg", "html", "dot", "mermaid", "tikz", "json", "txt")  # the others are Graphviz's
SUFFIXES = {"mmd": "mermaid", "mermaid": "mermaid", "tex": "tikz", "gv": "dot", "htm": "html"}


class Drawing:
    """A picture of one or more graphs; `said` has the remarks, `code` what a command exits with."""

    def __init__(self, graphs: Sequence[Graph], settings: Settings | None = None) -> None:
        self.graphs = list(graphs)
        self.settings = settings or Settings()
        self.code = 0
        self.error: BaseException | None = None
        self._scene: Scene | None = None

    @property
    def graph(self) -> Graph:
        return self.graphs[0]

    @property
    def said(self) -> list[str]:
        """Return what was decided instead of the wish, for the reader to know."""
        return self.settings.said

    @property
    def scene(self) -> Scene:
        if self._scene is None:
            self._scene = scene_of(self.graphs, self.settings)
        return self._scene

    @property
    def svg(self) -> str:
        return self._laid_out("svg").decode() if self._lays_out() else svg(self.scene)

    @property
    def html(self) -> str:
        """Return the player: one page that needs no network."""
        from .player.page import PlayerError, model, player

        try:
            return player([model(graph) for graph in self.graphs], self.settings.title)
        except PlayerError as error:
            raise DrawError(str(error), TOO_LARGE) from error

    @property
    def dot(self) -> str:
        """Return DOT: with the positions of the SVG, else for `dot` to lay out by itself."""
        return positioned(self.scene) if self.settings.positions else self._unplaced()

    def _unplaced(self) -> str:
        graph = prepared(self.graph, self.settings)
        if view_of(graph, self.settings) == "gate":
            from .transform.fold import to_gates

            graph = to_gates(graph)
        chips = self.settings.params != "once"
        return dot_text(graph, self.settings.palette, self.settings.theme, chips)

    def graphviz(self) -> Any:
        """Return the DOT as a `graphviz.Source` of the package graphviz (extra `viz`), which has
        every format of Graphviz; rendering it needs the program `dot`."""
        import graphviz

        return graphviz.Source(self.dot)

    @property
    def mermaid(self) -> str:
        """Return a Mermaid flow chart; of cells where all nodes would be too many for it."""
        from .transform.fold import to_cells

        graph = prepared(self.graph, self.settings)
        if sum(1 for _ in graph.edges()) > MERMAID_EDGES:
            self.said.append("Mermaid ends at 500 edges: wrote cell level instead")
            graph = to_cells(graph)
        return mermaid(graph)

    @property
    def tikz(self) -> str:
        return tikz(self.scene)

    @property
    def text(self) -> str:
        """Return the table of all nodes: step, op, name, shape, ‖v‖, ‖g‖."""
        return "\n".join(table(graph) for graph in self.graphs)

    @property
    def json(self) -> str:
        return self.graph.to_json()

    def encoded(self, format: str) -> bytes:
        """Return the drawing in one of `FORMATS`, or in one that Graphviz has."""
        if format not in FORMATS:
            return self._picture(format)
        self._say_ignored(format)
        text = str(getattr(self, {"txt": "text"}.get(format, format)))
        if self.settings.ascii and format in ("dot", "mermaid", "txt"):
            text = labels.ascii_only(text)
        return text.encode("utf-8", "replace")

    def _say_ignored(self, format: str) -> None:
        """Say which wishes a format has no place for."""
        view, engine = self.settings.view, self.settings.engine
        laid_out = format in ("svg", "tikz") or format == "dot" and self.settings.positions
        if view == "table" and format != "txt":
            self.said.append(f"--view table is text: the {format} is drawn as without it; use .txt")
        elif view not in _shown_by(format, laid_out) and not is_architecture(self.graph):
            self.said.append(f"--view {view} does nothing in {format}; use .svg, .tex or .dot")
        if self._lays_out() and format not in ("svg", "dot"):
            self.said.append(f"--engine {engine} does nothing in {format}; use .svg or .png")

    def save(self, path: str | Path, format: str | None = None) -> Path:
        """Write the drawing to a file, whole or not at all; the suffix says the format."""
        path = Path(path)
        write(path, self.encoded(format or format_of(path)))
        return path

    def explore(self, height: int = 640) -> Any:
        """Return the player for a notebook cell, in a frame of its own."""
        from .notebook import NotebookFrame

        return NotebookFrame(self.html, height)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Return what a notebook shows: inline SVG keeps tool tips, the table is for reading."""
        picture = self.svg
        inline = f'<div style="overflow-x:auto">{picture}</div>'  # wide pictures scroll
        return {"text/html": inline, "image/svg+xml": picture, "text/plain": self.text}

    def __repr__(self) -> str:
        return f"<Drawing of {self.graph.title or 'a graph'}: {len(self.graph)} nodes>"

    def __str__(self) -> str:
        return self.text

    # -- Graphviz

    def _lays_out(self) -> bool:
        """Return whether Graphviz was asked for a layout of its own."""
        return self.settings.engine in graphviz.ENGINES

    def _picture(self, format: str) -> bytes:
        """Return the drawing in a format of Graphviz; PNG by resvg_py where that is missing."""
        if format not in graphviz.formats():
            known = ", ".join((*FORMATS, *graphviz.PICTURES))
            raise DrawError(f"unknown format '{format}'; formats: {known}")
        if self._lays_out():
            return self._laid_out(format)
        wide = max(self.scene.width, self.scene.height) * graphviz.POINT
        if format == "png" and wide > self.settings.max_px:
            raise DrawError(
                f"PNG would be {wide:,.0f} px wide (limit {self.settings.max_px:,}). "
                "Use --wrap 10, --elide 3,3 or -o x.svg",
                TOO_LARGE,
            )
        bare = self.settings.engine == "builtin" or not graphviz.here()
        image = graphviz.png_of(svg(self.scene)) if bare and format == "png" else None
        return image or graphviz.drawn(positioned(self.scene), format)

    def _laid_out(self, format: str) -> bytes:
        """Return what Graphviz lays out by itself; ours instead where that takes too long."""
        settings = self.settings
        try:
            return graphviz.drawn(self._unplaced(), format, settings.engine, settings.timeout)
        except graphviz.TookTooLong:
            self.said.append(_too_slow(self.graph, settings))
        settings.engine = "auto"
        return self.encoded(format)


def _shown_by(format: str, laid_out: bool) -> tuple[str, ...]:
    """Return the views that a format can show."""
    whole = ("auto", "op", "table")
    return ("auto", *VIEWS) if laid_out else (*whole, "gate", "cell") if format == "dot" else whole


def _too_slow(graph: Graph, settings: Settings) -> str:
    shared = [len(uses) for uses in graph.param_uses.values()]
    return (
        f"{settings.engine} did not finish in {settings.timeout:.0f} s ({len(graph):,} nodes, "
        f"{len(shared)} parameters shared by {max(shared, default=0)} steps each). "
        "Falling back to the builtin layout; use --params chips."
    )


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; a DrawError says why not."""
    try:
        atomic_write(path, data)
    except OSError as error:
        raise DrawError(f"cannot write {path}: {error.strerror}") from error


def format_of(path: Path) -> str:
    """Return the format that a file's suffix means; a DrawError when it means none."""
    suffix = path.suffix.lstrip(".").lower()
    format = SUFFIXES.get(suffix, suffix)
    if format not in FORMATS and format not in graphviz.formats():
        known = ", ".join(f".{name}" for name in (*FORMATS, *graphviz.PICTURES))
        raise DrawError(f"cannot tell the format of '{path}'; suffixes: {known}, .tex")
    return format


def draw(x: Any, view: str = "auto", against: Any = None, **wishes: Any) -> Drawing:
    """Return the drawing of a Tensor, of several, of a function, or of a Graph.

    `view` is one of auto, rolled, cell, gate, op, flow, params, backward, diff, table; `wishes`
    are the fields of `Settings`. A function that raises is drawn as far as it came.
    """
    known = {f.name for f in fields(Settings)}
    unknown = sorted(set(wishes) - known)
    if unknown:
        raise DrawError(f"draw() has no option '{unknown[0]}'; options: {', '.join(sorted(known))}")
    names = named(sys._getframe(1).f_locals)
    settings = Settings(view=view, **wishes)
    made = [_drawn(one, names) for one in ([x] if against is None else [x, against])]
    drawing = Drawing([graph for graph, _ in made], settings)
    drawing.error = next((error for _, error in made if error is not None), None)
    if drawing.error is not None:
        drawing.code = USER_CODE
        drawing.said.extend(drawing.graph.notes[-1:])
    return drawing


def _drawn(x: Any, names: dict[Any, str]) -> tuple[Graph, BaseException | None]:
    if isinstance(x, Graph):
        return x.validate(), None
    if is_compiled(x):
        return list(compiled_graphs(x).values())[-1], None
    if isinstance(x, (Cell, Recurrent)):
        return layer_graph(x, type(x).__name__)
    if callable(x) and not isinstance(x, Tensor):
        title = str(getattr(x, "__name__", type(x).__name__))
        return graph_of_run(run(x), "" if title == "<lambda>" else title, names)
    return graph_of(check_result(x), names), None
