"""Turn the book into notebooks for students, for nbgrader and for otter-grader.

A notebook's solution cell becomes an answer cell (`answer_03_1 = …`, one name per exercise) between
the markers that both graders know, and a test cell per exercise that asks `check`.
"""

from __future__ import annotations

import ast
import shutil
from pathlib import Path
from typing import Any

BEGIN, END = "### BEGIN SOLUTION\n", "### END SOLUTION"
MARKED = "# BEGIN SOLUTION\n{}\n# END SOLUTION"  # nbgrader looks for the words, otter for the line
TEST = """\
from tinygrad_rnn.exercises import check

verdict = check("{0}", {1}, quiet=True)
assert verdict, verdict.message"""
ENGINE = ("*.md", "*.py", "adapters/*.py")  # of the engine's course; it holds no solution


def answer_name(number: str) -> str:
    """Return what the answer to an exercise is called: answer_03_1 to 03.1."""
    return f"answer_{number.replace('.', '_')}"


def answers_of(solution: str) -> tuple[str, dict[str, str]]:
    """Split a solution cell: the code that answers need, and each exercise's answer as text."""
    lines, kept, answers = solution.splitlines(), [], {}
    for node in ast.parse(solution).body:
        text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
        call = getattr(node, "value", None)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "check":
            number, answer = call.args
            answers[ast.literal_eval(number)] = ast.unparse(answer)
        else:
            kept.append(text)
    return "\n\n\n".join(kept), answers


def solution_of(cell: Any) -> tuple[str, dict[str, str]] | None:
    """Return the parts of a solution cell, None of any other."""
    if cell.cell_type != "code" or not cell.source.startswith(BEGIN):
        return None
    return answers_of(cell.source.removeprefix(BEGIN).partition(END)[0])


def answer_cell(code: str, answers: dict[str, str]) -> str:
    """Return the text of a cell with marked answers; the comment above them stays for students."""
    named = "\n".join(f"{answer_name(n)} = {text}" for n, text in answers.items())
    names = ", ".join(map(answer_name, answers))
    return f"# Call your answers {names}.\n" + MARKED.format(f"{code}\n\n\n{named}".strip())


def for_nbgrader(made: Any) -> Any:
    """Give a notebook the answer cell and the test cells that nbgrader reads."""
    from nbformat.v4 import new_code_cell

    cells = []
    for cell in made.cells:
        parts = solution_of(cell)
        if parts is None:
            cells.append(cell)
            continue
        cells.append(new_code_cell(answer_cell(*parts)))
        cells[-1].metadata["nbgrader"] = marks("answers", solution=True)
        for number in parts[1]:
            cells.append(new_code_cell(TEST.format(number, answer_name(number))))
            cells[-1].metadata["nbgrader"] = marks(
                f"test_{answer_name(number)}", grade=True, locked=True, points=1
            )
    return numbered(made, cells)


def marks(name: str, **given: Any) -> dict[str, Any]:
    """Return nbgrader's metadata of a cell."""
    usual = {"grade": False, "locked": False, "solution": False, "task": False, "schema_version": 3}
    return {"grade_id": name, "cell_type": "code", **usual, **given}


def for_otter(made: Any, name: str) -> Any:
    """Give a notebook the raw cells between which otter assign looks for questions."""
    from nbformat.v4 import new_code_cell, new_raw_cell

    config = f"# ASSIGNMENT CONFIG\nname: {name}\nsolutions_pdf: false\nexport_cell: false"
    cells = [new_raw_cell(config)]
    for cell in made.cells:
        parts = solution_of(cell)
        if parts is None:
            cells.append(cell)
            continue
        code, answers = parts
        for k, (number, answer) in enumerate(answers.items()):
            text = answer_cell(code if k == 0 else "", {number: answer})
            question = f"# BEGIN QUESTION\nname: q{number.replace('.', '_')}\npoints: 1"
            test = TEST.format(number, answer_name(number))
            cells += [new_raw_cell(question), *between("SOLUTION", new_code_cell(text)),
                      *between("TESTS", new_code_cell(test)),
                      new_raw_cell("# END QUESTION")]  # fmt: skip
    return numbered(made, cells)


def between(what: str, cell: Any) -> list[Any]:
    """Return a cell between the two raw cells that begin and end a part of a question."""
    from nbformat.v4 import new_raw_cell

    return [new_raw_cell(f"# BEGIN {what}"), cell, new_raw_cell(f"# END {what}")]


def numbered(made: Any, cells: list) -> Any:
    """Put cells into a notebook, with ids that are the same at every run."""
    made.cells = cells
    for k, cell in enumerate(cells):
        cell.id = f"cell-{k}"
    return made


def copy_engine_course(source: Path, to: Path) -> None:
    """Copy the course on building an engine: texts, skeletons, tests and adapters."""
    for pattern in ENGINE:
        for path in sorted(source.glob(pattern)):
            goal = to / path.relative_to(source)
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, goal)
