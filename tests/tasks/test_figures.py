"""Figures: well-formed SVG with title, axes, units and a legend in words, whatever the numbers."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from tinygrad_rnn.tasks.figures import COLOURS, heat, lines, picture

SVG = "{http://www.w3.org/2000/svg}"


def words(svg: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(svg).iter(f"{SVG}text")]


VALUES = {
    "usual": [3.0, 1.0, 2.0], "one": [4.0], "equal": [5.0, 5.0], "none": [],
    "nan": [1.0, float("nan"), 2.0], "infinite": [1.0, float("inf"), 0.5],
    "tiny": [1e-9, 3e-9], "huge": [1e12, 3e12], "negative": [-3.0, -1.0],
}  # fmt: skip


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("log", [False, True])
def test_lines_name_everything(values, log):
    curves = {"of <a>": (range(len(values)), values)}
    told = words(lines("Loss & more", "step", "loss, nats", curves, log=log))
    assert {"Loss & more", "step", "loss, nats"} <= set(told)
    drawable = [v for v in values if np.isfinite(v) and (v > 0 or not log)]
    assert ("of <a>" in told) == bool(drawable)
    assert (
        len([t for t in told if t.replace(".", "").replace("e", "").strip("-+0123456789") == ""])
        > 2
    )


def test_points_lie_where_their_values_are():
    svg = lines("t", "x", "y", {"a": ([0, 10], [0, 1])}, wide=640, high=300)
    (line, _) = ET.fromstring(svg).iter(f"{SVG}polyline")
    (x0, y0), (x1, y1) = (map(float, p.split(",")) for p in line.get("points", "").split())
    assert (x0, y0, x1, y1) == (62, 256, 624, 34)


def test_more_curves_than_colours_are_drawn():
    curves = {f"curve {k}": ([0, 1], [k, k + 1]) for k in range(len(COLOURS) + 2)}
    assert set(curves) <= set(words(lines("t", "x", "y", curves)))


@pytest.mark.parametrize("table", [np.eye(3), np.zeros((3, 3)), np.full((3, 3), 7.0)])
def test_a_map_names_rows_columns_and_scale(table):
    svg = heat("Attention", "read", "said", table, "abc", "xyz", "weight")
    told = words(svg)
    assert {"Attention", "read", "said", *"abcxyz"} <= set(told)
    assert any("(pale)" in t and "weight" in t for t in told)


def test_the_darkest_square_is_the_largest():
    table = np.array([[0.0, 0.5, 1.0]])
    fills = [node.get("fill") for node in ET.fromstring(heat("t", "x", "y", table, "abc", "r", ""))
             .iter(f"{SVG}rect")][1:4]  # fmt: skip
    assert fills == sorted(fills, reverse=True) and len(set(fills)) == 3


def test_a_picture_has_axes_marks_and_colours():
    image = np.zeros((4, 6, 3))
    image[1, 2] = (1, 0, 0)
    svg = picture("Scene", "x, pixels", "y, pixels", image, "red is 1", marks=[(2.5, "here")])
    told = words(svg)
    assert {"Scene", "x, pixels", "y, pixels", "here", "red is 1"} <= set(told)
    assert any(node.get("fill") == "#ff0000" for node in ET.fromstring(svg).iter(f"{SVG}rect"))


def test_equal_neighbours_are_one_rectangle():
    wide = picture("t", "x", "y", np.zeros((10, 100)))
    assert len(list(ET.fromstring(wide).iter(f"{SVG}rect"))) < 10 + 30
