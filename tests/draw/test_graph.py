"""The intermediate form: it survives JSON, and what is not a graph is refused with a reason."""

from __future__ import annotations

import math

import pytest
from draw_graphs import lstm, rnn

from tinygrad_rnn.draw.graph import Graph, GraphError, GraphNode


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
