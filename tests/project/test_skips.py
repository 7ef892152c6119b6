"""Tell why tests were skipped, be it one test or a file that could not be collected."""

from __future__ import annotations

import pytest
from conftest import reason

PLACE = ("tests/x.py", 1, "Skipped: needs nbformat")


def test_a_file_that_skips_itself_tells_its_reason():
    """A CollectReport has no keywords; asking for them once ended a green run with a traceback."""
    assert reason(pytest.CollectReport("tests/x.py", "skipped", PLACE, None)) == "needs nbformat"


def test_a_skipped_test_tells_what_its_mark_needs():
    report = pytest.TestReport("a", PLACE, {"browser": 1}, "skipped", PLACE, "setup")
    assert reason(report) == "need a Chromium"
