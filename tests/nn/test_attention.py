"""Attention by its formulas, its gradients, its masks; encoder and decoder learn to reverse."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_rnn import Generator, gradcheck, nn, optim, tensor
from tinygrad_rnn.compile import NotCompiled
from tinygrad_rnn.nn.attention import attention_map

S, B, V, Q, T, I = 6, 2, 5, 4, 3, 3
RNG = np.random.default_rng(0)
ENCODED, X = RNG.normal(size=(S, B, V)), RNG.normal(size=(T, B, I))
LENGTHS = [6, 2]
KINDS = {
    "additive": lambda: nn.AdditiveAttention(Q, V, 7, seed=0),
    "general": lambda: nn.GeneralAttention(Q, V, seed=0),
    "dot": lambda: nn.DotAttention(V),
    "scaled": lambda: nn.DotAttention(V, scaled=True),
}


def arrays(attention):
    return {name: p.detach().numpy() for name, p in attention.named_parameters()}


def by_hand(kind, p, q, k):
    """score(q, k) of two vectors."""
    if kind == "additive":
        return p["v.weight"][0] @ np.tanh(p["W.weight"] @ q + p["U.weight"] @ k + p["U.bias"])
    return q @ (p["W.weight"] @ k) if kind == "general" else q @ k / (V**0.5 if "s" in kind else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_and_reading_are_the_formula(kind):
    attention = KINDS[kind]().double()
    query = RNG.normal(size=(B, V if kind in ("dot", "scaled") else Q))
    read, weights = attention(tensor(query), attention.memory(tensor(ENCODED), lengths=LENGTHS))
    for b, n in enumerate(LENGTHS):
        p = arrays(attention)
        scores = np.array([by_hand(kind, p, query[b], k) for k in ENCODED[:n, b]])
        exact = np.exp(scores) / np.exp(scores).sum()
        found, seen = (r.detach().numpy()[b] for r in (weights, read))
        np.testing.assert_allclose(found, [*exact, *[0] * (S - n)], atol=1e-12)
        np.testing.assert_allclose(seen, exact @ ENCODED[:n, b], atol=1e-12)


def decoder(looks="before", feeds=False, kind="additive", cell=nn.GRUCell):
    wide = I + (V if looks == "before" else Q if feeds else 0)
    inner = nn.AttentionCell(cell(wide, Q, seed=0), KINDS[kind](), looks, feeds, seed=1)
    return nn.Recurrent(inner).double()


@pytest.mark.parametrize("cell", [nn.GRUCell, nn.LSTMCell])
@pytest.mark.parametrize(("looks", "feeds"), [("before", False), ("after", False), ("after", True)])
def test_gradients_reach_input_memory_and_parameters(cell, looks, feeds):
    layer = decoder(looks, feeds, cell=cell)
    attend = layer.cells[0][0].attention

    def loss(x, encoded, *_):
        return layer(x, context=attend.memory(encoded, lengths=LENGTHS))[0].sum()

    given = [tensor(a, requires_grad=True) for a in (X, ENCODED)]
    assert gradcheck(loss, [*given, *layer.parameters()], fast_mode=True)


def test_padding_is_never_seen_and_gets_no_gradient():
    layer = decoder()
    encoded = tensor(ENCODED, requires_grad=True)
    memory = layer.cells[0][0].attention.memory(encoded, lengths=LENGTHS)
    traced = layer(tensor(X), context=memory, trace=True)
    traced[0].sum().backward()
    assert not encoded.grad.numpy()[2:, 1].any()
    weights = attention_map(traced)
    assert weights.shape == (T, B, S) and not weights[:, 1, 2:].any()
    np.testing.assert_allclose(weights.sum(-1), 1)


def test_a_step_by_hand_is_the_layers():
    layer = decoder("after", feeds=True)
    cell = layer.cells[0][0]
    memory = cell.attention.memory(tensor(ENCODED))
    output, _ = layer(tensor(X), context=memory)
    state = cell.start(B, tensor(X[0]))
    for t in range(T):
        y, state = cell.step(tensor(X[t]), state, memory)
        np.testing.assert_allclose(y.detach().numpy(), output.detach().numpy()[t])


def test_a_context_must_be_wanted_and_given():
    with pytest.raises(TypeError, match="call it with context="):
        decoder()(tensor(X))
    with pytest.raises(TypeError, match=r"GRU: none of its cells takes a context"):
        nn.GRU(I, Q)(tensor(X).float(), context=1)
    with pytest.raises(ValueError, match=r"\(S, B, V=5\)"):
        nn.DotAttention(V).memory(tensor(ENCODED[..., :3]))


@pytest.mark.parametrize("attention", [False, True])
def test_it_learns_to_reverse(attention):
    source = Generator(seed=1)
    model = nn.Seq2Seq(9, 10, 24, attention=attention, seed=0)
    adam = optim.Adam(model.parameters(), lr=2e-2)
    for _ in range(150):
        x = source.integers(0, 8, (3, 32)).numpy()
        adam.zero_grad()
        loss = model.loss(tensor(x), x[::-1], start=9)
        loss.backward()
        nn.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
    x = source.integers(0, 8, (3, 40)).numpy()
    told = model.greedy(tensor(x), start=9, end=8, max_steps=3)
    right = np.mean([row == x[::-1, k].tolist() for k, row in enumerate(told)])
    assert right > 0.8
    beams = [model.beam(tensor(x[:, k]), start=9, end=8, width=3, max_steps=3) for k in range(9)]
    assert sum(b[0].symbols == x[::-1, k].tolist() for k, b in enumerate(beams)) >= 7


def test_without_a_teacher_it_hears_itself():
    model = nn.Seq2Seq(5, 6, 4, attention=True, seed=0)
    x, given = tensor(np.zeros((3, 2), int)), tensor(np.ones((4, 2), int))
    taught, alone = model(x, given), model(x, given, teacher=0.0)
    said = taught.detach().numpy()[0].argmax(-1)
    np.testing.assert_allclose(alone.detach().numpy()[0], taught.detach().numpy()[0], rtol=1e-5)
    heard = np.stack([np.ones(2, int), said])
    again = model(x, tensor(heard)).detach().numpy()
    np.testing.assert_allclose(alone.detach().numpy()[1], again[1], rtol=1e-5)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("kind", ["additive", "general"])
@pytest.mark.parametrize(("looks", "feeds"), [("before", False), ("after", False), ("after", True)])
def test_a_compiled_decoder_gives_the_same(looks, feeds, kind, lengths):
    found = []
    for backend in (None, "numpy", "auto"):
        layer = decoder(looks, feeds, kind, nn.LSTMCell)
        attend = layer.cells[0][0].attention
        run = layer.compile(backend) if backend else layer
        x, encoded = (tensor(a, requires_grad=True) for a in (X, ENCODED))
        y, _ = run(x, context=attend.memory(encoded, lengths=lengths))
        (y * y).sum().backward()
        assert backend is None or "forward" in run.explain() and run.compiled.notes == []
        grads = [p.grad.numpy() for p in (x, encoded, *layer.parameters())]
        found.append([y.detach().numpy(), *grads])
    for plain, *compiled in zip(*found, strict=True):
        for one in compiled:
            np.testing.assert_allclose(one, plain, atol=1e-13)


def test_a_context_of_other_things_runs_unrolled():
    class Shifted(nn.Cell):
        takes_context = True

        def step(self, x, state, context):
            state = state + x * context["scale"]
            return state, state

    layer = nn.Recurrent(Shifted(I, I)).double()
    context = {"scale": tensor(np.ones((B, 1)) * 2)}
    with pytest.warns(NotCompiled, match="a context of Tensors and tuples"):
        y, _ = layer.compile("numpy")(tensor(X), context=context)
    np.testing.assert_allclose(y.numpy(), 2 * X.cumsum(0))
