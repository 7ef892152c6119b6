"""Geometry of every view of twelve models: wires keep off strange boxes and off each other."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from twelve_models import MODELS

from tinygrad_rnn.draw import Drawing, draw, views
from tinygrad_rnn.draw.labels import width
from tinygrad_rnn.draw.layout.architectures import NAMES, arch_graph
from tinygrad_rnn.draw.layout.legend import NARROW

VIEWS = ("cell", "gate", "op", "rolled", "backward", "flow", "params")


def path(wire):
    """Return points along the curves of a wire, some 3 px apart."""
    ps, found = wire.points, [wire.points[0]]
    for i in range(0, len(ps) - 1, 3):
        a, b, c, d = ps[i : i + 4]
        n = max(2, round(math.dist(a, d) / 3))
        for k in range(1, n + 1):
            t = k / n
            w = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            found.append(
                tuple(sum(w[j] * p[x] for j, p in enumerate((a, b, c, d))) for x in (0, 1))
            )
    return found


def inside(box, point, margin=1.5):
    x, y = point
    return abs(x - box.x) < box.w / 2 - margin and abs(y - box.y) < box.h / 2 - margin


def touches(box, point, margin=4.0):
    x, y = point
    return abs(x - box.x) < box.w / 2 + margin and abs(y - box.y) < box.h / 2 + margin


def hidden(scene):
    """Return (edge, box) where a wire runs behind a box that is not one of its ends."""
    found = []
    for wire in scene.wires:
        points = path(wire)
        (left, right), (top, bottom) = ((min(v), max(v)) for v in zip(*points))
        for box in scene.boxes:
            if abs(2 * box.x - left - right) > box.w + right - left:
                continue
            if abs(2 * box.y - top - bottom) > box.h + bottom - top:
                continue
            ends = touches(box, points[0]) or touches(box, points[-1])
            if not ends and any(inside(box, p) for p in points):
                found.append((wire.edge, box.lines))
    return found


def straight(wire):
    """Return the straight level and upright pieces of a wire, as (upright, at, low, high)."""
    for a, b in pairwise(wire.points[::3]):
        if abs(a[0] - b[0]) < 0.6:
            yield True, a[0], min(a[1], b[1]), max(a[1], b[1])
        elif abs(a[1] - b[1]) < 0.6:
            yield False, a[1], min(a[0], b[0]), max(a[0], b[0])


def trunks(scene):
    """Return pairs of wires from different boxes that run on one line for 8 px or more."""
    pieces = []
    for wire in scene.wires:
        if wire.edge is not None:
            source = next((b for b in scene.boxes if touches(b, wire.points[0], 1.5)), None)
            mine = (id(source), round(wire.points[0][0]), round(wire.points[0][1]))
            pieces += [(*piece, mine, wire.edge) for piece in straight(wire)]
    return [
        (p[5], q[5])
        for i, p in enumerate(pieces)
        for q in pieces[:i]
        if p[0] == q[0] and p[4] != q[4] and p[4][0] != q[4][0]
        and abs(p[1] - q[1]) < 1.0 and min(p[3], q[3]) - max(p[2], q[2]) >= 8.0
    ]  # fmt: skip


def text_boxes(scene):
    """Return (text, left, top, right, bottom) of each free text."""
    for words in scene.words:
        wide = width(words.text, words.size)
        left = words.x - {"start": 0.0, "middle": wide / 2, "end": wide}[words.anchor]
        yield words.text, left, words.y - 0.75 * words.size, left + wide, words.y + 0.2 * words.size


def overlapping_texts(scene):
    texts = list(text_boxes(scene))
    texts += [
        (str(b.lines), b.x - b.w / 2, b.y - b.h / 2, b.x + b.w / 2, b.y + b.h / 2)
        for b in scene.boxes
        if any(b.lines)
    ]
    return [
        (a[0], b[0])
        for i, a in enumerate(texts)
        for b in texts[:i]
        if min(a[3], b[3]) - max(a[1], b[1]) > 1.0 and min(a[4], b[4]) - max(a[2], b[2]) > 1.0
    ]


LARGE = {"deep bi-gru", "seq2seq"}  # twenty seconds each


def checked(drawing, monkeypatch):
    """Assert all that holds of the picture of every view."""
    made = drawing.scene
    assert not hidden(made)
    assert not trunks(made)
    assert not overlapping_texts(made)
    with monkeypatch.context() as patch:
        patch.setattr(views, "finish", lambda scene: scene)
        bare = Drawing(drawing.graphs, drawing.settings).scene
    assert made.width <= max(1.3 * drawn_width(bare), NARROW)
    return made


@pytest.mark.parametrize(
    "model", [pytest.param(m, marks=pytest.mark.slow if m in LARGE else ()) for m in MODELS]
)
def test_wires_and_texts_keep_off_what_is_not_theirs(model, monkeypatch):
    graph = draw(MODELS[model]).graph
    for view in VIEWS:
        made = checked(draw(graph, view=view), monkeypatch)
        endless = view == "params" or view == "flow" and not graph.steps()  # charts
        assert endless or any(box.role == "loss" for box in made.boxes), view


@pytest.mark.parametrize("pair", [("lstm", "gru"), ("ten lines", "two cells"), ("rnn", "residual")])
def test_two_programs_in_one_picture_keep_apart(pair, monkeypatch):
    first, second = (draw(MODELS[model]).graph for model in pair)
    checked(draw(first, view="diff", against=second), monkeypatch)


@pytest.mark.parametrize("name", NAMES)
def test_wires_of_architectures_keep_off_boxes(name, monkeypatch):
    checked(draw(arch_graph(name), view="arch"), monkeypatch)


def drawn_width(scene):
    """Return how wide the graph itself is, with the texts that are part of it."""
    spots = [x for b in scene.boxes for x in (b.x - b.w / 2, b.x + b.w / 2)]
    spots += [x for wire in scene.wires for x, _ in wire.points]
    spots += [x for _, left, _, right, _ in text_boxes(scene) for x in (left, right)]
    return max(spots, default=0.0) - min(spots, default=0.0)
