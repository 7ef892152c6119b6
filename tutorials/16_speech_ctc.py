# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---
# %% [markdown]
# # 16 · Speech: a text whose places in time nobody knows
#
# **How can a network learn to write a text down when nobody says at which step which symbol sounds?**
#
# It gives, at each step, probabilities of all symbols and of a blank. A path $\pi$ reads as a text when
# repeats are merged, then blanks dropped, $\mathcal B(\pi)$. Connectionist temporal classification sums
# over all paths,
#
# $$P(l \mid x) = \sum_{\pi \in \mathcal B^{-1}(l)} \prod_t y^{\langle t\rangle}_{\pi_t}, \qquad
# \alpha_t(s) = \bigl(\alpha_{t-1}(s) + \alpha_{t-1}(s-1) + [\text{may skip}]\,\alpha_{t-1}(s-2)\bigr)\,
# y^{\langle t\rangle}_{l'_s},$$
#
# $l'$ being the text with blanks before, between and after its symbols; a blank may be skipped between
# *different* symbols.

# %%
import itertools

import matplotlib.pyplot as plt
import numpy as np

from tinygrad_rnn import log_softmax, nn, no_grad, optim, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.exercises import check, question

rng = np.random.default_rng(0)
y = rng.dirichlet(np.ones(3), 4)  # 4 steps; a blank and the symbols 1, 2
text = [1, 2]


def collapse(path):
    return [k for k, _ in itertools.groupby(path) if k]


def forward(y, text):
    blanks = [0, *(s for k in text for s in (k, 0))]  # l′
    α = np.zeros((len(y) + 1, len(blanks)))
    α[0, 0] = 1
    for t in range(len(y)):
        for s, k in enumerate(blanks):
            skip = s >= 2 and k != 0 and k != blanks[s - 2]
            α[t + 1, s] = (α[t, s] + (s and α[t, s - 1]) + skip * α[t, s - 2]) * y[t, k]
    return α


α = forward(y, text)
paths = itertools.product(range(3), repeat=4)
every = sum(np.prod(y[range(4), path]) for path in paths if collapse(path) == text)
loss = nn.ctc_loss(tensor(np.log(y)), [text], [4], [2], reduction="sum")
print(f"all {3**4} paths, one by one: {every:.12f}")
print(f"by α:                    {α[-1, -2:].sum():.12f}")
print(f"nn.ctc_loss:             {np.exp(-loss.item()):.12f}")

# %% [markdown]
# ## The graph: α is the state of a cell
# So the sum over paths is a loop over time, and the forward–backward algorithm is BPTT that emerges.
# Added are logarithms: $\log(e^a + e^b + e^c)$.

# %%
from tinygrad_rnn.nn.ctc import CTCForward

draw(CTCForward(5), view="rolled", title="One step of α, in logarithms, for a text of two symbols")

# %% [markdown]
# ## Predict, then run
# With $T = 4$ steps and the text "1 1" (twice the same), how many of the paths read as it? And as "1 2"?

# %%
for wanted in ([1, 1], [1, 2]):
    found = [p for p in itertools.product(range(3), repeat=4) if collapse(p) == wanted]
    print(wanted, len(found), "paths:", *("".join("·12"[k] for k in p) for p in found))

# %% [markdown]
# Two equal symbols need a blank between them.

# %% [markdown]
# ## Exercises

# %%
for number in ("16.1", "16.2", "16.3"):
    print(question(number), end="\n\n")


# %%
### BEGIN SOLUTION
def path_count(T, n):
    return round(forward(np.ones((T, n + 1)), list(range(1, n + 1)))[-1, -2:].sum())


check("16.1", collapse)
check("16.2", lambda y, text: forward(y, text)[-1, -2:].sum())
check("16.3", path_count)
### END SOLUTION

# %% [markdown]
# The classic mistake, blanks dropped first, is named:

# %%
check("16.1", lambda path: [k for k, _ in itertools.groupby(k for k in path if k)])

# %% [markdown]
# ## A task: phones out of noise
# Six "phones", each a vector of 8 numbers that sounds for 2 to 4 steps, with pauses between, all in noise.
# The network hears the sound and is told the phones, never when.

# %%
K, F = 6, 8
sounds = rng.normal(size=(K, F))


def utterances(batch):
    texts = [rng.integers(1, K + 1, rng.integers(2, 5)) for _ in range(batch)]
    lines, when = [], []
    for text in texts:
        parts = [0] * rng.integers(1, 3)
        for k in text:
            parts += [k] * rng.integers(2, 5) + [0] * rng.integers(1, 3)
        clean = np.array([sounds[k - 1] if k else np.zeros(F) for k in parts])
        lines.append(clean + rng.normal(size=clean.shape) * 0.3)
        when.append(parts)
    lengths = [len(line) for line in lines]
    heard = np.zeros((max(lengths), batch, F), np.float32)
    targets = np.zeros((batch, 4), int)
    for k, (line, text) in enumerate(zip(lines, texts)):
        heard[: len(line), k] = line
        targets[k, : len(text)] = text
    return tensor(heard), lengths, targets, [len(text) for text in texts], when


model = nn.Readout(nn.GRU(F, 24, bidirectional=True, seed=0), K + 1, seed=0)
ctc = nn.CTCLoss()
adam, losses = optim.Adam(model.parameters(), lr=1.5e-2), []
for _ in range(120):
    heard, lengths, targets, sizes, _ = utterances(16)
    log_p = log_softmax(model(heard, lengths=lengths)[0], -1)
    loss = ctc(log_p, targets, lengths, sizes)
    adam.zero_grad()
    loss.backward()
    nn.clip_grad_norm_(model.parameters(), 1.0)
    adam.step()
    losses.append(loss.item())
with no_grad():
    heard, lengths, targets, sizes, when = utterances(100)
    log_p = log_softmax(model(heard, lengths=lengths)[0], -1)
wanted = [line[:n].tolist() for line, n in zip(targets, sizes)]
right = np.mean([a == b for a, b in zip(nn.ctc_greedy(log_p, lengths), wanted)])
print(f"whole texts right, best path: {right:.0%}")
beams = [nn.ctc_beam(log_p[: lengths[k], k], width=8)[0][0] for k in range(20)]
print(f"of twenty by beam search: {np.mean([a == b for a, b in zip(beams, wanted)]):.0%}")
assert right > 0.8

# %% [markdown]
# ## What it says when
# The longest one. The network was never told the orange marks, what sounded when.

# %%
k = int(np.argmax(lengths))
p = np.exp(log_p.numpy()[: lengths[k], k])
fig, (left, right_axis) = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
left.plot(losses, color="#00224e")
left.set(title="Learning", xlabel="update", ylabel="−log P per symbol, nats")
shown = right_axis.imshow(p.T, cmap="cividis_r", vmin=0, vmax=1, aspect="auto")
right_axis.plot(
    range(lengths[k]), when[k], "s", color="#D55E00", markersize=4, label="what sounded"
)
right_axis.set_yticks(range(K + 1), ["blank", *map(str, range(1, K + 1))])
right_axis.set(
    title=f"Reads as {nn.ctc_greedy(log_p, lengths)[k]}", xlabel="step t", ylabel="phone"
)
right_axis.legend(loc="lower right")
fig.colorbar(shown, label="y⟨t⟩, probability")
plt.show()

# %% [markdown]
# And all alignments at once: $\alpha_t(s)$, scaled at each step, down to a millionth.

# %%
lattice = forward(p, wanted[k])[1:]
fig, axis = plt.subplots(figsize=(8, 3), layout="constrained")
scaled = np.log10(lattice / lattice.max(1, keepdims=True) + 1e-9).T
shown = axis.imshow(scaled, cmap="cividis_r", aspect="auto", vmin=-6, vmax=0)
axis.set_yticks(range(lattice.shape[1]), ["–", *(s for n in wanted[k] for s in (str(n), "–"))])
axis.set(
    title="The lattice of all paths (– is the blank)", xlabel="step t", ylabel="place s in the text"
)
fig.colorbar(shown, label="log₁₀ of α_t(s),\nlargest = 0")
plt.show()

# %% [markdown]
# ## What this does not show
# Speech: these sounds are vectors that repeat, and the network hears the future (both directions). Nor that
# peaks stand where a sound is: here they do, but CTC does not ask for it. And CTC takes the steps as
# independent given the sound; what fits the language has to come from a language model (`bonus=` of
# `nn.ctc_beam`).
#
# In the code: [α as a cell, the loss, the searches](../tinygrad_rnn/nn/ctc.py); tests:
# [against all paths, and recorded from torch](../tests/nn/test_ctc.py).
