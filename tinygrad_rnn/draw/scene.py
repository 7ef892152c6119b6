"""Hold a laid-out picture: boxes, wires, frames, words; `layout` makes it, `render` reads it.

Layouts make scenes, renderers read them, and neither knows the other. A wire is a chain of
cubic curves (first point, then three points a curve), the form that SVG, PDF, TikZ and
Graphviz share.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .palette import Scale, Theme

Point = tuple[float, float]


@dataclass(slots=True)
class Box:
    """One drawn node; `x, y` is its centre, `shape` one of round, circle, square, dashed."""

    x: float
    y: float
    w: float
    h: float
    lines: tuple[str, ...]
    shape: str = "round"
    role: str = "op"
    node: int | None = None
    title: str = ""
    size: float = 10.0
    bold: bool = False
    mark: str = ""
    fill: str | None = None
    lift: float = 0.0  # how much higher than the middle the text stands

    @property
    def corner(self) -> tuple[float, float, float]:
        """Return where a mark stands, and its size: beside a chip, which has no room inside."""
        right, top = self.x + self.w / 2, self.y - self.h / 2
        return (right + 4.0, top + 3.0, 9.0) if self.shape == "dashed" else (right, top + 4.0, 13.0)


@dataclass(slots=True)
class Wire:
    """One drawn edge of the graph; `edge` is (child, slot), `norm` what flowed along it."""

    points: list[Point]
    edge: tuple[int, int] | None = None
    norm: float | None = None
    arrow: bool = True
    title: str = ""
    dash: str = ""


@dataclass(slots=True)
class Frame:
    """A rectangle behind others: a time step, a layer or a gate, with its label."""

    x: float
    y: float
    w: float
    h: float
    label: str = ""
    kind: str = "step"
    label_x: float | None = None
    label_top: bool = False


@dataclass(slots=True)
class Words:
    """Free text; `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    size: float = 10.0
    anchor: str = "start"
    bold: bool = False
    faint: bool = False


@dataclass(slots=True)
class Patch:
    """A filled rectangle without an outline: a bar, a cell of a strip."""

    x: float
    y: float
    w: float
    h: float
    fill: str
    title: str = ""


@dataclass(slots=True)
class Scene:
    """A whole picture; `folded` lists the edges left out of it, `notes` what to tell."""

    theme: Theme
    scale: Scale
    title: str = ""
    width: float = 0.0
    height: float = 0.0
    boxes: list[Box] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)
    above: list[Patch] = field(default_factory=list)  # drawn over the boxes
    folded: set[tuple[int, int]] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    description: str = ""
    legend: bool = True

    def move(self, dx: float, dy: float) -> None:
        """Move everything, and grow by as much."""
        for box in self.boxes:
            box.x, box.y = box.x + dx, box.y + dy
        for wire in self.wires:
            wire.points = [(x + dx, y + dy) for x, y in wire.points]
        for words in self.words:
            words.x, words.y = words.x + dx, words.y + dy
        for patch in (*self.patches, *self.above):
            patch.x, patch.y = patch.x + dx, patch.y + dy
        for frame in self.frames:
            frame.x, frame.y = frame.x + dx, frame.y + dy
            frame.label_x = None if frame.label_x is None else frame.label_x + dx
        self.width, self.height = self.width + dx, self.height + dy


def curve(points: list[Point]) -> list[Point]:
    """Return a smooth wire through way-points: vertical at each, slanted at its two ends."""
    path = [points[0]]
    last = len(points) - 2
    for i, ((x0, y0), (x1, y1)) in enumerate(zip(points, points[1:], strict=False)):
        bend, slant = 0.4 * (y1 - y0), 0.3 * (x1 - x0)
        near = abs(x1 - x0) <= abs(y1 - y0)
        out = slant if i == 0 and near else 0.0
        back = slant if i == last and near else 0.0
        path += [(x0 + out, y0 + bend), (x1 - back, y1 - bend), (x1, y1)]
    return path


def elbow(points: list[Point], radius: float = 5.0) -> list[Point]:
    """Return a wire of straight pieces through `points` with rounded corners."""
    path = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        first, second = _toward(corner, before, radius), _toward(corner, after, radius)
        path += [*_straight(path[-1], first), first]
        path += [_mix(first, corner, 0.55), _mix(second, corner, 0.55), second]
    path += [*_straight(path[-1], points[-1]), points[-1]]
    return path


def _straight(a: Point, b: Point) -> list[Point]:
    return [_mix(a, b, 1 / 3), _mix(a, b, 2 / 3)]


def _mix(a: Point, b: Point, part: float) -> Point:
    return (a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part)


def _toward(start: Point, end: Point, distance: float) -> Point:
    """Return the point `distance` from start towards end, half-way at most."""
    length = abs(end[0] - start[0]) + abs(end[1] - start[1])
    return _mix(start, end, min(0.5, distance / length) if length else 0.0)
