"""A recurrent cell of one linear layer that spells names (after makemore's RNN)."""

import numpy as np

import tinygrad_rnn as torch
import tinygrad_rnn.nn as nn
from tinygrad_rnn.nn import functional as F

WORDS = "emma olivia ava isabella sophia charlotte mia amelia harper evelyn abigail emily".split()


class RNNCell(nn.Module):
    def __init__(self, n_embd, n_embd2):
        super().__init__()
        self.xh_to_h = nn.Linear(n_embd + n_embd2, n_embd2)

    def forward(self, xt, hprev):
        xh = torch.cat([xt, hprev], dim=1)
        return F.tanh(self.xh_to_h(xh))


class RNN(nn.Module):
    def __init__(self, vocab_size, n_embd, n_embd2):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(1, n_embd2))
        self.wte = nn.Embedding(vocab_size, n_embd)
        self.cell = RNNCell(n_embd, n_embd2)
        self.lm_head = nn.Linear(n_embd2, vocab_size)

    def forward(self, idx, targets=None):
        b, t = idx.size()
        emb = self.wte(idx)
        hprev = self.start.expand((b, -1))
        hiddens = []
        for i in range(t):
            hprev = self.cell(emb[:, i, :], hprev)
            hiddens.append(hprev)
        logits = self.lm_head(torch.stack(hiddens, 1))
        loss = None
        if targets is not None:
            rows = logits.view(-1, logits.size(-1))
            loss = F.cross_entropy(rows, targets.view(-1), ignore_index=-1)
        return logits, loss


def run(seed):
    rng = np.random.default_rng(seed)
    stoi = {ch: i + 1 for i, ch in enumerate(sorted(set("".join(WORDS))))}
    longest = max(len(w) for w in WORDS)
    x = torch.zeros(len(WORDS), longest + 1, dtype=torch.long)
    y = torch.full((len(WORDS), longest + 1), -1, dtype=torch.long)
    for k, w in enumerate(WORDS):
        ix = torch.tensor([stoi[ch] for ch in w], dtype=torch.long)
        x[k, 1 : 1 + len(ix)] = ix
        y[k, : len(ix)] = ix
        y[k, len(ix)] = 0
    model = RNN(len(stoi) + 1, 16, 24)
    for _, p in sorted(model.named_parameters()):
        p.data = torch.tensor(rng.uniform(-0.3, 0.3, tuple(p.shape)), dtype=torch.float32)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-2, weight_decay=0.01, betas=(0.9, 0.99), eps=1e-8
    )
    losses = []
    for _ in range(40):
        logits, loss = model(x, y)
        model.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
