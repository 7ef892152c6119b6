"""Step 8: BPTT equals the sums written by hand, and a network learns."""

import numpy as np

T, B, I, H = 4, 3, 2, 5
RNG = np.random.default_rng(0)
W_AA, W_AX, B_A = (RNG.normal(size=s) * 0.5 for s in ((H, H), (H, I), (H,)))
XS = RNG.normal(size=(T, B, I))


def by_hand():
    """Return ∂L/∂W_aa of L = Σ_t Σ a⟨t⟩² by the recursion on paper."""
    states = [np.zeros((B, H))]
    for x in XS:
        states.append(np.tanh(states[-1] @ W_AA.T + x @ W_AX.T + B_A))
    total, later = np.zeros_like(W_AA), np.zeros((B, H))
    for t in range(T, 0, -1):
        pre = (2 * states[t] + later) * (1 - states[t] ** 2)  # ∂L/∂ of what tanh was given
        total += pre.T @ states[t - 1]
        later = pre @ W_AA
    return total


def test_the_states(engine):
    found = engine.run(*map(engine.Value, (W_AA, W_AX, B_A)), XS)
    a = np.tanh(XS[0] @ W_AX.T + B_A)
    assert len(found) == T and np.allclose(found[0].data, a)
    assert np.allclose(found[1].data, np.tanh(a @ W_AA.T + XS[1] @ W_AX.T + B_A))


def test_the_gradient_is_the_sum_over_all_steps(engine):
    W_aa, W_ax, b_a = map(engine.Value, (W_AA, W_AX, B_A))
    loss = engine.Value(0.0)
    for a in engine.run(W_aa, W_ax, b_a, XS):
        loss = loss + (a * a).sum()
    loss.backward()
    assert np.allclose(W_aa.grad, by_hand(), 1e-10, 1e-10)


def test_a_step_moves_and_empties(engine):
    a = engine.Value(2.0)
    (a * a).backward()
    engine.step([a], 0.25)
    assert float(a.data) == 1 and a.grad is None


def test_it_learns_to_remember_the_first_bit(engine):
    rng = np.random.default_rng(1)
    sizes = (H, H), (H, 1), (H,), (1, H)
    W_aa, W_ax, b_a, W_ya = weights = [engine.Value(rng.normal(size=s) * 0.4) for s in sizes]
    bits = rng.choice([-1.0, 1.0], (5, 32, 1))
    losses = []
    for _ in range(300):
        y = engine.run(W_aa, W_ax, b_a, bits)[-1] @ W_ya.transpose((1, 0))
        loss = ((y - bits[0]) ** 2).mean()
        loss.backward()
        engine.step(weights, 0.1)
        losses.append(float(loss.data))
    assert losses[0] > 0.5 and losses[-1] < 0.1, losses[-1]
