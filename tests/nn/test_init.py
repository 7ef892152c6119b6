"""Starting values: bounds, variances, orthogonality, and blocks filled gate by gate."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinygrad_rnn import Generator, init, nn, tensor

BIG = (200, 300)


@pytest.mark.parametrize(
    ("rule", "std"),
    [
        ("xavier_uniform", math.sqrt(2 / 500)),
        ("xavier_normal", math.sqrt(2 / 500)),
        ("kaiming_uniform", math.sqrt(2 / 300)),
        ("kaiming_normal", math.sqrt(2 / 300)),
        ("normal", 1.0),
        ("uniform", math.sqrt(1 / 12)),
    ],
)
def test_variances(rule, std):
    values = init.RULES[rule](BIG, generator=0, dtype=np.float64)
    assert values.shape == BIG and abs(values.std() / std - 1) < 0.01
    if "xavier_uniform" in rule:
        assert abs(values).max() <= math.sqrt(6 / 500)


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (3, 2, 2)])
def test_orthogonal_has_orthonormal_rows_or_columns(shape):
    q = init.orthogonal(shape, gain=2.0, generator=0, dtype=np.float64).reshape(shape[0], -1) / 2
    small = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-14)


def test_orthogonal_is_uniform_over_signs():
    traces = [np.trace(init.orthogonal((2, 2), generator=s, dtype=np.float64)) for s in range(400)]
    assert abs(np.mean(traces)) < 0.15  # without the sign of R the diagonal would lean to one side


def test_identity_sparse_and_constants():
    np.testing.assert_array_equal(init.identity((3, 3), 2.0, dtype=np.float64), 2 * np.eye(3))
    w = init.sparse((10, 6), 0.3, generator=0, dtype=np.float64)
    np.testing.assert_array_equal((w == 0).sum(0), np.full(6, 3))
    assert (
        init.constant((2,), 3.0).tolist() == [3.0, 3.0] and init.constant((2,)).dtype == np.float32
    )
    assert init.RULES["ones"]((2,)).tolist() == [1.0, 1.0]


def test_gains_are_torchs():
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("leaky_relu", 0.2) == math.sqrt(2 / 1.04)
    with pytest.raises(ValueError, match="Unsupported nonlinearity cosine"):
        init.calculate_gain("cosine")


@pytest.mark.parametrize("name", [n for n in vars(init) if n.endswith("_") and n[0] not in "_c"])
def test_underscore_rules_refill_a_tensor(name):
    t = tensor(np.full((4, 4), 7.0), requires_grad=True)
    old = t._array
    extra = {"sparsity": 0.5} if name == "sparse_" else {}
    assert getattr(init, name)(t, generator=0, **extra) is t
    assert (t.data != 7).any() and (old == 7).all() and t.requires_grad and t.dtype == np.float64


def test_refilling_works_on_every_array_library(library):
    t = library.tensor(np.zeros((3, 3)))
    init.orthogonal_(t, generator=1)
    want = init.orthogonal((3, 3), generator=1, dtype=np.float64)
    np.testing.assert_array_equal(library.numpy(t), want)


def test_a_generator_is_shared_and_a_seed_repeats():
    g = Generator(0)
    a, b = init.normal((3,), generator=g), init.normal((3,), generator=g)
    assert (a != b).all()
    np.testing.assert_array_equal(init.normal((3,), generator=0), a)
    assert (init.normal((3,)) != init.normal((3,))).all()


@pytest.mark.parametrize("form", ["separate", "stacked"])
def test_each_gate_is_orthogonal_by_itself(form):
    cell = nn.LSTMCell(3, 5, form=form, dtype=np.float64, seed=0, init={"hh": "orthogonal"})
    for gate in cell.gate_names:
        block = cell.gate(gate).weight_hh.detach().numpy()
        np.testing.assert_allclose(block @ block.T, np.eye(5), atol=1e-14)
    packed = init.orthogonal((20, 5), generator=0, dtype=np.float64)
    assert np.linalg.svd(packed[:5], compute_uv=False).min() < 0.5  # why not the stack at once


def test_named_gates_win_over_all_gates_whatever_the_order():
    spec = {"f.bias": 1.0, "bias": 0.0, "hh": ("identity", {"gain": 0.5}), "g.ih": np.ones((4, 3))}
    cell = nn.LSTMCell(3, 4, dtype=np.float64, seed=0, init=spec)
    assert (cell.gate("f").bias.detach().numpy() == 1).all()
    assert not cell.gate("o").bias.detach().numpy().any()
    np.testing.assert_array_equal(cell.gate("i").weight_hh.detach().numpy(), np.eye(4) / 2)
    assert (cell.gate("g").weight_ih.detach().numpy() == 1).all()
    init.apply(cell, {"g.ih": lambda shape, generator: np.full(shape, 2.0)})
    assert (cell.gate("g").weight_ih.detach().numpy() == 2).all()


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ({"hh": "orthogonl"}, ValueError, "unknown initialisation 'orthogonl'; known: constant,"),
        ({"z.hh": 0}, ValueError, "LSTMCell: a gate of init must be one of 'i', .*, got 'z'"),
        ({"weights": 0}, ValueError, "unknown part 'weights' of a gate; known: ih, hh, bias"),
        ({"f.bias": np.ones(3)}, ValueError, r"shape \(3,\) given for a block of \(4,\)"),
    ],
)
def test_wrong_specifications_are_named(spec, error, message):
    with pytest.raises(error, match=message):
        nn.LSTMCell(3, 4, init=spec)


def test_chrono_biases_span_the_memory():
    cell = nn.LSTMCell(2, 1000, bias="single", dtype=np.float64, seed=0)
    init.chrono_(cell, 50, generator=0)
    f, i = (cell.gate(k).bias.detach().numpy() for k in "fi")
    np.testing.assert_array_equal(f, -i)
    assert f.min() >= 0 and f.max() <= math.log(49) and f.max() > math.log(48)
    for kind, sign in (({"update": "keeps"}, 1), ({"update": "writes"}, -1)):
        gru = nn.GRUCell(2, 100, dtype=np.float64, seed=0, **kind)
        init.chrono_(gru, 50, generator=0)
        z = gru.gate("z").bias.detach().numpy()
        assert (sign * z >= 0).all() and abs(z).max() > 2
    with pytest.raises(TypeError, match="RNNCell has no gate that keeps"):
        init.chrono_(nn.RNNCell(2, 3), 50)
    with pytest.raises(ValueError, match="at least 3 steps, got 2"):
        init.chrono_(cell, 2)


def test_fans_count_the_kernel():
    assert init.fans((8, 3, 5, 5)) == (75, 200)
    with pytest.raises(ValueError, match="two or more axes"):
        init.fans((3,))
