"""A language model over the library's own LSTM, GRU and RNN layers (after d2l, concise)."""

import numpy as np

import tinygrad_rnn as torch
from tinygrad_rnn import nn
from tinygrad_rnn.nn import functional as F

TEXT = "the time traveller for so it will be convenient to speak of him was expounding " * 2


class RNNModel(nn.Module):
    def __init__(self, rnn_layer, vocab_size):
        super().__init__()
        self.rnn, self.vocab_size = rnn_layer, vocab_size
        self.num_directions = 2 if self.rnn.bidirectional else 1
        self.linear = nn.Linear(self.rnn.hidden_size * self.num_directions, vocab_size)

    def forward(self, inputs, state):
        X = F.one_hot(inputs.T.long(), self.vocab_size)
        Y, state = self.rnn(X.to(torch.float32), state)
        return self.linear(Y.reshape((-1, Y.shape[-1]))), state

    def begin_state(self, batch_size):
        layers = self.num_directions * self.rnn.num_layers
        zeros = torch.zeros((layers, batch_size, self.rnn.hidden_size))
        return (zeros, torch.zeros_like(zeros)) if isinstance(self.rnn, nn.LSTM) else zeros


def run(seed):
    rng = np.random.default_rng(seed)
    ids = {ch: k for k, ch in enumerate(sorted(set(TEXT)))}
    corpus = torch.tensor([ids[ch] for ch in TEXT])
    V = len(ids)
    X, Y = corpus[:120].view(6, 20), corpus[1:121].view(6, 20)
    losses = []
    for layer in (nn.LSTM(V, 16), nn.GRU(V, 16), nn.RNN(V, 16, nonlinearity="relu")):
        net = RNNModel(layer, V)
        for _, p in sorted(net.named_parameters()):
            p.data.copy_(torch.tensor(rng.uniform(-0.2, 0.2, tuple(p.shape))))
        updater, criterion = torch.optim.SGD(net.parameters(), lr=1), nn.CrossEntropyLoss()
        for _ in range(12):
            y_hat, _ = net(X, net.begin_state(6))
            loss = criterion(y_hat, Y.T.reshape(-1)).mean()
            updater.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            updater.step()
            losses.append(loss.item())
    return losses
