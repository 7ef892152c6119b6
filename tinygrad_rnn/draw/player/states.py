"""Find the states that one time step hands to another, for `player.data` and `levels`."""

from __future__ import annotations

import re
from typing import Any

from ..graph import Graph, GraphNode
from ..labels import clean, glyph


def state_rows(graph: Graph) -> list[dict[str, Any]]:
    """Return per state (a node used by another step) its ids in step order: the minimap's rows."""
    rows: dict[tuple[Any, ...], dict[int, int]] = {}
    steps = [node.step for node in graph.nodes]
    crossing = dict.fromkeys(
        parent
        for node in graph.nodes
        for parent in node.parents
        if parent is not None and None not in (steps[parent], steps[node.id])
        if steps[parent] != steps[node.id]
    )
    for parent in map(graph.nodes.__getitem__, crossing):
        if parent.op is not None and parent.role == "op" and parent.shape:
            rows.setdefault(_state(parent), {})[parent.step] = parent.id  # type: ignore[index]
    _add_last(graph, rows)
    return [
        {"label": _row_label(graph.nodes[max(ids.values())]), "ids": [ids[t] for t in sorted(ids)]}
        for ids in rows.values()
        if len(ids) > 1
    ]


def state_ids(graph: Graph) -> frozenset[int]:
    """Return the nodes that are a state of some step."""
    return frozenset(i for row in state_rows(graph) for i in row["ids"])


def _state(node: GraphNode) -> tuple[Any, ...]:
    """Return what the nodes of one state have in common, whatever their step."""
    name = re.sub(r"\d+", "#", node.name) if node.name else f"{node.op} {' / '.join(node.path)}"
    return (name, node.place._replace(step=None, gate=None))


def _add_last(graph: Graph, rows: dict[tuple[Any, ...], dict[int, int]]) -> None:
    """Add the state of the last step, which no later step uses."""
    for node in graph.nodes:
        if node.name and node.step is not None and _state(node) in rows:
            rows[_state(node)].setdefault(node.step, node.id)


def _row_label(node: GraphNode) -> str:
    if node.name:
        return clean(node.name).replace(f"⟨{node.step}⟩", "⟨t⟩")
    place = node.place._replace(step=None, gate=None)
    return " ".join([glyph(node.op), *(f"{k} {v}" for k, v in place.words().items())])
