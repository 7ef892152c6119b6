"""Write a scene as SVG, the reference picture, with nothing to install; for `drawing`.

The file stands alone (system fonts, no script, no link), has a title and a description for
screen readers, and the same scene gives the same bytes.
"""

from __future__ import annotations

import math
import zlib

from ..escapes import xml
from ..scene import Box, Patch, Point, Scene, Wire
from .painter import Line, Look, Part, num, paint

FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def svg(scene: Scene) -> str:
    """Return the picture as a complete SVG document."""
    return paint(scene, _Svg())


class _Svg:
    """One line per part; a part that can be pointed at is a group with a tool tip."""

    def open(self, scene: Scene) -> None:
        wide, high = num(math.ceil(scene.width)), num(math.ceil(scene.height))
        # several pictures may stand in one page: each refers to its own title
        names = f"{scene.title}/{scene.description}/{wide}×{high}"
        key = f"{zlib.crc32(names.encode('utf-8', 'replace')):08x}"
        self.ink, self.line = scene.theme.ink, ""
        self.lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" '
            f'height="{high}" role="img" aria-labelledby="title-{key} desc-{key}" '
            f'font-family="{FONT}" font-size="10" fill="{self.ink}">',
            f'<title id="title-{key}">{xml(scene.title or "graph")}</title>',
            f'<desc id="desc-{key}">{xml(scene.description)}</desc>',
            f'<rect width="{wide}" height="{high}" fill="{scene.theme.paper}"/>',
        ]

    def begin(self, part: Part) -> None:
        self.size = "{:.2f}".format if isinstance(part, Patch) else num
        self.tag, attributes = "", ""
        if isinstance(part, Box):
            node = f' data-node="{part.node}"' if part.node is not None else ""
            self.tag, attributes = "g", f' class="node {part.role}"{node}'
        elif isinstance(part, Wire):
            edge = f' data-edge="{part.edge[0]}:{part.edge[1]}"' if part.edge else ""
            self.tag, attributes = "g", f' class="edge"{edge}'
        title = getattr(part, "title", "")
        self.tag = "g" if title else self.tag
        self.line = f"<{self.tag}{attributes}>" if self.tag else ""
        self.line += f"<title>{xml(title)}</title>" if title else ""

    def end(self) -> None:
        self.lines.append(self.line + (f"</{self.tag}>" if self.tag else ""))

    def close(self) -> str:
        return "\n".join([*self.lines, "</svg>"]) + "\n"

    def area(self, x: float, y: float, w: float, h: float, look: Look) -> None:
        style = f' fill="{look.fill or "none"}"'
        style += f' stroke="{look.edge}" stroke-width="{look.width}"' if look.edge else ""
        style += f' stroke-dasharray="{look.dash}"' if look.dash else ""
        if look.radius and w == h == 2 * look.radius:
            middle = f'cx="{num(x + w / 2)}" cy="{num(y + h / 2)}" r="{num(w / 2)}"'
            self.line += f"<circle {middle}{style}/>"
            return
        radius = f' rx="{num(look.radius)}"' if look.radius else ""
        size = f'width="{self.size(w)}" height="{self.size(h)}"'
        self.line += f'<rect x="{num(x)}" y="{num(y)}" {size}{radius}{style}/>'

    def curve(self, points: list[Point], colour: str, width: float, dash: str) -> None:
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.line += (
            f'<path d="{path_data(points)}" fill="none" stroke="{colour}" '
            f'stroke-width="{width:.2f}"{dashes}/>'
        )

    def head(self, corners: list[Point], colour: str) -> None:
        places = " ".join(f"{num(x)},{num(y)}" for x, y in corners)
        self.line += f'<polygon points="{places}" fill="{colour}"/>'

    def text(self, line: Line) -> None:
        look = f' text-anchor="{line.anchor}"' if line.anchor != "start" else ""
        look += f' font-size="{num(line.size)}"'
        look += f' fill="{line.colour}"' if line.colour != self.ink else ""
        look += ' font-weight="bold"' if line.bold else ""
        text = xml(line.text)
        self.line += f'<text x="{num(line.x)}" y="{num(line.y)}"{look}>{text}</text>'


def path_data(points: list[Point]) -> str:
    """Return the SVG path of a chain of cubic curves."""
    # all numbers in one go: most of the time of a large picture is spent here
    form = "M%.1f,%.1f C" + " ".join(["%.1f,%.1f"] * (len(points) - 1)) + " "
    text = form % tuple(value for point in points for value in point)
    return text.replace(".0,", ",").replace(".0 ", " ").rstrip(" C")
