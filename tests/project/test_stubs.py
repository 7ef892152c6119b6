"""The stub of Tensor's methods is what the methods say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_stub_is_current():
    spec = importlib.util.spec_from_file_location("write_stubs", ROOT / "tools/write_stubs.py")
    assert spec and spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    written = tool.STUB.read_text(encoding="utf-8")
    assert written == tool.stub(), "run: python tools/write_stubs.py"
    assert "def softmax(self, axis: builtins.int | None = None" in written
