"""Numbers are part of the graph: two programs that differ in one constant differ in every format,
however their graph was made."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.compile import compile
from tinygrad_rnn.draw import Graph, draw
from tinygrad_rnn.draw.labels import UNKNOWN
from tinygrad_rnn.draw.transform.collapse import collapse
from tinygrad_rnn.draw.transform.diff import union
from tinygrad_rnn.engine.primitive import PRIMITIVES, apply_primitive

ONE, OTHER = 0.5, 0.75
MORE = {  # numbers that stand among the options, or are no Python numbers
    "clamp low": lambda x, k: tg.clamp(x, min=k), "clamp high": lambda x, k: tg.clamp(x, max=k),
    "mean": lambda x, k: x[: int(4 * k)].mean(0, keepdim=True),
    "place": lambda x, k: x[int(4 * k) - 2], "1 − x": lambda x, k: k - x,
    "x ** k": lambda x, k: x**k, "of NumPy": lambda x, k: x + np.float32(k),
    "round": lambda x, k: tg.round(x, decimals=int(8 * k)),
    "an array of one": lambda x, k: x + np.array([k]),
}  # fmt: skip


def with_number(name, slot):
    """Return (x, k) ↦ the primitive with k in one slot and x in all others."""
    op = PRIMITIVES[name]
    letters = [n for n in op.signature.parameters if len(n) == 1]

    def call(x, k):
        others = {"c": x > 0.5} if name == "where" else {}
        return apply_primitive(op, tuple(k if n == slot else others.get(n, x) for n in letters), {})

    return call


def takers():
    """Return the primitives and slots that take a number beside a Tensor."""
    found = {}
    for name, op in PRIMITIVES.items():
        inputs = [
            n for n, p in op.signature.parameters.items() if p.kind == p.POSITIONAL_OR_KEYWORD
        ]
        for slot in inputs if len(inputs) > 1 else ():
            call = with_number(name, slot)
            try:
                call(x(), ONE)
            except (TypeError, ValueError):
                continue
            found[f"{name} {slot}"] = call
    return found


def x():
    return tg.tensor([0.25, 0.5, 0.7], requires_grad=True, name="x")


CALLS = takers() | MORE


def loss_of(name, k):
    return (CALLS[name](x(), k) * 2.0).sum()


def traced(name, k):
    return draw(lambda: loss_of(name, k))


def untraced(name, k):
    return draw(loss_of(name, k))


def walked(name, k):
    loss = loss_of(name, k)
    loss.backward(record="norm")
    return draw(loss)


def read_again(name, k):
    return draw(Graph.from_json(traced(name, k).json))


def assert_told_apart(one, other):
    for format in ("svg", "dot", "json", "txt", "html"):
        assert one.encoded(format) != other.encoded(format), format
    assert "changed" in union(one.graph, other.graph)[1].values()


def test_all_primitives_with_a_number_are_here():
    two = {
        n for n, op in PRIMITIVES.items() if sum(len(p) == 1 for p in op.signature.parameters) > 1
    }
    assert two - {name.partition(" ")[0] for name in CALLS} == {"matmul"}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("way", [traced, untraced, walked, read_again])
def test_graphs_that_differ_in_one_constant_differ_in_every_format(name, way):
    if way in (untraced, walked) and not loss_of(name, ONE).requires_grad:
        return  # what no gradient passes is only recorded while it is drawn
    one = way(name, ONE)
    assert_told_apart(one, way(name, OTHER))
    assert way(name, ONE).json == one.json
    assert UNKNOWN not in one.svg and UNKNOWN not in one.text


def test_a_constant_inside_a_folded_box_is_told():
    def drawing(k):
        def mine():
            with tg.scope("norm"):
                y = (x() - k).tanh()
            return y.sum()

        return draw(collapse(draw(mine).graph, "norm"))

    assert_told_apart(drawing(ONE), drawing(OTHER))


def test_numbers_survive_compilation():
    def drawing(rate):
        class Leaky(nn.RNNCell):
            def step(self, x, state):
                y, new = super().step(x, state)
                return y * rate, new * rate

        layer = compile(nn.Recurrent(Leaky(3, 2, seed=0)), backend="numpy")
        layer(tg.ones(2, 1, 3))
        return draw(layer)

    one, other = drawing(ONE), drawing(OTHER)
    for format in ("svg", "dot", "json", "txt"):
        assert one.encoded(format) != other.encoded(format)


def test_big_arrays_are_not_kept_for_pictures():
    y = x() + np.ones((1000, 3))
    assert all(getattr(a, "size", 0) <= 3 for a in y.node.saved)
