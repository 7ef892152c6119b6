"""Drawing: views of a computation → one intermediate graph → renderers.

`draw(x)` returns a `Drawing`, which shows itself in a notebook and saves itself as SVG, HTML, PNG,
PDF, DOT, Mermaid, TikZ, JSON or text. `Graph` is the intermediate form, also as JSON.
"""

from __future__ import annotations

from .capture.programs import compiled_graphs
from .drawing import Drawing, draw
from .errors import DrawError
from .graph import Graph, GraphError, GraphNode

__all__ = ["DrawError", "Drawing", "Graph", "GraphError", "GraphNode", "compiled_graphs", "draw"]
