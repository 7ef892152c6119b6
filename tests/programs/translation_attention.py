"""Sequence to sequence with Bahdanau's attention and teacher forcing (after the tutorial)."""

import numpy as np

import tinygrad_rnn as torch
import tinygrad_rnn.nn as nn
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import optim

SOS, EOS, H = 0, 1, 16


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)

    def forward(self, input):
        return self.gru(self.embedding(input))


class BahdanauAttention(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.Wa = nn.Linear(hidden_size, hidden_size)
        self.Ua = nn.Linear(hidden_size, hidden_size)
        self.Va = nn.Linear(hidden_size, 1)

    def forward(self, query, keys):
        scores = self.Va(torch.tanh(self.Wa(query) + self.Ua(keys)))
        scores = scores.squeeze(2).unsqueeze(1)
        weights = F.softmax(scores, dim=-1)
        return torch.bmm(weights, keys), weights


class AttnDecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size):
        super().__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.attention = BahdanauAttention(hidden_size)
        self.gru = nn.GRU(2 * hidden_size, hidden_size, batch_first=True)
        self.out = nn.Linear(hidden_size, output_size)

    def forward(self, encoder_outputs, encoder_hidden, target):
        decoder_input = torch.empty(target.size(0), 1, dtype=torch.long).fill_(SOS)
        decoder_hidden, outputs = encoder_hidden, []
        for i in range(target.size(1)):
            query = decoder_hidden.permute(1, 0, 2)
            context, _ = self.attention(query, encoder_outputs)
            input_gru = torch.cat((self.embedding(decoder_input), context), dim=2)
            output, decoder_hidden = self.gru(input_gru, decoder_hidden)
            outputs.append(self.out(output))
            decoder_input = target[:, i].unsqueeze(1)  # teacher forcing
        return F.log_softmax(torch.cat(outputs, dim=1), dim=-1)


def run(seed):
    rng = np.random.default_rng(seed)
    words = rng.integers(2, 10, (16, 5))
    source = torch.from_numpy(words)
    target = torch.from_numpy(np.c_[words[:, ::-1], np.full(16, EOS)].copy())
    encoder, decoder = EncoderRNN(10, H), AttnDecoderRNN(H, 10)
    for model in (encoder, decoder):
        for _, p in sorted(model.named_parameters()):
            p.data.copy_(torch.tensor(rng.uniform(-0.3, 0.3, tuple(p.shape))))
    optimizers = [optim.Adam(m.parameters(), lr=0.01) for m in (encoder, decoder)]
    criterion, losses = nn.NLLLoss(), []
    for _ in range(30):
        for o in optimizers:
            o.zero_grad()
        outputs = decoder(*encoder(source), target)
        loss = criterion(outputs.view(-1, outputs.size(-1)), target.view(-1))
        loss.backward()
        for o in optimizers:
            o.step()
        losses.append(loss.item())
    return losses
