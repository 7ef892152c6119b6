# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 03 · The cell of a recurrent network
#
# **Can one small set of weights read a sequence of any length?**
#
# It can if its own output is one of its inputs. With $a^{\langle 0\rangle} = 0$,
#
# $$a^{\langle t\rangle} = g_1(W_{aa} a^{\langle t-1\rangle} + W_{ax} x^{\langle t\rangle} + b_a),
# \qquad y^{\langle t\rangle} = g_2(W_{ya} a^{\langle t\rangle} + b_y).$$

# %%
import numpy as np

from tinygrad_rnn import binary_cross_entropy_with_logits, nn, optim, tanh, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.exercises import check, question

T, B, I, H = 3, 1, 3, 4
draws = np.random.default_rng(0)


def parameter(name, *shape):
    return tensor(draws.normal(size=shape) * 0.5, requires_grad=True, name=name)


W_aa, W_ax, b_a = parameter("W_aa", H, H), parameter("W_ax", H, I), parameter("b_a", H)
x = tensor(draws.normal(size=(T, B, I)))


def run(x):
    a = tensor(np.zeros((B, H)))
    for x_t in x:
        a = tanh(a @ W_aa.T + x_t @ W_ax.T + b_a)  # the equation, for rows
    return (a * a).sum()


# %% [markdown]
# ## Two forms of one cell
# With $W_a = [W_{aa} : W_{ax}]$ the same cell is $g_1(W_a [a^{\langle t-1\rangle}, x^{\langle t\rangle}] + b_a)$.
# Both forms must give the same numbers *and* the same gradients.

# %%
from tinygrad_rnn import cat

loss = run(x)
flow = loss.backward(record="norm")
W_a = tensor(np.concatenate([W_aa.detach().numpy(), W_ax.detach().numpy()], 1),
             requires_grad=True, name="W_a")  # fmt: skip
a = tensor(np.zeros((B, H)))
for x_t in x:
    a = tanh(cat([a, x_t], 1) @ W_a.T + b_a.detach())
stacked = (a * a).sum()
stacked.backward()
both = np.concatenate([W_aa.grad.numpy(), W_ax.grad.numpy()], 1)
print("same loss:", np.isclose(loss.item(), stacked.item()))
print("same gradient:", np.allclose(W_a.grad.numpy(), both))

# %% [markdown]
# ## The graph of the code just run
# The weights are drawn where they are used, three times: one set, three uses.

# %%
draw(loss, title="A recurrent cell, three steps")

# %% [markdown]
# What does a product with a matrix hide? A cell of one input and two units over two steps, in single numbers: each × is one
# entry of a weight times one number.

# %%
from tinygrad_rnn.paper import scalar_twin

twin = scalar_twin(nn.RNNCell(1, 2, form="stacked", bias="single", seed=0), np.full((2, 1, 1), 0.5))
last = (twin.outputs[-1] ** 2).sum()  # a⟨2⟩
flow = last.backward(record="norm")
draw(last, title="A recurrent cell in single numbers, two steps")

# %% [markdown]
# The library's cell has both forms as an option, and layers run it over time:

# %%
layer = nn.RNN(I, H, form="stacked", seed=0)
draw(layer, view="rolled")

# %% [markdown]
# $g_1$ may be any function: tanh, ReLU, one that you write.

# %%
for g1 in ("tanh", "relu", "softsign", lambda z: z / (1 + z * z)):
    other = nn.RNNCell(I, H, bias="single", nonlinearity=g1, seed=0)
    print(other(x[0].float())[0].detach().numpy().round(3))

# %% [markdown]
# ## Predict, then run
# 100 units and a one-hot input of 10,000 words: what is the shape of $W_a$? And what would one step
# cost if the zeros were multiplied?

# %%
print("W_a:", (100, 100 + 10_000), "–", 100 * 10_100, "numbers")
words = nn.RNN(10_000, 100, seed=0)
output, _ = words(tensor(np.array([[17], [4711]])))  # whole numbers: rows are looked up
print("output:", output.shape)

# %% [markdown]
# ## Exercises

# %%
for number in ("03.1", "03.2", "03.3"):
    print(question(number), end="\n\n")


# %%
### BEGIN SOLUTION
def step(W_aa, W_ax, b_a, a, x):
    return np.tanh(a @ W_aa.T + x @ W_ax.T + b_a)


def over_time(W_aa, W_ax, b_a, xs):
    a, found = np.zeros(len(W_aa)), []
    for x in xs:
        a = np.tanh(W_aa @ a + W_ax @ x + b_a)
        found.append(a)
    return np.array(found)


check("03.1", step)
check("03.2", lambda W_aa, W_ax: np.concatenate([W_aa, W_ax], 1))
check("03.3", over_time)
### END SOLUTION

# %% [markdown]
# ## A task: running parity
# Bits come one by one; after each, say whether their number so far is odd. Nobody can do it
# without a memory. Trained on 12 steps, tried on 48, with
# $L_t = -y \log \hat y - (1-y) \log(1-\hat y)$ at each step.

# %%
model = nn.Readout(nn.RNN(1, 16, seed=1), 1, seed=2)
adam = optim.Adam(model.parameters(), lr=5e-3)


def bits(steps, batch):
    coins = draws.integers(0, 2, (steps, batch, 1))
    return tensor(coins * 2.0 - 1).float(), tensor(coins.cumsum(0) % 2).float()


for k in range(1200):
    data, odd = bits(12, 64)
    adam.zero_grad()
    loss = binary_cross_entropy_with_logits(model(data)[0], odd)
    loss.backward()
    nn.clip_grad_norm_(model.parameters(), 1.0)
    adam.step()
    if loss.item() < 0.005:
        break
for steps in (12, 48):
    data, odd = bits(steps, 200)
    right = ((model(data)[0].detach().numpy() > 0) == odd.numpy()).mean()
    print(f"{steps} steps: {right:.1%} right (after {k + 1} updates)")

# %% [markdown]
# ## What this does not show
# Parity is a task that two states solve; it says nothing about how long a network remembers (06).
#
# In the code: [RNNCell](../tinygrad_rnn/nn/cells.py), [the loop over time](../tinygrad_rnn/nn/scan.py);
# tests: [both forms, `test_any_nonlinearity`, `test_an_index_is_a_one_hot_vector`](../tests/nn/test_cells.py),
# [in single numbers](../tests/paper/test_scalar_twin.py),
# [from any first state, `test_a_sequence_may_be_run_in_pieces`](../tests/nn/test_recurrent.py),
# [by hand (vanilla-separate-tanh, vanilla-separate-relu, vanilla-stacked-tanh; loss bce, loss
# softmax, loss mse)](../tests/analytic/test_against_nn.py).
