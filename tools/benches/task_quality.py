"""Suite `tasks`: what each task of the notes reaches, seed by seed, and the time it takes.

Where torch is installed, the language model of characters is trained there too: the same layers,
the same batches, the same schedule.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinygrad_rnn.tasks import TASKS, DataError, Task, task_of, train
from tinygrad_rnn.tasks.running import warm_cosine

from .stopwatch import say


def run(options: argparse.Namespace) -> list[dict]:
    """Returns a row for every task and seed: its measure, whether that is enough, the time."""
    names = options.tasks.split(",") if options.tasks else list(TASKS)
    rows = []
    for name in names:
        for seed in range(options.seeds):
            rows += rows_of(made(name, seed, options), options)
        reached = sum(row["reached"] == "yes" for row in rows if row["task"] == name)
        say(f"{name}: reached on {reached} of {options.seeds} seeds")
    return rows


def made(name: str, seed: int, options: argparse.Namespace) -> Task:
    """Returns a task with the settings of its own but for the seed, and the steps if asked."""
    kind = task_of(name)
    steps = options.steps or kind.defaults.steps
    return kind(replace(kind.defaults, seed=seed, steps=steps))


def rows_of(task: Task, options: argparse.Namespace) -> list[dict]:
    """Returns the rows of one training, and of its twin in torch if there is one."""
    data = Path(options.data) if options.data else None
    began = time.process_time()
    result = train(task, data, progress=False)
    rows = [row(task, "tinygrad_rnn", result.measured, time.process_time() - began)]
    if task.name == "characters" and (torch := torch_or_none()) is not None:
        began = time.process_time()
        measured = in_torch(torch, task)
        rows.append(row(task, f"torch {torch.__version__}", measured, time.process_time() - began))
    return rows


def row(task: Task, by: str, measured: dict[str, float], seconds: float) -> dict[str, Any]:
    """Returns what was measured, as a row of the table; what stands beside the goal is one text."""
    others = {k: v for k, v in measured.items() if k != task.goal.measure}
    return {
        "task": task.name, "by": by, "seed": task.settings.seed,
        "goal": str(task.goal), "measured": measured[task.goal.measure],
        "reached": "yes" if task.goal.reached(measured) else "no", "processor_s": seconds,
        "load": os.getloadavg()[0],
        "beside": ", ".join(f"{name} {value:.4g}" for name, value in others.items()),
    }  # fmt: skip


def torch_or_none() -> Any:
    """Returns torch, on one thread, or None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch


def in_torch(torch: Any, task: Any) -> dict[str, float]:
    """Returns what the characters' model reaches in torch: same start, batches and schedule."""
    if task.settings.cell != "lstm":
        raise DataError("the twin in torch is an LSTM")
    own = task.build()
    size, hidden = len(task.letters), task.settings.hidden
    embedding = torch.nn.Embedding(size, own.embedding.weight.shape[1])
    lstm, output = torch.nn.LSTM(embedding.embedding_dim, hidden), torch.nn.Linear(hidden, size)
    twin = torch.nn.ModuleDict({"embedding": embedding, "layer": lstm, "output": output})
    start = {name: torch.tensor(value) for name, value in own.state_dict().items()}
    twin.load_state_dict(start)
    adam = torch.optim.Adam(twin.parameters(), lr=task.settings.rate, betas=(0.9, 0.99))
    factor, state, step = warm_cosine(task.settings.steps), None, 0
    loss_of = torch.nn.functional.cross_entropy
    while step < task.settings.steps:
        for x, y in task.batches():
            h, state = lstm(embedding(torch.tensor(x.numpy())), state)
            state = tuple(part.detach() for part in state)
            adam.param_groups[0]["lr"] = task.settings.rate * factor(step)
            adam.zero_grad()
            loss_of(output(h).flatten(0, 1), torch.tensor(y.numpy()).flatten()).backward()
            torch.nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
            adam.step()
            step += 1
            if step == task.settings.steps:
                break
        else:
            state = None
    trained = {name: value.detach().numpy() for name, value in twin.state_dict().items()}
    own.load_state_dict(trained)
    nats = task.held_out(own.eval(), 500_000)
    return {"bits per character": nats / math.log(2), "perplexity": math.exp(nats)}
