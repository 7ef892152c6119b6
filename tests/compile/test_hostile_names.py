"""Nothing that a user names gets into generated code but as a comment; it compiles and is mute."""

from __future__ import annotations

import ast
import re
import shutil
import warnings
from typing import Any

import numpy as np
import pytest
from hostile import HOSTILE, RUNS
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_rnn import grad, primitive, scope, tensor
from tinygrad_rnn.compile import compile
from tinygrad_rnn.compile.codegen.comments import comment
from tinygrad_rnn.nn import Cell, Recurrent

needs_cc = pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler (cc)")
BACKENDS = ["numpy", pytest.param("c", marks=[pytest.mark.compiler, needs_cc])]


@given(st.text() | st.text("*/?\\ "))
def test_a_comment_stays_one(text: str) -> None:
    shown = comment(text)
    assert (
        shown == comment(shown)
        and shown.isascii()
        and (shown.isprintable() or not shown)
        and len(shown) < 100
    )
    assert not re.search(r"\*/|/\*|\\|\?\?/", shown)


class Named(Cell):
    """A cell whose class, attributes, Tensors, scopes and primitives all have one name."""

    def __init__(self, names: list[str], declared: list[Any]):
        super().__init__(3, 4)
        self.names, self.declared = names, declared
        weights = np.random.default_rng(0).standard_normal((3, 4))
        for name in names:
            weight = tensor(weights, requires_grad=True, name=name)
            setattr(self, f"{name[:100]}W", weight)
        self.width = tensor(weights, requires_grad=True)

    def step(self, x: Any, h: Any) -> Any:
        new = x @ self.width + h
        for k, name in enumerate(self.names):
            with scope(name[:100], gate=name, **{f"{name[:100]}_": name}):
                new = new.sigmoid() + new * 0.1
                for function in self.declared[k : k + 1]:
                    new = function(new)
        return new, new


def run(cell: Cell, backend: str) -> str:
    fast = compile(Recurrent(cell), backend)
    x = tensor(np.ones((2, 2, 3)), requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a declared primitive cannot be in C: NumPy takes it
        y, _ = fast(x)
    plain = Recurrent(cell)(x)[0]
    assert np.allclose(y.detach().numpy(), plain.detach().numpy())
    grad(y.sum(), [x])
    return fast.source()


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_names_of_a_cell(backend: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The C compiler takes it as it is; nothing runs, nothing of a name is outside a comment."""
    names = list(HOSTILE.values())
    kind = type('Named"*/\n', (Named,), {})
    source = run(kind(names, []), backend)
    assert source.isascii() or backend == "c"
    code = re.sub(r"/\*.*?\*/|#.*", "", source, flags=re.DOTALL)
    assert RUNS in source and not re.search(rf"\b{RUNS}\b", code)
    assert RUNS not in "".join(capfd.readouterr())
    if backend == "numpy":
        ast.parse(source)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_primitive_of_that_name(name: str, backend: str, primitives: Any) -> None:
    if name == "empty":
        pytest.skip("a primitive has a name")
    declared = primitive(HOSTILE[name], lambda a: a * 2, lambda g, y, a: g * 2)
    source = run(Named(["gate"], [declared]), backend)
    tree = ast.parse(source)
    words = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    assert RUNS not in words and HOSTILE[name] in {
        n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)
    }
