"""Print what the compiler did, for `layer.explain()` and `layer.source()`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .codegen.comments import comment
from .codegen.numpy_source import NumPySource


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


def source(kernel: Any) -> str:
    """Return the code that runs, whole: of loops in C or CUDA with the array calls around them."""
    if kernel.loops.name == "numpy":
        return NumPySource(kernel).text()
    calls = [comment(line, 10_000) for line in NumPySource(kernel).around()]
    return "\n".join(
        [kernel.loops.code, "/* Array calls around these functions:", *calls, "*/", ""]
    )
