"""Turn a function that was run into a graph, as far as it came, for `drawing` and `sources`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ...engine.node import Node
from ...engine.tensor import Tensor
from ..draw_error import DrawError
from ..graph import Graph
from .failed_run import failure
from .run_to_graph import FREED, TracedRun, check_result, graph_of
from .variables import joined


def graph_of_run(
    made: TracedRun, title: str, names: dict[Any, str] | None = None, backward: bool = True
) -> tuple[Graph, BaseException | None]:
    """Return the graph of a function that was run, and the error when it raised."""
    names = joined(names or {}, made.names)
    if made.error is not None:
        return failure(made, names, title), made.error
    found = check_result(made.result, title)
    scalar = len(found) == 1 and not found[0].shape and found[0].requires_grad
    with _own_gradients(made.nodes):
        try:
            flow = backward_of(found[0]) if backward and scalar else None
        except DrawError as error:  # the function ran backward itself: drawn without gradients
            graph = graph_of(found, names, title, ran=made)
            graph.notes = [str(error)]
            return graph, None
        return graph_of(found, names, title, flow, ran=made), None


@contextmanager
def _own_gradients(nodes: Sequence[Node]) -> Iterator[None]:
    """Let a backward pass of ours start from nothing, and give the reader's `.grad` back after."""
    kept = [(node, node.grad) for node in nodes if node.op is None]
    for node, _ in kept:
        node.grad = None
    try:
        yield
    finally:
        for node, grad in kept:
            node.grad = grad


def backward_of(loss: Tensor) -> Any:
    """Return the record of a backward pass, run now unless one was recorded."""
    node = loss.node
    if node is not None and node.record is not None:
        return node.record
    try:
        return loss.backward(record="full")
    except RuntimeError as error:
        if "freed" in str(error) or "second time" in str(error):
            raise DrawError(FREED) from error
        raise
