"""Random programs with torch's values and gradients, a sample of what
tests/differential/check_engine.py runs live."""

from __future__ import annotations

import contextlib
import itertools
import sys
from pathlib import Path
from typing import Any

from record import case

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "tests")]

from differential.programs import Library, leaf_data, run, torch_library  # noqa: E402
from differential.writer import write  # noqa: E402

FIRST_SEED = 1_000_000
RECORDED = 400


def recorded(seed: int, lib: Library) -> dict[str, Any]:
    program = write(seed, lib, most_lines=20)
    data = leaf_data(program)
    values, leaves = run(lib, program, data)
    arrays = {f"leaf/{i}": a for i, a in enumerate(data)}
    arrays |= {f"output/{i}": values[i].detach().numpy() for i in program["outputs"]}
    arrays |= {f"grad/{i}": x.grad.numpy() for i, x in enumerate(leaves) if x.grad is not None}
    return case(str(seed), program, arrays)


def record() -> list[dict[str, Any]]:
    lib, cases = torch_library(), []
    for seed in itertools.count(FIRST_SEED):
        with contextlib.suppress(RuntimeError):  # torch has no derivative of it
            cases.append(recorded(seed, lib))
        if len(cases) == RECORDED:
            return cases
    raise AssertionError("count() does not end")
