"""The registry: who can take part, what each needs, and how each is built.

A contestant is one function `build(problem, device) -> (step, read)`: `step()` does one whole
training step and leaves nothing unfinished on the device; `read(result)` turns what it returned
into {name: array} in the layout of `problems.py`, outside the timing.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benches.problems import Problem

Step = Callable[[], Any]
Read = Callable[[Any], dict]
Build = Callable[[Problem, str], "tuple[Step, Read | None]"]


@dataclass(frozen=True)
class Contestant:
    """One way to compute a training step; without `read` it is a yardstick, not checked."""

    name: str
    needs: str
    build: Build
    cells: tuple[str, ...]
    devices: tuple[str, ...]
    slow: bool = False  # runs only when named

    def missing(self, problem: Problem, device: str) -> str | None:
        """Returns why this contestant cannot take part, or None if it can."""
        if problem.cell not in self.cells:
            return f"has no {problem.cell}"
        if device not in self.devices:
            return f"does not run on {device}"
        if not installed(self.needs):
            return f"{self.needs} is not installed"
        return None


SUITES: dict[str, dict[str, Contestant]] = {"eager": {}, "compiled": {}}
CPU, CPU_AND_GPU = ("cpu",), ("cpu", "cuda")


def contestant(
    suite: str,
    name: str,
    needs: str,
    cells: tuple[str, ...],
    devices: tuple[str, ...] = CPU,
    slow: bool = False,
) -> Callable[[Build], Build]:
    """Enters the decorated `build` function into a suite; the first entered is the reference."""

    def enter(build: Build) -> Build:
        SUITES[suite][name] = Contestant(name, needs, build, cells, devices, slow)
        return build

    return enter


def installed(module: str) -> bool:
    """Returns whether `module` could be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the parent package of a dotted name
        return False
