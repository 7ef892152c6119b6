"""Draw lines, maps of weights and pictures as SVG for `result_page` and the tasks, all with title,
axes and legend."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..draw.escapes import xml
from ..draw.labels import width
from ..draw.palette import LIGHT
from ..draw.render.svg import FONT

COLOURS = ("#00224e", "#d55e00", "#009e73", "#8a8678", "#5a3d99", "#b8860b")
DASHES = ("", "6 3", "2 2", "8 3 2 3", "", "6 3")  # told apart without colour too
LEFT, TOP, RIGHT, BOTTOM = 62, 34, 16, 44
BAR = 102  # of 24 shades, beside which the legend stands
Line = tuple[Any, Any]  # xs and ys, sequences or arrays of numbers


def lines(title: str, x_label: str, y_label: str, curves: Mapping[str, Line], *,
          log: bool = False, wide: int = 640, high: int = 300,
          dots: Sequence[str] = ()) -> str:  # fmt: skip
    """Return curves over one pair of axes; each name in `curves` is what the legend says."""
    kept = {name: finite(curve, log) for name, curve in curves.items()}
    kept = {name: curve for name, curve in kept.items() if len(curve[0])}
    xs = [x for curve in kept.values() for x in curve[0]] or [0.0, 1.0]
    ys = [y for curve in kept.values() for y in curve[1]] or [1.0, 10.0]
    frame = _Frame(title, wide, high + 18 * len(kept), 18 * len(kept))
    across = _Scale(min(xs), max(xs), LEFT, wide - RIGHT, False)
    up = _Scale(min(ys), max(ys), high - BOTTOM, TOP, log)
    frame.axes(across, up, x_label, y_label)
    for k, (name, curve) in enumerate(kept.items()):
        points = list(zip(map(across, curve[0]), map(up, curve[1])))
        frame.curve(points, COLOURS[k % 6], DASHES[k % 6], name in dots)
        frame.key(k, high + 18 * k + 4, name, name in dots)
    return frame.text()


def finite(curve: Line, log: bool) -> Line:
    """Return the points of a curve that can be drawn, at most some six hundred of them."""
    pairs = [(x, y) for x, y in zip(*curve) if math.isfinite(y) and (y > 0 or not log)]
    few = pairs[:: max(1, len(pairs) // 600)]
    return [float(x) for x, _ in few], [float(y) for _, y in few]


def heat(title: str, x_label: str, y_label: str, table: Any, columns: Sequence[str],
         rows: Sequence[str], unit: str, *, cell: int = 22) -> str:  # fmt: skip
    """Return a table (rows, columns) as squares from pale (least) to dark (most)."""
    table = np.asarray(table, float)
    left = 40 + 7 * max(map(len, [*rows, "··"]))
    low, high = float(table.min(initial=0)), float(table.max(initial=0)) or 1.0
    wide = left + cell * len(columns) + max([RIGHT, *(width(c, 11) / 2 for c in columns[-1:])])
    bottom = TOP + cell * len(rows)
    frame = _Frame(title, _room(title, wide, left + _legend(low, high, unit)), bottom + 88, 0)
    for (r, c), value in np.ndenumerate(table):
        shade = pale_to_dark((value - low) / (high - low))
        told = f"{y_label} {rows[r]}, {x_label} {columns[c]}: {value:.3g}"
        frame.square(left + cell * c, TOP + cell * r, cell, cell, shade, told)
    for c, name in enumerate(columns):
        frame.word(left + cell * (c + 0.5), bottom + 14, name, "middle")
    for r, name in enumerate(rows):
        frame.word(left - 6, TOP + cell * (r + 0.5) + 4, name, "end")
    frame.word(left + cell * len(columns) / 2, bottom + 34, x_label, "middle")
    frame.upright(16, TOP + cell * len(rows) / 2, y_label)
    frame.scale(left, bottom + 52, low, high, unit)
    return frame.text()


def picture(title: str, x_label: str, y_label: str, image: Any, unit: str = "", *,
            scale: float = 6, high: float | None = None,
            marks: Sequence[tuple[float, str]] = (),
            x_unit: float = 1.0, y_unit: float = 1.0) -> str:  # fmt: skip
    """Return an image (H, W) of one quantity, or (H, W, 3) of colours from 0 to 1.

    `marks` are words at places along x, with a line to each; row 0 is at the top. `x_unit` and
    `y_unit` are what one pixel is worth on the axes.
    """
    image = np.asarray(image, float)
    rows, columns = image.shape[:2]
    tall = high / rows if high else scale
    wide, bottom = columns * scale, TOP + rows * tall + (22 if marks else 0)
    top = bottom - rows * tall
    low, most = float(image.min(initial=0)), float(image.max(initial=0)) or 1.0
    legend = LEFT + _legend(low, most, unit)
    frame = _Frame(title, _room(title, LEFT + wide + RIGHT, legend), bottom + 82, 0)
    for y, x, run, colour in _runs(image, low, most):
        frame.square(LEFT + x * scale, top + y * tall, run * scale, tall, colour)
    across = _Scale(0, columns * x_unit, LEFT, LEFT + wide, False)
    down = _Scale(0, rows * y_unit, bottom, top, False)
    frame.axes(across, down, x_label, y_label, flipped=y_unit < 0)
    for place, word in marks:
        frame.mark(LEFT + place * scale, top, bottom, word)
    if image.ndim == 2:
        frame.scale(LEFT, bottom + 48, low, most, unit)
    else:
        frame.word(LEFT, bottom + 60, unit, "start")
    return frame.text()


def _runs(image: np.ndarray, low: float, most: float) -> Iterator[tuple[int, int, int, str]]:
    """Yield (row, column, length, colour) of equal neighbours, which are one rectangle."""
    for y, line in enumerate(image):
        colours = [_rgb(v) if image.ndim == 3 else pale_to_dark((v - low) / (most - low))
                   for v in line]  # fmt: skip
        start = 0
        for x in range(1, len(colours) + 1):
            if x == len(colours) or colours[x] != colours[start]:
                yield y, start, x - start, colours[start]
                start = x


def _rgb(values: Any) -> str:
    return "#" + "".join(f"{round(255 * min(1, max(0, float(v)))):02x}" for v in values)


def pale_to_dark(part: float) -> str:
    """Return a colour of the drawings' blue for 0 … 1, in 24 steps."""
    part = round(24 * min(1.0, max(0.0, part if math.isfinite(part) else 0.0))) / 24
    return _rgb((c + (e - c) * part) / 255 for c, e in zip((247, 248, 250), (0, 34, 78)))


class _Scale:
    """From a value to a place on the paper, with ticks at round numbers."""

    def __init__(self, low: float, high: float, start: float, end: float, log: bool):
        self.log, self.start, self.end = log, start, end
        low, high = (math.log10(low), math.log10(high)) if log else (low, high)
        if high - low < 1e-12 * max(1.0, abs(high)):
            low, high = low - 0.5, high + 0.5
        self.low, self.high = low, high

    def __call__(self, value: float) -> float:
        value = math.log10(value) if self.log else value
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        if self.log:
            low, high = math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9)
            whole = [10.0**k for k in range(low, high + 1, max(1, (high - low) // 5))]
            return whole if len(whole) > 1 else [10**self.low, 10**self.high]
        step = 10 ** math.floor(math.log10((self.high - self.low) / 4))
        step *= next(m for m in (1, 2, 2.5, 5, 10) if (self.high - self.low) / (m * step) <= 6)
        first = math.ceil(self.low / step - 1e-9)
        return [k * step for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _shades(low: float, high: float, unit: str) -> str:
    """Return what the palest and the darkest square mean."""
    return f"{low:.3g} (pale) … {high:.3g} (dark) {unit}"


def _legend(low: float, high: float, unit: str) -> float:
    return BAR + width(_shades(low, high, unit), 11)


def _room(title: str, *ends: float) -> float:
    """Return how wide a figure is whose parts end there: its bold title has room as well."""
    return max(24 + 1.1 * width(title, 13), *ends)


class _Frame:
    """An SVG under way."""

    def __init__(self, title: str, wide: float, high: float, keys: float):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" '
            f'width="{wide:.0f}" height="{high:.0f}" role="img" font-family="{FONT}" '
            f'font-size="11" fill="{LIGHT.ink}">',
            f"<title>{xml(title)}</title>",
            f'<rect width="{wide:.0f}" height="{high:.0f}" fill="{LIGHT.paper}"/>',
            f'<text x="12" y="19" font-size="13" font-weight="bold">{xml(title)}</text>',
        ]

    def text(self) -> str:
        return "\n".join([*self.parts, "</svg>"])

    def add(self, part: str) -> None:
        self.parts.append(part)

    def word(self, x: float, y: float, word: str, anchor: str) -> None:
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{xml(word)}</text>')

    def upright(self, x: float, y: float, word: str) -> None:
        turn = f'transform="rotate(-90 {x:.1f} {y:.1f})"'
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" {turn}>{xml(word)}</text>')

    def stroke(self, x: float, y: float, to: tuple[float, float], colour: str) -> None:
        end = f'x2="{to[0]:.1f}" y2="{to[1]:.1f}"'
        self.add(f'<line x1="{x:.1f}" y1="{y:.1f}" {end} stroke="{colour}" stroke-width="0.8"/>')

    def square(self, x: float, y: float, wide: float, high: float, fill: str,
               told: str = "") -> None:  # fmt: skip
        size = f'width="{wide:.2f}" height="{high:.2f}" fill="{fill}"'
        inside = f"><title>{xml(told)}</title></rect>" if told else "/>"
        self.add(f'<rect x="{x:.2f}" y="{y:.2f}" {size} shape-rendering="crispEdges"{inside}')

    def axes(self, across: _Scale, up: _Scale, x_label: str, y_label: str,
             flipped: bool = False) -> None:  # fmt: skip
        self.stroke(across.start, up.start, (across.end, up.start), LIGHT.faint)
        self.stroke(across.start, up.start, (across.start, up.end), LIGHT.faint)
        for value in across.ticks():
            self.stroke(across(value), up.start, (across(value), up.start + 4), LIGHT.faint)
            self.word(across(value), up.start + 16, f"{value:g}", "middle")
        for value in up.ticks():
            self.stroke(across.start - 4, up(value), (across.start, up(value)), LIGHT.faint)
            self.word(
                across.start - 7, up(value) + 4, f"{abs(value) if flipped else value:.3g}", "end"
            )
        self.word((across.start + across.end) / 2, up.start + 34, x_label, "middle")
        self.upright(16, (up.start + up.end) / 2, y_label)

    def curve(self, points: list[tuple[float, float]], colour: str, dash: str, dots: bool) -> None:
        if dots:
            self.parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{colour}"/>'
                           for x, y in points]  # fmt: skip
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.add(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.4"{dashes}/>'
        )

    def key(self, k: int, y: float, name: str, dots: bool) -> None:
        self.curve([(LEFT, y), (LEFT + 26, y)], COLOURS[k % 6], DASHES[k % 6], dots)
        self.word(LEFT + 34, y + 4, name, "start")

    def scale(self, x: float, y: float, low: float, high: float, unit: str) -> None:
        for k in range(24):
            self.square(x + 4 * k, y, 4, 10, pale_to_dark(k / 23))
        self.word(x + BAR, y + 9, _shades(low, high, unit), "start")

    def mark(self, x: float, top: float, bottom: float, word: str) -> None:
        self.stroke(x, top - 4, (x, bottom), COLOURS[1])
        self.word(x, top - 8, word, "middle")
