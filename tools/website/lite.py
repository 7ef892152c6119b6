"""JupyterLite with the book, this project's wheel and the Pyodide that is here, for `make lite`.

Its lock file names our wheel too, so that a cell that imports tinygrad_rnn finds it: the notebooks
run as they are.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .pyodide import LOCK, sha256

ROOT = Path(__file__).resolve().parents[2]
APPS = ("notebooks", "lab")
KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel"
OTHERS = "federated_extensions"
HERE = {"pyodideUrl": "./pyodide/pyodide.js", "disablePyPIFallback": True}
PIP = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]


def wheels(folder: Path) -> tuple[Path, Path]:
    """Build this project's wheel from a copy, and fetch `comm`, which the kernel needs."""
    source = folder / "source"
    shutil.copytree(ROOT / "tinygrad_rnn", source / "tinygrad_rnn",
                    ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    subprocess.run([*PIP, "wheel", "--no-deps", "-w", folder, source], check=True)
    subprocess.run([*PIP, "download", "--no-deps", "-d", folder, "comm>=0.2"], check=True)
    return next(folder.glob("tinygrad_rnn-*.whl")), next(folder.glob("comm-*.whl"))


def contents(folder: Path) -> None:
    """Put the notebooks into a folder, without results: the reader makes them."""
    folder.mkdir(parents=True)
    for path in sorted((ROOT / "tutorials").glob("[0-9]*_*.ipynb")):
        made = json.loads(path.read_text(encoding="utf-8"))
        made["cells"].pop()  # how to come here
        for cell in made["cells"]:
            if cell["cell_type"] == "code":
                cell |= {"outputs": [], "execution_count": None}
        (folder / path.name).write_text(json.dumps(made), encoding="utf-8")


def lock_with(lock: bytes, wheel: Path) -> bytes:
    """Return a lock file that also names our wheel."""
    known = json.loads(lock)
    known["packages"]["tinygrad-rnn"] = {
        "name": "tinygrad-rnn", "version": wheel.name.split("-")[1], "file_name": wheel.name,
        "install_dir": "site", "sha256": sha256(wheel.read_bytes()), "package_type": "package",
        "imports": ["tinygrad_rnn"], "depends": ["numpy"], "unvendored_tests": False,
    }  # fmt: skip
    return json.dumps(known).encode()


def bundle(out: Path, files: dict[str, bytes], wheel: Path) -> None:
    """Put Pyodide and our wheel beside JupyterLite, and tell it to look nowhere else."""
    place = out / "pyodide"
    place.mkdir(exist_ok=True)
    for name, data in {**files, LOCK: lock_with(files[LOCK], wheel)}.items():
        (place / name).write_bytes(data)
    shutil.copy(wheel, place)
    settings = out / "jupyter-lite.json"
    told = json.loads(settings.read_text(encoding="utf-8"))
    told["jupyter-config-data"].setdefault("litePluginSettings", {}).setdefault(KERNEL, {}).update(
        HERE
    )
    settings.write_text(json.dumps(told, indent=1), encoding="utf-8")


def kernel() -> Path:
    """Return the folder of the kernel's extension; what else is installed does not belong here."""
    package = importlib.metadata.distribution("jupyterlite-pyodide-kernel")
    named = "pyodide-kernel-extension/package.json"
    found = next(f for f in package.files or () if f.as_posix().endswith(named))
    return Path(str(package.locate_file(found))).resolve().parent


def with_icon(page: Path) -> None:
    """Name an app's icon in its page: the browser would ask the server's root for one."""
    text = page.read_text(encoding="utf-8")
    icon = '<link rel="icon" href="./favicon.ico" />\n    '
    text = text.replace('<link rel="manifest"', icon + '<link rel="manifest"', 1)
    page.write_text(text, encoding="utf-8")


def build(out: Path, files: dict[str, bytes]) -> None:
    """Build JupyterLite into a folder."""
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        wheel, comm = wheels(work)
        contents(work / "contents")
        apps = [word for app in APPS for word in ("--apps", app)]
        command = [sys.executable, "-m", "jupyterlite_core", "build", "--no-sourcemaps", *apps]
        command += ["--contents", str(work / "contents"), "--piplite-wheels", str(comm)]
        told = {"ignore_sys_prefix": [OTHERS], OTHERS: [str(kernel())]}
        settings = json.dumps({"LiteBuildConfig": told})
        (work / "jupyter_lite_config.json").write_text(settings, encoding="utf-8")
        command += ["--output-dir", str(out), "--lite-dir", str(work)]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"jupyter lite build failed:\n{(done.stdout + done.stderr)[-2000:]}")
        bundle(out, files, wheel)
        for app in APPS:
            with_icon(out / app / "index.html")


def link(site: Path) -> None:
    """Let each chapter of the site lead to its notebook, where JupyterLite is built."""
    for path in sorted(site.glob("book/[0-9]*.html")) if (site / "lite").exists() else ():
        address = f"../lite/notebooks/index.html?path={path.stem}.ipynb"
        way = f'<a class="lite" href="{address}">as a notebook</a>'
        text = path.read_text(encoding="utf-8")
        if way not in text:
            text = re.sub(r'(<p class="run">.*?)</p>', rf"\1 {way}</p>", text, count=1)
            path.write_text(text, encoding="utf-8")
