"""A GRU from scratch as a module of parameters (after d2l)."""

import numpy as np

import tinygrad_rnn as torch
from tinygrad_rnn import nn

TEXT = "the time traveller for so it will be convenient to speak of him was expounding " * 2


class GRUScratch(nn.Module):
    def __init__(self, num_inputs, num_hiddens, rng, sigma=0.1):
        super().__init__()

        def init_weight(*shape):
            return nn.Parameter(torch.tensor(rng.normal(0, sigma, shape)).float())

        def triple():
            return (init_weight(num_inputs, num_hiddens), init_weight(num_hiddens, num_hiddens),
                    nn.Parameter(torch.zeros(num_hiddens)))  # fmt: skip

        self.num_hiddens = num_hiddens
        self.W_xz, self.W_hz, self.b_z = triple()
        self.W_xr, self.W_hr, self.b_r = triple()
        self.W_xh, self.W_hh, self.b_h = triple()

    def forward(self, inputs, H=None):
        if H is None:
            H = torch.zeros((inputs.shape[1], self.num_hiddens))
        outputs = []
        for X in inputs:
            Z = torch.sigmoid(torch.matmul(X, self.W_xz) + torch.matmul(H, self.W_hz) + self.b_z)
            R = torch.sigmoid(torch.matmul(X, self.W_xr) + torch.matmul(H, self.W_hr) + self.b_r)
            H_tilde = torch.tanh(
                torch.matmul(X, self.W_xh) + torch.matmul(R * H, self.W_hh) + self.b_h
            )
            H = Z * H + (1 - Z) * H_tilde
            outputs.append(H)
        return outputs, H


def run(seed):
    rng = np.random.default_rng(seed)
    ids = {ch: k for k, ch in enumerate(sorted(set(TEXT)))}
    corpus = torch.tensor([ids[ch] for ch in TEXT])
    V = len(ids)
    gru, head = GRUScratch(V, 20, rng), nn.Linear(20, V)
    nn.init.constant_(head.weight, 0.05)
    nn.init.zeros_(head.bias)
    X = nn.functional.one_hot(corpus[:96].reshape(8, 12).T, V).float()
    Y = corpus[1:97].reshape(8, 12).T
    trainer = torch.optim.SGD([*gru.parameters(), *head.parameters()], lr=2.0, momentum=0.5)
    losses = []
    for _ in range(25):
        trainer.zero_grad()
        outputs, _ = gru(X)
        logits = head(torch.stack(outputs, 0))
        loss = nn.functional.cross_entropy(logits.reshape(-1, V), Y.reshape(-1))
        loss.backward()
        nn.utils.clip_grad_value_(gru.parameters(), 0.5)
        trainer.step()
        losses.append(loss.item())
    return losses
