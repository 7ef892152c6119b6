"""A cell's script in NumPy alone has the engine's numbers, forward and backward, for every cell."""

from __future__ import annotations

import ast
import subprocess
import sys

import numpy as np
import pytest

from tests.nn.test_cells import DIALECTS, B, I, flat, made, state_of
from tinygrad_rnn import grad, nn, tensor
from tinygrad_rnn.paper import numpy_script

T = 4
FORMS = ("separate", "stacked", "per_gate")


def cells():
    """Return every dialect in every form that it has."""
    for name in DIALECTS:
        for form in FORMS:
            try:
                yield (
                    f"{name}, {form}",
                    made(name, **({} if form == "separate" else {"form": form}))[0],
                )
            except (TypeError, ValueError):
                assert (
                    form == "stacked"
                    or "projection" in name
                    or "after" in name
                    or name[:3] == "gru"
                )


CELLS = dict(cells())


@pytest.mark.parametrize("name", CELLS)
def test_the_script_is_the_engine(name):
    cell, rng = CELLS[name], np.random.default_rng(0)
    parameters = dict(cell.named_parameters())
    x = tensor(rng.normal(size=(T, B, I)), requires_grad=True)
    parts = [tensor(p, requires_grad=True) for p in state_of(cell, rng)[0]]
    state, outputs = tuple(parts) if len(parts) > 1 else parts[0], []
    for x_t in x:
        y, state = cell.step(x_t, state)
        outputs.append(y)
    weights = [rng.normal(size=y.shape) for y in [*outputs, *flat(state)]]
    loss = sum((y * w).sum() for y, w in zip([*outputs, *flat(state)], weights))
    engine = [*outputs, *flat(state), *grad(loss, [x, *parts, *parameters.values()])]

    script: dict = {}
    exec(numpy_script(cell), script)
    W = {n: t.detach().numpy() for n, t in parameters.items()}
    ys, last, kept = script["forward"](
        x.detach().numpy(), *[p.detach().numpy() for p in parts], **W
    )
    dx, first, shares = script["backward"](kept, weights[:T], *weights[T:], **W)
    for ours, theirs in zip([*ys, *last, dx, *first, *[shares[n] for n in W]], engine, strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-12, atol=1e-12)


def test_the_script_imports_numpy_alone_and_runs_by_itself(tmp_path):
    text = numpy_script(nn.LSTMCell(I, 2, dtype=np.float64, seed=0))
    imports = [ast.unparse(n) for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Import)]
    assert imports == ["import numpy as np"] and "from " not in text.replace("a⟨t⟩ from", "")
    text += "\n\nprint(forward(np.ones((3, 1, 3)), np.zeros((1, 2)), np.zeros((1, 2)), "
    text += "np.ones((8, 3)), np.ones((8, 2)), np.ones(8), np.ones(8))[0].shape)\n"
    (tmp_path / "cell.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-I", "-W", "error", tmp_path / "cell.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "(3, 1, 2)\n", done.stderr


def test_the_loop_is_rolled_and_reads_like_one_written_by_hand():
    text = numpy_script(nn.LSTMCell(2, 3, form="per_gate", bias="single", seed=0))
    for line in ("        Γ_f = sigmoid(ax @ W_f.T + b_f)",
                 "        c_next = Γ_f * c + Γ_u * c̃",
                 "        d_W_f += g5.T @ ax",
                 "    for x_t in x:  # a⟨t⟩ from a⟨t−1⟩ and x⟨t⟩"):  # fmt: skip
        assert line in text.splitlines()
    assert len(text.splitlines()) < 65


def test_sizes_that_follow_the_batch_follow_it():
    cell = made("lstm")[0]
    script: dict = {}
    exec(numpy_script(cell), script)
    W = {n: t.detach().numpy() for n, t in cell.named_parameters()}
    rng = np.random.default_rng(0)
    for rows in (1, 5):
        x, h = rng.normal(size=(T, rows, I)), rng.normal(size=(rows, 4))
        ys, _, kept = script["forward"](x, h, h, **W)
        assert script["backward"](kept, ys, h, h, **W)[0].shape == x.shape


def test_a_cell_that_draws_is_refused_with_what_to_do():
    cell = nn.LSTMCell(I, 2, candidate_dropout=0.5, seed=0)
    with pytest.raises(Exception, match=r"draws random numbers: switch to cell\.eval\(\)"):
        numpy_script(cell)
    assert "def backward" in numpy_script(cell.eval())
