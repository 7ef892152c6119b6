"""Records what the version before the floors saved: state dicts, outputs and a graph.

git worktree add /tmp/older 4296c57
PYTHONPATH=/tmp/older python tools/golden/older.py

tests/golden/test_older.py loads them into the layers of today.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.draw import draw

HERE = Path(__file__).parents[2] / "tests" / "golden"
LAYERS: dict[str, dict[str, Any]] = {
    "RNN": {}, "LSTM": {}, "GRU": {}, "MGU": {},
    "LSTM stacked": {"form": "stacked"}, "LSTM normed": {"layer_norm": True},
    "LSTM peephole": {"peephole": "diagonal"}, "LSTM coupled": {"coupled": True},
    "GRU both": {"num_layers": 2, "bidirectional": True},
}  # fmt: skip


def main() -> None:
    x = np.random.default_rng(0).normal(size=(3, 2, 3)).astype(np.float32)
    arrays: dict[str, Any] = {"x": x}
    for name, options in LAYERS.items():
        layer = getattr(nn, name.partition(" ")[0])(3, 4, seed=0, **options)
        out, _ = layer(tg.tensor(x))
        arrays[f"{name}|output"] = out.detach().numpy()
        for key, value in layer.state_dict().items():
            arrays[f"{name}|{key}"] = np.asarray(value)
    np.savez_compressed(HERE / "older" / "states.npz", **arrays)
    out, _ = nn.LSTM(3, 4, seed=0)(tg.tensor(x[:2]))
    (HERE / "older" / "graph.json").write_text(draw(out.sum()).json, encoding="utf-8")


if __name__ == "__main__":
    main()
