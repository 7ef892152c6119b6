"""The next value of the Mackey–Glass series by an LSTM over windows."""

import numpy as np

import tinygrad_rnn as torch
from tinygrad_rnn import nn


def mackey_glass(steps, tau=17, beta=0.2, gamma=0.1, n=10):
    x = np.full(tau + steps, 1.2)
    for t in range(tau, tau + steps - 1):
        x[t + 1] = x[t] + beta * x[t - tau] / (1 + x[t - tau] ** n) - gamma * x[t]
    return x[tau:]


class Net(nn.Module):
    def __init__(self, hidden=12):
        super().__init__()
        self.lstm = nn.LSTM(input_size=1, hidden_size=hidden, num_layers=1, batch_first=True)
        self.fc = nn.Sequential(nn.Linear(hidden, 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, x):
        out, (h_n, c_n) = self.lstm(x)
        return self.fc(h_n[-1])


def run(seed):
    rng = np.random.default_rng(seed)
    series = torch.tensor(mackey_glass(400), dtype=torch.float32)
    mean, std = series.mean(), series.std()
    series = (series - mean) / std
    windows = series.unfold(0, 21, 3)
    X, y = windows[:, :-1].unsqueeze(-1), windows[:, -1:]
    net, criterion = Net(), nn.MSELoss()
    for _, p in sorted(net.named_parameters()):
        p.data.copy_(torch.tensor(rng.uniform(-0.3, 0.3, tuple(p.shape))))
    optimizer = torch.optim.RMSprop(net.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.5)
    losses = []
    for _ in range(25):
        net.train()
        optimizer.zero_grad()
        loss = criterion(net(X[:100]), y[:100])
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    net.eval()
    with torch.no_grad():
        losses.append(criterion(net(X[100:]), y[100:]).item())
    return losses
