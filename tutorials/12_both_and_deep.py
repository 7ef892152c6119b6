# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---
# %% [markdown]
# # 12 · In both directions, and deep
#
# **How can a network at step t know what comes after t, and what do more layers add?**
#
# A second cell reads from the end; the output sees both. And a layer's outputs are the next one's inputs:
#
# $$\hat y^{\langle t\rangle} = g(W_y [\overrightarrow a^{\langle t\rangle}, \overleftarrow a^{\langle t\rangle}]
# + b_y), \qquad a^{[l]\langle t\rangle} = g(W_a^{[l]} [a^{[l]\langle t-1\rangle}, a^{[l-1]\langle t\rangle}]
# + b_a^{[l]}), \qquad a^{[0]\langle t\rangle} = x^{\langle t\rangle}$$

# %%
import matplotlib.pyplot as plt
import numpy as np

from tinygrad_rnn import cat, cross_entropy, grad, mse_loss, nn, no_grad, optim, stack, tanh, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.exercises import check, question

T, I, H = 5, 2, 3
rng = np.random.default_rng(0)
xs = tensor(rng.normal(size=(T, 1, I)))


def over_time(cell, xs, backwards=False):
    a, found = tensor(np.zeros((1, H))), []
    for x in xs[::-1] if backwards else xs:
        a = tanh(cat([a, x], 1) @ cell.weight.T + cell.bias)  # g(W_a [a⟨t−1⟩, x⟨t⟩] + b_a)
        found.append(a)
    return found[::-1] if backwards else found  # turned round again: found[t] belongs to x⟨t⟩


both = nn.RNN(I, H, form="stacked", bidirectional=True, dtype=np.float64, seed=0)
forward, backward = both.cells[0]
ours = [
    cat(pair, 1) for pair in zip(over_time(forward, list(xs)), over_time(backward, list(xs), True))
]
print(
    "both directions:", np.allclose(stack(ours, 0).detach().numpy(), both(xs)[0].detach().numpy())
)

deep = nn.RNN(I, H, num_layers=2, form="stacked", dtype=np.float64, seed=0)
layer_1 = over_time(deep.cells[0][0], list(xs))
layer_2 = over_time(deep.cells[1][0], layer_1)
print("two layers:", np.allclose(stack(layer_2, 0).detach().numpy(), deep(xs)[0].detach().numpy()))

# %% [markdown]
# ## The graph, one box per cell
# Two rows, one read from right to left:

# %%
draw(both, view="cell", title="Both directions")

# %% [markdown]
# Two layers; depth goes up, time to the right:

# %%
draw(deep, view="cell", title="Two layers")

# %% [markdown]
# ## Predict, then run: who sees whom
# $\partial \hat y^{\langle t\rangle}/\partial x^{\langle k\rangle}$: for which $k$ is it 0 in one direction,
# and for which in both?


# %%
def seen(layer, steps=12):
    x = tensor(np.random.default_rng(0).normal(size=(steps, 1, I)), requires_grad=True)
    output, _ = layer(x)
    table = [grad((output[t] ** 2).sum(), [x], retain_graph=True)[0].numpy() for t in range(steps)]
    return np.linalg.norm(np.array(table)[:, :, 0], axis=-1)


fig, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
for axis, (name, layer) in zip(axes, {"one direction": nn.RNN(I, H, dtype=np.float64, seed=0),
                                      "both directions": both, "two layers": deep}.items()):  # fmt: skip
    table = seen(layer)
    shown = np.log10(np.where(table > 0, table, np.nan))
    picture = axis.imshow(shown, cmap="cividis_r", vmin=-6, vmax=0)
    axis.set(title=name, xlabel="input step k", xticks=range(0, 12, 3), yticks=range(0, 12, 3))
axes[0].set_ylabel("output step t")
fig.colorbar(picture, label="log₁₀ ‖∂ŷ⟨t⟩/∂x⟨k⟩‖\n(white: exactly 0)")
plt.show()

# %% [markdown]
# ## Exercises

# %%
for number in ("12.1", "12.2", "12.3"):
    print(question(number), end="\n\n")


# %%
def run(W, U, xs):  # one direction, to build on
    a, states = np.zeros(len(W)), []
    for x in xs:
        a = np.tanh(W @ a + U @ x)
        states.append(a)
    return np.array(states)


# %%
### BEGIN SOLUTION
def both_directions(forward, backward, xs):
    return np.concatenate([run(*forward, xs), run(*backward, xs[::-1])[::-1]], 1)


def deep_states(layers, xs):
    for W, U in layers:
        xs = run(W, U, xs)
    return xs


check("12.1", both_directions)
check("12.2", deep_states)
check("12.3", lambda L, k, t: L + t - k)
### END SOLUTION

# %% [markdown]
# The classic mistake, the second run's states not turned round again, is named:

# %%
check("12.1", lambda f, b, xs: np.concatenate([run(*f, xs), run(*b, xs[::-1])], 1))

# %% [markdown]
# ## A task: is Teddy a person?
# "he said teddy roosevelt was president" – "he said teddy bears are on sale": only the *next* word
# tells. Tag each word; how often is *teddy* right? Four seeds of each.

# %%
words = "he said today the a big teddy roosevelt kennedy bears shops are was on sale spoke".split()
TEDDY = words.index("teddy")


def sentences(rng, batch=32, steps=8):
    x, person = rng.integers(11, 16, (steps, batch)), np.zeros((steps, batch), int)
    for k in range(batch):
        at, who = rng.integers(1, 4), rng.integers(0, 2)
        x[:at, k] = rng.integers(0, 6, at)
        x[at : at + 2, k] = TEDDY, (7 if who else 9) + rng.integers(0, 2)
        person[at : at + 2, k] = who
    return x, person


for bidirectional in (False, True):
    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        layer = nn.GRU(len(words), 12, bidirectional=bidirectional, seed=seed)
        model = nn.Readout(layer, 2, seed=seed)
        adam = optim.Adam(model.parameters(), lr=2e-2)
        for _ in range(80):
            x, person = sentences(rng)
            adam.zero_grad()
            cross_entropy(model(tensor(x))[0].reshape(-1, 2), tensor(person.ravel())).backward()
            adam.step()
        x, person = sentences(rng, 300)
        right = model(tensor(x))[0].detach().numpy().argmax(-1) == person
        found.append(right[x == TEDDY].mean())
    name = "both directions" if bidirectional else "one direction"
    print(f"{name}: teddy right, seeds 0–3", [f"{r:.0%}" for r in found])

# %% [markdown]
# ## A second task: do two layers help?
# Predict the next value of a wave whose loudness is a slower wave. Four seeds of each.


# %%
def waves(rng, batch=16, steps=24):
    t, (f, g) = np.arange(steps + 1)[:, None], rng.uniform((0.9, 0.18), (1.2, 0.3), (batch, 2)).T
    p = rng.uniform(0, 6, (2, batch))
    return tensor((np.sin(f * t + p[0]) * (1 + np.sin(g * t + p[1])) / 2)[..., None]).float()


for layers in (1, 2):
    errors = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        model = nn.Readout(nn.GRU(1, 12, num_layers=layers, seed=seed), 1, seed=seed)
        adam = optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(100):
            x = waves(rng)
            adam.zero_grad()
            mse_loss(model(x[:-1])[0][5:], x[6:]).backward()
            adam.step()
        with no_grad():
            x = waves(rng, 200)
            errors.append(mse_loss(model(x[:-1])[0][5:], x[6:]).item())
    print(
        f"{layers} layer(s): mean squared error, seeds 0–3", "  ".join(f"{e:.5f}" for e in errors)
    )

# %% [markdown]
# ## What this does not show
# Both directions need the whole sequence first: nothing for a live stream. And whether depth helps is a
# question for each task: here, with so little training, the seeds of one and of two layers overlap.
#
# In the code: [layers and directions](../tinygrad_rnn/nn/recurrent.py); tests:
# [by hand (bidirectional, deep)](../tests/analytic/test_against_nn.py),
# [`test_deep_and_bidirectional_are_loops_over_loops`](../tests/nn/test_recurrent.py), and for sequences of
# different lengths [`test_a_padded_batch_is_its_sequences_one_by_one`](../tests/functions/test_masks.py).
