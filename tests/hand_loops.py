"""Programs as a student writes them: loops over time, and what is none, each with its steps told.

A program is given `step`: `step(t)` is a scope that tells the step, or nothing.
"""

from __future__ import annotations

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn

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


def chars_in_words(step):
    w, v, h = weight(I + H, H), weight(2 * H, H, name="V"), zeros()
    for t in range(3):
        with step(t):
            c = zeros()
            for k in range(4):
                with step(k):
                    c = tg.tanh(tg.cat((tg.tensor(XS[k] + t), c), -1) @ w)
            h = tg.tanh(tg.cat((h, c), -1) @ v)
    return h.sum()


def uneven_words(step):
    w, v, h = weight(I + H, H), weight(2 * H, H, name="V"), zeros()
    for t, n in enumerate((3, 5, 2)):
        with step(t):
            c = zeros()
            for k in range(n):
                with step(k):
                    c = tg.tanh(tg.cat((tg.tensor(XS[k % 4] + t), c), -1) @ w)
            h = tg.tanh(tg.cat((h, c), -1) @ v)
    return h.sum()


def truncated(step):
    w, h, loss = weight(I + H, H), zeros(), 0.0
    for piece in range(3):
        h = h.detach()
        for t in range(2):
            with step(2 * piece + t):
                h = tg.tanh(tg.cat((tg.tensor(XS[t]), h), -1) @ w)
                loss = loss + (h * h).sum()
    return loss


def tree_lstm(step):
    w = weight(2 * H, 5 * H)

    def node(depth):
        if not depth:
            return tg.ones(B, H), zeros()
        (a, c), (b, d) = node(depth - 1), node(depth - 1)
        z = tg.cat((a, b), -1) @ w
        i, f, g, o, u = (z[:, k * H : (k + 1) * H] for k in range(5))
        c = tg.sigmoid(i) * tg.tanh(u) + tg.sigmoid(f) * c + tg.sigmoid(g) * d
        return tg.sigmoid(o) * tg.tanh(c), c

    return node(3)[0].sum()


def transformer(step, layers=2):
    x = tg.tensor(np.random.default_rng(0).normal(size=(B, 5, H)).astype(np.float32))
    for n in range(layers):
        q, k, v, o, up, down = (
            weight(H, H, name=f"{a}{n}") for a in ("Wq", "Wk", "Wv", "Wo", "U", "D")
        )
        s = tg.softmax((x @ q) @ (x @ k).transpose(0, 2, 1) * 0.5, -1)
        x = x + (s @ (x @ v)) @ o
        x = x + tg.relu(x @ up) @ down
    return x.sum()


def gru_comprehension(step):
    cell, state = nn.GRUCell(I, H, seed=0), [zeros()]

    def turn(t):
        with step(t):
            state.append(cell(tg.tensor(XS[t]), state[-1]))
            return state[-1]

    hs = [turn(t) for t in range(T)]
    return tg.stack(hs).sum()


def gru_walrus(step):
    cell, h = nn.GRUCell(I, H, seed=0), zeros()
    hs = [h := cell(tg.tensor(XS[t]), h) for t in range(T)]
    return tg.stack(hs).sum()


def attention_decoder(step):
    enc = tg.tensor(np.random.default_rng(0).normal(size=(B, 5, H)).astype(np.float32))
    w, h = weight(2 * H, H), zeros()
    for t in range(T):
        with step(t):
            a = tg.softmax((enc @ h.reshape(B, H, 1)).reshape(B, 5), -1)
            ctx = (a.reshape(B, 1, 5) @ enc).reshape(B, H)
            h = tg.tanh(tg.cat((ctx, h), -1) @ w)
    return h.sum()


def norm_momentum(step):
    w, v, m = weight(I, H), weight(H, H, name="V"), zeros()
    h = zeros()
    for t in range(T):
        with step(t):
            m = 0.9 * m + tg.tensor(XS[t]) @ w
            h = tg.tanh(h @ v + m)
    return (h * m).sum()


def deep_unequal(step):
    x = tg.tensor(XS[0])
    for n in range(4):
        x = tg.relu(x @ weight(x.shape[-1], x.shape[-1] + 1, name=f"W{n}"))
    return x.sum()


def ode(step):
    w, h = weight(H, H), tg.ones(B, H)
    for t in range(6):
        with step(t):
            h = h + 0.1 * tg.tanh(h @ w)
    return h.sum()


def two_loops(step):
    w, v, h = weight(H, H), weight(H, H, name="V"), tg.ones(B, H)
    for t in range(3):
        with step(t):
            h = tg.tanh(h @ w)
    for t in range(4):
        with step(t):
            h = tg.sigmoid(h @ v)
    return h.sum()


def teacher(step):
    e, w, v, h, loss = (
        weight(5, H, name="E"),
        weight(2 * H, H),
        weight(H, 5, name="V"),
        zeros(),
        0.0,
    )
    for t in range(T):
        with step(t):
            h = tg.tanh(tg.cat((e[np.full(B, t)], h), -1) @ w)
            loss = loss + tg.cross_entropy(h @ v, tg.tensor(np.full(B, (t + 1) % 5)))
    return loss / T


def masked(step):
    w, h = weight(I + H, H), zeros()
    for t in range(T):
        with step(t):
            new = tg.tanh(tg.cat((tg.tensor(XS[t]), h), -1) @ w)
            m = float(t < 3)
            h = m * new + (1 - m) * h
    return h.sum()


def first_special(step):
    w, u, h, loss = weight(I, H), weight(H, H, name="U"), None, 0.0
    for t in range(T):
        with step(t):
            z = tg.tensor(XS[t]) @ w
            h = tg.tanh(z if h is None else z + h @ u)
            loss = loss + h.sum()
    return loss


def layer_then_loop(step):
    encoder, decoder = nn.GRU(I, H, seed=0), nn.GRUCell(H, H, seed=1)
    _, state = encoder(tg.tensor(np.stack(XS)))
    h, total = state[0], 0.0
    for t in range(3):
        with step(t):
            h = decoder(h, h)
            total = total + (h * h).sum()
    return total


def every_other(step):
    """loss only every other turn"""
    w, h, loss = weight(I + H, H), zeros(), 0.0
    for t in range(T):
        with step(t):
            h = tg.tanh(tg.cat((tg.tensor(XS[t]), h), -1) @ w)
            if t % 2:
                loss = loss + (h * h).sum()
    return loss


def bidirectional(step):
    w, v = weight(I + H, H), weight(I + H, H, name="V")
    xs = [tg.tensor(x, name=f"x⟨{t}⟩") for t, x in enumerate(XS, 1)]
    ahead, back, h, g = [], [None] * T, zeros(), zeros()
    for t in range(T):
        with step(t):
            h = tg.tanh(tg.cat((xs[t], h), -1) @ w)
            ahead.append(h)
    for t in reversed(range(T)):
        with step(t):
            g = back[t] = tg.tanh(tg.cat((xs[t], g), -1) @ v)
    return tg.stack([tg.cat(both, -1).sum() for both in zip(ahead, back)]).sum()


def beam(step):
    "two independent sequences with the same weights"
    w, out = weight(I + H, H), []
    for s in range(2):
        h = zeros()
        for t in range(T):
            with step(t):
                h = tg.tanh(tg.cat((tg.tensor(XS[t] + s), h), -1) @ w)
        out.append(h)
    return (out[0] - out[1]).sum()


def stepwise_layers(step):
    cells = [nn.RNNCell(H, H, seed=k) for k in range(3)]
    hs = [zeros() for _ in cells]
    for t in range(T):
        with step(t):
            x = tg.ones(B, H)
            for k, c in enumerate(cells):
                hs[k] = x = c(x, hs[k])
    return x.sum()


def grad_descent(step):
    "unrolled optimisation"
    A, x = weight(H, H), tg.ones(B, H)
    for t in range(T):
        with step(t):
            x = x - 0.1 * ((x @ A) @ A.T)
    return (x * x).sum()


def equal_layers(step):
    h = tg.ones(B, H)
    for k in range(4):
        h = tg.tanh(h @ weight(H, H, name=f"W{k}"))
    return h.sum()


def each_by_itself(step):
    w = weight(I, H)
    return tg.stack([tg.relu(tg.tensor(x) @ w).sum() for x in XS]).sum()


def perceptron(step):
    model = nn.Sequential(nn.Linear(I, H), nn.Tanh(), nn.Linear(H, H), nn.Tanh(), nn.Linear(H, 1))
    return model(tg.tensor(XS[0])).sum()


def residual(step):
    h = tg.ones(B, H)
    for k in range(3):
        h = h + tg.relu(h @ weight(H, H, name=f"W{k}"))
    return h.sum()


def tree(step):
    w = weight(2 * H, H)

    def node(depth):
        if not depth:
            return tg.ones(B, H)
        return tg.tanh(tg.cat((node(depth - 1), node(depth - 1)), -1) @ w)

    return node(3).sum()


def layer_in_words(step):
    """A layer of the library reads the characters of each word."""
    layer, v, h = nn.RNN(I, H, seed=0), weight(2 * H, H, name="V"), zeros()
    for t in range(3):
        with step(t):
            c = layer(tg.tensor(np.stack(XS[:3]) + t))[1][0]
            h = tg.tanh(tg.cat((h, c), -1) @ v)
    return h.sum()


def recursion_in_time(step):
    w = weight(I + H, H)

    def turn(t, h):
        if t == T:
            return h
        with step(t):
            h = tg.tanh(tg.cat((tg.tensor(XS[t]), h), -1) @ w)
        return turn(t + 1, h)

    return turn(0, zeros()).sum()


def reduced(step):
    import functools

    w = weight(I + H, H)

    def turn(h, t):
        with step(t):
            return tg.tanh(tg.cat((tg.tensor(XS[t]), h), -1) @ w)

    return functools.reduce(turn, range(T), zeros()).sum()


def generator(step):
    w = weight(I + H, H)

    def hidden():
        h = zeros()
        for t in range(T):
            with step(t):
                h = tg.tanh(tg.cat((tg.tensor(XS[t]), h), -1) @ w)
            yield h

    return tg.stack(list(hidden())).sum()


LOOPS = [
    ten_lines, sliced_weight, tied_weights, lstm_cell, two_cells, two_equal_cells, four_matrices,
    while_with_a_stop, pieces, truncated, input_feeding, leaky, loss_in_a_list, before_and_after,
    gru_comprehension, gru_walrus, attention_decoder, norm_momentum, ode, two_loops, teacher,
    masked, first_special, layer_then_loop, every_other, bidirectional, beam, stepwise_layers,
    grad_descent, recursion_in_time, reduced, generator, chars_in_words, uneven_words,
    layer_in_words,
]  # fmt: skip
NESTED = [chars_in_words, uneven_words, layer_in_words]
NO_LOOPS = [
    equal_layers, each_by_itself, perceptron, residual, tree, tree_lstm, transformer, deep_unequal,
]  # fmt: skip
