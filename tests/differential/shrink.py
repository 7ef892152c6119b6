"""Makes a random program that fails as small as it can be and still fail.

One output, line or leaf goes at a time; a line that others read becomes a leaf with its value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from differential.programs import Library, Program, leaf_data, run


def without_line(program: Program, k: int, value: np.ndarray | None) -> Program:
    """Line k gone: its value becomes a leaf, or (None) nothing, where nothing reads it."""
    first = len(program["leaves"])
    gone = first + k
    leaves = [*program["leaves"]]
    if value is not None:
        dtype = value.dtype.name
        given = {"shape": list(value.shape), "dtype": dtype, "grad": dtype.startswith("float")}
        leaves.append(given | {"data": value.ravel().tolist()})

    def moved(i: int) -> int:
        if i == gone and value is not None:
            return first
        return i if i < first else i - (i > gone) + (value is not None)

    lines = [
        [op, [moved(i) for i in arguments], params]
        for n, (op, arguments, params) in enumerate(program["lines"])
        if n != k
    ]
    outputs = [moved(i) for i in program["outputs"] if i != gone or value is not None]
    outputs = outputs or [len(leaves) + len(lines) - 1]
    return program | {"leaves": leaves, "lines": lines, "outputs": outputs}


def without_leaf(program: Program, k: int) -> Program:
    lines = [
        [op, [i - (i > k) for i in arguments], params] for op, arguments, params in program["lines"]
    ]
    outputs = [i - (i > k) for i in program["outputs"] if i != k]
    leaves = program["leaves"][:k] + program["leaves"][k + 1 :]
    return program | {"leaves": leaves, "lines": lines, "outputs": outputs}


def pinned(program: Program) -> Program:
    """The same program with its leaves' numbers written out, so that leaves may come and go."""
    leaves = [
        leaf | {"data": a.ravel().tolist()}
        for leaf, a in zip(program["leaves"], leaf_data(program), strict=True)
    ]
    return program | {"leaves": leaves}


def smaller(program: Program, theirs: Library) -> Iterator[Program]:
    """Programs with one output, line or leaf less."""
    read = {i for _, arguments, _ in program["lines"] for i in arguments}
    first = len(program["leaves"])
    for i in program["outputs"]:
        if len(program["outputs"]) > 1:
            yield program | {"outputs": [o for o in program["outputs"] if o != i]}
    values = [np.asarray(v.detach().numpy()) for v in run(theirs, program, leaf_data(program))[0]]
    for k in reversed(range(len(program["lines"]))):
        if first + k not in read:
            yield without_line(program, k, None)
        else:
            yield without_line(program, k, values[first + k])
    for k in range(first):
        if k not in read:
            yield without_leaf(program, k)


def shrunk(program: Program, theirs: Library, fails: Callable[[Program], Any]) -> Program:
    """The smallest program found for which `fails` is still true."""
    program = pinned(program)
    for _ in range(200):
        for candidate in smaller(program, theirs):
            try:
                still = fails(candidate)
            except Exception:  # torch refuses it, so it says nothing about us
                continue
            if still:
                program = candidate
                break
        else:
            return program
    return program
