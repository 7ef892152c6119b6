"""`--values shape`: the shapes of arrays on the wires that carry them, in letters that are true."""

from __future__ import annotations

import pytest

from tinygrad_rnn.draw import draw
from tinygrad_rnn.draw.capture.models import CELLS, Sizes
from tinygrad_rnn.draw.capture.sources import of_cell
from tinygrad_rnn.draw.cli import parser
from tinygrad_rnn.draw.command_options import GROUPS
from tinygrad_rnn.draw.labels import width
from tinygrad_rnn.draw.transform.axes import axes_of
from tinygrad_rnn.draw.transform.fold import fold_sums
from tinygrad_rnn.draw.views import VIEWS

SIZES = {  # as a reader would choose them, and such as coincide
    "all different": Sizes(steps=3, hidden=5, input=7, batch=2, classes=11),
    "input = hidden": Sizes(steps=3, hidden=4, input=4, batch=2),
    "classes = hidden": Sizes(steps=3, hidden=4, input=5, batch=2, classes=4),
    "input = 2 hidden": Sizes(steps=3, hidden=3, input=6, batch=2, classes=6),
    "steps = batch = hidden": Sizes(steps=4, hidden=4, input=3, batch=4),
    "ones": Sizes(steps=2, hidden=1, input=1, batch=1),
}


def read(text, sizes):
    """Return the sizes that a text in letters means."""
    if text == "scalar":
        return ()
    words = [
        (word[:-1], word[-1]) if word[-1].isalpha() else (word, "") for word in text.split("×")
    ]
    return tuple((int(n) if n else 1) * sizes.get(letter, 1) for n, letter in words)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", SIZES)
def test_letters_mean_the_sizes_that_nodes_have(cell, name):
    graph = of_cell(cell, SIZES[name])[0]
    axes = axes_of(graph)
    for node in graph.nodes:
        assert read(axes.text(node), axes.sizes) == node.shape
        told = axes.text(node)
        assert "D" not in told or node.role == "input"
        assert "H" not in told or node.place.cell is not None, "classes are no state"


def test_states_and_gates_are_called_by_the_states_letter():
    graph = of_cell("lstm", SIZES["classes = hidden"])[0]
    axes = axes_of(graph)
    said = {node.name: axes.text(node) for node in graph.nodes if node.name}
    assert said["a⟨2⟩"] == said["c⟨2⟩"] == said["Γf"] == "B×H"
    assert said["x⟨1⟩"] == "B×D" and said["log ŷ⟨1⟩"] == "B×4" and said["Wy"] == "4×4"


@pytest.mark.parametrize("cell", ["lstm", "gru", "brnn"])
def test_shapes_stand_once_for_steps_alike_and_on_nothing_else(cell):
    graph = fold_sums(of_cell(cell, SIZES["all different"])[0])
    axes, scene = axes_of(graph), draw(graph, view="op", values="shape").scene
    words = [w for w in scene.words if w.size == 7.0]
    assert {w.text for w in words} <= {axes.text(node) for node in graph.nodes}
    assert any("H" in w.text for w in words) and any("H" in note for note in scene.notes)
    # all operations of one step may have one, and what the first and last steps do not share
    assert len(words) < 2.5 * len(graph) / len(graph.steps())
    areas = [(w.x, w.y - 0.8 * w.size, w.x + width(w.text, w.size), w.y) for w in words]
    areas += [(b.x - b.w / 2, b.y - b.h / 2, b.x + b.w / 2, b.y + b.h / 2) for b in scene.boxes]
    for k, a in enumerate(areas[: len(words)]):
        for b in areas[k + 1 :]:
            assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])


def test_no_shapes_where_none_are_asked():
    graph = of_cell("lstm", Sizes())[0]
    plain, shaped = draw(graph).scene, draw(graph, values="shape").scene
    assert not [w for w in plain.words if w.size == 7.0]
    assert [b.lines for b in plain.boxes] == [b.lines for b in shaped.boxes]


def test_every_option_has_a_sentence_and_every_view():
    text = " ".join(parser().format_help().split())
    for arguments in GROUPS.values():
        for flag, options, sentence, _ in arguments:
            assert flag in text and len(sentence) > 12
            assert options.get("default") != 30.0 or "(default 30.0)" in text
    for view, told in VIEWS.items():
        assert f"{view} {told}" in text
