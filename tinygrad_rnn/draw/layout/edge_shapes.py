"""Write shapes beside the wires, once for all steps alike, for `unrolled`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from ..graph import Graph
from ..labels import width
from ..scene import Point, Scene, Wire, Words
from ..transform.axes import axes_of

SIZE = 7.0
CELL = 2.0  # px: what is drawn is marked on paper ruled in squares
Cells = set[tuple[int, int]]


def add_shapes(scene: Scene, graph: Graph, alike: dict[int, object]) -> None:
    """Write each shape on one wire of its node, in the first of the columns that are `alike`.

    What finds no free place stays in the tool tip of its box.
    """
    axes, taken, done = axes_of(graph), _drawn(scene), set()
    for wire in sorted(scene.wires, key=lambda wire: wire.edge or (0, 0)):
        if wire.edge is None:
            continue
        child, slot = wire.edge
        node = graph.nodes[graph.nodes[child].parents[slot]]  # type: ignore[index]
        key = alike.get(node.id, node.id)
        words = None if key in done else _placed(wire, axes.text(node), taken)
        if words is not None:
            done.add(key)
            scene.words.append(words)
            taken |= _text(words)
    if axes.legend():
        scene.notes.append(f"shapes: {axes.legend()}")


def first_alike(groups: Iterable[tuple[object, list[int]]]) -> dict[int, object]:
    """Return node → what it has in common with the nodes in its place of columns alike."""
    return {node: (id(kind), k) for kind, ids in groups for k, node in enumerate(ids)}


def _placed(wire: Wire, text: str, taken: Cells) -> Words | None:
    """Return the text beside a wire where it meets nothing, None where there is no room."""
    for x, y in along(wire.points, 6):
        for left in (x + 3.0, x - 3.0 - width(text, SIZE)):
            words = Words(left, y + SIZE / 2 - 1.0, text, SIZE, faint=True)
            if not _text(words) & taken:
                return words
    return None


def along(points: list[Point], parts: int) -> Iterator[Point]:
    """Yield points of a wire in order, so many per curve."""
    for k in range(0, len(points) - 3, 3):
        for i in range(1, parts):
            t, s = i / parts, 1 - i / parts
            weights = (s**3, 3 * s * s * t, 3 * s * t * t, t**3)
            curve = list(zip(weights, points[k : k + 4], strict=True))
            yield sum(w * p[0] for w, p in curve), sum(w * p[1] for w, p in curve)


def _drawn(scene: Scene) -> Cells:
    """Return the squares that boxes, wires and texts lie on."""
    areas = ((b.x - b.w / 2, b.y - b.h / 2, b.w, b.h) for b in scene.boxes)
    found = {cell for area in areas for cell in _squares(*area)}
    for wire in scene.wires:
        for start, end in pairwise(wire.points[::3]):
            many = 2 + int((abs(end[0] - start[0]) + abs(end[1] - start[1])) / CELL)
            at = wire.points.index(start)
            found |= {_square(x, y) for x, y in along(wire.points[at : at + 4], many)}
    return found.union(*map(_text, scene.words))


def _text(words: Words) -> Cells:
    wide = width(words.text, words.size)
    left = words.x - {"start": 0.0, "middle": wide / 2, "end": wide}[words.anchor]
    return set(_squares(left, words.y - 0.8 * words.size, wide, words.size))


def _square(x: float, y: float) -> tuple[int, int]:
    return int(x // CELL), int(y // CELL)


def _squares(x: float, y: float, w: float, h: float) -> Iterator[tuple[int, int]]:
    (left, top), (right, bottom) = _square(x, y), _square(x + w, y + h)
    return ((i, k) for i in range(left, right + 1) for k in range(top, bottom + 1))
