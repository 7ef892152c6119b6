"""Monthly passengers: sliding windows, min–max scaling, an LSTM and a linear head."""

import numpy as np

import tinygrad_rnn as torch
import tinygrad_rnn.nn as nn


class LSTM(nn.Module):
    def __init__(self, input_size=1, hidden_layer_size=12, output_size=1):
        super().__init__()
        self.hidden_layer_size = hidden_layer_size
        self.lstm = nn.LSTM(input_size, hidden_layer_size)
        self.linear = nn.Linear(hidden_layer_size, output_size)
        self.hidden_cell = (torch.zeros(1, 1, hidden_layer_size),
                            torch.zeros(1, 1, hidden_layer_size))  # fmt: skip

    def forward(self, input_seq):
        lstm_out, self.hidden_cell = self.lstm(
            input_seq.view(len(input_seq), 1, -1), self.hidden_cell
        )
        predictions = self.linear(lstm_out.view(len(input_seq), -1))
        return predictions[-1]


def create_inout_sequences(input_data, tw):
    return [(input_data[i : i + tw], input_data[i + tw : i + tw + 1])
            for i in range(len(input_data) - tw)]  # fmt: skip


def run(seed):
    rng = np.random.default_rng(seed)
    months = np.arange(40)
    flights = 100 + 3 * months + 20 * np.sin(months * np.pi / 6) + rng.normal(0, 2, 40)
    low, high = flights.min(), flights.max()
    data = torch.FloatTensor(2 * (flights - low) / (high - low) - 1).view(-1)
    sequences = create_inout_sequences(data, 12)
    model, loss_function = LSTM(), nn.MSELoss()
    for _, p in sorted(model.named_parameters()):
        p.data.copy_(torch.tensor(rng.uniform(-0.3, 0.3, tuple(p.shape))))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(2):
        for seq, labels in sequences:
            optimizer.zero_grad()
            model.hidden_cell = (torch.zeros(1, 1, model.hidden_layer_size),
                                 torch.zeros(1, 1, model.hidden_layer_size))  # fmt: skip
            y_pred = model(seq)
            single_loss = loss_function(y_pred, labels)
            single_loss.backward()
            optimizer.step()
            losses.append(single_loss.item())
    model.eval()
    test_inputs = data[-12:].tolist()
    for _ in range(3):
        seq = torch.FloatTensor(test_inputs[-12:])
        with torch.no_grad():
            test_inputs.append(model(seq).item())
    return losses
