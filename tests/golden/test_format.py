"""The fixtures: small, without pickles, and saying which versions made them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import golden

NAMES = sorted(path.stem for path in golden.FOLDER.glob("*.npz"))
RECORDERS = Path(__file__).parents[2] / "tools" / "golden"


@pytest.fixture
def recorder(monkeypatch):
    monkeypatch.syspath_prepend(str(RECORDERS))
    import record

    return record


def test_all_together_are_small():
    assert sum(p.stat().st_size for p in golden.FOLDER.glob("*")) < 3_000_000


@pytest.mark.parametrize("name", NAMES)
def test_each_says_how_it_was_made(name):
    how = golden.how(name)
    assert {"numpy", "python", "command"} < how.keys()
    assert how["command"] == f"python tools/golden/record.py {name}"
    assert len(how) > 3, "no library is named"


@pytest.mark.parametrize("name", NAMES)
def test_each_has_cases_with_names(name):
    cases = golden.load(name)
    numbers = sum(a.size for case in cases for a in case.arrays.values())
    assert len(cases) >= 40 or numbers > 3_000
    assert all(case.name and (case.arrays or case.options) for case in cases)


def test_each_has_a_recorder_and_each_recorder_a_fixture(recorder):
    assert sorted(recorder.RECORDERS) == NAMES
    assert all((RECORDERS / f"{name}.py").is_file() for name in NAMES)


def test_arrays_come_back_as_they_were(recorder, monkeypatch, tmp_path):
    monkeypatch.setattr(recorder, "FOLDER", tmp_path)
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    arrays = {
        "f8": np.random.default_rng(0).normal(size=(2, 3)),
        "f4": np.float32([1.5, -0.1]),
        "i8": np.arange(4).reshape(2, 2),
        "bool": np.array([True, False]),
        "empty": np.zeros((3, 0)),
        "0-d": np.array(np.pi),
        "special": np.array([np.nan, np.inf, -0.0]),
    }
    recorder.save("some", ["pytest"], [recorder.case("one", {"k": [1, None]}, arrays)])
    (case,) = golden.load("some")
    assert (case.name, case.options) == ("one", {"k": [1, None]})
    for name, a in arrays.items():
        assert case.arrays[name].dtype == a.dtype
        np.testing.assert_array_equal(case.arrays[name], a)
    assert np.signbit(case.arrays["special"][2])


def test_an_integer_that_float64_does_not_hold_is_refused(recorder):
    with pytest.raises(ValueError, match="k holds integers"):
        recorder.pack([recorder.case("one", {}, {"k": np.array([2**53 + 1])})])
