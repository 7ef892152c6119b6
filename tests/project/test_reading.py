"""The engine in one sitting: what is to be read, and what runs, is counted here."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType

import tinygrad_rnn as tg
from tinygrad_rnn import engine, nn
from tinygrad_rnn.engine import backward

ROOT = Path(tg.__file__).parent


def entered(call: Callable) -> dict[str, dict[str, int]]:
    """Return the functions of this package that a call enters, by file, and their lines of code.

    Lines without code, as of comments and docstrings, do not count.
    """
    codes: set[CodeType] = set()

    def hear(frame, event, _):
        if event == "call" and frame.f_code.co_filename.startswith(f"{ROOT}/"):
            codes.add(frame.f_code)

    sys.setprofile(hear)
    try:
        call()
    finally:
        sys.setprofile(None)
    found: dict[str, dict[str, int]] = {}
    for code in codes:
        lines = {line for _, _, line in code.co_lines() if line} | {code.co_firstlineno}
        file = Path(code.co_filename).relative_to(ROOT).as_posix()
        found.setdefault(file, {})[f"{code.co_name} {code.co_firstlineno}"] = len(lines)
    return found


def size(found: dict[str, dict[str, int]]) -> int:
    return sum(sum(lines.values()) for lines in found.values())


def test_one_forward_pass_and_its_gradient_run_few_lines_of_few_files():
    def once() -> dict[str, dict[str, int]]:
        x, v = tg.tensor([0.5, 0.25]), tg.tensor([1.0, 2.0])
        w = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        return entered(lambda: tg.grad((x @ w).tanh() @ v, w))

    found = min((once() for _ in range(5)), key=size)  # some nodes get a knot, by chance
    assert "engine/backward.py" in found
    assert size(found) <= 300 and len(found) <= 6, found


def test_a_step_of_an_lstm_cell_runs_few_lines_of_few_files():
    cell = nn.LSTMCell(4, 3)
    x = tg.ones(2, 4)
    state = cell.start(2, x)
    cell.step(x, state)  # the first call of all fills caches
    found = min((entered(lambda: cell.step(x, state)) for _ in range(20)), key=size)
    assert {"nn/cells.py", "nn/gates.py", "engine/node.py"} <= found.keys()
    assert size(found) <= 120 and len(found) <= 6, found


def guide() -> list[Path]:
    """Return the five files that the engine's docstring says to read, in its order."""
    names = re.findall(r"^\d\. `(\w+)`", engine.__doc__ or "", re.MULTILINE)
    return [ROOT / "engine" / f"{name}.py" for name in names]


def test_the_guide_names_five_files_of_under_900_lines():
    files = guide()
    assert len(files) == 5
    texts = {p.name: p.read_text(encoding="utf-8").splitlines() for p in files}
    lines = {name: sum(map(bool, map(str.strip, text))) for name, text in texts.items()}
    assert sum(lines.values()) < 900, lines


def test_each_file_of_the_guide_needs_only_those_before_it():
    order = [p.stem for p in guide()]
    for place, path in enumerate(guide()):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        runs = [n for n in tree.body if isinstance(n, ast.ImportFrom)]
        later = {n.module for n in runs} & set(order[place:])
        assert not later, f"{path.name} imports {later}"


def test_the_walk_back_is_twelve_lines():
    tree = ast.parse(Path(backward.__file__).read_text(encoding="utf-8"))
    pull = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "pull")
    (walk,) = (n for n in pull.body if isinstance(n, ast.For))
    assert walk.end_lineno - walk.lineno + 1 <= 12
