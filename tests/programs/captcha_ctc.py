"""Digits in an image strip: convolution, bidirectional GRU, CTC (as captcha readers do)."""

import numpy as np

import tinygrad_rnn as torch
from tinygrad_rnn import nn, optim


class CaptchaModel(nn.Module):
    def __init__(self, num_chars):
        super().__init__()
        self.conv_1 = nn.Conv2d(1, 6, kernel_size=(3, 3), padding=(1, 1))
        self.pool_1 = nn.MaxPool2d(kernel_size=(2, 2))
        self.conv_2 = nn.Conv2d(6, 8, kernel_size=3, padding=1)
        self.linear_1 = nn.Linear(32, 16)
        self.drop_1 = nn.Dropout(0.0)
        self.lstm = nn.GRU(16, 8, bidirectional=True, num_layers=1, batch_first=True)
        self.output = nn.Linear(16, num_chars + 1)

    def forward(self, images):
        bs = images.size(0)
        x = self.pool_1(torch.relu(self.conv_1(images)))
        x = nn.functional.relu(self.conv_2(x))
        x = x.permute(0, 3, 1, 2)
        x = x.reshape(bs, x.size(1), -1)
        x = self.drop_1(nn.functional.relu(self.linear_1(x)))
        x, _ = self.lstm(x)
        return self.output(x).permute(1, 0, 2)


def run(seed):
    rng = np.random.default_rng(seed)
    glyphs = rng.uniform(0, 1, (4, 8, 6))
    labels = rng.integers(0, 4, (8, 3))
    images = np.zeros((8, 1, 8, 24), np.float32)
    for b, row in enumerate(labels):
        for k, digit in enumerate(row):
            images[b, 0, :, 1 + 8 * k : 7 + 8 * k] = glyphs[digit]
    images, targets = torch.tensor(images), torch.tensor(labels + 1, dtype=torch.int32)
    model = CaptchaModel(4)
    for _, p in sorted(model.named_parameters()):
        p.data.copy_(torch.tensor(rng.uniform(-0.3, 0.3, tuple(p.shape))))
    optimizer = optim.Adam(model.parameters(), lr=3e-2)
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.8, patience=5)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        log_probs = nn.functional.log_softmax(model(images), 2)
        input_lengths = torch.full(size=(8,), fill_value=log_probs.size(0), dtype=torch.int32)
        target_lengths = torch.full(size=(8,), fill_value=3, dtype=torch.int32)
        loss = nn.CTCLoss(blank=0)(log_probs, targets, input_lengths, target_lengths)
        loss.backward()
        optimizer.step()
        scheduler.step(loss.item())
        losses.append(loss.item())
    return losses
