"""A scene as PNG, with nothing to install: how far each pixel is from a shape says how much of
the shape's colour it gets, which makes smooth edges. Text is written with a pen (`strokes`).
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence

import numpy as np

from ..scene import Point, Scene
from .painter import paint
from .strokes import written

PEN = 0.092  # width of the pen, of the font's size
TOGETHER = 8  # pieces of a curve whose distances are found at once


def png(scene: Scene, scale: float) -> bytes:
    """Return the scene as a PNG file with `scale` pixels per unit."""
    sheet = _Sheet(scene, scale)
    paint(scene, sheet)
    pixels = (sheet.colour * 255 + 0.5).astype(np.uint8)
    high, wide, _ = pixels.shape
    rows = np.concatenate([np.zeros((high, 1), np.uint8), pixels.reshape(high, -1)], 1)
    head = struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


class _Sheet:
    """The brush: pixels, and a mask in which the pieces of one stroke meet before it is painted."""

    def __init__(self, scene: Scene, scale: float) -> None:
        size = math.ceil(scene.height * scale), math.ceil(scene.width * scale)
        self.scale = scale
        self.colour = np.ones((*size, 3), np.float32)
        self.mask = np.zeros(size, np.float32)

    def box(
        self, x: float, y: float, w: float, h: float, radius: float = 0.0, fill: str = "none",
        edge: str = "none", width: float = 0.8, dash: str = "",
    ) -> None:  # fmt: skip
        radius = min(radius, w / 2, h / 2)
        x, y, w, h, r = (value * self.scale for value in (x, y, w, h, radius))
        area, px, py = self._area((x, y), (x + w, y + h), width * self.scale)
        qx, qy = abs(px - x - w / 2) - w / 2 + r, abs(py - y - h / 2) - h / 2 + r
        outside = np.hypot(np.maximum(qx, 0), np.maximum(qy, 0))
        far = outside + np.minimum(np.maximum(qx, qy), 0) - r
        if fill != "none":
            self._blend(area, np.clip(0.5 - far, 0, 1), fill)
        if edge != "none":
            line = np.clip(0.5 + width * self.scale / 2 - abs(far), 0, 1)
            if dash:  # all four sides carry their dashes along x + y
                on, off = (float(part) * self.scale for part in dash.split())
                line = line * ((px + py) % (on + off) < on)
            self._blend(area, line, edge)

    def curve(self, points: list[Point], colour: str, width: float, dash: str) -> None:
        line = _flat(points) * self.scale
        pieces = np.hstack([line[:-1], line[1:]])
        if dash:
            pattern = [float(part) * self.scale for part in dash.split()]
            pieces = _dashed(pieces, pattern, width * self.scale)
        parts = [pieces[i : i + TOGETHER] for i in range(0, len(pieces), TOGETHER)]
        self._stroke(parts, width * self.scale, colour)

    def polygon(self, corners: list[Point], colour: str) -> None:
        line = np.array([*corners, corners[0]]) * self.scale
        area, px, py = self._area(line.min(0), line.max(0), 1.0)
        sides = []
        for (ax, ay), (bx, by) in zip(line, line[1:], strict=False):
            length = math.hypot(bx - ax, by - ay) or 1.0
            sides.append(((px - ax) * (by - ay) - (py - ay) * (bx - ax)) / length)
        inside = np.maximum(np.min(sides, 0), np.min([-side for side in sides], 0))  # either way
        self._blend(area, np.clip(inside + 0.5, 0, 1), colour)

    def text(
        self, x: float, y: float, text: str, size: float, anchor: str, colour: str, bold: bool
    ) -> None:
        signs, long = written(text)
        x -= {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * long * size
        placed = [(each * size + [x, y, x, y]) * self.scale for each in signs]
        self._stroke(placed, size * self.scale * PEN * (1.6 if bold else 1.0), colour)

    def _stroke(self, parts: list[np.ndarray], width: float, colour: str) -> None:
        """Paint pieces of lines as one stroke: where two meet, neither is painted twice."""
        width, areas = max(width, 1.0), []
        for pieces in parts:
            x0, y0, x1, y1 = (pieces[:, i, None, None] for i in range(4))
            ends = pieces.reshape(-1, 2)
            area, px, py = self._area(ends.min(0), ends.max(0), width)
            dx, dy = x1 - x0, y1 - y0
            along = ((px - x0) * dx + (py - y0) * dy) / np.maximum(dx**2 + dy**2, 1e-9)
            along = np.clip(along, 0, 1)
            far = np.hypot(px - x0 - along * dx, py - y0 - along * dy).min(0)
            np.maximum(self.mask[area], np.clip(0.5 + width / 2 - far, 0, 1), out=self.mask[area])
            areas.append(area)
        for area in areas:
            self._blend(area, self.mask[area], colour)
            self.mask[area] = 0

    def _area(
        self, low: Sequence[float] | np.ndarray, high: Sequence[float] | np.ndarray, more: float
    ) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
        """Return the pixels round two corners, and the coordinates of their middles."""
        (x0, y0), (x1, y1) = low, high
        rows, columns = (
            slice(max(0, int(a - more - 1)), max(0, min(most, math.ceil(b + more + 1))))
            for a, b, most in zip((y0, x0), (y1, x1), self.mask.shape, strict=True)
        )
        px = np.arange(columns.start, columns.stop)[None, :] + 0.5
        py = np.arange(rows.start, rows.stop)[:, None] + 0.5
        return (rows, columns), px, py

    def _blend(self, area: tuple[slice, slice], share: np.ndarray, colour: str) -> None:
        wanted = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32)
        part = self.colour[area]
        part += share[..., None].astype(np.float32) * (wanted - part)


def _flat(points: list[Point]) -> np.ndarray:
    """Return a chain of cubic curves as one of straight pieces."""
    p, made = np.array(points), [np.array(points[:1])]
    for i in range(0, len(p) - 1, 3):
        a, b, c, d = p[i : i + 4]
        length = np.hypot(*(b - a)) + np.hypot(*(c - b)) + np.hypot(*(d - c))
        t = np.linspace(0, 1, 2 + int(length / 6))[1:, None]
        made.append(a * (1 - t) ** 3 + 3 * b * t * (1 - t) ** 2 + 3 * c * t**2 * (1 - t) + d * t**3)
    return np.concatenate(made)


def _dashed(pieces: np.ndarray, pattern: list[float], pen: float) -> np.ndarray:
    """Return the parts of a line that dashes and gaps leave; the pen's roundness adds to each."""
    lengths = np.hypot(pieces[:, 2] - pieces[:, 0], pieces[:, 3] - pieces[:, 1])
    starts = np.concatenate([[0.0], np.cumsum(lengths)])
    line = np.concatenate([pieces[:, :2], pieces[-1:, 2:]])
    made, start = [], 0.0
    while start < starts[-1]:
        for drawn, gap in zip(pattern[0::2], pattern[1::2], strict=True):
            if start >= starts[-1]:
                break
            end = min(start + max(0.1, drawn - pen), starts[-1])
            at = np.array([start, *starts[(starts > start) & (starts < end)], end])
            x, y = (np.interp(at, starts, line[:, axis]) for axis in (0, 1))
            made.append(np.stack([x[:-1], y[:-1], x[1:], y[1:]], 1))
            start += drawn + gap
    return np.concatenate(made) if made else pieces
