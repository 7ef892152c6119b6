# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---
# %% [markdown]
# # 14 · Encoder and decoder
#
# **How can one sequence become another of a different length?**
#
# An encoder reads; its last state begins a decoder, which writes until it says `<EOS>`:
#
# $$P(y \mid x) = \prod_t P(y^{\langle t\rangle} \mid x, y^{\langle 1\rangle} \dots y^{\langle t-1\rangle}),
# \qquad \text{score} = \frac{1}{T_y^{\alpha}} \log P(y \mid x)$$
#
# While it learns, the decoder is given the right symbols (*teacher forcing*), afterwards its own. With
# attention each step also sees the mean of all encoder states, weighted by
# $\mathrm{softmax}_s(\text{score}(a, \text{key}_s))$, instead of one state that has to hold everything.

# %%
import datetime

import matplotlib.pyplot as plt
import numpy as np

from tinygrad_rnn import log_softmax, nn, one_hot, optim, scope, tensor
from tinygrad_rnn.draw import draw
from tinygrad_rnn.draw.layout.architectures import arch_graph
from tinygrad_rnn.exercises import check, question

START, END = 10, 11
encoder, decoder = nn.GRUCell(6, 4, seed=0), nn.GRUCell(12, 4, seed=1)  # x and y are class numbers
W_y = nn.Linear(4, 12, seed=2)


def loss_of(x, y):
    a = encoder.start(1, tensor(np.zeros((1, 6))).float())
    for t in range(len(x)):
        with scope("encoder", step=t, cell="GRU"):
            _, a = encoder.step(tensor([x[t]]), a)
    given, loss = one_hot(tensor([START]), 12).float(), 0.0
    for t in range(len(y)):
        with scope("decoder", step=t, cell="GRU"):
            output, a = decoder.step(given, a)
            log_p = log_softmax(W_y(output), -1)  # log P(· | x, y⟨1⟩ … y⟨t−1⟩)
            loss = loss - log_p[0, y[t]]
            given = one_hot(tensor([y[t]]), 12).float()  # teacher forcing
    return loss


# %% [markdown]
# ## The graph of the code just run
# One wire leads from the encoder to the decoder: the bottleneck. With teacher forcing the right symbols go
# in, and no wire leads from an output to the next input:

# %%
loss = loss_of([1, 2, 3], [7, 8, END])
flow = loss.backward(record="norm")
draw(loss, view="cell", title="Teacher forcing: −log P(7 8 <EOS> | 1 2 3)")

# %% [markdown]
# When it is on its own, what it said goes in (dashed, as a symbol is no number with a slope):

# %%
draw(arch_graph("encoder-decoder"), view="arch", title="On its own")

# %% [markdown]
# ## Predict, then run: greedy or beam?
# Two symbols, A and B, and the end. A looks best at first, 0.6 to 0.4, but what follows it is unsure; after B
# the end is all but certain. What does a beam of width 1 find, that is greedy decoding, what one of width 2?

# %%
chain = np.log([[0.3, 0.3, 0.4],  # after A: A, B, end
                [0.05, 0.05, 0.9],  # after B
                [1e-9, 1e-9, 1.0],  # after the end
                [0.6, 0.4, 1e-9]])  # at the start  # fmt: skip


def step(symbols, state):
    return tensor(chain[symbols.numpy()]), state


for width in (1, 2, 4):
    best = nn.decoding.beam_search(step, None, start=3, end=2, width=width, max_steps=5)[0]
    said = "".join("AB"[k] for k in best.symbols)
    print(f"width {width}: {said}, P = {np.exp(best.log_prob):.3f}")

# %% [markdown]
# P(A) = 0.6 · 0.4 = 0.24, P(B) = 0.4 · 0.9 = 0.36. The beam keeps B alive long enough to see it.

# %% [markdown]
# ## Exercises

# %%
for number in ("14.1", "14.2", "14.3", "14.4"):
    print(question(number), end="\n\n")


# %%
### BEGIN SOLUTION
def best_path(first, then, T):
    paths, scores = [[k] for k in range(3)], list(first)
    for _ in range(T - 1):
        grown = [(scores[k] + then[k, j], paths[k] + [j]) for k in range(3) for j in range(3)]
        best = [max((g for g in grown if g[1][-1] == j), key=lambda g: g[0]) for j in range(3)]
        scores, paths = [s for s, _ in best], [p for _, p in best]
    return paths[int(np.argmax(scores))]


def attend(query, keys, values):
    score = keys @ query
    weights = np.exp(score - score.max())
    return weights / weights.sum() @ values


check("14.1", best_path)
check("14.2", lambda target, start: ([start, *target[:-1]], target))
check("14.3", lambda log_p, length, alpha: log_p / length**alpha)
check("14.4", attend)
### END SOLUTION

# %% [markdown]
# ## A task: read dates
# "7 mar 1984", "mar 7, 1984" and "07/03/1984" all mean 840307.

# %%
months = "jan feb mar apr may jun jul aug sep oct nov dec".split()
letters = sorted(set("0123456789/ ," + "".join(months)))
rng = np.random.default_rng(0)


def dates(batch):
    texts, x, y = [], np.zeros((12, batch), int), np.full((7, batch), END)
    for k in range(batch):
        day = datetime.date(1950, 1, 1) + datetime.timedelta(days=int(rng.integers(27000)))
        name = months[day.month - 1]
        texts.append([f"{day.day} {name} {day.year}", f"{name} {day.day}, {day.year}",
                      f"{day.day:02d}/{day.month:02d}/{day.year}"][rng.integers(3)])  # fmt: skip
        x[: len(texts[-1]), k] = [letters.index(c) + 1 for c in texts[-1]]
        y[:6, k] = [int(c) for c in f"{day:%y%m%d}"]
    return texts, tensor(x), tensor(y)


model = nn.Seq2Seq(len(letters) + 1, 12, hidden_size=40, embedding_size=16, attention=True, seed=0)
adam, losses = optim.Adam(model.parameters(), lr=1e-2), []
for _ in range(220):
    texts, x, y = dates(32)
    adam.zero_grad()
    loss = model.loss(x, y, START, lengths=[len(text) for text in texts])
    loss.backward()
    nn.clip_grad_norm_(model.parameters(), 1.0)
    adam.step()
    losses.append(loss.item())
texts, x, y = dates(200)
lengths = [len(text) for text in texts]
said = model.greedy(x, START, END, lengths=lengths, max_steps=8)
right = np.mean([line == wanted[:6].tolist() for line, wanted in zip(said, y.numpy().T)])
print(f"whole dates right: {right:.1%}, e.g. {texts[0]!r} →", "".join(map(str, said[0])))
assert right > 0.7
best = model.beam(tensor(x.numpy()[: lengths[0], 0]), START, END, width=3, max_steps=8, best=3)
for one in best:
    print("".join(map(str, one.symbols)), f"log P = {one.log_prob:.2f}")

# %% [markdown]
# ## Where did it look?

# %%
given = np.concatenate([[[START] * 200], y.numpy()[:-1]])
weights = model.attention_map(x, tensor(given), lengths=lengths)[:6, 0, : lengths[0]]
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
axes[0].plot(losses, color="#00224e")
axes[0].set(title="Learning", xlabel="update", ylabel="−log P per symbol, nats")
shown = axes[1].imshow(weights, cmap="cividis_r", vmin=0, vmax=1, aspect="auto")
axes[1].set_xticks(range(lengths[0]), list(texts[0].replace(" ", "␣")))
axes[1].set_yticks(range(6), list(f"{''.join(map(str, y.numpy()[:6, 0]))}"))
axes[1].set(title="Attention", xlabel="letter read", ylabel="digit to be said")
fig.colorbar(shown, label="weight, 0 to 1")
plt.show()

# %% [markdown]
# ## What this does not show
# That attention is needed here: dates are short, one state can hold them. A map of weights is where the
# decoder *looked*, not why it answered. And teacher forcing never shows the model its own mistakes:
# `teacher=0.8` lets it read its own symbols now and then.
#
# In the code: [Seq2Seq](../tinygrad_rnn/nn/seq2seq.py), [attention](../tinygrad_rnn/nn/attention.py),
# [beam search](../tinygrad_rnn/nn/decoding.py); tests: [attention](../tests/nn/test_attention.py),
# [greedy, beam, sampling](../tests/nn/test_decoding.py).
