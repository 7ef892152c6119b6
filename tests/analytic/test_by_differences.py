"""The hand derivations are held against central differences: nothing else vouches for them."""

from __future__ import annotations

import numpy as np
import pytest

from . import gru, lstm, masked, peephole, truncated, vanilla
from .cases import CELLS, every_case, make

EPS = 1e-5


def central_difference(f, values: dict[str, np.ndarray], name: str) -> np.ndarray:
    """∂f/∂values[name], f taking the whole dictionary."""
    result = np.zeros_like(values[name])
    for i in np.ndindex(result.shape):
        up, down = values[name].copy(), values[name].copy()
        up[i] += EPS
        down[i] -= EPS
        result[i] = (f(values | {name: up}) - f(values | {name: down})) / (2 * EPS)
    return result


def problems(seeds: range) -> list[tuple[str, int, str | None]]:
    """All but truncated ones, whose gradient is not the slope of the loss: see below."""
    return [case for case in every_case(seeds) if case[0] != "truncated"]


def check_every_gradient(wrapping: str, seed: int, cell: str | None) -> None:
    case = make(seed, wrapping, cell)
    loss, grads = case.by_hand(case.values)
    assert np.isfinite(loss) and grads.keys() == case.values.keys()
    for name in case.values:
        slope = central_difference(lambda v: case.by_hand(v)[0], case.values, name)
        np.testing.assert_allclose(grads[name], slope, rtol=1e-6, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("wrapping, seed, cell", problems(range(2)))
def test_every_gradient_is_the_slope_of_the_loss(wrapping, seed, cell):
    check_every_gradient(wrapping, seed, cell)


@pytest.mark.slow
@pytest.mark.parametrize("wrapping, seed, cell", problems(range(2, 8)))
def test_so_it_is_on_more_seeds(wrapping, seed, cell):
    check_every_gradient(wrapping, seed, cell)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("g1", ["tanh", "relu"])
def test_the_sum_over_pairs_equals_the_recursion(g1, seed):
    case = make(seed, cell=f"vanilla-separate-{g1}")
    v = case.values
    loss, grads = vanilla.forward_backward(v, v["x"], v["a0"], case.y, g1=g1, loss=case.loss)
    same_loss, pairs = vanilla.sum_over_pairs(v, v["x"], v["a0"], case.y, g1=g1, loss=case.loss)
    assert loss == same_loss
    for name in pairs:
        np.testing.assert_allclose(pairs[name], grads[name], rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("seed", range(20))
def test_stacked_columns_are_the_separate_matrices(seed):
    case = make(seed, cell="vanilla-separate-tanh")
    v = case.values
    stacked = v | {"W_a": np.concatenate([v["W_aa"], v["W_ax"]], 1)}
    loss, grads = vanilla.forward_backward(v, v["x"], v["a0"], case.y, loss=case.loss)
    same_loss, both = vanilla.forward_backward(
        stacked, v["x"], v["a0"], case.y, form="stacked", loss=case.loss
    )
    assert abs(loss - same_loss) < 1e-12 * max(1, abs(loss))
    side_by_side = np.concatenate([grads["W_aa"], grads["W_ax"]], 1)
    np.testing.assert_allclose(both["W_a"], side_by_side, rtol=1e-10, atol=1e-12)


ENTRIES = {
    "vanilla": lambda case, p, state, form, g1: vanilla.forward_backward(
        p, p["x"], *state, case.y, form=form, g1=g1, loss=case.loss
    ),
    "gru": lambda case, p, state, dialect: gru.forward_backward(
        p, p["x"], *state, case.y, dialect=dialect, loss=case.loss
    ),
    "lstm": lambda case, p, state, variant: lstm.forward_backward(
        p, p["x"], *state, case.y, variant=variant, loss=case.loss
    ),
    "peephole": lambda case, p, state, kind: peephole.forward_backward(
        p, p["x"], *state, case.y, kind=kind, loss=case.loss
    ),
}


@pytest.mark.parametrize("cell", CELLS)
def test_each_family_has_its_own_entry(cell):
    """The functions a reader would call give what the cases give."""
    family, *options = cell.split("-")
    case = make(1, cell=cell)
    state = [case.values[k] for k in ("a0", "c0") if k in case.values]
    value, grads = ENTRIES[family](case, case.values, state, *options)
    again, expected = case.by_hand(case.values)
    assert value == again
    assert all(np.array_equal(grads[k], expected[k]) for k in expected)


@pytest.mark.parametrize("cell", CELLS)
def test_truncation_is_the_full_gradient_when_the_window_is_the_sequence(cell):
    case = make(5, cell=cell)
    v, T = case.values, len(case.values["x"])
    state = tuple(v[k] for k in CELLS[cell][0].state)
    loss, full = case.by_hand(v)
    for k1 in range(1, T + 1):
        same, grads = truncated.forward_backward(
            CELLS[cell][0], v, v["x"], state, case.y, k1=k1, k2=T, loss=case.loss
        )
        assert same == loss
        for name in full:
            np.testing.assert_allclose(grads[name], full[name], rtol=1e-10, atol=1e-12)


def test_truncation_drops_exactly_the_pairs_further_apart_than_the_window():
    """k1 = 1, k2 = 2 on a vanilla network: the double sum of the notes with t − k < 2."""
    case = make(3, cell="vanilla-separate-tanh")
    v, T = case.values, 5
    x = np.random.default_rng(0).normal(size=(T, *v["x"].shape[1:]))
    y = np.random.default_rng(1).normal(size=(T, x.shape[1], len(v["b_y"])))
    cell = CELLS["vanilla-separate-tanh"][0]
    _, grads = truncated.forward_backward(cell, v, x, (v["a0"],), y, k1=1, k2=2, loss="mse")
    expected = np.zeros_like(v["b_a"])
    states = np.concatenate([v["a0"][None], vanilla.unrolled.run(cell, v, x, (v["a0"],))[0]])
    _, da, _ = vanilla.output_layer(v, states[1:], y, "mse")
    for t in range(1, T + 1):
        for k in range(max(1, t - 1), t + 1):
            row = np.einsum("bi,bij->bj", da[t - 1], vanilla.jacobian(v, states, "tanh", t, k))
            expected += (row * (1 - states[k] ** 2)).sum(0)
    np.testing.assert_allclose(grads["b_a"], expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("wrapping", ["masked", "masked-reverse"])
def test_padding_may_hold_nan_and_gets_no_gradient(wrapping):
    for seed in range(30):
        case = make(seed, wrapping)
        x, lengths = case.values["x"], case.options["lengths"]
        padding = ~masked.mask_of(len(x), lengths)
        poisoned = np.where(padding[..., None], np.nan, x)
        loss, grads = case.by_hand(case.values | {"x": poisoned})
        same, clean = case.by_hand(case.values)
        assert loss == same
        assert (grads["x"][padding] == 0).all()
        assert all(np.array_equal(grads[k], clean[k]) for k in clean)
