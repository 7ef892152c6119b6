# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 06 · Vanishing and exploding gradients
#
# **Why is it hard to learn what happened long ago?**
#
# What a loss at $t$ says about step $k$ passes one Jacobian per step:
#
# $$\frac{\partial a^{\langle t\rangle}}{\partial a^{\langle k\rangle}} = \prod_{i=k+1}^{t}
# \mathrm{diag}\bigl(g_1'(\cdot)\bigr)\, W_{aa}, \qquad
# \Bigl\|\frac{\partial a^{\langle t\rangle}}{\partial a^{\langle k\rangle}}\Bigr\| \le
# \bigl(\|W_{aa}\| \max g_1'\bigr)^{t-k} = c^{\,t-k}$$
#
# $c < 1$ suffices for vanishing. $c > 1$ is only *necessary* for exploding: a bound is not a forecast.

# %%
import matplotlib.pyplot as plt
import numpy as np

from tinygrad_rnn import microscope, mse_loss, nn, no_grad, optim, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.exercises import check, question

T, H = 50, 8
draws = np.random.default_rng(0)
Q = np.linalg.qr(draws.normal(size=(H, H)))[0]  # ‖Q v‖ = ‖v‖
x = tensor(draws.normal(size=(T, 2)))


def cell_of(rho, g1):
    cell = nn.RNNCell(2, H, nonlinearity=g1, bias="single", dtype=np.float64, seed=0)
    cell.weight_hh.data = rho * Q  # every singular value of W_aa is ρ
    return cell


# %% [markdown]
# ## Predict, then run
# All singular values of $W_{aa} = \rho Q$ are $\rho$, so $c = \rho$. With $\rho = 1.1$ and 49 steps,
# does $\|\partial a^{\langle 50\rangle}/\partial a^{\langle 1\rangle}\|$ of a *linear* cell explode? And that of a tanh cell?

# %%
rows = {}
for g1 in (None, "tanh"):
    for rho in (0.8, 0.95, 1.1):
        lags = microscope.lags(cell_of(rho, g1), x)  # J_t = ∂a⟨t⟩/∂a⟨t−1⟩, and their products
        rows[g1, rho] = lags.by_lag()
        measured, bound = lags.matrix[50, 1], rho**49
        print(f"{g1 or 'linear':6s} ρ = {rho:.2f}: measured {measured:.2e}, bound {bound:.2e}")
assert np.allclose(rows[None, 1.1], 1.1 ** np.arange(51))

# %% [markdown]
# The linear cell *is* its bound. The tanh cell stays below it, as $g_1' = 1 - a^2 < 1$ wherever the
# cell is not at rest: it vanishes even at $\rho = 1.1$.

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
for axis, g1 in zip(axes, (None, "tanh")):
    for rho, color in ((0.8, "#8a8678"), (0.95, "#00224e"), (1.1, "#D55E00")):
        axis.semilogy(rows[g1, rho], color=color, label=f"measured, ρ = {rho}")
        axis.semilogy(rho ** np.arange(T + 1), ":", color=color)
    axis.set(title=f"{g1 or 'linear'} cell (dotted: the bound c^(t−k))", xlabel="lag t − k, steps")
axes[0].set_ylabel("mean ‖∂a⟨t⟩/∂a⟨k⟩‖")
axes[0].legend()
plt.show()

# %% [markdown]
# ## The graph of a run
# A loss at the last step alone; each strip shows $\|\partial L/\partial a^{\langle t\rangle}\|$ where
# it passed (of an LSTM $\|\partial L/\partial c^{\langle t\rangle}\|$ too).

# %%
layer = nn.RNN(2, H, seed=0)
output, _ = layer(tensor(draws.normal(size=(30, 1, 2))).float())
loss = (output[-1] ** 2).sum()
flow = loss.backward(record="norm")
draw(loss, view="flow", title="RNN, 30 steps, a loss at the end")

# %% [markdown]
# ## The same for any cell
# `microscope.lags` multiplies the Jacobians of any cell, the whole state $(a, c)$ taken together.

# %%
fig, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
for name, color, make, how in (
    ("RNN", "#8a8678", nn.RNNCell, {}),
    ("GRU", "#00224e", nn.GRUCell, {}),
    ("LSTM, forget bias 3", "#D55E00", nn.LSTMCell, {"forget_bias": 3.0}),
):
    for seed in range(4):
        lags = microscope.lags(make(2, H, dtype=np.float64, seed=seed, **how), x)
        assert (lags.matrix <= lags.bound * (1 + 1e-9)).all()
        axis.semilogy(lags.by_lag(), color=color, label=None if seed else f"{name}, four seeds")
axis.set(title="How fast each cell forgets, untrained", xlabel="lag t − k, steps")
axis.set_ylabel("mean ‖∂state⟨t⟩/∂state⟨k⟩‖")
axis.legend()
plt.show()

# %% [markdown]
# ## Exercises

# %%
for number in ("06.1", "06.2"):
    print(question(number), end="\n\n")


# %%
### BEGIN SOLUTION
def jacobian_product(W, a, k, t):
    product = np.eye(len(W))
    for i in range(k + 1, t + 1):
        product = np.diag(1 - a[i] ** 2) @ W @ product
    return product


check("06.1", jacobian_product)
check("06.2", lambda W, lag: np.linalg.norm(W, 2) ** lag)
### END SOLUTION

# %% [markdown]
# ## A task: add two marked numbers
# Of $T$ random numbers two are marked, one in each half; at the end say their sum. Always saying 1
# has a mean squared error of 0.167. Four seeds for each length:


# %%
def problem(rng, steps, batch):
    values, marks = rng.random((steps, batch)), np.zeros((steps, batch))
    columns = np.arange(batch)
    marks[rng.integers(0, steps // 2, batch), columns] = 1
    marks[rng.integers(steps // 2, steps, batch), columns] = 1
    return tensor(np.stack([values, marks], 2)).float(), tensor((values * marks).sum(0)).float()


for steps, updates in ((5, 300), (10, 300), (20, 300)):
    errors = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        model = nn.Readout(nn.RNN(2, 24, seed=seed), 1, seed=seed)
        adam = optim.Adam(model.parameters(), lr=5e-3)
        for _ in range(updates):
            data, total = problem(rng, steps, 32)
            adam.zero_grad()
            mse_loss(model(data)[0][-1, :, 0], total).backward()
            nn.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
        with no_grad():
            data, total = problem(rng, steps, 500)
            errors.append(mse_loss(model(data)[0][-1, :, 0], total).item())
    print(f"T = {steps:2d}, after {updates} updates:", "  ".join(f"{e:.3f}" for e in errors))

# %% [markdown]
# ## What this does not show
# With the same number of updates the longer problem is learned less well; that is not "cannot". With
# more updates, a smaller rate and clipping, a plain RNN has been seen to learn $T = 40$. And what was
# measured are *untrained* cells: training changes $W_{aa}$, and the product with it.
#
# In the code: [lags and bounds](../tinygrad_rnn/analysis/microscope.py); tests:
# [`test_the_product_of_jacobians_is_the_derivative_itself`](../tests/analysis/test_microscope.py),
# [`test_no_entry_exceeds_the_bound`](../tests/analysis/test_microscope.py),
# [`test_jacobian_is_the_product_and_obeys_the_bound`](../tests/analytic/test_against_operators.py).
