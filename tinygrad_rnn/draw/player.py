"""The player: a graph, its layouts and its gradients as one offline HTML file.

The file holds three things: the template (player.html, .css, .js), numbers as columns (one list
per property, so that keys are not repeated), and pictures of columns. Every time step that looks
like another shares its picture, so a thousand steps cost a thousand short lists of node ids, and
the script draws only the columns in sight.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from . import wording
from .fold import fold_sums, to_cells
from .graph import Graph, GraphNode
from .labels import clean, glyph
from .player_excerpt import Excerpt, excerpt
from .player_levels import levels
from .truncation import Cut, truncations

LIMIT = 5_000_000  # bytes of data; a browser opens that in well under a second
CUTTABLE = 6_000  # more nodes: running backward five more times would take too long
LEAST = 80  # bytes a node needs when only norms are kept
SAMPLES = (64, 32, 16, 8, 4)
SCRIPTS = ("player_model.js", "player_stage.js", "player_panel.js", "player.js")

COMMENT = re.compile(r"^\s*//.*\n| // .*$|^\s*/\*\*.*\*/\n", re.MULTILINE)  # stay in the sources
ALL_LEVELS = ("arch", "cell", "gate", "op")
MARKER = (  # arrow heads, one per shade
    '<marker id="m{0}" viewBox="0 0 6 6" refX="5.4" refY="3" markerWidth="6.5" markerHeight="6.5" '
    'markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
    '<path class="h{0}" d="M0,.4L6,3L0,5.6z"/></marker>'
)


class PlayerError(ValueError):
    """The graph does not fit into a player file; the text says what to do."""


@dataclass(slots=True)
class Model:
    """What the player shows of one computation; the graph is not folded."""

    graph: Graph
    cuts: Sequence[Cut] = ()


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
    twin = fold_sums(Graph(nodes, edge_grads=cut.edges))
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
    fitted = [_fitted(each, LIMIT // len(listed)) for each in listed]
    data, texts = [each for each, _ in fitted], [text for _, text in fitted]
    front = max(len(each["op"]) for each in data)
    back = max(len(each["order"]) for each in data)
    parts = {
        "title": html.escape(clean(name, 80)),
        "css": _text("player.css"),
        "js": "\n".join(COMMENT.sub("", _text(script)) for script in SCRIPTS),
        "markers": "".join(MARKER.format(name) for name in "f012345zn"),
        "levels": "".join(_buttons({name for each in data for name in each["levels"]})),
        "stages": '<div class="stage"></div>' * len(data),
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
    names = [html.escape(each["heading"].partition(",")[0]) for each in data]
    return [
        line.format(i, j, names[i] if len(data) > 1 else "", html.escape(row["label"]))
        for i, each in enumerate(data)
        for j, row in enumerate(each["rows"])
    ]


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _json(data: Any) -> str:
    """Return JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _fitted(model: Model, limit: int) -> tuple[dict[str, Any], str]:
    """Return the model's data and its JSON, with as many sampled values as the limit allows."""
    if LEAST * len(model.graph) > limit:
        return _coarser(model, limit, LEAST * len(model.graph))
    data = model_data(model)
    text = _json(data)
    for leave_out in (_all_but_norms, _cuts):
        if len(text.encode()) > limit:
            leave_out(data)
            text = _json(data)
    room = limit - len(text.encode())
    if room < 0:
        return _coarser(model, limit, limit - room)
    return data, _json(data) if _add_samples(data, model.graph, room) else text


def _all_but_norms(data: dict[str, Any]) -> None:
    for key in ("v", "g"):
        data[key] = {"norm": data[key]["norm"], "sample": []}
    data["notes"].append("Only norms are kept: the graph is large.")


def _cuts(data: dict[str, Any]) -> None:
    if data["cuts"]:
        data["cuts"] = []
        data["notes"].append("Truncated BPTT is left out: the graph is large.")


def _coarser(model: Model, limit: int, need: int) -> tuple[dict[str, Any], str]:
    """Return the data of the graph folded to cells; a PlayerError when that is no smaller."""
    graph = model.graph
    folded = replace(to_cells(graph), members=[])
    if 2 * len(folded) > len(graph):
        raise PlayerError(
            f"graph has {len(graph):,} ops; the player would need {need / 1e6:.1f} MB "
            f"(limit {limit / 1e6:.1f}). Draw a part of it, or fewer steps."
        )
    folded.notes.append(f"Folded to cells: the graph has {len(graph):,} ops.")
    return _fitted(Model(folded), limit)


def model_data(model: Model) -> dict[str, Any]:
    """Return everything about one model except sampled values, as JSON-ready columns."""
    graph = model.graph
    nodes = graph.nodes
    data: dict[str, Any] = {"heading": clean(graph.title, 80), "notes": list(graph.notes)}
    ops, op_of = _numbered([(node.op, glyph(node.op)) for node in nodes])
    shapes, shape_of = _numbered([node.shape for node in nodes])
    dtypes, dtype_of = _numbered([node.dtype for node in nodes])
    labels, label_of = _numbered([_labels(node) for node in nodes])
    short_form = excerpt(graph)
    words, words_of = _numbered(_all_words(graph, short_form))
    data |= {"ops": ops, "op": op_of, "shapes": shapes, "shape_of": shape_of}
    data |= {"dtypes": dtypes, "dtype_of": dtype_of, "labels": labels, "label_of": label_of}
    data |= {"wording": words, "words_of": words_of}
    data["names"] = [clean(node.name) if node.name else 0 for node in nodes]
    data["roles"] = [node.role for node in nodes]
    data["step"] = [node.step for node in nodes]
    data["parents"] = [node.parents for node in nodes]
    data["v"] = _columns([node.value for node in nodes])
    data["g"] = _columns([node.grad for node in nodes])
    data["e"] = [_edges(graph.edge_grads, node) for node in nodes]
    data["order"] = graph.order
    data["last"] = max(graph.steps(), default=0)
    data["rows"] = state_rows(graph)
    data["levels"] = levels(short_form)
    data["cuts"] = [_cut(cut, graph) for cut in model.cuts]
    return data


def _numbered(values: Sequence[Hashable]) -> tuple[list[Any], list[int]]:
    """Return the different values in order, and for each value its place among them."""
    places: dict[Hashable, int] = {}
    which = [places.setdefault(value, len(places)) for value in values]
    return list(places), which


def _labels(node: GraphNode) -> tuple[str, ...]:
    """Return the words that say where a node belongs, its step left out."""
    labels = [f"{k} {v}" for k, v in node.labels.items() if k not in ("step", "cell")]
    return (clean(" / ".join(node.path), 60), *(clean(label) for label in labels))


def _all_words(graph: Graph, short_form: Excerpt) -> list[tuple[str, ...]]:
    """Return formula and rules of every node, written once for steps that are alike."""
    twins = short_form.models()
    made: list[tuple[str, ...]] = [("",)] * len(graph)
    for node in sorted(graph.nodes, key=lambda node: node.id in twins):
        twin = twins.get(node.id)
        if twin is not None and _reads_like(node, graph.nodes[twin], graph, made):
            made[node.id] = made[twin]
        elif node.op:
            made[node.id] = (wording.formula(graph, node), *wording.rules(graph, node))
    return made


def _reads_like(a: GraphNode, b: GraphNode, graph: Graph, made: Sequence[tuple[str, ...]]) -> bool:
    """True if all that two nodes refer to is equally far away, and itself reads alike."""
    for p, q in zip(a.parents, b.parents, strict=True):
        if p is None or q is None:
            return False
        fixed = graph.nodes[p].role in ("param", "const")
        if made[p] != made[q] or (p != q if fixed else p - a.id != q - b.id):
            return False
    return True


def short(value: float | None, form: str = "%.5g") -> float | str | None:
    """Return a number with few digits; what JSON cannot hold becomes a word."""
    if value is None or isinstance(value, str):
        return value
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    rounded = float(form % value)
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e5 else rounded


def _columns(stats: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    columns: dict[str, Any] = {
        key: [short(each.get(key), form) if each else None for each in stats]
        for key, form in (("norm", "%.5g"), ("min", "%.3g"), ("max", "%.3g"), ("mean", "%.3g"))
    }
    return columns | {"sample": []}


def _edges(norms: Mapping[str, float], node: GraphNode) -> list[Any]:
    return [short(norms.get(f"{node.id}:{slot}")) for slot in range(len(node.parents))]


def _cut(cut: Cut, graph: Graph) -> dict[str, Any]:
    return {
        "k": cut.k,
        "edges": cut.detached,
        "g": [short(cut.nodes.get(node.id), "%.4g") for node in graph.nodes],
        "e": [_edges(cut.edges, node) for node in graph.nodes],
        "cos": {str(key): short(value, "%.4g") for key, value in cut.cosines.items()},
    }


def _add_samples(data: dict[str, Any], graph: Graph, room: int) -> bool:
    """Add the longest samples of values and gradients that fit; False when none do."""
    if room < 20 * len(graph):
        return False
    both = [[_sample(node.value) for node in graph.nodes], [_sample(n.grad) for n in graph.nodes]]
    sizes = [len(sample) for part in both for sample in part]
    most = next((n for n in SAMPLES if _bytes(sizes, n) < room - 6 * len(graph)), 0)
    for key, part in zip(("v", "g"), both, strict=True):
        cut = [[short(value, "%.4g") for value in sample[:most]] for sample in part] if most else []
        data[key]["sample"] = [sample or 0 for sample in cut]
    return most > 0


def _bytes(sizes: list[int], most: int) -> int:
    return 9 * sum(min(most, size) for size in sizes)


def _sample(stats: Mapping[str, Any] | None) -> list[float]:
    return list((stats or {}).get("sample") or [])


def state_rows(graph: Graph) -> list[dict[str, Any]]:
    """Return per state (a node used by another step) its ids in step order: the minimap's rows."""
    rows: dict[tuple[Any, ...], dict[int, int]] = {}
    for parent, _, child in graph.edges():
        if parent.step is None or child.step is None or parent.step == child.step:
            continue
        if parent.op is not None and parent.role == "op" and parent.shape:
            key = (_family(parent), *sorted((k, str(v)) for k, v in _placed(parent)))
            rows.setdefault(key, {})[parent.step] = parent.id
    _add_last(graph, rows)
    return [
        {"label": _row_label(graph.nodes[max(ids.values())]), "ids": [ids[t] for t in sorted(ids)]}
        for ids in rows.values()
        if len(ids) > 1
    ]


def _family(node: GraphNode) -> str:
    return re.sub(r"\d+", "#", node.name) if node.name else f"{node.op} of {' / '.join(node.path)}"


def _placed(node: GraphNode) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in node.labels.items() if key in ("layer", "dir")]


def _add_last(graph: Graph, rows: dict[tuple[Any, ...], dict[int, int]]) -> None:
    """Add the state of the last step, which no later step uses."""
    named = {key[0]: key for key in rows if "#" in key[0]}
    for node in graph.nodes:
        key = named.get(_family(node)) if node.name and node.step is not None else None
        if key is not None and key[1:] == tuple(sorted((k, str(v)) for k, v in _placed(node))):
            rows[key].setdefault(node.step, node.id)  # type: ignore[arg-type]


def _row_label(node: GraphNode) -> str:
    if node.name:
        return clean(node.name).replace(f"⟨{node.step}⟩", "⟨t⟩")
    return " ".join([glyph(node.op), *(f"{key} {value}" for key, value in _placed(node))])
