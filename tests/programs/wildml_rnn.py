"""An RNN over word numbers as three matrices U, V, W and plain SGD (after WildML's part 2)."""

import numpy as np

import tinygrad_rnn as torch


class RNNTorch:
    def __init__(self, word_dim, hidden_dim, rng):
        self.word_dim, self.hidden_dim = word_dim, hidden_dim
        bound = np.sqrt(1.0 / word_dim)
        U = rng.uniform(-bound, bound, (hidden_dim, word_dim))
        V = rng.uniform(-bound, bound, (word_dim, hidden_dim))
        W = rng.uniform(-bound, bound, (hidden_dim, hidden_dim))
        self.U, self.V, self.W = (torch.tensor(m, requires_grad=True) for m in (U, V, W))

    def forward_propagation(self, x):
        T = len(x)
        s = torch.zeros(self.hidden_dim, dtype=torch.float64)
        o = []
        for t in range(T):
            s = torch.tanh(self.U[:, x[t]] + self.W.mv(s))
            o.append(torch.softmax(self.V.matmul(s), dim=0))
        return torch.stack(o)

    def calculate_loss(self, x, y):
        o = self.forward_propagation(x)
        correct = o[torch.arange(len(y)), y]
        return -1 * torch.sum(torch.log(correct)) / len(y)

    def sgd_step(self, x, y, learning_rate):
        loss = self.calculate_loss(x, y)
        grads = torch.autograd.grad(loss, [self.U, self.V, self.W])
        with torch.no_grad():
            for m, g in zip((self.U, self.V, self.W), grads):
                m.sub_(learning_rate * g)
        return loss.item()


def run(seed):
    rng = np.random.default_rng(seed)
    sentences = [rng.integers(0, 12, rng.integers(4, 9)) for _ in range(4)]
    model, losses = RNNTorch(12, 10, rng), []
    learning_rate = 0.5
    for epoch in range(10):
        for s in sentences:
            losses.append(model.sgd_step(s[:-1].tolist(), torch.tensor(s[1:]), learning_rate))
        if epoch % 5 == 4:
            learning_rate *= 0.5
    assert model.forward_propagation([1, 2]).argmax(dim=1).shape == (2,)
    return losses
