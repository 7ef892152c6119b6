"""Rows into aligned text and JSON, with the machine, the versions and the command beside them."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from benches.contestants import SUITES

PACKAGES = "numpy torch autograd mygrad tinygrad jax cupy-cuda13x cupy-cuda12x".split()
LEAF = ("cell", "T", "B", "I", "H", "threads")


def finish(rows: list[dict], options: argparse.Namespace) -> None:
    """Prints the tables of `rows`; with --json writes all that was measured."""
    save(rows, options)
    print(heading(machine(options.device)))
    print(races(rows, options.suite) if options.suite in SUITES else listing(rows))
    idle = [n for n, entry in SUITES.get(options.suite, {}).items() if entry.slow]
    if idle and not options.contestants:
        print(f"not measured unless named with --contestants: {', '.join(idle)}")


def save(rows: list[dict], options: argparse.Namespace) -> None:
    """Writes the rows so far to the file that --json names, if it names one."""
    if options.json:
        from tinygrad_rnn.engine.atomic_write import atomic_write  # not in a peer's process

        text = json.dumps(
            {**machine(options.device), "suite": options.suite, "rows": rows}, indent=1
        )
        atomic_write(options.json, f"{text}\n".encode())


def machine(device: str) -> dict[str, Any]:
    """Returns what a reader needs to judge the numbers: processors, versions, command, day."""
    versions = {name: version(name) for name in PACKAGES}
    return {
        "command": " ".join([*chosen(), "python tools/bench.py", *sys.argv[1:]]),
        "date": date.today().isoformat(),
        "processor": processor() + (f", {gpu()}" if device == "cuda" else ""),
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {n: v for n, v in versions.items() if v},
    }


def chosen() -> list[str]:
    """Returns what the environment says about the kernels that OpenBLAS, NumPy's, is to use."""
    name = "OPENBLAS_CORETYPE"
    return [f"{name}={os.environ[name]}"] if name in os.environ else []


def version(package: str) -> str | None:
    """Returns the installed version, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def processor() -> str:
    """Returns the processor's name and its widest vector instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    found = {k.strip(): v.strip() for k, v in fields.items()}
    flags = found.get("flags", "").split()
    widest = next((f for f in ("avx512f", "avx2", "avx", "sse2") if f in flags), "")
    return f"{found.get('model name', platform.machine())} {widest}".strip()


def gpu() -> str:
    """Returns the first GPU's name and the driver's version."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    found = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    return found[0].replace(", ", ", driver ") if found else "a GPU"


def heading(facts: dict) -> str:
    """Returns the lines above the tables."""
    versions = ", ".join(f"{n} {v}" for n, v in facts["versions"].items())
    return (
        f"$ {facts['command']}\n{facts['date']}, {facts['processor']}, {facts['cores']} cores, "
        f"{facts['system']}\nPython {facts['python']}, {versions}\n"
    )


def races(rows: list[dict], suite: str) -> str:
    """Returns a table of minima, medians and memory per thread count, ratios to the reference."""
    reference = next(iter(SUITES[suite]))
    parts = []
    for threads in sorted({row["threads"] for row in rows}):
        here = [row for row in rows if row["threads"] == threads]
        for title, field, digits in (
            ("minimum, ms", "min_ms", 2),
            ("median, ms", "median_ms", 2),
            ("least processor time, ms", "cpu_ms", 2),
            ("building and first step, ms", "first_ms", 0),
            ("growth of peak memory in one step, MB", "peak_mb", 1),
        ):
            if any(field in row for row in here):
                ratios = f" (× {reference})" if took_part(here, reference) else ""
                note = f"{threads} thread(s), {title}{ratios}"
                parts += [note, matrix(here, field, digits, reference), ""]
    return "\n".join(parts + [absent(rows)])


def matrix(rows: list[dict], field: str, digits: int, reference: str) -> str:
    """Returns one table: a line per problem, a column per contestant that took part."""
    names = [n for n in unique(rows, lambda r: r["contestant"]) if took_part(rows, n)]
    lines = [["cell", "size", *names]]
    for leaf in unique(rows, key):
        cells = {r["contestant"]: r.get(field) for r in rows if key(r) == leaf}
        base = cells.get(reference)
        line = [leaf[0], f"T{leaf[1]} B{leaf[2]} H{leaf[4]}"]
        lines.append(line + [entry(cells.get(n), base, digits, n == reference) for n in names])
    return aligned(lines)


def entry(value: float | None, base: float | None, digits: int, plain: bool) -> str:
    """Returns e.g. "12.02 (0.88)": the value and its ratio to the reference."""
    if value is None:
        return "-"
    ratio = f" ({value / base:.2f})" if base and not plain else ""
    return f"{value:.{digits}f}{ratio}"


def absent(rows: list[dict]) -> str:
    """Returns a line per contestant that was left out and the reason, each said once.

    That a library has no such cell goes without saying: its column shows "-".
    """
    reasons = [(r["contestant"], r.get("missing") or r.get("failed") or "has no") for r in rows]
    named = [(n, why) for n, why in dict.fromkeys(reasons) if not why.startswith("has no")]
    return "\n".join(f"not measured: {n}: {why}" for n, why in named)


def listing(rows: list[dict]) -> str:
    """Returns a plain table with the rows' keys on top."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    body = [[show(row.get(name)) for name in names] for row in rows]
    return aligned([names, *body])


def show(value: Any) -> str:
    """Returns a value short enough for a table."""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return "-" if value is None else str(value)


def aligned(lines: list[list[str]]) -> str:
    """Returns the lines in columns, the first two flush left and the others flush right."""
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]

    def one(line: list[str]) -> str:
        cells = zip(line, widths, strict=True)
        return "  ".join(t.rjust(w) if k > 1 else t.ljust(w) for k, (t, w) in enumerate(cells))

    return "\n".join(one(line).rstrip() for line in lines)


def key(row: dict) -> tuple:
    """Returns what tells problems apart."""
    return tuple(row[name] for name in LEAF)


def unique(rows: list[dict], what: Callable[[dict], Any]) -> list:
    """Returns the distinct values in order of appearance."""
    return list(dict.fromkeys(map(what, rows)))


def took_part(rows: list[dict], name: str) -> bool:
    """Returns whether a contestant was timed anywhere."""
    return any(r["contestant"] == name and "min_ms" in r for r in rows)
