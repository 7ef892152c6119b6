r"""Every equation of the page that maps notes to code is in a notebook: printed, run, linked.

The page names the notebook of each row; here stands how the notebook prints it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[2] / "tutorials"
PAGE = (BOOK / "EQUATIONS.md").read_text(encoding="utf-8")
HEADS = ("equation", "remedy", "---")
CELLS = [[cell.strip() for cell in line.strip("|").split("|")]
         for line in PAGE.splitlines() if line.startswith("|")]  # fmt: skip
ROWS = {row[0]: row[1:] for row in CELLS if row[0] not in HEADS}
NOW, BEFORE = r"^{\langle t\rangle}", r"^{\langle t-1\rangle}"
# The beginning of an equation's row, and how its notebook prints it. (tests/paper holds the cells'
# equations to their graphs.)
PRINTED = {
    "a_t = g1(W_aa": rf"g_1(W_{{aa}} a{BEFORE} + W_{{ax}} x{NOW} + b_a)",
    "a_t = g1(W_a [": rf"g_1(W_a [a{BEFORE}, x{NOW}] + b_a)",
    "both forms": "W_a = [W_{aa} : W_{ax}]",
    "y_t = g2(": rf"g_2(W_{{ya}} a{NOW} + b_y)",
    "a_0 = 0": r"a^{\langle 0\rangle} = 0",
    "L_t = −y log": r"L_t = -y \log \hat y - (1-y) \log(1-\hat y)",
    "softmax cross-entropy": r"L = -\sum_i y_i \log p_i",
    "J = ": r"J = \frac{1}{2m} \sum (\hat y - y)^2",
    "∂ε/∂θ": r"\partial L/\partial W = \sum_t \partial L_t/\partial W",
    "∂ε_t/∂θ": r"\frac{\partial L_t}{\partial W} = \sum_{k\le t} \frac{\partial L_t}",
    "∂a_t/∂a_k = ": r"\prod_{i=k+1}^{t} \mathrm{diag}\bigl(g_1'(\cdot)\bigr)\, W_{aa}",
    "‖∂a_t/∂a_k‖ ≤": r"= c^{\,t-k}",
    "‖∂L/∂a_t‖": r"\|\partial L/\partial c^{\langle t\rangle}\|",
    "Γ = σ(": rf"\Gamma = \sigma(V x{NOW} + U c{BEFORE} + b)",
    "GRU of the notes": rf"c{NOW} = \Gamma_u \circ \tilde c + (1 - \Gamma_u) \circ c{BEFORE}",
    "GRU of the libraries": rf"h{NOW} = (1 - z) \circ \tilde n + z \circ h{BEFORE}",
    "LSTM A": rf"a{NOW} = \Gamma_o \circ \tanh(c{NOW})",
    "LSTM B": rf"a{NOW} = \Gamma_o \circ c{NOW}",
    "LSTM C": rf"\tilde c = \tanh(W_c [\Gamma_r \circ a{BEFORE}, x{NOW}] + b_c)",
    "peepholes": rf"V_o\, c{NOW} + b_o)",
    "a^[l]_t": r"W_a^{[l]} [a^{[l]\langle t-1\rangle}, a^{[l-1]\langle t\rangle}]",
    "ŷ_t = g(": rf"g(W_y [\overrightarrow a{NOW}, \overleftarrow a{NOW}] + b_y)",
    "P(y_1": rf"\prod_t P(y{NOW} \mid y^{{\langle 1\rangle}} \dots y{BEFORE})",
    "clip the value": r"\min(1, \theta/\lVert g\rVert)",
    "penalties": r"\lambda \sum W_{aa}^2",
    "Ω = ": r"\Omega = \sum_k",
    "initialisation": r"W_{aa}^\top W_{aa} = 1",
    "echo state": rf"(1-\alpha)\, a{BEFORE} + \alpha \tanh(W_{{in}} [1, u{NOW}] + W a{BEFORE})",
    "W_out": r"W_{out} = Y A^\top (A A^\top + \lambda 1)^{-1}",
}


def source(row: str) -> tuple[Path, str]:
    """Return the notebook that the page names for a row, and its text on one line."""
    (name,) = re.findall(r"\[\d\d\]\((\d\d_\w+\.py)\)", ROWS[row][2])
    text = (BOOK / name).read_text(encoding="utf-8")
    return BOOK / name, re.sub(r"\s+", " ", re.sub(r"\n# ?", " ", text))


def files_of_tests(row: str) -> set[str]:
    """Return the files of the tests that a row names."""
    test = ROWS[row][1]
    files = set(re.findall(r"(tests/[\w/]+\.py)", test))
    files |= {"tests/analytic/test_against_nn.py"} if "by hand" in test else set()
    return files | ({"tests/nn/test_cells.py"} if "formula" in test else set())


def called(row: str) -> set[str]:
    """Return the names of the classes and functions of a row."""
    return set(re.findall(r"`(?:\w+\.)?(\w+)\(", ROWS[row][0]))


@pytest.mark.parametrize("row", ROWS)
def test_an_equation_is_in_its_notebook_and_its_test_is_linked(row):
    path, text = source(row)
    assert any(f"](../{file})" in text for file in files_of_tests(row)), (
        path.name,
        files_of_tests(row),
    )
    for begin, formula in PRINTED.items():
        if row.startswith(begin):
            assert re.sub(r"\s+", " ", formula) in text, (path.name, formula)


@pytest.mark.parametrize("row", ROWS)
def test_the_notebook_has_run_the_equations_class(row):
    """Its executed cells name one of the row's classes, functions or tests' cases."""
    made = json.loads(source(row)[0].with_suffix(".ipynb").read_text(encoding="utf-8"))
    ran = [c for c in made["cells"] if c["cell_type"] == "code" and c["execution_count"]]
    words = {w for c in ran for w in re.findall(r"\w+", "".join(c["source"]))}
    layers = {name.removesuffix("Cell") for name in called(row)}
    by_hand = {"sigmoid", "tanh", "run", "step", "backward"}  # the equation itself, written out
    assert words & (called(row) | layers | by_hand)


def test_the_table_is_read_whole():
    assert len(ROWS) > 30 and all(len(row) == 3 for row in ROWS.values())
    assert all(map(files_of_tests, ROWS))


def test_each_formula_belongs_to_a_row_and_each_row_with_one_has_it():
    rows = {begin: [row for row in ROWS if row.startswith(begin)] for begin in PRINTED}
    assert [begin for begin, found in rows.items() if not found] == []
    formulas = [row for row in ROWS if re.search(r" [=≤] |Π", row)]
    told = {row for found in rows.values() for row in found}
    assert [row for row in formulas if row not in told and not row.startswith("the same")] == []
