"""The one writer: whole or not at all, with modes, links and devices left as they are."""

from __future__ import annotations

import ast
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinygrad_rnn.engine import atomic_write as module
from tinygrad_rnn.engine.atomic_write import atomic_write

ROOT = Path(module.__file__).parents[2]
posix = pytest.mark.skipif(os.name != "posix", reason="modes, links and FIFOs are POSIX's")
root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may make devices"
)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_bytes_and_pieces(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a", b"one")
    assert (tmp_path / "a").read_bytes() == b"one"
    atomic_write(str(tmp_path / "a"), [b"two", memoryview(b" three"), bytearray(b"\r\n")])
    assert (tmp_path / "a").read_bytes() == b"two three\r\n"
    assert os.listdir(tmp_path) == ["a"]


@posix
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path, umask: None) -> None:
    atomic_write(tmp_path / "new", b"")
    assert mode(tmp_path / "new") == 0o640


@posix
@pytest.mark.parametrize("before", [0o600, 0o640, 0o644, 0o755, 0o666])
def test_a_replaced_file_keeps_its_mode(tmp_path: Path, umask: None, before: int) -> None:
    file = tmp_path / "old"
    file.write_bytes(b"old")
    file.chmod(before)
    atomic_write(file, b"new")
    assert (mode(file), file.read_bytes()) == (before, b"new")


@root_only
def test_a_replaced_file_keeps_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "old"
    file.write_bytes(b"old")
    os.chown(file, 4711, 4712)
    atomic_write(file, b"new")
    assert (file.stat().st_uid, file.stat().st_gid) == (4711, 4712)


@posix
@pytest.mark.parametrize("exists", [True, False])
def test_links_stay_and_their_target_is_written(tmp_path: Path, exists: bool) -> None:
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    if exists:
        target.write_bytes(b"old")
    (tmp_path / "middle").symlink_to("folder/target")
    link.symlink_to("middle")
    atomic_write(link, b"new")
    assert link.is_symlink() and (tmp_path / "middle").is_symlink()
    assert target.read_bytes() == b"new"


@posix
def test_links_in_a_circle_and_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        atomic_write(tmp_path / "a", b"")
    with pytest.raises(IsADirectoryError):
        atomic_write(tmp_path, b"")
    with pytest.raises(FileNotFoundError, match=r"missing/file'$"):
        atomic_write(tmp_path / "missing" / "file", b"")


@root_only
def test_devices_are_written_not_replaced(tmp_path: Path) -> None:
    null = tmp_path / "null"
    try:
        os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except OSError:
        pytest.skip("this machine lets nobody make devices")
    atomic_write(null, b"gone")
    assert stat.S_ISCHR(null.stat().st_mode) and os.listdir(tmp_path) == ["null"]


@posix
def test_a_full_device_says_so(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    with pytest.raises(OSError, match="No space left"):
        atomic_write("/dev/full", b"x" * 100)


@posix
def test_a_fifo_is_written_through(tmp_path: Path) -> None:
    fifo, read = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    atomic_write(fifo, [b"through", b" it"])
    reader.join(10)
    assert read == [b"through it"] and stat.S_ISFIFO(fifo.stat().st_mode)


PRINTS = """
import sys
from tinygrad_rnn.engine.atomic_write import atomic_write
out = getattr(sys, sys.argv[1])
print("before", file=out)
atomic_write(f"/dev/{sys.argv[1]}", b"written ")
print("after", file=out)
"""


@posix
@pytest.mark.parametrize("name", ["stdout", "stderr"])
@pytest.mark.parametrize("to", ["pipe", "file"])
def test_a_standard_stream_by_its_name(tmp_path: Path, to: str, name: str) -> None:
    """Also appended to a file: what is in it, and what is printed around, stays."""
    log = tmp_path / "log"
    log.write_bytes(b"log\n")
    with open(log, "ab") as file:
        out = subprocess.PIPE if to == "pipe" else file
        command, streams = [sys.executable, "-c", PRINTS, name], {name: out}
        done = subprocess.run(command, cwd=ROOT, check=True, **streams)  # type: ignore[call-overload]
    got = getattr(done, name) if to == "pipe" else log.read_bytes().removeprefix(b"log\n")
    assert got == b"before\nwritten after\n"


@pytest.mark.parametrize("fails", ["pieces", "fsync", "chmod", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_whatever_fails_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, error: BaseException
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise error

    def pieces() -> Iterator[bytes]:
        yield b"x" * 100_000
        if fails == "pieces":
            fail()

    if fails != "pieces":
        monkeypatch.setattr(module.os, fails, fail)
    with pytest.raises(type(error)):
        atomic_write(file, pieces())
    assert file.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


@posix
def test_a_read_only_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    monkeypatch.setattr(module.os, "access", lambda *_: False)  # of root everything is writable
    with pytest.raises(PermissionError):
        atomic_write(file, b"new")
    assert file.read_bytes() == b"old"


KILLED = """
import os, signal, sys
from tinygrad_rnn.engine.atomic_write import atomic_write
def pieces():
    yield b"x" * 100_000
    os.kill(os.getpid(), signal.SIGKILL)
atomic_write(sys.argv[1], pieces())
"""


@posix
def test_the_next_save_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    other = tmp_path / ".file.backup.tmp"  # not one of ours
    other.write_bytes(b"")
    done = subprocess.run([sys.executable, "-c", KILLED, str(file)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert file.read_bytes() == b"old" and len(os.listdir(tmp_path)) == 3
    atomic_write(file, b"new")
    assert file.read_bytes() == b"new" and len(os.listdir(tmp_path)) == 2


def test_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    """None takes another's temporary file for one that a killed writer left."""
    file, failed = tmp_path / "file", []

    def write(letter: bytes) -> None:
        for _ in range(20):
            try:
                atomic_write(file, [letter * 1000] * 5)
            except OSError as error:
                failed.append(error)

    threads = [threading.Thread(target=write, args=(bytes([65 + k]),)) for k in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    found = file.read_bytes()
    assert not failed and len(found) == 5000 and len(set(found)) == 1
    assert os.listdir(tmp_path) == ["file"]


WRITES = ("write_text", "write_bytes", "savefig", "savez", "savez_compressed", "mkstemp")
ALLOWED = {
    "tinygrad_rnn/engine/atomic_write.py": "it is the writer",
    "tinygrad_rnn/compile/runtime/c_build.py": "the compiler writes, under a lock of its own",
    "tools/benches/stopwatch.py": "rows are added as they come, by a process that may be ended",
    "tools/cheat_sheet.py": "the browser reads it from a folder that goes",
    "tinygrad_rnn/tasks/voice.py": "the sound goes into memory first",
    "tools/make_site.py": "builds a folder anew",
    "tools/website/lite.py": "the same",
    "tools/website/staging.py": "the same",
    "tools/benches/plot.py": "the picture goes into memory first",
    "tinygrad_rnn/training/curves.py": "the same",
    "tools/covering.py": "writes down what a run of the tests did, for tools/mutants.py",
    "tools/mutants.py": "puts mutants into a copy of the tree",
    "tools/golden/record.py": "records with other libraries' interpreters, without this package",
    "tools/golden/cupy_names.py": "the same",
    "tools/golden/older.py": "runs with the version before, which has no such writer",
}


def test_nothing_in_the_project_writes_files_by_itself() -> None:
    found = {}
    for path in [*ROOT.glob("tinygrad_rnn/**/*.py"), *ROOT.glob("tools/**/*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and writes(node)]
        if calls:
            found[path.relative_to(ROOT).as_posix()] = list(map(ast.unparse, calls))
    assert {name: calls for name, calls in found.items() if name not in ALLOWED} == {}


@pytest.mark.parametrize(
    "text", ["open(p, 'wb')", "p.open(mode='x')", "os.replace(a, b)", "p.write_text(t)"]
)
def test_that_test_would_see_it(text: str) -> None:
    assert writes(ast.parse(text, mode="eval").body)  # type: ignore[arg-type]
    assert not writes(ast.parse("open(p).read(a.replace(b, c))", mode="eval").body)  # type: ignore[arg-type]


def writes(call: ast.Call) -> bool:
    """True for a call that writes a file: by its name, or `open` by its mode."""
    name = ast.unparse(call.func).rpartition(".")[2]
    words = [*call.args, *(word.value for word in call.keywords)]
    modes = [word.value for word in words if isinstance(word, ast.Constant)]
    if name == "open":
        return any(str(mode)[:1] in "wxa" for mode in modes if isinstance(mode, str) and mode)
    return name in WRITES or ast.unparse(call.func) == "os.replace"
