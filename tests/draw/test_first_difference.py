"""A difference of two programs marks the first node whose value is not the same."""

from __future__ import annotations

import tinygrad_rnn as tg
from tinygrad_rnn.draw import draw


def program(bias):
    w = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="w")

    def run():
        x = tg.tensor([0.5, 0.25], name="x")
        b = tg.tensor([bias, 0.0], requires_grad=True, name="b")
        y = (x @ w).tanh()
        return (y + b).exp().sum()

    return run


def test_the_first_value_that_differs_is_marked_and_told():
    drawing = draw(program(0.0), view="diff", against=program(1.0))
    marked = [box for box in drawing.scene.boxes if box.mark]
    assert [box.mark for box in marked] == ["≠"] and marked[0].lines[0] == "b"
    assert any("≠ the first value that differs: b" in note for note in drawing.scene.notes)


def test_equal_programs_have_no_mark():
    drawing = draw(program(0.5), view="diff", against=program(0.5))
    assert not [box for box in drawing.scene.boxes if box.mark]
