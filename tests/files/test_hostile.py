"""Files made to do harm: each is refused by one exception, and meanwhile nothing runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import hostile_files
import pytest

from tinygrad_rnn import CheckpointError, load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    hostile_files.write(folder)
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    command = [sys.executable, ROOT / "tests" / "hostile_files.py", folder]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_there_are_enough(report):
    assert len(report) >= 250


def test_all_are_refused_by_one_exception(report):
    other = {n: r["ended"] for n, r in report.items() if not r["ended"].startswith("refused: ")}
    assert not other


def test_nothing_runs_meanwhile(report):
    """No import, no exec, no compile, no open, no process: the audit hook saw nothing at all."""
    assert not {name: r["events"] for name, r in report.items() if r["events"]}


def test_each_takes_little_memory_and_time(report):
    large = {n: r for n, r in report.items() if r["grown"] > 2 * r["size"] + (64 << 20)}
    slow = {n: r["seconds"] for n, r in report.items() if r["seconds"] > 0.5}
    assert not large and not slow


def test_the_sentence_says_what_the_file_wanted(report):
    assert "the file calls os.system" in report["pt os system reduce"]["ended"]
    assert "a pickle, which could run code" in report["pickle reduce"]["ended"]
    assert "unpack to" in report["zip bomb"]["ended"]
    assert "an array of objects" in report["npz objects"]["ended"]


def test_harmless_programs_of_the_same_make_load():
    import io

    program = hostile_files.tensor_program(1, (2, 2), (1, 2))
    assert load(io.BytesIO(hostile_files.torch_archive(program))).shape == (2, 2)
    named = b"\x80\x02ccollections\nOrderedDict\n)R."
    assert load(io.BytesIO(hostile_files.torch_archive(named))) == {}
    with pytest.raises(CheckpointError):
        load(io.BytesIO(hostile_files.torch_archive(named.replace(b"Ordered", b"Default"))))
