# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---
# %% [markdown]
# # 08 · Echo state networks
#
# **What can be learned if the recurrent weights are never trained?**
#
# A random, fixed *reservoir* echoes what it heard; only a linear read-out is fitted, in one go:
#
# $$a^{\langle t\rangle} = (1-\alpha)\, a^{\langle t-1\rangle} + \alpha \tanh(W_{in} [1, u^{\langle t\rangle}]
# + W a^{\langle t-1\rangle}), \qquad W_{out} = Y A^\top (A A^\top + \lambda 1)^{-1}$$
#
# Nothing is sent back through time, so nothing vanishes. $W$ is scaled to a spectral radius $\rho$,
# its largest |eigenvalue|.

# %%
import matplotlib.pyplot as plt
import numpy as np

from tinygrad_rnn import nn, no_grad, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.exercises import check, question

network = nn.EchoState(1, 40, 1, leak=0.3, spectral_radius=0.9, dtype=np.float64, seed=0)
cell = network.layer.cells[0][0]
W, W_in, b = (getattr(cell, name).numpy() for name in ("weight_hh", "weight_ih", "bias_ih"))
rng = np.random.default_rng(0)
u, a = rng.uniform(-1, 1, (50, 1, 1)), np.zeros(40)
for t in range(50):
    a = 0.7 * a + 0.3 * np.tanh(W_in @ u[t, 0] + b + W @ a)  # the equation, α = 0.3
print("the layer does the same:", np.allclose(network.layer(tensor(u))[1].numpy(), a))
print("spectral radius:", np.abs(np.linalg.eigvals(W)).max().round(6))

# %% [markdown]
# ## The graph
# The reservoir is an ordinary cell whose parameters are frozen, grey: no gradient is for them.

# %%
small = nn.EchoState(1, 6, 1, leak=0.3, sparsity=0.5, dtype=np.float64, seed=0)
frozen = small.layer.cells[0][0]
frozen.weight_hh.name, frozen.weight_ih.name, frozen.bias_ih.name = "W", "W_in", "b_in"
draw(small.layer, view="op", title="A reservoir, α = 0.3: nothing to learn in here")

# %% [markdown]
# What is trained is the read-out $y = W_{out} [1, u, a]$ alone; the states are its input.

# %%
y, _ = small(tensor(u[:3]))
loss = (y**2).mean()
flow = loss.backward(record="norm")
draw(loss, view="op", title="The read-out")

# %% [markdown]
# ## Predict, then run: does it forget how it began?
# Two runs on the same input from different starts. With $\rho = 0.5$ they meet. With $\rho = 1.5$?
# And on *no* input, at $\rho = 1.5$?

# %%
fig, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
noise = tensor(rng.uniform(-1, 1, (100, 1, 1)))
for rho, color in ((0.5, "#8a8678"), (0.9, "#00224e"), (1.5, "#D55E00")):
    fresh = nn.EchoState(1, 100, 1, spectral_radius=rho, dtype=np.float64, seed=1)
    for line, heard in (("-", noise), (":", noise * 0)):
        apart = nn.echo_state_test(fresh.layer.cells[0][0], heard)
        label = f"ρ = {rho}, {'white noise' if line == '-' else 'silence'}"
        axis.semilogy(np.maximum(apart, 1e-16), line, color=color, label=label)
axis.set(title="Two starts, one input", xlabel="step t", ylabel="distance of the states")
axis.set_ylim(1e-22, 100)
axis.legend(ncols=3, fontsize=8, loc="lower left")
plt.show()

# %% [markdown]
# $\rho < 1$ is a rule of thumb, neither needed nor enough: what counts is the input, too.

# %% [markdown]
# ## How much does it remember?
# For each delay $d$: how much of $u^{\langle t-d\rangle}$ can a linear read-out find in
# $a^{\langle t\rangle}$? (squared correlation; four reservoirs each)

# %%
fig, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
for rho, color in ((0.3, "#8a8678"), (0.6, "#D55E00"), (0.9, "#00224e")):
    curves = []
    for seed in range(4):
        made = nn.EchoState(
            1, 40, 1, spectral_radius=rho, input_scale=0.1, dtype=np.float64, seed=seed
        )
        curves.append(nn.memory_capacity(made.layer.cells[0][0], 40, steps=1500))
    axis.plot(range(1, 41), np.transpose(curves), color=color, linewidth=1)
    axis.plot([], [], color=color, label=f"ρ = {rho}, four seeds")
    print(f"ρ = {rho}: memory capacity (sum over delays)", [f"{c.sum():.1f}" for c in curves])
axis.set(
    title="Memory of a reservoir of 40 units",
    xlabel="delay d, steps",
    ylabel="correlation², 0 to 1",
)
axis.legend()
plt.show()

# %% [markdown]
# ## Exercises

# %%
for number in ("08.1", "08.2", "08.3"):
    print(question(number), end="\n\n")


# %%
### BEGIN SOLUTION
def scaled(W, rho):
    return W * rho / np.abs(np.linalg.eigvals(W)).max()


def ridge(A, Y, lam):
    return np.linalg.solve(A.T @ A + lam * np.eye(A.shape[1]), A.T @ Y)


def leaky(W, a, u, alpha):
    return (1 - alpha) * a + alpha * np.tanh(W @ a + u)


check("08.1", scaled)
check("08.2", ridge)
check("08.3", leaky)
### END SOLUTION

# %% [markdown]
# ## A task: continue a chaotic series
# Mackey–Glass: $\dot s = 0.2\, s(t-17)/(1 + s(t-17)^{10}) - 0.1\, s(t)$. Fit one step ahead on 1800
# steps, then let the network run on its own output. Four reservoirs.

# %%
series = np.full(3220, 1.2)
for k in range(19, 3219):
    series[k + 1] = series[k] + 0.2 * series[k - 17] / (1 + series[k - 17] ** 10) - 0.1 * series[k]
s = (series[200:] - series[200:].mean()) / series[200:].std()
heard, next_one, free = tensor(s[:2000, None, None]), tensor(s[1:2001, None, None]), []
for seed in range(4):
    esn = nn.EchoState(1, 200, 1, leak=0.3, spectral_radius=0.9, dtype=np.float64, seed=seed)
    esn.fit(heard, next_one, washout=200, penalty=1e-6)  # W_out = Y Aᵀ (A Aᵀ + λ 1)⁻¹
    with no_grad():
        y, state = esn(heard)
        ahead, _ = esn(tensor(s[2000:2500, None, None]), state)
        free.append(esn.generate(tensor(s[2000:2001, None, None]), 600, state).numpy()[:, 0, 0])
    error = np.sqrt(((ahead.numpy()[:, 0, 0] - s[2001:2501]) ** 2).mean())
    print(f"seed {seed}: one step ahead, normalised error {error:.4f}")
    assert error < 0.05

# %%
fig, axis = plt.subplots(figsize=(8, 3.2), layout="constrained")
axis.plot(s[2001:2601], color="#8a8678", linewidth=4, label="the series")
for seed, run in enumerate(free):
    axis.plot(
        run, color="#00224e", linewidth=1, label="four networks, alone" if seed == 0 else None
    )
axis.set(title="Running free", xlabel="steps after the last true value", ylabel="s, standardised")
axis.set_ylim(-3, 4.5)
axis.legend(loc="upper right", ncols=2)
plt.show()

# %% [markdown]
# ## What this does not show
# The series is smooth and one-dimensional; nothing is said of words. Alone, the networks part from
# the series sooner or later: it is chaotic. `unfreeze()` sets the reservoir free for BPTT.
#
# In the code: [EchoState](../tinygrad_rnn/nn/reservoir.py); tests:
# [`test_a_step_is_the_leaky_equation`](../tests/nn/test_reservoir.py),
# [`test_ridge_is_the_formula_and_without_penalty_least_squares`](../tests/nn/test_reservoir.py),
# [`test_memory_capacity_grows_with_the_spectral_radius`](../tests/nn/test_reservoir.py).
