"""Executes the book: every `tutorials/NN_*.py` becomes an `.ipynb` with its results.

    python tools/make_tutorials.py            all, each in a fresh kernel
    python tools/make_tutorials.py 04         those that begin with 04
    python tools/make_tutorials.py --student  without solutions, not executed
    python tools/make_tutorials.py --course DIR  DIR/student, nbgrader, otter, engine

The sources are plain Python in jupytext's percent format; the notebooks are made from them.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

TOOLS = Path(__file__).resolve().parent
sys.path[:0] = [str(TOOLS), str(TOOLS.parent)]

from course_builds import copy_engine_course, for_nbgrader, for_otter  # noqa: E402

from tinygrad_rnn.engine.atomic_write import atomic_write  # noqa: E402
from tinygrad_rnn.engine.command_line import run_command  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tutorials"
LIMIT = 60  # seconds of processor time for one notebook: a busy machine takes none of them
STUCK = 600  # seconds for one cell, on a machine however busy
PICTURES = ("image/svg+xml", "image/png")
IN_THE_BROWSER = """\
**Run this page in a browser**, with nothing installed: `make lite` builds a folder of static files,
and `python -m http.server -d out/site` serves it at
[localhost:8000](http://localhost:8000/lite/notebooks/index.html?path={}.ipynb)."""
SOLUTION = re.compile(r"### BEGIN SOLUTION\n.*?### END SOLUTION\n", re.DOTALL)


def sources(begin: str = "") -> list[Path]:
    """Return the notebooks' sources in the order of the book."""
    return [p for p in sorted(FOLDER.glob("[0-9]*_*.py")) if p.name.startswith(begin)]


def student_text(text: str) -> str:
    """Return a source in which each solution is an empty cell."""
    return SOLUTION.sub("# your answer here, then check(…)\n", text)


def notebook(text: str, stem: str) -> Any:
    """Return a notebook from a source in percent format; its last cell says how to run it."""
    import jupytext
    from nbformat.v4 import new_markdown_cell

    made = jupytext.reads(text, fmt="py:percent")
    made.cells.append(new_markdown_cell(IN_THE_BROWSER.format(stem)))
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number}"  # jupytext draws another one at every run
    return made


def without_traces(made: Any) -> Any:
    """Take from an executed notebook what changes at every run, and pictures stored twice."""
    made.metadata.get("language_info", {}).pop("version", None)
    for cell in made.cells:
        cell.metadata.pop("execution", None)  # times
        for output in cell.get("outputs", []):
            found = output.get("data", {})
            pictures = {kind: found[kind] for kind in PICTURES if kind in found}
            output.update({"data": pictures} if pictures else {})
    return made


def executed(made: Any) -> Any:
    """Run a notebook from a clean kernel in the tutorials' folder; warnings are errors."""
    from nbclient import NotebookClient

    before = os.environ.get("PYTHONPATH")  # a relative one would not hold in that folder
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *([before] if before else [])])
    client = NotebookClient(made, timeout=STUCK, resources={"metadata": {"path": str(FOLDER)}})
    client.extra_arguments = ["--log-level=ERROR"]  # no warning that loopback is not encrypted
    client.execute()
    return without_traces(made)


def spent() -> float:
    """Return the processor time of all kernels that have ended, in seconds."""
    times = os.times()
    return times.children_user + times.children_system


def write_course(folder: Path, begin: str) -> int:
    """Write notebooks for students, for nbgrader and for otter-grader, and the engine's course."""
    import nbformat

    for source in sources(begin):
        text, stem = source.read_text(encoding="utf-8"), source.stem
        builds = {
            f"student/{stem}": notebook(student_text(text), stem),
            f"nbgrader/source/tinygrad_rnn/{stem}": for_nbgrader(notebook(text, stem)),
            f"otter/{stem}": for_otter(notebook(text, stem), stem),
        }
        for path, made in builds.items():
            target = folder / f"{path}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(target, nbformat.writes(made).encode())
    copy_engine_course(FOLDER / "engine", folder / "engine")
    print(f"written: {folder}/student, nbgrader, otter, engine")
    return 0


def main() -> int:
    """Make the notebooks that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("begin", nargs="?", default="", help="of a notebook's name, such as 04")
    parser.add_argument("--student", action="store_true", help="leave out solutions and results")
    parser.add_argument("--course", type=Path, metavar="DIR", help="write what a course needs")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the notebooks")
    given = parser.parse_args()
    import nbformat

    if given.course is not None:
        return write_course(given.course, given.begin)
    given.out.mkdir(parents=True, exist_ok=True)
    whole, slow = time.perf_counter(), []
    for source in sources(given.begin):
        began, text = (time.perf_counter(), spent()), source.read_text(encoding="utf-8")
        print(f"notebook {source.stem} ...", end=" ", flush=True)
        made = notebook(student_text(text) if given.student else text, source.stem)
        made = made if given.student else executed(made)
        atomic_write(given.out / f"{source.stem}.ipynb", nbformat.writes(made).encode())
        busy = spent() - began[1]
        print(f"{time.perf_counter() - began[0]:.1f} s, {busy:.1f} of the processor", flush=True)
        slow += [source.stem] if busy > LIMIT else []
    print(f"{len(sources(given.begin))} notebooks in {time.perf_counter() - whole:.0f} s, "
          f"{spent():.0f} of the processor")  # fmt: skip
    if slow:
        print(f"more than {LIMIT} s of processor time: {', '.join(slow)}", file=sys.stderr)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(run_command(main, "make_tutorials"))
