"""Corners of single primitives that the table's smooth samples miss: shapes, indices, dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine import ops

SHAPES = [(), (1,), (0,), (2, 0), (2, 3), (0, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["exp", "neg", "tanh", "relu", "sigmoid", "abs", "sign", "erf"])
def test_unary_on_all_shapes(library, name, shape):
    x = library.tensor(np.full(shape, 0.5)).requires_grad_()
    y = getattr(ops, name)(x)
    y.sum().backward()
    assert y.shape == x.grad.shape == shape and x.grad.dtype == x.dtype


BROADCASTS = [((), (3,)), ((2, 3), ()), ((2, 1), (1, 3)), ((0, 3), (1, 3)), ((1,), (0,)),
    ((2, 3), (3,)),
              ((4, 1, 3), (2, 1)), ((1, 1), (1,)), ((3, 1), (1,))]  # fmt: skip


@pytest.mark.parametrize("shapes", BROADCASTS, ids=str)
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "maximum", "power", "where", "hypot"])
def test_a_broadcast_inputs_gradient_is_summed_back(library, name, shapes):
    a, b = (library.tensor(np.full(s, v)).requires_grad_() for s, v in zip(shapes, (1.5, 2.5)))
    f = getattr(tg, name)
    y = f(a > 0, a, b) if name == "where" else f(a, b)
    assert y.shape == np.broadcast_shapes(*shapes)
    y.sum().backward()
    assert a.grad.shape == a.shape and b.grad.shape == b.shape
    spread_a, spread_b = (np.broadcast_to(library.numpy(t), y.shape) for t in (a, b))
    rule = {"add": (1, 1), "sub": (1, -1), "mul": (spread_b, spread_a)}.get(name)
    if rule and y._array.size:
        for x, g in zip((a, b), rule):
            n = y._array.size // max(x._array.size, 1)
            np.testing.assert_allclose(library.numpy(x.grad), np.mean(g) * n)


MATMULS = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)),
           ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)), ((5, 1, 2, 3), (6, 3, 4)),
               ((3,), (5, 3, 4)),
           ((5, 2, 3), (3,)), ((2, 0), (0, 4)), ((0, 3), (3, 4)), ((2, 3), (3, 0)), ((0,), (0,)),
           ((1, 2, 3), (5, 3, 4)), ((5, 2, 3), (1, 3, 4))]  # fmt: skip


@pytest.mark.parametrize("shapes", MATMULS, ids=str)
def test_matmul_of_every_rank(library, shapes):
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=s) for s in shapes]
    a, b = (library.tensor(v).requires_grad_() for v in arrays)
    y = a @ b
    np.testing.assert_allclose(library.numpy(y), arrays[0] @ arrays[1], atol=1e-12)
    w = rng.normal(size=y.shape)
    (y * library.tensor(w)).sum().backward()

    def slope(k: int, direction: np.ndarray) -> float:
        moved = [v + (direction if i == k else 0) for i, v in enumerate(arrays)]
        return float(((moved[0] @ moved[1] - arrays[0] @ arrays[1]) * w).sum())  # linear in each

    for k, x in enumerate((a, b)):
        direction = rng.normal(size=x.shape)
        assert x.grad.shape == x.shape
        assert slope(k, direction) == pytest.approx(
            float((library.numpy(x.grad) * direction).sum()), abs=1e-9
        )


KEYS: dict[str, Any] = {
    "integer": 1, "negative": -1, "slice": slice(1, 3), "reverse": slice(None, None, -1),
        "tuple": (1, 2),
    "ellipsis": (..., 0), "new axis": (None, 1), "list": [0, 2], "repeats": [1, 1, 1],
        "negatives": [-1, 0],
    "two arrays": ([0, 1], [1, 1]), "mixed": (slice(None), [0, 0, 2]), "empty": [], "split arrays":
    ([0, 1], None, [1, 2]), "nested": ([[0, 1], [2, 2]],), "row mask": [True, False, True],
        "empty slice":
    slice(2, 2), "step": (slice(0, None, 2), slice(-1, None, -2)),
}  # fmt: skip


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_every_way_to_index(library, key):
    a = np.arange(12.0).reshape(3, 4)
    x = library.tensor(a).requires_grad_()
    y = x[key]
    plain = np.array(key, int) if key == [] else key
    np.testing.assert_array_equal(library.numpy(y), a[plain])
    w = np.random.default_rng(0).normal(size=y.shape)
    (y * library.tensor(w)).sum().backward()
    expected = np.zeros_like(a)
    np.add.at(expected, plain, w)
    np.testing.assert_allclose(library.numpy(x.grad), expected)


def test_a_mask_indexes_with_its_own_gradient(library):
    a = np.arange(6.0).reshape(2, 3)
    x = library.tensor(a).requires_grad_()
    (x[x > 2.5] ** 2).sum().backward()
    np.testing.assert_allclose(library.numpy(x.grad), np.where(a > 2.5, 2 * a, 0))


def test_operands_of_two_dtypes():
    wide, narrow = tg.tensor(np.ones(2)), tg.tensor(np.ones(2, np.float32))
    assert (wide + narrow).dtype == np.float64
    for number in (2, 2.5, True, np.float64(2.5), np.float32(2.5), np.int64(2)):
        for name in ("add", "mul", "power", "div", "maximum", "hypot"):
            assert getattr(tg, name)(narrow, number).dtype == np.float32, (name, number)
            assert getattr(tg, name)(number, narrow).dtype == np.float32, (name, number)
    whole = tg.tensor([1, 2])
    assert (whole / 2).dtype == (whole / whole).dtype == np.float32  # the default dtype
    assert (whole * 2).dtype == np.int64 and (whole * 2.5).dtype == np.float32
    assert tg.exp(whole).dtype == np.float32 and (whole + wide).dtype == np.float64
    assert (whole + tg.tensor([True, False])).dtype == np.int64


def test_mixed_dtypes_send_each_leaf_its_own():
    a = tg.tensor(np.ones(2), requires_grad=True)
    b = tg.tensor(np.ones((3, 2), np.float32), requires_grad=True)
    for y in (
        a * b,
        tg.cat([a.reshape(1, 2), b]),
        tg.stack([a, b[0]]),
        a @ b.T,
        tg.where(b > 0, a, b),
    ):
        assert y.dtype == np.float64
        found = tg.grad(y.sum(), [a, b], retain_graph=True)
        assert [g.dtype for g in found] == [np.float64, np.float32]
