"""Compile kernels, multiply and record launches with CuPy, for `emit_cuda`."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from ...engine.arrays import library, library_of
from .c_build import CannotBuild

LANES = 4  # so many products run side by side at the most
SCRATCH = 32 << 20  # bytes in which cuBLAS adds up parts of a product; with less it cuts few up

pointer = ctypes.c_void_p


def queue_of(array: Any) -> Any:
    """Return where work on an array waits for its turn: a GPU and its stream, None where nothing
    waits."""
    if type(array) is np.ndarray or library_of(array).device != "cuda":
        return None
    return array.device.id, library("cuda").xp.cuda.get_current_stream().ptr


class Device:
    """Kernels of one source, the library of the arrays they work on, and the cuBLAS it uses."""

    def __init__(self, code: str):
        self.xp = library("cuda").xp
        self.kernel = self.xp.RawModule(code=code).get_function  # compiled when first asked for
        self.cublas = ctypes.CDLL(self.xp.cuda.cublas.__file__)  # CuPy's module, linked with it
        if not hasattr(self.cublas, "cublasGemmEx"):  # Windows looks into the module alone
            raise CannotBuild("cuBLAS is not to be found by way of CuPy on this system")

    def address(self, array: Any) -> int:
        return array.data.ptr

    def multiplier(self) -> Multiplier:
        """Return what computes products; of one run at a time."""
        return Multiplier(self.xp, self.cublas)

    def repeated(self) -> Repeated:
        """Return a function that does some work, the same at every call, in one launch from the
        second call on."""
        return Repeated(self.xp.cuda)


class Multiplier:
    """Products by cuBLAS, called without CuPy: that would refuse to record its own, and copy rows
    that are part of longer ones to memory which it takes back."""

    def __init__(self, xp: Any, cublas: Any):
        self.xp, self.cublas, self.begin = xp, cublas, xp.cuda.Event()
        self.lanes: list[tuple[Any, Any, Any]] = []  # a stream, what ends on it, its scratch memory

    def __call__(self, work: list[tuple]) -> None:
        """Compute `out = rows @ matrix` for all (rows, matrix, out), which need nothing of each
        other.

        Alone they do not fill a device, so they run side by side: on streams that begin after what
        the current one was given before, and end before what it is given next.
        """
        here = self.xp.cuda.get_current_stream()
        while len(self.lanes) < min(len(work), LANES):
            self.lanes.append(self.lane())
        used = self.lanes[: len(work)]
        if len(used) > 1:
            self.begin.record(here)
        for stream, _, _ in used[1:]:
            stream.wait_event(self.begin)
        for k, (rows, matrix, out) in enumerate(work):
            stream, _, scratch = used[k % len(used)]
            self.product(rows, matrix, out, scratch, stream if k % len(used) else here)
        for stream, end, _ in used[1:]:
            end.record(stream)
            here.wait_event(end)

    def lane(self) -> tuple[Any, Any, Any]:
        cuda = self.xp.cuda
        return cuda.Stream(non_blocking=True), cuda.Event(), self.xp.empty(SCRATCH, np.uint8)

    def product(self, rows: Any, matrix: Any, out: Any, scratch: Any, stream: Any) -> None:
        cuda, single = self.xp.cuda, out.dtype == np.float32
        kind = cuda.runtime.CUDA_R_32F if single else cuda.runtime.CUDA_R_64F
        fast = "_FAST_TF32" if os.environ.get("CUPY_TF32") == "1" else ""  # as CuPy's products are
        how = getattr(cuda.cublas, f"CUBLAS_COMPUTE_{f'32F{fast}' if single else '64F'}")
        numbers = np.arange(2, dtype=out.dtype)
        zero, one = (pointer(numbers.ctypes.data + n * out.itemsize) for n in (0, 1))
        array = lambda a: (pointer(a.data.ptr), kind, max(a.strides[0] // a.itemsize, a.shape[1]))
        sizes = (out.shape[1], *rows.shape)  # cuBLAS sees columns: outᵀ = matrixᵀ @ rowsᵀ
        # offered all of it for a few rows, cuBLAS picks kernels that take ten times as long
        space = SCRATCH if len(rows) >= 32 else SCRATCH // 4
        handle = pointer(cuda.get_cublas_handle())
        self.ask("SetStream_v2", handle, pointer(stream.ptr))
        self.ask("SetWorkspace_v2", handle, pointer(scratch.data.ptr), ctypes.c_size_t(space))
        self.ask("GemmEx", handle, 0, 0, *sizes, one, *array(matrix), *array(rows), zero,
                 *array(out), how, cuda.cublas.CUBLAS_GEMM_DEFAULT)  # fmt: skip

    def ask(self, name: str, *args: Any) -> None:
        """Call cuBLAS; raise RuntimeError if it cannot do what it is asked for."""
        status = getattr(self.cublas, f"cublas{name}")(*args)
        if status:
            raise RuntimeError(f"cublas{name}: status {status}")


class Repeated:
    """Work on a device: the first call issues it and so loads all it needs, the second records it
    as a graph."""

    def __init__(self, cuda: Any):
        self.cuda, self.loaded = cuda, False
        self.graph: Any = None

    def __call__(self, issue: Callable[[], None]) -> None:
        if self.loaded:
            self.graph = self.graph or self.recorded(issue)
            self.graph.launch(self.cuda.get_current_stream())
        else:
            issue()
            self.loaded = True

    def recorded(self, issue: Callable[[], None]) -> Any:
        stream = self.cuda.Stream(non_blocking=True)
        with stream:
            stream.begin_capture()
            issue()
            return stream.end_capture()
