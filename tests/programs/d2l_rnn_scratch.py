"""An RNN language model from scratch, with perplexity and clipping by hand (after d2l)."""

import math

import numpy as np

import tinygrad_rnn as torch
from tinygrad_rnn.nn import functional as F

TEXT = "the time traveller for so it will be convenient to speak of him was expounding " * 3


def get_params(vocab_size, num_hiddens, rng):
    def normal(shape):
        return torch.tensor(rng.normal(0, 0.1, shape), dtype=torch.float32)

    params = [normal((vocab_size, num_hiddens)), normal((num_hiddens, num_hiddens)),
              torch.zeros(num_hiddens), normal((num_hiddens, vocab_size)),
              torch.zeros(vocab_size)]  # fmt: skip
    for param in params:
        param.requires_grad_(True)
    return params


def rnn(inputs, state, params):
    W_xh, W_hh, b_h, W_hq, b_q = params
    (H,) = state
    outputs = []
    for X in inputs:
        H = torch.tanh(torch.mm(X, W_xh) + torch.mm(H, W_hh) + b_h)
        outputs.append(torch.mm(H, W_hq) + b_q)
    return torch.cat(outputs, dim=0), (H,)


def grad_clipping(params, theta):
    norm = torch.sqrt(sum(torch.sum(p.grad**2) for p in params))
    if norm > theta:
        for param in params:
            param.grad[:] *= theta / norm


def run(seed):
    rng = np.random.default_rng(seed)
    ids = {ch: k for k, ch in enumerate(sorted(set(TEXT)))}
    corpus = torch.tensor([ids[ch] for ch in TEXT])
    V, H, batch, steps = len(ids), 24, 4, 8
    params = get_params(V, H, rng)
    Xs = corpus[:224].reshape(batch, -1)
    Ys = corpus[1:225].reshape(batch, -1)
    losses = []
    for _ in range(8):
        state = (torch.zeros((batch, H)),)
        for i in range(0, steps * (Xs.shape[1] // steps), steps):
            X, Y = Xs[:, i : i + steps], Ys[:, i : i + steps]
            for s in state:
                s.detach_()
            y = Y.T.reshape(-1)
            X = F.one_hot(X.T, V).type(torch.float32)
            y_hat, state = rnn(X, state, params)
            loss = F.cross_entropy(y_hat, y.long())
            for p in params:
                p.grad = None
            loss.backward()
            grad_clipping(params, 1)
            with torch.no_grad():
                for p in params:
                    p -= 1.0 * p.grad
            losses.append(loss.item())
    assert math.exp(losses[-1]) < math.exp(losses[0])
    return losses
