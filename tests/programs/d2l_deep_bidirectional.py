"""Deep and bidirectional layers classify sequences read in both directions (after d2l)."""

import numpy as np

import tinygrad_rnn as torch
from tinygrad_rnn import nn


class BiRNN(nn.Module):
    def __init__(self, vocab_size, embed_size, num_hiddens, num_layers):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.encoder = nn.LSTM(embed_size, num_hiddens, num_layers=num_layers, bidirectional=True)
        self.decoder = nn.Linear(4 * num_hiddens, 2)

    def forward(self, inputs):
        embeddings = self.embedding(inputs.T)
        self.encoder.flatten_parameters()
        outputs, _ = self.encoder(embeddings)
        encoding = torch.cat((outputs[0], outputs[-1]), dim=1)
        return self.decoder(encoding)


def init_weights(m):
    if type(m) == nn.Linear:
        nn.init.constant_(m.weight, 0.1)
        nn.init.zeros_(m.bias)


def run(seed):
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 20, (24, 9))
    X, y = torch.tensor(words), torch.tensor((words.sum(1) > 85).astype(np.int64))
    net = BiRNN(20, 8, 10, 2)
    for _, p in sorted(net.named_parameters()):
        p.data.copy_(torch.tensor(rng.uniform(-0.4, 0.4, tuple(p.shape))))
    net.apply(init_weights)
    trainer = torch.optim.Adam(net.parameters(), lr=0.02)
    loss = nn.CrossEntropyLoss(reduction="none")
    losses = []
    for _ in range(20):
        net.train()
        for start in range(0, 24, 12):
            Xb, yb = X[start : start + 12], y[start : start + 12]
            trainer.zero_grad()
            l = loss(net(Xb), yb)
            l.sum().backward()
            trainer.step()
            losses.append(l.mean().item())
    net.eval()
    accuracy = (torch.argmax(net(X), dim=1) == y).float().mean()
    assert float(accuracy) > 0.9
    return losses
