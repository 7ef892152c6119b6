"""What the compiler did, as text: `layer.explain()` and `layer.source()` print it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def report(kernel: Any) -> str:
    """Return what the compiler did: one line per pass, then one per phase."""
    program = kernel.program
    lines = [f"compiled in {kernel.seconds * 1e3:.0f} ms for {kernel.loops.name}"]
    lines += [f"  {name:10s}{counts(step.order())}" for name, step in kernel.history]
    whole = getattr(kernel.loops, "kernels", ())  # CUDA's
    for name in program.calls:
        how = ", in one kernel" if name in whole else ""
        mine = counts(i for i in program.order if program.phase[i] == name)
        lines.append(f"  {name:10s}{mine}{how}")
    return "\n".join(lines)


def counts(instrs: Iterable[Any]) -> str:
    """Return how many instructions and products there are, in words."""
    ops = [i.op for i in instrs if i.args]
    return f"{len(ops):4d} instructions, {ops.count('matmul')} products"


def listing(program: Any) -> str:
    """Return the loops as text, one NumPy-like line per instruction."""
    from .program import names_of

    names, lines = names_of(program.order), []
    for name, times in (("forward", "range(T)"), ("backward", "reversed(range(T))")):
        lines.append(f"for t in {times}:")
        lines += ["    " + line(i, names) for i in program.native[name]] or ["    pass"]
    return "\n".join(lines)


def line(i: Any, names: Mapping[Any, str]) -> str:
    """Return an instruction as one line of text."""
    shown = [names[a] if a.op != "const" or a.shape else repr(a.value) for a in i.args]
    shown += [f"{k}={v}" for k, v in i.params.items()]
    gate = f"  # {i.gate}" if i.gate else ""
    return f"{names[i]}{list(i.shape)} = {i.op}({', '.join(shown)}){gate}"
