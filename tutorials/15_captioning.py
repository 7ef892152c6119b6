# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---
# %% [markdown]
# # 15 · A caption for an image
#
# **Can the encoder be something that is not recurrent at all?**
#
# Whatever makes a vector of an image can begin a decoder:
#
# $$a^{\langle 0\rangle} = f(\text{image}), \qquad
# P(\text{words} \mid \text{image}) = \prod_t P(y^{\langle t\rangle} \mid a^{\langle 0\rangle},
# y^{\langle 1\rangle} \dots y^{\langle t-1\rangle})$$
#
# The gradient of a word's probability then goes back through time *and* into the pixels.

# %%
import matplotlib.pyplot as plt
import numpy as np

from tinygrad_rnn import cat, cross_entropy, grad, log_softmax, nn, optim, relu, scope, tanh, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.exercises import check, question

words = "<EOS> a small big at the red green blue square cross bar left right top bottom".split()
V, H = len(words), 40
rng = np.random.default_rng(0)


class Captioner(nn.Module):
    def __init__(self, pixels, hidden, seed):
        self.see = nn.Linear(pixels, hidden, seed=seed)
        self.begin = nn.Linear(hidden, hidden, seed=seed + 1)
        self.say = nn.Readout(nn.GRU(V, hidden, seed=seed + 2), V)

    def start(self, images):
        return tanh(self.begin(relu(self.see(images)))).unsqueeze(0)  # a⟨0⟩ = f(image)

    def forward(self, images, given):
        return self.say(given, self.start(images))[0]  # scores of y⟨t⟩ after a⟨0⟩, y⟨1⟩ … y⟨t−1⟩


# %% [markdown]
# ## The graph of such a model
# The image enters once, as the first state.

# %%
tiny = Captioner(6, 4, seed=0)
pixels, given = tensor(rng.normal(size=(1, 6))).float(), tensor(np.array([[0], [1], [6]]))
loss = cross_entropy(tiny(pixels, given)[:, 0], tensor(np.array([1, 6, 9])))
flow = loss.backward(record="norm")
draw(loss, view="cell", title="The image as first state")

# %% [markdown]
# It could be an input of every step instead. Here in detail, with a plain cell and two words: $f(\text{image})$ is
# used once per step, so its gradients are added up.

# %%
cell, seen = nn.RNNCell(V + 4, 4, form="stacked", seed=0), relu(tiny.see(pixels))
cell.weight.name, cell.bias.name, seen.name = "W_a", "b_a", "f(image)"
a, loss = cell.start(1, seen), 0.0
for t, (word, following) in enumerate(((0, 1), (1, 6))):
    with scope("decoder", step=t, cell="rnn"):
        output, a = cell.step(cat([tensor(np.eye(V)[[word]]).float(), seen], 1), a)
        loss = loss + cross_entropy(tiny.say.linear(output), tensor([following]))
tiny.zero_grad()
flow = loss.backward(record="norm")
draw(loss, view="gate", title="The image as an input of every step")

# %% [markdown]
# ## Predict, then run
# After training, which pixels should move the probability of "small", and which that of a word that comes in
# every caption, such as "the"? Decide before you look at the maps below.

# %% [markdown]
# ## Exercises

# %%
for number in ("15.1", "15.2"):
    print(question(number), end="\n\n")


# %%
### BEGIN SOLUTION
def saliency(g):
    norm = np.sqrt((g * g).sum(-1))
    return norm / norm.max()


check("15.1", lambda T, how: 1 if how == "state" else T)
check("15.2", saliency)
### END SOLUTION

# %% [markdown]
# ## A task: describe shapes
# 12 × 12 pixels, a shape of one colour somewhere, some noise.


# %%
def examples(batch):
    images, captions = rng.normal(size=(batch, 12, 12, 3)) * 0.05, []
    for k in range(batch):
        color, shape, size, place = (
            rng.integers(3),
            rng.integers(3),
            rng.integers(2),
            rng.integers(4),
        )
        row, column = [(6, 3), (6, 9), (3, 6), (9, 6)][place]
        up, far = slice(row - 1 - size, row + 2 + size), slice(column - 1 - size, column + 2 + size)
        mask = np.zeros((12, 12))
        if shape == 0:
            mask[up, far] = 1
        mask[row, far] = 1
        if shape == 1:
            mask[up, column] = 1
        images[k, :, :, color] += mask
        captions.append([1, 2 + size, 6 + color, 9 + shape, 4, 5, 12 + place, 0])
    return images, np.array(captions).T


model = Captioner(12 * 12 * 3, H, seed=0)
adam, losses = optim.Adam(model.parameters(), lr=1e-2), []
for _ in range(700):
    images, captions = examples(32)
    given = np.concatenate([np.zeros((1, 32), int), captions[:-1]])
    adam.zero_grad()
    logits = model(tensor(images.reshape(32, -1)).float(), tensor(given))
    loss = cross_entropy(logits.reshape(-1, V), tensor(captions.ravel()))
    loss.backward()
    nn.clip_grad_norm_(model.parameters(), 1.0)
    adam.step()
    losses.append(loss.item())

images, captions = examples(100)


def step(symbols, state):
    logits, state = model.say(symbols.unsqueeze(0), state)
    return log_softmax(logits[0], -1), state


first = model.start(tensor(images.reshape(100, -1)).float())
said = nn.decoding.greedy(step, first, [0] * 100, end=0, max_steps=10)
right = np.mean([line == wanted[:-1].tolist() for line, wanted in zip(said, captions.T)])
print(f"whole captions right: {right:.0%}; the first: {' '.join(words[k] for k in said[0])}")
assert right > 0.8

# %% [markdown]
# ## Which pixels mattered for which word?
# $\partial \log P(y^{\langle t\rangle})/\partial\,\text{image}$, its norm over the colours, each map on its
# own scale. A pixel may be bright where no shape is: painting it would move the word, too.

# %%
picture = tensor(images[:1].reshape(1, -1)).float().requires_grad_()
given = tensor(np.concatenate([[0], captions[:-1, 0]])[:, None])
log_p = log_softmax(model(picture, given), -1)
fig, axes = plt.subplots(1, 8, figsize=(12, 2.2), layout="constrained")
axes[0].imshow(np.clip(images[0], 0, 1))
axes[0].set_title("the image")
for t, axis in enumerate(axes[1:]):
    (g,) = grad(log_p[t, 0, int(captions[t, 0])], [picture], retain_graph=True)
    norm = np.linalg.norm(g.numpy().reshape(12, 12, 3), axis=-1)  # of each pixel's three slopes
    shown = axis.imshow(norm / norm.max(), cmap="cividis", vmin=0, vmax=1)
    axis.set_title(f"“{words[captions[t, 0]]}”")
for axis in axes:
    axis.set(xticks=[], yticks=[])
fig.colorbar(shown, ax=axes, label="gradient's norm,\nlargest = 1")
plt.show()

# %% [markdown]
# A scaled map hides its size. A word that the model is sure of has a small gradient, whatever it looks at:

# %%
sizes = [np.linalg.norm(grad(log_p[t, 0, int(captions[t, 0])], [picture], retain_graph=True)[0].numpy())
         for t in range(7)]  # fmt: skip
print({words[captions[t, 0]]: f"{size:.1e}" for t, size in enumerate(sizes)})

# %% [markdown]
# ## What this does not show
# A real photograph, and a convolution as encoder (`nn.Conv2d` is there). A saliency map is the slope at
# one image, not an explanation.
#
# In the code: [Readout](../tinygrad_rnn/nn/readout.py), [greedy](../tinygrad_rnn/nn/decoding.py); tests:
# [`test_a_sequence_may_be_run_in_pieces`](../tests/nn/test_recurrent.py), as a first state is given.
