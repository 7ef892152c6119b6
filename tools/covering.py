"""A pytest plugin that writes down which tests run each line of the package; see mutants.py.

    PYTHONPATH=tools python -m pytest -p covering --covering lines.json

Needs Python 3.12: an event fires once for each line and test, so the suite is hardly slower.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

PACKAGE = str(Path.cwd() / "tinygrad_rnn")
MONITORING: Any = getattr(sys, "monitoring", None)
TOOL = 3  # a number that no debugger or profiler has


class Covering:
    """The lines each test runs, by file; those run while importing are under the test ''."""

    def __init__(self, path: str) -> None:
        self.path, self.test = path, ""
        self.seen: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []
        MONITORING.use_tool_id(TOOL, "covering")
        MONITORING.register_callback(TOOL, MONITORING.events.LINE, self.line)
        MONITORING.set_events(TOOL, MONITORING.events.LINE)

    def line(self, code: CodeType, number: int) -> Any:
        if code.co_filename.startswith(PACKAGE):
            self.seen[code.co_filename[len(PACKAGE) + 1 :]][number].append(self.test)
        return MONITORING.DISABLE

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        self.test = item.nodeid
        MONITORING.restart_events()
        done = yield
        self.test = ""
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        self.failed += [report.nodeid] if report.failed else []

    def pytest_sessionfinish(self) -> None:
        MONITORING.set_events(TOOL, 0)
        found = {"lines": self.seen, "seconds": self.seconds, "failed": self.failed}
        Path(self.path).write_text(json.dumps(found))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--covering", help="the file to write")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--covering"):
        config.pluginmanager.register(Covering(config.getoption("--covering")))
