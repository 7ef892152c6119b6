"""Random programs run live with torch and with this engine: values, gradients, dtypes and shapes
agree.

    python tests/differential/check_engine.py    10,000 programs of up to 30 lines
        --programs 500 --seed 7                  another 500, from seed 7 on
        --second --lines 15                      and their second derivatives
        --replay failure.json                    one program again

A program that disagrees is made as small as it can be and still disagree, printed, and saved. The
language is described in programs.py. torch is needed here, and nowhere else.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS)]  # the package, installed or not

from differential.programs import (  # noqa: E402
    Library,
    Program,
    leaf_data,
    our_library,
    run,
    second,
    text,
    torch_library,
)
from differential.shrink import shrunk  # noqa: E402
from differential.writer import write  # noqa: E402
from tinygrad_rnn.engine.atomic_write import atomic_write  # noqa: E402
from tinygrad_rnn.engine.command_line import run_command  # noqa: E402

TOLERANCE = {"float64": (1e-7, 1e-6), "float32": (2e-4, 2e-3)}  # of values, of gradients
SECOND = {"float64": 1e-6, "float32": 2e-2}


def differs(ours: np.ndarray, theirs: np.ndarray, tolerance: float, scale: float = 1.0) -> str:
    """What is wrong with `ours`, or nothing; numbers below `scale` count as small."""
    if ours.shape != theirs.shape:
        return f"shape {ours.shape} instead of {theirs.shape}"
    if ours.dtype != theirs.dtype:
        return f"dtype {ours.dtype} instead of {theirs.dtype}"
    with np.errstate(invalid="ignore"):
        off = np.abs(ours - theirs) if ours.dtype.kind == "f" else (ours != theirs).astype(float)
    bad = ~(off <= tolerance * np.maximum(np.abs(theirs), scale))
    if not bad.any():
        return ""
    at = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"{ours[at]!r} instead of {theirs[at]!r} at {at}"


def numpy_of(x: Any) -> np.ndarray:
    return np.asarray(x.detach().numpy())


def disagreement(program: Program, ours: Library, theirs: Library) -> str:
    """The first value or gradient on which the two libraries differ, or nothing."""
    data = leaf_data(program)
    mixed = any(leaf["dtype"] != "float64" for leaf in program["leaves"])
    value_tolerance, grad_tolerance = TOLERANCE["float32" if mixed else "float64"]
    try:
        expected, expected_leaves = run(theirs, program, data)
    except RuntimeError:  # torch has no derivative of it: nothing to compare with
        return ""
    try:
        values, leaves = run(ours, program, data)
    except Exception as error:  # whatever it is, torch could do it and we could not
        return f"{type(error).__name__}: {error}"
    for i, (a, b) in enumerate(zip(values, expected, strict=True)):
        if wrong := differs(numpy_of(a), numpy_of(b), value_tolerance):
            return f"value v{i}: {wrong}"
    grads = [None if x.grad is None else numpy_of(x.grad) for x in expected_leaves]
    largest = max([1.0, *(float(np.abs(g).max()) for g in grads if g is not None and g.size)])
    for i, (leaf, g) in enumerate(zip(leaves, grads, strict=True)):
        if (leaf.grad is None) != (g is None):
            return f"gradient of v{i}: {'none' if leaf.grad is None else 'one'}, unlike torch"
        if g is not None and (wrong := differs(numpy_of(leaf.grad), g, grad_tolerance, largest)):
            return f"gradient of v{i}: {wrong}"
    return ""


def second_disagreement(program: Program, ours: Library, theirs: Library) -> str:
    """The same of second derivatives; programs torch cannot differentiate twice agree."""
    data = leaf_data(program)
    tolerance = SECOND["float32" if any(a.dtype != np.float64 for a in data) else "float64"]
    try:
        expected = second(theirs, program, data)
    except RuntimeError:
        return ""
    if not all(np.isfinite(a).all() for a in expected):
        return ""
    largest = max([1.0, *(float(np.abs(a).max()) for a in expected if a.size)])
    for i, (a, b) in enumerate(zip(second(ours, program, data), expected, strict=True)):
        if wrong := differs(a, b, tolerance, largest):
            return f"second derivative by leaf {i}: {wrong}"
    return ""


def report(program: Program, fails: Callable[[Program], str], theirs: Library, to: Path) -> None:
    small = shrunk(program, theirs, fails)
    path = to / f"program-{program['seed']}.json"
    atomic_write(path, json.dumps(small).encode())
    print(f"\nseed {program['seed']}: {fails(program)}")
    print(f"smallest: {fails(small)}\n{text(small)}")
    print(f"again: python tests/differential/check_engine.py --replay {path}")


def bar(done: int, total: int, failed: int, start: float) -> None:
    rate = done / max(time.perf_counter() - start, 1e-9)
    filled = "█" * (30 * done // total)
    left = (total - done) / rate
    line = f"\r{filled:░<30} {done}/{total}  {rate:.0f}/s  {left:.0f} s left  {failed} differ "
    print(line, end="", file=sys.stderr, flush=True)


def check(a: argparse.Namespace, fails: Callable[[Program], str], theirs: Library) -> int:
    """Runs the programs and returns how many disagreed."""
    start, failed, lines, used = time.perf_counter(), 0, 0, Counter[str]()
    for done, seed in enumerate(range(a.seed, a.seed + a.programs), 1):
        program = write(seed, theirs, a.lines)
        lines += len(program["lines"])
        used.update(params.get("op", op) for op, _, params in program["lines"])
        if fails(program):
            failed += 1
            report(program, fails, theirs, a.folder)
            if failed >= a.stop_after:
                break
        if done % 25 == 0 or done == a.programs:
            bar(done, a.programs, failed, start)
    took = f"{time.perf_counter() - start:.0f} s"
    print(f"\n{done} programs, {lines} lines of {len(used)} kinds, {took}: {failed} differ")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first program")
    parser.add_argument("--lines", type=int, default=30, help="at most, of one program")
    parser.add_argument("--second", action="store_true", help="second derivatives too")
    parser.add_argument("--stop-after", type=int, default=5, help="failures")
    parser.add_argument("--folder", type=Path, default=Path("."), help="where failures are saved")
    parser.add_argument("--replay", type=Path, help="a saved program")
    a = parser.parse_args()
    warnings.simplefilter("ignore")
    ours, theirs = our_library(), torch_library()

    def fails(program: Program) -> str:
        wrong = disagreement(program, ours, theirs)
        return wrong or (second_disagreement(program, ours, theirs) if a.second else "")

    if a.replay:
        program = json.loads(a.replay.read_text())
        print(f"{text(program)}\n{fails(program) or 'agrees'}")
        return bool(fails(program))
    return bool(check(a, fails, theirs))


if __name__ == "__main__":
    sys.exit(run_command(main, "check_engine"))
