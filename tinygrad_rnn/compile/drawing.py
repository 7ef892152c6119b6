"""A step program as a picture: DOT text, grouped by when each instruction runs."""

from __future__ import annotations

from .ir import LEAVES, Instr, Step, names_of
from .phases import PHASES, place

HEAVY = ("matmul", "product_add", "accumulate")


def dot(step: Step, title: str = "") -> str:
    """The program as DOT; products are boxes, loops are drawn as frames."""
    phase, names = place(step), names_of(step.order())
    lines = [f'digraph step {{ label="{title}"; rankdir=LR; node [shape=ellipse, fontsize=10];']
    for name in PHASES:
        mine = [i for i in step.order() if phase[i] == name and (i.args or i.op != "const")]
        frame = "solid" if name in ("forward", "backward") else "dotted"
        lines.append(f'subgraph cluster_{name} {{ label="{name}"; style={frame};')
        lines += [f"{names[i]} [{_look(i, names)}];" for i in mine]
        lines.append("}")
    shown = [(a, i) for i in step.order() for a in i.args if a.args or a.op != "const"]
    lines += [f"{names[a]} -> {names[i]};" for a, i in shown]
    return "\n".join([*lines, "}"])


def _look(i: Instr, names: dict[Instr, str]) -> str:
    shape = "box" if i.op in HEAVY else "plain" if i.op in LEAVES else "ellipse"
    label = names[i] if i.op in LEAVES else i.op
    sizes = "×".join(map(str, i.shape))
    return f'label="{label}\\n{sizes}", shape={shape}' + (", style=bold" if i.op in HEAVY else "")
