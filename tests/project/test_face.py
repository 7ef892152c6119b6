"""Everything public has a signature of its own and says in a sentence what it does."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SPEC = importlib.util.spec_from_file_location(
    "public", Path(__file__).with_name("test_public.py")
)  # what is public is told there
assert SPEC and SPEC.loader
PUBLIC = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(PUBLIC)

# Their options are handed on to what their docstring names, which refuses what it does not know
HANDS_ON = ("tinygrad_rnn.nn.", "tinygrad_rnn.scope", "tinygrad_rnn.draw.",
            "tinygrad_rnn.training.", "tinygrad_rnn.tasks.",
            "tinygrad_rnn.compile.CompiledScan.drawing")  # fmt: skip


def offered() -> Iterator[tuple[str, Any]]:
    """Yield everything that can be called: functions, classes and their public methods, once."""
    seen = set()
    for line in PUBLIC.surface():
        module, _, name = line.rpartition(".")
        thing = getattr(importlib.import_module(module), name)
        methods = vars(thing) if inspect.isclass(thing) else {}
        names = [n for n, m in methods.items() if inspect.isfunction(m) and n[0] != "_"]
        for where, each in [(line, thing), *((f"{line}.{n}", getattr(thing, n)) for n in names)]:
            if callable(each) and id(each) not in seen:
                seen.add(id(each))
                yield where, each


OFFERED = list(offered())
CALLED = [
    (where, each) for where, each in OFFERED
    if not (inspect.isclass(each) and issubclass(each, Exception))
]  # fmt: skip


def test_much_is_offered():
    assert len(CALLED) > 600


def test_everything_has_a_docstring():
    assert not [where for where, each in OFFERED if not (inspect.getdoc(each) or "").strip()]


@pytest.mark.parametrize("where, each", CALLED, ids=[where for where, _ in CALLED])
def test_everything_has_a_signature_of_its_own(where, each):
    catches = [p for p in inspect.signature(each).parameters.values() if p.kind is p.VAR_KEYWORD]
    assert not catches or where.startswith(HANDS_ON)


def test_no_docstring_needs_the_one_before_it():
    """In `help` one reads "The same, but …" without what it is the same as."""
    said = {where: inspect.getdoc(each) or "" for where, each in OFFERED}
    assert not [where for where, words in said.items() if words.startswith("The same")]
