"""Do the tests bite? Change one operator, comparison, constant or boolean, and see a test fail.

    python tools/mutants.py --python python3.12 --count 100 --folder /tmp/mutants

works in a copy of the tree and needs Python 3.12 there: it first writes down which tests run which
line (`covering.py`). Each mutant then meets those of its line, the quickest first, and after them
the whole files they are in and the tests of its floor. One that fails none of them, in time, lives.
The seed decides which mutants there are; `--only` tries some of them again, by number.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FLOORS = "engine functions nn optim compile".split()
SHARED = "analysis analytic golden differential".split()  # tests that run lines of many floors
SHOWN = ["player"]  # likewise of the floor of pictures
OPERATORS = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "*", ast.Mod: "//",
    ast.Pow: "*", ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=",
    ast.NotEq: "==", ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
    ast.And: "or", ast.Or: "and",
}  # fmt: skip


class Mutant(NamedTuple):
    """One change: in this file of the package, from this offset to that, to this text."""

    file: str
    line: int
    start: int
    end: int
    text: str

    def applied(self, source: str) -> str:
        return source[: self.start] + self.text + source[self.end :]


def offsets(source: str, node: ast.expr) -> tuple[int, int]:
    """Where a node's text starts and ends in the source."""
    lines = source.splitlines(keepends=True)

    def at(line: int, column: int) -> int:
        text = lines[line - 1].encode()[:column].decode()
        return sum(map(len, lines[: line - 1])) + len(text)

    assert node.end_lineno is not None and node.end_col_offset is not None
    return at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)


def executed(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but annotations, type checkers' branches and docstrings."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        if isinstance(child, ast.FunctionDef):
            child.returns = None
        if isinstance(child, (ast.AnnAssign, ast.arg)):
            child.annotation = ast.Constant(None)  # type: ignore[assignment]
        yield from executed(child)


def between(source: str, left: ast.expr, right: ast.expr, op: ast.AST) -> tuple[int, int] | None:
    """Where the operator's sign stands between two operands."""
    start, end = offsets(source, left)[1], offsets(source, right)[0]
    sign = SIGNS[type(op)]
    found = source.find(sign, start, end)
    return (found, found + len(sign)) if found >= 0 else None


SIGNS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Pow: "**", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==",
    ast.NotEq: "!=", ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
    ast.And: "and", ast.Or: "or",
}  # fmt: skip


def changed(source: str, node: ast.AST) -> tuple[int, int, str] | None:
    """The change at a node, if it is of a kind that can be changed."""
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        if any(isinstance(x, (ast.JoinedStr, ast.List)) or is_text(x) for x in operands(node)):
            return None
        place = between(source, node.left, node.right, node.op)
        return (*place, OPERATORS[type(node.op)]) if place else None
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OPERATORS:
        place = between(source, node.left, node.comparators[0], node.ops[0])
        return (*place, OPERATORS[type(node.ops[0])]) if place else None
    if isinstance(node, ast.BoolOp):
        place = between(source, node.values[0], node.values[1], node.op)
        return (*place, OPERATORS[type(node.op)]) if place else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        start = offsets(source, node)[0]
        return start, start + (4 if isinstance(node.op, ast.Not) else 1), ""
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        value = node.value
        text = str(not value) if isinstance(value, bool) else repr(value + 1)
        return (*offsets(source, node), text)
    return None


def operands(node: ast.BinOp) -> tuple[ast.expr, ast.expr]:
    return node.left, node.right


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def mutants(root: Path, floors: list[str]) -> list[Mutant]:
    """Return all mutants of the floors, in the order of files and places."""
    found = []
    for path in sorted(
        p for floor in floors for p in (root / "tinygrad_rnn" / floor).rglob("*.py")
    ):
        source = path.read_text(encoding="utf-8")
        name = path.relative_to(root / "tinygrad_rnn").as_posix()
        for node in executed(ast.parse(source)):
            change = changed(source, node)
            if change is not None:
                line = source.count("\n", 0, change[0]) + 1
                found.append(Mutant(name, line, *change))
    return sorted(set(found))


def covering(a: argparse.Namespace) -> dict:
    """Which tests run each line: recorded once for the copy."""
    record = a.folder / "lines.json"
    if not record.exists():
        command = [a.python, "-m", "pytest", "-n", "0", "-p", "covering", "--covering", str(record)]
        short = [] if a.whole else ["--short"]
        shared = SHARED if set(a.floors) & set(FLOORS) else SHOWN
        homes = [*a.floors, *shared]
        tests = [f"tests/{name}" for name in homes]
        subprocess.run(
            [*command, *short, *tests], cwd=a.folder / "tree", env=environment(a), check=False
        )
    return json.loads(record.read_text())


def environment(a: argparse.Namespace) -> dict[str, str]:
    tree = a.folder / "tree"
    path = f"{tree / 'tools'}:{tree}"
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "HOME": str(a.folder), **threads}


def tests_of(mutant: Mutant, cover: dict, most: int) -> list[str]:
    """The tests that run the mutant's line, quickest first."""
    tests = set(cover["lines"].get(mutant.file, {}).get(str(mutant.line), []))
    tests -= {"", *cover["failed"]}
    return sorted(tests, key=lambda t: cover["seconds"].get(t, 9.0))[:most]


def wider(mutant: Mutant, tests: list[str]) -> list[str]:
    """Whole files: those of the tests, the floor's own, and what else is held of the floor."""
    floor = mutant.file.split("/")[0]
    shared = ["golden", "differential"] if floor in FLOORS else SHOWN
    files = sorted({test.partition("::")[0] for test in tests})
    return [*files, *(f"tests/{name}" for name in (floor, *shared) if f"tests/{name}" not in files)]


def passes(a: argparse.Namespace, tests: list[str], cover: dict) -> bool:
    """Whether all these tests pass, in time, in the copy as it is now."""
    (a.folder / "tests.txt").write_text("\n".join(tests))
    command = [a.python, "-m", "pytest", "-x", "-n", "0", "-p", "no:cacheprovider"]
    command += [f"--deselect={test}" for test in cover["failed"]]
    try:
        done = subprocess.run([*command, f"@{a.folder / 'tests.txt'}"], cwd=a.folder / "tree",
                              env=environment(a), capture_output=True, timeout=a.timeout,
                              check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    if done.returncode == 5:
        raise RuntimeError(f"pytest finds none of {tests[:3]} …")
    return done.returncode == 0


def lives(a: argparse.Namespace, mutant: Mutant, cover: dict) -> bool:
    """Whether the tests pass with the mutant in its file's place: those of its line, then more."""
    path = a.folder / "tree" / "tinygrad_rnn" / mutant.file
    source, tests = path.read_text(encoding="utf-8"), tests_of(mutant, cover, a.most)
    try:
        path.write_text(mutant.applied(source), encoding="utf-8")
        narrow = not tests or passes(a, tests, cover)
        return narrow and passes(a, wider(mutant, tests), cover)
    finally:
        path.write_text(source, encoding="utf-8")


def told(root: Path, mutant: Mutant) -> str:
    """The mutant's line before and after."""
    source = (root / "tinygrad_rnn" / mutant.file).read_text(encoding="utf-8")
    before = source.splitlines()[mutant.line - 1].strip()
    after = mutant.applied(source).splitlines()[mutant.line - 1].strip()
    return f"{mutant.file}:{mutant.line}\n    - {before}\n    + {after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="3.12 or newer, with the tests'")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=15)
    parser.add_argument("--floors", nargs="+", default=FLOORS, help="folders of the package")
    parser.add_argument("--folder", type=Path, required=True, help="for the copy and the record")
    parser.add_argument("--most", type=int, default=300, help="tests for one mutant")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one mutant")
    parser.add_argument("--whole", action="store_true", help="record the whole suite, not --short")
    parser.add_argument("--only", type=int, nargs="*", help="numbers in the list")
    a = parser.parse_args()
    if not (a.folder / "tree").exists():
        shutil.copytree(ROOT, a.folder / "tree", ignore=shutil.ignore_patterns(".*", "__pycache__"))
    cover = covering(a)
    chosen = random.Random(a.seed).sample(mutants(a.folder / "tree", a.floors), a.count)
    living = 0
    for number, mutant in enumerate(chosen):
        if a.only and number not in a.only:
            continue
        start = time.perf_counter()
        alive = lives(a, mutant, cover)
        living += alive
        took = time.perf_counter() - start
        print(f"{number:3} {'LIVES ' if alive else 'killed'} {took:6.1f} s  ",
              told(a.folder / "tree", mutant), flush=True)  # fmt: skip
    tried = len(a.only or chosen)
    print(f"{tried} mutants, {tried - living} killed, {living} live")
    return 0


if __name__ == "__main__":
    sys.exit(main())
