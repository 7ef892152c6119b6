"""Write a graph, its layouts and its gradients as one offline HTML file, for `drawing`.

The file holds three things: the template (player.html, .css, .js), numbers as columns, and
pictures of columns. Every time step that looks like another shares its picture, so a thousand
steps cost a thousand short lists of node ids, and the script draws only the columns in sight.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

from ..capture.truncation import Cut, truncations
from ..escapes import xml
from ..graph import Graph
from ..labels import clean
from ..transform.fold import fold_sums
from .data import LIMIT, Model, PlayerError, fitted

__all__ = ["Model", "PlayerError", "model", "player"]

CUTTABLE = 6_000  # more nodes: running backward five more times would take too long
SCRIPTS = ("player_model.js", "player_stage.js", "player_panel.js", "player.js")
ASIDE = re.compile(  # comments and indentation stay in the sources
    r"^\s*//.*\n| // .*$|^\s*/\*\*.*\*/\n|^\s+", re.MULTILINE
)
ALL_LEVELS = ("arch", "cell", "gate", "op")
MARKER = (  # ends of wires, one per shade
    '<marker id="m{0}" viewBox="0 0 6 6" refX="5.4" refY="3" markerWidth="6.5" markerHeight="6.5" '
    'markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
    '<path class="h{0}" d="{1}"/></marker>'
)
ARROW, CROSS = "M0,.4L6,3L0,5.6z", "M1,1L5,5M5,1L1,5"


def model(graph: Graph) -> Model:
    """Return what the player needs: sums folded, and truncated BPTT while the run is at hand."""
    cuts: list[Cut] = []
    if graph.live is not None and graph.order and len(graph) <= CUTTABLE:
        nodes, roots = graph.live
        cuts = truncations(graph, nodes, roots[0]) if len(roots) == 1 else []
    folded = fold_sums(graph) if graph.steps() else graph
    cuts = [_refolded(cut, graph, folded) for cut in cuts]
    return Model(replace(folded, members=[]), cuts)


def _refolded(cut: Cut, graph: Graph, folded: Graph) -> Cut:
    """Return a cut of a graph as one of the graph whose sums are folded."""
    if not folded.members:
        return cut
    nodes = [replace(n, grad=_norm(cut.nodes.get(n.id))) for n in graph.nodes]
    twin = fold_sums(Graph(nodes, edge_grads=cut.edges, code=graph.code))
    place = {i: node for node, ids in enumerate(twin.members) for i in ids}
    detached = [(place[int(child)], slot) for child, slot in (e.split(":") for e in cut.detached)]
    norms = {n.id: n.grad["norm"] for n in twin.nodes if n.grad is not None}
    cosines = {place[i]: value for i, value in cut.cosines.items()}
    return Cut(cut.k, norms, twin.edge_grads, [f"{c}:{k}" for c, k in detached], cosines)


def _norm(value: float | None) -> dict[str, Any] | None:
    return None if value is None else {"norm": value}


def player(models: Model | Sequence[Model], title: str | None = None) -> str:
    """Return a self-contained HTML page; several models share the slider and the colours.

    A PlayerError says so when even the numbers alone are too many for a browser.
    """
    listed = [models] if isinstance(models, Model) else list(models)
    name = title or " · ".join(model.graph.title for model in listed) or "graph"
    made = [fitted(each, LIMIT // len(listed)) for each in listed]
    data, texts = [each for each, _ in made], [text for _, text in made]
    front = max(len(each["op"]) for each in data)
    back = max(len(each["order"]) for each in data)
    parts = {
        "title": xml(clean(name, 80)),
        "css": _text("player.css"),
        "js": "\n".join(ASIDE.sub("", _text(script)) for script in SCRIPTS),
        "markers": "".join(MARKER.format(c, CROSS if c == "n" else ARROW) for c in "f012345zwn"),
        "levels": "".join(_buttons({name for each in data for name in each["levels"]})),
        "stages": '<div class="stage"><svg role="img"></svg></div>' * len(data),
        "strips": "".join(_strips(data)),
        "cuts": "".join(f'<option value="{c.k}">every {c.k}</option>' for c in listed[0].cuts),
        "hidden": "" if listed[0].cuts else "hidden",
        "backward": str(min(1, back)),
        "end": str(front + back),
        "turn": f"{100 * front / max(1, front + back):.1f}",
        "data": '{"models":[' + ",".join(texts) + "]}",
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _text("player.html"))


def _buttons(levels: set[str]) -> list[str]:
    """Return a button per level; its key is its place among all levels there can be."""
    button = '<button data-key="{}">{}</button>'
    every = enumerate(ALL_LEVELS, start=1)
    return [button.format(key, name) for key, name in every if name in levels]


def _strips(data: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line of the minimap per state of each model."""
    line = (
        '<div data-strip="{},{}"><span>{} ‖∂L/∂{}‖</span>'
        '<div><canvas height="12"></canvas><i></i></div><output></output></div>'
    )
    names = [xml(each["heading"].partition(",")[0]) for each in data]
    return [
        line.format(i, j, names[i] if len(data) > 1 else "", xml(row["label"]))
        for i, each in enumerate(data)
        for j, row in enumerate(each["rows"])
    ]


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
