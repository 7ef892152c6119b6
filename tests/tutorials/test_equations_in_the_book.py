"""Every equation of the page that maps notes to code is in a notebook: its test or its class."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[2] / "tutorials"
PAGE = (BOOK / "EQUATIONS.md").read_text(encoding="utf-8")
NOTEBOOKS = {p.name: p.read_text(encoding="utf-8") for p in sorted(BOOK.glob("[0-9]*_*.py"))}
HEADS = ("equation", "remedy", "---")
CELLS = [[cell.strip() for cell in line.strip("|").split("|")]
         for line in PAGE.splitlines() if line.startswith("|")]  # fmt: skip
ROWS = {row[0]: row[1:] for row in CELLS if row[0] not in HEADS}


def cases(test: str) -> set[str]:
    """The cases of a derivation by hand, and the functions, that a row names as its tests."""
    by_hand = re.findall(r"by hand \(([^)]*)\)", test)
    return {case.strip() for one in by_hand for case in one.split(",")} | set(
        re.findall(r"::(\w+)", test)
    )


def calls(code: str) -> list[set[str]]:
    """The words of each call: its name, its options and their values."""
    found = re.findall(r"`((?:nn\.|microscope\.|init\.)?\w+)\(([^`]*)\)", code)
    return [{name.split(".")[-1], *re.findall(r"[A-Za-z_]\w+", options)} - {"None", "True"}
            for name, options in found]  # fmt: skip


def words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w+", text))


def taught_in(equation: str) -> list[str]:
    """The notebooks that name one of its tests; else those that make all its calls together."""
    code, test = ROWS[equation]
    for case in cases(test):
        whole = re.compile(rf"(?<![\w-]){re.escape(case)}(?![\w-])")
        if naming := [name for name, text in NOTEBOOKS.items() if whole.search(text)]:
            return naming
    making = [[n for n, text in NOTEBOOKS.items() if call <= words(text)] for call in calls(code)]
    return [name for names in making for name in names] if all(making) else []


@pytest.mark.parametrize("equation", ROWS)
def test_an_equation_is_in_a_notebook(equation):
    assert taught_in(equation), f"no notebook names a test or a class of {ROWS[equation]}"


def test_the_table_is_read_whole():
    assert len(ROWS) > 30 and all(len(row) == 2 for row in ROWS.values())
    assert all(cases(test) or calls(code) for code, test in ROWS.values())


def test_an_equation_that_no_notebook_names_is_found():
    ROWS["untold"] = ["`nn.NoSuchCell(option=3)`", "by hand (no-such-case)"]
    try:
        assert not taught_in("untold")
    finally:
        del ROWS["untold"]
