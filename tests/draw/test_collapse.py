"""Folding by name: what a reader names becomes one box, and unfolded it is what it was."""

from __future__ import annotations

import math
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.draw import DrawError, draw
from tinygrad_rnn.draw.capture.models import Sizes
from tinygrad_rnn.draw.capture.sources import of_cell
from tinygrad_rnn.draw.transform.collapse import collapse
from tinygrad_rnn.draw.transform.fold import fold, unfold
from tinygrad_rnn.nn import functional as F

encoder, head = nn.GRU(3, 4, seed=0), nn.Linear(4, 3, seed=1)


def translated():
    """A GRU that reads, and a loop that writes; both call functions of the library."""
    with tg.scope("encoder"):
        state = encoder(tg.ones(2, 1, 3))[1]
        start = F.layer_norm(state[0], 4)
    total = tg.tensor(0.0)
    for t in range(3):
        with tg.scope("decoder", step=t):
            start = F.layer_norm(start, 4)
            total = total + F.cross_entropy(head(start), tg.tensor([1]))
    return total


GRAPHS = {
    "lstm": of_cell("lstm", Sizes(steps=3))[0],
    "brnn": of_cell("brnn", Sizes(steps=3))[0],
    "translated": draw(translated).graph,
}


def ops(graph):
    return [node.op for node in graph.nodes]


def test_a_name_inside_another_folds_there_alone():
    graph = GRAPHS["translated"]
    every = ops(collapse(graph, "layer_norm")).count("layer_norm")
    assert every == 4
    assert ops(collapse(graph, "layer_norm in decoder")).count("layer_norm") == 3
    assert ops(collapse(graph, "layer_norm in encoder")).count("layer_norm") == 1
    assert ops(collapse(graph, "Linear in dec*")).count("Linear") == 3


def test_over_time_is_one_box_with_the_number_of_steps():
    folded = collapse(GRAPHS["lstm"], "lstm over t")
    assert ops(folded).count("lstm ×3") == 1 and "tanh" not in ops(folded)
    assert ops(collapse(GRAPHS["lstm"], "lstm")).count("lstm") == 3


def test_what_fits_nothing_is_told_with_what_there_is():
    with pytest.raises(DrawError, match="Did you mean 'layer_norm'"):
        draw(GRAPHS["translated"], collapse=("layer_nrom",)).svg
    with pytest.raises(DrawError, match="over t"):
        collapse(GRAPHS["lstm"], "lstm over weeks")


def border(graph, home):
    """Return (source, group) → root of the sum of squares of the gradients that cross there."""
    sums = defaultdict(float)
    for parent, slot, child in graph.edges():
        norm = graph.edge_grad(child.id, slot)
        if norm is not None and home[parent.id] != home[child.id]:
            sums[home[parent.id], home[child.id]] += norm**2
    return {pair: math.sqrt(total) for pair, total in sums.items()}


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(GRAPHS)), st.data())
def test_unfolding_gives_the_same_bytes_and_borders_keep_their_gradients(name, data):
    graph = GRAPHS[name]
    before = graph.to_json()
    operations = [node.id for node in graph.nodes if node.op]
    groups = data.draw(st.dictionaries(st.sampled_from(operations), st.sampled_from("abcde")))
    folded = fold(graph, dict(groups))
    assert sorted(i for ids in folded.members for i in ids) == list(range(len(graph)))
    home = {i: node for node, ids in enumerate(folded.members) for i in ids}
    crossing, found = border(graph, home), border(folded, range(len(folded)))
    assert crossing.keys() == found.keys()
    for pair, norm in crossing.items():
        assert found[pair] == pytest.approx(norm, rel=1e-9)
    again = unfold(folded)
    assert again is graph and again.to_json() == before
