"""Functions made of primitives, and blocks that repeat, are one box; no two parameters share a
label."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.draw import Graph, draw
from tinygrad_rnn.draw.transform.boxes import to_boxes
from tinygrad_rnn.nn import functional as F

X = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32)


class Block(nn.Module):
    def __init__(self, seed):
        self.norm, self.up = nn.LayerNorm(8), nn.Linear(8, 16, seed=seed)
        self.down = nn.Linear(16, 8, seed=seed + 1)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(self.norm(x))))


class Blocks(nn.Module):
    def __init__(self, many):
        self.blocks, self.head = [Block(2 * k) for k in range(many)], nn.Linear(8, 3, seed=9)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Picture(nn.Module):
    def __init__(self):
        self.conv, self.fc = nn.Conv2d(1, 2, 3, seed=0), nn.Linear(2, 3, seed=1)

    def forward(self, x):
        return self.fc(self.conv(x.reshape(-1, 1, 4, 4)).relu().mean((-1, -2)))


sequence = nn.Sequential(nn.Linear(8, 8, seed=0), nn.ReLU(), nn.Linear(8, 2, seed=1))
lstm = nn.LSTM(8, 8, num_layers=2, seed=0)
first, second = nn.Linear(8, 8, seed=0), nn.Linear(8, 3, seed=1)


def blocks(many):
    model = Blocks(many)
    return lambda: F.cross_entropy(model(tg.tensor(X)), tg.tensor([1, 2]))


def two_models():
    one, two = Blocks(1), Blocks(1)
    return F.mse_loss(one(tg.tensor(X)), two(tg.tensor(X)))


def nameless():
    return (Blocks(1)(tg.tensor(X)) + Blocks(1)(tg.tensor(X))).sum()


MODELS = {
    "blocks": blocks(2), "many blocks": blocks(4), "two models": two_models, "nameless": nameless,
    "of the module": lambda: second(first(tg.tensor(X)).tanh()).sum(),
    "sequential": lambda: sequence(tg.tensor(X)).sum(),
    "convolution": lambda: F.cross_entropy(Picture()(tg.tensor(X)), tg.tensor([1])),
    "two layers": lambda: second(lstm(tg.tensor(X[:, None]))[0]).sum(),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_no_two_parameters_share_a_label(name):
    params = [n.name for n in draw(MODELS[name]).graph.nodes if n.role == "param"]
    assert len(params) >= 2 and len(set(params)) == len(params) and None not in params


def test_chips_say_whose_parameters_they_are():
    def names(name):
        return {n.name for n in draw(MODELS[name]).graph.nodes if n.role == "param"}

    assert {"blocks.0.up.weight", "head.bias"} <= names("blocks")
    assert {"first.weight", "second.bias"} <= names("of the module")
    assert {"one.head.weight", "two.head.weight"} <= names("two models")


def lines(drawing):
    return [line for box in drawing.scene.boxes for line in box.lines]


def test_functions_are_boxes_until_they_are_opened():
    shown = lines(draw(MODELS["blocks"]))
    assert shown.count("linear") == 5 and shown.count("layer_norm") == 2
    assert "cross_entropy" in shown and "log-softmax" not in shown and "√" not in shown
    opened = lines(draw(MODELS["blocks"], view="op"))
    assert "linear" not in opened and "log-softmax" in opened and opened.count("√") == 2
    assert {"conv2d", "linear"} <= set(lines(draw(MODELS["convolution"])))


def test_modules_are_frames():
    frames = [f.label for f in draw(MODELS["blocks"]).scene.frames if f.kind == "gate"]
    assert frames == ["blocks.0", "blocks.1"]


def test_blocks_that_repeat_are_one_box_with_their_number():
    assert "Block ×4" in lines(draw(MODELS["many blocks"]))
    assert not [line for line in lines(draw(MODELS["blocks"])) if "×2" in line]


@pytest.mark.parametrize("name", MODELS)
def test_what_crosses_the_border_of_a_box_keeps_its_gradient(name):
    graph = draw(MODELS[name]).graph
    folded = to_boxes(graph)
    for node, ids in zip(folded.nodes, folded.members or [[n.id] for n in graph.nodes]):
        if len(ids) > 1 and node.op:
            assert node.grad == graph.nodes[max(i for i in ids if graph.nodes[i].op)].grad
    assert Graph.from_json(graph.to_json()).to_json() == graph.to_json()
