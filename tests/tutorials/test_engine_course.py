"""The course "build your own engine": the teacher's passes every step, an empty one none."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

COURSE = Path(__file__).parents[2] / "tutorials" / "engine"
TEACHERS = Path(__file__).parent / "teachers_engine.py"
SKELETONS = sorted(COURSE.glob("[1-8]_*.py"))


def ran(engine: Path) -> str:
    """Return what pytest says of an engine in all steps."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=no", COURSE]
    done = subprocess.run([*command, "--engine", engine], capture_output=True, text=True,
                          cwd=COURSE.parents[1])  # fmt: skip
    return done.stdout


def names(text: str) -> set[str]:
    """Return the methods and functions that a text defines or assigns."""
    nodes = list(ast.walk(ast.parse(text)))
    assigned = {t.id for n in nodes if isinstance(n, ast.Assign) for t in n.targets
                if isinstance(t, ast.Name)}  # fmt: skip
    return assigned | {n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))}


def test_each_of_eight_steps_has_text_skeleton_and_tests():
    assert [p.name[0] for p in SKELETONS] == list("12345678")
    for skeleton in SKELETONS:
        assert skeleton.with_suffix(".md").read_text().startswith(f"# {skeleton.name[0]} · ")
        assert (COURSE / f"test_{skeleton.name}").exists()


def test_the_teachers_engine_passes_every_step():
    last = ran(TEACHERS).strip().splitlines()[-1]
    assert "passed" in last and "failed" not in last and "error" not in last, last


@pytest.mark.slow
def test_the_skeletons_pass_no_test(tmp_path):
    """All of them in one file, as a student begins who fills in nothing."""
    bodies = {"class": [], "file": []}
    for skeleton in SKELETONS:
        for node in ast.parse(skeleton.read_text(encoding="utf-8")).body:
            kind = "class" if isinstance(node, ast.ClassDef) else "file"
            bodies[kind] += node.body if kind == "class" else [node]
    whole = ast.parse("class Value:\n    pass")
    whole.body[0].body = bodies["class"]
    whole.body += bodies["file"]
    (tmp_path / "empty.py").write_text(ast.unparse(whole), encoding="utf-8")
    last = ran(tmp_path / "empty.py").strip().splitlines()[-1]
    assert "failed" in last and "passed" not in last, last


@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda p: p.stem)
def test_a_skeleton_asks_for_what_the_teachers_engine_has_and_shows_nothing(skeleton):
    text = skeleton.read_text(encoding="utf-8")
    assert names(text) <= names(TEACHERS.read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef)]
    assert all("NotImplementedError" in ast.unparse(f.body[-1]) for f in functions)
    assert skeleton.name[0] == "7" or functions
