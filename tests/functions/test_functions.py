"""What the table of samples cannot show of the composites: spellings, options, random numbers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import tinygrad_rnn as tg

# axis/dim and keepdims/keepdim are one
REDUCTIONS = "sum mean var std amax amin logsumexp norm prod".split()


@pytest.mark.parametrize("name", REDUCTIONS)
def test_both_spellings_of_an_axis(name):
    x = tg.tensor(np.random.default_rng(0).normal(size=(3, 4)))
    f = getattr(tg, name)
    kept = f(x, axis=1, keepdims=True)
    assert kept.shape == (3, 1)
    for other in (
        f(x, dim=1, keepdim=True),
        f(x, axis=-1, keepdim=True),
        f(x, dim=-1, keepdims=True),
    ):
        np.testing.assert_array_equal(other.numpy(), kept.numpy())
    np.testing.assert_array_equal(getattr(x, name)(dim=1).numpy(), kept.numpy()[:, 0])


@pytest.mark.parametrize(
    "name", "softmax log_softmax cumsum cumprod max min argmax sort argsort".split()
)
def test_both_spellings_along_an_axis(name):
    x = tg.tensor(np.random.default_rng(0).normal(size=(3, 4)))
    f = getattr(tg, name)
    for a, b in zip(np.atleast_1d(f(x, dim=0)), np.atleast_1d(f(x, axis=0)), strict=True):
        assert a.tolist() == b.tolist()


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "logsumexp", "norm", "std"])
def test_reductions_of_a_0d_tensor(name):
    x = tg.tensor(np.array(2.0), requires_grad=True)
    f = getattr(tg, name)
    if name != "std":
        for axis in (None, 0, -1):
            assert f(x, axis=axis).shape == () and f(x, axis=axis).item() == 2
    f(x).backward()
    assert x.grad.shape == ()


def test_booleans_are_counted():
    assert tg.tensor([True, True, False]).sum().item() == 2
    assert tg.sum(tg.tensor([[True], [False]]), 0).dtype == np.int64


def test_max_and_min_return_what_pytorch_does():
    x = tg.tensor([[1.0, 3.0], [4.0, 2.0]])
    values, indices = x.max(1)
    assert (values.tolist(), indices.tolist()) == ([3, 4], [1, 0])
    assert x.min(dim=0, keepdim=True).values.tolist() == [[1, 2]]
    assert x.max().item() == 4 and x.max(tg.tensor(2.5)).tolist() == [[2.5, 3], [4, 2.5]]


def test_einsum_with_ellipsis_repeats_and_implicit_result():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(2, 3, 4)), rng.normal(size=(4, 3)), rng.normal(size=(3, 3))
    for spec, *arrays in [
        ("...ij,jk->...ik", a, b), ("ij,jk", c, b.T), ("ii", c), ("ii->i", c), ("...i->...", a),
        ("bij->bji", a), ("ij,kj->ik", c, c), ("i,i", c[0], c[1]), ("i,j->ij", c[0], b[:, 0]),
        ("bij,bij->b", a, a), ("...,...", c, c), ("ijk,kl,lm->ijm", a, b, c), ("ij->", c),
    ]:  # fmt: skip
        xs = [tg.tensor(v) for v in arrays]
        np.testing.assert_allclose(
            tg.einsum(spec, *xs).numpy(), np.einsum(spec, *arrays), atol=1e-12
        )


def test_norms_of_every_order():
    a = np.random.default_rng(0).normal(size=(3, 4))
    x = tg.tensor(a)
    for p in (0, 1, 2, 3, 2.5, math.inf, -math.inf):
        np.testing.assert_allclose(
            tg.linalg.vector_norm(x, p, 1).numpy(), np.linalg.norm(a, p, axis=1)
        )
    assert tg.norm(x, "fro").item() == pytest.approx(np.linalg.norm(a))


def test_dropout_keeps_the_mean():
    x = tg.ones(20_000)
    y = tg.dropout(x, 0.3, generator=tg.Generator(0)).numpy()
    assert set(np.unique(y).round(6)) == {0, np.float32(1 / 0.7).round(6)}
    assert y.mean() == pytest.approx(1, abs=0.02)
    assert tg.dropout(x, 0.3, training=False) is x


def test_masked_softmax_is_softmax_where_the_mask_is():
    x = tg.tensor(np.random.default_rng(0).normal(size=(2, 3)))
    mask = np.array([[True, True, False], [True, True, True]])
    y = tg.masked_softmax(x, mask).numpy()
    np.testing.assert_allclose(y.sum(1), 1)
    np.testing.assert_allclose(y[0, :2], tg.softmax(x[0, :2]).numpy())
    assert y[0, 2] == 0


def test_integers_are_refused_or_made_real_as_in_pytorch():
    whole = tg.tensor([1, 2, 3])
    assert whole.sum().dtype == np.int64 and whole.mean().dtype == tg.get_default_dtype()
    assert whole.softmax(0).dtype == tg.get_default_dtype()
    with pytest.raises(ValueError, match="power"):
        whole**-1


# Where a whole row of options meets
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div"])
def test_reductions_of_losses_agree(name, reduction):
    x, y = (tg.tensor(np.random.default_rng(s).uniform(0.1, 2, (3, 4))) for s in (0, 1))
    each = getattr(tg, name)(x, y, reduction="none")
    assert each.shape == (3, 4)
    expected = {"none": each, "mean": each.mean(), "sum": each.sum()}[reduction]
    np.testing.assert_allclose(
        getattr(tg, name)(x, y, reduction=reduction).numpy(), expected.numpy()
    )


def test_cross_entropy_of_images_is_that_of_their_pixels():
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5))
    whole = tg.cross_entropy(tg.tensor(x), tg.tensor(t))
    pixels = tg.cross_entropy(
        tg.tensor(x.transpose(0, 2, 3, 1).reshape(-1, 3)), tg.tensor(t.ravel())
    )
    assert whole.item() == pytest.approx(pixels.item())


# Random numbers
DTYPES = "bool uint8 int8 int16 int32 int64 float16 float32 float64".split()


@pytest.mark.parametrize("dtype", DTYPES)
def test_scattered_sums_of_every_dtype_on_every_library(library, dtype):
    """CuPy adds up at repeated places in few dtypes only."""
    start, more = np.array([1, 0, 1]).astype(dtype), np.array([1, 1, 1, 0]).astype(dtype)
    x, rows = library.tensor(start), library.tensor([1, 1, 2, 2])
    y = tg.scatter_add(x, 0, rows, library.tensor(more))
    assert y.dtype == x.dtype
    assert library.numpy(y).tolist() == ([1, 1, 1] if dtype == "bool" else [1, 2, 2])
    assert library.numpy(x).tolist() == start.tolist()


def test_log_softmax_of_nothing_is_nothing(library):
    """Its sums are empty, and their logarithm must not warn."""
    for shape in ((0,), (3, 0), (0, 3)):
        assert tg.log_softmax(library.tensor(np.zeros(shape)), -1).shape == shape


def test_the_same_seed_gives_the_same_numbers_on_every_library(library):
    here, there = tg.Generator(7), tg.Generator(7, device=library.device)
    for draw in (
        lambda g: g.normal((2, 3), std=2.0, mean=1.0), lambda g: g.uniform((4,), -1, 1),
        lambda g: g.bernoulli((5,), 0.3), lambda g: g.integers(0, 10, (6,)),
            lambda g: g.permutation(5),
    ):  # fmt: skip
        a, b = draw(here), draw(there)
        assert a.tolist() == b.tolist() and b.device == library.device and a.dtype == b.dtype


def test_a_generators_state_goes_through_json():
    source = tg.Generator(1)
    source.normal((3,))
    state = json.loads(json.dumps(source.state))
    first = source.uniform((3,)).tolist()
    source.state = state
    assert source.uniform((3,)).tolist() == first
