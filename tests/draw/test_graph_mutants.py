"""Graphs in JSON that somebody changed: each is drawn, or refused in one line that says why.

The first kind puts a value where it does not belong, the second keeps to the schema and makes
graphs that no program records.
"""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tinygrad_rnn.draw import Graph, GraphError, draw
from tinygrad_rnn.draw.capture.models import Sizes
from tinygrad_rnn.draw.capture.sources import of_cell
from tinygrad_rnn.draw.cli import main

GRAPHS = [json.loads(of_cell(c, Sizes(steps=2))[0].to_json()) for c in ("lstm", "rnn", "gru")]
SMALL = json.loads(of_cell("rnn", Sizes(steps=1, hidden=1, input=1))[0].to_json())
VALUES: list[Any] = [
    None, True, -1, 0, 1, 3, 1.5, 1e308, 10**30, 10**400, math.nan, math.inf, "", "x", "0:0", "NaN",
    "\ud800", "a\0b", "²", "٣", "٣:0", [], [1], ["x"], [[]], {}, {"a": 1}, [None], "removed",
]  # fmt: skip
VIEWS = ("auto", "rolled", "cell", "gate", "op", "flow", "params", "backward", "table")
FORMATS = ("svg", "dot", "mermaid", "tikz", "json", "txt", "html")
Path_ = tuple[Any, ...]


def some_slow(parts: int) -> list[Any]:
    return [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, parts))]


def places(data: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Every place in the data; of many alike (nodes, edges) a few."""
    yield path
    if isinstance(data, dict | list):
        keys = list(data) if isinstance(data, dict) else list(range(len(data)))
        few = keys if len(keys) < 15 and isinstance(data, dict) else keys[:: max(1, len(keys) // 2)]
        for key in few:
            yield from places(data[key], (*path, key))


@contextmanager
def changed(path: Path_, value: Any) -> Iterator[Any]:
    """The small graph with another value at one place."""
    if not path:
        yield value
        return
    inner = SMALL
    for key in path[:-1]:
        inner = inner[key]
    kept = copy.copy(inner)
    if value == "removed":
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    try:
        yield SMALL
    finally:
        if isinstance(inner, dict):
            inner.clear()
            inner.update(kept)
        else:
            inner[:] = kept


def keys_changed() -> Iterator[tuple[Path_, Any]]:
    for table in ("edge_grads", "param_uses", "edge_samples"):
        like = next(iter(SMALL[table].values()))
        for key in ("x", "", "²", "٣", "٣:0", "9" * 5000, "0:0", "-1:0", "1:99", "99", ":"):
            yield (table,), SMALL[table] | {key: like}


def mutants() -> list[tuple[Path_, Any]]:
    return [(p, v) for p in places(SMALL) for v in VALUES] + list(keys_changed())


def drawn(data: Any, folder: Path, view: str, format: str, capsys: Any) -> int:
    """Draw by the command; whatever is wrong is one line."""
    file = folder / "graph.json"
    file.write_text(json.dumps(data))
    to = folder / "picture"
    code = main(["--from-json", str(file), "-o", str(to), "--format", format, "--view", view])
    said = capsys.readouterr().err
    assert code in (0, 2, 4) and (code == 0 or said.count("\n") == 1), said
    return code


def test_every_mutant_is_a_graph_or_refused_by_name() -> None:
    refused = 0
    for path, value in mutants():
        try:
            with changed(path, value) as data:
                Graph.from_dict(data)
        except GraphError as error:
            refused += 1
            said = str(error)
            assert len(said) < 300 and said.isascii() and said.isprintable(), said
            fields = [str(key) for key in path[:3] if isinstance(key, str)]
            near = {*SMALL, "node"} if path[:1] == ("nodes",) else set(fields)
            named = [*fields, *near, "schema"]  # a change of one place may show at another
            assert any(word in said for word in named), (path, value, said)
    assert refused > 1000


@pytest.mark.parametrize("part", some_slow(100))
def test_each_is_drawn_or_refused_in_one_line(part: int, tmp_path: Path, capsys: Any) -> None:
    chosen = random.Random(part)
    for path, value in mutants()[part::100]:
        with changed(path, value) as data:
            drawn(data, tmp_path, chosen.choice(VIEWS), chosen.choice(FORMATS), capsys)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"schema": ' + "9" * 5000 + "}", "\ufeff{}", '"\\ud800"', "nul", "\0"]
)
def test_text_without_end_or_sense(text: str, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "graph.json"
    file.write_text(text, encoding="utf-8")
    assert main(["--from-json", str(file)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_is_not_finite_survives_everywhere() -> None:
    graph = Graph.from_dict(GRAPHS[0])
    (param, uses), (edge, sample) = next(iter(graph.param_uses.items())), next(
        iter(graph.edge_samples.items())
    )  # fmt: skip
    uses[0]["norm"], sample[0] = math.inf, -math.inf
    again = Graph.from_json(graph.to_json())
    assert again.param_uses[param][0]["norm"] == math.inf
    assert again.edge_samples[edge][0] == -math.inf


def test_a_graph_made_by_hand_is_checked_too() -> None:
    graph = Graph.from_dict(GRAPHS[1])
    made = next(node for node in graph.nodes if node.op)
    made.parents = (made.id + 4,)
    with pytest.raises(GraphError, match=f"node {made.id} has parent {made.id + 4}"):
        draw(graph)


SIZES = (0, 1, 2, 10**9, 10**15)
STEPS = (0, 1, 2, -1, -5, 10**6, 10**9, 10**15, None, True, 1.5, "x")
LABELS = ("gate", "layer", "dir", "phase", "cell", "failed", "x")
WORDS = (0, 1, "x", "forget", None, True, 1.5, "backward", "decoder", "")
NUMBERS = (
    None, {"norm": 1.0}, {"norm": "NaN", "sample": []}, {"norm": 0}, {"norm": "Infinity"},
    {"norm": -3.0, "check": 1, "sample": ["Infinity", 1]},
    {"norm": 1e308, "mean": 0, "min": 1, "max": 2, "sample": [1] * 100, "nonfinite": 3},
)  # fmt: skip
ROLES = ("param", "input", "target", "state", "const", "op", "loss")
NAMES = (None, "", "h_1", "x_{2}", "W", "y", "\ud800", "a\0b", "L")
OPS = ("matmul", "tanh", "concatenate", "sum", "odd", "", "x" * 50, None)


def odd(data: Any, r: random.Random) -> Any:
    """A graph that keeps to the schema and that no program records."""
    data = copy.deepcopy(data)
    for _ in range(r.choice([1, 1, 2, 5, 20])):
        node, n = r.choice(data["nodes"]), len(data["nodes"])
        parents = [r.choice([None, r.randrange(node["id"] or 1)]) for _ in range(r.randrange(4))]
        some = {
            "role": r.choice(ROLES), "op": r.choice(OPS), "parents": parents if node["id"] else [],
            "shape": [r.choice(SIZES) for _ in range(r.randrange(5))], "dtype": r.choice(["", "x"]),
            "name": r.choice(NAMES), "value": r.choice(NUMBERS), "grad": r.choice(NUMBERS),
            "path": r.choice([[], ["a"], [""] * 5, ["\n"]]),
        }  # fmt: skip
        key = r.choice([*some, "step", "label", "edge", "order"])
        if key in some:
            node[key] = some[key]
        elif key == "step":
            node["labels"]["step"] = r.choice(STEPS)
        elif key == "label":
            node["labels"][r.choice(LABELS)] = r.choice(WORDS)
        elif key == "edge":
            data["edge_grads"][r.choice(list(data["edge_grads"]))] = r.choice([0, -1, 1e308, "NaN"])
        else:
            data["order"] = [r.randrange(n) for _ in range(r.randrange(5))]
    for node in data["nodes"]:
        node["parents"] = node["parents"] if node["op"] is not None else []
    edges = {f"{n['id']}:{s}" for n in data["nodes"] for s in range(len(n["parents"]))}
    for table in ("edge_grads", "edge_samples"):
        data[table] = {k: v for k, v in data[table].items() if k in edges}
    for param, uses in data["param_uses"].items():
        data["param_uses"][param] = [u for u in uses if f"{u['node']}:{u['k']}" in edges]
    return data


@pytest.mark.parametrize("part", some_slow(20))
def test_graphs_that_no_program_records_are_drawn(part: int, tmp_path: Path, capsys: Any) -> None:
    r = random.Random(part)
    for _ in range(25):
        data = odd(r.choice(GRAPHS), r)
        drawn(data, tmp_path, r.choice(VIEWS), r.choice(FORMATS), capsys)
