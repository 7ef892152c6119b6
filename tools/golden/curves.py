"""The losses of the programs in tests/programs/, their import lines turned to PyTorch's, on four
seeds: the same text, nothing else swapped."""

from __future__ import annotations

import re
from importlib.abc import InspectLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

from record import case

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "programs"
SEEDS = range(4)


def as_torch(text: str) -> str:
    """The program with another library in its import lines."""
    swapped = re.sub(r"(?m)^((?:import|from) )tinygrad_rnn", r"\1torch", text)
    return swapped.replace("import torch as torch", "import torch")


class Swapped(InspectLoader):
    """Imports a program with PyTorch in its import lines."""

    def __init__(self, path: Path):
        self.path = path

    def get_source(self, fullname: str) -> str:
        """Return the program's text."""
        return as_torch(self.path.read_text(encoding="utf-8"))


def record() -> list[dict[str, Any]]:
    import torch

    torch.set_num_threads(1)
    cases = []
    for path in sorted(FOLDER.glob("*.py")):
        if path.stem.startswith(("test_", "__")):
            continue
        spec: Any = spec_from_loader(path.stem, Swapped(path))
        module: Any = module_from_spec(spec)
        spec.loader.exec_module(module)
        run = module.run
        cases.append(case(path.stem, {}, {f"seed {s}": run(s) for s in SEEDS}))
    return cases
