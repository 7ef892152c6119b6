"""Check the data of a graph, field by field, where it comes in; `graph` calls it.

Views and renderers trust a graph. A file from somebody else is trusted after this, and not before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

SCHEMA = 1
ROLES = ("param", "input", "target", "state", "const", "op", "loss")
WORDS = ("NaN", "Infinity", "-Infinity")  # strict JSON has no numbers for these
MOST = 10**15  # a size, a step: more is no number that a picture could show


class GraphError(ValueError):
    """The data is not a graph of schema v1; the text says which node and what is wrong."""


Kind = tuple[Callable[[Any], bool], str]  # whether a value is one, and what it is in words


def is_text(x: Any) -> bool:
    return type(x) is str


def is_whole(x: Any) -> bool:
    return type(x) is int and abs(x) <= MOST


def is_number(x: Any) -> bool:
    return type(x) is float or type(x) is int and abs(x) < 10**300 or is_text(x) and x in WORDS


def is_label(x: Any) -> bool:
    return x is None or type(x) in (bool, int, float, str)


def is_labels(x: Any) -> bool:
    return is_table(x, is_label) and (type(x.get("step")) is not int or is_whole(x["step"]))


def is_statistics(x: Any) -> bool:
    return (
        type(x) is dict
        and is_number(x.get("norm"))
        and all(is_numbers(v) if key == "sample" else is_number(v) for key, v in x.items())
    )


def is_use(x: Any) -> bool:
    known = type(x) is dict and is_whole(x.get("node")) and is_whole(x.get("k"))
    return (
        known
        and all(x.get(key) is None or is_number(x[key]) for key in ("norm", "cos"))
        and (x.get("step") is None or is_whole(x["step"]))
        and is_numbers(x.get("sample", []))
    )


def is_numbers(x: Any) -> bool:
    return is_list(x, is_number)


def is_list(x: Any, of: Callable[[Any], bool]) -> bool:
    return type(x) is list and all(map(of, x))


def is_table(x: Any, of: Callable[[Any], bool]) -> bool:
    return type(x) is dict and all(map(of, x.values()))


def optional(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda x: x is None or of(x)


def is_code(x: Any) -> bool:
    texts = type(x) is dict and all(is_text(x.get(key)) for key in ("file", "name", "text"))
    return texts and is_whole(x.get("first"))


def is_line(x: Any) -> bool:
    return is_list(x, is_whole) and len(x) == 2


def is_call(x: Any) -> bool:
    return type(x) is list and len(x) == 3 and all(map(is_text, x[:2])) and is_whole(x[2])


GRAPH: dict[str, Kind] = {
    "title": (is_text, "text"),
    "nodes": (lambda x: type(x) is list, "a list of nodes"),
    "edge_grads": (lambda x: is_table(x, is_number), "edges with a norm each"),
    "order": (lambda x: is_list(x, is_whole), "a list of node ids"),
    "param_uses": (
        lambda x: is_table(x, lambda uses: is_list(uses, is_use)),
        "node ids with a list of uses each, {node, k, step, norm}",
    ),
    "notes": (lambda x: is_list(x, is_text), "a list of texts"),
    "edge_samples": (
        lambda x: is_table(x, is_numbers),
        "edges with a list of numbers each",
    ),
    "code": (lambda x: is_list(x, is_code), "functions with file, name, first line and text"),
}
NODE: dict[str, Kind] = {
    "id": (is_whole, "a whole number"),
    "op": (optional(is_text), "text or null"),
    "parents": (
        lambda x: is_list(x, optional(is_whole)),
        "a list of node ids: parents come before",
    ),
    "shape": (lambda x: is_list(x, lambda n: is_whole(n) and n >= 0), "a list of sizes"),
    "dtype": (is_text, "text"),
    "name": (optional(is_text), "text or null"),
    "role": (lambda x: is_text(x) and x in ROLES, f"one of {', '.join(ROLES)}"),
    "labels": (is_labels, "labels of text, numbers, true, false or null"),
    "path": (lambda x: is_list(x, is_text), "a list of texts"),
    "numbers": (
        lambda x: is_table(x, is_number) and all(re.fullmatch("[0-9]{1,6}", k) for k in x),
        "slots with a number each",
    ),
    "options": (lambda x: is_table(x, is_text), "a table of texts"),
    "lines": (lambda x: is_list(x, is_line), "pairs of a place in the code and a line"),
    "calls": (lambda x: is_list(x, is_call), "lists of a name, a kind and a number each"),
    "value": (optional(is_statistics), "null or numbers with a norm among them"),
    "grad": (optional(is_statistics), "null or numbers with a norm among them"),
}


def check(data: Any) -> None:
    """Raise a GraphError that names the first field which is not what the schema says."""
    found = data.get("schema") if type(data) is dict else type(data).__name__
    if type(found) is not int or found != SCHEMA:
        raise GraphError(f"expected a graph with schema {SCHEMA}, found {short(found)}")
    _fields(data, GRAPH, "the graph", ("nodes",))
    for place, node in enumerate(data["nodes"]):
        if type(node) is not dict:
            raise GraphError(f"not a graph of schema {SCHEMA}: node {place} is {short(node)}")
        _fields(node, NODE, f"node {place}", ("id",))
    _keys(data)


def _fields(data: Mapping[str, Any], kinds: Mapping[str, Kind], what: str,
            needed: Iterable[str]) -> None:  # fmt: skip
    for name in needed:
        if name not in data:
            raise GraphError(f"not a graph of schema {SCHEMA}: {what} has no {name!r}")
    for name, (fits, words) in kinds.items():
        if name in data and not fits(data[name]):
            raise GraphError(f"{what} has {name} {short(data[name])}, expected {words}")


def _keys(data: Mapping[str, Any]) -> None:
    for name in ("edge_grads", "edge_samples"):
        for key in data.get(name, ()):
            if not re.fullmatch(r"[0-9]{1,15}:[0-9]{1,15}", key):
                raise GraphError(f"{name} names {short(key)}, expected 'child:slot'")
    for key in data.get("param_uses", ()):
        if not re.fullmatch(r"[0-9]{1,15}", key):
            raise GraphError(f"param_uses names {short(key)}, expected a node id")


def short(value: Any) -> str:
    """Return a value as one short line, whatever it is."""
    try:
        text = ascii(value)
    except (RecursionError, ValueError):  # nested too deeply; too many digits
        text = type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."
