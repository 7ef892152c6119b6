"""Drawing: views of a computation → one intermediate graph → renderers.

`draw(x)` returns a `Drawing`; `Graph` is the intermediate form, also as JSON.
"""

from __future__ import annotations

from .graph import Graph, GraphError, GraphNode

__all__ = ["Graph", "GraphError", "GraphNode"]
