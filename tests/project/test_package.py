"""The package as it is installed: whole, and at work outside the tree."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import zipfile
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from types import FunctionType

import pytest

import tinygrad_rnn
from tinygrad_rnn.functions import later

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tinygrad_rnn"
FILES = sorted(
    path for path in PACKAGE.rglob("*")
    if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".py", ".pyc")
)  # fmt: skip
PROGRAM = """
import tinygrad_rnn as t
from tinygrad_rnn import nn, optim
from tinygrad_rnn.draw import draw

layer = nn.LSTM(3, 4, seed=0)
x = t.ones(5, 2, 3)
loss = layer(x)[0].square().mean()
picture = draw(loss)
assert "<svg" in picture.svg and "<script" in picture.html
compiled = layer.compile("numpy")
assert t.allclose(compiled(x)[0], layer(x)[0])
optimizer = optim.SGD(layer.parameters(), lr=0.1)
loss.backward()
optimizer.step()
assert layer(x)[0].square().mean() < loss
print(t.__file__)
"""


def patterns() -> list[str]:
    """Return what setup.cfg takes into the wheel besides Python."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["options.package_data"].values()
    return [pattern.strip() for line in lines for pattern in line.split(",")]


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_a_file_that_is_no_python_is_installed_too(path):
    assert any(fnmatch(path.name, pattern) for pattern in patterns())
    assert (path.parent / "__init__.py").exists(), "only packages bring files along"


def test_there_are_such_files():
    assert {path.suffix for path in FILES} >= {".js", ".css", ".h", ".c", ".cu", ".pyi"}
    assert PACKAGE / "py.typed" in FILES


def test_every_folder_of_python_is_a_package():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]


NEEDED = """engine functions absent accumulate arguments arrays attached backward compute context
conversion dtypes errors freeing node ops primitive record shared_memory tensor upper aliases
arithmetic creation elementwise in_place indexing later memory_views methods reductions shapes
sizes""".split()


def loaded_by(program: str) -> set[str]:
    """Return the modules that a program loads beyond NumPy and what NumPy loads."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = f"import numpy, sys; before = set(sys.modules); {program}"
    command = [sys.executable, "-c", f"{code}; print(*set(sys.modules) - before)"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_makes_no_signature_and_loads_what_every_program_needs():
    """Signatures, analysis, hints of misspellings and rarer functions load when asked for."""
    loaded = loaded_by("import tinygrad_rnn")
    own = {name for name in loaded if name.startswith("tinygrad_rnn.")}
    assert loaded - own <= {"tinygrad_rnn", "__future__"}
    assert {name.rpartition(".")[2] for name in own} == set(NEEDED)


@pytest.mark.parametrize("touch", ["Tensor.median", "ones(3).median()", "median"])
def test_a_function_that_loads_later_comes_with_its_module_alone(touch):
    more = loaded_by(f"import tinygrad_rnn; tinygrad_rnn.{touch}")
    more -= loaded_by("import tinygrad_rnn")
    own = {name.rpartition(".")[2] for name in more if name.startswith("tinygrad_rnn.")}
    assert own == {"order_statistics", "products"}  # cov is a product


def test_every_promise_is_kept():
    """What the table says will load is what its module then attaches, or offers."""
    for table in (later.BOTH, later.METHODS):
        for home, names in table.items():
            for name in names.split():
                assert isinstance(getattr(tinygrad_rnn.Tensor, name), FunctionType), (home, name)
    for name, home in later.HOMES.items():
        module = import_module(f"tinygrad_rnn.functions.{home}")
        assert getattr(tinygrad_rnn, name) is getattr(module, name)


@pytest.mark.slow
@pytest.mark.parametrize("editable", [False, True], ids=["wheel", "editable"])
def test_it_works_where_it_is_installed(tmp_path, editable):
    """Built by pip, put beside the interpreter's NumPy, and run outside the tree."""
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    source = tmp_path / "source"
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, names.stdout.decode().split("\0")):
        if not name.startswith(("tests", "tutorials", "tools")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    site = tmp_path / "site"
    if editable:
        subprocess.run([*pip, "install", "--no-deps", "--target", site, "-e", source], check=True)
    else:
        subprocess.run([*pip, "wheel", "--no-deps", "-w", tmp_path, source], check=True)
        (wheel,) = tmp_path.glob("*.whl")
        zipfile.ZipFile(wheel).extractall(site)
    start = f"import site; site.addsitedir({str(site)!r})"  # it reads the .pth of an editable one
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", start + PROGRAM]
    out = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert Path(out.stdout.strip()).is_relative_to(tmp_path)
