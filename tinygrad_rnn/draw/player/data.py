"""Collect what the player knows of a graph, one list per property, for `player.page`.

Numbers have as many digits as a reader can use, and samples of arrays are as long as the limit
allows. What a browser could not open in good time is folded to cells, and the page says so.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..capture.statistics import digits
from ..capture.truncation import Cut
from ..escapes import json_in_html
from ..graph import Graph, GraphNode
from ..labels import clean, clean_code, glyph
from ..transform import formulas
from ..transform.fold import to_cells
from .cost import cost
from .excerpt import Excerpt, excerpt
from .levels import levels
from .slopes import slopes
from .states import state_rows

LIMIT = 5_000_000  # bytes of data; a browser opens that in well under a second
LEAST = 80  # bytes a node needs when only norms are kept
MANY = 10_000  # nodes: above, only norms are kept
SAMPLES = (64, 32, 16, 8, 4)


class PlayerError(ValueError):
    """The graph does not fit into a player file; the text says what to do."""


@dataclass(slots=True)
class Model:
    """Hold what the player shows of one computation; the graph is not folded."""

    graph: Graph
    cuts: Sequence[Cut] = ()


def fitted(model: Model, limit: int) -> tuple[dict[str, Any], str]:
    """Return the model's data and its JSON, with as many sampled values as the limit allows."""
    if LEAST * len(model.graph) > limit:
        return _coarser(model, limit, LEAST * len(model.graph))
    data = model_data(model)
    text = json_in_html(data)
    for leave_out in (_all_but_norms, _cuts):
        if len(text.encode()) > limit:
            leave_out(data)
            text = json_in_html(data)
    room = limit - len(text.encode())
    if room < 0:
        return _coarser(model, limit, limit - room)
    return data, json_in_html(data) if _add_samples(data, model.graph, room) else text


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
    return fitted(Model(folded), limit)


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
    keys = ("norm",) if len(nodes) > MANY else ("norm", "min", "max", "mean")
    data["v"] = _columns([node.value for node in nodes], keys)
    data["g"] = _columns([node.grad for node in nodes], keys)
    data["e"] = _edges(graph.edge_grads, nodes)
    data["order"] = graph.order
    data["last"] = max(graph.steps(), default=0)
    data["rows"] = state_rows(graph)
    data["levels"] = levels(short_form)
    data["cuts"] = [_cut(cut, graph) for cut in model.cuts]
    return data | _code(graph)


def _code(graph: Graph) -> dict[str, Any]:
    """Return the functions that made the graph, and per node its lines and its cost."""
    functions = [one | {"text": clean_code(one["text"])} for one in graph.code]
    if not functions:
        return {"code": []}
    chains, chain_of = _numbered([node.lines for node in graph.nodes])
    costs = [cost(graph, node) for node in graph.nodes]
    return {"code": functions, "chains": chains, "chain_of": chain_of, "cost": costs}


def _numbered(values: Sequence[Hashable]) -> tuple[list[Any], list[int]]:
    """Return the different values in order, and for each value its place among them."""
    places: dict[Hashable, int] = {}
    which = [places.setdefault(value, len(places)) for value in values]
    return list(places), which


def _labels(node: GraphNode) -> tuple[str, ...]:
    """Return the words that say where a node belongs, its step left out."""
    labels = [f"{k} {v}" for k, v in node.scopes.items() if k not in ("step", "cell")]
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
            made[node.id] = (formulas.formula(graph, node), *formulas.rules(node))
    return made


def _reads_like(a: GraphNode, b: GraphNode, graph: Graph, made: Sequence[tuple[str, ...]]) -> bool:
    """Return True if the inputs of two nodes in the same place of alike steps read alike."""
    if a.numbers != b.numbers or a.options != b.options:
        return False
    nodes, pairs = graph.nodes, zip(a.parents, b.parents, strict=True)
    inner = ((p, q) for p, q in pairs if p is not None and q is not None)
    return all(made[p] == made[q] and bool(nodes[p].name) == bool(nodes[q].name) for p, q in inner)


def short(values: Sequence[Any], kept: int = 5) -> list[Any]:
    """Return numbers with few digits; what JSON cannot hold becomes a word, None stays None."""
    known = [v if isinstance(v, float | int) and math.isfinite(v) else math.nan for v in values]
    rounded = digits(np.array(known, float), kept).tolist()
    return [
        _odd(v) if r != r else int(r) if r.is_integer() and abs(r) < 1e5 else r
        for v, r in zip(values, rounded, strict=True)
    ]


def _odd(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"


def _short_each(lists: Sequence[Sequence[Any]], kept: int = 5) -> list[list[Any]]:
    made = iter(short([value for one in lists for value in one], kept))
    return [[next(made) for _ in one] for one in lists]


def _columns(stats: Sequence[Mapping[str, Any] | None], keys: Sequence[str]) -> dict[str, Any]:
    columns: dict[str, Any] = {
        key: short([each.get(key) if each else None for each in stats], 5 if key == "norm" else 3)
        for key in keys
    }
    return columns | {"sample": []}


def _edges(norms: Mapping[str, float], nodes: Sequence[GraphNode]) -> list[list[Any]]:
    return _short_each(
        [[norms.get(f"{node.id}:{slot}") for slot in range(len(node.parents))] for node in nodes]
    )


def _cut(cut: Cut, graph: Graph) -> dict[str, Any]:
    return {
        "k": cut.k,
        "edges": cut.detached,
        "g": short([cut.nodes.get(node.id) for node in graph.nodes], 4),
        "e": _edges(cut.edges, graph.nodes),
        "cos": dict(zip(map(str, cut.cosines), short(list(cut.cosines.values()), 4), strict=True)),
    }


def _add_samples(data: dict[str, Any], graph: Graph, room: int) -> bool:
    """Add the longest samples of values and gradients that fit; False when none do."""
    if room < 20 * len(graph):
        return False
    both = [[_sample(node.value) for node in graph.nodes], [_sample(n.grad) for n in graph.nodes]]
    sizes = np.array([len(sample) for part in both for sample in part])
    most = next((n for n in SAMPLES if _bytes(sizes, n) < room - 6 * len(graph)), 0)
    for key, part in zip(("v", "g"), both, strict=True):
        cut = _short_each([sample[:most] for sample in part], 4) if most else []
        data[key]["sample"] = [sample or 0 for sample in cut]
    data["local"] = [_short_each(slopes(graph, n), 4) if most else [] for n in graph.nodes]
    return most > 0


def _bytes(sizes: np.ndarray, most: int) -> int:
    return 9 * int(np.minimum(sizes, most).sum())


def _sample(stats: Mapping[str, Any] | None) -> list[float]:
    return list((stats or {}).get("sample") or [])
