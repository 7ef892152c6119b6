"""The player's data: nothing is lost, nothing invented, and a thousand steps stay small."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
from player_graphs import Recorded, recorded

from tinygrad_rnn import scope, tanh, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.draw.capture.models import CELLS
from tinygrad_rnn.draw.capture.run_to_graph import graph_of
from tinygrad_rnn.draw.capture.truncation import state_edges, truncations
from tinygrad_rnn.draw.escapes import json_in_html
from tinygrad_rnn.draw.graph import Graph, GraphNode
from tinygrad_rnn.draw.player import excerpt as player_excerpt
from tinygrad_rnn.draw.player.data import LIMIT, fitted, model_data, short
from tinygrad_rnn.draw.player.page import PlayerError, model, player
from tinygrad_rnn.draw.player.slopes import slopes
from tinygrad_rnn.draw.transform.fold import fold_sums
from tinygrad_rnn.draw.transform.formulas import formula, rule, rules
from tinygrad_rnn.engine.primitive import PRIMITIVES

SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


@cache
def lstm(steps: int = 4) -> Recorded:
    return recorded("lstm", steps)


def data_of(page: str) -> dict[str, Any]:
    found = DATA.search(page)
    assert found
    return json.loads(found[1])


def edges_drawn(level: dict[str, Any]) -> Counter[tuple[int, int]]:
    """How often each edge (child, slot) is drawn in a level."""
    drawn: Counter[tuple[int, int]] = Counter()
    for _, picture, ids, _, _ in level["S"]:
        art = level["T"][picture]
        for *_, edges in art["E"] + art["X"]:
            drawn.update((ids[place], slot) for place, slot in edges)
    return drawn


def nodes_drawn(level: dict[str, Any]) -> Counter[int]:
    """How often each node is drawn as a box, chips not counted."""
    drawn: Counter[int] = Counter()
    for _, picture, ids, _, _ in level["S"]:
        for box in level["T"][picture]["B"]:
            if box[4] != "dashed":
                drawn.update(ids[place] for place in box[6])
    return drawn


# -- the page


def test_page_is_one_file_that_asks_for_nothing() -> None:
    page = player(model(lstm().graph))
    without_namespace = page.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|\bsrc=|\bhref=|@import|url\((?!#)", without_namespace)
    assert "default-src 'none'" in page
    assert "{{" not in page


def test_script_is_readable_and_within_its_budget() -> None:
    script = SCRIPT.findall(player(model(lstm().graph)))
    assert len(script) == 1
    assert len(script[0].encode()) <= 40 * 1024
    lines = script[0].splitlines()
    assert len(lines) > 400, "not minified"
    assert max(map(len, lines)) <= 220


def test_same_graph_gives_the_same_bytes() -> None:
    assert player(model(lstm().graph)) == player(model(recorded("lstm", 4).graph))


def test_hostile_names_stay_text() -> None:
    names = [
        "</script><script>window.hacked=1</script>",
        "{{css}}",
        '"><img src=x onerror=window.hacked=1>',
        "a\u2028b\x00c",
        "<!--",
    ]
    nodes = [GraphNode(0, name=names[0], role="param", shape=(2,))]
    nodes += [GraphNode(i, "add", (0, i - 1), (2,), name=n) for i, n in enumerate(names[1:], 1)]
    page = player(model(Graph(nodes, title=names[0])))
    assert page.count("<script>") == 1
    assert page.count("</script>") == 2
    assert "<img" not in page
    assert len(data_of(page)["models"][0]["op"]) == len(names)


# -- the numbers


def test_every_number_is_the_graphs_own() -> None:
    graph = fold_sums(lstm().graph)
    data = model_data(model(lstm().graph))
    for node in graph.nodes:
        norm = None if node.grad is None else node.grad["norm"]
        assert data["g"]["norm"][node.id] == short([norm])[0]
        for slot, flowed in enumerate(data["e"][node.id]):
            assert flowed == short([graph.edge_grad(node.id, slot)])[0]


def test_short_numbers_keep_five_digits_and_never_turn_nothing_into_zero() -> None:
    inf = float("inf")
    assert short([None, 0.0, 1.23456789e-12]) == [None, 0, 1.2346e-12]
    assert short([float("nan"), inf, -inf]) == ["NaN", "∞", "−∞"]
    assert short([123456.0, 99999.0, 0.5], 6) == [123456.0, 99999, 0.5]


def test_numbers_that_are_not_finite_survive() -> None:
    bad = {"norm": float("nan"), "min": 0.0, "max": float("inf"), "mean": 0.0}
    nodes = [GraphNode(0, name="w", role="param"), GraphNode(1, "log", (0,), value=bad)]
    data = data_of(player(model(Graph(nodes))))["models"][0]
    assert data["v"]["norm"] == [None, "NaN"]
    assert data["v"]["max"] == [None, "∞"]


@pytest.mark.parametrize("cell", CELLS)
def test_every_edge_and_node_is_drawn_once_in_every_level(cell: str) -> None:
    data = model_data(model(recorded(cell, 3).graph))
    graph = fold_sums(recorded(cell, 3).graph)
    edges = {(child.id, slot) for _, slot, child in graph.edges()}
    drawn = edges_drawn(data["levels"]["op"])
    assert set(drawn) == edges
    assert max(drawn.values()) == 1
    for level in data["levels"].values():
        assert max(nodes_drawn(level).values()) == 1
        assert set(edges_drawn(level)) <= edges
    boxed = set(nodes_drawn(data["levels"]["op"]))
    chips = {n.id for n in graph.nodes} - boxed
    assert all(graph.nodes[i].op is None for i in chips)


def test_two_uses_by_one_operation_are_two_edges() -> None:
    x = tensor(np.ones(3), requires_grad=True, name="x")
    y = tanh(x)
    level = model_data(model(graph_of([(y * y).sum()])))["levels"]["op"]
    assert edges_drawn(level) == Counter([(1, 0), (2, 0), (2, 1), (3, 0)])


def test_wires_name_the_box_they_come_from() -> None:
    data = model_data(model(lstm().graph))
    for level in data["levels"].values():
        for index, (_, picture, ids, _, _) in enumerate(level["S"]):
            art = level["T"][picture]
            for by, source, target, _, _, edges in art["E"] + art["X"]:
                _, there, other, _, _ = level["S"][index + by]
                box = level["T"][there]["B"][source]
                shown = {other[place] for place in box[6]}
                for place, slot in edges:
                    assert data["parents"][ids[place]][slot] in shown
                    assert ids[place] in {ids[i] for i in art["B"][target][6]}


def uneven() -> Graph:
    """Five turns of a loop of which the second reads no input: its boxes stand elsewhere."""
    w, u = (tensor(np.eye(3), requires_grad=True, name=name) for name in "wu")
    h, x = tensor(np.ones((1, 3)), name="h0"), tensor(np.ones((1, 3)), name="x")
    for t in range(1, 6):
        with scope("step", step=t):
            h = tanh((h if t == 2 else x) @ w + h @ u)
    return graph_of([(h * h).sum()])


@pytest.mark.parametrize("loss", ["last", "all", "uneven"])
def test_wires_begin_at_their_box(loss: str) -> None:
    """Also where columns share a picture and those that their wires come from do not."""
    graph = uneven() if loss == "uneven" else recorded("lstm", 20, loss).graph
    for level in model_data(model(graph))["levels"].values():
        pictures, columns = level["T"], level["S"]
        for index, (_, picture, *_) in enumerate(columns):
            for by, source, _, split, flat, _ in pictures[picture]["X"]:
                x, _, width, *_ = pictures[columns[index + by][1]]["B"][source]
                assert split == 0 or abs(flat[0] - x) <= width / 2 + 0.1, columns[index]


def test_excerpt_draws_what_the_whole_graph_would(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = recorded("lstm", 20).graph
    short_levels = model_data(model(graph))["levels"]
    monkeypatch.setattr(player_excerpt, "KEPT", (100, 100))
    long_levels = model_data(model(graph))["levels"]
    for name, level in short_levels.items():
        whole = long_levels[name]
        assert edges_drawn(level) == edges_drawn(whole)
        assert nodes_drawn(level) == nodes_drawn(whole)
        assert [column[0] for column in level["S"]] == [column[0] for column in whole["S"]]
        assert len(level["T"]) <= 6


def test_columns_stand_in_time_order() -> None:
    steps = [c[0] for c in model_data(model(lstm(12).graph))["levels"]["op"]["S"] if c[0]]
    assert steps == list(range(1, 13))


def test_rows_of_the_minimap_are_the_states() -> None:
    data = model_data(model(lstm().graph))
    assert [row["label"] for row in data["rows"]] == ["a⟨t⟩", "c⟨t⟩"]
    for row in data["rows"]:
        assert [data["step"][i] for i in row["ids"]] == [1, 2, 3, 4]


def test_each_layer_and_direction_has_a_row_with_every_step() -> None:
    for cell, labels in (("deep", ["a[1]⟨t⟩", "a[2]⟨t⟩"]), ("brnn", ["a→⟨t⟩", "a←⟨t⟩"])):
        rows = model_data(model(recorded(cell, 3).graph))["rows"]
        assert [row["label"] for row in rows] == labels
        assert [len(row["ids"]) for row in rows] == [3, 3]


def test_levels_go_from_coarse_to_fine() -> None:
    levels = model_data(model(lstm().graph))["levels"]
    assert list(levels) == ["arch", "cell", "gate", "op"]
    boxes = [sum(nodes_drawn(level).values()) for level in levels.values()]
    drawn = [sum(len(level["T"][c[1]]["B"]) for c in level["S"]) for level in levels.values()]
    assert drawn == sorted(drawn) and drawn[0] < drawn[-1] / 5
    assert boxes[0] == boxes[-1], "folded boxes stand for all nodes"


def test_graph_without_backward_or_steps_or_nodes_still_plays() -> None:
    x = tensor(np.ones(3), requires_grad=True, name="x")
    data = data_of(player(model(graph_of([tanh(x).sum()]))))["models"][0]
    assert data["order"] == []
    assert data["g"]["norm"] == [None] * 3
    assert len(data["levels"]["op"]["S"]) == 1
    assert "backward() not run" in data["notes"][0]
    assert player(model(Graph([GraphNode(0, name="x", role="input")])))


# -- size


def test_data_is_cut_to_the_limit_in_steps_that_are_told() -> None:
    whole, _ = fitted(model(lstm().graph), LIMIT)
    assert whole["v"]["sample"][0] and "min" in whole["v"]
    size = len(json_in_html(model_data(model(lstm().graph))))
    bare, _ = fitted(model(lstm().graph), size - 100)
    assert "min" not in bare["v"]
    assert bare["notes"][-1].startswith("Only norms are kept")
    folded, _ = fitted(model(lstm(30).graph), 64_000)
    assert folded["notes"][0] == "Folded to cells: the graph has 793 ops."
    assert len(folded["op"]) < 200
    with pytest.raises(PlayerError, match=r"33 ops; the player would need .* MB"):
        fitted(model(lstm(5).graph), 1000)


def test_pictures_do_not_grow_with_the_number_of_steps() -> None:
    sizes = [len(model_data(model(lstm(steps).graph))["levels"]["op"]["T"]) for steps in (20, 60)]
    assert sizes[0] == sizes[1] <= 6


@pytest.mark.slow
def test_a_thousand_steps_fit_and_take_seconds() -> None:
    graph = recorded("lstm", 1000, hidden=8).graph
    start = time.process_time()
    page = player(model(graph))
    assert time.process_time() - start < 5
    assert len(page.encode()) < 5.1e6


# -- words


def test_formulas_read_like_the_book() -> None:
    graph = lstm().graph
    named = {node.name: node for node in graph.nodes}

    def read(name: str) -> str:
        node = named[name]

        def refer(way: re.Match[str]) -> str:
            at = node
            for slot in filter(None, way[1].split(".")):
                at = graph.nodes[at.parents[int(slot)]]  # type: ignore[index]
            return at.name or "?"

        return re.sub(r"\{([\d.]*)\}", refer, formula(graph, node))

    assert read("c⟨2⟩") == "Γf ∘ c⟨1⟩ + Γu ∘ c̃"
    assert read("a⟨2⟩") == "Γo ∘ tanh(c⟨2⟩)"
    assert read("Γf") == "σ([a,x] @ Wfᵀ + bf)"
    assert read("[a,x]") == "[a⟨3⟩, x⟨4⟩]"


def test_words_written_once_are_those_of_every_node() -> None:
    graph = fold_sums(lstm(20).graph)
    data = model_data(model(lstm(20).graph))
    for node in graph.nodes:
        if node.op:
            told = data["wording"][data["words_of"][node.id]]
            assert list(told) == [formula(graph, node), *rules(node)]


def test_words_do_not_grow_with_the_number_of_steps() -> None:
    counts = [len(model_data(model(lstm(steps).graph))["wording"]) for steps in (20, 60)]
    assert counts[0] == counts[1]


def test_numbers_are_read_as_they_were_written() -> None:
    x = tensor(np.array([0.25, 0.5]), requires_grad=True, name="x")
    for build, text in (
        (lambda: 1 - x, "1 − {1}"),
        (lambda: x / 4, "{0} / 4"),
        (lambda: x * -0.5, "−0.5 {0}"),
        (lambda: x**2, "{0}²"),
        (lambda: 1e6 * x, "1e6 {1}"),
    ):
        graph = draw(build).graph
        assert formula(graph, graph.nodes[-1]) == text


@pytest.mark.parametrize(
    "steps, text",
    [(3, "{0} + {1} + {2}"), (4, "{0} + {1} + {2} + {3}"), (7, "{0} + {1} + … + {6}")],
)
def test_a_folded_chain_of_additions_reads_as_their_sum(steps: int, text: str) -> None:
    graph = fold_sums(lstm(steps).graph)
    loss = graph.nodes[-1]
    assert [graph.nodes[p].name for p in loss.parents] == [f"L⟨{t}⟩" for t in range(1, steps + 1)]
    assert formula(graph, loss) == text
    assert rules(loss) == ["ĝ"] * steps


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "deep"])
def test_steps_hand_on_states_and_no_loss(cell: str) -> None:
    """At the level of whole steps a wire between two of them leaves a box that names states."""
    graph = fold_sums(recorded(cell, 4).graph)
    data = model_data(model(recorded(cell, 4).graph))
    states = {i for row in data["rows"] for i in row["ids"]}
    level = data["levels"]["arch"]
    handed = 0
    for step, picture, ids, _, _ in level["S"]:
        for *_, lines, places in (box[:7] for box in level["T"][picture]["B"]):
            whole = len(places) > 1
            if step is not None and whole and any("□" in str(line) for line in lines):
                raise AssertionError("operands that nobody left out")
            if step is not None and whole and any(ids[p] in states for p in places):
                names = [graph.nodes[ids[p]].name for p in lines[0]]
                assert names and all(ids[p] in states for p in lines[0]), names
                handed += 1
    assert handed >= 4


def test_subtraction_keeps_its_brackets() -> None:
    leaves = [GraphNode(i, name=c, role="input") for i, c in enumerate("xyz")]
    inner = GraphNode(3, "sub", (1, 2))
    graph = Graph([*leaves, inner, GraphNode(4, "sub", (0, 3)), GraphNode(5, "mul", (3, 0))])
    assert formula(graph, graph.nodes[4]) == "{0} − ({1.0} − {1.1})"
    assert formula(graph, graph.nodes[5]) == "({0.0} − {0.1}) ∘ {1}"


def test_unknown_operations_read_as_calls() -> None:
    graph = Graph([GraphNode(0, name="x", role="input"), GraphNode(1, "wavelet", (0, 0))])
    assert formula(graph, graph.nodes[1]) == "wavelet({0}, {1})"
    assert rules(graph.nodes[1]) == ["ĝ · ∂wavelet/∂(this input)"] * 2


def test_every_operation_of_the_engine_reads_by_its_own_rule() -> None:
    for name, op in PRIMITIVES.items():
        parents = range(len(op.rules)) if isinstance(op.rules, tuple) and op.rules else range(2)
        leaves = [GraphNode(i, name=f"x{i}", role="input") for i in parents]
        node = GraphNode(len(leaves), name, tuple(parents))
        graph = Graph([*leaves, node])
        text = formula(graph, node)
        assert "{0}" in text, name
        if op.rules:
            assert all("ĝ" in one or one == "0" for one in rules(node)), name
    assert rule("matmul", 1, "y", ("A", "B")) == "Aᵀ @ ĝ"


def test_slopes_are_the_derivatives_of_the_operation() -> None:
    """Every element-wise primitive: the slope is the quotient of small differences."""
    random, told = np.random.default_rng(0), 0
    for name, op in PRIMITIVES.items():
        if not isinstance(op.rules, tuple) or not op.rules or name in ("fmod", "remainder"):
            continue
        inputs = [random.uniform(0.2, 0.9, 4) for _ in op.rules]
        try:
            y = np.asarray(op.compute(*inputs))
        except (TypeError, ValueError):
            continue
        parents = tuple(range(len(inputs)))
        nodes = [GraphNode(i, shape=(4,), value={"sample": list(x)}) for i, x in enumerate(inputs)]
        node = GraphNode(len(nodes), name, parents, y.shape, value={"sample": list(y.ravel())})
        for slot, found in enumerate(slopes(Graph([*nodes, node]), node)):
            if found:
                told += 1
                near = [x + 1e-6 * (i == slot) for i, x in enumerate(inputs)]
                by_hand = (op.compute(*near) - y) / 1e-6
                assert found == pytest.approx(by_hand, rel=1e-3, abs=1e-3), name
    assert told > 35


def test_what_is_not_element_wise_has_no_slope() -> None:
    square = [GraphNode(i, shape=(2, 2), value={"sample": [1.0, 2.0, 3.0, 4.0]}) for i in (0, 1)]
    value = {"sample": [7.0, 10.0, 15.0, 22.0]}
    for op in ("matmul", "transpose", "softmax", "sum"):
        node = GraphNode(2, op, (0, 1), (2, 2), value=value)
        assert slopes(Graph([*square, node]), node) == [[], []]


# -- truncated BPTT


def steps_by_hand(k: int, steps: int) -> tuple[Any, Any]:
    """A tanh RNN with the state detached k, 2k, … steps before the end; 0 = never."""
    random = np.random.default_rng(0)
    w = tensor(random.normal(size=(3, 3)) / 2, requires_grad=True, name="w")
    a = tensor(np.zeros((1, 3)), name="a0")
    xs = [tensor(random.normal(size=(1, 3)), name=f"x{t}") for t in range(steps)]
    loss = None
    for t, x in enumerate(xs):
        if k and t and (steps - t) % k == 0:
            a = a.detach()
        with scope("step", step=t + 1):
            a = tanh(a @ w + x)
            now = (a * a).sum()
        loss = now if loss is None else loss + now
    return loss, w


@pytest.mark.parametrize("k", [1, 2, 4])
def test_cuts_are_what_detaching_gives(k: int) -> None:
    loss, w = steps_by_hand(0, 7)
    loss.backward(record="full")
    graph = graph_of([loss])
    cut = next(c for c in truncations(graph, graph.live[0], loss.node) if c.k == k)
    other, v = steps_by_hand(k, 7)
    other.backward()
    number = next(node.id for node in graph.nodes if node.name == "w")
    assert cut.nodes[number] == pytest.approx(float(np.linalg.norm(v.grad.numpy())), rel=1e-12)
    a, b = w.grad.numpy().ravel(), v.grad.numpy().ravel()
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert cut.cosines[number] == pytest.approx(cosine, rel=1e-12)


def test_cuts_lie_between_steps_and_leave_the_losses_joined() -> None:
    graph = lstm().graph
    for child, slot in state_edges(graph):
        parent = graph.nodes[graph.nodes[child].parents[slot]]
        assert abs(parent.step - graph.nodes[child].step) == 1
        assert parent.name.startswith(("a⟨", "c⟨"))


def test_cuts_survive_the_folding_of_sums() -> None:
    made = model(lstm(6).graph)
    assert [cut.k for cut in made.cuts] == [1, 2, 4]
    params = (node for node in made.graph.nodes if node.role == "param")
    folded = {(node.name or "").removesuffix("ᵀ"): node for node in params}
    plain = truncations(lstm(6).graph, lstm(6).nodes, lstm(6).graph.live[1][0])
    for cut, other in zip(made.cuts, plain, strict=True):
        for node in lstm(6).graph.nodes:
            if node.role == "param":
                assert cut.nodes[folded[node.name].id] == other.nodes[node.id]
        for edge in cut.detached:
            child, slot = map(int, edge.split(":"))
            assert made.graph.nodes[child].step and edge not in cut.edges
            assert made.graph.nodes[made.graph.nodes[child].parents[slot]].name[0] in "ac"


def test_freed_graphs_and_files_have_no_cuts() -> None:
    loss, _ = steps_by_hand(0, 4)
    loss.backward()
    assert model(graph_of([loss])).cuts == []
    text = lstm().graph.to_json()
    assert model(Graph.from_json(text)).cuts == []
