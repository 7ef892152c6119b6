"""Paint a scene stroke by stroke, bottom first, for the brushes `svg`, `dot` and `tikz`.

`paint` says where every stroke goes and how it looks; a brush says how one format writes an area,
a curve, a polygon and a line of text. So every format shows the same picture, and a new format is
one class of seven short methods. Called by the renderers svg, dot and tikz.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from ..palette import BROKEN, Theme
from ..scene import Box, Frame, Patch, Point, Scene, Wire, Words

Part = Frame | Patch | Wire | Box | Words


@dataclass(frozen=True, slots=True)
class Look:
    """Say how an area is drawn; an empty fill or edge is left out, `dash` is an SVG dash list."""

    fill: str = ""
    edge: str = ""
    width: float = 0.8
    dash: str = ""
    radius: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text; y is its base line, `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    size: float
    anchor: str
    colour: str
    bold: bool = False


class Brush(Protocol):
    """Write strokes in one format; those between `begin` and `end` belong to one part."""

    def open(self, scene: Scene) -> None: ...
    def begin(self, part: Part) -> None: ...
    def area(self, x: float, y: float, w: float, h: float, look: Look) -> None: ...
    def curve(self, points: list[Point], colour: str, width: float, dash: str) -> None: ...
    def head(self, corners: list[Point], colour: str) -> None: ...
    def text(self, line: Line) -> None: ...
    def end(self) -> None: ...
    def close(self) -> str: ...


def paint(scene: Scene, brush: Brush) -> str:
    """Return the picture as text: what comes later lies above."""
    brush.open(scene)
    below: Iterable[Part] = chain(scene.frames, scene.patches, scene.wires)
    for part in chain(below, scene.boxes, scene.above, scene.words):
        brush.begin(part)
        PAINTERS[type(part)](part, scene, brush)
        brush.end()
    return brush.close()


def _frame(frame: Frame, scene: Scene, brush: Brush) -> None:
    step, theme = frame.kind == "step", scene.theme
    fill = {"step": theme.panel, "gate": theme.inner}.get(frame.kind, "")
    dash = "4 3" if frame.kind == "band" else ""
    look = Look(fill, theme.edge, 0.8, dash, 8.0 if step else 5.0)
    brush.area(frame.x, frame.y, frame.w, frame.h, look)
    if frame.label:
        size, below = (12.0, 8.0) if step else (8.0, 4.0)
        x = frame.x + frame.w / 2 if frame.label_x is None else frame.label_x
        y = frame.y + (size + 2 if frame.label_top else frame.h - below)
        colour = theme.ink if step else theme.faint
        brush.text(Line(x, y, frame.label, size, "middle", colour))


def _patch(patch: Patch, scene: Scene, brush: Brush) -> None:
    brush.area(patch.x, patch.y, patch.w, patch.h, Look(patch.fill))


def _wire(wire: Wire, scene: Scene, brush: Brush) -> None:
    stroke = scene.scale.stroke(wire.norm)
    points, head = arrow(wire.points, stroke.width) if wire.arrow else (wire.points, [])
    brush.curve(points, stroke.colour, stroke.width, wire.dash or stroke.dash)
    if head:
        brush.head(head, stroke.colour)
    if stroke.broken:
        x, y = wire.points[len(wire.points) // 2]
        brush.text(Line(x, y + 3, "✖", 10.0, "middle", BROKEN))


def _box(box: Box, scene: Scene, brush: Brush) -> None:
    radius = {"circle": box.w / 2, "round": 6.0}.get(box.shape, 0.0)
    dash = "3 2" if box.shape == "dashed" else ""
    fill, edge = colours(box, scene.theme)
    look = Look(fill, edge, 1.6 if box.bold else 0.8, dash, radius)
    brush.area(box.x - box.w / 2, box.y - box.h / 2, box.w, box.h, look)
    high = box.size * 1.2
    first = box.y - box.lift + box.size * 0.35 - (len(box.lines) - 1) * high / 2
    for i, line in enumerate(box.lines):
        if line:
            brush.text(Line(box.x, first + i * high, line, box.size, "middle", scene.theme.ink))
    if box.mark:
        x, y, size = box.corner
        brush.text(Line(x, y, box.mark, size, "middle", BROKEN))


def colours(box: Box, theme: Theme) -> tuple[str, str]:
    """Return fill and edge of a box: its own fill, else that of its role."""
    fill = box.fill or theme.fills.get(box.role, theme.paper)
    return fill, theme.param_edge if box.role == "param" else theme.ink


def _words(words: Words, scene: Scene, brush: Brush) -> None:
    colour = scene.theme.faint if words.faint else scene.theme.ink
    brush.text(Line(words.x, words.y, words.text, words.size, words.anchor, colour, words.bold))


PAINTERS: dict[type, Callable] = {
    Frame: _frame,
    Patch: _patch,
    Wire: _wire,
    Box: _box,
    Words: _words,
}


def arrow(points: list[Point], width: float) -> tuple[list[Point], list[Point]]:
    """Return a wire cut short at its end, and the corners of its arrow head, the tip first."""
    length, half = 4.6 + 0.9 * width, 1.9 + 0.6 * width
    (bx, by), (ex, ey) = points[-2], points[-1]
    far = math.hypot(ex - bx, ey - by) or 1.0
    ux, uy = (ex - bx) / far, (ey - by) / far
    px, py = ex - ux * length, ey - uy * length
    corners = [(ex, ey), (px - uy * half, py + ux * half), (px + uy * half, py - ux * half)]
    # the control point moves along, else the line would bend back inside the head
    start = points[:-2]
    return [*start, (bx - ux * length, by - uy * length), (px + ux, py + uy)], corners


def num(value: float) -> str:
    """Return a coordinate with one decimal, without a trailing .0 and without −0."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
