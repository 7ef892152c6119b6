"""Train a task for `command`, measure it, and keep it in a folder, from which it can be asked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import optim
from ..engine.atomic_write import atomic_write
from ..engine.context import no_grad
from ..files import CheckpointError, load, save
from ..optim.schedules import LambdaLR
from ..training import Run, fit
from .task import DataError, Known, Task, TaskSettings
from .task_list import task_of

MODEL, SAID, CHECKPOINT = "model.safetensors", "samples.json", "run.checkpoint"
LOOKS = 6  # times that the model is asked while it learns


@dataclass
class Result:
    """A finished training: the run, the model, its measures, its samples on the way."""

    run: Run
    model: Any
    measured: dict[str, float]
    seconds: float
    said: list[tuple[int, str]]


def warm_cosine(steps: int) -> Callable[[int], float]:
    """Return the learning rate's factor: up over the first twentieth, then down half a cosine."""
    warm = max(1, steps // 20)
    return lambda k: min((k + 1) / warm, (1 + math.cos(math.pi * min(1.0, k / steps))) / 2)


def train(task: Task, data: Path | None = None, out: Path | None = None, resume: bool = False,
          progress: bool | None = None) -> Result:  # fmt: skip
    """Read the data, train a new model and measure it; a run kept in `out` can be gone on with."""
    task.read(data)
    model = made(task)
    adam = optim.Adam(model.parameters(), lr=task.settings.rate, betas=(0.9, 0.99))
    said = _said(out) if out is not None and resume else []

    def look(run: Run) -> None:
        with no_grad():
            said.append((run.step, task.answer(model, task.questions()[0])))
        if out is not None:
            atomic_write(out / SAID, json.dumps(said).encode())

    steps = task.settings.steps
    run = fit(model, task.batches(), task.loss, adam, steps=steps, carry=task.carries, clip=1.0,
              schedule=LambdaLR(adam, warm_cosine(steps)), resume=resume, progress=progress,
              validation=lambda: _held_out(task, model), validate_every=max(1, steps // LOOKS),
              checkpoint=None if out is None else out / CHECKPOINT, on_validation=look)  # fmt: skip
    model.eval()
    with no_grad():
        measured = task.measure(model)
    return Result(run, model, measured, run.seconds, said)


def made(task: Task) -> Any:
    """Return a task's new model on its device, its loops compiled if wanted."""
    model: Any = task.build().to(task.settings.device)
    return model.compile() if task.settings.compiled else model


def _held_out(task: Task, model: Any) -> float:
    model.eval()
    try:
        with no_grad():
            return task.held_out(model)
    finally:
        model.train()


def _said(out: Path) -> list[tuple[int, str]]:
    try:
        return [(int(step), str(text)) for step, text in json.loads((out / SAID).read_bytes())]
    except (OSError, ValueError):
        return []


def keep(task: Task, result: Result, out: Path) -> None:
    """Save what `restored` needs: weights, vocabularies, settings, what was measured."""
    settings, known = asdict(task.settings), task.known.state_dict()
    save({"task": task.name, "settings": settings, "known": known, "measured": result.measured,
          "model": result.model.state_dict()}, out / MODEL)  # fmt: skip


def restored(out: Path) -> tuple[Task, Any, dict[str, float]]:
    """Return (task, its trained model, what was measured) of a folder that `keep` filled."""
    path = out / MODEL if out.is_dir() else out
    if not path.exists():
        raise DataError(f"{out}: no trained model there; train one: tinygrad-rnn train {out.name}")
    try:
        saved = load(path)
        settings = TaskSettings(**{**saved["settings"], "compiled": False, "device": "cpu"})
        task = task_of(saved["task"])(settings, Known.of(saved["known"]))
        model = task.build()
        model.load_state_dict(saved["model"])
    except (KeyError, TypeError, CheckpointError) as error:
        raise DataError(f"{path}: holds no trained task ({error})") from None
    return task, model.eval(), saved["measured"]
