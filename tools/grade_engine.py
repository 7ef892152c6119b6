"""Grades an engine that somebody wrote: each fault with its smallest example, drawn.

    python tools/grade_engine.py my_engine.py                  the report
    python tools/grade_engine.py my_engine.py --html page.html the same with pictures, as one page

`my_engine.py` has a class `Value` (data, grad, backward(), operators), or is an adapter of ten
lines: see tutorials/engine/README.md. Its status is 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
sys.path[:0] = [str(TOOLS), str(TOOLS.parent)]

from engine_kit.adapters import load  # noqa: E402
from engine_kit.grading import RANDOM, grade  # noqa: E402

from tinygrad_rnn.engine.atomic_write import atomic_write  # noqa: E402
from tinygrad_rnn.engine.command_line import run_command  # noqa: E402


def main() -> int:
    """Grade the engine that was named; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("engine", type=Path, help="the engine, or its adapter")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with pictures")
    parser.add_argument("--random", type=int, default=RANDOM, help="how many random programs")
    given = parser.parse_args()
    report = grade(load(given.engine), given.random)
    print(report.text)
    if given.html is not None:
        atomic_write(given.html, report.html.encode())
        print(f"written: {given.html}")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(run_command(main, "grade_engine"))
