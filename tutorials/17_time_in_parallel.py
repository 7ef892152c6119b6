# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 17 · Time in parallel
#
# **Must step t wait for step t − 1?**
#
# Not if the recurrence is *linear* in its state:
#
# $$h^{\langle t\rangle} = a^{\langle t\rangle} \circ h^{\langle t-1\rangle} + b^{\langle t\rangle}$$
#
# Two such steps are one step of the same kind,
#
# $$a_2 (a_1 h + b_1) + b_2 = (a_2 a_1)\, h + (a_2 b_1 + b_2),$$
#
# and grouping does not matter: the operation on pairs $(a, b)$ is *associative*. So let each pair take in the
# one before it, then the one two before, four before, …: after $\log_2 T$ rounds each stands for all steps up to its own.

# %%
import matplotlib.pyplot as plt
import numpy as np

from tinygrad_rnn import binary_cross_entropy_with_logits as bce
from tinygrad_rnn import cat, grad, nn, no_grad, optim, sigmoid, stack, tanh, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.exercises import check, question

T, H = 8, 3
rng = np.random.default_rng(0)
a = tensor(rng.uniform(-1, 1, (T, H)), requires_grad=True, name="a")
b = tensor(rng.normal(size=(T, H)), requires_grad=True, name="b")


def one_by_one(a, b):
    h, states = tensor(np.zeros(a.shape[1:])), []
    for a_t, b_t in zip(a, b):
        h = a_t * h + b_t  # h⟨t⟩ = a⟨t⟩ ∘ h⟨t−1⟩ + b⟨t⟩
        states.append(h)
    return stack(states)


def in_rounds(a, b):
    d = 1
    while d < len(a):
        b = cat([b[:d], a[d:] * b[:-d] + b[d:]])  # a₂ b₁ + b₂, d steps apart
        a = cat([a[:d], a[d:] * a[:-d]])  # a₂ a₁
        d *= 2
    return b  # h⟨0⟩ = 0: what multiplies it does not matter


loop, rounds = one_by_one(a, b), in_rounds(a, b)
print("same states:", np.allclose(loop.detach().numpy(), rounds.detach().numpy()))
gradients = [grad((h * h).sum(), [a, b]) for h in (loop, rounds)]
print("same gradients:", all(np.allclose(p.numpy(), q.numpy()) for p, q in zip(*gradients)))

# %% [markdown]
# Nobody wrote a backward pass for the rounds: it is the rounds' own graph, walked back. It is as shallow as the forward pass.
#
# ## The graph of the code just run
# Eight steps, one after the other:

# %%
draw((loop[-1] * loop[-1]).sum(), title="Eight steps, one by one")

# %% [markdown]
# And three rounds, each over all steps at once:

# %%
draw((rounds[-1] * rounds[-1]).sum(), title="Eight steps, three rounds")

# %% [markdown]
# ## Predict, then run
# The longest path through the graph is what must wait, however many processors there are. How long is it for
# $T = 64$, one by one and in rounds? And which of the two multiplies more numbers in all?


# %%
def depth_and_work(states):
    """The longest path of additions and products to a state, and how many numbers they made."""
    depth, work, stack_ = {None: 0}, 0, [states.node]
    while stack_:
        node = stack_[-1]
        waiting = [p for p in node.parents if p not in depth]
        if waiting:
            stack_ += waiting
            continue
        stack_.pop()
        if node not in depth:
            counts = node.op is not None and node.op.name in ("mul", "add")
            depth[node] = max([depth[p] for p in node.parents], default=0) + counts
            work += counts * int(np.prod(node.shape))
    return depth[states.node], work


lengths = [2, 4, 8, 16, 32, 64, 128]
table = {}
for name, run in {"one by one": one_by_one, "in rounds": in_rounds}.items():
    pairs = [tensor(rng.uniform(-1, 1, (n, H)), requires_grad=True) for n in lengths]
    table[name] = [depth_and_work(run(p, p)) for p in pairs]
    print(f"{name}: T = 64: longest path {table[name][5][0]}, numbers made {table[name][5][1]}")
assert table["in rounds"][5][0] == 2 * 6 and table["one by one"][5][0] == 2 * 64

fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for k, what in enumerate(("longest path, operations", "numbers made")):
    for (name, rows), (color, mark) in zip(table.items(), (("#00224e", "o"), ("#D55E00", "s"))):
        axes[k].loglog(lengths, [row[k] for row in rows], mark + "-", color=color, label=name)
    axes[k].set(xlabel="steps T", ylabel=what, title=("What must wait", "What must be done")[k])
axes[0].legend()
plt.show()

# %% [markdown]
# Rounds *wait* for $2 \log_2 T$ operations instead of $2T$, and *do* some $\log_2 T$ times as many. On one core they are
# slower; where thousands of numbers are multiplied at once they are not.
#
# ## When it fails
# With $h^{\langle t\rangle} = \tanh(a\, h^{\langle t-1\rangle} + b)$ two steps are no step of the same kind: the composition would have
# to be $\tanh(\alpha h + \beta)$ for some numbers. Its inverse, $\tanh^{-1}$ of two steps, would be a straight line in $h$:

# %%
h = np.linspace(-3, 3, 201)
twice = np.tanh(1.5 * np.tanh(2 * h + 0.5) - 0.4)
fig, axis = plt.subplots(figsize=(5, 3.2), layout="constrained")
axis.plot(h, np.arctanh(twice), color="#D55E00", label="two steps with tanh")
axis.plot(h, 1.5 * (2 * h + 0.5) - 0.4, "--", color="#00224e", label="two linear steps")
axis.set(xlabel="h⟨t−2⟩", ylabel="before the last tanh", ylim=(-4, 4))
axis.set_title("Two steps as one: only a line is a step again")
axis.legend()
plt.show()

# %% [markdown]
# So an RNN, a GRU and an LSTM cannot be run in rounds: their gates see $h^{\langle t-1\rangle}$. A gate that sees the *input* alone
# can: with $\Gamma_u^{\langle t\rangle} = \sigma(W_u x^{\langle t\rangle} + b_u)$,
#
# $$c^{\langle t\rangle} = \Gamma_u^{\langle t\rangle} \circ \tilde c^{\langle t\rangle} + (1 - \Gamma_u^{\langle t\rangle}) \circ c^{\langle t-1\rangle},
# \qquad \tilde c^{\langle t\rangle} = W_c x^{\langle t\rangle} + b_c$$
#
# is linear in $c^{\langle t-1\rangle}$: $a = 1 - \Gamma_u$, $b = \Gamma_u \circ \tilde c$.

# %%
x = tensor(rng.normal(size=(T, H)))
W_u, W_c = tensor(rng.normal(size=(H, H))), tensor(rng.normal(size=(H, H)))
gate, candidate = sigmoid(x @ W_u.T), x @ W_c.T  # Γu⟨t⟩ and c̃⟨t⟩ of all steps at once
c, states = tensor(np.zeros(H)), []
for t in range(T):
    c = gate[t] * candidate[t] + (1 - gate[t]) * c
    states.append(c)
print("a gated cell in rounds:", np.allclose(stack(states).numpy(),
                                             in_rounds(1 - gate, gate * candidate).numpy()))  # fmt: skip

# %% [markdown]
# ## Exercises

# %%
for number in ("17.1", "17.2", "17.3"):
    print(question(number), end="\n\n")


# %%
### BEGIN SOLUTION
def two_steps(first, second):
    return second[0] * first[0], second[0] * first[1] + second[1]


def all_states(a, b, h0):
    d = 1
    while d < len(a):
        b = np.concatenate([b[:d], a[d:] * b[:-d] + b[d:]])
        a = np.concatenate([a[:d], a[d:] * a[:-d]])
        d *= 2
    return a * h0 + b


check("17.1", two_steps)
check("17.2", all_states)
check("17.3", lambda T: (T - 1).bit_length())
### END SOLUTION

# %% [markdown]
# Composed in the wrong order, the numbers look harmless. The mistake is named:

# %%
check("17.1", lambda first, second: (second[0] * first[0], first[0] * second[1] + first[1]))

# %% [markdown]
# ## A task: parity again, in four rounds
# Running parity (03) with a linear recurrence whose $a^{\langle t\rangle}$ comes from the input alone, run in rounds. Once with
# $a = \sigma(\cdot)$, between 0 and 1, once with $a = \tanh(\cdot)$, between −1 and 1. Predict: which can turn its state
# round at each 1? Four seeds of each, trained on 12 steps, tried on 12 and 48.


# %%
def bits(rng, steps, batch):
    coins = rng.integers(0, 2, (steps, batch, 1))
    return tensor(coins * 2.0 - 1).float(), tensor(coins.cumsum(0) % 2).float()


for name, squash in (("σ", sigmoid), ("tanh", tanh)):
    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        to_a, to_b, to_y = (
            nn.Linear(1, 16, seed=seed),
            nn.Linear(1, 16, seed=seed + 10),
            nn.Linear(16, 1, seed=seed),
        )
        model = lambda x: to_y(in_rounds(squash(to_a(x)), to_b(x)))  # noqa: B023
        parameters = [p for layer in (to_a, to_b, to_y) for p in layer.parameters()]
        adam = optim.Adam(parameters, lr=2e-2)
        for _ in range(400):
            data, odd = bits(rng, 12, 64)
            adam.zero_grad()
            bce(model(data), odd).backward()
            nn.clip_grad_norm_(parameters, 1.0)
            adam.step()
        with no_grad():
            tried = [bits(rng, steps, 200) for steps in (12, 48)]
            found.append([((model(x).numpy() > 0) == y.numpy()).mean() for x, y in tried])
    for steps, right in zip((12, 48), np.array(found).T):
        print(f"a = {name}, {steps} steps: right, seeds 0–3", [f"{r:.0%}" for r in right])

# %% [markdown]
# ## What this does not show
# Rounds are not faster *here*: NumPy on one core does more work in them. And linear in the state is a price: what such
# a layer cannot do (with $0 < a < 1$, count odd and even) no amount of width in one layer mends; stacking them with functions between does
# more, and is not tried here.
#
# In the code: [`cat` and slices](../tinygrad_rnn/functions/shapes.py), [the loop that cells use](../tinygrad_rnn/nn/scan.py);
# tests: [`test_a_linear_recurrence_in_rounds_is_the_loop`](../tests/tutorials/test_parallel_time.py).
