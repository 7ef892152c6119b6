"""Timing and memory, each in a process of its own whose threads were pinned before it began.

Contestants run in turns, A B C A B C …, so that a busy moment of the machine hits all alike. With
several threads a turn starts after a pause, in which those of the one before fall asleep. A quick
contestant begins with uncounted runs: they refill the caches, as the steps before a step do.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benches.contestants import SUITES, Read, Step
from benches.problems import Problem

PAUSE = 0.15  # seconds before a turn: OpenBLAS's threads spin for up to 0.1 s after their work
QUICK = 0.05  # seconds: below this a turn has uncounted runs too
TURN = 0.01  # seconds of uncounted runs, and of counted ones after them
ASLEEP = 5  # times as long with several threads: after a pause a second processor is slow to come
TOLERANCE = 2e-4  # of the largest entry; f32 sums of T·B terms in different orders
COARSE = 1e-2  # with --tf32: products of numbers with 10 binary places


def time_job(job: dict, report: Callable[[dict], None]) -> None:
    """Times a job's problems; reports one row per contestant as soon as a problem is finished."""
    for fields in job["problems"]:
        problem = Problem(**fields)
        for row in time_problem(problem, job):
            report({**fields, "threads": job["threads"], "device": job["device"], **row})


def time_problem(problem: Problem, job: dict) -> list[dict]:
    """Returns a row per contestant: its times in ms, or why it has none."""
    rows, runs = [], {}
    truth: dict | None = None
    for name in job["contestants"]:
        row: dict[str, Any] = {"contestant": name}
        rows.append(row)
        try:
            reason = SUITES[job["suite"]][name].missing(problem, job["device"])
            if reason:
                row["missing"] = reason
                continue
            step, read, row["first_ms"], result = first_run(name, problem, job)
            if read is not None:
                gradients = read(result)
                truth = gradients if truth is None else truth
                row["error"] = disagreement(truth, gradients, COARSE if job["tf32"] else TOLERANCE)
            runs[name] = (step, row)
        except Exception as error:  # a peer that fails is a finding, not the end of the run
            row["failed"] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        say(f"  {problem}: {name} {verdict(row)}")
    several = job["threads"] > 1 and job["device"] == "cpu"
    take_turns(runs, job["repeats"], job["budget"], PAUSE * several, TURN * ASLEEP**several)
    return rows


def first_run(name: str, problem: Problem, job: dict) -> tuple[Step, Read | None, float, Any]:
    """Returns the step, its reader, the time in ms to build and first run it, and the result."""
    entry = SUITES[job["suite"]][name]
    importlib.import_module(entry.needs)
    pin_torch(job)
    start = time.perf_counter()
    step, read = entry.build(problem, job["device"])
    result = step()
    return step, read, 1e3 * (time.perf_counter() - start), result


def pin_process(processors: int) -> None:
    """Confines this process to so many processors, where the system can: no library then takes
    more threads than it was given."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-processors:])


def pin_torch(job: dict) -> None:
    """Sets torch's own switches where torch is loaded; all else read the environment."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(job["threads"])
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = job["tf32"]


def disagreement(truth: dict, gradients: dict, tolerance: float) -> float:
    """Returns the largest deviation, relative to the largest entry; raises above `tolerance`."""
    if missing := truth.keys() - gradients.keys():
        raise ValueError(f"no gradient for {sorted(missing)}")
    worst = max(
        float(np.abs(a - gradients[n].reshape(a.shape)).max() / np.abs(a).max())
        for n, a in truth.items()
    )
    if not worst < tolerance:  # also catches NaN
        raise ValueError(f"gradients differ from the reference by {worst:.1e} of the largest")
    return worst


def take_turns(runs: dict[str, tuple[Step, dict]], repeats: int, budget: float, pause: float,
               length: float) -> None:  # fmt: skip
    """Fills each row's `min_ms`, `median_ms`, `runs`; slow contestants drop out at `budget` s."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    spent = dict.fromkeys(runs, 0.0)
    gc.collect()
    gc.freeze()  # what the imports left is not searched again in anybody's turn
    for turn in range(repeats):
        for name, (step, _) in runs.items():
            if turn and spent[name] > budget:
                continue
            time.sleep(pause)
            start = time.perf_counter()
            times[name] += one_turn(step, times[name], length)
            spent[name] += time.perf_counter() - start
    for name, (_, row) in runs.items():
        wall, cpu = ([1e3 * t for t in column] for column in zip(*times[name], strict=True))
        row.update(min_ms=min(wall), median_ms=median(wall), cpu_ms=min(cpu), runs=len(wall))


def one_turn(step: Step, before: list[tuple[float, float]],
             length: float) -> list[tuple[float, float]]:  # fmt: skip
    """Returns the counted times of one turn: seconds on the clock, and of processor time."""
    ready = time.perf_counter() + length
    quick = not before or min(before)[0] < QUICK
    while quick and time.perf_counter() < ready:
        step()
    times: list[tuple[float, float]] = []
    done = time.perf_counter() + length * quick
    while not times or time.perf_counter() < done:
        start, cpu = time.perf_counter(), time.process_time()
        result = step()
        times.append((time.perf_counter() - start, time.process_time() - cpu))
        del result
    return times


def memory_job(job: dict, report: Callable[[dict], None]) -> None:
    """Reports how far one training step lifts the peak above what was resident before it.

    The step runs once for two time steps first, so that libraries are loaded and their buffers
    made. Data and weights are made before the baseline is read.
    """
    (fields,), (name,) = job["problems"], job["contestants"]
    problem, entry = Problem(**fields), SUITES[job["suite"]][job["contestants"][0]]
    row = {**fields, "threads": job["threads"], "device": job["device"], "contestant": name}
    short = Problem(**{**fields, "T": 2})
    entry.build(short, job["device"])[0]()
    pin_torch(job)
    step, _ = entry.build(problem, job["device"])
    if job["device"] == "cuda":
        report({**row, "peak_mb": gpu_growth(step)})
        return
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = resident("VmRSS")
    result = step()
    report({**row, "peak_mb": (resident("VmHWM") - before) / 1024})
    del result


def resident(field: str) -> int:
    """Returns a field of /proc/self/status in kB: VmRSS now, VmHWM at its highest."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def gpu_growth(step: Step) -> float:
    """Returns by how many MB a step lifts the peak of torch's and CuPy's pools together."""
    torch, cupy = sys.modules.get("torch"), sys.modules.get("cupy")
    pool = cupy.get_default_memory_pool() if cupy else None
    held = pool.total_bytes() if pool else 0
    if torch and torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        held += torch.cuda.memory_allocated()
    step()
    peak = pool.total_bytes() if pool else 0
    if torch and torch.cuda.is_available():
        peak += torch.cuda.max_memory_allocated()
    return (peak - held) / 2**20


def verdict(row: dict) -> str:
    """Returns a word on a row's first run, for the progress lines."""
    if "first_ms" in row and "failed" not in row:
        return f"first run {row['first_ms']:.0f} ms"
    return "left out: " + str(row.get("missing") or row.get("failed"))


def say(text: str) -> None:
    """Shows progress on the error stream, so that the table can be piped."""
    print(text, file=sys.stderr, flush=True)


def work(job: dict) -> None:
    """Runs a job in this process; each row goes to the job's file as one line of JSON."""
    pin_process(job["threads"])
    with open(job["file"], "a", encoding="utf-8") as file:

        def report(row: dict) -> None:
            file.write(json.dumps(row) + "\n")
            file.flush()

        if job["measure"] == "steps":
            importlib.import_module("benches.steps").run(job, report)
        else:
            {"time": time_job, "memory": memory_job}[job["measure"]](job, report)
