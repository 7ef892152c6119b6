"""Suite `reliability`: loads that break engines, each in a fresh process, torch beside as anchor.

deep   y = y + y·1e-6 a million times: build, backward, free; and free without a backward.
long   back-propagation through an LSTM of 100,000 steps.
truncated   a million LSTM steps, gradients and detach every 100: resident memory must not grow.
By default a tenth of each load; `--full` for all of it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benches.contestants import installed
from benches.eager import our_vocabulary, torch_vocabulary
from benches.problems import Problem, unroll
from benches.stopwatch import resident, say

TOOLS = Path(__file__).resolve().parents[1]
LIBRARIES = {"tinygrad_rnn": "tinygrad_rnn.engine.backward", "torch": "torch"}
ONE_LOAD = (
    "import sys, json; sys.path[:0] = {paths!r}; from benches import reliability as r; "
    "print(json.dumps(r.LOADS[{load!r}](r.library({name!r}), {scale})))"
)


def run(options: argparse.Namespace) -> list[dict]:
    """Returns a row per load and library."""
    scale, rows = (1.0 if options.full else 0.1), []
    for load in LOADS:
        for name, module in LIBRARIES.items():
            row: dict[str, Any] = {"load": load, "library": name}
            row |= in_process(load, name, scale) if installed(module) else {"missing": module}
            say("  " + ", ".join(f"{k} {v}" for k, v in row.items()))
            rows.append(row)
    return rows


def in_process(load: str, name: str, scale: float) -> dict:
    """Returns what the load measured, or the last line of its error."""
    paths = [str(TOOLS), str(TOOLS.parent)]
    code = ONE_LOAD.format(paths=paths, load=load, name=name, scale=scale)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return {"failed": f"status {done.returncode} {last}"[:120]}
    return json.loads(done.stdout)


def library(name: str) -> SimpleNamespace:
    """Returns the few names the loads need: tensor, weight, grad and the programme's words."""
    if name == "torch":
        import torch

        torch.set_num_threads(1)
        v = torch_vocabulary()
        v.stack, v.grad, v.tensor = torch.stack, torch.autograd.grad, torch.tensor
    else:
        import tinygrad_rnn as tg

        v = our_vocabulary()
        v.stack, v.grad, v.tensor = tg.stack, tg.grad, tg.tensor
    v.weight = lambda array: v.tensor(array, requires_grad=True)
    return v


def deep(v: SimpleNamespace, scale: float) -> dict:
    """Returns seconds to build, differentiate and free, and MB above the start."""
    start, N = resident("VmRSS"), int(1_000_000 * scale)
    clock = Clock()

    def build(x: Any) -> Any:
        y = x
        for _ in range(N):
            y = y + y * 1e-6
        return y

    x = v.weight(np.ones((), np.float32))
    y = build(x)
    build_s = clock.lap()
    (g,) = v.grad(y, [x])
    backward_s = clock.lap()
    del y
    free_s = clock.lap()
    found = {"ops": 2 * N, "build_s": build_s, "backward_s": backward_s, "free_s": free_s}
    y = build(x)
    clock.lap()
    del y
    found |= {"drop_s": clock.lap(), "peak_mb": (resident("VmHWM") - start) / 1024}
    expected = (1 + 1e-6) ** N
    return found | {"error": abs(float(g.item()) / expected - 1)}


def long(v: SimpleNamespace, scale: float) -> dict:
    """Returns seconds, and kB per step, of one gradient through an LSTM of 100,000 steps."""
    problem = Problem("lstm", int(100_000 * scale), 4, 16, 32)
    p = {n: v.weight(a) for n, a in problem.parameters().items()}
    x, state = v.tensor(problem.inputs()), tuple(map(v.tensor, problem.states()))
    start, clock = resident("VmRSS"), Clock()
    outputs, _ = unroll(v, problem, x, state, p)
    gradients = v.grad(v.stack(outputs).sum(), list(p.values()))
    seconds, peak = clock.lap(), resident("VmHWM") - start
    assert all(np.isfinite(g.numpy()).all() for g in gradients)
    return {"steps": problem.T, "s": seconds, "peak_mb": peak / 1024, "kb_step": peak / problem.T}


def truncated(v: SimpleNamespace, scale: float) -> dict:
    """Returns by how many MB resident memory grew after the first tenth of the windows."""
    problem = Problem("lstm", 100, 4, 16, 32)
    p = {n: v.weight(a) for n, a in problem.parameters().items()}
    x, state = v.tensor(problem.inputs()), tuple(map(v.tensor, problem.states()))
    windows, warm, clock = int(10_000 * scale), 0, Clock()
    for window in range(windows):
        if window == windows // 10:
            warm = resident("VmRSS")
        state = one_window(v, problem, x, state, p)
    growth = (resident("VmRSS") - warm) / 1024
    return {"steps": windows * problem.T, "s": clock.lap(), "growth_mb": growth}


def one_window(v: SimpleNamespace, problem: Problem, x: Any, state: tuple, p: dict) -> tuple:
    """Returns the detached state after a window and one small step down its gradient."""
    outputs, state = unroll(v, problem, x, state, p)
    for w, g in zip(p.values(), v.grad(v.stack(outputs).sum(), list(p.values())), strict=True):
        w.data = w.data - 1e-6 * g.data
    return tuple(s.detach() for s in state)


class Clock:
    """Seconds since the last lap."""

    def __init__(self) -> None:
        self.start = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        took, self.start = now - self.start, now
        return took


LOADS: dict[str, Callable[[SimpleNamespace, float], dict]] = {
    "deep": deep,
    "long": long,
    "truncated": truncated,
}
