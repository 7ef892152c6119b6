"""Bigrams as one linear layer on one-hot rows (after makemore, part 1)."""

import numpy as np

import tinygrad_rnn as torch
import tinygrad_rnn.nn.functional as F

WORDS = "emma olivia ava isabella sophia charlotte mia amelia harper evelyn abigail emily".split()


def run(seed):
    chars = sorted(set("".join(WORDS)))
    stoi = {s: i + 1 for i, s in enumerate(chars)} | {".": 0}
    xs, ys = [], []
    for w in WORDS:
        chs = ["."] + list(w) + ["."]
        for ch1, ch2 in zip(chs, chs[1:]):
            xs.append(stoi[ch1])
            ys.append(stoi[ch2])
    xs, ys = torch.tensor(xs), torch.tensor(ys)
    num, V = xs.nelement(), len(stoi)
    counts = torch.zeros((V, V), dtype=torch.int32)
    for a, b in zip(xs.tolist(), ys.tolist()):
        counts[a, b] += 1
    P = (counts + 1).float()
    P /= P.sum(1, keepdim=True)
    losses = [-P[xs, ys].log().mean().item()]
    W = torch.from_numpy(np.random.default_rng(seed).normal(size=(V, V))).float()
    W.requires_grad_()
    for _ in range(50):
        xenc = F.one_hot(xs, num_classes=V).float()
        logits = xenc @ W
        exps = logits.exp()
        probs = exps / exps.sum(1, keepdims=True)
        loss = -probs[torch.arange(num), ys].log().mean() + 0.01 * (W**2).mean()
        W.grad = None
        loss.backward()
        W.data += -10 * W.grad
        losses.append(loss.item())
    return losses
