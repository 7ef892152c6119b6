"""Geometry of every view of twelve models: wires keep off strange boxes and off each other."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from twelve_models import MODELS

from tinygrad_rnn.draw import draw
from tinygrad_rnn.draw.labels import width

VIEWS = ("cell", "gate", "op", "rolled", "backward", "flow", "params")
KNOWN = {  # wires that still run behind a box
    ("seq2seq", "op"), ("seq2seq", "backward"),
    *((model, "rolled") for model in MODELS if model not in ("rnn", "gru", "residual")),
}  # fmt: skip


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


@pytest.mark.parametrize(
    "model", [pytest.param(m, marks=pytest.mark.slow if m in LARGE else ()) for m in MODELS]
)
def test_wires_and_texts_keep_off_what_is_not_theirs(model):
    """Of gate, op and backward views the edges that meet in one node still share a bus."""
    graph = draw(MODELS[model]).graph
    for view in VIEWS:
        made = draw(graph, view=view).scene
        assert bool(hidden(made)) == ((model, view) in KNOWN), view
        assert view in ("gate", "op", "backward") or not trunks(made), view
        assert not overlapping_texts(made), view
        if view in ("cell", "gate", "op"):
            assert any(box.role == "loss" for box in made.boxes), view
            assert made.width <= max(1.3 * drawn_width(made), 260.0), view


def drawn_width(scene):
    """Return how wide the graph itself is."""
    spots = [x for box in scene.boxes for x in (box.x - box.w / 2, box.x + box.w / 2)]
    spots += [x for wire in scene.wires for x, _ in wire.points]
    return max(spots) - min(spots)
