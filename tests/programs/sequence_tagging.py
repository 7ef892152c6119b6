"""Parts of speech by an LSTM over a sentence, with characters too (after the tutorial)."""

import numpy as np

import tinygrad_rnn as torch
import tinygrad_rnn.nn as nn
import tinygrad_rnn.nn.functional as F
import tinygrad_rnn.optim as optim

DATA = [("the dog ate the apple".split(), ["DET", "NN", "V", "DET", "NN"]),
        ("everybody read that book".split(), ["NN", "V", "DET", "NN"])]  # fmt: skip
TAGS = {"DET": 0, "NN": 1, "V": 2}
CHARS = {c: i for i, c in enumerate("abcdefghijklmnopqrstuvwxyz")}


class LSTMTagger(nn.Module):
    def __init__(self, embedding_dim, hidden_dim, vocab_size, tagset_size):
        super().__init__()
        self.char_embeddings = nn.Embedding(len(CHARS), 4)
        self.char_lstm = nn.LSTM(4, 5)
        self.word_embeddings = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim + 5, hidden_dim)
        self.hidden2tag = nn.Linear(hidden_dim, tagset_size)

    def forward(self, sentence, words):
        embeds = self.word_embeddings(sentence)
        spelled = []
        for word in words:
            chars = torch.tensor([CHARS[c] for c in word])
            _, (h, _) = self.char_lstm(self.char_embeddings(chars).view(len(word), 1, -1))
            spelled.append(h.view(-1))
        embeds = torch.cat((embeds, torch.stack(spelled)), dim=1)
        lstm_out, _ = self.lstm(embeds.view(len(sentence), 1, -1))
        tag_space = self.hidden2tag(lstm_out.view(len(sentence), -1))
        return F.log_softmax(tag_space, dim=1)


def run(seed):
    rng, word_to_ix = np.random.default_rng(seed), {}
    for sent, _ in DATA:
        for word in sent:
            if word not in word_to_ix:
                word_to_ix[word] = len(word_to_ix)
    model = LSTMTagger(6, 6, len(word_to_ix), len(TAGS))
    for _, p in sorted(model.named_parameters()):
        p.data.copy_(torch.tensor(rng.uniform(-0.5, 0.5, tuple(p.shape))))
    loss_function = nn.NLLLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    losses = []
    for _ in range(25):
        for sentence, tags in DATA:
            model.zero_grad()
            ids = torch.tensor([word_to_ix[w] for w in sentence], dtype=torch.long)
            targets = torch.tensor([TAGS[t] for t in tags], dtype=torch.long)
            loss = loss_function(model(ids, sentence), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses
