"""Draw a computation, or make a page to step through it; programs call `draw(x)`.

A picture passes through four forms, and each folder leads from one to the next:

    a run            nodes of the engine: a Tensor, a function that returns one, a layer, a file
      │ capture      steps, names, numbers, gradients; user code runs here and nowhere else
    Graph            plain data, also JSON: nodes in topological order, each at its Place
      │ transform    fold gates or cells, roll the loop, compare two, turn the pass round
    Graph            what the chosen view shows
      │ layout       columns of steps, rows of layers; one step is laid out and stamped T times
    Scene            boxes, wires, frames and words with coordinates
      │ render       one painter, three brushes
    text             SVG, DOT with positions, TikZ; Graphviz makes PNG, PDF and the rest of DOT

`views` chooses the way from what a reader wishes (`Settings`) and from the size of the graph;
Mermaid, the table and DOT without positions are written from a Graph; `player` puts a Graph with
the scenes of its columns into one page. graph, scene, palette, labels and settings are what the
folders have in common.

>>> from tinygrad_rnn import tensor
>>> draw(tensor([1.0, 2.0], requires_grad=True).tanh().sum())
<Drawing of a graph: 3 nodes>
"""

from __future__ import annotations

import sys
from types import ModuleType

from .capture.programs import compiled_graphs
from .draw_error import DrawError
from .drawing import Drawing, draw
from .graph import Graph, GraphError, GraphNode

__all__ = ["DrawError", "Drawing", "Graph", "GraphError", "GraphNode", "compiled_graphs", "draw"]


class _Drawing(ModuleType):
    """A module that is called like its function: `from tinygrad_rnn import draw; draw(loss)`."""

    __call__ = staticmethod(draw)  # no frame between, as `draw` reads the variables of its caller


sys.modules[__name__].__class__ = _Drawing
