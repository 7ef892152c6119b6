"""A scene painted with four kinds of strokes, for formats that are no text.

`paint` says what is where and in which colour; a brush only knows how its format makes a box,
a curve, a polygon and a line of text. So a new format is one small class.
"""

from __future__ import annotations

from typing import Protocol

from ..palette import BROKEN
from ..scene import Box, Frame, Point, Scene, Wire
from .svg import arrow


class Brush(Protocol):
    """What a format must be able to do; y points down, text stands on its base line."""

    def box(
        self, x: float, y: float, w: float, h: float, radius: float = 0.0, fill: str = "none",
        edge: str = "none", width: float = 0.8, dash: str = "",
    ) -> None: ...  # fmt: skip

    def curve(self, points: list[Point], colour: str, width: float, dash: str) -> None:
        """Draw a chain of cubic curves."""

    def polygon(self, corners: list[Point], colour: str) -> None: ...

    def text(
        self, x: float, y: float, text: str, size: float, anchor: str, colour: str, bold: bool
    ) -> None: ...


def paint(scene: Scene, brush: Brush) -> None:
    """Paint everything in the order of the SVG: what comes later lies above."""
    brush.box(0.0, 0.0, scene.width, scene.height, fill=scene.theme.paper)
    for frame in scene.frames:
        _frame(brush, frame, scene)
    for patch in scene.patches:
        brush.box(patch.x, patch.y, patch.w, patch.h, fill=patch.fill)
    for wire in scene.wires:
        _wire(brush, wire, scene)
    for box in scene.boxes:
        _box(brush, box, scene)
    for patch in scene.above:
        brush.box(patch.x, patch.y, patch.w, patch.h, fill=patch.fill)
    for words in scene.words:
        colour = scene.theme.faint if words.faint else scene.theme.ink
        brush.text(words.x, words.y, words.text, words.size, words.anchor, colour, words.bold)


def _frame(brush: Brush, frame: Frame, scene: Scene) -> None:
    step, theme = frame.kind == "step", scene.theme
    fill = {"step": theme.panel, "gate": theme.inner}.get(frame.kind, "none")
    dash = "4 3" if frame.kind == "band" else ""
    brush.box(frame.x, frame.y, frame.w, frame.h, 8.0 if step else 5.0, fill, theme.edge, 0.8, dash)
    size = 12.0 if step else 8.0
    x = frame.x + frame.w / 2 if frame.label_x is None else frame.label_x
    y = frame.y + (size + 2 if frame.label_top else frame.h - (8 if step else 4))
    brush.text(x, y, frame.label, size, "middle", theme.ink if step else theme.faint, False)


def _wire(brush: Brush, wire: Wire, scene: Scene) -> None:
    stroke = scene.scale.stroke(wire.norm)
    points, head = arrow(wire.points, stroke.width) if wire.arrow else (wire.points, [])
    brush.curve(points, stroke.colour, stroke.width, wire.dash or stroke.dash)
    if head:
        brush.polygon(head, stroke.colour)
    if stroke.broken:
        x, y = wire.points[len(wire.points) // 2]
        brush.text(x, y + 3, "✖", 10.0, "middle", BROKEN, False)


def _box(brush: Brush, box: Box, scene: Scene) -> None:
    theme = scene.theme
    fill = box.fill or theme.fills.get(box.role, theme.paper)
    edge = theme.param_edge if box.role == "param" else theme.ink
    radius = {"circle": box.w / 2, "round": 6.0}.get(box.shape, 0.0)
    left, top = box.x - box.w / 2, box.y - box.h / 2
    dash = "3 2" if box.shape == "dashed" else ""
    brush.box(left, top, box.w, box.h, radius, fill, edge, 1.6 if box.bold else 0.8, dash)
    high = box.size * 1.2
    first = box.y - box.lift + box.size * 0.35 - (len(box.lines) - 1) * high / 2
    for i, line in enumerate(box.lines):
        brush.text(box.x, first + i * high, line, box.size, "middle", theme.ink, False)
    if box.mark:
        x, y, size = box.corner
        brush.text(x, y, box.mark, size, "middle", BROKEN, False)
