"""What we write for Graphviz, given to Graphviz: it must draw it, well and fast."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest
from draw_graphs import lstm, rnn

from tinygrad_rnn.draw.drawing import Drawing
from tinygrad_rnn.draw.layout.dot import dot_scene, dot_text, quoted
from tinygrad_rnn.draw.layout.legend import finish
from tinygrad_rnn.draw.layout.unrolled import unrolled
from tinygrad_rnn.draw.transform.fold import fold_sums
from tinygrad_rnn.draw.views import Settings

pytestmark = [
    pytest.mark.dot,
    pytest.mark.skipif(shutil.which("dot") is None, reason="dot is not installed"),
]


def graphviz(text, *arguments):
    done = subprocess.run(["dot", *arguments], input=text.encode(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def centres(svg_text, pattern):
    """Return label → x of the clusters or nodes of Graphviz's SVG."""
    root = ET.fromstring(svg_text)
    found = {}
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        if text.text and re.fullmatch(pattern, text.text):
            found[text.text] = float(text.get("x"))
    return found


@pytest.mark.parametrize("graph", [fold_sums(lstm(4)), rnn(4), lstm(3, loss="last")])
def test_dot_draws_the_steps_in_time_order(graph):
    out, warnings = graphviz(dot_text(graph), "-Tsvg")
    x = centres(out, r"t = \d")
    assert list(x) and [x[f"t = {t}"] for t in graph.steps()] == sorted(x.values())
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
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        graphviz(text, "-Tsvg")
        times.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    assert min(times) < 1.0


def test_a_scene_keeps_its_positions():
    scene = finish(unrolled(fold_sums(lstm(2))))
    out, warnings = graphviz(dot_scene(scene), "-Kneato", "-n2", "-Tplain")
    assert not warnings
    at = {}
    for line in out.splitlines():
        if line.startswith("node b"):
            _, name, x, y = line.split()[:4]
            at[int(name[1:])] = (float(x) * 72, float(y) * 72)
    origin = min(x for x, _ in at.values()) - min(b.x for b in scene.boxes)
    for number, box in enumerate(scene.boxes):
        assert at[number][0] - origin == pytest.approx(box.x, abs=0.6)


@pytest.mark.parametrize(
    "format, start", [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")]
)
def test_pictures_by_dot_itself(format, start):
    drawing = Drawing([rnn(2)], Settings(engine="dot"))
    assert drawing.encoded(format).startswith(start)


@pytest.mark.parametrize("format, start", [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_our_layout_painted_by_graphviz(format, start):
    made = Drawing([rnn(2)]).encoded(format)
    assert made.startswith(start) and len(made) > 5_000


@pytest.mark.parametrize(
    "name", ['"', "\\", '\\"', "a\nb", 'x"]; evil [label="y', "\\N\\G", "</b>", "{|}"]
)
def test_labels_reach_graphviz_as_they_are(name):
    out, _ = graphviz(f"digraph {{ a [label={quoted(name)}] }}", "-Tsvg")
    texts = [t.text or "" for t in ET.fromstring(out).iter("{http://www.w3.org/2000/svg}text")]
    assert "\n".join(texts) == name
