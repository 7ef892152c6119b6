# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 02 · Tensors
#
# **What does an operation on arrays send back, when its slope would be a huge matrix?**
#
# It sends a product with that matrix, never the matrix. For $Y = AB$, with $\bar Y$ arriving,
#
# $$\bar A = \bar Y B^\top, \qquad \bar B = A^\top \bar Y,$$
#
# and what was broadcast is summed: each copy was a use.

# %%
import numpy as np

from tinygrad_rnn import cross_entropy, grad, gradcheck, nn, optim, softmax, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.exercises import check, question

draws = np.random.default_rng(0)
A = tensor(draws.normal(size=(3, 4)), requires_grad=True, name="A")
B = tensor(draws.normal(size=(4, 2)), requires_grad=True, name="B")
b = tensor(draws.normal(size=2), requires_grad=True, name="b")
Y = A @ B + b
G = draws.normal(size=(3, 2))
a_bar, b_bar, bias_bar = grad(Y, [A, B, b], tensor(G), retain_graph=True)
print("Ā = Ȳ Bᵀ:", np.allclose(a_bar.numpy(), G @ B.detach().numpy().T))
print("B̄ = Aᵀ Ȳ:", np.allclose(b_bar.numpy(), A.detach().numpy().T @ G))
print("b̄ = Σ over rows of Ȳ:", np.allclose(bias_bar.numpy(), G.sum(0)), bias_bar.shape)

# %% [markdown]
# ## The graph of the code just run

# %%
loss = (Y * Y).mean()
flow = loss.backward(record="norm")
draw(loss, title="mean of (A B + b)²")

# %% [markdown]
# ## Predict, then run: softmax and cross-entropy
# With $p_i = e^{z_i} / \sum_j e^{z_j}$, the softmax of $z$, a target $y$ that is one-hot and the cross-entropy
# $L = -\sum_i y_i \log p_i$, $\partial L/\partial z = p - y$. What is the
# largest entry it can have?

# %%
z = tensor([[2.0, 0.0, -1.0]], requires_grad=True)
cross_entropy(z, tensor([1])).backward()
print("p − y     ", (softmax(z, -1).detach().numpy() - [[0, 1, 0]]).round(4))
print("walked back", z.grad.numpy().round(4))

# %% [markdown]
# ## Is a rule right? Measure
# The central difference $(f(x+\varepsilon) - f(x-\varepsilon))/2\varepsilon$ errs by
# $O(\varepsilon^2)$ until rounding, $O(1/\varepsilon)$, takes over: a V.

# %%
import matplotlib.pyplot as plt


def f(x):
    return np.tanh(x) * np.exp(0.3 * x)


x0 = 0.7
exact = (1 - np.tanh(x0) ** 2) * np.exp(0.3 * x0) + 0.3 * f(x0)
steps = 10.0 ** np.arange(-12, 0.5, 0.5)
errors = [abs((f(x0 + e) - f(x0 - e)) / (2 * e) - exact) for e in steps]
fig, axis = plt.subplots(figsize=(6, 3), layout="constrained")
axis.loglog(steps, np.maximum(errors, 1e-17), "o-", color="#00224e", label="measured error")
axis.loglog(steps, steps**2, "--", color="#8a8678", label="ε²")
axis.set(title="Error of the central difference", xlabel="step ε", ylabel="|measured − exact|")
axis.legend()
plt.show()

# %%
print("gradcheck of A @ B:", gradcheck(lambda a, b: (a @ b).sum(), [A, B]))

# %% [markdown]
# ## Exercises

# %%
for number in ("02.1", "02.2", "02.3", "02.4", "02.5"):
    print(question(number), end="\n\n")


# %%
### BEGIN SOLUTION
def matmul_backward(A, B, G):
    return G @ B.T, A.T @ G


def unbroadcast(G, shape):
    G = G.sum(tuple(range(G.ndim - len(shape))))
    return G.sum(tuple(k for k, n in enumerate(shape) if n == 1), keepdims=True)


def cross_entropy_backward(z, classes):
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return (p - np.eye(z.shape[1])[classes]) / len(z)


check("02.1", matmul_backward)
check("02.2", lambda X, b, G: (G, G.sum(0)))
check("02.3", unbroadcast)
check("02.4", cross_entropy_backward)
check("02.5", lambda x: x.max() + np.log(np.exp(x - x.max()).sum()))
### END SOLUTION

# %% [markdown]
# ## A task: two moons, one to one
# An ordinary network: $T_x = T_y = 1$.

# %%
angle = draws.uniform(0, np.pi, 400)
side = np.arange(400) % 2
points = np.stack([np.cos(angle), np.sin(angle)], 1)
points = np.where(side[:, None], [1, 0.5] - points, points) + draws.normal(size=(400, 2)) * 0.1
model = nn.Sequential(nn.Linear(2, 16, seed=0), nn.Tanh(), nn.Linear(16, 2, seed=1))
adam = optim.Adam(model.parameters(), lr=0.03)
data, labels = tensor(points).float(), tensor(side)
for _ in range(200):
    adam.zero_grad()
    cross_entropy(model(data), labels).backward()
    adam.step()
right = (model(data).detach().numpy().argmax(1) == side).mean()
print(f"right: {right:.1%}")
assert right > 0.97

# %% [markdown]
# ## What this does not show
# The points were trained on and asked for: nothing is said of new ones. And a cell that is applied
# again and again shares its matrices between uses: 03.
#
# In the code: [matmul and its rules](../tinygrad_rnn/engine/ops.py); tests:
# [recorded from torch](../tests/golden/test_functions.py), [softmax and its loss, by hand (loss softmax)](../tests/analytic/test_against_nn.py),
# [σ, tanh, ReLU: `test_first_derivative_is_the_slope`](../tests/engine/test_ops.py).
