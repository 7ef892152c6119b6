"""The loops in CUDA: row stages as fused kernels, products by cuBLAS, the whole loop as one graph.

The stages and the memory plan are those of the C loops. A block of threads computes one row of the
batch; its threads share the columns. The first run of a loop issues its kernels one by one, the
second records them as a CUDA graph, later ones launch the graph. Without a GPU only the text and
its logic are tested (compiled by nvcc, and emulated); it has not yet run on a device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import library
from .emit_c import Group, RowText
from .ir import Instr, Step, Uncompilable
from .layout import Place
from .program import LOOPS, Program
from .rows import PRODUCTS, REDUCE, follows, groups, light, view
from .rows import prepare as prepared

THREADS = 128  # per row
HEAD = """
#ifdef __cplusplus
extern "C" {
#endif
typedef REAL real;
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#endif
#define sigmoid_of(x) (1 / (1 + exp(-(x))))
#define tanh_of tanh
#define exp_of exp
#define SQRT sqrt
#define LOG log
#define EXPM1 expm1
#define LOG1P log1p
#define SIN sin
#define COS cos
#define ERF erf
#define POW pow
#define ABS fabs
__shared__ real parts[THREADS];
#define OVER_THREADS(NAME, COMBINE)                              \\
  __device__ real NAME(real v) { /* of all threads of a row */    \\
    parts[threadIdx.x] = v;                                       \\
    __syncthreads();                                              \\
    real a = parts[0];                                            \\
    for (int k = 1; k < blockDim.x; k++) { real b = parts[k]; a = COMBINE; } \\
    __syncthreads();                                              \\
    return a;                                                     \\
  }
OVER_THREADS(row_sum, a + b)
OVER_THREADS(row_amax, (b > a || b != b ? b : a))
"""
TAIL = """
#ifdef __cplusplus
}
#endif
"""


def prepare(step: Step) -> Step:
    return prepared(step, add_to=False)  # cuBLAS writes its result, the next kernel adds


class CudaLoops(RowText):
    """The two loops as CUDA kernels, one per row stage."""

    name = "cuda"

    def __init__(self, program: Program, threads: int | None = None, device: Any = None):
        super().__init__(program)
        self.kernels = {name: self._kernels(name) for name in LOOPS}
        texts = [text for name in LOOPS for text in self.kernels[name].values()]
        head = f"#define REAL {'float' if self.real == np.float32 else 'double'}\n"
        self.code = "\n".join([f"{head}#define THREADS {THREADS}", HEAD, *texts, TAIL])
        self.device = device or CupyDevice(self.code)

    def _kernels(self, name: str) -> dict[int, str]:
        """Kernel text by number of stage; a last one copies what is not computed in its place."""
        bodies = {
            k: self._rows(name, stage)
            for k, stage in enumerate(self.stages[name]) if stage[0].op not in PRODUCTS
        }  # fmt: skip
        copies = self._copies(name)[1::2]
        if copies:
            bodies[len(self.stages[name])] = copies
        return {k: self._kernel(f"{name}{k}", body) for k, body in bodies.items()}

    def _rows(self, name: str, stage: list[Instr]) -> list[str]:
        needed = self._stored(name, stage)
        pointers: dict[Place, str] = {}
        lines = []
        for group in groups(stage, self.fuse):
            lines += [*CudaGroup(self, group, needed, stage, pointers).lines(), "__syncthreads();"]
        return lines[:-1]

    def _kernel(self, name: str, body: list[str]) -> str:
        used = [b for b in self.buffers.items() if any(b[1] in line for line in body)]
        heads = [f"{self._type(k)} *{b} = ({self._type(k)} *)p[{self._index(b)}];" for k, b in used]
        start = f"__global__ void {name}(long t, long B, void **p) {{"
        return "\n  ".join([start, "long b = blockIdx.x;", *heads, *body]) + "\n}"

    def workspace(self, steps: int) -> CudaWorkspace:
        return CudaWorkspace(self, steps)


class CudaGroup(Group):
    """One loop over columns, shared by the threads of a block."""

    def lines(self) -> list[str]:
        body = [line for i in self.group for line in self.statement(i)]
        # where all threads compute the same number, none may write before all have read
        read = ["__syncthreads();"] if self.wide == 1 and self.loads else []
        body = [*self.loads.values(), *read, *body]
        sums = [i for i in self.group if i.op in REDUCE]
        names = self.loops.names
        heads = [*self.heads, *(f"real {names[i]} = {REDUCE[i.op][0]};" for i in sums)]
        if self.wide == 1 or self.group[0].op == "concatenate":
            return heads + body
        step = f"for (long j = threadIdx.x; j < {self.wide}; j += blockDim.x) {{"
        ends = [f"{names[i]} = row_{i.op}({names[i]});" for i in sums]
        ends += [self.store(i, "0") for i in sums if i in self.needed]
        return [*heads, step, *("  " + line for line in body), "}", *ends]


class CupyDevice:
    """Kernels compiled by CuPy, and its arrays."""

    def __init__(self, code: str):
        try:
            self.xp = library("cuda").xp
            self.module = self.xp.RawModule(code=code, options=("-std=c++14",))
        except ImportError as error:
            raise Uncompilable(str(error)) from None

    def kernel(self, name: str) -> Callable:
        return self.module.get_function(name)

    def recorded(self, issue: Callable[[], None]) -> Callable[[], None]:
        """A function that does in one launch what `issue` does."""
        stream = self.xp.cuda.Stream(non_blocking=True)
        with stream:
            stream.begin_capture()
            issue()
            graph = stream.end_capture()
        return lambda: graph.launch(self.xp.cuda.get_current_stream())


class CudaWorkspace:
    """The memory of one run of T steps on the device, and what a step launches."""

    def __init__(self, loops: CudaLoops, steps: int):
        self.loops, self.steps, self.xp = loops, steps, loops.device.xp
        p, xp = loops.program, self.xp
        self.inputs: dict[Instr, Any] = {}
        self.all: dict[Instr, Any] = {}
        self.states = [xp.empty((steps + 1, *s.shape), loops.real) for s in p.step.states]
        self.carry = [xp.empty((2, *s.shape), loops.real) for s in p.step.dstates]
        self.arrays = {name: self._memory(*key) for key, name in loops.buffers.items()}
        for i in (i for name in LOOPS for i in p.loop(name) if i.op in PRODUCTS):
            self._memory("fixed", i.args[-1])
        for i in p.kept:
            memory, at = loops.alias.get(i, loops.places.placed.get(i, (i, 0)))
            self.all[i] = self.all[memory][..., at : at + i.width]
        self.table = xp.asarray([pointer(a) for a in self.arrays.values()], dtype=np.uint64)
        self.fixed_env = p.fixed_env(self)
        self.fixed_env |= {i: xp.asarray(v) for i, v in self.fixed_env.items() if i.op == "const"}
        self.weights: dict[str, Any] = {}
        self.launches: dict[str, Callable[[], None]] = {}

    def _memory(self, kind: str, of: Any) -> Any:
        """The array behind one entry of the table."""
        if kind in ("state", "carry"):
            return {"state": self.states, "carry": self.carry}[kind][of]
        dtype = of.dtype or self.loops.real
        if kind in ("x", "dy", "kept"):
            into = self.all if kind == "kept" else self.inputs
            return into.setdefault(of, self.xp.empty((self.steps, *of.shape), dtype))
        if kind == "once":
            return self.xp.empty(of.shape, dtype)
        return self.inputs.setdefault(of, self.xp.array(np.asarray(of.value), dtype=dtype))

    def load(self, i: Instr, array: Any) -> None:
        self.inputs[i][...] = array

    def begin(self) -> None:
        """Nothing: a graph is bound to the memory it was recorded with."""

    def result(self, y: Any) -> Any:
        return self.xp.concatenate(
            [part.reshape(-1) for part in (y, *(s[-1] for s in self.states))]
        )

    def run(self, name: str) -> None:
        """Issues the loop the first time, records it the second time, then launches the graph."""
        if name not in self.launches:
            self.launches[name] = lambda: self._record(name)
            self._issue(name)
        else:
            self.launches[name]()

    def _record(self, name: str) -> None:
        self.launches[name] = self.loops.device.recorded(lambda: self._issue(name))
        self.launches[name]()

    def _issue(self, name: str) -> None:
        loops = self.loops
        stages = dict(enumerate(loops.stages[name]))
        for t in range(self.steps) if name == "forward" else reversed(range(self.steps)):
            for k in sorted({*stages, *loops.kernels[name]}):
                if k in loops.kernels[name]:
                    kernel = loops.device.kernel(f"{name}{k}")
                    kernel((loops.rows,), (THREADS,), (t, loops.rows, self.table))
                else:
                    for i in stages[k]:
                        a, w = i.args
                        self.xp.matmul(self._at(a, t), self.inputs[w], out=self._at(i, t))

    def _at(self, i: Instr, t: int) -> Any:
        """The rows of `i` at step t."""
        buffer, when, offset, _ = self.loops.where(i)
        time = {"steps": t, "old": t, "new": t + 1, "came": (t + 1) % 2, "goes": t % 2}.get(when)
        array = self.arrays[buffer] if time is None else self.arrays[buffer][time]
        return array[..., offset : offset + i.width]


def pointer(array: Any) -> int:
    """The address of an array, on the device or (emulated) here."""
    here = isinstance(array, np.ndarray)
    return array.__array_interface__["data"][0] if here else array.data.ptr


Loops = CudaLoops
__all__ = ["Loops", "follows", "light", "prepare", "view"]
