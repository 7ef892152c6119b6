"""The book's notebooks: their form, their exercises, and (slow) that each runs to its end."""

from __future__ import annotations

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
