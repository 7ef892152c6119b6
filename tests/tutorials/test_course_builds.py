"""Give a course no solution for students, cells that nbgrader and otter read, right answers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_rnn.exercises import exercises
from tools import course_builds, make_tutorials

nbformat = pytest.importorskip("nbformat", reason="needs nbformat, of the extra notebooks")
pytest.importorskip("jupytext", reason="needs jupytext, of the extra notebooks")
STEMS = {path.stem: path.read_text(encoding="utf-8") for path in make_tutorials.sources()}


def code_of(made) -> list:
    return [cell for cell in made.cells if cell.cell_type == "code"]


def names(nodes, kind) -> set[str]:
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, kind)}


@pytest.mark.parametrize("stem", STEMS)
def test_nothing_outside_the_solution_needs_it(stem):
    """So a student may run the notebook from top to bottom before answering."""
    text = STEMS[stem]
    solution = make_tutorials.SOLUTION.search(text).group()
    inside, outside = (list(ast.walk(ast.parse(t))) for t in (solution, text.replace(solution, "")))
    functions = lambda nodes: {n.name for n in nodes if isinstance(n, ast.FunctionDef)}
    made = functions(inside) | names(ast.parse(solution).body, ast.Store)
    known = functions(outside) | names(outside, ast.Store)
    assert (made & names(outside, ast.Load)) - known == set()


@pytest.mark.parametrize("stem", STEMS)
def test_the_instructors_answers_are_right_and_all_exercises_are_tested(stem):
    made = course_builds.for_nbgrader(make_tutorials.notebook(STEMS[stem], stem))
    marked = {c.metadata.nbgrader.grade_id: c for c in code_of(made) if "nbgrader" in c.metadata}
    wanted = [number for number in exercises() if number.startswith(stem[:2])]
    tests = [f"test_{course_builds.answer_name(number)}" for number in wanted]
    assert sorted(marked) == sorted(["answers", *tests])
    known: dict = {}
    for cell in code_of(made)[: code_of(made).index(marked["answers"])]:
        kinds = ast.FunctionDef, ast.Import, ast.ImportFrom
        nodes = [n for n in ast.parse(cell.source).body if isinstance(n, kinds)]
        functions = [n for n in nodes if "matplotlib" not in ast.unparse(n)]
        exec(ast.unparse(ast.Module(functions, [])), known)  # that answers may build on
    exec(marked["answers"].source, known)
    for test in tests:
        exec(marked[test].source, known)


@pytest.mark.parametrize("stem", ["03_rnn_cell"])
def test_students_are_shown_no_solution_and_otter_finds_questions(stem):
    code, answers = course_builds.solution_of(next(
        c for c in make_tutorials.notebook(STEMS[stem], stem).cells
        if course_builds.solution_of(c)
    ))  # fmt: skip
    assert "np.tanh" in code and set(answers) == {"03.1", "03.2", "03.3"}
    student = make_tutorials.notebook(make_tutorials.student_text(STEMS[stem]), stem)
    assert not any("np.tanh(W_aa @ a" in c.source for c in student.cells)
    otter = course_builds.for_otter(make_tutorials.notebook(STEMS[stem], stem), stem)
    raw = [c.source for c in otter.cells if c.cell_type == "raw"]
    assert raw[0].startswith("# ASSIGNMENT CONFIG")
    for part in ("QUESTION", "SOLUTION", "TESTS"):
        begun = sum(r.startswith(f"# BEGIN {part}") for r in raw)
        assert begun == raw.count(f"# END {part}") == 3
    marked = [c.source.splitlines() for c in code_of(otter) if "# BEGIN SOLUTION" in c.source]
    assert len(marked) == 3 and all("# END SOLUTION" in lines for lines in marked)


def test_one_command_writes_everything(tmp_path):
    command = [
        sys.executable,
        make_tutorials.TOOLS / "make_tutorials.py",
        "03",
        "--course",
        tmp_path,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for folder in ("student", "nbgrader/source/tinygrad_rnn", "otter"):
        assert (tmp_path / folder / "03_rnn_cell.ipynb").exists(), folder
    for path in (tmp_path / "nbgrader").rglob("*.ipynb"):
        nbformat.validate(nbformat.read(path, 4))
    assert "def backward" in Path(tmp_path / "engine" / "2_backward.py").read_text(encoding="utf-8")
    assert not list((tmp_path / "engine").rglob("*teachers*"))
