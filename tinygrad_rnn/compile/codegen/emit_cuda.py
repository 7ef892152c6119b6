"""Launch the loops in CUDA: fused row kernels, cuBLAS products, one graph; for `compile.layer`.

The stages, their text and the memory plan are those of the C loops. The first run of a phase issues
its kernels one by one, the second records them as a CUDA graph, later ones launch the graph. With
small weights a loop is a single kernel: rows need nothing of each other, so a block takes a row
through all steps and multiplies by itself, with weights that stay in a cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..phases import LOOPS
from ..program import Instr, Step
from ..runtime.c_build import packaged
from ..runtime.cuda_device import Device
from .memory import Workspace
from .row_text import RowText


class RecordedWorkspace(Workspace):
    """Arrays on the device, the table of pointers to them, and what a phase launches."""

    def __init__(self, loops: Any, steps: int):
        super().__init__(loops, steps, loops.device.xp)
        pointers = [loops.device.address(self.array(kind, of)) for kind, of in loops.buffers]
        self.table = self.xp.asarray(pointers, dtype=np.uint64)
        self.multiply = loops.device.multiplier()
        work = [name for name, stages in loops.stages.items() if stages or name in LOOPS]
        self.ready = {name: loops.device.repeated() for name in work}

    def run(self, name: str) -> None:
        if name in self.ready:
            self.ready[name](partial(self.issue, name))

    def issue(self, name: str) -> None:
        if name in self.loops.kernels:
            self.launch(name, self.memory.rows, self.steps)
        else:
            for t in self.times(name) if name in LOOPS else [None]:
                self.issue_step(name, t)

    def issue_step(self, name: str, t: int | None) -> None:
        """Issue a phase's stages at step t, or of all steps, and at last what carries states on."""
        rows = self.memory.rows * (self.steps if t is None else 1)
        found = lambda i: self.part(i, t).reshape(rows, -1)
        for k, stage in enumerate([*self.loops.stages[name], []]):
            if f"{name}{k}" in self.loops.kernels:
                self.launch(f"{name}{k}", rows, t or 0)
            elif stage:
                work = [(found(i.args[0]), self.array("fixed", i.args[1]), found(i)) for i in stage]
                self.multiply(work)

    def launch(self, name: str, rows: int, time: int) -> None:
        kernel, threads = self.loops.device.kernel(name), self.loops.threads
        kernel((rows,), (threads,), (time, self.memory.rows, self.table))


class CUDALoops(RowText):
    """The phases as CUDA kernels: one for a loop with small weights, else one per row stage."""

    name = "cuda"
    workspace = RecordedWorkspace
    device_for: Callable = Device
    small, much = 3 << 18, 3 << 25  # a loop is one kernel up to so many bytes of weights per stage
    # of products that a block reads in every step, and all blocks do: where it was the faster way

    def __init__(self, step: Step, without: Sequence[str] = (), threads: int | None = None):
        super().__init__(step, without)
        limit = min(self.small, self.much // self.memory.rows)
        inside = {n: [s for s in self.stages[n] if s[0].op == "matmul"] for n in LOOPS}
        weights = lambda n: sum(i.args[1].value.nbytes for stage in inside[n] for i in stage)
        whole = [n for n in LOOPS if weights(n) <= limit * len(inside[n])]
        products = [i.width for n in whole for stage in inside[n] for i in stage]
        columns = [s.width for s in step.states] + products
        self.threads = min(max(32, 1 << (max(columns) - 1).bit_length()), 512)  # per row
        loop = lambda n: {n: self.kernel(n, "T", self.ordered(n))}
        parts = [loop(n) if n in whole else self.steps(n) for n in self.stages]
        self.kernels = {name: text for part in parts for name, text in part.items()}
        head = f"#define REAL {self.real}\n#define THREADS {self.threads}"
        text = packaged(__package__, "kernels.cu")
        self.code = "\n".join([head, text, *self.kernels.values()])
        self.device = self.device_for(self.code)

    def steps(self, name: str) -> dict[str, str]:
        """Return the kernels between products, and those that carry the states on."""
        texts = [self.rows(name, k) if stage[0].op != "matmul" else []
                 for k, stage in enumerate(self.stages[name])] + [self.copies(name)]  # fmt: skip
        named = {f"{name}{k}": lines for k, lines in enumerate(texts) if lines}
        return {n: self.kernel(n, "t", lines) for n, lines in named.items()}

    def kernel(self, name: str, time: str, lines: list[str]) -> str:
        start = f"KERNEL {name}(long {time}, long B, void **p) {{"
        return "\n  ".join([start, "long b = blockIdx.x;", *self.heads(lines), *lines]) + "\n}"

    def product(self, i: Instr) -> str:
        row, out = (self.pointer(self.memory.where(v)) for v in (i.args[0], i))
        matrix = self.buffer("fixed", i.args[1])
        some = 1 if i.width % 4 else 4
        return f"product_of_{some}({i.args[0].width}, {i.width}, {row}, {matrix}, {out});"
