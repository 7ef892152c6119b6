"""The single page to try everything in: one file that holds Python, NumPy and this project.

It opens from a disk as well as from a server. Files of Pyodide that are not to be had here are left
out; the page then loads them from Pyodide's public CDN and the browser checks their hash.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import zipfile
from pathlib import Path

from .pyodide import CDN, HASHES, LOCK

ROOT = Path(__file__).resolve().parents[2]
PARTS = ROOT / "tutorials" / "site" / "try"
NUMPY = next(name for name in HASHES if name.startswith("numpy-"))
CORE = ("pyodide.js", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip", NUMPY)
NO_PACKAGES = {"arch": "wasm32", "platform": "emscripten_3_1_58", "python": "3.12.7"}
EMPTY_LOCK = {"info": {**NO_PACKAGES, "abi_version": "2024_0", "version": "0.27.7"}, "packages": {}}
STAMP = (2026, 1, 1, 0, 0, 0)  # so that the same sources give the same page


def packed(data: bytes) -> str:
    """Return bytes as text, compressed: base64 would hide from a server what it can compress."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def package() -> bytes:
    """Return a zip of the project and of the page's own program."""
    made = io.BytesIO()
    paths = [
        p for p in sorted((ROOT / "tinygrad_rnn").rglob("*")) if p.suffix not in (".pyc", ".pyi")
    ]
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in [p for p in paths if p.is_file()] + [PARTS / "program.py"]:
            home = PARTS if path.parent == PARTS else ROOT
            name = path.relative_to(home).as_posix()
            archive.writestr(zipfile.ZipInfo(name, STAMP), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return made.getvalue()


def integrity(name: str) -> str:
    """Return a file's hash as browsers write it."""
    return "sha256-" + base64.b64encode(bytes.fromhex(HASHES[name])).decode()


def ten_lines() -> str:
    """Return the README's first program, with as few steps as a picture shows well."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[0]
    return code.replace("= 20,", "= 4,").replace("all twenty steps", "all steps")


def chapter(path: Path) -> str:
    """Return the code of a chapter without its plots: matplotlib is not in the page."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"^# %%(?! \[markdown\]).*\n((?:(?!# %%).*\n?)*)", text, re.MULTILINE)
    plots = re.compile(r"\bplt\.(?!show)|heat_map")
    code = [body.strip("\n") for body in found if not plots.search(body)]
    return re.sub(r"^import matplotlib.*\n", "", "\n\n".join(code), flags=re.MULTILINE) + "\n"


def programs() -> dict[str, str]:
    """Return what the page can be opened with, by name."""
    chapters = sorted((ROOT / "tutorials").glob("[0-9]*_*.py"))
    return {"": ten_lines(), **{path.stem: chapter(path) for path in chapters}}


def embedded(value: object) -> str:
    """Return JSON that may stand in a script element."""
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/")


def page(files: dict[str, bytes]) -> str:
    """Return the page with those of Pyodide's files that are given."""
    own = {LOCK: json.dumps(EMPTY_LOCK).encode(), "program.zip": package()}
    inside = {name: files[name] for name in CORE if name in files} | own
    parts = {
        "files": embedded({
            "names": [*CORE, *own], "cdn": CDN, "integrity": {n: integrity(n) for n in CORE},
            "packed": {name: packed(data) for name, data in inside.items()},
        }),
        "programs": embedded(programs()),
        **{p.name: p.read_text(encoding="utf-8") for p in PARTS.glob("*.[cj]s*")},
    }  # fmt: skip
    text = (PARTS / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{([\w.]+)\}\}", lambda found: parts[found[1]], text)
