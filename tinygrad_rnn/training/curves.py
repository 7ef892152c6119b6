"""Plot loss, gradient norm and learning rate over a run's steps; `fit` calls it."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.atomic_write import atomic_write

if TYPE_CHECKING:
    from .run import Run

ROWS = {"loss": "loss", "gradient_norm": "gradient norm", "learning_rate": "learning rate"}


def need_matplotlib() -> Any:
    """Return matplotlib's Figure; ImportError says how to get it."""
    try:
        from matplotlib.figure import Figure  # no window, no global state
    except ImportError as error:
        raise ImportError('curves need matplotlib: pip install "tinygrad_rnn[train]"') from error
    return Figure


def draw_curves(run: Run, path: str | os.PathLike[str]) -> None:
    """Write the picture; the suffix of `path` says its format (png, svg, pdf)."""
    figure = need_matplotlib()(figsize=(7, 7), layout="constrained")
    for row, (key, name) in zip(figure.subplots(3, 1, sharex=True), ROWS.items()):
        values = run.history[key]
        row.plot(range(1, len(values) + 1), values, lw=0.8, label=f"{name} of each step")
        if key == "loss" and run.history["validation"]:
            steps = run.history["validation_step"]
            row.plot(steps, run.history["validation"], "o-", ms=3, label="validation")
        if key != "learning_rate" and all(v > 0 for v in values):
            row.set_yscale("log")
        row.set_ylabel(name)
        row.legend(loc="upper right", fontsize="small")
    row.set_xlabel("step")
    figure.suptitle(f"{type(run.model).__name__}, {run.step} steps")
    picture = io.BytesIO()
    figure.savefig(picture, format=Path(path).suffix.lstrip(".") or "png")
    atomic_write(os.fspath(path), picture.getvalue())
