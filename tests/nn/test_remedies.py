"""Remedies: what each computes, and a task that fails without it and succeeds with it, four seeds.

The two tasks: `latch`, remember the sign of the first input to the end (gradients vanish), and
`echo`, repeat the input one step later with large recurrent weights (gradients explode).
"""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_rnn import (
    binary_cross_entropy_with_logits,
    init,
    mse_loss,
    nn,
    no_grad,
    optim,
    tanh,
    tensor,
)
from tinygrad_rnn.engine.backward import grad

SEEDS = range(4)
LONG = [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))]
CHANCE = np.log(2)


def latch(rng, T, B=16, noise=0.0):
    """x (T, B, 2) with ±1 in the first step, noise after it, and which sign it was (B,)."""
    x, sign = np.zeros((T, B, 2), np.float32), rng.integers(0, 2, B)
    x[0, :, 0] = 2 * sign - 1
    x[1:, :, 1] = noise * rng.normal(size=(T - 1, B))
    return tensor(x), tensor(sign.astype(np.float32))


def latch_loss(layer, seed, T=20, iters=60, lr=5e-3, noise=0.0, penalty=None):
    """The mean loss of the last ten updates."""
    head, rng = nn.Linear(layer.output_size, 1, seed=seed + 100), np.random.default_rng(seed)
    parameters = [*layer.parameters(), *head.parameters()]
    optimizer, losses = optim.Adam(parameters, lr=lr), []
    for _ in range(iters):
        x, sign = latch(rng, T, noise=noise)
        cell = layer.cells[0][0]
        states, _ = nn.scan(cell, x, cell.start(x.shape[1], x))
        loss = binary_cross_entropy_with_logits(head(states[-1]).squeeze(-1), sign)
        losses.append(loss.item())
        loss = loss + penalty(loss, states) if penalty else loss
        optimizer.zero_grad()
        loss.backward()
        nn.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    return np.mean(losses[-10:])


def echo_loss(seed, remedy, gain, lr, nonlinearity, iters=100, T=30, B=4):
    """The mean loss of the last ten updates (1/12 for always answering 0), inf if it diverged."""
    spec = {"hh": ("orthogonal", {"gain": gain}), "bias": 0}
    layer = nn.RNN(1, 16, nonlinearity=nonlinearity, seed=seed, init=spec)
    head, rng = nn.Linear(16, 1, seed=seed), np.random.default_rng(seed)
    parameters = [*layer.parameters(), *head.parameters()]
    optimizer, losses = optim.SGD(parameters, lr=lr), []
    for _ in range(iters):
        u = rng.uniform(-0.5, 0.5, (T + 1, B, 1)).astype(np.float32)
        fit = mse_loss(head(layer(tensor(u[1:]))[0]), tensor(u[:-1]))
        optimizer.zero_grad()
        (fit + remedy(layer) if remedy.__name__.endswith("penalty") else fit).backward()
        if not all(np.isfinite(p.grad.numpy()).all() for p in parameters):
            return np.inf
        if remedy.__name__.startswith("clip"):
            remedy(parameters)
        optimizer.step()
        losses.append(fit.item())
    return np.mean(losses[-10:])


def nothing(parameters):
    pass


# Exploding gradients
def clip_norm(parameters):
    nn.clip_grad_norm_(parameters, 0.5)


def clip_value(parameters):
    nn.clip_grad_value_(parameters, 0.1)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
@pytest.mark.parametrize("seed", SEEDS)
def test_clipping_rescues_what_explodes(seed):
    run = lambda remedy: echo_loss(seed, remedy, gain=1.15, lr=0.1, nonlinearity=None, B=8)
    assert run(nothing) == np.inf
    assert run(clip_norm) < 0.06 and run(clip_value) < 0.06


def l2_penalty(layer):
    return 0.02 * nn.l2_penalty([layer.weight_hh_l0])


def l1_penalty(layer):
    return 0.008 * nn.l1_penalty([layer.weight_hh_l0])


@pytest.mark.parametrize("seed", LONG)
def test_penalties_calm_recurrent_weights_that_are_too_large(seed):
    run = lambda r: echo_loss(seed, r, gain=1.5, lr=0.2, nonlinearity="tanh", T=20, iters=120)
    without = run(nothing)
    assert without > 0.024
    assert run(l2_penalty) < 0.6 * without and run(l1_penalty) < 0.6 * without


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
@pytest.mark.parametrize("seed", LONG)
def test_truncation_trains_where_the_whole_gradient_explodes(seed):
    T, B, rng = 60, 4, np.random.default_rng(seed)
    u = [rng.uniform(-0.5, 0.5, (T + 1, B, 1)).astype(np.float32) for _ in range(12)]

    def run(window):
        spec = {"hh": ("orthogonal", {"gain": 1.2}), "bias": 0}
        layer, head = nn.RNN(1, 16, seed=seed, init=spec), nn.Linear(16, 1, seed=seed)
        optimizer = optim.SGD([*layer.parameters(), *head.parameters()], lr=0.2)

        def update():
            optimizer.step()
            optimizer.zero_grad()

        for s in u:
            x, y = tensor(s[1:]), tensor(s[:-1])
            loss = lambda out, t, y=y: mse_loss(head(out), y[t : t + 1]) / window
            nn.tbptt(layer, [x[t : t + 1] for t in range(T)], loss, window, window, after=update)
        with no_grad():
            return mse_loss(head(layer(x)[0]), y).item()

    assert not run(T) < 0.05
    assert run(5) < 0.03


# Vanishing gradients: initialisation
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("nonlinearity", "hh", "settings"),
    [("tanh", "orthogonal", {"T": 30, "iters": 80}), ("relu", "identity", {"lr": 1e-2})],
)
def test_initialisation_keeps_the_gradient_alive(seed, nonlinearity, hh, settings):
    default = nn.RNN(2, 8, nonlinearity=nonlinearity, seed=seed)
    remedy = nn.RNN(2, 8, nonlinearity=nonlinearity, init={"hh": hh, "bias": 0}, seed=seed)
    assert latch_loss(default, seed, **settings) > 0.9 * CHANCE
    assert latch_loss(remedy, seed, **settings) < 0.3 * CHANCE


@pytest.mark.parametrize("seed", SEEDS)
def test_the_vanishing_penalty_keeps_the_gradient_alive(seed):
    penalty = lambda loss, states: 0.1 * nn.vanishing_penalty(loss, states)
    plain, remedy = (nn.RNN(2, 8, seed=seed) for _ in range(2))
    assert latch_loss(plain, seed, T=15, lr=1e-2) > 0.9 * CHANCE
    assert latch_loss(remedy, seed, T=15, lr=1e-2, penalty=penalty) < 0.4 * CHANCE


# Vanishing gradients: gates, with noise to be ignored
NOISY = {"T": 15, "iters": 50, "lr": 3e-2, "noise": 1.0}


def chrono(seed):
    layer = nn.LSTM(2, 8, seed=seed)
    init.chrono_(layer.cells[0][0], 15, generator=seed)
    return layer


GATED = {
    "GRU": lambda seed: nn.GRU(2, 8, init={"z.bias": 3.0}, seed=seed),
    "LSTM": lambda seed: nn.LSTM(2, 8, forget_bias=3.0, seed=seed),
    "peephole LSTM": lambda seed: nn.LSTM(2, 8, forget_bias=3.0, peephole="diagonal", seed=seed),
    "chrono LSTM": chrono,
}


@pytest.mark.parametrize("seed", SEEDS)
def test_an_rnn_cannot_latch_in_noise(seed):
    assert latch_loss(nn.RNN(2, 8, seed=seed), seed, **NOISY) > 0.9 * CHANCE


@pytest.mark.parametrize("seed", LONG)
@pytest.mark.parametrize("gates", GATED)
def test_gates_that_begin_open_latch_in_noise(gates, seed):
    assert latch_loss(GATED[gates](seed), seed, **NOISY) < 0.5 * CHANCE


@pytest.mark.parametrize("seed", SEEDS)
def test_gates_alone_do_not_latch_the_bias_does(seed):
    assert latch_loss(nn.LSTM(2, 8, seed=seed), seed, **NOISY) > 0.9 * CHANCE


# What each computes
def given(*gradients):
    tensors = [tensor(np.zeros_like(g), requires_grad=True) for g in gradients]
    for t, g in zip(tensors, gradients, strict=True):
        t.grad = tensor(g)
    return tensors


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, np.inf])
def test_clipping_by_norm_scales_all_and_keeps_the_direction(order):
    a, b = np.random.default_rng(0).normal(size=(2, 3, 4))
    p = given(a, b)
    whole = np.linalg.norm(np.concatenate([a.ravel(), b.ravel()]), order)
    assert nn.clip_grad_norm_(p, 0.5, order) == pytest.approx(whole, rel=1e-12)
    np.testing.assert_allclose(p[0].grad.numpy(), a * 0.5 / (whole + 1e-6), rtol=1e-12)
    assert nn.clip_grad_norm_(p, 10.0, order) == pytest.approx(0.5, rel=1e-5)
    np.testing.assert_allclose(p[1].grad.numpy(), b * 0.5 / (whole + 1e-6), rtol=1e-12)


def test_clipping_does_not_overflow_in_float32():
    p = given(np.full(4, 1e30, np.float32), np.full(5, -1e30, np.float32))
    assert nn.clip_grad_norm_(p, 3.0) == pytest.approx(3e30)
    np.testing.assert_allclose(p[0].grad.numpy(), 1.0, rtol=1e-5)
    assert p[0].grad.dtype == np.float32


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_is_named_and_nothing_is_changed(bad):
    model = nn.LSTM(2, 3, seed=0)
    for p in model.parameters():
        p.grad = tensor(np.full(p.shape, 5.0, np.float32))
    model.weight_hh_l0.grad = tensor(np.full((12, 3), bad, np.float32))
    with pytest.raises(
        ValueError, match=r"non-finite gradient norm \(nan|inf\) from.*'weight_hh_l0'"
    ):
        nn.clip_grad_norm_(model, 1.0)
    assert (model.weight_ih_l0.grad.numpy() == 5).all()
    if np.isnan(bad):
        with pytest.raises(ValueError, match="NaN in the gradient of parameter 'weight_hh_l0'"):
            nn.clip_grad_value_(model.named_parameters(), 1.0)
        assert (model.weight_ih_l0.grad.numpy() == 5).all()


def test_clipping_by_value_cuts_every_entry(library):
    p = library.tensor(np.zeros(3), requires_grad=True)
    p.grad = library.tensor(np.array([-3.0, 0.5, 2.0]))
    nn.clip_grad_value_(p, 1.0)
    np.testing.assert_array_equal(library.numpy(p.grad), [-1, 0.5, 1])
    assert nn.clip_grad_norm_([p], 1.0) == pytest.approx(1.5)


def test_clipping_of_nothing_and_by_nonsense():
    untouched = tensor(np.zeros(2), requires_grad=True)
    assert nn.clip_grad_norm_([untouched], 1.0) == 0 and nn.clip_grad_norm_([], 1.0) == 0
    for bad in (-1.0, np.nan):
        with pytest.raises(ValueError, match="max_norm must be a finite number of at least 0"):
            nn.clip_grad_norm_([untouched], bad)
        with pytest.raises(ValueError, match="clip_value must be a finite number above 0"):
            nn.clip_grad_value_([untouched], bad)


def test_penalties_are_sums():
    w = [tensor(np.array([1.0, -2.0]), requires_grad=True), tensor(np.array([[3.0]]))]
    assert nn.l1_penalty(w).item() == 6 and nn.l2_penalty(w).item() == 14
    nn.l2_penalty(w).backward()
    assert w[0].grad.tolist() == [2, -4]
    with pytest.raises(ValueError, match="at least one Tensor"):
        nn.l1_penalty([])


def omega_by_hand(W, states, arriving):
    """Σ_k (‖g_{k+1} diag(1 − a²_{k+1}) W‖ / ‖g_{k+1}‖ − 1)² of a tanh network."""
    ratios = [
        np.linalg.norm((g * (1 - a**2)) @ W) / np.linalg.norm(g)
        for a, g in zip(states[1:], arriving[1:], strict=True)
    ]
    return sum((r - 1) ** 2 for r in ratios)


def test_the_vanishing_penalty_is_pascanus_and_its_gradient_exact():
    rng = np.random.default_rng(0)
    x, W0 = rng.normal(size=(5, 2, 3)), rng.normal(size=(3, 3))

    def run(W):
        states, h = [], tensor(np.zeros((2, 3)))
        for step in x:
            h = tanh(tensor(step) + h @ W.T)
            states.append(h)
        return (states[-1] * tensor(x[0])).sum(), states

    W = tensor(W0, requires_grad=True)
    loss, states = run(W)
    arriving = [g.numpy() for g in grad(loss, states, retain_graph=True)]
    omega = nn.vanishing_penalty(loss, states)
    values = [s.detach().numpy() for s in states]
    assert omega.item() == pytest.approx(omega_by_hand(W0, values, arriving), rel=1e-12)
    omega.backward()
    d = rng.normal(size=(3, 3))
    at = lambda e: omega_by_hand(
        W0 + e * d, [s.detach().numpy() for s in run(tensor(W0 + e * d))[1]], arriving
    )
    assert (W.grad.numpy() * d).sum() == pytest.approx((at(1e-6) - at(-1e-6)) / 2e-6, rel=1e-6)
    with pytest.raises(ValueError, match="at least two states"):
        nn.vanishing_penalty(loss, states[:1])


# Truncated BPTT
def windowed(layer, head, x, y, k1, k2, state):
    """Gradients by the definition: for each window, run from a constant state, sum its losses."""
    T, states = len(x), [state]
    for t in range(T):
        states.append(each_detached(layer(x[t : t + 1], states[-1])[1]))
    ends = [*range(k1, T, k1), T]
    for begin, end in zip([0, *ends], ends, strict=False):
        first = max(end - k2, 0)
        out, _ = layer(x[first:end], states[first])
        picked = head(out[begin - first :]) - y[begin:end]
        (picked * picked).sum().backward()


def each_detached(state):
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM])
@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (1, 3), (2, 2), (2, 5), (3, 4), (7, 7), (3, 20)])
def test_windows_slide_as_defined(kind, k1, k2):
    T, rng = 7, np.random.default_rng(0)
    layer = kind(2, 3, 2, dtype=np.float64, seed=0)
    head = nn.Linear(3, 1, dtype=np.float64, seed=1)
    x, y = tensor(rng.normal(size=(T, 2, 2))), tensor(rng.normal(size=(T, 2, 1)))
    first = tuple(tensor(rng.normal(size=(2, 2, 3)), requires_grad=True) for _ in range(2))
    first = first if kind is nn.LSTM else first[0]

    def loss(out, t):
        d = head(out) - y[t : t + 1]
        return (d * d).sum()

    steps = [x[t : t + 1] for t in range(T)]
    total, end = nn.tbptt(layer, steps, loss, k1, k2, first)
    leaves = [*layer.parameters(), *head.parameters()]
    leaves += first if isinstance(first, tuple) else [first]
    got = [p.grad.numpy() for p in leaves]
    for p in leaves:
        p.grad = None
    windowed(layer, head, x, y, k1, k2, first)
    for p, g in zip(leaves, got, strict=True):
        np.testing.assert_allclose(g, p.grad.numpy(), atol=1e-12)
    with no_grad():
        out, want = layer(x, first)
        assert total == pytest.approx(((head(out) - y) ** 2).sum().item())
    ends, wanted = (s if isinstance(s, tuple) else (s,) for s in (end, want))
    for a, b in zip(ends, wanted, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-13)
        assert not a.requires_grad


def test_losses_may_be_missing_and_windows_must_fit():
    layer, x = nn.GRU(2, 3, dtype=np.float64, seed=0), tensor(np.ones((1, 1, 2)))
    total, _ = nn.tbptt(layer, [x] * 4, lambda out, t: out.sum() if t == 3 else None, 2, 3)
    assert total == pytest.approx(layer(tensor(np.ones((4, 1, 2))))[0][-1].sum().item())
    assert layer.weight_hh_l0.grad is not None
    assert nn.tbptt(layer, [], lambda out, t: None, 1, 1) == (0.0, None)
    for k1, k2 in ((0, 1), (3, 2)):
        with pytest.raises(ValueError, match=r"tbptt: k[12] must be a whole number of at least"):
            nn.tbptt(layer, [x], lambda out, t: None, k1, k2)


def test_windows_and_penalties_run_on_every_array_library(library):
    layer = nn.LSTM(2, 3, dtype=np.float64, device=library.device, seed=0)
    x = library.tensor(np.random.default_rng(0).normal(size=(4, 2, 2)))
    total, _ = nn.tbptt(layer, [x[t : t + 1] for t in range(4)], lambda out, t: out.sum(), 1, 2)
    assert layer.weight_hh_l0.grad.device == library.device
    assert total == pytest.approx(layer(x)[0].sum().item())
    states = []
    for t in range(4):
        states.append(layer.cells[0][0](x[t], states[-1] if states else None))
    hidden = [h for h, _ in states]
    omega = nn.vanishing_penalty((hidden[-1] * hidden[-1]).sum(), hidden)
    omega.backward()
    assert omega.item() >= 0 and omega.device == library.device
