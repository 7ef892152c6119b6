"""The brushes write everything that is in a scene, each once, and where it is."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter

import pytest
from draw_graphs import lstm, rnn

from tinygrad_rnn.draw.drawing import Drawing
from tinygrad_rnn.draw.escapes import dot, tex
from tinygrad_rnn.draw.layout.architectures import arch_graph
from tinygrad_rnn.draw.palette import THEMES, Scale
from tinygrad_rnn.draw.render.dot import positioned
from tinygrad_rnn.draw.render.painter import paint
from tinygrad_rnn.draw.render.svg import svg
from tinygrad_rnn.draw.render.tikz import tikz
from tinygrad_rnn.draw.scene import Box, Frame, Patch, Scene, Wire, Words
from tinygrad_rnn.draw.settings import Settings
from tinygrad_rnn.draw.transform.fold import fold_sums
from tinygrad_rnn.draw.views import VIEWS

PICTURES = [view for view in VIEWS if view != "table"]
BRUSHES = {"svg": svg, "dot": positioned, "tikz": tikz}


def scene_of(view: str, theme: str = "light") -> Scene:
    graph = arch_graph("encoder-decoder") if view == "arch" else lstm(3)
    pair = [graph, rnn(3)] if view in ("diff", "flow") else [graph]
    return Drawing(pair, Settings(view=view, theme=theme)).scene


class Recorder:
    """A brush that keeps what it was told, as (part, stroke, arguments)."""

    def open(self, scene):
        self.strokes = []

    def begin(self, part):
        self.part = part

    def end(self):
        self.part = None

    def close(self):
        return ""

    def area(self, *place):
        self.strokes.append((self.part, "area", place))

    def curve(self, *look):
        self.strokes.append((self.part, "curve", look))

    def head(self, *look):
        self.strokes.append((self.part, "head", look))

    def text(self, line):
        self.strokes.append((self.part, "text", line))


@pytest.mark.parametrize("view", PICTURES)
def test_every_part_of_every_view_is_painted_once(view):
    scene, brush = scene_of(view), Recorder()
    paint(scene, brush)
    kinds = Counter((type(part), kind) for part, kind, _ in brush.strokes)
    assert kinds[Box, "area"] == len(scene.boxes)
    assert kinds[Frame, "area"] == len(scene.frames)
    assert kinds[Wire, "curve"] == len(scene.wires)
    assert kinds[Wire, "head"] == sum(wire.arrow for wire in scene.wires)
    assert kinds[Patch, "area"] == len(scene.patches) + len(scene.above)
    assert kinds[Words, "text"] == len(scene.words)
    assert kinds[Box, "text"] == sum(bool(t) for b in scene.boxes for t in (*b.lines, b.mark))


def test_boxes_lie_over_wires_and_heat_maps_over_boxes():
    scene, brush = Drawing([lstm(2)], Settings(values="full")).scene, Recorder()
    scene.above.append(Patch(1.0, 2.0, 3.0, 4.0, "#123456"))
    paint(scene, brush)
    order = [type(part) for part, _, _ in brush.strokes]
    assert order.index(Wire) < order.index(Box)
    assert max(i for i, kind in enumerate(order) if kind is Box) < len(order) - 1
    assert (scene.above[-1], "area") in [(part, kind) for part, kind, _ in brush.strokes[-400:]]


@pytest.mark.parametrize("format", BRUSHES)
@pytest.mark.parametrize("view", PICTURES)
def test_every_text_of_a_scene_is_in_every_format(view, format):
    scene = scene_of(view)
    text = BRUSHES[format](scene)
    written = {line for box in scene.boxes for line in box.lines}
    written |= {words.text for words in scene.words} | {frame.label for frame in scene.frames}
    for line in filter(None, written):
        form = {"svg": _escaped, "dot": _quoted, "tikz": tex}[format](line)
        assert form in text, line


def _escaped(line):
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _quoted(line):
    return dot(line)[1:-1]


def test_dot_has_the_nodes_and_the_edges_of_the_graph():
    drawing = Drawing([fold_sums(lstm(3))], Settings(view="op", legend=False))
    nodes = re.findall(r"^ (n\d+) \[", drawing.dot, re.M)
    inner = {f"n{node.id}" for node in drawing.graph.nodes if node.op}
    assert inner <= set(nodes) and len(nodes) == len(set(nodes))
    heads = Counter(re.findall(r"^ \w+ -> (\w+) \[", drawing.dot, re.M))
    assert heads == Counter(f"n{child.id}" for _, _, child in drawing.graph.edges())


def test_the_dot_of_an_odd_name_stays_one_string():
    made = Scene(THEMES["light"], Scale(), width=100.0, height=60.0)
    made.boxes.append(Box(50.0, 30.0, 40.0, 20.0, ('"];evil [label="', "\\"), node=1))
    made.words.append(Words(0.0, 10.0, '"; quit'))
    text = positioned(made)
    assert text.count("evil") == 1 and '\\"];evil [label=\\"' in text
    assert '7 -\\"; quit' in text  # bytes are counted before the quotes are escaped


@pytest.mark.parametrize("format", BRUSHES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_same_picture_has_the_same_bytes(theme, format):
    assert BRUSHES[format](scene_of("op", theme)) == BRUSHES[format](scene_of("op", theme))


@pytest.mark.parametrize("dash", ["8 2 2 2", "2 2", "5 3"])
def test_every_kind_of_dash_is_written(dash):
    made = Scene(THEMES["light"], Scale(), width=100.0, height=60.0)
    made.wires.append(Wire([(0, 5), (30, 5), (60, 5), (99, 5)], dash=dash))
    assert f'stroke-dasharray="{dash}"' in svg(made)
    assert ",dashed]" in tikz(made)
    assert ("style=dotted" if dash == "2 2" else "style=dashed") in positioned(made)


def test_what_is_not_finite_is_marked_in_every_format():
    made = Scene(THEMES["light"], Scale.over([1.0]), width=100.0, height=60.0)
    made.wires.append(Wire([(0, 5), (30, 5), (60, 5), (99, 5)], norm=float("nan")))
    made.boxes.append(Box(50.0, 30.0, 40.0, 20.0, ("y",), mark="✖"))
    for text in (svg(made), positioned(made)):
        assert text.count("✖") == 2 and "#d55e00" in text
    assert tikz(made).count(r"\times") == 2
    ET.fromstring(svg(made))
