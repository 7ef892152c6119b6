"""Choose colours that colour-blind readers and printers keep apart, for `layout` and `render`.

Gradient size is drawn three times: by colour (cividis, dark = large), by width, and by dash.
Only the darker six stops of cividis are used: the lighter ones have less contrast against the
paper than the 3:1 that WCAG asks for, so small gradients keep the sixth stop and get thin.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

# fmt: off
CIVIDIS: tuple[str, ...] = ("#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678")
BRIGHT: tuple[str, ...] = ("#fee838", "#e1cc55", "#c3b369", "#a59c74", "#8f8a78", "#7d7c78")
GRAYS: tuple[str, ...] = ("#000000", "#222222", "#3d3d3d", "#555555", "#6a6a6a", "#7d7d7d")
BLACK: tuple[str, ...] = ("#000000",) * 6
PALETTES = {"cividis": CIVIDIS, "gray": GRAYS, "print": BLACK}
# fmt: on
ZERO = "#777777"
BROKEN = "#d55e00"
SELECTED = "#d55e00"
FOUND = "#009e73"
DECADES = 6.0


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of paper, ink and of each role of a node."""

    paper: str
    panel: str
    inner: str
    edge: str
    ink: str
    faint: str
    wire: str
    fills: dict[str, str]
    param_edge: str = "#44607a"


LIGHT = Theme(
    paper="#ffffff",
    panel="#f7f7f7",
    inner="#ececec",
    edge="#b4b4b4",
    ink="#1d1d1d",
    faint="#555555",
    wire="#4a4a4a",
    fills={
        "param": "#d3e5f6",
        "input": "#e4e4e4",
        "target": "#e4e4e4",
        "state": "#e4e4e4",
        "const": "#f1ecdf",
        "op": "#ffffff",
        "loss": "#f6d9b8",
    },
)
DARK = Theme(
    paper="#16181c",
    panel="#1f2228",
    inner="#2a2e36",
    edge="#5a5f69",
    ink="#f0f0f0",
    faint="#b5b8bf",
    wire="#c4c7cd",
    fills={
        "param": "#1f3a55",
        "input": "#3a3e46",
        "target": "#3a3e46",
        "state": "#3a3e46",
        "const": "#3d382b",
        "op": "#16181c",
        "loss": "#6a4521",
    },
    param_edge="#8fb3d6",
)
THEMES = {"light": LIGHT, "dark": DARK}


@dataclass(frozen=True, slots=True)
class Stroke:
    """Say how one wire is drawn; `dash` is an SVG dash list, empty for a full line."""

    colour: str
    width: float
    dash: str = ""
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """A log10 scale shared by a whole figure; `high` None means there are no gradients."""

    low: float = 0.0
    high: float | None = None
    stops: tuple[str, ...] = CIVIDIS
    plain: str = LIGHT.wire

    @classmethod
    def over(cls, norms: Iterable[float], palette: str = "cividis", theme: str = "light") -> Scale:
        """Return the scale that spans the finite, non-zero norms, six decades at most."""
        good = [n for n in norms if n > 0 and math.isfinite(n)]
        dark = theme == "dark"
        stops = BRIGHT if dark and palette == "cividis" else PALETTES[palette]
        if dark and palette != "cividis":
            stops = tuple("#ffffff" for _ in stops)
        plain = THEMES[theme].wire
        if not good:
            return cls(stops=stops, plain=plain)
        high = math.log10(max(good))
        low = max(math.log10(min(good)), high - DECADES)
        return cls(min(low, high - 0.5), high, stops, plain)

    def part(self, norm: float) -> float:
        """Return where a norm lies between the smallest (0) and the largest (1)."""
        if self.high is None or not norm > 0:
            return 0.0
        spot = (math.log10(norm) - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, spot))

    def colour(self, norm: float) -> str:
        """Return the colour of a norm: the first stop for the largest."""
        return self.stops[min(5, int((1.0 - self.part(norm)) * 6))]

    def stroke(self, norm: float | None) -> Stroke:
        """Return the stroke of a wire; a wire with no recorded gradient stays plain."""
        if norm is None or (self.high is None and norm != 0 and math.isfinite(norm)):
            return Stroke(self.plain, 1.0)
        if not math.isfinite(norm):
            return Stroke(BROKEN, 2.0, "", broken=True)
        if norm <= 0:
            return Stroke(ZERO, 0.9, "2 2")
        width = 0.8 + 2.4 * self.part(norm)
        tiny = self.high is not None and math.log10(norm) < self.high - DECADES
        return Stroke(self.colour(norm), width, "7 3" if tiny else "")


def signed(value: float, largest: float) -> str:
    """Return the colour of a value in a heat map: blue above 0, orange below, pale near 0."""
    if not math.isfinite(value):
        return BROKEN
    part = min(1.0, abs(value) / largest) if largest else 0.0
    full = (0, 82, 155) if value > 0 else (200, 82, 0)
    mixed = (round(244 + (channel - 244) * part) for channel in full)
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def contrast(one: str, other: str) -> float:
    """Return the WCAG contrast ratio of two #rrggbb colours, 1 … 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
