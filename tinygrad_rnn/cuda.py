"""CUDA by way of CuPy: compiled kernels, products, and graphs that launch many of them at once."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from .backend import library

SCRATCH = 8 << 20  # bytes in which cuBLAS adds up parts of a product


class Device:
    """Kernels of one source, and the library of the arrays they work on."""

    def __init__(self, code: str):
        self.xp = library("cuda").xp
        self.kernel = self.xp.RawModule(code=code).get_function  # compiled when first asked for

    def scratch(self) -> Any:
        """Memory that products of one stream need while they run."""
        return self.xp.empty(SCRATCH, np.uint8)

    def product(self, rows: Any, matrix: Any, out: Any, scratch: Any) -> None:
        """out = rows @ matrix, where rows of both may be parts of longer ones. CuPy would refuse
        to record its own product, and copy such rows to memory that it takes back."""
        cuda, single = self.xp.cuda, out.dtype == np.float32
        kind = cuda.runtime.CUDA_R_32F if single else cuda.runtime.CUDA_R_64F
        fast = "_FAST_TF32" if os.environ.get("CUPY_TF32") == "1" else ""  # as CuPy's products are
        how = getattr(cuda.cublas, f"CUBLAS_COMPUTE_{f'32F{fast}' if single else '64F'}")
        numbers = np.arange(2, dtype=out.dtype)
        zero, one = (pointer(numbers.ctypes.data + n * out.itemsize) for n in (0, 1))
        array = lambda a: (pointer(a.data.ptr), kind, max(a.strides[0] // a.itemsize, a.shape[1]))
        sizes = (out.shape[1], *rows.shape)  # cuBLAS sees columns: outᵀ = matrixᵀ @ rowsᵀ
        handle, stream = pointer(cuda.get_cublas_handle()), cuda.get_current_stream().ptr
        call("SetStream_v2", handle, pointer(stream))
        call("SetWorkspace_v2", handle, pointer(scratch.data.ptr), ctypes.c_size_t(SCRATCH))
        call("GemmEx", handle, 0, 0, *sizes, one, *array(matrix), *array(rows), zero, *array(out),
             how, cuda.cublas.CUBLAS_GEMM_DEFAULT)  # fmt: skip

    def recorded(self, issue: Callable[[], None]) -> Callable[[], None]:
        """A function that does in one launch what `issue` does."""
        stream = self.xp.cuda.Stream(non_blocking=True)
        with stream:
            stream.begin_capture()
            issue()
            graph = stream.end_capture()
        return lambda: graph.launch(self.xp.cuda.get_current_stream())


pointer = ctypes.c_void_p


@functools.cache
def cublas() -> Any:
    """The very library that CuPy uses."""
    return ctypes.CDLL(library("cuda").xp.cuda.cublas.__file__)


def call(name: str, *args: Any) -> None:
    """Calls cuBLAS; raises RuntimeError if it cannot do what was asked."""
    status = getattr(cublas(), f"cublas{name}")(*args)
    if status:
        raise RuntimeError(f"cublas{name}: status {status}")
