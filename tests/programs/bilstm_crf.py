"""Tags by a BiLSTM under a conditional random field, its forward algorithm by hand (tutorial)."""

import numpy as np

import tinygrad_rnn as torch
import tinygrad_rnn.nn as nn
from tinygrad_rnn import optim

DATA = [("the bank in oslo reported profit today".split(), "B I O B O O O".split()),
        ("norway tech is a firm in europe".split(), "B I O O O O B".split())]  # fmt: skip
TAGS = {"B": 0, "I": 1, "O": 2, "<START>": 3, "<STOP>": 4}
START, STOP = 3, 4


def log_sum_exp(vec):
    top = vec[0, torch.argmax(vec, 1).item()]
    return top + torch.log(torch.sum(torch.exp(vec - top.view(1, -1).expand(1, vec.size()[1]))))


class BiLSTM_CRF(nn.Module):
    def __init__(self, vocab_size, embedding_dim, hidden_dim):
        super().__init__()
        self.word_embeds = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim // 2, num_layers=1, bidirectional=True)
        self.hidden2tag = nn.Linear(hidden_dim, len(TAGS))
        self.transitions = nn.Parameter(torch.randn(len(TAGS), len(TAGS)))

    def features(self, sentence):
        embeds = self.word_embeds(sentence).view(len(sentence), 1, -1)
        return self.hidden2tag(self.lstm(embeds)[0].view(len(sentence), -1))

    def forward_alg(self, feats):
        forward_var = torch.full((1, len(TAGS)), -10000.0)
        forward_var[0][START] = 0.0
        for feat in feats:
            alphas_t = []
            for tag in range(len(TAGS)):
                emit = feat[tag].view(1, -1).expand(1, len(TAGS))
                scores = forward_var + self.transitions[tag].view(1, -1) + emit
                alphas_t.append(log_sum_exp(scores).view(1))
            forward_var = torch.cat(alphas_t).view(1, -1)
        return log_sum_exp(forward_var + self.transitions[STOP])

    def score_sentence(self, feats, tags):
        score = torch.zeros(1)
        tags = torch.cat([torch.tensor([START], dtype=torch.long), tags])
        for i, feat in enumerate(feats):
            score = score + self.transitions[tags[i + 1], tags[i]] + feat[tags[i + 1]]
        return score + self.transitions[STOP, tags[-1]]

    def neg_log_likelihood(self, sentence, tags):
        feats = self.features(sentence)
        return self.forward_alg(feats) - self.score_sentence(feats, tags)


def run(seed):
    rng, ix = np.random.default_rng(seed), {}
    for sentence, _ in DATA:
        for word in sentence:
            ix.setdefault(word, len(ix))
    model = BiLSTM_CRF(len(ix), 5, 4)
    for _, p in sorted(model.named_parameters()):
        p.data.copy_(torch.tensor(rng.normal(0, 0.5, tuple(p.shape))))
    model.transitions.data[START, :] = -10000
    model.transitions.data[:, STOP] = -10000
    optimizer = optim.SGD(model.parameters(), lr=0.05, weight_decay=1e-4)
    losses = []
    for _ in range(6):
        for sentence, tags in DATA:
            model.zero_grad()
            sentence_in = torch.tensor([ix[w] for w in sentence], dtype=torch.long)
            targets = torch.tensor([TAGS[t] for t in tags], dtype=torch.long)
            loss = model.neg_log_likelihood(sentence_in, targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses
