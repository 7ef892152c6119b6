"""Mark differences and rolled loops over an unrolled scene, for `views`."""

from __future__ import annotations

from collections import Counter

from ..graph import Graph
from ..labels import caption
from ..scene import Box, Point, Scene, Wire, elbow
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
    """Return the scene of the rolled cell: the self edges run round it through delay boxes."""
    small, loops = rolled_graph(graph)
    scene = unrolled(small, settings)
    boxes = {box.node: box for box in scene.boxes if box.shape != "dashed"}
    left = min((b.x - b.w / 2 for b in scene.boxes), default=0.0)
    right = max((b.x + b.w / 2 for b in scene.boxes), default=0.0)
    bottom = max((b.y + b.h / 2 for b in scene.boxes), default=0.0)
    for k, (state, delay) in enumerate(loops):
        if state in boxes and delay in boxes:
            room = 18.0 + 10.0 * k
            points = _loop(boxes[state], boxes[delay], right + room, bottom + room)
            norm = small.nodes[state].grad_norm
            scene.wires.append(Wire(elbow(points), None, norm, title="one step later"))
    extra = 30.0 + 10.0 * len(loops)
    scene.width = max(scene.width, right + extra)
    scene.height = max(scene.height, bottom + extra)
    scene.move(max(0.0, 16.0 - left), 0.0)
    return scene


def _loop(state: Box, delay: Box, right: float, bottom: float) -> list[Point]:
    """Return the way from a state's right side, down, along the bottom and up to the delay."""
    start = (state.x + state.w / 2, state.y)
    end = (delay.x, delay.y + delay.h / 2)
    return [start, (right, state.y), (right, bottom), (delay.x, bottom), end]
