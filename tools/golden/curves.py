"""The losses of the programs in tests/programs/, their import lines turned to PyTorch's, on four
seeds: the same text, nothing else swapped."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from record import case

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "programs"
SEEDS = range(4)


def as_torch(text: str) -> str:
    """The program with another library in its import lines."""
    swapped = re.sub(r"(?m)^((?:import|from) )tinygrad_rnn", r"\1torch", text)
    return swapped.replace("import torch as torch", "import torch")


def record() -> list[dict[str, Any]]:
    import torch

    torch.set_num_threads(1)
    cases = []
    for path in sorted(FOLDER.glob("*.py")):
        if path.stem.startswith(("test_", "__")):
            continue
        with TemporaryDirectory() as folder:
            swapped = Path(folder, path.name)
            swapped.write_text(as_torch(path.read_text(encoding="utf-8")), encoding="utf-8")
            run = runpy.run_path(str(swapped))["run"]
        cases.append(case(path.stem, {}, {f"seed {s}": run(s) for s in SEEDS}))
    return cases
