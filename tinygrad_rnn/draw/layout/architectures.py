"""The five shapes of sequence problem, as boxes: input, cell, output, token, and what is fed back.

Nothing is computed here: these are the pictures that introduce the subject. Fed-back outputs are
dashed, start and stop tokens are named.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..graph import Graph, GraphNode
from ..palette import THEMES, Scale
from ..scene import Box, Frame, Scene, Wire, curve, elbow
from .unrolled import Options

COLUMN, LEFT = 96.0, 92.0
Y_OUT, Y_CELL, Y_IN = 60.0, 140.0, 220.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Which steps read an input (or a token) and which give an output; what is fed back."""

    example: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    feedback: bool = False
    encoder: int = 0


def shape(name: str, steps: int) -> Shape:
    """Return one of the five architectures with a number of steps."""
    x = tuple(f"x⟨{t}⟩" for t in range(1, steps + 1))
    y = tuple(f"ŷ⟨{t}⟩" for t in range(1, steps + 1))
    none = ("",) * (steps - 1)
    made = {
        "one-to-one": Shape("an ordinary network: image classification", ("x",), ("ŷ",)),
        "one-to-many": Shape(
            "music generation, image captioning", ("x", *none), (*y[:-1], "⟨stop⟩"), True
        ),
        "many-to-one": Shape("sentiment classification", x, (*none, "ŷ")),
        "many-to-many": Shape("named-entity recognition, labelling of frames", x, y),
        "encoder-decoder": Shape(
            "machine translation, spelling correction",
            (*x, "⟨start⟩", *none),
            (*("",) * steps, *y[:-1], "⟨stop⟩"),
            True,
            steps,
        ),
    }
    return made[name]


NAMES = ("one-to-one", "one-to-many", "many-to-one", "many-to-many", "encoder-decoder")


def arch_view(
    name: str, steps: int = 3, cell: str = "RNN", options: Options | None = None
) -> Scene:
    """Return the scene of one of the five architectures."""
    options = options or Options()
    it = shape(name, steps)
    theme = THEMES[options.theme]
    scene = Scene(theme, Scale.over((), options.palette, options.theme))
    scene.title = options.title or f"{name.replace('-', ' ')}: {it.example}"
    count = len(it.inputs)
    for i in range(count):
        _step(scene, it, i, cell)
    for i in range(count):
        _state(scene, it, i)
    if it.encoder:
        _phases(scene, it)
    scene.width = LEFT + count * COLUMN + 10.0
    scene.height = Y_IN + (54.0 if it.encoder else 34.0)
    scene.description = f"{name} with {count} cells; {it.example}"
    return scene


def _x(i: int, it: Shape) -> float:
    return LEFT + 24.0 + i * COLUMN + (28.0 if it.encoder and i >= it.encoder else 0.0)


def _step(scene: Scene, it: Shape, i: int, cell: str) -> None:
    x = _x(i, it)
    scene.boxes.append(Box(x, Y_CELL, 52.0, 44.0, (cell,), "round", "cell", i))
    if it.inputs[i]:
        scene.boxes.append(_pill(x, Y_IN, it.inputs[i], "input"))
        scene.wires.append(Wire(curve([(x, Y_IN - 11.0), (x, Y_CELL + 22.0)])))
    if it.outputs[i]:
        scene.boxes.append(_pill(x, Y_OUT, it.outputs[i], "output"))
        scene.wires.append(Wire(curve([(x, Y_CELL - 22.0), (x, Y_OUT + 11.0)])))


def _pill(x: float, y: float, text: str, role: str) -> Box:
    token = text.startswith("⟨")
    return Box(x, y, 44.0 if token else 36.0, 22.0, (text,), "square" if token else "round", role)


def _state(scene: Scene, it: Shape, i: int) -> None:
    """Draw what a step gets from the one before: the state, and its output where it is fed back."""
    x = _x(i, it)
    if i == 0:
        if len(it.inputs) > 1:
            scene.boxes.append(_pill(x - 68.0, Y_CELL, "a⟨0⟩", "state"))
            scene.wires.append(Wire(elbow([(x - 50.0, Y_CELL), (x - 26.0, Y_CELL)])))
        return
    before = _x(i - 1, it)
    scene.wires.append(Wire(elbow([(before + 26.0, Y_CELL), (x - 26.0, Y_CELL)])))
    if it.feedback and it.outputs[i - 1] and not it.inputs[i]:
        points = [(before + 18.0, Y_OUT), (before + 46.0, Y_OUT), (before + 46.0, Y_IN)]
        points += [(x, Y_IN), (x, Y_CELL + 22.0)]
        scene.wires.append(Wire(elbow(points), dash="4 3", title="the output is the next input"))


def _phases(scene: Scene, it: Shape) -> None:
    for label, first, last in (
        ("encoder", 0, it.encoder - 1),
        ("decoder", it.encoder, len(it.inputs) - 1),
    ):
        left, right = _x(first, it) - 38.0, _x(last, it) + 44.0
        frame = Frame(left, Y_OUT - 26.0, right - left, Y_IN - Y_OUT + 66.0, label, "step")
        scene.frames.append(frame)


def arch_graph(name: str, steps: int = 3, cell: str = "RNN") -> Graph:
    """Return the same picture as a graph, for the formats that are not pictures."""
    it = shape(name, steps)
    made = Graph(title=name.replace("-", " "))

    def add(node: GraphNode) -> int:
        made.nodes.append(node)
        return node.id

    before = add(GraphNode(0, None, name="a⟨0⟩", role="state")) if len(it.inputs) > 1 else None
    fed: int | None = None
    for t, (given, gives) in enumerate(zip(it.inputs, it.outputs, strict=True), start=1):
        labels = {"step": t, "cell": cell}
        source = fed
        if given:
            source = add(
                GraphNode(len(made.nodes), None, name=given, role="input", labels={"step": t})
            )
        parents = tuple(p for p in (before, source) if p is not None)
        before = add(GraphNode(len(made.nodes), cell, parents, labels=labels))
        fed = None
        if gives:
            output = GraphNode(len(made.nodes), "output", (before,), name=gives, labels={"step": t})
            number = add(output)
            fed = number if it.feedback else None
    return made.validate()
