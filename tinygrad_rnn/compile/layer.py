"""Exchange a layer's loop over time for a compiled one: `compile(layer)`, called by programs.

A compiled layer is the layer with another `loop`: a `CompiledScan` in place of `nn.scan`. For each
new combination of shapes, dtypes and wanted gradients it captures the cell's step, optimises it and
emits loops; what it cannot compile it says once and runs unrolled. Parameters are read at every
call.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import Any

from ..engine.options import choice, unfit, whole
from ..engine.tensor import Tensor
from ..engine.upper import UPPER
from ..functions.random import replayable
from ..nn.cell import Cell
from ..nn.recurrent import Recurrent
from ..nn.scan import InPieces, scan
from .codegen.emit_c import CLoops
from .codegen.emit_cuda import CUDALoops
from .codegen.emit_numpy import NumPyLoops
from .passes import PASSES, optimise
from .program import Step, Uncompilable
from .runtime.c_build import CannotBuild
from .runtime.call import Call, is_plain
from .runtime.compiled_loop import CompiledCall, Kernel
from .runtime.fingerprint import CellFingerprint

KEPT_KERNELS = 16
EMITTERS: dict[str, Any] = {loops.name: loops for loops in (CLoops, NumPyLoops, CUDALoops)}


def compile(layer: Any, backend: str = "auto", *, without: Sequence[str] = (),
            threads: int | None = None, checkpoint_every: int = 0) -> Any:  # fmt: skip
    """Return the layer with its loop over time compiled; a cell becomes a layer of that one cell.

    The result shares all that the layer holds and is called like it. `backend` is "auto" (CUDA on
    a GPU, else C, without a compiler NumPy) or one of these; `without` names passes to leave out.
    What cannot be compiled runs unrolled after a warning that says why. `checkpoint_every=k` keeps
    the values of k steps and computes the others again: memory for T/k + k steps instead of T.
    """
    layer = Recurrent(layer) if isinstance(layer, Cell) else layer
    if not isinstance(layer, Recurrent):
        raise TypeError(f"compile takes a recurrent layer or a cell, not {type(layer).__name__}")
    choice("compile", "backend", backend, ("auto", *EMITTERS))
    if not isinstance(without, (tuple, list, set, frozenset)):
        wanted = 'a list of names such as ["join"]'
        raise unfit("compile", "without", wanted, without, TypeError)
    for name in without:
        choice("compile", "a pass in without", name, (*PASSES, "fuse", "plan"))
    threads = None if threads is None else whole("compile", "threads", threads)
    checkpoint_every = whole("compile", "checkpoint_every", checkpoint_every, 0)
    loop = CompiledScan(backend, without, threads)
    return layer.with_loop(InPieces(loop, checkpoint_every) if checkpoint_every else loop)


class NotCompiled(UserWarning):
    """Warned of if a layer runs unrolled; the message says why."""


class CompiledScan:
    """Run `scan(cell, xs, state, mask, reverse)`, the loop compiled for each new shape.

    A layer with this loop offers `source()`, `explain()`, `drawing()` and this object, `compiled`.
    A copy compiles anew: kernels belong to the cells that they were made for.
    """

    offers = ("compiled", "source", "explain", "drawing")

    def __init__(self, backend: str, without: Sequence[str], threads: int | None):
        self.backend, self.without, self.threads = backend, tuple(without), threads
        self.kernels: dict[Any, Kernel | Uncompilable] = {}
        self.known: dict[int, CellFingerprint] = {}
        self.notes: list[str] = []

    def __reduce__(self) -> Any:
        return CompiledScan, (self.backend, self.without, self.threads)

    @property
    def compiled(self) -> CompiledScan:
        return self

    def __call__(self, cell: Cell, xs: Any, state: Any, mask: Any = None, reverse: bool = False,
                 run: Any = None, context: Any = None) -> tuple[Any, Any]:  # fmt: skip
        if run is not None or not isinstance(xs, Tensor) or 0 in xs.shape[:2]:
            return scan(cell, xs, state, mask, reverse, run, context)
        if not is_plain(context):
            wanted = "a context of Tensors and tuples can be compiled"
            got = f"{wanted}, not a {type(context).__name__}"
            self.note(f"{type(cell).__name__} runs unrolled: {got}")
            return scan(cell, xs, state, mask, reverse, None, context)
        turned = lambda a: a[::-1] if reverse and a is not None else a
        with replayable() as set_back:
            cell.begin(xs.shape[1], cell.like(xs))
            try:
                call = Call(self.held_by(cell), turned(xs), state, turned(mask), context)
                kernel = self.kernel(call)
                if not isinstance(kernel, Uncompilable):
                    y, *last = CompiledCall(kernel, call, set_back).results()
                    return turned(y), tuple(last) if call.nested else last[0]
            finally:
                cell.end()
            set_back()
        return scan(cell, xs, state, mask, reverse, None, context)

    def held_by(self, cell: Cell) -> CellFingerprint:
        """Return what the cell holds; walked anew only if that has changed since the last call."""
        held = self.known.get(id(cell))
        if held is None or not held.unchanged():
            held = self.known[id(cell)] = CellFingerprint(cell)
        return held

    def kernel(self, call: Call) -> Kernel | Uncompilable:
        """Return the kernel for a call's shapes, made now if it is new; the oldest one goes."""
        key = call.key()
        found = self.kernels.get(key)
        if found is None:
            found = self.kernels[key] = self._compiled(call)
            for oldest in list(self.kernels)[:-KEPT_KERNELS]:
                self.kernels.pop(oldest, None)
        return found

    def _compiled(self, call: Call) -> Kernel | Uncompilable:
        began = time.perf_counter()
        try:
            step, history = optimise(call.captured(), self.without)
            loops = self._emitted(step, call.inputs[0].device)
        except Uncompilable as reason:
            self.note(f"{type(call.cell).__name__} runs unrolled, not compiled: {reason}")
            return reason
        return Kernel(loops, history, time.perf_counter() - began, call.held)

    def _emitted(self, step: Step, device: str) -> Any:
        """Return the loops by the emitter wanted, or by NumPy where C cannot run them."""
        cuda = device == "cuda"
        name = ("cuda" if cuda else "c") if self.backend == "auto" else self.backend
        if cuda != (name == "cuda"):
            raise Uncompilable(f"the arrays are on {device!r}, the loops for {name}")
        try:
            return EMITTERS[name](step, self.without, self.threads)
        except (Uncompilable, CannotBuild) as reason:
            if name != "c":
                raise Uncompilable(str(reason)) from None
            self.note(f"NumPy loops instead of C: {reason}", aloud=self.backend != "auto")
            return NumPyLoops(step, self.without)

    def note(self, message: str, aloud: bool = True) -> None:
        """Remember why something is not as fast as asked, and say it once."""
        if message not in self.notes:
            self.notes.append(message)
            if aloud:
                warnings.warn(message, NotCompiled, stacklevel=8)

    def source(self) -> str:
        """Return the generated code of the latest kernel, whole."""
        from .listing import source

        return source(self._latest())

    def explain(self) -> str:
        """Return a text: the effect of each pass, the phases, reasons for anything uncompiled."""
        from .listing import report

        return "\n".join([*map(report, self._made()[-1:]), *self.notes]) or "nothing was called yet"

    def drawing(self, after: str = "defer", **options: Any) -> Any:
        """Return the program after a pass ("captured": before all of them), as a `Drawing`."""
        drawn = UPPER("draw.capture.programs").drawn
        return drawn(dict(self._latest().history), after, **options)

    def _latest(self) -> Kernel:
        made = self._made()
        if not made:
            raise RuntimeError("nothing is compiled yet: call the layer once")
        return made[-1]

    def _made(self) -> list[Kernel]:
        return [k for k in self.kernels.values() if isinstance(k, Kernel)]
