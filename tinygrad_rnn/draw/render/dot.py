"""Write a scene as DOT with the place of every node and edge, for `drawing`.

`layout=nop2` lets plain `dot` draw what stands there instead of laying it out anew, in every
format that Graphviz has. Frames, bars and free words are the `_background` of the graph, written
in the language of the format xdot.
"""

from __future__ import annotations

from collections import defaultdict

from ..escapes import dot as quoted
from ..escapes import visible
from ..labels import width
from ..scene import Box, Patch, Point, Scene, Wire
from .painter import Line, Look, Part, num, paint

CORNER = 0.45  # how far the handles of a rounded corner stand from it, as part of the radius
REACH = 3.0  # a wire ends within this distance of the box it joins
BUCKET = 64


def positioned(scene: Scene) -> str:
    """Return DOT with the positions of a scene: `dot` draws the same picture."""
    return paint(scene, _Dot())


class _Dot:
    """Nodes are written as they come, edges at the end, when the boxes they join are known."""

    def open(self, scene: Scene) -> None:
        self.scene = scene
        self.nodes: list[str] = []
        self.edges: list[tuple[Point, Point, str]] = []
        self.names: set[str] = set()
        self.boxes: dict[tuple[int, int], list[tuple[Box, str]]] = defaultdict(list)
        self.background: list[str] = []
        self.over = False
        # Graphviz cuts a picture to what is in it: the sheet of paper keeps the margin
        self.area(0.0, 0.0, scene.width, scene.height, Look(scene.theme.paper))

    def begin(self, part: Part) -> None:
        self.part = part
        self.lines: list[Line] = []
        self.tip: list[Point] = []
        self.over = isinstance(part, Box) or isinstance(part, Patch) and bool(self.nodes)

    def end(self) -> None:
        if isinstance(self.part, Wire):
            self.edges.append((self.part.points[0], self.part.points[-1], self._edge(self.part)))
        elif self.over:
            self.nodes.append(f" {self._name()} [{self._node()}];")

    def close(self) -> str:
        size = f"0,0,{num(self.scene.width)},{num(self.scene.height)}"
        return "\n".join([
            "digraph {",
            f' graph [layout=nop2 bb="{size}" pad=0 splines=true notranslate=true',
            f'  bgcolor="{self.scene.theme.paper}" outputorder=nodesfirst',
            f"  _background={quoted(' '.join(self.background))}];",
            ' node [shape=box fixedsize=true style=filled fontname="Helvetica" label=""];',
            ' edge [fontname="Helvetica"];',
            *self.nodes,
            *[line for edge in self.edges for line in self._joined(*edge)],
            "}",
        ]) + "\n"  # fmt: skip

    # -- strokes: of a node or an edge they are attributes, else they go into the background

    def area(self, x: float, y: float, w: float, h: float, look: Look) -> None:
        if self.over:
            self.look, self.place = look, (x, y, w, h)
            return
        r, (left, top), (right, low) = look.radius, self._up(x, y), self._up(x + w, y + h)
        if not r:
            self._stroke(look.fill, look.fill, 0.0, "")
            self._points("P", [(left, top), (right, top), (right, low), (left, low)])
            return
        self._stroke(look.edge, look.fill or look.edge, look.width, look.dash)
        corners = [(left, top, 1, -1), (right, top, -1, -1), (right, low, -1, 1), (left, low, 1, 1)]
        path: list[Point] = []
        for number, (cx, cy, dx, dy) in enumerate(corners):
            across, along = (cx + dx * r, cy), (cx, cy + dy * r)
            first, last = (along, across) if number % 2 == 0 else (across, along)
            near = [(cx + (p - cx) * CORNER, cy + (q - cy) * CORNER) for p, q in (first, last)]
            path += [*([path[-1], first] if path else []), first, *near, last]
        path += [path[-1], path[0], path[0]]
        self._points("b" if look.fill else "B", path)

    def curve(self, points: list[Point], colour: str, width: float, dash: str) -> None:
        style = {"": "", "2 2": " style=dotted"}.get(dash, " style=dashed")
        self.style = f'color="{colour}" penwidth={width:.2f}{style}'
        self.points = points

    def head(self, corners: list[Point], colour: str) -> None:
        self.tip = corners

    def text(self, line: Line) -> None:
        if isinstance(self.part, Box | Wire):
            self.lines.append(line)
            return
        x, y = self._up(line.x, line.y)
        side = {"start": -1, "middle": 0, "end": 1}[line.anchor]
        wide = num(width(line.text, line.size))
        self._stroke(line.colour, "", 0.0, "")
        self.background += [f"F {num(line.size)} 9 -Helvetica", f"t {int(line.bold)}"]
        self.background.append(f"T {num(x)} {num(y)} {side} {wide} {_counted(line.text)}")

    def _stroke(self, pen: str, fill: str, width: float, dash: str) -> None:
        self.background.append(f"c {_counted(pen)}")
        if fill:
            style = _counted("dashed" if dash else "solid")
            wide = _counted(f"setlinewidth({width})")
            self.background += [f"C {_counted(fill)}", f"S {style}", f"S {wide}"]

    def _points(self, letter: str, points: list[Point]) -> None:
        places = " ".join(f"{num(x)} {num(y)}" for x, y in points)
        self.background.append(f"{letter} {len(points)} {places}")

    # -- nodes and edges

    def _name(self) -> str:
        """Return a new name: `n` and the number of the node for the one box that is the node."""
        box = self.part
        solid = isinstance(box, Box) and box.node is not None and box.shape != "dashed"
        name = f"n{box.node}" if solid else ""  # type: ignore[union-attr]
        name = name if name and name not in self.names else f"b{len(self.nodes)}"
        self.names.add(name)
        if isinstance(box, Box):
            for bucket in _buckets(box):
                self.boxes[bucket].append((box, name))
        return name

    def _node(self) -> str:
        x, y, w, h = self.place
        look, part = self.look, self.part
        style = "rounded,filled" if look.radius else "dashed,filled" if look.dash else "filled"
        words = [
            "shape=circle" if w == h == 2 * look.radius else "",
            f'pos="{self._at((x + w / 2, y + h / 2))}" width={w / 72:.3f} height={h / 72:.3f}',
            f'style="{style}" fillcolor="{look.fill}" color="{look.edge or look.fill}"',
            f"penwidth={look.width if look.edge else 0}",
        ]
        if isinstance(part, Box):
            text = "\n".join(part.lines) + ("\n " if part.lift else "")  # room for a heat map
            words.append(f"label={quoted(text)} fontsize={num(part.size)}")
            words.append(f'fontcolor="{self.scene.theme.ink}" tooltip={quoted(part.title)}')
            words += [self._mark(line, "x") for line in self.lines if line.text == part.mark]
        return " ".join(filter(None, words))

    def _edge(self, wire: Wire) -> str:
        body = " ".join(map(self._at, self.points))
        head = "arrowhead=none"
        if self.tip:
            body = f"e,{self._at(self.tip[0])} {body}"
            base = ((self.tip[1][0] + self.tip[2][0]) / 2, (self.tip[1][1] + self.tip[2][1]) / 2)
            long = abs(self.tip[0][0] - base[0]) + abs(self.tip[0][1] - base[1])
            head = f"arrowsize={long / 10:.2f}"
        marks = "".join(" " + self._mark(line, "") for line in self.lines)
        tip = f" tooltip={quoted(wire.title)}" if wire.title else ""
        return f'[pos="{body}" {self.style} {head}{marks}{tip}];'

    def _mark(self, line: Line, kind: str) -> str:
        """Return a label that stands beside its node or on its edge."""
        font = f'<font color="{line.colour}" point-size="{num(line.size)}">{line.text}</font>'
        return f'{kind}label=<{font}> {kind}lp="{self._at((line.x, line.y - line.size * 0.35))}"'

    def _joined(self, start: Point, end: Point, look: str) -> list[str]:
        """Return an edge with its ends; one that ends nowhere gets an invisible node there."""
        names, lines = [], []
        for spot in (start, end):
            name = self._box_at(spot)
            if not name:
                name = f"e{len(self.names)}"
                self.names.add(name)
                place = f'pos="{self._at(spot)}" width=.01 height=.01'
                lines.append(f" {name} [shape=point style=invis {place}];")
            names.append(name)
        return [*lines, f" {names[0]} -> {names[1]} {look}"]

    def _box_at(self, spot: Point) -> str:
        """Return the name of the box whose edge is nearest to a point."""
        near = self.boxes.get((int(spot[0] // BUCKET), int(spot[1] // BUCKET)), ())
        distance, name = min(((_outside(box, spot), name) for box, name in near), default=(9.0, ""))
        return name if distance <= REACH else ""

    def _up(self, x: float, y: float) -> Point:
        return (x, self.scene.height - y)

    def _at(self, point: Point) -> str:
        return f"{num(point[0])},{num(self.scene.height - point[1])}"


def _buckets(box: Box) -> list[tuple[int, int]]:
    """Return the squares of the page that a box lies in or is near to."""
    w, h = box.w / 2 + REACH, box.h / 2 + REACH
    across = range(int((box.x - w) // BUCKET), int((box.x + w) // BUCKET) + 1)
    down = range(int((box.y - h) // BUCKET), int((box.y + h) // BUCKET) + 1)
    return [(i, j) for i in across for j in down]


def _outside(box: Box, spot: Point) -> float:
    """Return how far a point lies outside of a box, 0 inside."""
    return max(abs(spot[0] - box.x) - box.w / 2, abs(spot[1] - box.y) - box.h / 2, 0.0)


def _counted(text: str) -> str:
    text = visible(text)
    return f"{len(text.encode())} -{text}"
