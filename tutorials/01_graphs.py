# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 01 · Graphs and the chain rule
#
# **How does one sweep backwards find the slope of a result with respect to every number it was
# made from?**
#
# A computation is a graph: every operation is a node that knows its inputs. Reverse mode walks the
# graph once, from the result to the inputs, and at each node multiplies by one local slope:
#
# $$\bar x \mathrel{+}= \bar y \cdot \frac{\partial y}{\partial x}$$
#
# $\bar y$ is what arrived at the node, $\bar x$ what it sends on. The $+=$ is the point of this page.

# %%
from tinygrad_rnn import optim, tanh, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.exercises import check, hint, question

a = tensor(1.5, requires_grad=True, name="a")
b = tensor(-2.0, requires_grad=True, name="b")
c = tensor(0.5, requires_grad=True, name="c")
f = (a * b + c) * tanh(a)
flow = f.backward(record="norm")

# %% [markdown]
# ## The graph of the code just run
# Every operation is a node; width and colour of an edge show the gradient that came along it.
# `a` has two edges: it is used twice.

# %%
draw(f, title="f = (a·b + c)·tanh(a)")

# %% [markdown]
# ## Predict, then run
# By hand: $\partial f/\partial a = b\tanh a + (ab + c)(1 - \tanh^2 a)$ — one summand per use of `a`.
# Which sign has it here? Decide before you run the next cell.

# %%
import math

slope = math.tanh(1.5)
by_hand = -2.0 * slope + (1.5 * -2.0 + 0.5) * (1 - slope**2)
print(f"∂f/∂a: walked back {a.grad.item():.6f}, by hand {by_hand:.6f}")

# %% [markdown]
# ## Why += and not =
# Take away the second share and the gradient is wrong, though nothing looks broken. Finite
# differences tell: nudge `a` a little and see what `f` does.


# %%
def value(x):
    return (x * -2.0 + 0.5) * math.tanh(x)


eps = 1e-5
measured = (value(1.5 + eps) - value(1.5 - eps)) / (2 * eps)
print(f"measured {measured:.6f}; first use alone {-2.0 * slope:.6f}")

# %% [markdown]
# ## Exercises
# `check` runs your answer beside a reference and names the mistake; `hint("01.1")` helps a little.

# %%
for number in ("01.1", "01.2", "01.3", "01.4"):
    print(question(number), end="\n\n")


# %%
### BEGIN SOLUTION
def mul_backward(a, b, g):
    return g * b, g * a


def tanh_backward(y, g):
    return g * (1 - y * y)


def uses_of_a(a, b):
    return (a + b) + a, a


def reverse_order(parents):
    return sorted(parents, reverse=True)


check("01.1", mul_backward)
check("01.2", tanh_backward)
check("01.3", uses_of_a)
check("01.4", reverse_order)
### END SOLUTION

# %% [markdown]
# A wrong answer is named:

# %%
check("01.3", lambda a, b: (a + b, a))
print(hint("01.3"))

# %% [markdown]
# ## A task: fit sin(x) with eight tanh units
# Only operations from above, and the update $p \leftarrow p - \eta\,\partial L/\partial p$.

# %%
import numpy as np

x = np.linspace(-3, 3, 60)[:, None]
target = tensor(np.sin(x))
draws = np.random.default_rng(0)
w = tensor(draws.normal(size=(1, 8)), requires_grad=True, name="w")
shift = tensor(draws.normal(size=8), requires_grad=True, name="shift")
v = tensor(draws.normal(size=(8, 1)) * 0.3, requires_grad=True, name="v")
adam = optim.Adam([w, shift, v], lr=0.05)
losses = []
for _ in range(300):
    adam.zero_grad()
    loss = ((tanh(tensor(x) @ w + shift) @ v - target) ** 2).mean()
    loss.backward()
    adam.step()
    losses.append(loss.item())
print(f"mean squared error: {losses[0]:.3f} at first, {losses[-1]:.5f} after 300 steps")
assert losses[-1] < 0.01

# %%
import matplotlib.pyplot as plt

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
left.semilogy(losses, color="#00224e")
left.set(title="Loss over steps", xlabel="step", ylabel="mean squared error")
fit = (tanh(tensor(x) @ w + shift) @ v).detach().numpy()
right.plot(x, np.sin(x), color="#8a8678", linewidth=4, label="sin x")
right.plot(x, fit, color="#00224e", linestyle="--", label="eight tanh units")
right.set(title="What was learned", xlabel="x", ylabel="y")
right.legend()
plt.show()

# %% [markdown]
# ## What this does not show
# Numbers only: with arrays a slope becomes a matrix that is never formed (02). And the graph here
# has no loop; what a loop over time adds is the subject of 04.
#
# In the code: [the walk back](../tinygrad_rnn/engine/backward.py),
# [the table of rules](../tinygrad_rnn/engine/ops.py); tests:
# [every rule against differences](../tests/engine/test_ops.py).
