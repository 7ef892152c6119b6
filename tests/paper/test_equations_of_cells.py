r"""The equations read from a cell's graph, and that the book prints the same ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tinygrad_rnn import nn, tanh
from tinygrad_rnn.paper import equations
from tinygrad_rnn.paper.equations import latex

BOOK = Path(__file__).parents[2] / "tutorials"
NOW, BEFORE = r"^{\langle t\rangle}", r"^{\langle t-1\rangle}"
PER_GATE = {"form": "per_gate", "bias": "single"}
NOTES = PER_GATE | {"reset": "before", "update": "writes"}
# The notebook that prints a cell's equations, and the cell
PRINTED = {
    "RNN, separate": ("03", nn.RNNCell(2, 3, bias="single"), r"g_1"),
    "RNN, stacked": ("03", nn.RNNCell(2, 3, bias="single", form="stacked"), r"g_1"),
    "GRU of the notes": ("09", nn.GRUCell(2, 3, **NOTES), ""),
    "LSTM A": ("10", nn.LSTMCell(2, 3, **PER_GATE), ""),
    "LSTM B": ("10", nn.LSTMCell(2, 3, output_activation=None, **PER_GATE), ""),
    "LSTM C": ("10", nn.LSTMCell(2, 3, output_activation=None, relevance=True, **PER_GATE), ""),
    "LSTM, peepholes": ("11", nn.LSTMCell(2, 3, peephole="full", **PER_GATE), ""),
}


def normal(text: str) -> str:
    """Return an equation without spaces and layout, its summands in one order at each depth."""
    text = re.sub(r"\\[,;!]|\\q?quad|\\bigl|\\bigr|\\text\{[^}]*\}|\s|&|\\\\", "", text)
    text = re.sub(r"(?<=[_^])\{(\w+)\}", lambda m: m[1] if len(m[1]) == 1 else m[0], text)
    while re.search(r"\(([^()]*)\)", text):
        text = re.sub(r"\(([^()]*)\)", lambda m: f"⟦{sums(m[1])}⟧", text)
    return sums(text).replace("⟦", "(").replace("⟧", ")")


def sums(text: str) -> str:
    """Return a sum with its terms sorted; brackets were made ⟦⟧ before, and hold."""
    terms, depth = [""], 0
    for sign in text:
        depth += (sign == "⟦") - (sign == "⟧")
        if sign == "+" and not depth:
            terms.append("")
        else:
            terms[-1] += sign
    return "+".join(sorted(terms))


def printed(number: str) -> set[str]:
    """Return the right sides of all equations that a notebook prints, in normal form."""
    (source,) = BOOK.glob(f"{number}_*.py")
    text = re.sub(r"\n# ?", " ", source.read_text(encoding="utf-8"))
    found = set()
    for formula in re.findall(r"\$\$(.*?)\$\$|\$([^$]+)\$", text):
        whole = re.sub(r"\\text\{[^}]*\}", r"\\qquad", "".join(formula))
        for part in re.split(r",\s*\\qquad|\\qquad|\\quad", whole):
            found |= {normal(side) for one in spread(part) for side in one.rstrip(", .").split("=")}
    return found


def spread(formula: str) -> list[str]:
    r"""Return the formulas that W_{u,f} or \Gamma_u, \Gamma_f stand for."""
    lists = re.findall(r"_\{(\w(?:,\s*\w)+)\}", formula)
    letters = re.split(r",\s*", lists[0]) if lists else [""]
    return [re.sub(r"_\{\w(?:,\s*\w)+\}", f"_{k}", formula) for k in letters]


@pytest.mark.parametrize("name", PRINTED)
def test_the_book_prints_what_the_graph_says(name):
    number, cell, g = PRINTED[name]
    book = printed(number)
    for line in equations(cell).splitlines():
        right = line.split(" = ", 1)[1]
        right = right.replace(r"\tanh", g, 1) if g else right
        assert normal(right) in book, (line, sorted(book))


def test_a_wrong_equation_is_not_in_the_book():
    wrong = rf"\Gamma_u \circ \tilde c + (1 - \Gamma_r) \circ c{BEFORE}"
    right = wrong.replace("1 - \\Gamma_r", "1 - \\Gamma_u")
    assert normal(right) in printed("09") and normal(wrong) not in printed("09")


def test_gru_of_the_notes():
    assert equations(nn.GRUCell(2, 3, **NOTES)).splitlines()[2:] == [
        rf"\tilde c = \tanh(W_c [\Gamma_r \circ c{BEFORE}, x{NOW}] + b_c)",
        rf"c{NOW} = (1 - \Gamma_u) \circ c{BEFORE} + \Gamma_u \circ \tilde c",
        rf"a{NOW} = c{NOW}",
    ]


def test_a_product_of_a_product_keeps_its_brackets():
    text = equations(nn.MGUCell(2, 3))
    assert rf"(\Gamma_f \circ a{BEFORE})" in text


def test_a_cell_of_ones_own_has_equations():
    class Mine(nn.Cell):
        def __init__(self):
            super().__init__(2, 2)

        def start(self, batch, like):
            return like * 0

        def step(self, x, h):
            h = tanh(x + h * 0.5)
            return h, h

    assert equations(Mine(), states=("h",)) == rf"h{NOW} = \tanh(x{NOW} + \tfrac12 h{BEFORE})"


@pytest.mark.parametrize("text, wanted", [
    ("σ(W_u @ x) ∘ (1 − y²)", r"\sigma(W_u x) \circ (1 - y^2)"),
    ("½ (a + b)⁻¹", r"\tfrac12 (a + b)^{-1}"),
    ("a ∘ tanh(c)", r"a \circ \tanh(c)"),
])  # fmt: skip
def test_latex(text, wanted):
    assert latex(text) == wanted


def test_letters_of_the_state_are_counted():
    with pytest.raises(ValueError, match="2 letters are needed"):
        equations(nn.LSTMCell(2, 3), states=("h",))
