"""How long `import tinygrad_rnn` takes beside `import numpy`: medians of interleaved starts."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

CLOCK = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
BOUND = 1.3


def seconds(module: str) -> float:
    """Return how long a fresh interpreter takes to import a module."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-W", "error", "-c", CLOCK.format(module)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main(rounds: int = 20) -> int:
    modules = ("numpy", "tinygrad_rnn")
    times = [[seconds(module) for module in modules] for _ in range(rounds + 1)][1:]
    numpy, ours = (statistics.median(column) for column in zip(*times))
    print(f"import numpy {numpy:.3f} s, tinygrad_rnn {ours:.3f} s: {ours / numpy:.2f} times")
    return 0 if ours < BOUND * numpy else 1


if __name__ == "__main__":
    sys.exit(main())
