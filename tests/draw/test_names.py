"""Names in a picture are those of the drawn code's own lines, in every turn of its loops."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.draw import draw
from tinygrad_rnn.draw.transform.rolled import rolled_graph

B, I, H, T = 2, 3, 4, 4
XS = np.random.default_rng(0).normal(size=(T, B, I)).astype(np.float32)
HAND = """
def loss():
    {h}, c = tg.zeros(B, H), tg.zeros(B, H)
    for x in xs:
        i, f, o = (tg.sigmoid(tg.cat((x, {h}), -1) @ w) for w in (wi, wf, wo))
        g = tg.tanh(tg.cat((x, {h}), -1) @ wg)
        c = f * c + i * g
        {h} = o * tg.tanh(c)
    return ({h} * {h}).sum()
"""
STEP = """
def step(x, {h}, c):
    i, f, o = (tg.sigmoid(tg.cat((x, {h}), -1) @ w) for w in (wi, wf, wo))
    g = tg.tanh(tg.cat((x, {h}), -1) @ wg)
    c = f * c + i * g
    {h} = o * tg.tanh(c)
    return {h}, c

def loss():
    state = tg.zeros(B, H), tg.zeros(B, H)
    for x in xs:
        state = step(x, *state)
    return (state[0] * state[0]).sum()
"""
CELL = """
def loss():
    {h}, c = tg.zeros(B, H), tg.zeros(B, H)
    for x in xs:
        {h}, c = cell(x, ({h}, c))
    return ({h} * {h}).sum()
"""
INDEX = """
def loss():
    {h} = c = tg.zeros(B, H)
    for t in range(T):
        with tg.scope("step", step=t):
            x = tg.tensor(XS[t])
            i, f, o = (tg.sigmoid(tg.cat((x, {h}), -1) @ w) for w in (wi, wf, wo))
            g = tg.tanh(tg.cat((x, {h}), -1) @ wg)
            c = f * c + i * g
            {h} = o * tg.tanh(c)
    last = {h}
    return (last * last).sum()
"""


def program(source):
    """Return the function `loss` of a source, with weights, inputs and a cell about it."""
    random = np.random.default_rng(1)
    known = {"tg": tg, "B": B, "H": H, "T": T, "XS": XS, "xs": tg.tensor(XS)}
    for name in ("wi", "wf", "wo", "wg"):
        known[name] = tg.tensor(random.normal(size=(I + H, H)), requires_grad=True)
    known["cell"] = nn.LSTMCell(I, H, seed=0)
    exec(compile(source, "lesson.py", "exec"), known)
    return known["loss"]


def columns(graph):
    """Return step → the names in its column."""
    return {t: {n.name for n in graph.nodes if n.step == t and n.name} for t in graph.steps()}


@pytest.mark.parametrize("state", ["h", "a", "s1"])
@pytest.mark.parametrize("source", [HAND, STEP, INDEX, CELL])
def test_every_turn_has_the_names_of_the_lines(source, state):
    source = source.format(h=state)
    graph = draw(program(source)).graph
    letters = {state, "c", "x"} | (set() if "cell(" in source else {"i", "f", "g", "o"})
    found = columns(graph)
    assert list(found) == list(range(1, T + 1))
    for t, names in found.items():
        assert {f"{letter}⟨{t}⟩" for letter in letters} <= names
    assert {n.name for n in graph.nodes if n.role == "state"} >= {f"{state}⟨0⟩"}
    small, loops = rolled_graph(graph)
    assert {small.nodes[delay].name for _, delay in loops} == {f"{state}⟨t−1⟩", "c⟨t−1⟩"}


def test_a_state_in_a_tuple_is_called_by_its_place():
    source = CELL.replace("{h}, c =", "state =").replace("({h}, c)", "state")
    found = columns(draw(program(source.replace("{h}", "state[0]"))).graph)
    assert all({f"state[0]⟨{t}⟩", f"state[1]⟨{t}⟩"} <= found[t] for t in range(1, T + 1))


def test_a_function_that_is_called_names_what_it_makes_but_not_what_it_is_given():
    def twice(y):
        doubled = y + y
        return doubled * 1.0

    def loss():
        return twice(tg.tensor([1.0, 2.0], requires_grad=True).exp()).sum()

    names = {n.op: n.name for n in draw(loss).graph.nodes}
    assert names["add"] == "doubled" and names["exp"] is None


def test_what_a_notebook_keeps_of_its_outputs_names_nothing_and_a_lambda_is_no_title():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    y = w.exp()
    _8 = (y * y).sum()
    drawing = draw(_8)
    assert not [n.name for n in drawing.graph.nodes if n.name and n.name.startswith("_")]
    nameless = draw(lambda: (w * w).sum())
    assert not re.search("lambda", nameless.graph.title + nameless.svg)
