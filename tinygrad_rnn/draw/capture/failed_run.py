"""Draw a function that raised, up to the operation that failed; `runs` calls it."""

from __future__ import annotations

import traceback
from types import TracebackType
from typing import Any

from ...engine.primitive import Primitive
from ...engine.tensor import Tensor
from ..graph import Graph, GraphNode, Place
from ..labels import clean
from .lines import line_of
from .run_to_graph import TracedRun, convert

MARK = "✖"


def failure(made: TracedRun, names: dict[Any, str], title: str) -> Graph:
    """Return the partial graph; its last note says what raised where."""
    graph = convert(made.nodes, [], names, title, ran=made)
    error = made.error
    assert error is not None
    drawn = sum(node.op is not None for node in graph.nodes)
    failed = _failed(error.__traceback__)
    where, shapes = _add_failed(graph, failed, made) if failed else (_last_step(graph), "")
    op = f", op '{failed[0].name}'{shapes}" if failed else ""
    step = f" at step {where}" if where is not None else ""
    line = line_of(error)
    step += f", {line}" if line else ""
    marked = f" the failing node is marked {MARK}." if failed else ""
    graph.notes = [
        f"your function raised {type(error).__name__}{step}{op}. "
        f"Drew the {drawn} ops before it{';' if failed else '.'}{marked}"
    ]
    return graph.validate()


def _failed(trace: TracebackType | None) -> tuple[Primitive, tuple] | None:
    """Return the operation that was computing when the error came, with its inputs."""
    for frame, _ in traceback.walk_tb(trace):
        op, inputs = frame.f_locals.get("op"), frame.f_locals.get("inputs")
        if isinstance(op, Primitive) and isinstance(inputs, tuple):
            return op, inputs
    return None


def _last_step(graph: Graph) -> int | None:
    return next((n.step for n in reversed(graph.nodes) if n.step is not None), None)


def _add_failed(
    graph: Graph, failed: tuple[Primitive, tuple], made: TracedRun
) -> tuple[int | None, str]:
    """Add the failing node after its inputs; return its step and the shapes it was given."""
    op, inputs = failed
    ids = {node: i for i, node in enumerate(sorted(made.nodes, key=lambda n: n.index))}
    parents = []
    for x in inputs:
        node = x.node if isinstance(x, Tensor) else None
        parents.append(ids.get(node) if node is not None else None)
    step = _last_step(graph)
    broken = GraphNode(len(graph.nodes), op.name, tuple(parents), dtype="", place=Place(step=step))
    broken.labels["failed"] = True
    graph.nodes.append(broken)
    shapes = ["×".join(map(str, x.shape)) for x in inputs if hasattr(x, "shape")]
    sign = " @ " if op.name == "matmul" else ", "
    return step, " " + clean(f"({sign.join(shapes)})", 80) if shapes else ""
