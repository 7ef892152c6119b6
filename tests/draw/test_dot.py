"""What we write for Graphviz, given to Graphviz: it must draw it, well and fast."""

from __future__ import annotations

import json
import re
import resource
import shutil
import struct
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict

import pytest
from draw_graphs import lstm, rnn

from tinygrad_rnn.draw.capture.models import CELLS, Sizes
from tinygrad_rnn.draw.capture.sources import of_cell
from tinygrad_rnn.draw.draw_error import DrawError
from tinygrad_rnn.draw.drawing import Drawing
from tinygrad_rnn.draw.escapes import dot as quoted
from tinygrad_rnn.draw.layout.architectures import arch_graph
from tinygrad_rnn.draw.layout.dot_recipe import dot_text
from tinygrad_rnn.draw.render import graphviz as renderer
from tinygrad_rnn.draw.render.dot import positioned
from tinygrad_rnn.draw.render.svg import svg
from tinygrad_rnn.draw.settings import Settings
from tinygrad_rnn.draw.transform.fold import fold_sums
from tinygrad_rnn.draw.views import VIEWS

pytestmark = [
    pytest.mark.dot,
    pytest.mark.skipif(shutil.which("dot") is None, reason="dot is not installed"),
]


def graphviz(text, *arguments):
    done = subprocess.run(["dot", *arguments], input=text.encode(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def clusters(text):
    """Return step → its box, and step → its gates from bottom to top, as `dot` lays them out."""
    out, warnings = graphviz(text, "-Tjson0")
    assert not warnings
    boxes, gates = {}, defaultdict(list)
    for one in json.loads(out)["objects"]:
        if one["name"].startswith("cluster_t"):
            step, _, gate = one["name"].removeprefix("cluster_t").partition("_")
            left, low, right, top = map(float, one["bb"].split(","))
            if gate:
                gates[step].append((low, one["label"]))
            else:
                boxes[int(step)] = (left, low, right, top)
    return boxes, {step: [name for _, name in sorted(found)] for step, found in gates.items()}


def cell_graph(cell, steps):
    return fold_sums(of_cell(cell, Sizes(steps=steps))[0])


CELLS = [(cell, 3) for cell in CELLS] + [("lstm", 10)]


@pytest.mark.parametrize("cell, steps", CELLS)
def test_dot_draws_the_steps_in_one_straight_row(cell, steps):
    boxes, gates = clusters(dot_text(cell_graph(cell, steps)))
    row = [boxes[i] for i in sorted(boxes)]
    assert len(row) == steps
    assert all(a[2] < b[0] for a, b in zip(row, row[1:]))
    assert max(b[1] for b in row) - min(b[1] for b in row) <= 2
    assert len(set(map(tuple, gates.values()))) <= 1, gates


@pytest.mark.parametrize("graph", [fold_sums(lstm(4)), rnn(4), lstm(3, loss="last")])
def test_dot_draws_title_and_legend(graph):
    out, warnings = graphviz(dot_text(graph), "-Tsvg")
    texts = {t.text for t in ET.fromstring(out).iter("{http://www.w3.org/2000/svg}text")}
    assert {graph.title, "operation", "loss", "parameter (one chip per use)"} <= texts
    assert not warnings


def test_dot_draws_every_node_and_edge():
    graph = fold_sums(lstm(3))
    out, _ = graphviz(dot_text(graph), "-Tplain")
    edges = {line.split()[2] for line in out.splitlines() if line.startswith("edge")}
    inner = {str(n.id) for n in graph.nodes if n.op}
    assert inner <= {e.removeprefix("n") for e in edges}


def test_thirty_steps_at_op_level_take_less_than_a_second():
    """Processor time of the child: other processes on the machine do not count."""
    text, times = dot_text(fold_sums(lstm(30))), []
    while len(times) < 10 and min(times, default=2.0) >= 1.0:  # a busy machine's caches cost too
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        graphviz(text, "-Tsvg")
        times.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    assert min(times) < 1.0


SVG = "{http://www.w3.org/2000/svg}"


def drawn_by_dot(scene):
    """Return what `dot` makes of a scene: texts and areas with their middles, y pointing down."""
    out, warnings = graphviz(positioned(scene), "-Tsvg")
    assert not warnings
    root = ET.fromstring(out)
    high = float(re.search(r"translate\(\S+ (\S+)\)", root[0].get("transform"))[1])
    texts = [
        (t.text.replace("\xa0", " "), float(t.get("x")), float(t.get("y")) + high)
        for t in root.iter(SVG + "text")
    ]
    areas = []
    for shape in root.iter():
        numbers = re.findall(r"-?\d+\.?\d*", shape.get("points") or shape.get("d") or "")
        x, y = [float(n) for n in numbers[::2]], [float(n) + high for n in numbers[1::2]]
        if shape.tag == SVG + "ellipse":
            x, y = [float(shape.get("cx"))], [float(shape.get("cy")) + high]
        if x:
            areas.append(((min(x) + max(x)) / 2, (min(y) + max(y)) / 2))
    size = [float(n) for n in root.get("viewBox").split()[2:]]
    return size, texts, areas


@pytest.mark.parametrize("view", [view for view in VIEWS if view != "table"])
def test_dot_draws_our_picture(view):
    """The same sheet, every box, frame and bar in its place, every text where ours has it."""
    graph = arch_graph("encoder-decoder") if view == "arch" else lstm(3)
    pair = [graph, rnn(3)] if view in ("diff", "flow") else [graph]
    scene = Drawing(pair, Settings(view=view)).scene
    size, texts, areas = drawn_by_dot(scene)
    assert size == pytest.approx([scene.width, scene.height], abs=1.0)
    near = defaultdict(list)
    for x, y in areas:
        near[round(x / 4), round(y / 4)].append((x, y))
    parts = [(b.x, b.y) for b in scene.boxes]
    parts += [(p.x + p.w / 2, p.y + p.h / 2) for p in (*scene.frames, *scene.patches)]
    for x, y in parts:
        cells = [(round(x / 4) + i, round(y / 4) + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        close = [p for cell in cells for p in near.get(cell, ())]
        assert any(abs(x - a) < 1 and abs(y - b) < 1 for a, b in close), (x, y)
    ours = [(t.text, float(t.get("x")), float(t.get("y"))) for t in
            ET.fromstring(svg(scene)).iter(SVG + "text")]  # fmt: skip
    assert Counter(t[0] for t in ours) == Counter(t[0] for t in texts if t[0].strip())
    for text, x, y in ours:
        spots = [(a, b) for other, a, b in texts if other == text]
        assert any(abs(x - a) < 8 and abs(y - b) < 3 for a, b in spots), (text, x, y, spots)


@pytest.mark.parametrize("engine", renderer.ENGINES)
def test_every_engine_of_graphviz_is_reachable(engine):
    pytest.importorskip("graphviz", reason="the extra viz is not installed")
    assert Drawing([rnn(2)], Settings(engine=engine)).encoded("svg").startswith(b"<?xml")


@pytest.mark.parametrize(
    "format, start",
    [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("ps", b"%!PS"), ("plain", b"graph"), ("gif", b"GIF8")],
)
def test_our_layout_in_the_formats_of_graphviz(format, start):
    pytest.importorskip("graphviz", reason="the extra viz is not installed")
    made = [Drawing([rnn(2)]).encoded(format) for _ in range(2)]
    assert made[0].startswith(start) and len(made[0]) > 1_000
    assert made[0] == made[1]


def test_what_graphviz_complains_of_is_told():
    pytest.importorskip("graphviz", reason="the extra viz is not installed")
    with pytest.raises(DrawError, match="Graphviz failed: Error: <stdin>: syntax error"):
        renderer.drawn("digraph {", "png")


def test_png_without_graphviz():
    pytest.importorskip("resvg_py", reason="resvg_py is not installed")
    made = Drawing([rnn(2)], Settings(engine="builtin"))
    data = made.encoded("png")
    wide, high = struct.unpack(">II", data[16:24])
    assert wide == pytest.approx(made.scene.width * renderer.POINT, abs=2)
    assert high == pytest.approx(made.scene.height * renderer.POINT, abs=2)


@pytest.mark.parametrize(
    "name", ['"', "\\", '\\"', "a\nb", 'x"]; evil [label="y', "\\N\\G", "</b>", "{|}"]
)
def test_labels_reach_graphviz_as_they_are(name):
    out, _ = graphviz(f"digraph {{ a [label={quoted(name)}] }}", "-Tsvg")
    texts = [t.text or "" for t in ET.fromstring(out).iter("{http://www.w3.org/2000/svg}text")]
    assert "\n".join(texts) == name
