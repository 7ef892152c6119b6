"""PNG and PDF painted by ourselves: well-formed, the same every time, text within its box."""

from __future__ import annotations

import re
import struct
import zlib

import numpy as np
import pytest
from draw_graphs import lstm, rnn

from tinygrad_rnn.draw import labels
from tinygrad_rnn.draw.drawing import Drawing
from tinygrad_rnn.draw.errors import DrawError
from tinygrad_rnn.draw.palette import THEMES, Scale
from tinygrad_rnn.draw.render.pdf import pdf
from tinygrad_rnn.draw.render.pixels import png
from tinygrad_rnn.draw.render.raster import POINT, raster
from tinygrad_rnn.draw.render.strokes import SIGNS, sign, written
from tinygrad_rnn.draw.scene import Box, Scene, Wire
from tinygrad_rnn.draw.views import VIEWS, Settings


def pixels(data: bytes) -> np.ndarray:
    """Return the colours in a PNG of ours."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, parts = 8, {}
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert (
            zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0]
        )
        parts[kind] = body
        at += 12 + size
    wide, high = struct.unpack(">II", parts[b"IHDR"][:8])
    rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(high, 1 + 3 * wide)
    assert (rows[:, 0] == 0).all() and list(parts) == [b"IHDR", b"IDAT", b"IEND"]
    return rows[:, 1:].reshape(high, wide, 3)


def page(data: bytes) -> str:
    """Return the operators on the page of a PDF of ours; its table of places is checked."""
    table = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", data)[1])
    assert data[table : table + 4] == b"xref"
    for number, place in enumerate(re.findall(rb"(\d{10}) 00000 n ", data[table:]), start=1):
        assert data[int(place) :].startswith(b"%d 0 obj" % number)
    return zlib.decompress(re.search(rb"stream\n(.*)\nendstream", data, re.S)[1]).decode("latin-1")


def scene_of_one(box: Box, theme: str = "light") -> Scene:
    made = Scene(THEMES[theme], Scale.over([1.0], "cividis", theme), width=100.0, height=60.0)
    made.boxes.append(box)
    return made


def test_pixels_have_the_colours_of_the_scene():
    made = scene_of_one(Box(50.0, 30.0, 40.0, 20.0, (), "square", "loss"))
    made.wires.append(Wire([(0, 5), (30, 5), (60, 5), (100, 5)], norm=1.0, arrow=False))
    colours = pixels(png(made, 2.0))
    assert colours.shape == (120, 200, 3)

    def hexed(x, y):
        return "#" + bytes(colours[2 * y, 2 * x]).hex()

    light = THEMES["light"]
    assert hexed(50, 30) == light.fills["loss"].lower()
    assert colours[40, 100].max() < 100  # its edge
    assert hexed(50, 5) == made.scale.stroke(1.0).colour.lower()
    assert hexed(5, 50) == light.paper.lower()


def test_a_dashed_line_has_gaps_and_a_round_box_no_corners():
    made = scene_of_one(Box(50.0, 30.0, 40.0, 20.0, (), "round", "loss"))
    made.wires.append(Wire([(0, 5), (30, 5), (60, 5), (100, 5)], None, 1.0, False, dash="4 4"))
    colours = pixels(png(made, 2.0)).astype(int)
    line = colours[10].sum(1)
    assert 0.3 < (line < 400).mean() < 0.7
    paper = colours[110, 10]
    assert (colours[41, 61] == paper).all() and (colours[60, 61] != paper).any()


@pytest.mark.parametrize("dash", ["8 2 2 2", "2 2", "5 3"])
def test_every_kind_of_dash_is_painted(dash):
    made = scene_of_one(Box(50.0, 30.0, 40.0, 20.0, (), "dashed", "param"))
    made.wires.append(Wire([(0, 5), (30, 5), (60, 5), (99, 5)], None, None, dash=dash))
    made.wires.append(Wire([(9, 9), (9, 9), (9, 9), (9, 9)], None, None, dash=dash))
    assert f"[{dash}] 0 d" in page(pdf(made))
    line = pixels(png(made, 4.0))[20, :380].astype(int).sum(1)
    assert (line < 500).any() and (line > 700).any()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_same_picture_has_the_same_bytes(theme):
    scene = Drawing([rnn(1)], Settings(theme=theme)).scene
    assert png(scene, 1.0) == png(scene, 1.0) and pdf(scene) == pdf(scene)
    assert len(np.unique(pixels(png(scene, 1.0)).reshape(-1, 3), axis=0)) > 20


def test_the_page_is_as_large_as_the_scene_and_says_its_texts():
    scene = Drawing([rnn(2)]).scene
    data = pdf(scene)
    wide, high = (int(n) for n in re.search(rb"MediaBox \[0 0 (\d+) (\d+)\]", data).groups())
    assert (wide - 1, high - 1) < (scene.width, scene.height) <= (wide, high)
    operators = page(data)
    assert operators.count(" re") + operators.count(" c h") >= len(scene.boxes)
    for texts in re.findall(r"BT(.*?)ET", operators, re.S):
        assert re.search(r"/F[1-4] [\d.]+ Tf", texts) or not texts.strip().count("Tj")
    said = bytes.fromhex("".join(re.findall(r"<(..)> Tj", operators)))
    assert b"concat" in said and b"tanh" in said


@pytest.mark.parametrize("view", [view for view in VIEWS if view != "table"])
def test_every_view_is_painted(view):
    pair = [lstm(3), rnn(3)] if view in ("diff", "flow") else [lstm(3)]
    scene = Drawing(pair, Settings(view=view)).scene
    assert len(pixels(png(scene, 1.0))) >= scene.height and page(pdf(scene))


def test_every_sign_of_ours_can_be_written():
    ours = set("".join([*labels.GLYPHS.values(), *labels.GATES.values(), *labels.PLAIN]))
    for letter in sorted((ours - {" "}) | set(map(chr, range(33, 127)))):
        strokes, wide = written(letter)
        assert strokes and wide >= 0 and np.isfinite(strokes[0]).all(), letter


def test_signs_stay_between_the_lines():
    for letter in SIGNS:
        strokes, wide = sign(letter)
        assert strokes[:, [0, 2]].min() >= 0 and strokes[:, [0, 2]].max() < wide
        assert strokes[:, [1, 3]].min() > -0.75 and strokes[:, [1, 3]].max() < 0.25


@pytest.mark.parametrize("text", ["log-softmax", "a⟨100⟩", "cross-entropy", "[Γr∘a,x]", "Wf", "c̃"])
def test_text_is_no_wider_than_was_reckoned(text):
    assert written(text)[1] * 10 <= labels.width(text) + 1


@pytest.mark.parametrize(
    "name", ["\x00", "漢字", "𝕏", "e\u0302\u0303", "\u0302", " ", "(\\)", "\ud800"]
)
def test_odd_names_are_painted_too(name):
    scene = scene_of_one(Box(50.0, 30.0, 40.0, 20.0, (labels.clean(name),)))
    assert pixels(png(scene, 1.0)).any() and page(pdf(scene))


def test_a_picture_of_too_many_pixels_is_refused():
    scene = scene_of_one(Box(50.0, 30.0, 40.0, 20.0, ()))
    scene.width = scene.height = 9_000.0
    with pytest.raises(DrawError, match="PNG would have 144 million pixels") as raised:
        raster(scene, "png")
    assert raised.value.code == 4 and POINT == 96 / 72
    assert raster(scene, "pdf").startswith(b"%PDF")
