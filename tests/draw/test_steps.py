"""Steps that nobody named: the turns of a loop are those that the same loop with scopes tells."""

from __future__ import annotations

import time
from contextlib import nullcontext

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.draw import draw
from tinygrad_rnn.draw.transform.fold import fold_sums
from tinygrad_rnn.draw.transform.rolled import rolled_graph

B, I, H, T = 2, 3, 4, 4
XS = [np.random.default_rng(t).normal(size=(B, I)).astype(np.float32) for t in range(T)]


def weight(*shape, name="W"):
    values = np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32) / 2
    return tg.tensor(values, requires_grad=True, name=name)


def zeros():
    return tg.zeros(B, H)


def ten_lines(step):
    w, h, c = weight(I + H, 4 * H), zeros(), zeros()
    for t in range(T):
        with step(t):
            z = tg.cat((tg.tensor(XS[t]), h), -1) @ w
            i, f, o = (tg.sigmoid(z[:, k * H : (k + 1) * H]) for k in range(3))
            c = f * c + i * tg.tanh(z[:, 3 * H :])
            h = o * tg.tanh(c)
    return h.sum()


def sliced_weight(step):
    w, h = weight(I + H, H), zeros()
    for t in range(T):
        with step(t):
            h = tg.tanh(tg.tensor(XS[t]) @ w[:I] + h @ w[I:])
    return h.sum()


def tied_weights(step):
    e, u, h, loss = weight(5, H, name="E"), weight(H, H, name="U"), zeros(), 0.0
    for t in range(T):
        with step(t):
            h = tg.tanh(e[np.full(B, t)] + h @ u)
            loss = loss + (h @ e.T).sum()
    return loss


def lstm_cell(step):
    cell, state = nn.LSTMCell(I, H, seed=0), (zeros(), zeros())
    for t in range(T):
        with step(t):
            state = cell(tg.tensor(XS[t]), state)
    return state[0].sum()


def two_cells(step):
    cells = nn.GRUCell(I, H, seed=0), nn.GRUCell(H, H, seed=1)
    a, b = zeros(), zeros()
    for t in range(T):
        with step(t):
            a = cells[0](tg.tensor(XS[t]), a)
            b = cells[1](a, b)
    return b.sum()


def two_equal_cells(step):
    cells = nn.RNNCell(H, H, seed=0), nn.RNNCell(H, H, seed=1)
    a, b = zeros(), zeros()
    for _t in range(T):
        with step(_t):
            a = cells[0](b, a)
            b = cells[1](a, b)
    return b.sum()


def four_matrices(step):
    ws = [weight(I + H, H, name=f"W{k}") for k in "ifog"]
    h, c = zeros(), zeros()
    for t in range(T):
        with step(t):
            z = tg.cat((tg.tensor(XS[t]), h), -1)
            i, f, o = (tg.sigmoid(z @ w) for w in ws[:3])
            c = f * c + i * tg.tanh(z @ ws[3])
            h = o * tg.tanh(c)
    return (h * h).sum()


def while_with_a_stop(step):
    w, h, t = weight(H, H), tg.ones(B, H), 0
    while t < 6 and float(abs(h.detach().numpy()).sum()) > 0.1:
        with step(t):
            h = tg.tanh(h @ w) * 0.5
        t += 1
    return h.sum()


def pieces(step):
    """Truncated back-propagation: the state is detached between two pieces."""
    w, h, loss = weight(H, H), tg.ones(B, H), 0.0
    for t in range(6):
        with step(t):
            h = tg.tanh(h @ w)
            loss = loss + (h * h).sum()
    return loss


def input_feeding(step):
    w, v, h, y = weight(2 * H, H), weight(H, H, name="V"), zeros(), zeros()
    for t in range(T):
        with step(t):
            h = tg.tanh(tg.cat((h, y), -1) @ w)
            y = tg.softmax(h @ v, -1)
    return (y * y).sum()


def leaky(step):
    w, h = weight(I, H), zeros()
    for t in range(T):
        with step(t):
            h = 0.9 * h + 0.1 * tg.tanh(tg.tensor(XS[t]) @ w)
    return h.sum()


def loss_in_a_list(step):
    w, v, h, losses = weight(I + H, H), weight(H, 2, name="V"), zeros(), []
    for t in range(T):
        with step(t):
            h = tg.tanh(tg.cat((tg.tensor(XS[t]), h), -1) @ w)
            losses.append((h @ v).sum())
    return tg.stack(losses).sum()


def before_and_after(step):
    """What stands before the loop ends like its body, what stands after begins like it."""
    w, v = weight(H, H), weight(H, H, name="V")
    h = tg.tanh(tg.ones(B, H) @ v)
    for t in range(T):
        with step(t):
            h = tg.tanh(h @ w)
    return (h @ v).sum()


LOOPS = [
    ten_lines, sliced_weight, tied_weights, lstm_cell, two_cells, two_equal_cells, four_matrices,
    while_with_a_stop, pieces, input_feeding, leaky, loss_in_a_list, before_and_after,
]  # fmt: skip


@pytest.mark.parametrize("program", LOOPS)
def test_turns_are_the_steps_that_scopes_tell(program):
    bare = draw(lambda: program(lambda t: nullcontext())).graph
    told = draw(lambda: program(lambda t: tg.scope("step", step=t))).graph
    assert len(told.steps()) >= T
    assert [n.op for n in bare.nodes] == [n.op for n in told.nodes]
    both = [(b.op, b.step, t.step) for b, t in zip(bare.nodes, told.nodes) if b.op]
    assert not [one for one in both if one[1] != one[2]]


def equal_layers():
    h = tg.ones(B, H)
    for k in range(4):
        h = tg.tanh(h @ weight(H, H, name=f"W{k}"))
    return h.sum()


def each_by_itself():
    w = weight(I, H)
    return tg.stack([tg.relu(tg.tensor(x) @ w).sum() for x in XS]).sum()


def perceptron():
    model = nn.Sequential(nn.Linear(I, H), nn.Tanh(), nn.Linear(H, H), nn.Tanh(), nn.Linear(H, 1))
    return model(tg.tensor(XS[0])).sum()


def residual():
    h = tg.ones(B, H)
    for k in range(3):
        h = h + tg.relu(h @ weight(H, H, name=f"W{k}"))
    return h.sum()


def tree():
    w = weight(2 * H, H)

    def node(depth):
        if not depth:
            return tg.ones(B, H)
        return tg.tanh(tg.cat((node(depth - 1), node(depth - 1)), -1) @ w)

    return node(3).sum()


@pytest.mark.parametrize("program", [equal_layers, each_by_itself, perceptron, residual, tree])
def test_what_is_not_a_loop_over_time_has_no_steps(program):
    drawing = draw(program)
    assert drawing.graph.steps() == []
    assert "t = 1" not in drawing.svg
    shared = program in (each_by_itself, tree)
    assert any("no loop over time was found" in line for line in drawing.said) == shared


def test_both_directions_written_by_hand_meet_in_their_steps():
    w, v = weight(I + H, H), weight(I + H, H, name="V")
    xs = [tg.tensor(x, name=f"x⟨{t}⟩") for t, x in enumerate(XS, 1)]

    def loss():
        ahead, back, h, g = [], [None] * T, zeros(), zeros()
        for t in range(T):
            h = tg.tanh(tg.cat((xs[t], h), -1) @ w)
            ahead.append(h)
        for t in reversed(range(T)):
            g = back[t] = tg.tanh(tg.cat((xs[t], g), -1) @ v)
        return tg.stack([tg.cat(both, -1).sum() for both in zip(ahead, back)]).sum()

    graph = draw(loss).graph
    steps = {n.name: n.step for n in graph.nodes if n.name and n.name.startswith("x⟨")}
    assert steps == {f"x⟨{t}⟩": t for t in range(1, T + 1)}
    assert [n.step for n in graph.nodes if n.op == "tanh"] == [1, 2, 3, 4, 4, 3, 2, 1]


def test_a_decoder_by_hand_behind_a_layer_counts_by_itself():
    encoder, decoder = nn.GRU(I, H, seed=0), nn.GRUCell(H, H, seed=1)
    xs = tg.tensor(np.stack(XS))

    def loss():
        _, state = encoder(xs)
        h, total = state[0], 0.0
        for _ in range(3):
            h = decoder(h, h)
            total = total + (h * h).sum()
        return total

    graph = draw(loss).graph
    phases = dict.fromkeys(n.place.phase for n in graph.nodes if n.step is not None)
    assert list(phases) == [None, "loop"]
    steps = {phase: {n.step for n in graph.nodes if n.place.phase == phase} for phase in phases}
    assert steps["loop"] == {1, 2, 3} and steps[None] - {None} == {1, 2, 3, 4}


def test_a_sum_of_losses_behind_a_layer_is_no_second_loop():
    layer, w = nn.GRU(I, H, seed=0), weight(H, 2)
    xs = tg.tensor(np.stack(XS))

    def loss():
        outputs, total = layer(xs)[0], 0.0
        for t in range(T):
            total = total + (outputs[t] @ w).sum()
        return total

    assert {n.place.phase for n in draw(loss).graph.nodes} == {None}


def test_a_thousand_turns_are_found_in_time():
    start = time.process_time()
    graph = draw(lambda: long_loop(1000)).graph
    assert len(graph.steps()) == 1000
    assert time.process_time() - start < 10


def long_loop(steps):
    w, h = weight(H, H), tg.ones(1, H)
    for _ in range(steps):
        h = tg.tanh(h @ w + 1)
    return h.sum()


def layer_of(kind, **options):
    layer = kind(I, H, seed=0, **options)
    return lambda: layer(tg.tensor(np.stack(XS), name="x"))[0].sum()


ROLLED = {
    "nn.RNN": (layer_of(nn.RNN), 1),
    "nn.LSTM": (layer_of(nn.LSTM), 2),
    "nn.GRU": (layer_of(nn.GRU), 1),
    "both directions": (layer_of(nn.GRU, bidirectional=True), 2),
    "two layers": (layer_of(nn.LSTM, num_layers=2), 4),
    "ten lines": (lambda: ten_lines(lambda t: nullcontext()), 2),
    "two cells": (lambda: two_cells(lambda t: nullcontext()), 2),
    "input feeding": (lambda: input_feeding(lambda t: nullcontext()), 2),
}


@pytest.mark.parametrize("name", ROLLED)
def test_a_rolled_loop_has_a_delay_per_state_and_none_for_inputs(name):
    program, states = ROLLED[name]
    small, loops = rolled_graph(fold_sums(draw(program).graph))
    delays = {node.id for node in small.nodes if node.op == "delay"}
    assert len(delays) == len(loops) == states
    assert {delay for _, delay in loops} == delays and len({s for s, _ in loops}) == states
    assert all(small.nodes[state].op not in (None, "delay") for state, _ in loops)
    assert not [node for node in small.nodes if node.op == "delay" and node.name == "x"]
    for state, delay in loops:
        assert small.nodes[state].shape == small.nodes[delay].shape
