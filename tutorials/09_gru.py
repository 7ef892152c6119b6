# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---
# %% [markdown]
# # 09 · The gated recurrent unit
#
# **How does a cell keep a value untouched for as long as it likes?**
#
# It decides, number by number, whether to write. $\Gamma_u$ writes, $\Gamma_r$ says what of the
# past is relevant for what would be written:
#
# $$\Gamma_u = \sigma(W_u [c^{\langle t-1\rangle}, x^{\langle t\rangle}] + b_u), \qquad
# \Gamma_r = \sigma(W_r [c^{\langle t-1\rangle}, x^{\langle t\rangle}] + b_r)$$
# $$\tilde c = \tanh(W_c [\Gamma_r \circ c^{\langle t-1\rangle}, x^{\langle t\rangle}] + b_c), \qquad
# c^{\langle t\rangle} = \Gamma_u \circ \tilde c + (1 - \Gamma_u) \circ c^{\langle t-1\rangle}, \qquad
# a^{\langle t\rangle} = c^{\langle t\rangle}$$
#
# **Here $\Gamma_u = 1$ overwrites. PyTorch's $z$ is the opposite: $z = 1$ keeps.**

# %%
import matplotlib.pyplot as plt
import numpy as np

from tinygrad_rnn import (
    binary_cross_entropy_with_logits,
    cat,
    cross_entropy,
    microscope,
    nn,
    optim,
    sigmoid,
    tanh,
    tensor,
)
from tinygrad_rnn.draw import draw
from tinygrad_rnn.exercises import check, question

I, H = 2, 3
rng = np.random.default_rng(0)
W_u, W_r, W_c = (tensor(rng.normal(size=(H, H + I)), requires_grad=True) for _ in range(3))
b_u, b_r, b_c = (tensor(rng.normal(size=H), requires_grad=True) for _ in range(3))


def step(c, x):
    Γ_u = sigmoid(cat([c, x], 1) @ W_u.T + b_u)
    Γ_r = sigmoid(cat([c, x], 1) @ W_r.T + b_r)
    c̃ = tanh(cat([Γ_r * c, x], 1) @ W_c.T + b_c)
    return Γ_u * c̃ + (1 - Γ_u) * c


xs = tensor(rng.normal(size=(4, 1, I)))
c = tensor(np.zeros((1, H)))
for x in xs:
    c = step(c, x)
(c * c).sum().backward()

# %% [markdown]
# The library has this dialect and PyTorch's in one class; that one resets *after* the product, and $z$ keeps:
#
# $$\tilde n = \tanh(W x^{\langle t\rangle} + b + r \circ (U h^{\langle t-1\rangle} + b')), \qquad
# h^{\langle t\rangle} = (1 - z) \circ \tilde n + z \circ h^{\langle t-1\rangle}$$
#
# In the notes' dialect, same numbers and same gradients:

# %%
dialect = {"reset": "before", "update": "writes", "form": "per_gate"}  # the notes'
gru = nn.GRU(I, H, dtype=np.float64, seed=0, **dialect)
cell = gru.cells[0][0]
for name, value in (
    ("W_u", W_u),
    ("W_r", W_r),
    ("W_c", W_c),
    ("b_u", b_u),
    ("b_r", b_r),
    ("b_c", b_c),
):
    getattr(cell, name).data = value.detach().numpy()
output, _ = gru(xs)
loss = (output[-1] ** 2).sum()
flow = loss.backward(record="norm")
print("same c⟨4⟩:", np.allclose(output[-1].detach().numpy(), c.detach().numpy()))
print("same ∂L/∂W_c:", np.allclose(cell.W_c.grad.numpy(), W_c.grad.numpy()))

# %% [markdown]
# And the same equations: read from the graph of one step, as the LaTeX that stands above.

# %%
from tinygrad_rnn.paper import equations

print(equations(cell))

# %% [markdown]
# ## The graph of the code just run
# $a^{\langle t\rangle}$ is $c^{\langle t\rangle}$ here. A gate is three operations, $\sigma(W [\dots] + b)$; with $W = [U : V]$ that is
# $\Gamma = \sigma(V x^{\langle t\rangle} + U c^{\langle t-1\rangle} + b)$.

# %%
gru.zero_grad()
output, _ = gru(xs[:2])
loss = (output[-1] ** 2).sum()
flow = loss.backward(record="norm")
draw(loss, view="gate", title="GRU of the notes, two steps")

# %% [markdown]
# ## Predict, then run
# With $\Gamma_u \approx 0$ the cell copies. What is $\partial c^{\langle t\rangle}/\partial
# c^{\langle t-1\rangle}$ then? And with $b_u = -3$, how much is left after 50 steps, compared with
# $b_u = 0$?

# %%
long = tensor(rng.normal(size=(50, I)) * 0.5)
fig, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
for bias, color in ((0.0, "#8a8678"), (-3.0, "#00224e"), (-20.0, "#D55E00")):
    copying = nn.GRUCell(I, H, dtype=np.float64, seed=0, **dialect)
    copying.b_u.data = np.full(copying.b_u.shape, bias)
    lags = microscope.lags(copying, long)
    print(f"b_u = {bias:5.1f}: ∂c⟨1⟩/∂c⟨0⟩ =", lags.jacobians[0].round(2).tolist())
    axis.semilogy(lags.by_lag(), color=color, label=f"b_u = {bias:.0f}".replace("-", "−"))
axis.set(title="How far the gradient reaches, by the bias of Γ_u", xlabel="lag t − k, steps")
axis.set_ylabel("mean ‖∂c⟨t⟩/∂c⟨k⟩‖")
axis.legend()
plt.show()

# %% [markdown]
# ## Exercises

# %%
for number in ("09.1", "09.2", "09.3"):
    print(question(number), end="\n\n")


# %%
### BEGIN SOLUTION
def gru_step(W, b, c, x):
    σ = lambda z: 1 / (1 + np.exp(-z))
    Γ_u = σ(W["u"] @ np.concatenate([c, x]) + b["u"])
    Γ_r = σ(W["r"] @ np.concatenate([c, x]) + b["r"])
    c̃ = np.tanh(W["c"] @ np.concatenate([Γ_r * c, x]) + b["c"])
    return Γ_u * c̃ + (1 - Γ_u) * c


check("09.1", gru_step)
check("09.2", (0.0, 1.0))
check("09.3", lambda u: np.diag(1 - u))
### END SOLUTION

# %% [markdown]
# The opposite meaning is the classic mistake:

# %%
check("09.2", (1.0, 0.0))

# %% [markdown]
# ## A task: keep one bit through noise
# The first input is +1 or −1, noise follows for 24 steps; at the end say which it was. Chance is
# $\log 2 = 0.69$. The same cell, the same 50 updates, four seeds; only $b_u$ begins elsewhere.


# %%
def latch(bias, seed, steps=25):
    layer = nn.GRU(2, 8, reset="before", update="writes", init={"z.bias": bias}, seed=seed)
    model, rng = nn.Readout(layer, 1, seed=seed + 100), np.random.default_rng(seed)
    adam, losses = optim.Adam(model.parameters(), lr=3e-2), []
    for _ in range(50):
        x, sign = rng.normal(size=(steps, 16, 2)), rng.integers(0, 2, 16)
        x[0], x[1:, :, 0] = 0, 0
        x[0, :, 0] = 2 * sign - 1
        logits = model(tensor(x).float())[0][-1, :, 0]
        loss = binary_cross_entropy_with_logits(logits, tensor(sign).float())
        adam.zero_grad()
        loss.backward()
        nn.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        losses.append(loss.item())
    return np.mean(losses[-10:])


for bias in (0.0, -3.0):
    print(f"b_u = {bias:4.1f}: loss, seeds 0–3", [f"{latch(bias, seed):.3f}" for seed in range(4)])

# %% [markdown]
# ## A task: which came first?
# Among letters p, q, r, s stand two marks, each A or B, far apart: say which pair it was (chance 25 %).

# %%
alphabet, rng = "ABpqrs", np.random.default_rng(0)


def lines(batch, steps=24):
    x, pair = rng.integers(2, 6, (steps, batch)), rng.integers(0, 2, (2, batch))
    x[rng.integers(1, 5, batch), np.arange(batch)] = pair[0]
    x[rng.integers(12, 17, batch), np.arange(batch)] = pair[1]
    return tensor(x), 2 * pair[0] + pair[1]


layer = nn.GRU(6, 24, reset="before", update="writes", init={"z.bias": -1.0}, seed=0)
model = nn.Readout(layer, 4, seed=0)
adam = optim.Adam(model.parameters(), lr=1e-2)
for _ in range(200):
    x, which = lines(32)
    adam.zero_grad()
    cross_entropy(model(x)[0][-1], tensor(which)).backward()
    nn.clip_grad_norm_(model.parameters(), 1.0)
    adam.step()
x, which = lines(400)
right = (model(x)[0][-1].detach().numpy().argmax(1) == which).mean()
print(f"right on new lines: {right:.1%}")
assert right > 0.95

# %% [markdown]
# When does it write? The mean of $\Gamma_u$ over the units: most at A and B, and again near the end.

# %%
x, _ = lines(1)
letters, gate = x.numpy()[:, 0], layer(x, trace=True).gate("z").detach().numpy()[:, 0].mean(1)
fig, axis = plt.subplots(figsize=(8, 2.8), layout="constrained")
axis.bar(range(24), gate, color="#00224e")
marks = np.flatnonzero(letters < 2)
axis.bar(marks, gate[marks], color="#D55E00", label="A or B")
axis.set_xticks(range(24), [alphabet[k] for k in letters])
axis.set(title="When it writes", xlabel="letter read at step t", ylabel="mean of Γ_u, 0 to 1")
axis.legend()
plt.show()

# %% [markdown]
# ## What this does not show
# That a GRU beats an RNN: *gates alone* do not make a long memory, their bias does, and other tasks
# turn out otherwise. Nor that Γ_u of a single unit has a meaning one can name.
#
# In the code: [GRUCell](../tinygrad_rnn/nn/cells.py),
# [equations from a graph](../tinygrad_rnn/paper/equations.py),
# [PyTorch's dialect and others](../tinygrad_rnn/nn/dialects.py); tests:
# [by hand (gru-notes, gru-libraries)](../tests/analytic/test_against_nn.py),
# [recorded from torch](../tests/golden/test_torch.py),
# [`test_a_gate_is_a_view_of_its_rows`](../tests/nn/test_cells.py).
