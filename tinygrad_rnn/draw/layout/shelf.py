"""Draw the parameters once, with shape and number of uses, in rows below a picture: `cell_grid`."""

from __future__ import annotations

from .. import labels
from ..graph import Graph
from ..scene import Box, Scene


def draw_shelf(graph: Graph, out: Scene) -> None:
    """Add a chip per parameter below what is drawn already, in rows of its width."""
    x, y, right = 20.0, out.height + 6.0, max(out.width, 320.0)
    children = graph.children()
    params = [node for node in graph.nodes if node.role == "param"]
    for node in params:
        uses = len(graph.param_uses.get(node.id, ())) or len(children[node.id])
        text = f"{labels.caption(node)}  {labels.shape_text(node.shape)}  used {uses}×"
        wide = labels.width(text, 8.5) + 10.0
        if x + wide > right - 14.0 and x > 20.0:
            x, y = 20.0, y + 22.0
        box = Box(x + wide / 2, y, wide, 16.0, (text,), "dashed", "param", node.id, size=8.5)
        box.title = labels.title(node)
        out.boxes.append(box)
        out.width = max(out.width, x + wide + 14.0)
        x += wide + 8.0
    if params:
        out.height = y + 20.0
