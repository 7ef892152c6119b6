# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---
# %% [markdown]
# # 10 · Long short-term memory
#
# **What does a second state, which no matrix touches, do for the gradient?**
#
# $c$ is the memory, $a$ what the cell shows. With all gates seeing $[a^{\langle t-1\rangle}, x^{\langle t\rangle}]$:
#
# $$\tilde c = \tanh(W_c [a^{\langle t-1\rangle}, x^{\langle t\rangle}] + b_c), \qquad
# \Gamma_{u,f,o} = \sigma(W_{u,f,o} [a^{\langle t-1\rangle}, x^{\langle t\rangle}] + b_{u,f,o})$$
# $$c^{\langle t\rangle} = \Gamma_u \circ \tilde c + \Gamma_f \circ c^{\langle t-1\rangle}, \qquad
# \text{A: } a^{\langle t\rangle} = \Gamma_o \circ \tanh(c^{\langle t\rangle}) \quad\text{or}\quad
# \text{B: } a^{\langle t\rangle} = \Gamma_o \circ c^{\langle t\rangle}$$
#
# Variant C has B's output and a relevance gate, $\Gamma_r = \sigma(W_r [a^{\langle t-1\rangle}, x^{\langle t\rangle}] + b_r)$ and
# $\tilde c = \tanh(W_c [\Gamma_r \circ
# a^{\langle t-1\rangle}, x^{\langle t\rangle}] + b_c)$. Along $c$ there is one factor per step:
# $\partial c^{\langle t\rangle}/\partial c^{\langle t-1\rangle} = \mathrm{diag}(\Gamma_f)$ + what goes
# through the gates.

# %%
import matplotlib.pyplot as plt
import numpy as np

from tinygrad_rnn import (
    binary_cross_entropy_with_logits,
    cat,
    init,
    jacobian,
    nn,
    optim,
    scope,
    sigmoid,
    tanh,
    tensor,
)
from tinygrad_rnn.draw import draw
from tinygrad_rnn.exercises import check, question

I, H = 2, 3
rng = np.random.default_rng(0)
cell = nn.LSTMCell(I, H, form="per_gate", dtype=np.float64, seed=0)
W = {gate: getattr(cell, f"W_{gate}") for gate in "ufco"}  # one matrix per gate, on [a, x]
b = {gate: getattr(cell, f"b_{gate}") for gate in "ufco"}


def step(a, c, x, hold=False):
    z = cat([a, x], 1)
    Γ_u, Γ_f, Γ_o = (sigmoid(z @ W[gate].T + b[gate]) for gate in "ufo")
    c̃ = tanh(z @ W["c"].T + b["c"])
    if hold:
        Γ_u, Γ_f, Γ_o, c̃ = (v.detach() for v in (Γ_u, Γ_f, Γ_o, c̃))
    c = Γ_u * c̃ + Γ_f * c
    return Γ_o * tanh(c), c  # A


a, c = (tensor(rng.normal(size=(1, H)), requires_grad=True) for _ in range(2))
x = tensor(rng.normal(size=(1, I)), name="x⟨t⟩")
a.name, c.name = "a⟨t−1⟩", "c⟨t−1⟩"
ours, (_, theirs) = step(a, c, x), cell.step(x, (a, c))[1]
print("same c⟨t⟩ as nn.LSTMCell:", np.allclose(ours[1].detach().numpy(), theirs.detach().numpy()))

# %% [markdown]
# ## The graph of the cell
# The way from $c^{\langle t-1\rangle}$ to $c^{\langle t\rangle}$ meets one × and one +, and no matrix.

# %%
draw(cell, view="rolled", title="An LSTM (variant A), rolled up")

# %% [markdown]
# Variants A and B differ by one node; the comparison marks it:

# %%
plain = nn.LSTMCell(I, H, output_activation=None, form="per_gate", dtype=np.float64, seed=0)


def one_step(cell):
    with scope("lstm", step=0, cell="lstm"):
        return (cell.step(x, (a, c))[0] ** 2).sum()


draw(one_step(cell), view="diff", against=one_step(plain), title="A: with tanh, B: without")

# %%
relevance = nn.LSTMCell(I, H, relevance=True, output_activation=None, dtype=np.float64, seed=0)
print("variant C has the gates", relevance.gate_names, "— r is Γ_r, i is Γ_u, g is c̃")

# %% [markdown]
# ## Predict, then run: the constant error carousel
# Over two steps, $\partial c^{\langle 2\rangle}/\partial c^{\langle 0\rangle}$: is it the product of the forget
# gates? And when gates and $\tilde c$ are held constant?


# %%
def after_two(c0, hold):
    a1, c1 = step(a, c0, x, hold)
    return step(a1, c1, x, hold)[1]


for hold in (False, True):
    J = jacobian(lambda c0: after_two(c0, hold)[0], c)  # noqa: B023
    print(
        "held" if hold else "free", np.asarray(J.detach().numpy()).reshape(H, H).round(3).tolist()
    )

# %% [markdown]
# Only held it is diagonal. What is beside the diagonal, and part of what is on it, goes through
# $a^{\langle 1\rangle}$ and the gates of step 2.

# %% [markdown]
# ## Exercises

# %%
for number in ("10.1", "10.2", "10.3"):
    print(question(number), end="\n\n")


# %%
### BEGIN SOLUTION
def lstm_step(W, b, a, c, x):
    σ = lambda z: 1 / (1 + np.exp(-z))
    z = np.concatenate([a, x])
    Γ_u, Γ_f, Γ_o = (σ(W[gate] @ z + b[gate]) for gate in "ufo")
    c = Γ_u * np.tanh(W["c"] @ z + b["c"]) + Γ_f * c
    return Γ_o * np.tanh(c), c


def forget_bias(steps):
    p = 0.5 ** (1 / steps)
    return np.log(p / (1 - p))


check("10.1", lstm_step)
check("10.2", lambda F: F.prod(0))
check("10.3", forget_bias)
### END SOLUTION

# %% [markdown]
# ## A task: is it the gates, or their bias?
# One bit through 15 steps of noise; chance is $\log 2 = 0.69$. The same cell, the same 50 updates, four
# seeds; only the forget gate's bias begins elsewhere. *chrono* draws it from
# $\log U(1, T_{max} - 1)$, so that units forget at different speeds.


# %%
def latch(layer, seed, steps=15):
    model, rng = nn.Readout(layer, 1, seed=seed + 100), np.random.default_rng(seed)
    adam, losses = optim.Adam(model.parameters(), lr=3e-2), []
    for _ in range(50):
        x, sign = np.zeros((steps, 16, 2)), rng.integers(0, 2, 16)
        x[0, :, 0] = 2 * sign - 1
        x[1:, :, 1] = rng.normal(size=(steps - 1, 16))
        logits = model(tensor(x).float())[0][-1, :, 0]
        loss = binary_cross_entropy_with_logits(logits, tensor(sign).float())
        adam.zero_grad()
        loss.backward()
        nn.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        losses.append(loss.item())
    return losses


def chrono(seed):
    layer = nn.LSTM(2, 8, seed=seed)
    init.chrono_(layer.cells[0][0], 15, generator=seed)
    return layer


starts = {
    "RNN, no gates": lambda seed: nn.RNN(2, 8, seed=seed),
    "LSTM, b_f = 0": lambda seed: nn.LSTM(2, 8, forget_bias=0.0, seed=seed),
    "LSTM, b_f = 1": lambda seed: nn.LSTM(2, 8, forget_bias=1.0, seed=seed),
    "LSTM, b_f = 3": lambda seed: nn.LSTM(2, 8, forget_bias=3.0, seed=seed),
    "LSTM, chrono": chrono,
}
curves = {name: [latch(make(seed), seed) for seed in range(4)] for name, make in starts.items()}
for name, runs in curves.items():
    print(f"{name}: loss, seeds 0–3", "  ".join(f"{np.mean(r[-10:]):.3f}" for r in runs))

# %%
fig, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
for name, color in (
    ("RNN, no gates", "#8a8678"),
    ("LSTM, b_f = 0", "#D55E00"),
    ("LSTM, b_f = 3", "#00224e"),
):
    axis.plot(np.transpose(curves[name]), color=color, linewidth=1)
    axis.plot([], [], color=color, label=f"{name}, four seeds")
axis.set(title="Gates alone do not latch", xlabel="update", ylabel="cross-entropy, nats")
axis.legend()
plt.show()

# %% [markdown]
# ## Where the gradient goes

# %%
layer = nn.LSTM(2, 8, forget_bias=3.0, seed=0)
output, _ = layer(tensor(rng.normal(size=(20, 1, 2))).float())
loss = (output[-1] ** 2).sum()
flow = loss.backward(record="norm")
draw(loss, view="flow", title="LSTM, forget bias 3, a loss at the end")

# %% [markdown]
# ## What this does not show
# That LSTMs beat plain networks: with $b_f = 0$ this one does as the RNN does. The bias is the lesson,
# and for other lengths another bias. Nor that $c$ is unbounded in practice.
#
# In the code: [LSTMCell](../tinygrad_rnn/nn/cells.py), [chrono](../tinygrad_rnn/init.py); tests:
# [by hand (lstm-A, lstm-B, lstm-C)](../tests/analytic/test_against_nn.py),
# [recorded from torch](../tests/golden/test_torch.py),
# [`test_gates_alone_do_not_latch_the_bias_does`](../tests/nn/test_remedies.py).
