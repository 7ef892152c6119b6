"""`draw(x)` in Python and in a notebook: what it takes, what it shows, what it leaves alone."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from draw_graphs import lstm, rnn

import tinygrad_rnn as tg
from tinygrad_rnn.draw import DrawError, Graph, draw
from tinygrad_rnn.draw.capture.models import Sizes
from tinygrad_rnn.draw.capture.sources import of_cell
from tinygrad_rnn.draw.graph import GraphNode
from tinygrad_rnn.draw.layout.strips import state_series
from tinygrad_rnn.draw.transform.backward_graph import backward_graph
from tinygrad_rnn.draw.transform.diff import union
from tinygrad_rnn.draw.transform.fold import LEVELS, fold, fold_sums
from tinygrad_rnn.draw.transform.rolled import rolled_graph


def loss_of(steps=3):
    w = tg.tensor(np.full((2, 2), 0.3), requires_grad=True, name="W")
    h = tg.zeros(1, 2)
    for t in range(steps):
        with tg.scope("step", step=t):
            h = (h @ w + 1.0).tanh()
    return h.sum(), w


def test_a_notebook_gets_a_picture_and_a_table():
    bundle = draw(rnn(2))._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/svg+xml", "text/plain"}
    assert "<svg" in bundle["text/html"] and "<title" in bundle["text/html"]
    ET.fromstring(bundle["image/svg+xml"])
    assert "tanh" in bundle["text/plain"]


def test_explore_is_a_frame_with_the_player():
    shown = draw(rnn(2)).explore()._repr_html_()
    assert shown.startswith("<iframe srcdoc=") and "&lt;script" in shown
    assert "<script" not in shown


def test_drawing_leaves_gradients_alone():
    loss, w = loss_of()
    drawing = draw(loss)
    assert w.grad is None and "backward() not run" in drawing.svg
    loss.backward(record="norm")
    before = w.grad.numpy()
    drawing = draw(loss)
    np.testing.assert_array_equal(w.grad.numpy(), before)
    assert drawing.graph.has_gradients and "backward() not run" not in drawing.svg


def test_a_function_is_run_once():
    calls = []

    def mine():
        calls.append(1)
        return loss_of()[0]

    assert draw(mine).graph.steps() == [1, 2, 3] and calls == [1]


def test_a_function_that_raises_gives_what_came_before():
    def mine():
        h = tg.ones(1, 2)
        h = h.tanh()
        return h @ tg.ones(3, 2)

    drawing = draw(mine)
    assert isinstance(drawing.error, ValueError) and drawing.code == 5
    assert [n.op for n in drawing.graph.nodes if n.op] == ["tanh", "matmul"]
    assert "✖" in drawing.svg
    assert any("op 'matmul' (1×2 @ 3×2)" in line for line in drawing.said)


@pytest.mark.parametrize("x", [np.ones(3), 3, "text", None, [1, 2], {}])
def test_what_is_no_tensor_is_told(x):
    with pytest.raises(DrawError, match="not a Tensor: nothing was recorded"):
        draw(x)


def test_an_unknown_option_is_told():
    with pytest.raises(DrawError, match="no option 'colour'"):
        draw(rnn(2), colour="red")


def test_save_by_suffix(tmp_path):
    drawing = draw(rnn(2))
    for suffix in ("svg", "html", "dot", "tex", "mmd", "json", "txt"):
        path = drawing.save(tmp_path / f"x.{suffix}")
        assert path.stat().st_size > 200
    assert Graph.from_json((tmp_path / "x.json").read_text()) == rnn(2)
    with pytest.raises(DrawError, match="cannot tell the format"):
        drawing.save(tmp_path / "x.docx")
    with pytest.raises(DrawError, match="unknown format"):
        drawing.save(tmp_path / "x.svg", format="docx")


def test_several_tensors_have_one_drawing():
    loss, w = loss_of()
    graph = draw((loss, w * 2)).graph
    assert sum(n.name == "W" for n in graph.nodes) == 1
    assert [n.op for n in graph.nodes].count("mul") == 1


def test_folding_keeps_what_is_outside_and_its_gradients():
    graph = fold_sums(lstm(3))
    for level in ("gate", "cell", "step", "layer"):
        small = LEVELS[level](graph).validate()
        assert len(small) < len(graph)
        names = {n.name for n in small.nodes if n.role in ("param", "input", "target", "state")}
        assert names == {
            n.name for n in graph.nodes if n.role in ("param", "input", "target", "state")
        }
        assert small.has_gradients
    gates = LEVELS["gate"](graph)
    assert [n.name for n in gates.nodes if n.op == "3 ops" and n.step == 1] == [
        "Γf",
        "Γu",
        "c̃",
        "Γo",
    ]


def test_expanded_nodes_stay():
    graph = lstm(3)
    keep = frozenset(n.id for n in graph.nodes if n.step == 1)
    small = LEVELS["gate"](graph, keep)
    per_step = [sum(n.step == t and n.op == "matmul" for n in small.nodes) for t in (1, 2, 3)]
    assert per_step == [5, 1, 1]


def test_a_group_that_would_make_a_cycle_stays_unfolded():
    graph = rnn(2)
    ends = {n.id: "ends" for n in graph.nodes if n.op == "tanh"}
    small = fold(graph, ends)
    assert len(small) == len(graph)
    assert any("stay unfolded" in note for note in small.notes)


def test_sums_over_time_become_one_node():
    from draw_graphs import Maker

    m = Maker()
    total = None
    for t in (1, 2, 3, 4):
        with m.scope(step=t):
            one = m.add("exp", m.leaf(f"x⟨{t}⟩"))
        total = one if total is None else m.add("add", total, one)
    small = fold_sums(m.graph.validate())
    (node,) = [n for n in small.nodes if n.op == "sum"]
    assert len(node.parents) == 4 and not [n for n in small.nodes if n.op == "add"]


def test_the_backward_graph_adds_where_values_were_used_twice():
    graph = fold_sums(lstm(2))
    back = backward_graph(graph)
    by_name = {n.name: n for n in back.nodes if n.name}
    assert by_name["∂L/∂c⟨1⟩"].op == "+" and len(by_name["∂L/∂c⟨1⟩"].parents) == 2
    assert len(by_name["∂L/∂Wf"].parents) == 2  # one contribution per step
    assert by_name["∂L/∂Wf"].grad == graph.nodes[0].grad
    texts = {n.op for n in back.nodes}
    assert {"ĝ ∘ (1 − y²)", "ĝ ∘ y ∘ (1 − y)", "aᵀ @ ĝ", "ĝ @ bᵀ", "ĝ[…]"} <= texts


def test_an_operation_that_the_engine_does_not_know_has_a_rule_all_the_same():
    leaf = GraphNode(0, role="param", name="w")
    back = backward_graph(Graph([leaf, GraphNode(1, "frobnicate", (0,))]))
    assert "ĝ · ∂frobnicate/∂(this input)" in {node.op for node in back.nodes}


def test_a_backward_graph_without_gradients_leads_to_the_parameters():
    back = backward_graph(rnn(2, gradients=False))
    assert {"∂L/∂Wa", "∂L/∂ba"} <= {n.name for n in back.nodes}


def test_the_rolled_cell_is_one_step_with_delays():
    small, loops = rolled_graph(fold_sums(lstm(5)))
    names = {n.name for n in small.nodes}
    assert {"a⟨t−1⟩", "c⟨t−1⟩", "a⟨t⟩", "c⟨t⟩", "x⟨t⟩", "Wf ×5"} <= names
    ends = {(small.nodes[a].name, small.nodes[b].name) for a, b in loops}
    assert ends == {("a⟨t⟩", "a⟨t−1⟩"), ("c⟨t⟩", "c⟨t−1⟩")}


def test_the_difference_of_equal_graphs_is_nothing():
    both, marks = union(rnn(3), rnn(3))
    assert not marks and len(both) == len(rnn(3))


def test_steps_of_a_difference_look_alike():
    pair = [of_cell(cell, Sizes(steps=2))[0] for cell in ("lstm", "peephole")]
    scene = draw(pair[0], view="diff", against=pair[1]).scene
    steps = [frame for frame in scene.frames if frame.kind == "step"]
    boxes = [box for box in scene.boxes if box.node is not None]  # without the legend's
    places = [
        {(round(b.x - f.x, 3), b.y, b.w) for b in boxes if f.x < b.x < f.x + f.w} for f in steps
    ]
    assert len(places) == 2 and places[0] == places[1]


def test_the_difference_of_two_cells_is_marked():
    both, marks = union(fold_sums(lstm(2)), rnn(2))
    only_first = {both.nodes[i].name for i, mark in marks.items() if mark == "a"}
    only_second = {both.nodes[i].name for i, mark in marks.items() if mark == "b"}
    assert {"Γf", "Γu", "Wf"} <= only_first and {"Wa", "ba"} <= only_second
    assert "[a,x]" not in only_first | only_second
    assert len(both) == len(fold_sums(lstm(2))) + sum(m == "b" for m in marks.values())


def test_flow_has_a_line_per_state():
    series = state_series(fold_sums(lstm(4)))
    assert list(series) == ["a", "c"]
    assert list(series["c"]) == [1, 2, 3, 4] and all(v > 0 for v in series["c"].values())


def test_params_says_how_exactly_contributions_sum():
    loss, _ = loss_of()
    loss.backward(record="full")
    text = draw(loss, view="params").svg
    assert "Σₜ contributions = W.grad (max diff" in text and "cos +" in text


def test_measures_of_gradients():
    loss, _ = loss_of()
    loss.backward(record="full")
    values = {m: draw(loss, grad=m).scene.wires for m in ("none", "norm", "maxabs", "ratio")}
    assert all(w.norm is None for w in values["none"])
    known = [w.norm for w in values["norm"] if w.norm is not None]
    largest = [w.norm for w in values["maxabs"] if w.norm is not None]
    assert len(known) == len(largest) and sum(largest) <= sum(known)
    with pytest.raises(DrawError, match="maxabs needs the values"):
        _ = draw(rnn(2), grad="maxabs").svg


def test_the_table_marks_what_was_not_computed():
    lines = draw(rnn(2, gradients=False)).text.splitlines()
    assert [line.split()[-3:-1] != ["0", "0"] for line in lines[2:]]
    assert sum(" – " in line for line in lines) == len(rnn(2).nodes)


def test_no_temporary_files_stay(tmp_path):
    draw(rnn(2)).save(tmp_path / "x.svg")
    assert os.listdir(tmp_path) == ["x.svg"]


def test_names_of_public_things():
    import tinygrad_rnn.draw as package

    for name in package.__all__:
        assert getattr(package, name) is not None


def test_the_compilers_passes_are_graphs_like_any_other():
    from tinygrad_rnn import nn
    from tinygrad_rnn.compile import PASSES, compile
    from tinygrad_rnn.draw import compiled_graphs

    fast = compile(nn.LSTM(3, 4, seed=0), backend="numpy")
    with pytest.raises(DrawError, match="nothing is compiled yet"):
        compiled_graphs(fast)
    x = tg.tensor(np.random.default_rng(0).normal(size=(3, 2, 3)).astype(np.float32))
    fast(x)[0].sum().backward()
    graphs = compiled_graphs(fast)
    assert list(graphs) == ["captured", *PASSES]
    assert len(graphs["share"]) < len(graphs["captured"])
    scene = draw(fast).scene
    assert [f.label for f in scene.frames if f.kind == "band"] == ["backward", "forward"]
    assert any(box.lines[0] == "∂L/∂W0" for box in scene.boxes)
    changes = draw(graphs["captured"], view="diff", against=graphs["merge"]).svg
    assert "◧ only in" in changes and "◨ only in" in changes


def test_what_a_pass_left_alone_is_drawn_as_the_same():
    """`gather` puts one concatenation in the place of four puts and their sum; only what reads
    that has changed, though everything behind a removed node has another number."""
    from tinygrad_rnn import nn
    from tinygrad_rnn.compile import compile
    from tinygrad_rnn.draw import compiled_graphs

    fast = compile(nn.LSTM(3, 4, seed=0), backend="numpy")
    fast(tg.tensor(np.ones((2, 2, 3), np.float32), requires_grad=True))
    graphs = compiled_graphs(fast)
    boxes = draw(graphs["share"], view="diff", against=graphs["gather"]).scene.boxes
    assert sorted(b.lines[0] for b in boxes if b.mark == "◧") == ["put"] * 4 + ["Σ"]
    assert [b.lines[0] for b in boxes if b.mark == "◨"] == ["concat"]
    assert len([b for b in boxes if b.mark == "Δ"]) == 5


def test_the_package_graphviz_gets_the_dot():
    package = pytest.importorskip("graphviz", reason="the extra viz is not installed")
    source = draw(tg.tensor([1.0], requires_grad=True).tanh().sum()).graphviz()
    assert isinstance(source, package.Source) and source.source.startswith("digraph")


def test_a_layer_is_drawn_over_random_data():
    from tinygrad_rnn import nn

    graph = draw(nn.GRU(2, 3, seed=0)).graph
    assert graph.steps() == [1, 2, 3] and graph.has_gradients
    assert draw(nn.LSTMCell(2, 3, seed=0)).graph.steps() == [1, 2, 3]


def test_a_layer_that_learns_nothing_is_drawn_whole_and_without_gradients():
    from tinygrad_rnn import nn

    graph = draw(nn.EchoState(1, 4, 1, sparsity=0.5, seed=0).layer).graph
    assert graph.steps() == [1, 2, 3] and not graph.has_gradients
    assert sum(node.op == "tanh" for node in graph.nodes) == 3
    assert draw(nn.ctc.CTCForward(3)).graph.steps() == [1, 2, 3]  # it has no weights at all


def test_a_function_that_ran_backward_itself_is_drawn_without_gradients():
    w = tg.tensor([2.0], requires_grad=True)

    def train():
        loss = (w * w).sum()
        loss.backward()
        return loss

    graph = draw(train).graph
    assert graph.notes == [
        "the graph was freed by backward(); call backward(retain_graph=True) or draw first."
    ]
    assert not graph.has_gradients and len(graph) == 3


def test_backward_without_record_is_told():
    loss, _ = loss_of()
    loss.backward()
    assert any('without record="norm"' in note for note in draw(loss).graph.notes)


def test_drawing_a_function_gives_its_gradients_back():
    loss, w = loss_of()

    def again():
        return (w * 2).sum()

    loss.backward()
    before = w.grad.numpy()
    graph = draw(again).graph
    np.testing.assert_array_equal(w.grad.numpy(), before)
    assert graph.has_gradients and not graph.notes


def test_full_values_are_small_heat_maps():
    def mine():
        return loss_of()[0]

    scene = draw(mine, values="full").scene
    hidden = [b for b in scene.boxes if "tanh" in b.lines]
    assert len(hidden) == 3 and all(b.lift > 0 for b in hidden)
    inside = [
        p for p in scene.above for b in hidden if abs(p.x - b.x) < b.w and abs(p.y - b.y) < b.h
    ]
    assert len(inside) >= 2 * len(hidden)
    assert not draw(mine).scene.above
