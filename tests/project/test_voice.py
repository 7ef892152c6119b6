"""Docstrings speak one voice: the verb first, the subject named, no riddles."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tools.house import MODULES

NO_VERB = set(  # what a docstring of a function may not begin with
    "What How Which Where When Whether Whence Why Who Whose The A An This That These Those It Its "
    "All Any Each Every Some Such One Two Our For From With Within Without On Over In At As To Of "
    "By Before After Nothing None False Here There Same Different Equal".split()
)
ASKING = "What How Which Where When Whether Whence Why Who Times".split()
RIDDLES = (
    r"\bwhence\b",
    r"\bhow-man",
    r"\bthere can be none\b",
    r"\bwhat [^.;:]{0,40}\bwhat\b",
    r"\bone's own\b",
    r"\bthe very same\b",
    r"\band the like\b",
    r"\bkin\b",
)


def docstrings(text: str) -> Iterator[tuple[ast.AST, str]]:
    """Yield everything in a source that has a docstring, with it."""
    for node in ast.walk(ast.parse(text)):
        named = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        if named and (words := ast.get_docstring(node)):
            yield node, words


def begins_badly(node: ast.AST, words: str) -> bool:
    """True unless a verb comes first; a class may be named ("A drawing of …"), never a formula."""
    first = re.match(r"\w*", words)
    word = first.group() if first else ""
    if isinstance(node, ast.ClassDef):
        return word in ASKING or not re.match(r"[A-Z][\w-]*('s|[:,])? ", words)
    third_person = word.endswith("s") and not word.endswith("ss")
    return word in NO_VERB or third_person or not re.match(r"[A-Z][a-z-]+$", word)


def is_riddle(words: str) -> bool:
    plain = re.sub(r"`[^`]*`", "", words.partition(">>>")[0])
    return any(re.search(riddle, plain, re.IGNORECASE) for riddle in RIDDLES)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_begin_with_a_verb(name):
    text = MODULES[name].read_text(encoding="utf-8")
    assert not [words for node, words in docstrings(text) if begins_badly(node, words)]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_are_no_riddles(name):
    text = MODULES[name].read_text(encoding="utf-8")
    assert not [words for _, words in docstrings(text) if is_riddle(words)]


@pytest.mark.parametrize("words", ["What f gives.", "The sum.", "Returns x.", "∂y/∂x", "x of y."])
def test_the_voice_test_finds_what_it_forbids(words):
    (function,) = ast.parse("def f(): ...").body
    assert begins_badly(function, words)
    assert not begins_badly(function, "Return the sum.") and not begins_badly(function, "Pass x.")


def test_riddles_are_found():
    assert is_riddle("Say what is made of what was given.") and is_riddle("The how-manieth node.")
    assert not is_riddle("Say what is made.") and not is_riddle("Return `x`; what `f` is.")
