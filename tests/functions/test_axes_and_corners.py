"""Corners of axes and bounds: a bool for an axis, 0-d tensors, ties with bounds, broadcasting."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_rnn as tg

ALONG = """sum mean var std prod amax amin max min argmax argmin logsumexp cumsum cumprod cummax
softmax softmin log_softmax sort argsort unsqueeze squeeze flip unbind glu norm vector_norm all any
var_mean std_mean cosine_similarity""".split()


@pytest.mark.parametrize("axis", [True, False, 1.0, "x"])
@pytest.mark.parametrize("name", ALONG)
def test_an_axis_is_an_integer(name, axis):
    """`x.var(False)` is PyTorch's `unbiased=False`, not the variance along axis 0."""
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    named = "dims" if name == "flip" else "dim"
    given = {named: [axis] if name == "flip" else axis}
    with pytest.raises(TypeError, match=r"an axis is an integer, not (True|False|1.0|'x')"):
        getattr(tg, name)(*[x] * (1 + (name == "cosine_similarity")), **given)


def slope(function, x: float) -> tuple:
    t = tg.tensor(x, requires_grad=True)
    y = function(t)
    (g,) = tg.grad(y.sum() * 3, t)
    return y.item(), g.item(), y.shape


@pytest.mark.parametrize(
    "function, value, gradient",
    [
        (lambda x: tg.softmax(x, 0), 1, 0), (lambda x: tg.softmax(x, -1), 1, 0),
        (lambda x: tg.softmin(x, 0), 1, 0), (lambda x: tg.log_softmax(x, 0), 0, 0),
        (lambda x: tg.cumsum(x, 0), 2.5, 3), (lambda x: tg.cumsum(x), 2.5, 3),
        (lambda x: tg.cumprod(x, 0), 2.5, 3), (lambda x: tg.cummax(x, 0)[0], 2.5, 3),
        (lambda x: tg.logsumexp(x, 0), 2.5, 3), (lambda x: tg.prod(x, 0), 2.5, 3),
        (lambda x: tg.max(x, 0)[0], 2.5, 3), (lambda x: tg.sort(x)[0], 2.5, 3),
        (lambda x: tg.topk(x, 1)[0], 2.5, 3), (lambda x: tg.norm(x), 2.5, 3),
    ],
)  # fmt: skip
def test_a_0d_tensor_stays_one_and_has_its_slope(function, value, gradient):
    assert slope(function, 2.5) == (pytest.approx(value), pytest.approx(gradient), ())


def test_at_a_tensor_bound_the_gradient_is_the_clamped_ones():
    """As PyTorch: clamp(x, min=b) is x where x ≥ b; ties are not shared, as maximum's are."""
    x, low, high = (tg.tensor(v, requires_grad=True) for v in
                    ([1.0, 0.0, 2.0, 5.0, 4.0], [1.0] * 5, [4.0] * 5))  # fmt: skip
    y = tg.clamp(x, min=low, max=high)
    y.sum().backward()
    assert y.tolist() == [1, 1, 2, 4, 4]
    assert [t.grad.tolist() for t in (x, low, high)] == [
        [1, 0, 1, 0, 1], [0, 1, 0, 0, 0], [0, 0, 0, 1, 0]]  # fmt: skip


def test_clamp_passes_nan_on_and_sends_it_no_gradient():
    x, low = (tg.tensor(v, requires_grad=True) for v in ([math.nan, 1.0], [0.0, math.nan]))
    y = tg.clamp(x, min=low)
    y.sum().backward()
    assert np.isnan(y.detach().numpy()).all()
    assert x.grad.tolist() == low.grad.tolist() == [0, 0]


def test_the_count_of_entries_has_a_gradient_of_zeros():
    x = tg.tensor([0.0, 2.0, math.nan, -3.0], requires_grad=True)
    y = tg.norm(x, 0)
    y.backward()
    assert y.item() == 3 and x.grad.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("shapes", [((4, 3), (4, 1)), ((3,), (4, 3)), ((2, 1, 3), (4, 3))])
def test_cosine_similarity_broadcasts_before_it_measures(shapes):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=s) for s in shapes)
    wide = np.broadcast_arrays(a, b)
    expected = (wide[0] * wide[1]).sum(1) / np.prod([np.linalg.norm(w, axis=1) for w in wide], 0)
    xs = [tg.tensor(v, requires_grad=True) for v in (a, b)]
    y = tg.cosine_similarity(*xs, dim=1)
    np.testing.assert_allclose(y.detach().numpy(), expected, 1e-12)
    assert tg.gradcheck(lambda p, q: tg.cosine_similarity(p, q, dim=1), xs)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int32, np.int64, np.bool_])
def test_extremes_of_a_dtypes_own_ends(dtype):
    ends = [False, True] if dtype is np.bool_ else [np.iinfo(dtype).min, np.iinfo(dtype).max, 0]
    a = np.array([ends, ends[::-1]], dtype)
    x = tg.tensor(a)
    for name, reference in {"amin": np.min, "amax": np.max, "min": np.min, "max": np.max}.items():
        y = getattr(tg, name)(x)
        assert y.dtype == dtype and y.item() == reference(a)
        values = getattr(tg, name)(x, 1)
        values = values if name[0] == "a" else values[0]
        np.testing.assert_array_equal(values.numpy(), reference(a, 1))
    np.testing.assert_array_equal(tg.argmin(x, 1).numpy(), a.argmin(1))
    np.testing.assert_array_equal(tg.sort(x, 1)[0].numpy(), np.sort(a, 1))


def test_minima_share_ties_and_pass_nan_as_maxima_do():
    for values in ([1.0, 1.0, 2.0], [math.nan, 1.0, math.nan]):
        x = tg.tensor(values, requires_grad=True)
        (least,) = tg.grad(tg.amin(x), x)
        (most,) = tg.grad(tg.amax(-x), x)
        assert least.tolist() == (-most).tolist()


@pytest.mark.parametrize("number, dtype", [(300, "uint8"), (-1, "uint8"), (200, "int8")])
def test_a_number_that_the_dtype_lacks_is_refused_and_compared(number, dtype):
    x = tg.tensor([1, 2], dtype=dtype)
    for call in (lambda: x + number, lambda: number * x, lambda: tg.where(x > 0, x, number)):
        with pytest.raises(ValueError, match=rf"{number} is not among the numbers of {dtype}"):
            call()
    assert (x == number).tolist() == [False, False]
    assert (x < number).tolist() == [number > 2] * 2
    assert (number >= x).tolist() == [number > 2] * 2


@pytest.mark.parametrize("total", ["sum", "cumsum", "mean", "logsumexp"])
def test_half_precision_counts_beyond_2048(total):
    x = tg.ones(4096, dtype=np.float16)
    y = getattr(tg, total)(x, 0)
    y = y[-1] if total == "cumsum" else y
    expected = {"mean": 1, "logsumexp": 1 + math.log(4096)}.get(total, 4096)
    assert y.dtype == np.float16 and y.item() == pytest.approx(expected, rel=1e-3)


def test_whole_numbers_are_divided_as_whole_numbers():
    x = tg.tensor([16777217, -(2**60) + 1, 7], dtype="int64")
    assert (x // 1).tolist() == x.tolist() and (x // -2).tolist() == [v // -2 for v in x.tolist()]
    with np.errstate(divide="ignore"):
        assert (tg.tensor([1.0, -1.0]) // 0.0).tolist() == [math.inf, -math.inf]
    with pytest.raises(ValueError, match="integers are not divided by 0"):
        x // 0
