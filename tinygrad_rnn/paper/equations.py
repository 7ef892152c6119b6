"""Write the equations of a cell in LaTeX, read from the graph of its step, for programs.

The step's operations run on `Letters`, so an equation cannot differ from what runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..compile.program import Instr
from ..engine.letters import Letter, write
from ..nn.cell import Cell
from .captured_cell import CapturedCell, index_text

NOW, BEFORE = r"^{\langle t\rangle}", r"^{\langle t-1\rangle}"
SIGNS = {"∘": r"\circ", "σ": r"\sigma", "−": "-", "·": r"\cdot", "½": r"\tfrac12", "²": "^2",
         "³": "^3", "⁻¹": "^{-1}", "ᵀ": r"^\top", "Σ": r"\sum", "√": r"\sqrt", "Γ": r"\Gamma",
         "≤": r"\le", "≥": r"\ge", "≠": r"\ne"}  # fmt: skip
WORDS = re.compile(r"(?<![A-Za-z\\{])(tanh|exp|log|max|min|sin|cos)(?=\()")
PARAMETER = {"weight_ih": "W_{ax}", "weight_hh": "W_{aa}", "weight": "W_a", "bias": "b_a",
             "bias_ih": "b_{ax}", "bias_hh": "b_{aa}"}  # fmt: skip


def equations(cell: Cell, *, states: Sequence[str] = ()) -> str:
    r"""Return the equations of a cell's step in LaTeX, one a line, in the order they are computed.

    `states` are the letters of its state. The notes' own form has a matrix per gate.

    >>> print(equations(nn.RNNCell(2, 3, form="stacked", bias="single")))
    a^{\langle t\rangle} = \tanh(W_a [a^{\langle t-1\rangle}, x^{\langle t\rangle}] + b_a)
    """
    paper = CapturedCell(cell, states)
    forward = [i for i in paper.order if i in paper.forward]
    lines, known = [], _leaves(paper)
    named = {i: _letter(paper, i, k) for k, i in enumerate(paper.shared(forward))}
    for i in forward:
        if i.args:
            known[i] = _expression(i, known)
            if i in named:
                lines.append(f"{named[i]} = {latex(str(known[i]))}")
                known[i] = Letter(i.value, named[i])
    return "\n".join([*lines, *_renamed(paper, named)])


def _leaves(paper: CapturedCell) -> dict[Instr, Letter]:
    """Return the letters of inputs, states, parameters and constants."""
    known = {i: Letter(i.value, f"x{NOW}" if k == 0 else f"u_{k}{NOW}")
             for k, i in enumerate(paper.step.xs)}  # fmt: skip
    for i, letter in zip(paper.step.states, paper.states):
        known[i] = Letter(i.value, letter + BEFORE)
    one = len(getattr(paper.cell, "gate_names", "a")) == 1
    single = "bias_hh" not in paper.parameters.values()
    for i, name in paper.parameters.items():
        name = "bias" if one and single and name == "bias_ih" else name
        known[i] = Letter(i.value, _parameter(name, one))
    return known


def _parameter(name: str, one_gate: bool) -> str:
    r"""Return a parameter's letter: W_u, W_{aa} of a cell without gates, else \mathrm{…}."""
    if one_gate and name in PARAMETER:
        return PARAMETER[name]
    kind, _, index = name.partition("_")
    letter = {"weight": "W", "bias": "b"}.get(kind, kind)
    letter = letter if len(letter) == 1 else rf"\mathrm{{{letter}}}"
    index = index.replace("_", r"\,")
    return letter + (f"_{index}" if len(index) == 1 else f"_{{{index}}}" if index else "")


def _letter(paper: CapturedCell, i: Instr, k: int) -> str:
    if i in paper.step.news:
        return paper.states[paper.step.news.index(i)] + NOW
    if i in paper.gates:
        gate = paper.gates[i]
        return r"\tilde c" if gate == "c̃" else rf"\Gamma_{gate[1:]}"
    return rf"y{NOW}" if i is paper.step.y else f"z_{{{k}}}"


def _expression(i: Instr, known: dict[Instr, Letter]) -> Letter:
    """Return an instruction's expression; of rows, x Wᵀ is written W x, as of a column."""
    sample, args = lambda *_: i.value, [known.get(a, a.value) for a in i.args]
    if i.op == "getitem":
        index = index_text(i.params["index"]).removeprefix("..., ")
        return Letter(i.value, f"{_bracketed(args[0])}[{index}]")
    if i.op == "matmul" and _is_turned(i.args[1]) and isinstance(args[0], Letter):
        right = Letter(i.value, f"({args[0]})") if args[0].op in ("mul", "div") else args[0]
        return write("matmul", [known[i.args[1].args[0]], right], sample)
    if i.op == "concatenate":
        return Letter(i.value, f"[{', '.join(map(str, args))}]")
    return write(i.op, args, sample)


def _is_turned(i: Instr) -> bool:
    return i.op == "transpose" and len(i.shape) == 2 and not i.batch


def _bracketed(x: Letter | float) -> str:
    return f"({x})" if isinstance(x, Letter) and x.op else str(x)


def _renamed(paper: CapturedCell, named: dict[Instr, str]) -> list[str]:
    """Return a = c where the output is the state under another letter."""
    same = paper.step.y in paper.step.news and paper.states == ("c",)
    return [f"a{NOW} = {named[paper.step.y]}"] if same else []


def latex(text: str) -> str:
    r"""Return an expression's text in LaTeX.

    >>> latex("σ(W_u @ x) ∘ (1 − y²)")
    '\\sigma(W_u x) \\circ (1 - y^2)'
    """
    text = WORDS.sub(r"\\\1", text.replace(" @ ", " "))
    for sign, command in SIGNS.items():
        apart = " " if command.startswith("\\") else ""
        text = re.sub(f"{re.escape(sign)}(?=[A-Za-z0-9])", lambda _, c=command + apart: c, text)  # type: ignore[misc]
        text = text.replace(sign, command)
    return text
