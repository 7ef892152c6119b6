"""A character RNN, its weights plain tensors, Adagrad written out (after min-char-rnn)."""

import numpy as np

import tinygrad_rnn as torch

TEXT = "the quick brown fox jumps over the lazy dog and runs away from the slow cat "


def run(seed):
    rng = np.random.default_rng(seed)
    chars = sorted(set(TEXT))
    to_ix = {ch: i for i, ch in enumerate(chars)}
    V, H, seq_length, learning_rate = len(chars), 24, 19, 2e-2

    def param(*shape):
        return torch.tensor(rng.normal(0, 0.1, shape), dtype=torch.float32, requires_grad=True)

    Wxh, Whh, Why = param(H, V), param(H, H), param(V, H)
    bh, by = torch.zeros(H, 1, requires_grad=True), torch.zeros(V, 1, requires_grad=True)
    params = [Wxh, Whh, Why, bh, by]
    mem = [torch.zeros_like(p) for p in params]
    losses, p = [], 0
    hprev = torch.zeros(H, 1)
    for _ in range(80):
        if p + seq_length + 1 >= len(TEXT):
            p, hprev = 0, torch.zeros(H, 1)
        inputs = [to_ix[ch] for ch in TEXT[p : p + seq_length]]
        targets = [to_ix[ch] for ch in TEXT[p + 1 : p + seq_length + 1]]
        loss, h = 0, hprev
        for ix, target in zip(inputs, targets):
            x = torch.zeros((V, 1))
            x[ix] = 1
            h = torch.tanh(Wxh @ x + Whh @ h + bh)
            y = Why @ h + by
            probs = torch.exp(y) / torch.sum(torch.exp(y))
            loss = loss - torch.log(probs[target, 0])
        loss.backward()
        with torch.no_grad():
            for param_, m in zip(params, mem):
                g = param_.grad.clamp(-5, 5)
                m += g * g
                param_ -= learning_rate * g / torch.sqrt(m + 1e-8)
                param_.grad.zero_()
        hprev, p = h.detach(), p + seq_length
        losses.append(loss.item() / seq_length)
    return losses
