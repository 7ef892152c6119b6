"""What is nobody's bug gets one line and an exit code: Ctrl-C, a reader that left, a full disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from tinygrad_rnn.draw import DrawError
from tinygrad_rnn.draw.capture import sources
from tinygrad_rnn.draw.capture.models import Sizes
from tinygrad_rnn.draw.cli import main

ROOT = Path(__file__).parents[2]
DRAW = ["-m", "tinygrad_rnn.draw", "--cell", "rnn", "--steps", "2"]
COMMANDS = {
    "table": DRAW,
    "picture": [*DRAW, "-o", "-"],
    "operations": [*DRAW, "--list-ops"],
    "check": [*DRAW, "--check"],
    "help": ["-m", "tinygrad_rnn.draw", "--help"],
    "demo": ["tools/demo.py", "--iterations", "1", "--out", "OUT"],
}
posix = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")


def started(kind: str, tmp_path: Path, **options: Any) -> subprocess.Popen:
    words = [str(tmp_path) if word == "OUT" else word for word in COMMANDS[kind]]
    command = [sys.executable, "-W", "error", *words]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, env=env, cwd=ROOT, stderr=subprocess.PIPE, text=True, **options
    )


@posix
@pytest.mark.parametrize("kind", COMMANDS)
def test_a_full_stdout(kind: str, tmp_path: Path) -> None:
    with open("/dev/full", "w") as full, started(kind, tmp_path, stdout=full) as process:
        _, said = process.communicate(timeout=60)
    if kind == "help" and process.returncode == 0:
        return  # argparse of some versions keeps silent about it
    assert process.returncode == 1 and said.count("\n") == 1
    assert said.startswith(("draw_graph: ", "demo: ")) and "No space left" in said


@posix
@pytest.mark.parametrize("kind", COMMANDS)
def test_a_reader_that_left(kind: str, tmp_path: Path) -> None:
    read, write = os.pipe()
    with started(kind, tmp_path, stdout=write) as process:
        os.close(read)
        os.close(write)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")


@posix
@pytest.mark.parametrize("kind", ["table", "picture", "help"])
def test_no_stdout_and_no_stderr_at_all(kind: str, tmp_path: Path) -> None:
    words = " ".join([sys.executable, *COMMANDS[kind]])
    done = subprocess.run(["sh", "-c", f"{words} >&- 2>&-"], cwd=ROOT, timeout=60)
    assert done.returncode == (0 if kind == "help" else 2)


SLEEPS = """
    import time
    from tinygrad_rnn import tensor
    def f():
        print("ready", flush=True)
        time.sleep(60)
"""


@posix
def test_an_interrupt(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text(textwrap.dedent(SLEEPS))
    command = [sys.executable, "-m", "tinygrad_rnn.draw", f"{tmp_path}/f.py:f"]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    def heard() -> None:  # a test run in the background ignores it, and so would its child
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(command, cwd=ROOT, preexec_fn=heard, **pipes) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "draw_graph: interrupted\n")


@pytest.mark.parametrize("ending", ["sys.exit(3)", "exit()", "raise SystemExit('enough')"])
@pytest.mark.parametrize("where", ["in the function", "while it is loaded"])
def test_code_that_exits(
    ending: str, where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is an error like others: what came before is drawn, and the code is that of an error."""
    inside, outside = (ending, "") if where == "in the function" else ("pass", ending)
    (tmp_path / "f.py").write_text(
        "import sys\nfrom tinygrad_rnn import tensor\ndef f():\n"
        f"    y = tensor([1.0], requires_grad=True).tanh()\n    {inside}\n    return y\n{outside}\n"
    )
    code = main([f"{tmp_path}/f.py:f", "-o", str(tmp_path / "f.svg")])
    said = capsys.readouterr().err
    assert code == (5 if where == "in the function" else 2)
    assert said.count("\n") == 1 and "raised SystemExit" in said
    assert (tmp_path / "f.svg").exists() == (where == "in the function")


HUGE = 1_000_000_000


@pytest.mark.parametrize("size", ["hidden", "input", "batch"])
@pytest.mark.parametrize("source", ["cell", "layer", "function"])
def test_sizes_that_no_machine_has_are_refused_before_anything_is_made(
    size: str, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "f.py").write_text(
        "def f(hidden, input, batch):\n    raise AssertionError('it ran')\n"
    )
    of = {"cell": ["--cell", "lstm"], "layer": ["tinygrad_rnn.nn:GRU"]}
    args = of.get(source, [f"{tmp_path}/f.py:f"])
    began = time.perf_counter()
    assert main([*args, f"--{size}", str(HUGE)]) == 4
    said = capsys.readouterr().err
    assert time.perf_counter() - began < 1
    assert said.count("\n") == 1 and f"{HUGE:,}" in said and "GB" in said and "--hidden 4" in said


def test_sizes_of_pictures_are_not_refused() -> None:
    sources.check_sizes(Sizes(steps=20_000, hidden=64))
    sources.check_sizes(Sizes(steps=3, hidden=4096))
    with pytest.raises(DrawError):
        sources.check_sizes(Sizes(steps=3, hidden=40_000))


@posix
@pytest.mark.parametrize("to", ["/dev/full", "/dev/null/x", "/nowhere/x.svg", "."])
def test_a_file_that_cannot_be_written(
    to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(["--cell", "rnn", "--steps", "2", "-o", to, "--format", "svg"])
    said = capsys.readouterr().err
    assert code == 2 and said.count("\n") == 1 and f"cannot write {to}" in said
    assert os.path.exists("/dev/full") and not os.listdir(tmp_path)
