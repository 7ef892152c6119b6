"""Records numbers from other libraries into tests/golden/, one .npz for each.

    python tools/golden/record.py                 all whose library is here; names the others
    python tools/golden/record.py torch_recurrent functions

The product and its tests need none of these libraries: the tests read what lies in tests/golden/.
Record again only when a fixture gains cases. The format is described and read in
tests/golden/__init__.py.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "golden"
# fixture -> libraries it needs; the module of its name has `record() -> cases`
RECORDERS = {
    "torch_recurrent": ["torch"],
    "functions": ["torch"],
    "dtypes": ["torch"],
    "onnx_recurrent": ["onnx", "onnxruntime"],
    "keras_recurrent": ["keras", "torch"],
    "programs": ["torch"],
    "curves": ["torch"],
    "ctc": ["torch"],
    "optimizers": ["torch"],
    "mistakes": ["torch"],
    "files": ["torch", "safetensors"],
    "forms": ["torch", "expecttest"],
    "modules": ["torch"],
    "names": ["torch"],
}
MAX_BYTES = 1_200_000  # of one file: fixtures stay small enough to clone


def case(name: str, options: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    """One case as the recorders make it; arrays may be anything `np.asarray` takes."""
    return {
        "name": name,
        "options": options,
        "arrays": {k: np.asarray(a) for k, a in arrays.items()},
    }


def pack(cases: list[dict[str, Any]]) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """All numbers end to end, and the cases with each array replaced by its place there."""
    pieces, index, at = [], [], 0
    for c in cases:
        places = {}
        for name, a in c["arrays"].items():
            flat = a.astype(np.float64).ravel()
            if a.dtype.kind in "iu" and not np.array_equal(flat.astype(a.dtype), a.ravel()):
                raise ValueError(f"{c['name']}: {name} holds integers that float64 does not")
            places[name] = {"at": at, "shape": list(a.shape)}
            if a.dtype != np.float64:
                places[name]["dtype"] = a.dtype.name
            pieces.append(flat)
            at += flat.size
        index.append({"name": c["name"], "options": c["options"], "arrays": places})
    return np.concatenate([np.empty(0), *pieces]), index


def save(name: str, libraries: list[str], cases: list[dict[str, Any]]) -> int:
    """Writes the fixture and returns its size in bytes."""
    how = {library: version(library) for library in [*libraries, "numpy"]}
    how["python"], how["command"] = (
        platform.python_version(),
        f"python tools/golden/record.py {name}",
    )
    numbers, index = pack(cases)
    text = json.dumps({"how": how, "cases": index}, separators=(",", ":"))
    path = FOLDER / f"{name}.npz"
    np.savez_compressed(path, numbers=numbers, index=np.array(text))
    return path.stat().st_size


def missing(libraries: list[str]) -> list[str]:
    absent = []
    for library in libraries:
        try:
            version(library)
        except PackageNotFoundError:
            absent.append(library)
    return absent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fixture", nargs="*", default=list(RECORDERS), help="; ".join(RECORDERS))
    for name in parser.parse_args().fixture:
        if name not in RECORDERS:
            parser.error(f"no fixture {name!r}; there are {', '.join(RECORDERS)}")
        absent = missing(RECORDERS[name])
        if absent:
            print(f"{name:16} not recorded: {', '.join(absent)} is not installed")
            continue
        cases = importlib.import_module(name).record()
        size = save(name, RECORDERS[name], cases)
        print(f"{name:16} {len(cases):4} cases {size / 1000:8.1f} kB")
        if size > MAX_BYTES:
            print(f"{name} is larger than {MAX_BYTES} bytes: record fewer cases", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
