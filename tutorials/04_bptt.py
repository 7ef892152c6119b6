# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 04 · Back-propagation through time emerges
#
# **Where is BPTT written in this library?**
#
# Nowhere. The loop over time made a graph, and walking that graph back *is* BPTT. With a loss at
# each step, $L = \sum_t L_t$, the textbook's formulas are what the walk adds up:
#
# $$\frac{\partial L_t}{\partial W} = \sum_{k\le t} \frac{\partial L_t}{\partial a^{\langle t\rangle}}
# \Bigl(\prod_{j=k+1}^{t} \frac{\partial a^{\langle j\rangle}}{\partial a^{\langle j-1\rangle}}\Bigr)
# \frac{\partial^{+} a^{\langle k\rangle}}{\partial W}$$
#
# and $\partial L/\partial W = \sum_t \partial L_t/\partial W$. $\partial^+$ is the *immediate* derivative:
# $a^{\langle k-1\rangle}$ held still. Each $L_t$ here is half a squared distance; the mean over $m$ samples would be
# $J = \frac{1}{2m} \sum (\hat y - y)^2$.

# %%
import numpy as np

from tinygrad_rnn import nn, optim, tanh, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.exercises import check, question

T, H, I = 3, 3, 2
draws = np.random.default_rng(1)
W = tensor(draws.normal(size=(H, H)) * 0.7, requires_grad=True, name="W")
U = tensor(draws.normal(size=(H, I)), name="U")
xs, goals = tensor(draws.normal(size=(T, I))), tensor(draws.normal(size=(T, H)))
a, loss, states = tensor(np.zeros(H)), 0.0, []
for t in range(T):
    a = tanh(W @ a + U @ xs[t])
    states.append(a)
    loss = loss + ((a - goals[t]) ** 2).sum() / 2  # L = Σ_t L_t
flow = loss.backward(record="norm")

# %% [markdown]
# ## The same by hand
# $\delta^{\langle t\rangle} = (g^{\langle t\rangle} + W^\top \delta^{\langle t+1\rangle}) \circ
# (1 - a^{\langle t\rangle 2})$ and $\partial L/\partial W = \sum_t \delta^{\langle t\rangle} a^{\langle t-1\rangle\top}$.


# %%
def by_hand(W, U, xs, gs):
    a = [np.zeros(len(W))]
    for x in xs:
        a.append(np.tanh(W @ a[-1] + U @ x))
    total, carried = np.zeros_like(W), np.zeros(len(W))
    for t in range(len(xs), 0, -1):
        delta = (gs[t - 1] + carried) * (1 - a[t] ** 2)
        total += np.outer(delta, a[t - 1])
        carried = W.T @ delta
    return total


plain = [p.detach().numpy() for p in (W, U, xs)]
sent = [s.detach().numpy() - g for s, g in zip(states, goals.numpy())]
print("largest difference:", np.abs(by_hand(*plain, sent) - W.grad.numpy()).max())

# %% [markdown]
# Nobody need derive it again for another cell. What the graph of one step says, forward and backward, written as a script that
# needs NumPy alone (`d_weight_hh +=` is the sum over $t$, `d_a` what is carried):

# %%
from tinygrad_rnn.paper import numpy_script

print(numpy_script(nn.RNNCell(I, H, bias=False)))

# %%
draw(loss, title="Three steps, three losses, one W")

# %% [markdown]
# ## Who contributed what
# A layer's gradient split by time step: the bars of a parameter add up to its gradient.

# %%
layer = nn.RNN(I, H, seed=0)
output, _ = layer(tensor(draws.normal(size=(8, 1, I))).float())
last = (output[-1] ** 2).sum()
flow = last.backward(record="full")
draw(last, view="params", title="An RNN of eight steps")

# %% [markdown]
# ## Predict, then run: the triangle
# $\partial L_t/\partial W$ at step $k$ exists for $k \le t$ only. Where in the table of all $(t, k)$ will the
# large entries be?

# %%
import matplotlib.pyplot as plt

steps = 12
outputs, _ = layer(x := tensor(draws.normal(size=(steps, 1, I))).float().requires_grad_())
from tinygrad_rnn import grad

table = np.full((steps, steps), np.nan)
for t in range(steps):
    (g,) = grad((outputs[t] ** 2).sum(), x, retain_graph=True)
    table[t, : t + 1] = np.linalg.norm(g.numpy()[: t + 1, 0], axis=-1)
fig, axis = plt.subplots(figsize=(5, 4), layout="constrained")
shown = axis.imshow(np.log10(table), cmap="cividis_r")
axis.set(title="How loss t depends on input k", xlabel="input step k", ylabel="loss step t")
fig.colorbar(shown, label="log₁₀ ‖∂L_t/∂x⟨k⟩‖")
plt.show()

# %% [markdown]
# ## Truncated BPTT
# Passing back through $K$ steps only is cheaper; how far does the direction turn?

# %%
full = W.grad.numpy()


def truncated(W, U, xs, g, K):
    a = [np.zeros(len(W))]
    for x in xs:
        a.append(np.tanh(W @ a[-1] + U @ x))
    total = np.zeros_like(W)
    for t in range(len(xs), max(len(xs) - K, 0), -1):
        delta = g * (1 - a[t] ** 2)
        total += np.outer(delta, a[t - 1])
        g = W.T @ delta
    return total


ends = [np.zeros(H)] * 2 + [sent[-1]]
whole = by_hand(*plain, ends)
for K in (1, 2, 3):
    part = truncated(*plain, sent[-1], K)
    cosine = (part * whole).sum() / np.linalg.norm(part) / np.linalg.norm(whole)
    print(f"K = {K}: cosine to the whole gradient {cosine:.4f}")

# %% [markdown]
# ## Exercises

# %%
for number in ("04.1", "04.2", "04.3"):
    print(question(number), end="\n\n")


# %%
### BEGIN SOLUTION
def immediate(W, a_prev, u, g):
    a = np.tanh(W @ a_prev + u)
    return np.outer(g * (1 - a * a), a_prev)


check("04.1", by_hand)
check("04.2", immediate)
check("04.3", truncated)
### END SOLUTION

# %% [markdown]
# The classic mistake is named, too:

# %%
check("04.1", lambda W, U, xs, gs: by_hand(W, U, xs, gs) / len(xs))

# %% [markdown]
# ## A task: remember the first symbol
# Ten steps of noise follow one of four symbols. Four seeds.

# %%
found = []
for seed in range(4):
    rng = np.random.default_rng(seed)
    model = nn.Readout(nn.RNN(5, 24, seed=seed), 4, seed=seed)
    adam = optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(250):
        first = rng.integers(0, 4, 32)
        line = np.full((10, 32), 4)
        line[0] = first
        adam.zero_grad()
        logits = model(tensor(line))[0][-1]
        nn.functional.cross_entropy(logits, tensor(first)).backward()
        nn.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
    found.append((logits.detach().numpy().argmax(1) == first).mean())
print("right after 250 updates, seeds 0–3:", [f"{r:.0%}" for r in found])

# %% [markdown]
# ## What this does not show
# Ten steps are short: how the product of Jacobians shrinks or grows with the lag is 06.
#
# In the code: [the walk](../tinygrad_rnn/engine/backward.py),
# [bptt per step](../tinygrad_rnn/analysis/microscope.py); tests:
# [by hand, every cell](../tests/analytic/test_against_nn.py), [every cell's script](../tests/paper/test_numpy_script.py),
# [`test_the_sum_over_pairs_equals_the_recursion`](../tests/analytic/test_by_differences.py),
# [`test_contributions_per_step_sum_to_the_gradient`, `test_state_gradients_are_what_grad_says`](../tests/analysis/test_microscope.py).
