# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 05 · Five architectures
#
# **How can one cell read a review, spell a number and name the people in a sentence?**
#
# The cell stays the same. What changes is what each step is *fed* and where an answer is *asked*:
#
# | shape | fed | asked | example |
# |---|---|---|---|
# | one to one | $x$ | $\hat y$ | an ordinary network, images |
# | one to many | $x$, then its own output | at every step | music, captions |
# | many to one | $x^{\langle 1\rangle} \dots x^{\langle T_x\rangle}$ | at the last step | sentiment, intent |
# | many to many, $T_x = T_y$ | an $x^{\langle t\rangle}$ a step | at every step | named entities, video |
# | many to many, $T_x \ne T_y$ | all $x$, then its own output | after the last $x$ | translation, spelling |

# %%
import numpy as np

from tinygrad_rnn import cross_entropy, nn, one_hot, optim, scope, softmax, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.exercises import check, question

V, H = 4, 5
cell = nn.RNNCell(V, H, form="stacked", seed=0)
W_y = nn.Linear(H, V, seed=1)
cell.weight.name, cell.bias.name, W_y.weight.name, W_y.bias.name = "W_a", "b_a", "W_y", "b_y"
draws = np.random.default_rng(0)
x = tensor(draws.normal(size=(3, 1, V))).float()


def run(x, steps, asked, fed_back=False):
    """The loss of the cell over all steps: x as long as there is one, then zeros or ŷ."""
    a, fed, loss = cell.start(1, x), x[0], 0.0
    for t in range(steps):
        with scope("rnn", step=t, cell="rnn"):
            output, a = cell.step(fed, a)  # a⟨t⟩ = g1(W_a [a⟨t−1⟩, x⟨t⟩] + b_a)
            y = softmax(W_y(output), -1)  # ŷ⟨t⟩ = g2(W_y a⟨t⟩ + b_y)
            output.name, y.name = f"a⟨{t + 1}⟩", f"ŷ⟨{t + 1}⟩"
            fed = x[t + 1] if t + 1 < len(x) else y if fed_back else fed.detach() * 0
            loss = loss - y[0, 0].log() if t in asked else loss  # L = Σ_t L_t
    return loss


# %% [markdown]
# ## The graphs of the code just run
# Five calls, and nothing but the arguments differs. Many to one has one loss:

# %%
draw(run(x, 3, asked=[2]), view="gate", title="many to one: one loss, at the end")

# %% [markdown]
# With $T_x = T_y$ every step has a loss, and the losses are added:

# %%
draw(run(x, 3, asked=[0, 1, 2]), view="gate", title="many to many, Tx = Ty")

# %% [markdown]
# One to many: one input, and each output is the next input. Gradients flow through that wire too.

# %%
draw(run(x[:1], 3, asked=[0, 1, 2], fed_back=True), view="gate", title="one to many")

# %% [markdown]
# And two cells, one that reads and one that writes: 14.

# %%
from tinygrad_rnn.draw.layout.architectures import arch_graph

draw(arch_graph("encoder-decoder"), view="arch")

# %% [markdown]
# ## Predict, then run
# Many to one has its only loss at $t = 3$. Does $x^{\langle 1\rangle}$ get a gradient? And with a
# loss at each step, which $x^{\langle t\rangle}$ gets the most summands?

# %%
for name, asked in (("many to one", [2]), ("many to many", [0, 1, 2])):
    leaf = x.detach().requires_grad_()
    run(leaf, 3, asked).backward()
    print(f"{name:13s} ‖∂L/∂x⟨t⟩‖ =", np.linalg.norm(leaf.grad.numpy()[:, 0], axis=1).round(4))

# %% [markdown]
# It does, through the states; and $x^{\langle 1\rangle}$ has the most, one from every later loss.

# %% [markdown]
# ## Exercises

# %%
for number in ("05.1", "05.2"):
    print(question(number), end="\n\n")


# %%
### BEGIN SOLUTION
def loss_steps(shape, T_x, T_y):
    if shape == "encoder-decoder":
        return list(range(T_x + 1, T_x + T_y + 1))
    first = T_x if shape == "many to one" else 1
    return list(range(first, (T_y if shape == "one to many" else T_x) + 1))


def one_to_many(W, U, x, T):
    a, states = np.zeros(len(W)), []
    for _ in range(T):
        a = x = np.tanh(W @ a + U @ x)
        states.append(a)
    return np.array(states)


check("05.1", loss_steps)
check("05.2", one_to_many)
### END SOLUTION

# %% [markdown]
# ## A task, many to one: is the review kind?
# "not" turns the next word round, and only what comes after "but" counts.

# %%
words = "good great bad awful not but the film was".split()


def reviews(rng, batch, steps=8):
    lines, kind = rng.integers(6, 9, (steps, batch)), np.zeros(batch, int)
    for k in range(batch):
        adjective, at = rng.integers(0, 4, 2), [rng.integers(1, 3), rng.integers(5, 8)]
        turned, but = rng.integers(0, 2, 2), rng.integers(0, 2)
        lines[at, k] = adjective
        lines[np.array(at)[turned == 1] - 1, k] = 4
        lines[3, k] = 5 if but else lines[3, k]
        meant = (adjective < 2) ^ (turned == 1)
        kind[k] = meant[1] if but else meant[0]
    return lines, kind


found = []
for seed in range(4):
    rng = np.random.default_rng(seed)
    model = nn.Readout(nn.GRU(len(words), 24, seed=seed), 2, seed=seed)
    adam = optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(250):
        lines, kind = reviews(rng, 32)
        adam.zero_grad()
        cross_entropy(model(tensor(lines))[0][-1], tensor(kind)).backward()  # the last step alone
        adam.step()
    lines, kind = reviews(rng, 400)
    found.append((model(tensor(lines))[0][-1].detach().numpy().argmax(1) == kind).mean())
print(" ".join(words[k] for k in lines[:, 0]), "→", ["unkind", "kind"][kind[0]])
print("right on new reviews, seeds 0–3:", [f"{r:.1%}" for r in found])
assert min(found) > 0.9

# %% [markdown]
# ## A task, one to many: spell a digit
# The digit is given once; afterwards the model reads what it wrote.

# %%
names = "zero one two three four five six seven eight nine".split()
letters = sorted(set("".join(names))) + ["."]
spelled = np.array([[letters.index(c) for c in name.ljust(6, ".")] for name in names]).T
digits, given = np.eye(10), np.eye(len(letters))
writer = nn.Readout(nn.GRU(10 + len(letters), 32, seed=0), len(letters), seed=0)
adam = optim.Adam(writer.parameters(), lr=2e-2)
first = np.concatenate([digits, np.zeros((10, len(letters)))], 1)[None]
later = np.concatenate([np.zeros((5, 10, 10)), given[spelled[:-1]]], 2)  # the right letters
line = tensor(np.concatenate([first, later])).float()
for _ in range(120):
    adam.zero_grad()
    cross_entropy(writer(line)[0].reshape(60, -1), tensor(spelled.ravel())).backward()
    adam.step()
fed, state, said = tensor(first).float(), None, []
for _ in range(6):
    logits, state = writer(fed, state)
    said.append(logits[0].argmax(-1).numpy())
    own = one_hot(tensor(said[-1]), len(letters)).numpy()
    fed = tensor(np.concatenate([np.zeros((10, 10)), own], 1)[None]).float()
print(["".join(letters[k] for k in row).rstrip(".") for row in np.array(said).T])
assert (np.array(said) == spelled).all()

# %% [markdown]
# ## What this does not show
# A GRU learned both tasks; which cell a task needs is asked in 06 – 11. While it learned to spell,
# the model was given the *right* letters, afterwards its own: what that costs is said in 14.
#
# In the code: [Readout, ŷ = g2(W_y a + b_y)](../tinygrad_rnn/nn/readout.py),
# [the five pictures](../tinygrad_rnn/draw/layout/architectures.py); tests:
# [`test_readout_is_g2_of_a_linear_map`](../tests/nn/test_recurrent.py).
