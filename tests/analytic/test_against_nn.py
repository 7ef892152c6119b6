"""Each network of the notes as an option of one class: nn gives the gradients derived by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as lib
from tinygrad_rnn import nn

from . import notes_to_nn
from .cases import CELLS, PREFIXES, Case, every_case, make
from .deep import layer_params
from .masked import mask_of
from .operators import total_loss


def assert_gradient(library: Any, leaf: Any, expected: np.ndarray, name: str) -> None:
    got = np.zeros(leaf.shape) if leaf.grad is None else library.numpy(leaf.grad)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10, err_msg=name)


def first_state(leaves: dict[str, Any], prefix: str, name: str) -> Any:
    parts = tuple(leaves[prefix + k] for k in CELLS[name][0].state)
    return parts if len(parts) == 2 else parts[0]


def run(library: Any, case: Case, cells: list, leaves: dict[str, Any], y: Any) -> float:
    """Leaves the gradients of the case in every parameter and leaf, by nn's own means."""
    prefixes = PREFIXES.get(case.wrapping, ("",))
    states = [first_state(leaves, p, name) for p, name in zip(prefixes, case.cells, strict=True)]
    if case.wrapping == "truncated":
        term = lambda a, t: total_loss(lib, case, leaves, a.unsqueeze(0), y[t : t + 1])
        xs, k = list(leaves["x"]), case.options
        return nn.tbptt(cells[0].step, xs, term, k["k1"], k["k2"], states[0])[0]
    if case.wrapping.startswith("masked"):
        return run_masked(library, case, cells, leaves, y, states)
    pairs = [cells] if case.wrapping == "bidirectional" else [[c] for c in cells]
    a, _ = nn.Recurrent(pairs)(leaves["x"], states)
    loss = total_loss(lib, case, leaves, a, y)
    loss.backward()
    return loss.item()


def run_masked(library: Any, case: Case, cells: list, leaves: Any, y: Any, states: list) -> float:
    """NaN in all padding; a reverse layer is the second half of a bidirectional one."""
    lengths, H = case.options["lengths"], case.values["W_ya"].shape[1]
    real = mask_of(len(case.values["x"]), lengths)
    poisoned = library.tensor(np.where(real[..., None], case.values["x"], np.nan))
    leaves["x"] = poisoned.requires_grad_()
    if case.options["reverse"]:
        other = nn.RNNCell(
            case.values["x"].shape[2], H, dtype=np.float64, device=library.device, seed=0
        )
        blank = library.tensor(np.zeros((len(lengths), H)))
        a, _ = nn.Recurrent([(other, cells[0])])(leaves["x"], [blank, *states], lengths=lengths)
        a = a[:, :, H:]
    else:
        a, _ = nn.Recurrent(cells)(leaves["x"], states, lengths=lengths)
    counted = library.tensor(real[..., None] * 1.0)
    loss = masked_loss(case, leaves, a, y, counted)
    loss.backward()
    return loss.item()


def masked_loss(case: Case, leaves: dict[str, Any], a: Any, y: Any, counted: Any) -> Any:
    """The loss of the real steps alone: of each single step, times 1 or 0."""
    T, B = a.shape[:2]
    steps = [
        total_loss(lib, case, leaves, a[t : t + 1, b : b + 1], y[t : t + 1, b : b + 1])
        for t in range(T)
        for b in range(B)
    ]
    total = (lib.stack(steps) * counted.reshape(T * B)).sum()
    return total / B if case.loss == "mse" else total


def check(library: Any, wrapping: str, seed: int, cell: str | None) -> None:
    case = make(seed, wrapping, cell)
    expected_loss, expected = case.by_hand(case.values)
    prefixes = PREFIXES.get(wrapping, ("",))
    forms = ["stacked" if (seed + k) % 2 else "separate" for k in range(len(prefixes))]
    cells = [
        notes_to_nn.cell(name, layer_params(case.values, prefix), form, library.device)
        for name, prefix, form in zip(case.cells, prefixes, forms, strict=True)
    ]
    own = ("x", "a0", "c0", "W_ya", "b_y")
    leaves = {
        k: library.tensor(v, requires_grad=True)
        for k, v in case.values.items()
        if k.split(".")[-1] in own
    }
    loss = run(library, case, cells, leaves, library.tensor(case.y))
    assert abs(loss - expected_loss) <= 1e-10 * max(1.0, abs(expected_loss))
    for name, leaf in leaves.items():
        assert_gradient(library, leaf, expected[name], name)
    for made, name, prefix, form in zip(cells, case.cells, prefixes, forms, strict=True):
        laid = notes_to_nn.arrays(name, layer_params(expected, prefix), form)
        assert set(laid) == {k for k, _ in made.named_parameters()}
        for k, parameter in made.named_parameters():
            assert_gradient(library, parameter, laid[k], f"{prefix}{k}")


@pytest.mark.parametrize("wrapping, seed, cell", every_case(range(4)))
def test_gradients_equal_the_derivation(library, wrapping, seed, cell):
    check(library, wrapping, seed, cell)


@pytest.mark.parametrize("library", [("numpy", "cpu")], indirect=True, ids=["numpy"])
@pytest.mark.parametrize("wrapping, seed, cell", every_case(range(4, 20)))
def test_on_more_seeds(library, wrapping, seed, cell):
    check(library, wrapping, seed, cell)
