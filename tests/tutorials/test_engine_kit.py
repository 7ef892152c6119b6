"""The kit finds every planted fault by its name, passes a right engine, and says true things."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.tutorials.engine_zoo import FAULTS, HEALTHY, engine, planted

TOOLS = Path(__file__).parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from engine_kit.adapters import Engine, load  # noqa: E402
from engine_kit.cases import CASES  # noqa: E402
from engine_kit.grading import REFERENCE, Report, failures, grade  # noqa: E402
from engine_kit.habits import HABITS  # noqa: E402
from engine_kit.programs import Program  # noqa: E402
from engine_kit.random_programs import random_case, smallest  # noqa: E402

COURSE = TOOLS.parent / "tutorials" / "engine"
NAMES = {one.name for one in [*CASES, *HABITS]}
SUMS = {"a gated cell", "a shared part of two graphs", "an input that is not used"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[0])
def test_a_planted_fault_is_found_and_named_first(fault):
    name, *places = fault
    if "np.asarray(x, float)" in places and np.__version__.startswith("1."):
        pytest.skip("no fault in NumPy 1: beside a float32 array a 0-d float64 takes its dtype")
    first = next(failures(Engine(engine(planted(*places))), Report()), None)
    assert first is not None and first.name == name, first and first.text


def test_every_name_that_the_kit_gives_has_a_planted_fault():
    assert {fault[0] for fault in FAULTS} == NAMES - SUMS and len(FAULTS) >= 65


def test_a_right_engine_of_a_hundred_lines_passes_whole():
    report = grade(Engine(engine(HEALTHY)))
    assert not report.wrong and not report.lacking, report.text
    engine_alone = HEALTHY.partition("def run(")[0]  # without step 8 of the course
    assert len([s for s in engine_alone.splitlines() if s.strip() and '"""' not in s]) <= 105


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
def test_the_reference_has_the_slopes_of_differences(one):
    value = lambda arrays: float(REFERENCE.run(one.program, arrays)[0])
    _, slopes = REFERENCE.run(one.program, one.inputs)
    if one.name == "max of equal entries":  # there is no slope: its shares sum to 1
        assert slopes[0].sum() == 1
        return
    for k, slope in enumerate(slopes):
        for at in np.ndindex(slope.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [a.copy() for a in one.inputs]
                moved[k][at] += step
                ends.append(value(moved))
            assert slope[at] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-5)


def test_a_fault_that_no_case_shows_is_found_by_chance_and_made_small():
    rule = "(g * y,))\n\n    def log", "(g * y * (y < 6),))\n\n    def log"
    (failure,) = grade(Engine(engine(planted(*rule)))).wrong
    assert failure.name == "random programs" and failure.program.ops - {"sum"} == {"exp"}


def test_the_smallest_program_keeps_only_what_fails():
    program, inputs = random_case(3)
    small, values = smallest(program, inputs, lambda p, _: "mul" in p.ops)
    assert small.ops - {"sum"} == {"mul"} and len(values) == len(small.inputs) <= 2


def test_a_failure_is_drawn():
    report = grade(Engine(engine(planted("(g * b, g * a)", "(g * a, g * b)"))))
    assert report.wrong[0].text.splitlines() == [
        "✗ mul",
        "    a b L",
        "    ○      a = leaf   2.0   ← ∂L/∂a is 2.0, it should be 3.0",
        "    │ ○    b = leaf   3.0   ← ∂L/∂b is 3.0, it should be 2.0",
        "    ●─●─◆  L = a * b",
        "    look at: ∂(a·b)/∂a is b, ∂(a·b)/∂b is a",
    ]
    assert report.html.count("<svg") == len(report.wrong)


def test_rails_cross_where_a_value_is_still_needed():
    program = Program.of(lambda a, b, c: (a * c) + b, 3)
    assert program.drawn({})[4:] == ["●─┼─●─◆    d = a * c", "  ●───●─◆  L = d + b"]


def test_the_report_on_micrograd_is_true():
    """By hand: of L = 3a² at 2, b = a² keeps its 3 and gets 3 more, and a gets 12 + 4·6 = 36."""
    pytest.importorskip("micrograd", reason="needs micrograd")
    report = grade(load(COURSE / "adapters" / "micrograd_engine.py"))
    found = {f.name: str(f.problems.values()) for f in report.wrong}
    assert set(found) == {"second backward", "a shared part of two graphs", "recursion depth"}
    assert "36.0 after two" in found["second backward"] and "44.0" in str(found)


def test_the_report_on_hips_autograd_is_true():
    """By hand: it splits ties, adds at double indices, keeps float32, walks without recursion."""
    pytest.importorskip("autograd", reason="needs HIPS autograd")
    report = grade(load(COURSE / "adapters" / "hips_autograd.py"))
    assert not report.wrong and len(report.lacking) == 3, report.text


def test_the_command_says_what_is_wrong_by_its_status(tmp_path):
    (tmp_path / "mine.py").write_text(planted("np.add.at(share, index, g)", "share[index] = g"))
    command = [sys.executable, TOOLS / "grade_engine.py", tmp_path / "mine.py"]
    done = subprocess.run([*command, "--html", tmp_path / "page.html"],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 1 and "✗ duplicate indices" in done.stdout, done.stderr
    assert "<svg" in (tmp_path / "page.html").read_text()
    done = subprocess.run([*command[:2], __file__], capture_output=True, text=True)
    assert done.returncode and "the adapter lacks" in done.stderr + done.stdout
