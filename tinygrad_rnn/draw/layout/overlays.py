"""Mark differences over an unrolled scene, and roll one up, for `views`."""

from __future__ import annotations

from collections import Counter

from ..graph import Graph
from ..labels import caption
from ..scene import Box, Scene
from ..settings import Settings
from ..transform.diff import union
from ..transform.fold import fold
from ..transform.rolled import rolled_graph
from .unrolled import unrolled

MARKS = {"a": "◧", "b": "◨", "changed": "Δ", "first": "≠"}


def diff_view(a: Graph, b: Graph, settings: Settings | None = None) -> Scene:
    """Return the scene of both graphs: ◧ only in A, ◨ only in B, Δ changed, ≠ the first value
    that differs, plain the same."""
    both, marks = union(a, b)
    scene = unrolled(fold(both, {}), settings)
    count = Counter(marks.values())
    for box in scene.boxes:
        if box.node in marks:
            _mark(box, marks[box.node])
    for wire in scene.wires:
        ends = {marks.get(wire.edge[0])} if wire.edge else set()
        if wire.edge:
            ends.add(marks.get(both.nodes[wire.edge[0]].parents[wire.edge[1]] or 0))
        wire.dash = "8 2 2 2" if "a" in ends else "3 2" if "b" in ends else ""
    scene.notes.append(
        f"◧ only in {a.title or 'A'}: {count['a']}   ◨ only in {b.title or 'B'}: {count['b']}   "
        f"Δ changed: {count['changed']}"
    )
    first = next((both.nodes[i] for i, mark in marks.items() if mark == "first"), None)
    if first is not None:
        scene.notes.append(f"≠ the first value that differs: {caption(first)}")
    return scene


def _mark(box: Box, mark: str) -> None:
    box.mark = MARKS[mark]
    box.fill = {"a": "#dbe9f6", "b": "#fde3c4", "changed": "#f3f0d7", "first": "#f3f0d7"}[mark]
    box.bold = mark == "b"


def rolled_view(graph: Graph, settings: Settings | None = None) -> Scene:
    """Return the scene of the rolled cell: its states run round it, back into delay boxes."""
    small, loops = rolled_graph(graph)
    for state, delay in loops:
        small.nodes[delay].parents = (state,)
        norm = small.nodes[state].grad_norm
        if norm is not None:
            small.edge_grads[f"{delay}:0"] = norm
    return unrolled(small, settings, loops)
