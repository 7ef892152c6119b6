"""Small runs of `fit` with everything that has a state, cut off or killed: shared by its tests.

`python tests/runs.py FOLDER TIMES BACKEND` kills such a run TIMES times by SIGKILL at random
moments, each time in a process of its own, lets it go on, and compares it with one never killed.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_rnn import Generator, cross_entropy, manual_seed, nn, optim, randn, text
from tinygrad_rnn.training import Run, fit


class Cut(Exception):
    """Ends a run in the middle of a step."""


class Net(nn.Module):
    """Embedding, two layers of LSTM with dropout between them, scores."""

    def __init__(self, seed: int, backend: str = ""):
        self.embedding = nn.Embedding(11, 5, seed=seed)
        self.lstm = nn.LSTM(5, 6, num_layers=2, dropout=0.3, seed=seed)
        self.output = nn.Linear(6, 11, seed=seed)
        if backend:
            self.lstm = self.lstm.compile(backend, threads=1)

    def forward(self, x: Any, state: Any = None) -> Any:
        y, state = self.lstm(self.embedding(x), state)
        return self.output(y), state


def language_model(seed: int, backend: str = "") -> Net:
    return Net(seed, backend)


TOKENS = np.random.default_rng(0).integers(0, 11, 200)
SENTENCES = [TOKENS[k : k + 3 + k % 4] for k in range(0, 40, 2)]


def carried(model: Any, batch: Any, state: Any) -> Any:
    x, y = batch
    logits, state = model(x, state)
    if model.training:
        logits = logits + 0.1 * randn(11)  # of the default Generator
    return cross_entropy(logits.reshape(-1, 11), y.reshape(-1)), state


def padded(model: Any, batch: Any) -> Any:
    x = batch.values
    logits, _ = model(x[:-1])
    return cross_entropy(logits.reshape(-1, 11), x[1:].reshape(-1))


def parts(kind: str, model: Any, passes: int = 3, **options: Any) -> tuple[Any, dict[str, Any]]:
    """Return the loss and all other arguments of `fit` for one of three kinds of data."""
    optimizer = optim.AdamW(model.parameters(), lr=0.01, amsgrad=True)
    options |= {"optimizer": optimizer, "clip": 1.0}
    options["schedule"] = optim.CosineAnnealingLR(optimizer, 40)
    held_out = text.Streams(TOKENS[150:], 2, 8)
    if kind == "streams":
        data = text.Streams(TOKENS[:150], 4, 9)
        options |= {"epochs": passes, "carry": True, "validation": held_out, "patience": 9}
        return carried, options | {"batches": data}
    if kind == "batches":
        data = text.Batches(SENTENCES, 6, bucket=True, seed=3)
        check = text.Batches(SENTENCES, 3, seed=4)
        options |= {"epochs": passes, "validation": check, "validate_every": 3}
        return padded, options | {"batches": data}
    source = Generator(5)
    made = lambda k: text.pad(list(source.integers(0, 11, (3, 4 + k % 3)).numpy()))
    return padded, options | {"batches": made, "steps": 7, "generators": [source]}


def train(kind: str, seed: int = 0, cut_at: int = 0, backend: str = "", **options: Any) -> Run:
    """Train from `seed`; in the step `cut_at` raise Cut."""
    model = language_model(seed, backend)
    manual_seed(seed)
    loss, options = parts(kind, model, **options)
    steps = [0]

    def cut(*arguments: Any) -> Any:
        steps[0] += model.training
        if model.training and steps[0] == cut_at:
            raise Cut
        return loss(*arguments)

    return fit(model, loss=cut, progress=False, **options)


def fingerprint(value: Any) -> Any:
    """Return a value as plain ones in which equal means equal to the last bit; time is left out."""
    if isinstance(value, Run):
        state = value.state_dict()
        return fingerprint({k: v for k, v in state.items() if k != "seconds"})
    if isinstance(value, dict):
        return {key: fingerprint(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [fingerprint(part) for part in value]
    array = getattr(value, "_array", value)
    return (str(array.dtype), array.shape, array.tobytes()) if hasattr(array, "dtype") else array


def main(folder: Path, times: int, backend: str) -> None:
    options: dict[str, Any] = {"backend": backend, "passes": 40}
    begun = time.perf_counter()
    whole = fingerprint(train("streams", **options))
    took, draw = time.perf_counter() - begun, random.Random(0)
    path, kills = folder / "run", 0
    options |= {"checkpoint": path, "every_steps": 3}
    while True:
        child = os.fork()
        if not child:
            try:
                train("streams", seed=kills + 1 if path.exists() else 0, **options)
                os._exit(0)
            finally:
                os._exit(1)
        if kills < times:
            time.sleep(draw.uniform(0, 2.5 * took / times))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            kills += 1
        elif status == 0 and kills < times:  # it was done before: begin anew
            assert fingerprint(train("streams", **options)) == whole
            path.unlink()
        else:
            break
    assert status == 0, "the run itself failed"
    assert fingerprint(train("streams", seed=99, **options)) == whole
    print(kills)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
