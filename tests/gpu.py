"""Whether CuPy can run here, and the marks of what needs it."""

from __future__ import annotations

import importlib.util

import pytest


def why_not() -> str:
    """Return why CuPy cannot run here, or nothing if it can."""
    if importlib.util.find_spec("cupy") is None:
        return "CuPy is not installed"
    import cupy

    return "" if cupy.cuda.is_available() else "CuPy finds no CUDA device"


_WHY_NOT = why_not()
NEEDED = [pytest.mark.gpu, pytest.mark.skipif(bool(_WHY_NOT), reason=_WHY_NOT)]
CUDA = pytest.param("cuda", marks=NEEDED)
