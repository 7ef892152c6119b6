"""From the engine to the graph: roles, names, steps, gradients on edges, and what is missing."""

from __future__ import annotations

import numpy as np
import pytest
from draw_graphs import crossed, overlapping, straddling

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.draw.capture.models import CELLS, Sizes, model
from tinygrad_rnn.draw.capture.run_to_graph import graph_of, run
from tinygrad_rnn.draw.capture.sources import of_cell
from tinygrad_rnn.draw.capture.statistics import digits, measured, statistics
from tinygrad_rnn.draw.capture.steps import infer_steps
from tinygrad_rnn.draw.capture.variables import named
from tinygrad_rnn.draw.drawing import draw
from tinygrad_rnn.draw.graph import Place
from tinygrad_rnn.draw.layout.legend import NOT_RUN
from tinygrad_rnn.draw.layout.unrolled import unrolled
from tinygrad_rnn.draw.transform.backward_graph import backward_graph
from tinygrad_rnn.draw.transform.fold import LEVELS, fold_sums

SIZES = Sizes(steps=4, hidden=3, input=2, batch=2)


def drawn(cell, **sizes):
    graph, error = of_cell(cell, Sizes(**({"steps": 4, "hidden": 3, "batch": 2} | sizes)))
    assert error is None
    return graph


@pytest.mark.parametrize("cell", CELLS)
def test_contributions_of_each_parameter_sum_to_its_gradient(cell):
    made = run(lambda: model(cell, SIZES))
    flow = made.result.backward(record="full")
    graph = graph_of([made.result], flow=flow)
    params = [n for n in graph.nodes if n.role == "param"]
    assert params and {p.id for p in params} == set(graph.param_uses)
    for node in params:
        assert node.grad["check"] <= 1e-12
        steps = [use["step"] for use in graph.param_uses[node.id]]
        assert len(steps) == len(set(steps)) == (1 if steps == [None] else SIZES.steps)


@pytest.mark.parametrize("cell", CELLS)
def test_nothing_overlaps_and_no_wire_runs_through_a_node(cell):
    graph = fold_sums(drawn(cell, steps=3))
    for small in (graph, LEVELS["gate"](graph), backward_graph(graph)):
        scene = unrolled(small)
        assert overlapping(scene.boxes) == []
        assert crossed(small, scene) == straddling(scene) == set()


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_the_engines(cell):
    loss = model(cell, SIZES)
    flow = loss.backward(record="norm")
    graph = graph_of([loss], flow=flow)
    by_index = sorted(flow.nodes, key=lambda n: n.index)
    shown = [n.grad_norm for n in graph.nodes if n.grad is not None]
    assert shown == [flow.nodes[n] for n in by_index]
    edges = sum(share is not None for n in by_index for share in flow.edges[n])
    assert len(graph.edge_grads) == edges
    assert len(graph.order) == len(flow.order)


@pytest.mark.parametrize("cell", [c for c in CELLS if c != "brnn"])
def test_inferred_steps_are_the_scoped_steps(cell):
    """Without labels the k-th use of shared parameters tells the steps; both directions cannot."""
    scoped = drawn(cell)
    bare = drawn(cell)
    for node in bare.nodes:
        node.place, node.labels = Place(), {}
    infer_steps(bare)
    inner = [n.id for n in scoped.nodes if n.op and n.step is not None]
    same = [bare.nodes[i].step == scoped.nodes[i].step for i in inner]
    if cell == "esn":  # its matrices are never trained: only the output layer tells
        assert any(same)
    else:
        assert all(same) and len(same) > 20


def test_steps_of_code_without_scopes_are_inferred():
    w = tg.tensor(np.eye(2), requires_grad=True, name="W")

    def plain():
        h = tg.zeros(1, 2)
        for _ in range(3):
            h = (h @ w + 1).tanh()
        return h.sum()

    graph = draw(plain).graph
    assert graph.steps() == [1, 2, 3]
    assert [n.step for n in graph.nodes if n.op == "tanh"] == [1, 2, 3]


@pytest.mark.parametrize("cell", CELLS)
def test_names_are_the_books(cell):
    names = {n.name for n in drawn(cell).nodes}
    letters = {"gru": ["Γu", "Γr", "c̃"], "lstm": ["Γf", "Γu", "Γo", "c̃", "c⟨2⟩", "c⟨0⟩"]}
    deep = {"deep": ["a[1]⟨2⟩", "a[2]⟨0⟩", "Wa[2]"], "brnn": ["a→⟨0⟩", "a←⟨5⟩", "a←⟨2⟩", "Wa←"]}
    wanted = letters.get(cell, []) + deep.get(cell, ["a⟨0⟩", "a⟨1⟩"])
    for name in [*wanted, "x⟨1⟩", "L", "Wy"]:
        assert name in names, name


def test_roles():
    graph = drawn("lstm")
    roles = {n.name: n.role for n in graph.nodes if n.name}
    assert roles["Wf"] == "param" and roles["x⟨1⟩"] == "input" and roles["y⟨1⟩"] == "target"
    assert roles["a⟨0⟩"] == roles["c⟨0⟩"] == "state" and roles["L"] == "loss"
    assert all(n.step is None for n in graph.nodes if n.role == "param")


LAYERS = {
    "rnn": lambda: nn.RNN(2, 3, seed=0),
    "gru": lambda: nn.GRU(2, 3, seed=0),
    "gru, reset before": lambda: nn.GRU(2, 3, reset="before", seed=0),
    "lstm": lambda: nn.LSTM(2, 3, seed=0),
    "stacked form": lambda: nn.LSTM(2, 3, form="stacked", seed=0),
    "peephole": lambda: nn.LSTM(2, 3, peephole="full", seed=0),
    "no output tanh": lambda: nn.LSTM(2, 3, output_activation=None, seed=0),
    "relevance": lambda: nn.LSTM(2, 3, relevance=True, seed=0),
    "deep": lambda: nn.LSTM(2, 3, 2, seed=0),
    "both directions": lambda: nn.GRU(2, 3, bidirectional=True, seed=0),
    "layer norm": lambda: nn.LSTM(2, 3, layer_norm=True, seed=0),
    "projection": lambda: nn.LSTM(2, 3, proj_size=2, seed=0),
    "mgu": lambda: nn.Recurrent(nn.MGUCell, 2, 3, seed=0),
}


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_of_the_library_is_drawn(name):
    layer = LAYERS[name]().double()
    x = tg.tensor(np.random.default_rng(0).normal(size=(3, 1, 2)), name="x")

    def forward():
        return (layer(x)[0] ** 2).sum()

    drawing = draw(forward)
    graph = drawing.graph
    assert graph.steps() == [1, 2, 3]
    assert all(n.grad["check"] <= 1e-6 for n in graph.nodes if n.role == "param")
    for view in ("op", "gate", "cell"):
        assert draw(graph, view=view).scene.boxes
    for small in (fold_sums(graph), LEVELS["gate"](graph), backward_graph(graph)):
        scene = unrolled(small)
        assert overlapping(scene.boxes) == []
        assert crossed(small, scene) == straddling(scene) == set()
    frames = [f.label for f in draw(graph, view="op").scene.frames if f.kind == "step"]
    assert frames == ["t = 1", "t = 2", "t = 3"]


def test_without_backward_gradients_are_absent_and_a_note_says_so():
    loss = model("rnn", SIZES)
    graph = graph_of([loss])
    assert NOT_RUN in graph.notes
    assert all(n.grad is None for n in graph.nodes) and not graph.edge_grads
    assert "NaN" not in draw(graph).svg and NOT_RUN in draw(graph).svg


def test_two_backward_passes_without_zeroing_are_told():
    loss = model("rnn", SIZES)
    loss.backward(record="norm")
    flow = loss.backward(record="norm")
    graph = graph_of([loss], flow=flow)
    assert "gradients are the sum of 2 backward passes" in graph.notes


def test_passes_of_different_gradients_are_not_counted():
    loss = model("rnn", SIZES)
    (5.3 * loss).backward(retain_graph=True)
    graph = graph_of([loss], flow=loss.backward(record="norm"))
    assert "gradients are the sum of several backward passes" in graph.notes


def test_local_variables_name_nodes():
    def mine():
        weight = tg.tensor([[1.0, 2.0]], requires_grad=True)
        hidden = weight * 3
        total = hidden.sum()
        return total  # noqa: RET504 - the names of the variables are what is tested

    names = {n.name for n in draw(mine).graph.nodes}
    assert {"weight", "hidden"} <= names


def test_names_come_from_the_callers_variables():
    weight = tg.tensor([1.0], requires_grad=True)
    loss = (weight * 2).sum()
    assert "weight" in {n.name for n in draw(loss).graph.nodes}


def test_not_finite_values_are_marked():
    x = tg.tensor([0.0, 1.0], requires_grad=True, name="x")

    def broken():
        return (tg.log(x) * 0).sum()

    with np.errstate(all="ignore"):
        drawing = draw(broken)
    assert "✖" in drawing.svg
    assert any(n.value and n.value["nonfinite"] for n in drawing.graph.nodes)


def test_ops_that_need_no_gradient_are_traced():
    x = tg.tensor([1.0, 2.0])
    graph = draw(lambda: (x * 2).sum()).graph
    assert [n.op for n in graph.nodes] == [None, "mul", "sum"]


def test_a_deep_graph_is_read_without_recursion():
    x = tg.tensor([1.0], requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y * 1.0
    assert len(graph_of([y])) == 20_001


def test_names_of_modules_reach_parameters():
    layer = nn.LSTM(2, 3, seed=0)
    names = set(named({"layer": layer}).values())
    assert {"layer.weight_ih_l0", "layer.bias_hh_l0"} <= names


def test_arrays_measured_together_are_measured_alike():
    random = np.random.default_rng(0)
    arrays = [random.normal(size=(2, 3)) * 10.0**k for k in range(-30, 30, 3)]
    arrays += [np.array(3.0), None, np.zeros((0, 2)), np.array([np.nan, 1.0]), 2.5, arrays[0]]
    found = measured(arrays)
    assert found[len(arrays) - 2] == {"norm": 2.5}
    for array, one in zip(arrays, found, strict=True):
        if isinstance(array, np.ndarray):
            assert str(one) == str(statistics(array))
            assert one["sample"] == pytest.approx(array.reshape(-1).tolist(), 1e-5, nan_ok=True)
        elif array is None:
            assert one is None


@pytest.mark.parametrize("kept", [3, 5, 6])
def test_digits_are_those_of_the_short_text(kept):
    random = np.random.default_rng(1)
    x = random.normal(size=2_000) * 10.0 ** random.integers(-300, 300, 2_000)
    x[:7] = [0.0, np.inf, -np.inf, 999999.5, 9.999996, 1e22, 5e-324]
    assert digits(x, kept).tolist() == [float(f"{v:.{kept}g}") for v in x.tolist()]


@pytest.mark.parametrize(("cell", "names"), [("lstm", "a⟨0⟩ c⟨0⟩"), ("brnn", "a→⟨0⟩ a←⟨2⟩")])
def test_the_states_before_a_single_step_have_their_names(cell, names):
    made = of_cell(cell, Sizes(steps=1))[0]
    assert set(names.split()) <= {node.name for node in made.nodes if node.op is None}


def test_a_use_that_no_gradient_goes_through_adds_nothing():
    w = tg.tensor([1.0, 2.0], requires_grad=True, name="w")

    def loss():
        with tg.no_grad():
            size = w * w
        return (w * size).sum()

    graph = draw(loss).graph
    (param,) = [node for node in graph.nodes if node.role == "param"]
    assert param.grad["check"] == 0
    assert [use["norm"] is None for use in graph.param_uses[param.id]].count(True) <= 2
