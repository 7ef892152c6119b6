"""Each reference passes its own check, each known mistake is named, and none is named wrongly."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tinygrad_rnn import tensor
from tinygrad_rnn.exercises import check, exercises, hint, question
from tinygrad_rnn.exercises.checking import Trial, Verdict, _computed, _same

ALL = exercises()
BANK = [(number, m) for number, e in ALL.items() for m in e.mistakes]
# Wrong answers that no exercise lists, and the name they must get; None: "it differs at …".
UNLISTED = [
    ("01.2", lambda y, g: -g * (1 - y * y), "wrong sign"),
    ("01.2", lambda y, g: 2 * g * (1 - y * y), "wrong factor"),
    ("01.2", lambda y, g: g * (1 + y * y), None),
    ("02.1", lambda A, B, G: (-(G @ B.T), -(A.T @ G)), "wrong sign"),
    ("02.1", lambda A, B, G: G @ B.T, None),
    ("02.3", lambda G, shape: -ALL["02.3"].reference(G, shape), "wrong sign"),
    ("02.4", lambda z, y: ALL["02.4"].reference(z, y) * len(z) * 3, None),
    ("03.1", lambda W_aa, W_ax, b, a, x: np.tanh(a @ W_aa.T + x @ W_ax.T - b), None),
    ("03.2", lambda W_aa, W_ax: np.concatenate([W_aa.T, W_ax], 1), None),
    ("04.1", lambda *a: -ALL["04.1"].reference(*a), "wrong sign"),
    ("04.1", lambda *a: ALL["04.1"].reference(*a) / 3, "mean for sum"),
    ("04.1", lambda *a: ALL["04.1"].reference(*a).T, "transposed"),
    ("07.3", lambda W, g, lam: g + 3 * lam * W, None),
    ("08.2", lambda A, Y, lam: ALL["08.2"].reference(A, Y, 2 * lam), None),
    ("10.1", lambda W, b, a, c, x: ALL["10.1"].reference(W, b, a, c, x)[0], None),
    ("12.1", lambda f, b, xs: ALL["12.1"].reference(f, b, xs).T, "transposed"),
    ("13.1", lambda log_p, tokens: 0.0, None),
    ("13.3", lambda logits, tau: ALL["13.3"].reference(logits, tau) * 2, "wrong factor"),
    ("16.2", lambda y, text: 1.0, None),
]


@pytest.mark.parametrize("student", ["", "ada", "emmy"])
@pytest.mark.parametrize("number", ALL)
def test_the_reference_is_right(number, student):
    assert check(number, ALL[number].reference, student=student, quiet=True).right


@pytest.mark.parametrize(("number", "mistake"), BANK, ids=lambda v: getattr(v, "name", v))
def test_a_known_mistake_is_named(number, mistake):
    for student in ("", "ada"):
        verdict = check(number, mistake.wrong, student=student, quiet=True)
        assert verdict.mistake == mistake.name, verdict.message
        assert verdict.message.startswith(f"{number}: not yet.")


@pytest.mark.parametrize("number", ALL)
def test_no_mistake_is_entered_twice(number):
    """A mistake may have several forms; they give different results."""
    trial = Trial(ALL[number].inputs(np.random.default_rng(5)), None, None)
    for one, other in combinations(ALL[number].mistakes, 2):
        same = _same(_computed(one, trial), _computed(other, trial), 1e-9)
        assert one.name != other.name or not same, one.name


@pytest.mark.parametrize(("number", "answer", "name"), UNLISTED)
def test_an_unlisted_mistake_is_named_right_or_not_at_all(number, answer, name):
    verdict = check(number, answer, quiet=True)
    assert not verdict and verdict.mistake == name, verdict.message


def test_the_bank_is_large_and_every_chapter_has_exercises():
    assert len(BANK) >= 120
    chapters = {number.split(".")[0] for number in ALL}
    assert chapters == {f"{k:02d}" for k in range(1, 18)}
    assert all(len([n for n in ALL if n.startswith(c)]) >= 2 for c in chapters)


@pytest.mark.parametrize("number", ALL)
def test_an_empty_answer_is_not_right(number):
    for empty in (lambda *args: None, lambda *args: ..., lambda: None):
        if ALL[number].inputs(np.random.default_rng(0)) or empty() is None:
            assert not check(number, empty, quiet=True)


def test_a_changed_argument_and_an_error_are_told(capsys):
    def changes(y, g):
        g *= 1 - y * y
        return g

    assert check("01.2", changes).mistake == "mutated argument"
    assert "changed its arguments" in capsys.readouterr().out
    raised = check("02.1", lambda A, B, G: (G @ B, A @ G), quiet=True)
    assert raised.mistake == "raises" and "ValueError on inputs of shapes" in raised.message


def test_tensors_and_lists_are_answers_too():
    assert check("01.2", lambda y, g: tensor(g) * (1 - tensor(y) ** 2), quiet=True)
    assert check("01.1", lambda a, b, g: [g * b, g * a], quiet=True)
    assert check("09.2", (0.0, 1.0), quiet=True)  # a value, where nothing is given


def test_each_student_has_inputs_of_their_own():
    seen = []
    for student in ("", "ada", "emmy"):
        check("01.2", lambda y, g: seen.append(y.tobytes()), student=student, quiet=True)
    assert len(set(seen)) == 3


def test_hints_come_one_by_one_and_the_solution_never():
    first, second, third = hint("04.1"), hint("04.1"), hint("04.1")
    assert first != second != third and hint("04.1") == third
    assert question("04.1").startswith("04.1  BPTT by hand")
    with pytest.raises(KeyError, match=r"there is no exercise '99.9'"):
        check("99.9", None)


def test_a_verdict_is_true_or_false_and_reads_as_its_message():
    verdict = Verdict(False, "x", "told")
    assert not verdict and repr(verdict) == "told"
