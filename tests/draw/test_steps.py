"""Steps that nobody named: the turns of a loop are those that the same loop with scopes tells."""

from __future__ import annotations

import time
from contextlib import nullcontext

import numpy as np
import pytest
from hand_loops import (
    LOOPS,
    NESTED,
    NO_LOOPS,
    XS,
    H,
    I,
    T,
    input_feeding,
    ten_lines,
    two_cells,
    weight,
    zeros,
)

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.draw import draw
from tinygrad_rnn.draw.transform.fold import fold_sums
from tinygrad_rnn.draw.transform.rolled import AFTER, rolled_graph


@pytest.mark.parametrize("program", LOOPS)
def test_turns_are_the_steps_that_scopes_tell(program):
    bare = draw(lambda: program(lambda t: nullcontext())).graph
    told = draw(lambda: program(lambda t: tg.scope("step", step=t))).graph
    assert len(told.steps()) >= 3
    assert [n.op for n in bare.nodes] == [n.op for n in told.nodes]
    both = [(b.op, when(b), when(t)) for b, t in zip(bare.nodes, told.nodes) if b.op]
    assert not [one for one in both if one[1] != one[2]]


def when(node):
    return node.step, node.labels.get("turn")


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("program", NESTED)
def test_a_loop_inside_a_turn_counts_its_own_turns(program, told):
    """With scopes the inner ones win: the first characters of all words would be one step."""
    drawing = draw(lambda: program(lambda t: tg.scope("step", step=t) if told else nullcontext()))
    words = {"chars_in_words": (4, 4, 4), "uneven_words": (3, 5, 2), "layer_in_words": (3, 3, 3)}
    made = {when(n) for n in drawing.graph.nodes if n.op == "tanh"}
    inner = [(w, c) for w, n in enumerate(words[program.__name__], 1) for c in range(1, n + 1)]
    assert made >= {*inner, (1, None), (2, None), (3, None)}
    assert all(f">turn {c}" in drawing.svg for c in range(1, max(words[program.__name__])))
    names = {n.name for n in drawing.graph.nodes}
    assert program.__name__ == "layer_in_words" or names >= {f"c⟨{w}.{c}⟩" for w, c in inner}


@pytest.mark.parametrize("program", NO_LOOPS)
def test_what_is_not_a_loop_over_time_has_no_steps(program):
    drawing = draw(lambda: program(None))
    assert drawing.graph.steps() == []
    assert "t = 1" not in drawing.svg
    shared = program.__name__ in ("each_by_itself", "tree", "tree_lstm")
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


def shape_hashes(graph, leaf):
    """Return for each node what it is made of, down to the leaves."""
    made = []
    for node in graph.nodes:
        parents = tuple(None if p is None else made[p] for p in node.parents)
        made.append(hash((node.op, parents)) if node.op else leaf(node))
    return made


def stem(node):
    """Return what a leaf is, without its step and how often it is used."""
    name = (node.name or "").partition("⟨")[0].partition(" ×")[0]
    return hash((node.role == "param", name, node.shape))


def in_one_way(node):
    """Tell operations of the recurrence from what joins directions and from the loss."""
    joins = node.op == "concatenate" and node.place.layer is not None and node.place.cell is None
    return node.op and node.role != "loss" and not joins


def unrolled_again(small, loops, turns):
    """Return the hashes of all operations of a rolled graph that is run again and again."""
    held = {delay: stem(small.nodes[delay]) for _, delay in loops}
    every = []
    for _ in range(turns):
        made = []
        for node in small.nodes:
            parents = tuple(None if p is None else made[p] for p in node.parents)
            known = held.get(node.id)
            made.append(known or (hash((node.op, parents)) if node.op else stem(node)))
        turn = [n.id for n in small.nodes if n.place.phase != AFTER and n.id not in held]
        every += [made[i] for i in turn if in_one_way(small.nodes[i])]
        held = {delay: made[state] for state, delay in loops}
    return sorted(every)


@pytest.mark.parametrize("name", ["nn.LSTM", "nn.GRU", "both directions", "ten lines"])
def test_a_rolled_graph_run_again_and_again_is_the_graph(name):
    graph = fold_sums(draw(ROLLED[name][0]).graph)
    small, loops = rolled_graph(graph)
    read = [child for child in small.nodes for p in child.parents if p in dict(loops).values()]
    assert read and all(not small.nodes[delay].parents for _, delay in loops)
    whole = shape_hashes(graph, stem)
    inside = [n for n in graph.nodes if in_one_way(n) and n.step is not None]
    assert unrolled_again(small, loops, T) == sorted(whole[n.id] for n in inside)
