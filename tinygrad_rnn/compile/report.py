"""A step program for people: DOT text grouped by when things run, and a table of counts."""

from __future__ import annotations

from .program import LEAVES, Instr, Step, names_of
from .run import Kernel
from .schedule import PHASES, place

PRODUCTS = ("matmul", "product_add")


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
    shape = "box" if i.op in PRODUCTS else "plain" if i.op in LEAVES else "ellipse"
    label = names[i] if i.op in LEAVES else i.op
    sizes = "×".join(map(str, i.shape))
    return f'label="{label}\\n{sizes}", shape={shape}' + (
        ", style=bold" if i.op in PRODUCTS else ""
    )


def report(kernel: Kernel) -> str:
    """Instructions and matrix products after each pass, and where they run."""
    lines = [f"compiled in {kernel.seconds * 1e3:.0f} ms for {kernel.loops.name}"]
    for name, step in kernel.history:
        order = [i for i in step.order() if i.args]
        products = sum(i.op in PRODUCTS for i in order)
        lines.append(f"  {name:10s}{len(order):4d} instructions, {products} products")
    p = kernel.program
    for name in PHASES:
        ops = [i.op for i in p.order if i.args and p.phase[i] == name]
        products = sum(op in PRODUCTS for op in ops)
        lines.append(f"  {name:10s}{len(ops):4d} of them, {products} products")
    return "\n".join(lines)
