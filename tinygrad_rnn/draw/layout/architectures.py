"""Draw the five shapes of sequence problem as boxes, for `views` and `cli`.

`arch_graph` says which cell reads and gives what, `arch_view` draws any such graph. Nothing is
computed here: these are the pictures that introduce the subject.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..draw_error import DrawError
from ..graph import Graph, GraphNode, Place
from ..scene import Box, Frame, Point, Scene, Wire, curve, elbow
from ..settings import Settings

COLUMN, LEFT = 96.0, 116.0
Y_OUT, Y_CELL, Y_IN = 60.0, 140.0, 220.0
OUTPUT = "output"  # the operation of a node that is what a cell gives


@dataclass(frozen=True, slots=True)
class Architecture:
    """Say which steps read an input (or a token), which give an output, and what is fed back."""

    example: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    feedback: bool = False
    encoder: int = 0  # steps of the encoder, where there is one


def architecture(name: str, steps: int) -> Architecture:
    """Return one of the five architectures with a number of steps."""
    x = tuple(f"x⟨{t}⟩" for t in range(1, steps + 1))
    y = tuple(f"ŷ⟨{t}⟩" for t in range(1, steps + 1))
    none = ("",) * (steps - 1)
    known = {
        "one-to-one": ("an ordinary network: image classification", ("x",), ("ŷ",)),
        "one-to-many": (
            "music generation, image captioning", ("x", *none), (*y[:-1], "⟨stop⟩"), True,
        ),
        "many-to-one": ("sentiment classification", x, (*none, "ŷ")),
        "many-to-many": ("named-entity recognition, labelling of frames", x, y),
        "encoder-decoder": (
            "machine translation, spelling correction", (*x, "⟨start⟩", *none),
            (*("",) * steps, *y[:-1], "⟨stop⟩"), True, steps,
        ),
    }  # fmt: skip
    return Architecture(*known[name])  # type: ignore[arg-type]


NAMES = ("one-to-one", "one-to-many", "many-to-one", "many-to-many", "encoder-decoder")


def arch_graph(name: str, steps: int = 3, cell: str = "RNN") -> Graph:
    """Return one of the five architectures as a graph."""
    it = architecture(name, steps)
    made = Graph(title=f"{name.replace('-', ' ')}: {it.example}")

    def add(op: str | None, parents: tuple, name: str | None, role: str, place: Place) -> int:
        made.nodes.append(GraphNode(len(made.nodes), op, parents, name=name, role=role))
        made.nodes[-1].place = place
        return len(made.nodes) - 1

    many = len(it.inputs) > 1
    state = add(None, (), "a⟨0⟩", "state", Place()) if many else None
    fed: int | None = None
    for i, (given, gives) in enumerate(zip(it.inputs, it.outputs, strict=True)):
        phase = ("encoder" if i < it.encoder else "decoder") if it.encoder else None
        place = Place(phase, step=i + 1 - (it.encoder if i >= it.encoder else 0))
        source = add(None, (), given, "input", place) if given else fed
        parents = tuple(p for p in (state, source) if p is not None)
        state = add(cell, parents, None, "op", place._replace(cell=cell))
        output = add(OUTPUT, (state,), gives, "op", place) if gives else None
        fed = output if it.feedback else None
    return made.validate()


def is_architecture(graph: Graph) -> bool:
    """Return whether a graph is one of cells, with no computation in it."""
    return any(node.place.cell == node.op for node in graph.nodes if node.op)


def arch_view(graph: Graph, settings: Settings | None = None) -> Scene:
    """Return the scene of a graph of cells: a column per step, fed-back outputs dashed."""
    settings = settings or Settings()
    if not is_architecture(graph):
        raise DrawError("--view arch draws an architecture: use --arch NAME, or --view cell")
    scene = settings.sheet((), graph.title)
    scene.legend = False
    moments = dict.fromkeys(node.place.moment for node in graph.nodes if node.step is not None)
    columns = {moment: i for i, moment in enumerate(moments)}
    first = next(iter(columns))
    x = {m: LEFT + i * COLUMN + (28.0 if m[0] != first[0] else 0.0) for m, i in columns.items()}
    boxes = {node.id: _box(node, x.get(node.place.moment, LEFT - 68.0)) for node in graph.nodes}
    scene.boxes += boxes.values()
    for parent, slot, child in graph.edges():
        fed = parent.op == OUTPUT
        points = _way(boxes[parent.id], boxes[child.id], fed)
        title = "the output is the next input" if fed else ""
        scene.wires.append(Wire(points, (child.id, slot), dash="4 3" if fed else "", title=title))
    phases = dict.fromkeys(moment[0] for moment in columns if moment[0])
    for phase in phases:
        at = [x[moment] for moment in columns if moment[0] == phase]
        size = (at[-1] - at[0] + 82.0, Y_IN - Y_OUT + 66.0)
        scene.frames.append(Frame(at[0] - 38.0, Y_OUT - 26.0, *size, phase, "step"))
    scene.width = LEFT - 14.0 + len(columns) * COLUMN
    scene.height = Y_IN + (54.0 if phases else 34.0)
    scene.description = f"{len(columns)} cells; {graph.title}"
    return scene


def _box(node: GraphNode, x: float) -> Box:
    name = node.name or node.op or node.role
    if node.op and node.op != OUTPUT:
        return Box(x, Y_CELL, 52.0, 44.0, (name,), "round", "cell", node.id)
    y = {"input": Y_IN, "state": Y_CELL}.get(node.role, Y_OUT)
    token = name.startswith("⟨")
    role = OUTPUT if node.op else node.role
    shape = "square" if token else "round"
    return Box(x, y, 44.0 if token else 36.0, 22.0, (name,), shape, role, node.id)


def _way(tail: Box, head: Box, fed: bool) -> list[Point]:
    """Return the course of a wire: upward within a step, straight to the next one."""
    bottom, top = head.y + head.h / 2, tail.y - tail.h / 2
    if fed:
        side = tail.x + 46.0
        corners = [(tail.x + 18.0, tail.y), (side, tail.y), (side, Y_IN), (head.x, Y_IN)]
        return elbow([*corners, (head.x, bottom)])
    if tail.y == head.y:
        return elbow([(tail.x + tail.w / 2, tail.y), (head.x - head.w / 2, head.y)])
    return curve([(tail.x, top), (head.x, bottom)])
