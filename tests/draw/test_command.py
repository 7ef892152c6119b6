"""The command: every message, every exit code, and no file that is only half there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tinygrad_rnn.draw import cli
from tinygrad_rnn.draw.graph import Graph
from tinygrad_rnn.draw.layout.architectures import NAMES
from tinygrad_rnn.draw.render import graphviz

ROOT = Path(__file__).parents[2]
USER = """
import numpy as np
import tinygrad_rnn as tg

w = tg.tensor(np.ones((4, 4)), requires_grad=True, name="w")
calls = []

def loss(steps=2):
    h = tg.zeros(1, 4)
    for t in range(1, steps + 1):
        with tg.scope("step", step=t):
            h = (h @ w + 1).tanh()
    return h.sum()

def array():
    return (w * 2).detach().numpy()

def number():
    return 3

def needs(frobs):
    return w

def breaks():
    h = tg.ones(3, 4)
    for t in (1, 2):
        with tg.scope("step", step=t):
            h = tg.tanh(h)
    with tg.scope("step", step=2):
        return h @ tg.ones(5, 4)

def raises():
    with tg.scope("step", step=1):
        y = w * 2
        raise KeyError("no op failed")

value = w * 3
text = "no tensor"
"""


@pytest.fixture
def user(tmp_path):
    (tmp_path / "mine.py").write_text(USER)
    (tmp_path / "wrong.py").write_text("1 / 0")
    return tmp_path


def command(*arguments, capsys=None):
    code = cli.main([str(a) for a in arguments])
    return code, capsys.readouterr().err.removeprefix("draw_graph: ").strip() if capsys else ""


@pytest.mark.parametrize("suffix", ["svg", "dot", "html", "mmd", "tex", "json", "txt"])
def test_each_format_without_graphviz(tmp_path, suffix, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nonexistent")
    file = tmp_path / f"lstm.{suffix}"
    code, said = command("--cell", "lstm", "-o", file, capsys=capsys)
    assert (code, said) == (0, "")
    text = file.read_text()
    assert "Γf" in text or "Gamma$f" in text or "#915;f" in text
    assert [p.name for p in tmp_path.iterdir()] == [file.name]
    if suffix == "svg":
        ET.fromstring(text)
    if suffix == "json":
        assert Graph.from_json(text).to_json() == text


def test_runs_are_byte_identical(tmp_path):
    for suffix in ("svg", "dot", "json"):
        one, two = tmp_path / f"1.{suffix}", tmp_path / f"2.{suffix}"
        for file in (one, two):
            assert command("--cell", "gru", "-o", file)[0] == 0
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_architectures(tmp_path, name):
    for suffix in ("svg", "dot", "txt", "json", "mmd"):
        assert command("--arch", name, "-o", tmp_path / f"a.{suffix}")[0] == 0
    text = (tmp_path / "a.svg").read_text()
    feeds_back = name in ("one-to-many", "encoder-decoder")
    assert ("stroke-dasharray" in text) == feeds_back
    assert ("⟨stop⟩" in text) == feeds_back
    assert ("⟨start⟩" in text) == (name == "encoder-decoder")


@pytest.mark.parametrize("view", ["rolled", "cell", "gate", "op", "flow", "params", "backward"])
def test_views(tmp_path, view):
    file = tmp_path / "x.svg"
    assert command("--cell", "lstm", "--view", view, "-o", file)[0] == 0
    ET.fromstring(file.read_text())


def test_views_of_two_models(tmp_path):
    for view, sign in (("flow", "first/last"), ("diff", "◨ only in")):
        file = tmp_path / f"{view}.svg"
        code = command("--cell", "lstm", "--against", "peephole", "--view", view, "-o", file)[0]
        assert code == 0 and sign in file.read_text()


def test_functions_modules_tensors_and_json(user, capsys):
    for source in ("mine.py:loss", "mine.py:value"):
        assert command(f"{user}/{source}", "-o", user / "x.svg", capsys=capsys) == (0, "")
    assert command("tinygrad_rnn.nn:LSTM", "-o", user / "x.svg", capsys=capsys) == (0, "")
    assert command("tinygrad_rnn.nn:GRUCell", "-o", user / "x.svg", capsys=capsys) == (0, "")
    assert command("--cell", "rnn", "--dump-json", user / "g.json", capsys=capsys) == (0, "")
    command("--cell", "rnn", "-o", user / "direct.svg")
    command(user / "g.json", "-o", user / "loaded.svg")
    assert (user / "direct.svg").read_bytes() == (user / "loaded.svg").read_bytes()


def test_a_function_gets_the_sizes_it_asks_for(user):
    command(f"{user}/mine.py:loss", "--steps", "5", "-o", user / "x.json")
    assert Graph.from_json((user / "x.json").read_text()).steps() == [1, 2, 3, 4, 5]


ARRAY = (
    "'array' is a numpy array, not a Tensor: nothing was recorded. "
    "Return the Tensor itself (did you call .numpy()?)"
)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["mine.py:array"], ARRAY),
        (["mine.py:number"], "'number' is a int, not a Tensor: nothing was recorded."),
        (["mine.py:text"], "'text' is a str, not a Tensor"),
        (["mine.py:los"], "has no 'los'. Did you mean 'loss'?"),
        (["mine.py:needs"], "'needs' needs an argument 'frobs'; a drawn function may ask for"),
        (["wrong.py:x"], "raised ZeroDivisionError while it was loaded"),
        (["none.py:x"], "no such file"),
        (["none.json"], "cannot read"),
        (["mine.py"], "is no source"),
        (["no_such_module:x"], "no module named 'no_such_module'"),
        (["--cell", "lstn"], "unknown cell 'lstn'. Did you mean 'lstm'?"),
        (["--arch", "one-to-non"], "unknown architecture 'one-to-non'. Did you mean"),
        ([], "give one source"),
        (["--cell", "lstm", "mine.py:loss"], "give one source"),
        (["--cell", "lstm", "--steps", "0"], "--steps must be at least 1"),
        (["--cell", "lstm", "--steps", "99999999"], "--steps must be at most 20,000"),
        (["--cell", "lstm", "--steps", "x"], "invalid int value"),
        (["--cell", "lstm", "--elide", "a"], "--elide wants FIRST,LAST or none"),
        (["--cell", "lstm", "--elide", "0,0"], "--elide keeps at least 1,1"),
        (["--cell", "lstm", "--view", "diff"], "--view diff needs two sources"),
        (["--cell", "lstm", "--expand", "gate"], "--expand wants terms like"),
    ],
)
def test_bad_arguments_are_told_with_code_2_and_no_file(user, capsys, arguments, message):
    known = {p.name for p in user.iterdir()}
    given = [f"{user}/{a}" if a.startswith(("mine", "wrong", "none")) else a for a in arguments]
    code, said = command(*given, "-o", user / "x.svg", capsys=capsys)
    assert code == 2
    assert message in said
    assert {p.name for p in user.iterdir()} - {"__pycache__"} == known - {"__pycache__"}


def test_message_of_a_typo_in_expand(tmp_path, capsys):
    code, said = command(
        "--cell", "lstm", "--view", "gate", "--expand", "gate=forgot", "-o", tmp_path / "x.svg",
        capsys=capsys,
    )  # fmt: skip
    assert code == 2
    assert said == (
        "no node matches --expand 'gate=forgot'. Did you mean 'forget'? "
        "Scopes here: update, forget, candidate, output."
    )


def test_message_of_a_function_that_raises_half_way(user, capsys):
    lines = [line.strip() for line in (user / "mine.py").read_text().splitlines()]
    code, said = command(f"{user}/mine.py:breaks", "-o", user / "x.svg", capsys=capsys)
    assert code == 5
    line = 1 + lines.index("return h @ tg.ones(5, 4)")
    assert said == (
        f"your function raised ValueError at step 2, line {line} of mine.py, "
        "op 'matmul' (3×4 @ 5×4). "
        "Drew the 2 ops before it; the failing node is marked ✖."
    )
    text = (user / "x.svg").read_text()
    assert "✖" in text and "t = 2" in text
    code, said = command(f"{user}/mine.py:raises", "-o", user / "y.svg", capsys=capsys)
    line = 1 + lines.index('raise KeyError("no op failed")')
    assert code == 5 and said == (
        f"your function raised KeyError at step 1, line {line} of mine.py. "
        "Drew the 1 ops before it."
    )


def test_message_of_a_graph_too_large_for_op_level(tmp_path, capsys):
    start = time.process_time()
    code, said = command(
        "--cell", "lstm", "--steps", "220", "--view", "op", "-o", tmp_path / "x.svg", capsys=capsys
    )
    assert code == 0
    assert said == (
        "graph has 5,281 ops; drawing T=220 at op level would make a 6 MB SVG. "
        "Wrote cell level instead. Use --view op --elide 2,2, or -o x.html."
    )
    assert time.process_time() - start < 10
    assert (tmp_path / "x.svg").stat().st_size < 100_000


def test_message_of_a_picture_that_leaves_steps_out(tmp_path, capsys):
    file = tmp_path / "x.svg"
    code, said = command(
        "--cell", "lstm", "--steps", "40", "--view", "op", "-o", file, capsys=capsys
    )
    assert code == 0
    assert said == "drew steps 1, 2, 39 and 40 of 40; --elide none draws all"
    assert "36 steps" in file.read_text()


def test_message_of_a_png_too_wide(tmp_path, capsys):
    code, said = command(
        "--cell", "rnn", "--steps", "60", "--view", "op", "--elide", "none", "--max-px", "9000",
        "-o", tmp_path / "x.png", capsys=capsys,
    )  # fmt: skip
    assert code == 4
    assert said.startswith("PNG would be ") and said.endswith(
        " px wide (limit 9,000). Use --wrap 10, --elide 3,3 or -o x.svg"
    )
    assert not list(tmp_path.iterdir())


INSTALL = (
    " is drawn by Graphviz (the program dot and the package graphviz), which is not here:\n"
    "  apt install graphviz && pip install 'tinygrad_rnn[viz]'\n"
    "  pip install resvg_py    (instead, for PNG alone)"
)


@pytest.fixture
def bare(monkeypatch):
    """A machine without Graphviz and without resvg_py."""
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setitem(sys.modules, "resvg_py", None)


def test_message_without_graphviz(tmp_path, capsys, bare):
    for engine, suffix in (("auto", "png"), ("builtin", "png"), ("auto", "pdf"), ("dot", "svg")):
        file = tmp_path / f"x.{suffix}"
        code, said = command("--cell", "rnn", "--engine", engine, "-o", file, capsys=capsys)
        assert (code, said) == (3, suffix.upper() + INSTALL)
        assert not list(tmp_path.iterdir())


def test_without_graphviz_all_other_formats_are_written(tmp_path, capsys, bare):
    own = ("svg", "html", "dot", "tex", "mmd", "json", "txt")
    files = [tmp_path / f"x.{suffix}" for suffix in ("png", *own)]
    code, said = command("--cell", "rnn", *(a for f in files for a in ("-o", f)), capsys=capsys)
    assert (code, said) == (3, "PNG" + INSTALL)
    assert {p.suffix[1:] for p in tmp_path.iterdir()} == set(own)


def test_without_graphviz_png_is_drawn_by_resvg(tmp_path, capsys, bare, monkeypatch):
    class Resvg:
        @staticmethod
        def svg_to_bytes(svg_string, zoom):
            assert svg_string.startswith("<svg") and zoom == graphviz.POINT
            return list(b"\x89PNG")

    monkeypatch.setitem(sys.modules, "resvg_py", Resvg)
    code, said = command("--cell", "rnn", "-o", tmp_path / "x.png", capsys=capsys)
    assert (code, said) == (0, "") and (tmp_path / "x.png").read_bytes() == b"\x89PNG"


def test_dot_carries_positions_unless_told_otherwise(tmp_path):
    for option, layout in (((), True), (("--no-positions",), False)):
        assert command("--cell", "rnn", *option, "-o", tmp_path / "x.dot")[0] == 0
        assert ("layout=nop2" in (tmp_path / "x.dot").read_text()) == layout


def test_message_of_dot_that_takes_too_long(tmp_path, capsys, monkeypatch):
    pytest.importorskip("graphviz", reason="the extra viz is not installed")
    slow = tmp_path / "dot"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    file = tmp_path / "x.svg"
    code, said = command(
        "--cell", "rnn", "--engine", "dot", "--timeout", "0.2", "-o", file, capsys=capsys
    )
    assert code == 0
    assert said == (
        "dot did not finish in 0 s (46 nodes, 4 parameters shared by 3 steps each). "
        "Falling back to the builtin layout; use --params chips."
    )
    ET.fromstring(file.read_text())


def test_a_file_is_written_whole_or_not_at_all(tmp_path, capsys):
    code, said = command("--cell", "rnn", "-o", tmp_path / "no" / "x.svg", capsys=capsys)
    assert code == 2 and "cannot write" in said
    kept = tmp_path / "kept.png"
    kept.write_text("before")
    code, _ = command("--cell", "rnn", "--max-px", "10", "-o", kept, capsys=capsys)
    assert code == 4 and kept.read_text() == "before"
    code, said = command("--cell", "rnn", "-o", tmp_path / "x.frob", capsys=capsys)
    assert code == 2 and "cannot tell the format" in said


def test_several_outputs_and_stdout(tmp_path, capsysbinary):
    one = tmp_path / "1.svg"
    assert cli.main(["--cell", "rnn", "-o", str(one), "-o", "-", "--format", "svg"]) == 0
    assert capsysbinary.readouterr().out == one.read_bytes()


def test_without_output_the_table_is_printed(capsys):
    assert cli.main(["--cell", "rnn", "--steps", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["step", "id", "op", "name", "shape", "‖v‖", "‖g‖", "from"]
    assert any("tanh" in line and "a⟨1⟩" in line for line in lines)


def test_list_ops_and_check(capsys):
    assert cli.main(["--cell", "lstm", "--list-ops"]) == 0
    assert "matmul" in capsys.readouterr().out
    assert cli.main(["--cell", "lstm", "--check"]) == 0
    assert "Σₜ contributions = Wf.grad (max diff" in capsys.readouterr().out


def test_fold_expand_collapse_and_params(tmp_path):
    def boxes(*arguments):
        file = tmp_path / "x.svg"
        assert command("--cell", "lstm", "--view", "op", *arguments, "-o", file)[0] == 0
        return file.read_text().count('class="node')

    full = boxes()
    gates, cells = boxes("--fold", "gate"), boxes("--fold", "cell")
    assert cells < gates < full
    assert gates < boxes("--fold", "gate", "--expand", "t=1") < full
    assert boxes("--fold", "gate", "--expand", "t=-1 gate=forget") < full
    assert boxes("--collapse", "lstm/step*") < full
    assert boxes("--params", "shelf") < full
    code = command("--cell", "lstm", "--steps", "9", "--params", "once", "-o", tmp_path / "y.svg")[
        0
    ]
    assert code == 2 and not (tmp_path / "y.svg").exists()


def test_ascii(tmp_path):
    for suffix, option in (
        ("svg", "--positions"),
        ("dot", "--positions"),
        ("dot", "--no-positions"),
        ("txt", "--ascii"),
        ("mmd", "--ascii"),
    ):
        file = tmp_path / f"x.{suffix}"
        assert command("--cell", "lstm", "--ascii", option, "-o", file)[0] == 0
        assert file.read_text().isascii()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("palette", ["cividis", "gray", "print"])
def test_palettes_and_themes(tmp_path, theme, palette):
    file = tmp_path / "x.svg"
    code = command("--cell", "rnn", "--theme", theme, "--palette", palette, "-o", file)[0]
    assert code == 0
    assert ("#16181c" in file.read_text()) == (theme == "dark")


def test_both_ways_to_start_it_and_a_bare_machine(tmp_path):
    """Neither Graphviz nor anything beside NumPy: every format of ours is there."""
    script = (
        "import sys\n"
        "sys.modules['graphviz'] = sys.modules['resvg_py'] = None\n"
        "from tinygrad_rnn.draw.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    files = [str(tmp_path / f"x.{suffix}") for suffix in ("svg", "html", "tex", "dot")]
    outputs = [part for file in files for part in ("-o", file)]
    for start in ([str(ROOT / "tools/draw_graph.py")], ["-m", "tinygrad_rnn.draw"], ["-c", script]):
        command = [sys.executable, *start, "--cell", "rnn", *outputs]
        environment = {"PATH": "/nonexistent", "PYTHONPATH": str(ROOT)}
        subprocess.run(command, check=True, env=environment, cwd=tmp_path, timeout=60)
        assert all(Path(f).stat().st_size > 3_000 for f in files)
