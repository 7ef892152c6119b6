"""Tell whether there is a GPU, under the names of `torch.cuda`; ported programs ask."""

from __future__ import annotations

from typing import Any

from .engine.arrays import library


def _runtime() -> Any:
    """Return CuPy's CUDA runtime, or None where CuPy or a device is missing."""
    try:
        runtime = library("cuda").xp.cuda.runtime
        return runtime if runtime.getDeviceCount() else None
    except Exception:  # CuPy raises errors of its own where there is no driver
        return None


def is_available() -> bool:
    """Return True if `device="cuda"` works here."""
    return _runtime() is not None


def device_count() -> int:
    """Return how many GPUs there are."""
    runtime = _runtime()
    return int(runtime.getDeviceCount()) if runtime else 0


def synchronize() -> None:
    """Wait until the GPU has done what it was given."""
    runtime = _runtime()
    if runtime:
        runtime.deviceSynchronize()
