"""The loops in CUDA: row stages as fused kernels, products by cuBLAS, the whole loop as one graph.

The stages, their text and the memory plan are those of the C loops. The first run of a phase issues
its kernels one by one, the second records them as a CUDA graph, later ones launch the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..cuda import Device
from ..native import address
from .memory import Workspace
from .program import Instr, Step
from .schedule import LOOPS
from .text import RowText

MOST_THREADS = 512  # per row


class RecordedWorkspace(Workspace):
    """Arrays on the device, the table of pointers to them, and what a phase launches."""

    def __init__(self, loops: Any, steps: int):
        super().__init__(loops, steps, loops.device.xp)
        pointers = [pointer(self.array(kind, of)) for kind, of in loops.buffers]
        self.table = self.xp.asarray(pointers, dtype=np.uint64)
        self.scratch = loops.device.scratch()

    def run(self, name: str) -> None:
        """Issues the phase the first time, records it the second time, then launches the graph."""
        if name not in self.ready:
            self.ready[name] = None
            self.issue(name)
        elif self.loops.stages[name] or name in LOOPS:
            issue = partial(self.issue, name)
            launch = self.ready[name] = self.ready[name] or self.loops.device.recorded(issue)
            launch()

    def issue(self, name: str) -> None:
        loops, looped, B = self.loops, name in LOOPS, self.memory.rows
        times = range(self.steps) if looped else range(1)
        for t in reversed(times) if name == "backward" else times:
            for k, stage in enumerate([*loops.stages[name], []]):  # at last, what states carry on
                if (name, k) in loops.kernels:
                    kernel = loops.device.kernel(f"{name}{k}")
                    kernel((B if looped else B * self.steps,), (loops.threads,), (t, B, self.table))
                else:
                    self.products(stage, t if looped else None)

    def products(self, stage: list[Instr], t: int | None) -> None:
        """A stage's products at step t, or of all steps."""
        for i in stage:
            left, out = (self.part(v, t) for v in (i.args[0], i))
            if t is None:
                left, out = (v.reshape(-1, v.shape[-1]) for v in (left, out))
            self.loops.device.product(left, self.array("fixed", i.args[1]), out, self.scratch)


class CUDALoops(RowText):
    """The phases as CUDA kernels, one per row stage."""

    name = "cuda"
    workspace = RecordedWorkspace
    device_for: Callable = Device

    def __init__(self, step: Step, without: Sequence[str] = (), threads: int | None = None):
        super().__init__(step, without)
        bodies = {(name, k): self.rows(name, k) for name, all_ in self.stages.items()
                  for k, stage in enumerate(all_) if stage[0].op != "matmul"}  # fmt: skip
        ends = {(name, len(self.stages[name])): self.copies(name) for name in LOOPS}
        self.kernels = {at: lines for at, lines in (bodies | ends).items() if lines}
        texts = [self.kernel(f"{n}{k}", lines) for (n, k), lines in self.kernels.items()]
        widest = max(s.width for s in step.states)
        self.threads = min(max(32, 1 << (widest - 1).bit_length()), MOST_THREADS)
        head = f"#define REAL {self.real}\n#define THREADS {self.threads}"
        kernels = Path(__file__).with_name("kernels.cu").read_text()
        self.code = "\n".join([head, kernels, *texts])
        self.device = self.device_for(self.code)

    def kernel(self, name: str, lines: list[str]) -> str:
        start = f'extern "C" __global__ void {name}(long t, long B, void **p) {{'
        return "\n  ".join([start, "long b = blockIdx.x;", *self.heads(lines), *lines]) + "\n}"


def pointer(array: Any) -> int:
    """The address of an array, on the device or (emulated) here."""
    return address(array) if isinstance(array, np.ndarray) else array.data.ptr
