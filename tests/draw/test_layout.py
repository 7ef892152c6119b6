"""The geometry of unrolled pictures: nothing overlaps, steps are alike and in time order."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from collections import defaultdict

import pytest
from draw_graphs import Maker, lstm, overlapping, rnn

from tinygrad_rnn import Generator, nn
from tinygrad_rnn.draw import draw
from tinygrad_rnn.draw.graph import Graph, GraphNode
from tinygrad_rnn.draw.layout.cell_grid import cell_view
from tinygrad_rnn.draw.layout.layered import Link, Problem, arrange
from tinygrad_rnn.draw.layout.legend import finish
from tinygrad_rnn.draw.layout.unrolled import unrolled
from tinygrad_rnn.draw.render.svg import svg
from tinygrad_rnn.draw.settings import Settings
from tinygrad_rnn.draw.transform.backward_graph import backward_graph
from tinygrad_rnn.draw.transform.fold import LEVELS, fold_sums

GRAPHS = {
    "lstm": fold_sums(lstm(4)),
    "lstm, last loss": lstm(4, loss="last"),
    "rnn": rnn(5),
    "gates": LEVELS["gate"](fold_sums(lstm(4))),
    "cells": LEVELS["cell"](fold_sums(lstm(4))),
    "backward": backward_graph(fold_sums(lstm(3))),
    "no steps": Graph(
        [GraphNode(0, None, (), role="param"), GraphNode(1)]
        + [GraphNode(i, "mul", (i - 1, i - 2)) for i in range(2, 30)]
    ),
    "empty": Graph(),
    "one node": Graph([GraphNode(0, name="x")]),
    "a node used twice": Graph([GraphNode(0, name="x"), GraphNode(1, "mul", (0, 0))]),
}
EACH = pytest.mark.parametrize("name", GRAPHS)


@EACH
def test_no_two_boxes_overlap(name):
    assert overlapping(unrolled(GRAPHS[name]).boxes) == []


@EACH
def test_every_edge_is_drawn_or_listed_as_folded(name):
    scene = unrolled(GRAPHS[name])
    drawn = {wire.edge for wire in scene.wires}
    every = {(child.id, slot) for _, slot, child in GRAPHS[name].edges()}
    assert drawn | scene.folded == every
    assert not scene.folded


@EACH
def test_everything_lies_inside_the_picture(name):
    scene = finish(unrolled(GRAPHS[name]))
    for box in scene.boxes:
        assert box.w / 2 <= box.x <= scene.width - box.w / 2 + 0.1
        assert box.h / 2 <= box.y <= scene.height - box.h / 2 + 0.1
    for wire in scene.wires:
        assert all(
            -1 <= x <= scene.width + 1 and -1 <= y <= scene.height + 1 for x, y in wire.points
        )


@EACH
def test_svg_is_well_formed_and_the_same_every_time(name):
    first = svg(finish(unrolled(GRAPHS[name])))
    assert first == svg(finish(unrolled(GRAPHS[name])))
    root = ET.fromstring(first)
    assert root.get("role") == "img"
    assert [child.tag.split("}")[1] for child in root][:2] == ["title", "desc"]


def columns(scene, graph):
    """Return step → name or op → (x, y) of its boxes relative to the leftmost of the step."""
    found = defaultdict(list)
    for box in scene.boxes:
        step = graph.nodes[box.node].step if box.node is not None else None
        if step is not None and box.shape != "dashed":
            found[step].append(box)
    return found


@pytest.mark.parametrize("name", ["lstm", "rnn", "gates", "cells"])
def test_steps_stand_in_time_order(name):
    found = columns(unrolled(GRAPHS[name]), GRAPHS[name])
    spans = [(min(b.x for b in found[t]), max(b.x for b in found[t])) for t in sorted(found)]
    assert len(spans) >= 4
    assert all(a[1] < b[0] for a, b in zip(spans, spans[1:]))


def test_steps_of_one_kind_have_the_same_picture():
    graph = fold_sums(lstm(6))
    found = columns(unrolled(graph), graph)
    pictures = set()
    for boxes in found.values():
        left = min(b.x for b in boxes)
        pictures.add(tuple((round(b.x - left, 3), round(b.y, 3), b.w) for b in boxes))
    assert len(pictures) == 1


def test_gates_stand_in_the_same_order_in_every_step():
    graph = fold_sums(lstm(4))
    scene = unrolled(graph)
    orders = defaultdict(list)
    for frame in sorted((f for f in scene.frames if f.kind == "gate"), key=lambda f: f.x):
        orders[round(frame.y)].append(frame.label)
    (labels,) = orders.values()  # one row
    assert labels == ["forget", "update", "candidate", "output"] * 4


def flat_parts(wire):
    """Return the horizontal straight parts of a wire, as (left, right, y)."""
    ends = wire.points[::3]
    return [
        (min(a[0], b[0]), max(a[0], b[0]), a[1])
        for a, b in zip(ends, ends[1:])
        if abs(a[1] - b[1]) < 0.01
    ]


@pytest.mark.parametrize("name", ["lstm", "lstm, last loss", "rnn", "gates", "backward"])
def test_lanes_cross_no_node(name):
    scene = unrolled(GRAPHS[name])
    graph = GRAPHS[name]
    for wire in scene.wires:
        tail = graph.nodes[wire.edge[0]].parents[wire.edge[1]]
        others = [b for b in scene.boxes if b.node not in (wire.edge[0], tail)]
        for left, right, y in flat_parts(wire):
            hit = [
                b.lines
                for b in others
                if b.x - b.w / 2 < right - 1 and b.x + b.w / 2 > left + 1
                and b.y - b.h / 2 < y - 0.5 and b.y + b.h / 2 > y + 0.5
            ]  # fmt: skip
            assert not hit, (wire.edge, hit)


@EACH
def test_arrows_are_not_stretched(name):
    """The last way-point of a wire lies close to its head, so that the arrow stays small."""
    from tinygrad_rnn.draw.render.painter import arrow

    scene = unrolled(GRAPHS[name])
    for wire in scene.wires:
        if wire.arrow:
            _, corners = arrow(wire.points, scene.scale.stroke(wire.norm).width)
            xs, ys = [c[0] for c in corners], [c[1] for c in corners]
            assert max(xs) - min(xs) < 10 and max(ys) - min(ys) < 10


@EACH
def test_wires_end_on_their_nodes(name):
    scene = unrolled(GRAPHS[name])
    boxes = {box.node: box for box in scene.boxes if box.shape != "dashed"}
    for wire in scene.wires:
        if wire.arrow:
            x, y = wire.points[-1]
            box = boxes[wire.edge[0]]
            assert abs(x - box.x) <= box.w / 2 + 0.1
            assert abs(y - box.y) <= box.h / 2 + 0.1


def test_elision_shows_the_first_and_the_last_steps_and_folds_the_rest():
    graph = fold_sums(lstm(30))
    scene = unrolled(graph, Settings(elide=(2, 2)))
    assert [f.label for f in scene.frames if f.kind == "step"] == [
        "t = 1", "t = 2", "t = 29", "t = 30",
    ]  # fmt: skip
    assert [w.text for w in scene.words if "steps" in w.text] == ["26 steps"]
    assert overlapping(scene.boxes) == []
    drawn = {wire.edge for wire in scene.wires}
    assert drawn | scene.folded == {(c.id, s) for _, s, c in graph.edges()}
    assert scene.folded


def test_wrapping_makes_rows_and_repeats_the_states():
    graph = fold_sums(lstm(6))
    scene = unrolled(graph, Settings(wrap=2))
    rows = defaultdict(list)
    for frame in scene.frames:
        if frame.kind == "step":
            rows[frame.y].append(frame.label)
    assert list(rows.values()) == [["t = 1", "t = 2"], ["t = 3", "t = 4"], ["t = 5", "t = 6"]]
    stubs = [b.lines[0] for b in scene.boxes if b.lines[0] in ("a⟨2⟩", "c⟨2⟩")]
    assert sorted(stubs) == ["a⟨2⟩", "a⟨2⟩", "c⟨2⟩", "c⟨2⟩"]  # itself, and where row 2 starts
    assert overlapping(scene.boxes) == []


def test_a_state_read_by_a_later_step_only_becomes_a_chip():
    m = Maker()
    with m.scope(step=1):
        first = m.add("tanh", m.leaf("x"), name="key")
    for t in (2, 3, 4):
        with m.scope(step=t):
            m.add("mul", m.leaf(f"x⟨{t}⟩"), first)
    scene = unrolled(m.graph.validate())
    chips = [b.lines for b in scene.boxes if b.shape == "dashed"]
    assert chips == [("key",), ("key",)]  # steps 3 and 4; step 2 stands beside and gets a wire
    assert overlapping(scene.boxes) == []


def test_a_gate_that_is_left_and_entered_again_is_not_framed():
    m = Maker()
    with m.scope(step=1):
        x = m.leaf("x")
        with m.scope(gate="odd"):
            inside = m.add("tanh", x)
        outside = m.add("exp", inside)
        with m.scope(gate="odd"):
            m.add("mul", inside, outside)
    scene = unrolled(m.graph.validate())
    assert [f for f in scene.frames if f.kind == "gate"] == []
    assert overlapping(scene.boxes) == []


def test_cells_stand_in_rows_by_layer_and_columns_by_time():
    scene = cell_view(fold_sums(lstm(5)))
    cells = [box for box in scene.boxes if box.role == "cell"]
    assert len(cells) == 5 and len({box.y for box in cells}) == 1
    assert [box.x for box in cells] == sorted(box.x for box in cells)
    assert overlapping([b for b in scene.boxes if b.shape != "dashed"]) == []


def test_gates_in_several_rows_stay_in_their_rows():
    """Trying orders of gates must not move a gate to a row that it does not belong to."""
    sizes = [(30.0, 90.0), (40.0, 60.0), (50.0, 80.0), (20.0, 20.0), (20.0, 20.0)]
    links = [Link(3, 0), Link(0, 1), Link(1, 2), Link(3, 4), Link(4, 2)]
    made = arrange(Problem(sizes, links, shuffle=(0, 1, 2), heavy=frozenset({0, 1, 2})))
    assert made.y[3] > made.y[0] > made.y[1] > made.y[2]
    for i in range(5):
        for j in range(i):
            wide, high = (sizes[i][0] + sizes[j][0]) / 2, (sizes[i][1] + sizes[j][1]) / 2
            assert abs(made.x[i] - made.x[j]) >= wide or abs(made.y[i] - made.y[j]) >= high


def test_layered_layout_is_deterministic_and_keeps_its_distances():
    sizes = [(30.0, 20.0)] * 40
    links = [Link(i, j) for i in range(40) for j in (i + 3, i + 7) if j < 40]
    one, two = arrange(Problem(sizes, links)), arrange(Problem(sizes, links))
    assert one == two
    for i in range(40):
        for j in range(i):
            near = abs(one.x[i] - one.x[j]) < 30 and abs(one.y[i] - one.y[j]) < 20
            assert not near


def test_a_chain_of_five_thousand_needs_no_recursion():
    links = [Link(i, i + 1) for i in range(4_999)]
    made = arrange(Problem([(20.0, 20.0)] * 5_000, links))
    assert len(set(made.x)) == 1 and made.y == sorted(made.y, reverse=True)


def test_a_hundred_steps_at_op_level_take_less_than_a_second():
    graph = fold_sums(lstm(100))
    times = []
    for _ in range(2):  # the better of two: a busy machine is not what is tested
        start = time.process_time()
        text = svg(finish(unrolled(graph)))
        times.append(time.process_time() - start)
    assert min(times) < 1.0
    assert text.count('class="node') > 3_000


def test_a_value_made_before_the_steps_may_feed_two_parts_of_one():
    """A slice of the input, read by both directions, enters the first step by two lanes."""
    xs = Generator(seed=0).normal((4, 2, 3))
    layer = nn.RNN(3, 2, bidirectional=True, seed=0)
    assert not overlapping(draw(lambda: layer(xs[:3])[0].sum()).scene.boxes)
