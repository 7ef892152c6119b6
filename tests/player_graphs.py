"""Graphs for the player's tests, each with the run it was recorded from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinygrad_rnn.draw.capture.models import Sizes, model
from tinygrad_rnn.draw.capture.run_to_graph import convert, run
from tinygrad_rnn.draw.graph import Graph
from tinygrad_rnn.engine.node import Node
from tinygrad_rnn.engine.tensor import leaf_of


@dataclass(frozen=True)
class Recorded:
    """A graph, the engine's nodes in the order of its ids, and what backward carried."""

    graph: Graph
    nodes: list[Node]
    flow: Any


def recorded(cell: str = "lstm", steps: int = 4, loss: str = "all", **sizes: int) -> Recorded:
    """Return one of the book's cells, run over random data and differentiated."""
    made = run(lambda: model(cell, Sizes(steps=steps, loss=loss, **sizes)))
    assert made.error is None
    flow = made.result.backward(record="full")
    nodes = sorted(made.nodes, key=lambda node: node.index)
    title = f"{cell.upper()}, T={steps}"
    return Recorded(convert(nodes, [leaf_of(made.result)], title=title, flow=flow), nodes, flow)
