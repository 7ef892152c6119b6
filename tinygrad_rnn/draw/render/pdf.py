"""A scene as PDF, with nothing to install: one page of vectors, and text that can be selected.

Every reader has the fonts Helvetica, Symbol and ZapfDingbats, so none is embedded. A sign that is
in none of them is written in ASCII. The same scene gives the same bytes.
"""

from __future__ import annotations

import math
import unicodedata
import zlib
from collections.abc import Iterator

from ..labels import ascii_only
from ..scene import Point, Scene
from .painter import paint

# fmt: off
WIDTHS = dict(zip(map(chr, range(32, 127)), (  # Helvetica, in thousandths of its size
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, *[556] * 10,
    278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556,
    833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333,
    500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
))) | {"×": 584, "÷": 584, "±": 584, "·": 278, "…": 1000, "–": 556, "—": 1000, "²": 333, "°": 400}
SYMBOLS = {  # sign: font, code, width
    "Γ": (3, 0x47, 603), "Δ": (3, 0x44, 612), "Σ": (3, 0x53, 592), "σ": (3, 0x73, 603),
    "θ": (3, 0x71, 521), "λ": (3, 0x6C, 549), "−": (3, 0x2D, 549), "∂": (3, 0xB6, 494),
    "⟨": (3, 0xE1, 329), "⟩": (3, 0xF1, 329), "→": (3, 0xAE, 987), "←": (3, 0xAC, 987),
    "√": (3, 0xD6, 549), "≤": (3, 0xA3, 549), "∞": (3, 0xA5, 713), "∘": (3, 0xB0, 400),
    "✖": (4, 0x36, 760), "✂": (4, 0x22, 961), "✓": (4, 0x33, 755),
}
# fmt: on
SPELT = {"‖": "||", "⋯": "…", "◧": "A", "◨": "B"}
ACCENTS = {"\u0302": "ˆ", "\u0303": "˜"}
FONTS = ("Helvetica", "Helvetica-Bold", "Symbol", "ZapfDingbats")
ROUND = 4 / 3 * (math.sqrt(2) - 1)  # the handles of a quarter circle

Glyph = tuple[int, int, float, float]  # font, code, width, how far it goes back before it is drawn


def pdf(scene: Scene) -> bytes:
    """Return the scene as a PDF document of one page."""
    page = _Page(scene.height)
    paint(scene, page)
    stream = zlib.compress("\n".join(page.lines).encode("latin-1"))
    plain = " /Encoding /WinAnsiEncoding"
    fonts = [
        f"<< /Type /Font /Subtype /Type1 /BaseFont /{name}{plain if i < 2 else ''} >>".encode()
        for i, name in enumerate(FONTS)
    ]
    names = " ".join(f"/F{i + 1} {i + 5} 0 R" for i in range(len(FONTS)))
    size = f"{math.ceil(scene.width)} {math.ceil(scene.height)}"
    return _file([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size}] /Contents 4 0 R "
        f"/Resources << /Font << {names} >> >> >>".encode(),
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(stream), stream),
        *fonts,
    ])  # fmt: skip


def _file(objects: list[bytes]) -> bytes:
    """Return the objects with the table that says where each begins."""
    out, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    head = b"xref\n0 %d\n0000000000 65535 f \n" % count
    tail = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, len(out))
    return out + head + table + tail


class _Page:
    """The brush: page operators, with the y axis turned to point down."""

    def __init__(self, height: float) -> None:
        self.lines = [f"1 0 0 -1 0 {math.ceil(height)} cm 1 j"]

    def box(
        self, x: float, y: float, w: float, h: float, radius: float = 0.0, fill: str = "none",
        edge: str = "none", width: float = 0.8, dash: str = "",
    ) -> None:  # fmt: skip
        shape = (
            _rounded(x, y, w, h, min(radius, w / 2, h / 2)) if radius else f"{_n(x, y, w, h)} re"
        )
        look = [f"{_rgb(fill)} rg"] if fill != "none" else []
        look += [f"{_rgb(edge)} RG {_n(width)} w [{dash}] 0 d"] if edge != "none" else []
        way = {(True, True): "B", (True, False): "f", (False, True): "S"}
        end = way.get((fill != "none", edge != "none"), "n")
        self.lines.append(" ".join([*look, shape, end]))

    def curve(self, points: list[Point], colour: str, width: float, dash: str) -> None:
        self.lines.append(f"{_rgb(colour)} RG {_n(width)} w [{dash}] 0 d {_course(points)} S")

    def polygon(self, corners: list[Point], colour: str) -> None:
        start, *rest = corners
        lines = " ".join(f"{_n(*corner)} l" for corner in rest)
        self.lines.append(f"{_rgb(colour)} rg {_n(*start)} m {lines} f")

    def text(
        self, x: float, y: float, text: str, size: float, anchor: str, colour: str, bold: bool
    ) -> None:
        glyphs = list(_glyphs(text))
        unit = size / 1000
        x -= {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * unit * sum(g[2] for g in glyphs)
        self.lines.append(f"BT {_rgb(colour)} rg")
        for font, code, wide, back in glyphs:
            face = 2 if bold and font == 1 else font
            place = _n(x - back * unit, y)
            self.lines.append(f"/F{face} {_n(size)} Tf 1 0 0 -1 {place} Tm <{code:02x}> Tj")
            x += wide * unit
        self.lines.append("ET")


def _glyphs(text: str) -> Iterator[Glyph]:
    """Yield each sign of a text; an accent goes back over the letter before it."""
    before = 500.0
    for sign in unicodedata.normalize("NFD", "".join(SPELT.get(c, c) for c in text)):
        if sign in ACCENTS:
            code = ACCENTS[sign].encode("cp1252")[0]
            yield 1, code, 0.0, (before + 333.0) / 2
        elif sign in SYMBOLS:
            font, code, wide = SYMBOLS[sign]
            yield font, code, wide, 0.0
        else:
            for plain in sign if sign in WIDTHS else ascii_only(sign):
                before = float(WIDTHS.get(plain, 556))
                yield 1, plain.encode("cp1252", "replace")[0], before, 0.0


def _rounded(x: float, y: float, w: float, h: float, r: float) -> str:
    k, right, low = r * (1 - ROUND), x + w, y + h
    return " ".join([
        f"{_n(x + r, y)} m {_n(right - r, y)} l",
        f"{_n(right - k, y, right, y + k, right, y + r)} c {_n(right, low - r)} l",
        f"{_n(right, low - k, right - k, low, right - r, low)} c {_n(x + r, low)} l",
        f"{_n(x + k, low, x, low - k, x, low - r)} c {_n(x, y + r)} l",
        f"{_n(x, y + k, x + k, y, x + r, y)} c h",
    ])  # fmt: skip


def _course(points: list[Point]) -> str:
    start, *rest = points
    parts = [rest[i : i + 3] for i in range(0, len(rest), 3)]
    return f"{_n(*start)} m " + " ".join(f"{_n(*sum(part, ()))} c" for part in parts)


def _n(*numbers: float) -> str:
    return " ".join(f"{number:.2f}".rstrip("0").rstrip(".") for number in numbers)


def _rgb(colour: str) -> str:
    return _n(*(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)))
