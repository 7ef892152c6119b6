"""A disk that fails at every single operation: the path holds the old file or the new one, whole."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from tinygrad_rnn import load, save
from tinygrad_rnn.files import atomic_write as module
from tinygrad_rnn.files.atomic_write import replaced_file

OLD, NEW = {"w": np.zeros(300), "step": 1}, {"w": np.ones(5000), "step": 2}
ROOT = Path(__file__).parents[2]


class PowerCut(BaseException):
    """From here on nothing this process does reaches the disk."""


class FailingDisk:
    """Count what the writer does; at operation `fails_at` a write goes half through, then fails."""

    def __init__(self, monkeypatch, fails_at, error):
        self.count, self.fails_at, self.error, self.dead = 0, fails_at, error, False
        self.fdopen = os.fdopen
        for name in ("open", "fsync", "replace", "unlink", "fchmod"):
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
    return [p for p in folder.iterdir() if p.name.endswith(".saving")]


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
                break
            except type(error) as raised:
                assert raised is error or disk.dead
        seen.add(step_of(path))
        assert len(temporaries(folder)) <= (1 if disk.dead else 0)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        save(NEW, path)  # and all is well again
        assert step_of(path) == 2 and not temporaries(folder)
    assert fails_at >= 10 and step_of(path) == 2
    assert seen == {1, 2}  # at the last operation, the folder's fsync, the new file is there


def test_a_first_file_that_fails_leaves_nothing(tmp_path, monkeypatch):
    FailingDisk(monkeypatch, 4, ERRORS["ENOSPC"])
    with pytest.raises(OSError, match="No space left"):
        save(NEW, tmp_path / "model")
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())


def test_the_mode_of_a_new_file_follows_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        save(1, tmp_path / "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


def test_links_are_followed(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real" / "model")
    save(1, link)
    save(2, link)
    assert link.is_symlink() and load(tmp_path / "real" / "model") == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "real"]


def test_a_device_is_written_to_and_stays(tmp_path):
    before = os.stat("/dev/null").st_mode
    with replaced_file("/dev/null") as file:
        file.write(b"x")
    assert os.stat("/dev/null").st_mode == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_protected_file_is_not_replaced(tmp_path):
    path = tmp_path / "x"
    save(1, path)
    path.chmod(0o444)
    with pytest.raises(PermissionError):
        save(2, path)
    assert load(path) == 1


@pytest.mark.parametrize("name", ["a*b[c]?", "x.saving", "é 𝔸", ".hidden", "-n"])
def test_names_of_any_kind(name, tmp_path):
    for k in range(2):
        save(k, tmp_path / name)
        assert load(tmp_path / name) == k
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_only_what_nobody_writes_any_more_is_removed(tmp_path):
    path = tmp_path / "x"
    stale, others = tmp_path / ".x.0badcafe.saving", tmp_path / ".xy.0badcafe.saving"
    stale.touch()
    others.touch()
    with replaced_file(path) as slow:
        (written_by_slow,) = [p for p in temporaries(tmp_path) if p != others]
        assert written_by_slow != stale  # that one is gone
        save("meanwhile", path)
        assert load(path) == "meanwhile" and written_by_slow.exists()
        slow.write(b"late")
    assert path.read_bytes() == b"late" and temporaries(tmp_path) == [others]


def test_threads_that_save_to_one_path_leave_one_whole_file(tmp_path):
    def work(k):
        for _ in range(10):
            save({"k": k, "w": np.full(2000, k)}, tmp_path / "x")

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    value = load(tmp_path / "x")
    assert (value["w"] == value["k"]).all() and not temporaries(tmp_path)


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}]
from test_atomic_write import NEW, OLD, save, step_of, temporaries
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
    assert done.stdout.strip() == "[1, 2]"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_killed_at_random_times(tmp_path):
    killed(tmp_path, 30)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_killed_at_200_random_times(tmp_path):
    killed(tmp_path, 200)


# --------------------------------------------------------- the real system calls, by strace

CALLS = ["write", "pwrite64", "fsync", "rename", "renameat", "renameat2", "fchmod"]
SAVE = "import sys; sys.path[:0] = [{tests!r}]\nfrom test_atomic_write import NEW, save\nsave(NEW, {path!r})\n"


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
            for way in ("error=ENOSPC", "error=EIO", "signal=KILL"):
                save(OLD, path)
                path.chmod(0o600)
                done = traced(path, log, "-e", f"inject={name}:{way}:when={when}")
                assert done.returncode != 0
                assert way.startswith("signal") or way.removeprefix("error=") in _errors(done)
                assert step_of(path) in (1, 2)
                assert len(temporaries(tmp_path)) <= (1 if "KILL" in way else 0)
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
    save(NEW, path)
    assert not temporaries(tmp_path)


def _errors(done):
    return {"No space left": "ENOSPC", "Input/output": "EIO"}.get(
        next((w for w in ("No space left", "Input/output") if w in done.stderr), ""), done.stderr
    )
