"""Which language is a name from? A hand-made RNN, one letter at a time (after the tutorial)."""

import numpy as np

import tinygrad_rnn as torch
import tinygrad_rnn.nn as nn

NAMES = {"it": ["rossi", "bianchi", "conti"], "de": ["schmidt", "weber", "koch"],
         "ru": ["ivanov", "petrov", "orlov"]}  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def line_to_tensor(line):
    tensor = torch.zeros(len(line), 1, len(LETTERS))
    for li, letter in enumerate(line):
        tensor[li][0][LETTERS.find(letter)] = 1
    return tensor


class RNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super(RNN, self).__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, input, hidden):
        hidden = torch.tanh(self.i2h(input) + self.h2h(hidden))
        output = self.softmax(self.h2o(hidden))
        return output, hidden

    def initHidden(self):
        return torch.zeros(1, self.hidden_size)


def run(seed):
    rng = np.random.default_rng(seed)
    categories = list(NAMES)
    rnn, criterion, learning_rate = RNN(len(LETTERS), 16, len(categories)), nn.NLLLoss(), 0.05
    for _, p in sorted(rnn.named_parameters()):
        p.data.copy_(torch.tensor(rng.uniform(-0.3, 0.3, tuple(p.shape))))
    losses, right = [], 0
    for _ in range(60):
        category = categories[rng.integers(len(categories))]
        line = NAMES[category][rng.integers(len(NAMES[category]))]
        target = torch.tensor([categories.index(category)], dtype=torch.long)
        hidden = rnn.initHidden()
        rnn.zero_grad()
        for letter in line_to_tensor(line):
            output, hidden = rnn(letter, hidden)
        loss = criterion(output, target)
        loss.backward()
        for p in rnn.parameters():
            p.data.add_(p.grad.data, alpha=-learning_rate)
        top_n, top_i = output.topk(1)
        right += top_i[0].item() == target.item()
        losses.append(loss.item())
    return losses
