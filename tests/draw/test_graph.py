"""The intermediate form: it survives JSON, and what is not a graph is refused with a reason."""

from __future__ import annotations

import math
import random

import pytest
from draw_graphs import lstm, rnn

from tinygrad_rnn.draw.graph import (
    Graph,
    GraphError,
    GraphNode,
    Place,
    place_of,
    topological_order,
)


def small():
    return Graph([GraphNode(0), GraphNode(1, "tanh", (0,)), GraphNode(2, "add", (1, None))])


@pytest.mark.parametrize("graph", [small(), lstm(2), rnn(3, gradients=False), Graph()])
def test_json_keeps_everything(graph):
    text = graph.to_json()
    again = Graph.from_json(text)
    assert again == graph
    assert again.to_json() == text


def test_json_keeps_what_is_not_finite():
    graph = small()
    graph.nodes[1].value = {"norm": math.nan, "min": -math.inf, "sample": [1.0, math.inf]}
    graph.edge_grads["1:0"] = math.inf
    again = Graph.from_json(graph.to_json())
    assert math.isnan(again.nodes[1].value["norm"]) and again.nodes[1].value["min"] == -math.inf
    assert again.nodes[1].value["sample"] == [1.0, math.inf]
    assert again.edge_grads["1:0"] == math.inf


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda d: d.update(schema=2), "schema 1"),
        (lambda d: d["nodes"][1].update(id=5), "dense"),
        (lambda d: d["nodes"][1].update(parents=[2]), "parents come before"),
        (lambda d: d["nodes"][1].update(parents=["x"]), "parents come before"),
        (lambda d: d["nodes"][1].update(role="king"), "role 'king'"),
        (lambda d: d["nodes"].__setitem__(1, 7), "not a graph"),
        (lambda d: d.update(edge_grads={"1:3": 1.0}), "no slot 3"),
        (lambda d: d.update(edge_grads={"9:0": 1.0}), "child:slot"),
        (lambda d: d.update(order=[9]), "does not exist"),
    ],
)
def test_what_is_no_graph_is_refused(change, reason):
    data = small().to_dict()
    change(data)
    with pytest.raises(GraphError, match=reason):
        Graph.from_dict(data)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1}', "3", "null"])
def test_text_that_is_no_graph_is_refused(text):
    with pytest.raises(GraphError):
        Graph.from_json(text)


def test_a_missing_gradient_is_none_and_not_zero():
    graph = lstm(2, gradients=False)
    assert graph.nodes[5].grad_norm is None
    assert graph.edge_grad(graph.nodes[-1].id, 0) is None
    assert not graph.has_gradients


def test_edges_and_children_agree():
    graph = lstm(2)
    children = graph.children()
    edges = [(p.id, c.id, s) for p, s, c in graph.edges()]
    assert edges and all((c, s) in children[p] for p, c, s in edges)
    assert sum(map(len, children)) == len(edges)


def test_labels_become_a_place_and_come_back():
    labels = {"head": "out", "gate": "forget", "step": 3, "dir": "rev", "layer": 0, "phase": "x"}
    node = GraphNode(0, labels=labels)
    assert node.place == Place("x", 0, "rev", 3, None, "forget") and node.labels == {"head": "out"}
    assert node.scopes == labels
    assert Graph.from_json(Graph([node]).to_json()).nodes[0] == node
    moved = node.moved(1, (0,))
    moved.put(step=4)
    assert (node.step, moved.step) == (3, 4) and moved.place.timeless == node.place.timeless


@pytest.mark.parametrize("step", ["first", True, 1.5])
def test_a_step_that_is_no_number_is_a_label(step):
    place, labels = place_of({"step": step, "cell": "lstm"})
    assert place == Place(cell="lstm") and labels == {"step": step}


@pytest.mark.parametrize("seed", range(20))
def test_a_topological_order_is_the_oldest_possible(seed):
    """At each place stands the oldest of all that could stand there; cycles are left out."""
    chance = random.Random(seed)
    ages = {key: chance.randrange(5) for key in "abcdefghij"}
    edges = [(chance.choice("abcdefghij"), chance.choice("abcdefghij")) for _ in range(12)]
    order, turn = topological_order(ages, edges), list(ages)
    for place, key in enumerate(order):
        done = set(order[:place])
        free = [k for k in ages if k not in done and all(a in done for a, b in edges if b == k)]
        assert key == min(free, key=lambda k: (ages[k], turn.index(k)))
    left = set(ages) - set(order)
    assert all(any(b == key and a in left for a, b in edges) for key in left)
