"""What the version before the floors saved (tools/golden/older.py) loads and computes as it did."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.draw.drawing import Drawing
from tinygrad_rnn.draw.graph import Graph

HERE = Path(__file__).parent
SOURCE = (HERE.parents[1] / "tools" / "golden" / "older.py").read_text(encoding="utf-8")
LAYERS = next(ast.literal_eval(node.value) for node in ast.parse(SOURCE).body
              if isinstance(node, ast.AnnAssign) and node.target.id == "LAYERS")  # fmt: skip
OLDER = np.load(HERE / "older" / "states.npz")


@pytest.mark.parametrize("name", LAYERS)
def test_a_state_dict_of_the_version_before_loads(name):
    layer = getattr(nn, name.partition(" ")[0])(3, 4, seed=1, **LAYERS[name])
    saved = {key.partition("|")[2]: OLDER[key] for key in OLDER.files if key.startswith(f"{name}|")}
    expected = saved.pop("output")
    layer.load_state_dict(saved)
    got = layer(tg.tensor(OLDER["x"]))[0].detach().numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)


def test_a_graph_of_the_version_before_loads_and_is_drawn():
    graph = Graph.from_json((HERE / "older" / "graph.json").read_text(encoding="utf-8"))
    assert {node.op for node in graph.nodes} >= {"matmul", "tanh", "sigmoid", "sum"}
    assert "<svg" in Drawing([graph]).svg


def test_a_pickle_is_refused_with_what_to_do_instead(tmp_path):
    path = tmp_path / "layer.pkl"
    path.write_bytes(pickle.dumps(nn.Linear(2, 1)))
    with pytest.raises(tg.CheckpointError, match=r"np\.savez\(path, \*\*layer\.state_dict\(\)\)"):
        tg.load(path)
