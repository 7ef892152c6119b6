"""Captions of images from features, packed by length (after Show and Tell)."""

import numpy as np

import tinygrad_rnn as torch
import tinygrad_rnn.nn as nn
from tinygrad_rnn.nn.utils.rnn import pack_padded_sequence


class EncoderCNN(nn.Module):
    def __init__(self, embed_size):
        super().__init__()
        self.linear = nn.Linear(12, embed_size)
        self.bn = nn.BatchNorm1d(embed_size, momentum=0.01)

    def forward(self, images):
        with torch.no_grad():
            features = images.clamp(min=0)
        features = features.reshape(features.size(0), -1)
        return self.bn(self.linear(features))


class DecoderRNN(nn.Module):
    def __init__(self, embed_size, hidden_size, vocab_size, num_layers):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embed_size)
        self.lstm = nn.LSTM(embed_size, hidden_size, num_layers, batch_first=True)
        self.linear = nn.Linear(hidden_size, vocab_size)

    def forward(self, features, captions, lengths):
        embeddings = self.embed(captions)
        embeddings = torch.cat((features.unsqueeze(1), embeddings), 1)
        packed = pack_padded_sequence(embeddings, lengths, batch_first=True)
        hiddens, _ = self.lstm(packed)
        return self.linear(hiddens[0])

    def sample(self, features, states=None):
        sampled_ids, inputs = [], features.unsqueeze(1)
        for _ in range(4):
            hiddens, states = self.lstm(inputs, states)
            _, predicted = self.linear(hiddens.squeeze(1)).max(1)
            sampled_ids.append(predicted)
            inputs = self.embed(predicted).unsqueeze(1)
        return torch.stack(sampled_ids, 1)


def run(seed):
    rng = np.random.default_rng(seed)
    lengths = [6, 5, 5, 4, 3, 3]
    images = torch.tensor(rng.normal(size=(6, 3, 4)), dtype=torch.float32)
    captions = torch.zeros(6, max(lengths)).long()
    for i, end in enumerate(lengths):
        captions[i, :end] = torch.from_numpy(rng.integers(1, 9, end))
    targets = pack_padded_sequence(captions, lengths, batch_first=True)[0]
    encoder, decoder = EncoderCNN(8), DecoderRNN(8, 12, 9, 1)
    for model in (encoder, decoder):
        for _, p in sorted(model.named_parameters()):
            p.data.copy_(torch.tensor(rng.uniform(-0.4, 0.4, tuple(p.shape))))
    criterion = nn.CrossEntropyLoss()
    params = list(decoder.parameters()) + list(encoder.linear.parameters())
    params += list(encoder.bn.parameters())
    optimizer = torch.optim.Adam(params, lr=0.02)
    losses = []
    for _ in range(25):
        outputs = decoder(encoder(images), captions, lengths)
        loss = criterion(outputs, targets)
        decoder.zero_grad()
        encoder.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    encoder.eval()
    assert decoder.sample(encoder(images)).cpu().numpy().shape == (6, 4)
    return losses
