"""Suite `import`: what `import tinygrad_rnn` costs beside `import numpy`, each in a new process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("numpy", "tinygrad_rnn")
CLOCK = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def run(repeats: int) -> list[dict]:
    """Returns median and minimum in ms of at least 20 interleaved imports, and × numpy."""
    times: dict[str, list[float]] = {name: [] for name in MODULES}
    for turn in range(max(20, repeats) + 1):
        for name in MODULES:
            took = import_once(name)
            if turn:  # the first turn fills the disk cache and writes byte code
                times[name].append(took)
    numpy_median = median(times["numpy"])
    return [
        {
            "import": name,
            "starts": len(found),
            "median_ms": median(found),
            "min_ms": min(found),
            "x_numpy": median(found) / numpy_median,
        }
        for name, found in times.items()
    ]


def import_once(module: str) -> float:
    """Returns how many ms a new interpreter takes to import `module`, warnings being errors."""
    command = [sys.executable, "-W", "error", "-c", CLOCK.format(module)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return 1e3 * float(done.stdout)
