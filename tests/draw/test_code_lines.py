"""Every operation knows the line that made it: in which function, called from where."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.draw import Graph, GraphError, draw
from tinygrad_rnn.draw.player.cost import cost
from tinygrad_rnn.draw.transform.fold import LEVELS, fold_sums

T = 5


def turn(x: Any, h: Any, w: Any, u: Any) -> Any:
    z = x @ w + h @ u
    return tg.tanh(z)


def loop() -> Any:
    w, u = (tg.tensor(np.eye(3) * k, requires_grad=True) for k in (0.2, 0.3))
    x, h = tg.tensor(np.ones((T, 1, 3))), tg.tensor(np.zeros((1, 3)))
    for t in range(T):
        h = turn(x[t], h, w, u)
    return (
        (h * h)
        .sum()
    )  # fmt: skip


def listed() -> Any:
    w = tg.tensor(np.ones(3), requires_grad=True)
    parts = [w * k for k in range(1, 4)]
    double = lambda a: a + a
    return sum(double(part) for part in parts).sum()


def layer() -> Any:
    lstm = nn.LSTM(3, 4)
    out, _ = lstm(tg.tensor(np.ones((T, 1, 3), np.float32)))
    return (out * out).sum()


def broken() -> Any:
    x = tg.tensor(np.ones((5, 3)), requires_grad=True)
    y = x * 2
    return turn(y, x, x, x)


def text_of(graph: Graph, line: tuple[int, int]) -> str:
    place, number = line
    code = graph.code[place]
    return code["text"].split("\n")[number - code["first"]].strip()


def made_by(graph: Graph) -> dict[str, Counter[str]]:
    """How many nodes of which operation each line made, whether directly or by a call."""
    found: dict[str, Counter[str]] = {}
    for node in graph.nodes:
        for line in node.lines:
            found.setdefault(text_of(graph, line), Counter())[node.op or "leaf"] += 1
    return found


def test_a_line_made_its_operations_in_every_turn() -> None:
    graph = draw(loop).graph
    made = made_by(graph)
    assert made["z = x @ w + h @ u"] == {"matmul": 2 * T, "add": T}
    assert made["return tg.tanh(z)"] == {"tanh": T}
    assert made["h = turn(x[t], h, w, u)"] == {"getitem": T, "matmul": 2 * T, "add": T, "tanh": T}
    assert all(node.lines for node in graph.nodes if node.op)
    assert not any(node.lines for node in graph.nodes if not node.op)
    assert [(one["name"], one["file"]) for one in graph.code] == [
        ("loop", "test_code_lines.py"), ("turn", "test_code_lines.py"),
    ]  # fmt: skip
    for one, function in zip(graph.code, (loop, turn), strict=True):
        lines, first = inspect.getsourcelines(function)
        assert one["first"] == first
        assert one["text"] == "".join(lines).rstrip("\n")


def test_a_call_over_several_lines_is_at_the_line_of_its_operation() -> None:
    made = made_by(draw(loop).graph)
    assert made["(h * h)"] == {"mul": 1}
    assert made[".sum()"] == {"sum": 1}


def test_inner_functions_are_lines_of_the_one_they_are_written_in() -> None:
    graph = draw(listed).graph
    assert [one["name"] for one in graph.code] == ["listed"]
    made = made_by(graph)
    assert made["parts = [w * k for k in range(1, 4)]"] == {"mul": 3}
    assert made["double = lambda a: a + a"]["add"] == 3


def test_a_layer_is_the_readers_line_and_the_librarys_innermost() -> None:
    graph = draw(layer).graph
    whole = sum(1 for node in graph.nodes if node.op)
    made = made_by(graph)
    inside = made["out, _ = lstm(tg.tensor(np.ones((T, 1, 3), np.float32)))"]
    outside = made["return (out * out).sum()"]
    assert sum(inside.values()) + sum(outside.values()) == whole
    assert [one.get("library", False) for one in graph.code] == [False] + [True] * (
        len(graph.code) - 1
    )
    library = [line for node in graph.nodes for line in node.lines[:1] if line[0]]
    assert len(library) == sum(inside.values())


def test_lines_survive_json_and_what_is_no_line_is_refused() -> None:
    graph = draw(loop).graph
    again = Graph.from_json(graph.to_json())
    assert again.code == graph.code
    assert [node.lines for node in again.nodes] == [node.lines for node in graph.nodes]
    for bad in ([[7, 1]], [[-1, 1]], [[0]], [[0, "1"]], "0:1"):
        data = graph.to_dict()
        data["nodes"][-1] = data["nodes"][-1] | {"lines": bad}
        with pytest.raises(GraphError, match="line"):
            Graph.from_dict(data)
    with pytest.raises(GraphError, match="code"):
        Graph.from_dict(graph.to_dict() | {"code": [{"file": "a.py", "name": "f", "text": ""}]})


@pytest.mark.parametrize("fold", [fold_sums, *LEVELS.values()])
def test_a_folded_node_has_the_lines_of_all_that_it_stands_for(fold: Any) -> None:
    graph = draw(layer).graph
    folded = fold(graph)
    assert folded.code == graph.code
    for node, ids in zip(folded.nodes, folded.members, strict=False):
        if node.op:  # a transposed parameter stays a leaf
            assert set(node.lines) == {line for i in ids for line in graph.nodes[i].lines}


def test_an_error_names_the_line_that_raised() -> None:
    drawing = draw(broken)
    number = inspect.getsourcelines(turn)[1] + 1
    assert f"line {number} of test_code_lines.py, op 'matmul'" in drawing.graph.notes[-1]


def test_what_was_not_traced_has_no_code() -> None:
    x = tg.tensor(np.ones(3), requires_grad=True)
    graph = draw((x * x).sum()).graph
    assert graph.code == [] and not any(node.lines for node in graph.nodes)
    assert "code" not in graph.to_dict() and "lines" not in graph.to_dict()["nodes"][-1]


def test_code_whose_source_is_lost_is_left_out() -> None:
    space: dict[str, Any] = {"tg": tg, "np": np}
    exec("def lost():\n    return (tg.tensor(np.ones(3), requires_grad=True) * 2).sum()", space)
    graph = draw(space["lost"]).graph
    assert graph.code == [] and len(graph.nodes) == 3


def test_cost_counts_arithmetic() -> None:
    x, w = tg.tensor(np.ones((2, 3)), requires_grad=True), tg.tensor(np.ones((3, 4)))
    graph = draw(lambda: (tg.tanh(x @ w) + 1).T.sum()).graph
    costs = {node.op: cost(graph, node) for node in graph.nodes}
    assert costs == {None: 0, "matmul": 48, "tanh": 8, "add": 8, "transpose": 0, "sum": 8}
