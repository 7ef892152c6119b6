"""`module.compile()` compiles every recurrent layer inside; the module stays the same object."""

from __future__ import annotations

import copy

import numpy as np

from tinygrad_rnn import nn, tensor
from tinygrad_rnn.compile.layer import CompiledScan


class Net(nn.Module):
    def __init__(self) -> None:
        self.rows = nn.ModuleList([nn.GRU(3, 4, 2, seed=0), nn.LSTM(4, 5, seed=1)])
        self.last = {"tag": nn.RNN(5, 2, bidirectional=True, seed=2)}

    def forward(self, x):
        for layer in (*self.rows, self.last["tag"]):
            x = layer(x)[0]
        return x


def test_all_layers_inside_are_compiled_and_nothing_else_changes():
    plain, net = Net(), Net()
    assert net.compile("numpy") is net
    x = tensor(np.random.default_rng(0).standard_normal((6, 2, 3)).astype("f4"))
    for run in (net, copy.deepcopy(net)):
        loops = [layer.loop for layer in (*run.rows, run.last["tag"])]
        assert all(type(loop) is CompiledScan for loop in loops)
        assert len(set(map(id, loops))) == 3  # each with kernels of its own
        np.testing.assert_allclose(run(x).detach().numpy(), plain(x).detach().numpy(), atol=1e-6)
        assert list(run.state_dict()) == list(plain.state_dict())
    for module in (plain, net):
        module(x).sum().backward()
    for p, q in zip(plain.parameters(), net.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), atol=1e-5)
