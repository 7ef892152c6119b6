"""Names of a language, letter by letter, from a category and the last letter (the tutorial)."""

import numpy as np

import tinygrad_rnn as torch
import tinygrad_rnn.nn as nn

NAMES = {"it": ["rossi", "bianchi", "conti"], "de": ["schmidt", "weber", "koch"]}
LETTERS = "abcdefghijklmnopqrstuvwxyz"
EOS = len(LETTERS)


class RNN(nn.Module):
    def __init__(self, n_categories, input_size, hidden_size, output_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(n_categories + input_size + hidden_size, hidden_size)
        self.i2o = nn.Linear(n_categories + input_size + hidden_size, output_size)
        self.o2o = nn.Linear(hidden_size + output_size, output_size)
        self.dropout = nn.Dropout(0.1)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, category, input, hidden):
        input_combined = torch.cat((category, input, hidden), 1)
        hidden = self.i2h(input_combined)
        output = self.i2o(input_combined)
        output = self.o2o(torch.cat((hidden, output), 1))
        return self.softmax(self.dropout(output)), hidden

    def init_hidden(self):
        return torch.zeros(1, self.hidden_size)


def run(seed):
    rng = np.random.default_rng(seed)
    categories = list(NAMES)
    rnn, criterion = RNN(len(categories), EOS + 1, 20, EOS + 1), nn.NLLLoss()
    rnn.eval()  # dropout draws other numbers in other libraries
    for _, p in sorted(rnn.named_parameters()):
        p.data.copy_(torch.tensor(rng.uniform(-0.2, 0.2, tuple(p.shape))))
    losses = []
    for k in range(40):
        c = k % len(categories)
        line = NAMES[categories[c]][rng.integers(3)]
        category = torch.zeros(1, len(categories))
        category[0][c] = 1
        input_line = torch.zeros(len(line), 1, EOS + 1)
        for li, letter in enumerate(line):
            input_line[li][0][LETTERS.find(letter)] = 1
        target_line = torch.LongTensor([LETTERS.find(ch) for ch in line[1:]] + [EOS])
        target_line.unsqueeze_(-1)
        hidden = rnn.init_hidden()
        rnn.zero_grad()
        loss = 0
        for i in range(input_line.size(0)):
            output, hidden = rnn(category, input_line[i], hidden)
            loss += criterion(output, target_line[i])
        loss.backward()
        for p in rnn.parameters():
            p.data.add_(p.grad.data, alpha=-0.05)
        losses.append(loss.item() / input_line.size(0))
    return losses
