"""A disk that fails at every single operation: the file is the old one or the new one, whole."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygrad_rnn import load, save
from tinygrad_rnn.engine import atomic_write as module

OLD, NEW = {"w": np.zeros(300), "step": 1}, {"w": np.ones(5000), "step": 2}
ROOT = Path(__file__).parents[2]


class PowerCut(BaseException):
    """From here on nothing this process does reaches the disk."""


class FailingDisk:
    """Count what the writer does; at operation `fails_at` a write goes half through, then fails."""

    def __init__(self, monkeypatch, fails_at, error):
        self.count, self.fails_at, self.error, self.dead = 0, fails_at, error, False
        self.fdopen = os.fdopen
        for name in ("open", "fsync", "replace", "unlink", "chmod"):
            monkeypatch.setattr(module.os, name, self.watched(getattr(os, name)))
        monkeypatch.setattr(module.os, "fdopen", lambda handle, mode: Wrapped(self, handle))

    def watched(self, function):
        def called(*args, **options):
            self.step()
            return function(*args, **options)

        return called

    def step(self):
        self.count += 1
        if self.dead:
            raise PowerCut
        if self.count == self.fails_at:
            self.dead = isinstance(self.error, PowerCut)
            raise self.error


class Wrapped:
    """A binary file whose writes go through a FailingDisk, unbuffered."""

    def __init__(self, disk, handle):
        self.disk, self.file = disk, disk.fdopen(handle, "wb", buffering=0)

    def write(self, data):
        try:
            self.disk.step()
        except BaseException:
            self.file.write(memoryview(data)[: len(data) // 2])
            raise
        return self.file.write(data)

    def writelines(self, pieces):
        for piece in pieces:
            self.write(piece)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()


def step_of(path):
    """Which of the two values a file holds; whatever else it holds is an error."""
    value = load(path)
    expected = {1: OLD, 2: NEW}[value["step"]]
    assert np.array_equal(value["w"], expected["w"])
    return value["step"]


def temporaries(folder):
    return [p for p in folder.iterdir() if p.name.endswith(".tmp")]


ERRORS = {
    "ENOSPC": OSError(errno.ENOSPC, "No space left on device"),
    "EIO": OSError(errno.EIO, "Input/output error"),
    "interrupt": KeyboardInterrupt(),
    "power cut": PowerCut(),
}


@pytest.mark.parametrize("name", ERRORS)
def test_whatever_fails_the_file_is_the_old_or_the_new_one(name, tmp_path, monkeypatch):
    error, fails_at, seen = ERRORS[name], 0, set()
    while True:
        fails_at += 1
        folder = tmp_path / str(fails_at)
        folder.mkdir()
        path = folder / "model"
        save(OLD, path)
        path.chmod(0o640)
        with monkeypatch.context() as patch:
            disk = FailingDisk(patch, fails_at, error)
            try:
                save(NEW, path)
            except type(error) as raised:
                assert raised is error or disk.dead
        if disk.count < fails_at:
            break  # it did all it does, and nothing failed
        seen.add(step_of(path))
        assert len(temporaries(folder)) <= (1 if disk.dead else 0)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        save(NEW, path)  # and all is well again
        assert step_of(path) == 2 and not temporaries(folder)
    assert fails_at >= 8 and step_of(path) == 2 and seen == {1, 2}


def test_a_first_file_that_fails_leaves_nothing(tmp_path, monkeypatch):
    FailingDisk(monkeypatch, 4, ERRORS["ENOSPC"])
    with pytest.raises(OSError, match="No space left"):
        save(NEW, tmp_path / "model")
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}]
from test_crash import NEW, OLD, save, step_of, temporaries
folder, draw, seen = Path({folder!r}), random.Random(0), set()
path = folder / "model"
save(OLD, path)
for _ in range({times}):
    child = os.fork()
    if not child:
        while True:
            save(NEW, path)
            save(OLD, path)
    time.sleep(draw.uniform(0.001, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    seen.add(step_of(path))
    assert len(temporaries(folder)) <= 1, temporaries(folder)
save(NEW, path)
assert not temporaries(folder)
print(sorted(seen))
"""


def killed(folder, times):
    code = KILLED.format(tests=str(Path(__file__).parent), folder=str(folder), times=times)
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                          text=True, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("[1]", "[2]", "[1, 2]")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_killed_at_random_times(tmp_path):
    killed(tmp_path, 15)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_killed_at_200_random_times(tmp_path):
    killed(tmp_path, 200)


# --------------------------------------------------------- the real system calls, by strace

CALLS = "write pwrite64 fsync rename renameat renameat2 chmod fchmod fchmodat".split()
SAID = {"error=ENOSPC": "No space left", "error=EIO": "Input/output error", "signal=KILL": ""}
SAVE = """
import sys; sys.path[:0] = [{tests!r}]
from test_crash import NEW, save
save(NEW, {path!r})
"""


def traced(path, log, *options):
    """Run a save under strace and return how it ended."""
    code = SAVE.format(tests=str(Path(__file__).parent), path=str(path))
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    command = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={','.join(CALLS)}", *options]
    return subprocess.run([*command, sys.executable, "-B", "-c", code], env=environment,
                          capture_output=True, text=True, timeout=100)  # fmt: skip


@pytest.fixture
def strace(tmp_path):
    """Skip unless strace is there and allowed."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    if subprocess.run(["strace", "-qq", "-o", tmp_path / "log", "true"]).returncode:
        pytest.skip("strace may not trace here")


@pytest.mark.slow
def test_every_system_call_of_a_save_fails_once(strace, tmp_path):
    path, log = tmp_path / "model", tmp_path / "log"
    save(OLD, path)
    assert traced(path, log).returncode == 0
    lines = [line.split(maxsplit=1)[1] for line in log.read_text().splitlines()]
    made = [(name, sum(line.startswith(f"{name}(") for line in lines)) for name in CALLS]
    assert sum(count for _, count in made) >= 6
    for name, count in made:
        for when in range(1, count + 1):
            for way in SAID:
                save(OLD, path)
                path.chmod(0o600)
                done = traced(path, log, "-e", f"inject={name}:{way}:when={when}")
                assert step_of(path) in (1, 2)
                assert done.returncode != 0 and SAID[way] in done.stderr
                assert len(temporaries(tmp_path)) <= (1 if "KILL" in way else 0)
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
    save(NEW, path)
    assert not temporaries(tmp_path)
