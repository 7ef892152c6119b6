"""Whatever goes wrong while C is built, the call gives its numbers, in bounded time, and says why.

Each fault is injected by itself: a compiler that hangs, dies, babbles or lies, places that cannot
be used or that others prepared, a library that is not what it should be.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn
from tinygrad_rnn import nn, tensor
from tinygrad_rnn.compile import NotCompiled, compile
from tinygrad_rnn.compile.runtime import c_build, compiler

ROOT = Path(tinygrad_rnn.__file__).parents[1]
SOURCE = "long answer(void) { return ANSWER; }"
pytestmark = [
    pytest.mark.compiler,
    pytest.mark.skipif(os.name != "posix" or not shutil.which("cc"), reason="no C compiler (cc)"),
]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and nothing remembered from other builds."""
    forget()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CC", raising=False)
    yield tmp_path / "cache" / "tinygrad_rnn"
    forget()


def forget() -> None:
    compiler.machine.cache_clear()
    c_build.temporary.cache_clear()
    compiler.HUNG.clear()


def script(folder: Path, text: str, head: str = "#!/bin/sh\n") -> str:
    path = folder / "fake-cc"
    path.write_bytes((head + text).encode("latin-1"))
    path.chmod(0o755)
    return str(path)


def answers(number: int = 42) -> bool:
    return c_build.load(SOURCE, (f"ANSWER={number}",), ["answer"]).answer() == number


VERSION = 'if [ "$1" = --version ]; then echo fake; exit 0; fi\n'
COMPILERS: dict[str, tuple[str, str]] = {
    "hangs when asked for its version": ("sleep 60", r"longer than 0\.5 s"),
    "hangs, with a child": ("sleep 60 & wait", r"longer than 0\.5 s"),
    "hangs while it compiles": (VERSION + "sleep 60", r"longer than 0\.5 s"),
    "reads what is typed": ("cat; exit 3", "failed: status 3"),
    "complains in Latin-1": (VERSION + "echo 'prog.c:1: \xe9rreur' >&2; exit 1", "failed: .*rreur"),
    "complains in control characters": (VERSION + "printf 'a\\033[31mb' >&2; exit 1", r"a \[31mb"),
    "complains at length": (VERSION + "head -c 9999999 /dev/zero >&2; exit 1", "failed: "),
    "says nothing": (VERSION + "exit 1", "failed: status 1"),
    "is killed": (VERSION + "kill -9 $$", "failed: status -9"),
    "leaves no library": (VERSION + "exit 0", "left no library"),
    "leaves rubbish": (
        VERSION + 'for a; do case "$a" in *.so) echo rubbish > "$a";; esac; done',
        "stored or loaded",
    ),
}


@pytest.mark.parametrize("kind", COMPILERS)
def test_a_compiler_that(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    text, reason = COMPILERS[kind]
    monkeypatch.setenv("CC", script(tmp_path, text))
    monkeypatch.setattr(compiler, "ANSWER", 0.5)
    monkeypatch.setattr(compiler, "TIMEOUT", 0.5 if "hangs" in kind else 20)
    runs_in_numpy(reason)
    assert not capfd.readouterr().out


def test_a_compiler_that_hung_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    monkeypatch.setenv("CC", script(tmp_path, f"echo once >> {asked}; sleep 60"))
    monkeypatch.setattr(compiler, "ANSWER", 2)
    for _ in range(3):
        runs_in_numpy("longer than")
    assert asked.read_text() == "once\n"


@pytest.mark.parametrize(
    "cc, reason",
    [("gcc '", "CC is no command"), ("gcc \\", "CC is no command"), ("{exec}", "does not run")],
)
def test_a_cc_that_is_no_command(
    cc: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unclosed quote; a file that may be executed and is no program (exec format error)."""
    made = script(tmp_path, "\x7fELF not", head="")
    monkeypatch.setenv("CC", cc.format(exec=made))
    runs_in_numpy(reason)


def runs_in_numpy(reason: str) -> None:
    layer = nn.LSTM(3, 4, seed=0)
    x = tensor(np.random.default_rng(0).standard_normal((3, 2, 3)).astype(np.float32))
    with pytest.warns(NotCompiled, match=f"(?s)NumPy loops instead of C.*{reason}") as caught:
        y = compile(layer, "c")(x)[0]
    assert "\n" not in str(caught[0].message) and len(str(caught[0].message)) < 600
    assert np.allclose(y.detach().numpy(), layer(x)[0].detach().numpy(), atol=1e-6)


def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "mkdtemp", none)


def test_no_place_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    nowhere(monkeypatch)
    runs_in_numpy("No usable temporary directory")


@pytest.mark.parametrize("home", ["relative", "./relative", "", "~"])
def test_a_relative_cache_is_ignored(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", home)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert answers() and os.listdir(tmp_path) == ["home"]
    assert list((tmp_path / "home" / ".cache" / "tinygrad_rnn").glob("*.so"))


def test_nobody_has_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what it does then
    assert answers() and not os.listdir(tmp_path)


def test_the_cache_is_ours_alone(place: Path) -> None:
    assert answers() and place.stat().st_mode & 0o777 == 0o700
    place.chmod(0o777)
    assert answers(43) and place.stat().st_mode & 0o777 == 0o700


def strangers_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.mkdir(parents=True)
    monkeypatch.setattr(c_build.os, "geteuid", lambda: place.stat().st_uid + 1, raising=False)


def linked_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.parent.mkdir()
    (place.parent / "elsewhere").mkdir()
    place.symlink_to("elsewhere")


@pytest.mark.parametrize("prepared", [strangers_folder, linked_folder])
def test_a_folder_that_is_not_ours_is_not_used(
    prepared: Callable, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(place, monkeypatch)
    if prepared is strangers_folder:  # then no folder is ours
        with pytest.raises(c_build.CannotBuild, match="belongs to another user"):
            answers()
    else:
        assert answers()
    assert not list(place.iterdir())


@pytest.mark.parametrize("suffix", [".lock", ".so", ".sha"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "fifo", "folder"])
def test_what_others_put_into_the_cache_is_not_followed(
    suffix: str, kind: str, place: Path, tmp_path: Path
) -> None:
    """A link's target stays as it is, a FIFO blocks nobody, and the call has its library."""
    assert answers()
    (path,) = place.glob("*" + suffix)
    path.unlink()
    victim = tmp_path / "victim"
    if kind != "dangling link":
        victim.write_text("precious")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(victim)
    forget()
    done = within(20, answers)
    assert done == [True]
    assert not victim.exists() if "dangling" in kind else victim.read_text() == "precious"


def within(seconds: float, function: Callable[[], object]) -> list:
    found: list = []
    thread = threading.Thread(target=lambda: found.append(function()), daemon=True)
    thread.start()
    thread.join(seconds)
    return found


def test_the_lock_has_a_limit(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that stopped in the middle of a build: we build in a folder of our own."""
    import fcntl

    assert answers()
    (path,) = place.glob("*.lock")
    monkeypatch.setattr(c_build, "PATIENCE", 0.2)
    with open(path, "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert within(20, answers) == [True]
        nowhere(monkeypatch)
        c_build.temporary.cache_clear()
        with pytest.raises(c_build.CannotBuild, match="No usable temporary"):
            answers()


@pytest.mark.parametrize("other", ["long question(void) { return 1; }", ""])
def test_a_library_without_its_symbols_is_built_again(other: str, place: Path) -> None:
    """Whole by its hash, and yet another one."""
    assert answers()
    (path,) = place.glob("*.so")
    (place / "other.c").write_text(other)
    path.unlink()  # it is mapped: written over it would crash who uses it
    subprocess.run(["cc", "-shared", "-fPIC", place / "other.c", "-o", path], check=True)
    path.with_suffix(".sha").write_bytes(c_build.digest(path))
    assert answers()


def test_a_symbol_that_the_source_lacks_is_said() -> None:
    with pytest.raises(c_build.CannotBuild, match="the library has no question"):
        c_build.load(SOURCE, ("ANSWER=1",), ["answer", "question"])


def test_what_killed_builds_left_goes(place: Path) -> None:
    assert answers()
    old, new = place / "tmpold", place / "tmpnew"
    for folder in (old, new):
        folder.mkdir()
        (folder / "program.c").write_text("")
    os.utime(old, (1, 1))
    assert answers(43)
    assert not old.exists() and new.exists()


def test_no_zombies_and_no_temporary_folders_stay(place: Path) -> None:
    with pytest.raises(c_build.CannotBuild):
        c_build.load("no C")
    assert not list(place.glob("tmp*"))


CALL = """
import warnings, sys
warnings.simplefilter("error")
import numpy as np
from tinygrad_rnn import nn, scope, tensor
from tinygrad_rnn.compile import compile
layer = nn.LSTM(3, 4, seed=0)
fast = compile(layer, "c")
x = tensor(np.ones((3, 2, 3), np.float32))
assert np.allclose(fast(x)[0].detach().numpy(), layer(x)[0].detach().numpy(), atol=1e-6)
assert "for c" in fast.explain(), fast.explain()
"""


def test_under_the_c_locale(tmp_path: Path) -> None:
    """Where text files are ASCII by default: the kernels' comments are not."""
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", CALL], cwd=ROOT, env=os.environ | plain, check=True)


def test_imported_from_a_zip_file(tmp_path: Path) -> None:
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w") as file:
        for path in (ROOT / "tinygrad_rnn").rglob("*"):
            if "__pycache__" not in path.parts and path.is_file():
                file.write(path, path.relative_to(ROOT))
    env = os.environ | {"PYTHONPATH": str(packed)}
    subprocess.run([sys.executable, "-c", CALL], cwd=tmp_path, env=env, check=True)


@pytest.mark.parametrize("number", ["²", "٣", "0", "-1", "1e3", "99999999999999999999", "4,2"])
def test_a_number_of_threads_that_is_none(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", number)
    assert c_build.processors() >= 0
