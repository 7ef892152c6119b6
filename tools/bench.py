"""The public benchmark: training steps of recurrent networks, ours against the peers at hand.

    python tools/bench.py --suite eager --json results.json

Prints aligned tables; a peer that is not installed is named as missing. Nothing is downloaded.
Every thread count gets its own process, every memory figure a fresh one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
sys.path[:0] = [str(TOOLS), str(TOOLS.parent)]

from benches import (  # noqa: E402
    compiled,  # noqa: F401
    compiled_ours,  # noqa: F401
    eager,  # noqa: F401
    import_time,
    plot,
    reliability,
    steps,
    tables,
    task_quality,
)
from benches.contestants import SUITES  # noqa: E402
from benches.problems import CELLS, Problem  # noqa: E402
from benches.stopwatch import say, work  # noqa: E402

SIZES = {
    "eager": "100x1x32,100x16x64,100x32x128,100x64x256",
    "compiled": "100x1x64,100x16x64,100x32x128,100x64x256,100x64x512,1000x16x128",
}
CELL_SETS = {"eager": "lstm,gru,rnn", "compiled": ",".join(CELLS)}
THREAD_VARIABLES = (
    "OMP_NUM_THREADS MKL_NUM_THREADS OPENBLAS_NUM_THREADS NUMEXPR_NUM_THREADS "
    "VECLIB_MAXIMUM_THREADS TINYGRAD_RNN_THREADS THREADS"
).split()

JAX = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # else it takes most of a GPU's memory at once
TF32 = {
    True: {"CUPY_TF32": "1", "JAX_DEFAULT_MATMUL_PRECISION": "tensorfloat32"},
    False: {"CUPY_TF32": "0", "JAX_DEFAULT_MATMUL_PRECISION": "float32"},
}


def arguments() -> argparse.Namespace:
    """Returns the command line, with the suite's own defaults filled in."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--suite", choices=[*SUITES, "steps", "import", "reliability", "tasks"], default="eager"
    )
    parser.add_argument("--json", metavar="FILE", help="write all rows with machine and versions")
    parser.add_argument("--plot", metavar="FILE", help="draw the minima (needs matplotlib)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--tf32", action="store_true", help="cuda: f32 products in 10 binary places"
    )
    parser.add_argument("--threads", default="1,2", help="thread counts, e.g. 1,2")
    parser.add_argument("--sizes", help="TxBxH or TxBxIxH, comma separated")
    parser.add_argument("--cells", help="of " + " ".join(CELLS) + "; steps: parts of models' names")
    parser.add_argument("--contestants", help="names, comma separated; default all but the slow")
    parser.add_argument("--repeats", type=int, default=10, help="turns per contestant")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds per contestant, size")
    parser.add_argument("--no-memory", action="store_true", help="skip the peak-memory runs")
    parser.add_argument("--full", action="store_true", help="reliability: the full load")
    parser.add_argument("--tasks", help="tasks: names, comma separated; default all")
    parser.add_argument("--seeds", type=int, default=5, help="tasks: trainings of each")
    parser.add_argument("--steps", type=int, help="tasks: of training, instead of their own")
    parser.add_argument("--data", help="tasks: a file instead of what is built in")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Runs the suite asked for and prints its table."""
    options = arguments()
    if options.job:
        work(json.loads(options.job))
    elif options.suite == "import":
        tables.finish(import_time.run(options.repeats), options)
    elif options.suite == "steps":
        print(tables.heading(tables.machine(options.device)))
        tables.save(steps.race(options, in_process), options)
    elif options.suite == "reliability":
        tables.finish(reliability.run(options), options)
    elif options.suite == "tasks":
        tables.finish(task_quality.run(options), options)
    else:
        rows = race(options)
        tables.finish(rows, options)
        if options.plot:
            plot.save_plot(rows, next(iter(SUITES[options.suite])), Path(options.plot))


def race(options: argparse.Namespace) -> list[dict]:
    """Returns the rows of all problems, thread counts and contestants, memory joined to times."""
    problems = parse_problems(options)
    names = parse_contestants(options)
    job = {
        "suite": options.suite,
        "device": options.device,
        "tf32": options.tf32,
        "repeats": options.repeats,
        "budget": options.budget,
    }
    rows: list[dict] = []
    for threads in map(int, options.threads.split(",")):
        say(f"{options.suite}, {threads} thread(s)")
        timed = in_process(job | {"measure": "time", "contestants": names}, problems, threads)
        tables.save(rows + timed, options)  # what is measured stays, whatever happens next
        if not options.no_memory and not rows:  # it does not depend on the threads
            for row in timed:
                add_memory(row, job, threads)
        rows += timed
    return rows


def add_memory(row: dict, job: dict, threads: int) -> None:
    """Adds `peak_mb` to a row that was timed."""
    if "min_ms" not in row:
        return
    problem = Problem(**{k: row[k] for k in ("cell", "T", "B", "I", "H", "dtype")})
    job = job | {"measure": "memory", "contestants": [row["contestant"]]}
    found = in_process(job, [problem], threads)
    row["peak_mb"] = found[0]["peak_mb"] if found else None
    say(f"  {problem}: {row['contestant']} {row['min_ms']:.2f} ms, peak {row['peak_mb']} MB")


def parse_contestants(options: argparse.Namespace) -> list[str]:
    """Returns the names asked for, or all but those that take minutes to start."""
    known = SUITES[options.suite]
    if not options.contestants:
        return [name for name, entry in known.items() if not entry.slow]
    names = options.contestants.split(",")
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"unknown contestant {unknown[0]!r}: choose from {', '.join(known)}")
    return names


def parse_problems(options: argparse.Namespace) -> list[Problem]:
    """Returns every cell at every size."""
    problems = []
    for cell in (options.cells or CELL_SETS[options.suite]).split(","):
        if cell not in CELLS:
            sys.exit(f"unknown cell {cell!r}: choose from {', '.join(CELLS)}")
        for size in (options.sizes or SIZES[options.suite]).split(","):
            T, B, *IH = map(int, size.split("x"))
            problems.append(Problem(cell, T, B, IH[0], IH[-1]))
    return problems


def in_process(job: dict, problems: list[Problem], threads: int) -> list[dict]:
    """Returns the rows of a job run in a process of its own; a crash keeps what was finished."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows"
        file.touch()
        job = job | {"threads": threads, "problems": [asdict(p) for p in problems]}
        job["file"] = str(file)
        environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
        environment |= JAX | TF32[job["tf32"]]
        command = [sys.executable, __file__, "--job", json.dumps(job)]
        code = subprocess.run(command, env=environment).returncode
        if code:
            say(f"  a {job['measure']} process ended with status {code}: {job['contestants']}")
        return [json.loads(line) for line in file.read_text().splitlines()]


if __name__ == "__main__":
    if "--job" in sys.argv:  # a contestant's process, which loads nothing of ours unasked
        try:
            main()
        except KeyboardInterrupt:  # the one that started it says so
            sys.exit(130)
        sys.exit()
    from tinygrad_rnn.engine.command_line import run_command

    sys.exit(run_command(main, "bench"))
