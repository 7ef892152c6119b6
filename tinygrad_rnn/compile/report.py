"""What the compiler did, for people: counts after each pass, and where things run."""

from __future__ import annotations

from collections.abc import Iterable

from .program import Instr
from .rows import PRODUCTS
from .run import Kernel
from .schedule import PHASES


def report(kernel: Kernel) -> str:
    """One line per pass, then one per phase."""
    program = kernel.program
    lines = [f"compiled in {kernel.seconds * 1e3:.0f} ms for {kernel.loops.name}"]
    lines += [f"  {name:10s}{counts(step.order())}" for name, step in kernel.history]
    for name in PHASES:
        lines.append(f"  {name:10s}{counts(i for i in program.order if program.phase[i] == name)}")
    return "\n".join(lines)


def counts(instrs: Iterable[Instr]) -> str:
    ops = [i.op for i in instrs if i.args]
    return f"{len(ops):4d} instructions, {sum(op in PRODUCTS for op in ops)} products"
