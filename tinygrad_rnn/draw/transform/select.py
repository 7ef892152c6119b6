"""Choose the nodes that `t=1,2,-1 gate=forget` means, with help on typos, for `views`."""

from __future__ import annotations

import difflib

from ..draw_error import DrawError
from ..graph import Graph, GraphNode

SHORT = {"t": "step", "l": "layer", "d": "dir"}


def chosen(graph: Graph, predicate: str, option: str = "--expand") -> frozenset[int]:
    """Return the ids of the nodes that fit all terms; a DrawError when a term fits none."""
    found = {node.id for node in graph.nodes}
    for term in predicate.split():
        key, equals, value = term.partition("=")
        if not equals:
            raise DrawError(f"{option} wants terms like t=1,2 or gate=forget, got '{term}'")
        key = SHORT.get(key, key)
        wanted = set(_steps(graph, value) if key == "step" else value.split(","))
        fitting = {n.id for n in graph.nodes if _label(n, key) in wanted}
        if not fitting:
            raise DrawError(_none(graph, key, value, term, option))
        found &= fitting
    return frozenset(found)


def _label(node: GraphNode, key: str) -> str | None:
    value = node.name if key == "name" else node.op if key == "op" else node.scopes.get(key)
    return None if value is None else str(value)


def _steps(graph: Graph, value: str) -> list[str]:
    """Return step numbers as text; −1 is the last step, as in Python."""
    steps = graph.steps()
    wanted = []
    for part in value.split(","):
        number = int(part) if part.lstrip("-").isdigit() else None
        if number is not None and number < 0 and -number <= len(steps):
            number = steps[number]
        wanted.append(str(number if number is not None else part))
    return wanted


def _none(graph: Graph, key: str, value: str, term: str, option: str) -> str:
    known = list(dict.fromkeys(v for v in (_label(n, key) for n in graph.nodes) if v is not None))
    near = difflib.get_close_matches(value, known, 1, 0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    some = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    scopes = f" Scopes here: {some}." if known else f" Nothing here has a {key}."
    return f"no node matches {option} '{term}'.{hint}{scopes}"
