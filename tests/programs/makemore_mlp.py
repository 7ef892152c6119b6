"""Bengio's MLP language model with a hand-written batch norm (after makemore, parts 2 and 3)."""

import numpy as np

import tinygrad_rnn as torch
import tinygrad_rnn.nn.functional as F

WORDS = "emma olivia ava isabella sophia charlotte mia amelia harper evelyn abigail emily".split()


def run(seed):
    rng = np.random.default_rng(seed)
    stoi = {s: i + 1 for i, s in enumerate(sorted(set("".join(WORDS))))}
    stoi["."] = 0
    V, block, n_embd, n_hidden = len(stoi), 3, 6, 30
    X, Y = [], []
    for w in WORDS:
        context = [0] * block
        for ch in w + ".":
            X.append(context)
            Y.append(stoi[ch])
            context = context[1:] + [stoi[ch]]
    X, Y = torch.tensor(X), torch.tensor(Y)

    def randn(*size):
        return torch.tensor(rng.standard_normal(size), dtype=torch.float32)

    C = randn(V, n_embd)
    W1 = randn(n_embd * block, n_hidden) * (5 / 3) / ((n_embd * block) ** 0.5)
    W2, b2 = randn(n_hidden, V) * 0.01, randn(V) * 0
    bngain, bnbias = torch.ones((1, n_hidden)), torch.zeros((1, n_hidden))
    bnmean_running = torch.zeros((1, n_hidden))
    parameters = [C, W1, W2, b2, bngain, bnbias]
    for p in parameters:
        p.requires_grad = True
    losses = []
    for i in range(80):
        ix = torch.from_numpy(rng.integers(0, X.shape[0], (32,)))
        Xb, Yb = X[ix], Y[ix]
        emb = C[Xb]
        hpreact = emb.view(emb.shape[0], -1) @ W1
        bnmeani, bnstdi = hpreact.mean(0, keepdim=True), hpreact.std(0, keepdim=True)
        hpreact = bngain * (hpreact - bnmeani) / bnstdi + bnbias
        with torch.no_grad():
            bnmean_running = 0.999 * bnmean_running + 0.001 * bnmeani
        h = torch.tanh(hpreact)
        loss = F.cross_entropy(h @ W2 + b2, Yb)
        for p in parameters:
            p.grad = None
        loss.backward()
        lr = 0.1 if i < 60 else 0.01
        for p in parameters:
            p.data += -lr * p.grad
        losses.append(loss.item())
    return losses
