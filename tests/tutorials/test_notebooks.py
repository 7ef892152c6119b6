"""The book's notebooks: their form, their exercises, and (slow) that each runs to its end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tinygrad_rnn.exercises import exercises

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "tutorials").glob("[0-9]*_*.py"))
TEXTS = {p.stem: p.read_text(encoding="utf-8") for p in SOURCES}


@pytest.mark.parametrize("name", TEXTS)
def test_a_notebook_asks_shows_predicts_and_says_what_it_does_not_show(name):
    text = TEXTS[name]
    assert re.search(rf"# # {name[:2]} · ", text) and text.count("**") >= 2
    for part in ("draw(", "## Predict, then run", "## Exercises", "## A task", "does not show"):
        assert part in text, part
    assert text.count("### BEGIN SOLUTION") == text.count("### END SOLUTION") == 1


@pytest.mark.parametrize("name", TEXTS)
def test_a_notebook_has_all_exercises_of_its_number(name):
    wanted = [number for number in exercises() if number.startswith(name[:2])]
    assert all(f'"{number}"' in TEXTS[name] for number in wanted)


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_to_files(name):
    links = re.findall(r"\]\((\.\./[^)#]+)\)", TEXTS[name])
    assert links and all((ROOT / "tutorials" / link).exists() for link in links)


def cells_of_source(text: str) -> list[tuple[str, str]]:
    """Return (kind, text) of each cell of a source in percent format."""
    found = []
    for head, body in re.findall(r"^# %%(.*)\n((?:(?!# %%).*\n?)*)", text, re.MULTILINE):
        marked = "[markdown]" in head
        body = re.sub(r"^# ?", "", body, flags=re.MULTILINE) if marked else body
        found.append(("markdown" if marked else "code", body.strip("\n")))
    return found


def made(name: str) -> list[dict]:
    return json.loads((ROOT / "tutorials" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]


@pytest.mark.parametrize("name", TEXTS)
def test_the_executed_notebook_is_that_of_its_source(name):
    cells = [(cell["cell_type"], "".join(cell["source"]).strip("\n")) for cell in made(name)]
    assert cells[:-1] == cells_of_source(TEXTS[name]), f"run: make tutorials ARGS={name[:2]}"
    assert cells[-1][0] == "markdown" and f"path={name}.ipynb" in cells[-1][1]


@pytest.mark.parametrize("name", TEXTS)
def test_the_executed_notebook_ran_to_its_end_without_warnings(name):
    code = [cell for cell in made(name) if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert any("image/svg+xml" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("name", TEXTS)
def test_the_executed_notebook_tells_nothing_of_the_machine(name):
    text = (ROOT / "tutorials" / f"{name}.ipynb").read_text(encoding="utf-8")
    assert not re.search(
        r"(?<![\w.])/(home|root|tmp|work|usr|Users)/|ipykernel_\d|0x[0-9a-f]{8}", text
    )
    assert len(text) < 500_000


@pytest.mark.slow
@pytest.mark.notebook
@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_a_notebook_runs_to_its_end_in_a_minute_without_warnings(path):
    pytest.importorskip("matplotlib", reason="needs matplotlib, of the extra train")
    env = os.environ | {"MPLBACKEND": "agg", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    began = time.process_time(), time.perf_counter()
    command = [sys.executable, "-W", "error", "-W", "ignore::UserWarning:matplotlib", str(path)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    assert time.perf_counter() - began[1] < 240
