"""Write a scene as a standalone LaTeX document with TikZ, for `drawing`."""

from __future__ import annotations

from ..escapes import tex
from ..scene import Point, Scene
from .painter import Line, Look, Part, paint

BOLD = r"\bfseries "
ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}


def tikz(scene: Scene) -> str:
    """Return a standalone LaTeX document with the scene as a TikZ picture."""
    return paint(scene, _Tikz())


class _Tikz:
    """One command per stroke; the colours that occur are defined at the top."""

    def open(self, scene: Scene) -> None:
        self.high = scene.height
        self.lines: list[str] = []
        self.colours: dict[str, str] = {}

    def begin(self, part: Part) -> None: ...

    def end(self) -> None: ...

    def close(self) -> str:
        named = [
            f"\\definecolor{{{name}}}{{HTML}}{{{code[1:].upper()}}}"
            for code, name in self.colours.items()
        ]
        return "\n".join([
            r"\documentclass[tikz,border=4pt]{standalone}",
            r"\usepackage[utf8]{inputenc}",
            *named,
            r"\begin{document}",
            r"\begin{tikzpicture}[x=1pt,y=1pt,font=\sffamily\fontsize{10}{12}\selectfont]",
            *self.lines,
            r"\end{tikzpicture}",
            r"\end{document}",
        ]) + "\n"  # fmt: skip

    def area(self, x: float, y: float, w: float, h: float, look: Look) -> None:
        style = [f"fill={self._colour(look.fill)}"] if look.fill else []
        if look.edge:
            style += [f"draw={self._colour(look.edge)}", f"line width={look.width:.1f}pt"]
        style += ["dashed"] if look.dash else []
        if look.radius and w == h == 2 * look.radius:
            middle = self._at((x + w / 2, y + h / 2))
            self.lines.append(f"\\path[{','.join(style)}] {middle} circle[radius={w / 2:.1f}];")
            return
        style += [f"rounded corners={look.radius:.0f}pt"] if look.radius else []
        box = f"{self._at((x, y + h))} rectangle ++({w:.2f},{h:.2f})"
        self.lines.append(f"\\path[{','.join(style)}] {box};")

    def curve(self, points: list[Point], colour: str, width: float, dash: str) -> None:
        style = f"{self._colour(colour)},line width={width * 0.8:.2f}pt" + ",dashed" * bool(dash)
        at = [self._at(point) for point in points]
        curves = "".join(
            f" .. controls {at[i]} and {at[i + 1]} .. {at[i + 2]}" for i in range(1, len(at) - 2, 3)
        )
        self.lines.append(f"\\draw[{style}] {at[0]}{curves};")

    def head(self, corners: list[Point], colour: str) -> None:
        course = " -- ".join(map(self._at, corners))
        self.lines.append(f"\\fill[{self._colour(colour)}] {course};")

    def text(self, line: Line) -> None:
        look = f"anchor={ANCHORS[line.anchor]},inner sep=0pt,scale={line.size / 12:.2f}"
        look += f",text={self._colour(line.colour)}"
        text = (BOLD if line.bold else "") + tex(line.text)
        self.lines.append(f"\\node[{look}] at {self._at((line.x, line.y))} {{{text}}};")

    def _colour(self, code: str) -> str:
        return self.colours.setdefault(code, f"c{len(self.colours)}")

    def _at(self, point: Point) -> str:
        return f"({point[0]:.1f},{self.high - point[1]:.1f})"
