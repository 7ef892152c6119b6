"""A wish that a view or a format cannot grant is answered: nothing is ignored in silence."""

from __future__ import annotations

import pytest
from draw_graphs import lstm, rnn

import tinygrad_rnn as tg
from tinygrad_rnn.draw import Drawing, cli
from tinygrad_rnn.draw.settings import Settings
from tinygrad_rnn.draw.views import VIEWS

TEXTS = ("svg", "tikz", "dot", "mermaid", "json", "txt", "html")
PAIRS = [(v, f) for v in VIEWS if v not in ("arch", "diff", "op") for f in TEXTS]


def drawn(graph, format, **wishes):
    """Return what a format of the drawing says, and what is said."""
    drawing = Drawing([graph], Settings(**wishes))
    return drawing.encoded(format), drawing.said


@pytest.mark.parametrize("view,format", PAIRS)
def test_a_view_changes_the_picture_or_says_that_it_does_not(view, format):
    plain, _ = drawn(lstm(3), format, view="op")
    other, said = drawn(lstm(3), format, view=view)
    assert plain != other or said or (view, format) == ("table", "txt")


@pytest.mark.parametrize("format", ["tikz", "mermaid", "json", "txt", "html"])
def test_an_engine_says_where_it_lays_nothing_out(format):
    assert any("--engine neato" in line for line in drawn(rnn(2), format, engine="neato")[1])


def test_gates_that_are_not_there_and_parameters_in_a_list_are_told():
    assert any("--view arch" in line for line in drawn(rnn(2), "json", view="arch")[1])
    assert any("no gates" in line for line in drawn(rnn(2), "svg", view="gate")[1])
    assert not drawn(lstm(2), "svg", view="gate")[1]
    assert any("--params once" in line for line in drawn(rnn(2), "svg", params="once")[1])
    assert not drawn(rnn(2), "svg", params="shelf")[1]


def test_a_change_to_cells_is_told():
    assert any("drew cells" in line for line in drawn(lstm(300), "svg")[1])


def test_the_command_tells_it_on_stderr(tmp_path, capsys):
    assert not cli.main(["--cell", "rnn", "--view", "flow", "-o", str(tmp_path / "x.json")])
    assert "--view flow does nothing in json" in capsys.readouterr().err


def test_the_module_is_called_like_its_function():
    from tinygrad_rnn import draw

    w = tg.tensor([1.0, 2.0], requires_grad=True)
    names = {node.name for node in draw((w * w).sum()).graph.nodes}
    assert "w" in names


def test_an_architecture_is_the_same_graph_in_every_format(tmp_path, capsys):
    assert not cli.main(["--arch", "many-to-many", "-o", str(tmp_path / "x.mmd")])
    assert not capsys.readouterr().err
