"""Name nodes by the book's letters where the code gave none, for `run_to_graph`.

A state called h in code is a⟨t⟩ in the book; the value of a gate is Γ with the gate's letter;
x[t] of an input x is x⟨t⟩. Names that a user gave stay, with ⟨t⟩ where a name repeats in time.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from ...analysis.turns import Loop
from ..graph import Graph, GraphNode
from ..labels import GATES

BOOK = {"h": "a"}
STATES = ("h", "c", "a")


def name_nodes(graph: Graph) -> Graph:
    """Return the graph, changed in place, with the book's names."""
    _initial_states(graph)
    _gate_values(graph)
    _slices(graph)
    _joined(graph)
    repeated = Counter(node.name for node in graph.nodes if node.name and node.role != "param")
    deep = len({node.place.layer for node in graph.nodes} - {None}) > 1
    both = len({node.place.direction for node in graph.nodes} - {None}) > 1
    for node in graph.nodes:
        if node.name in STATES and node.place.cell is not None:
            node.name = _state_name(node, deep, both)
        elif node.name and repeated[node.name] > 1 and not re.search(r"⟨|Γ|c̃|\[.*,", node.name):
            node.name += _when(node)
    return graph


def _when(node: GraphNode) -> str:
    """Return ⟨3⟩ in step 3, ⟨3.1⟩ in the first turn of a loop inside it, "" outside of time."""
    step, turn = node.labels.get("before", node.step), node.labels.get("turn")
    inner = "" if turn is None else f".{turn}"
    return "" if step is None else f"⟨{step}{inner}⟩"


def _state_name(node: GraphNode, deep: bool, both: bool) -> str:
    """Return the letter of a state with its layer, direction and step: a[2]→⟨3⟩."""
    layer = f"[{_layer(node)}]" if deep and node.place.layer is not None else ""
    way = {"fwd": "→", "rev": "←"}.get(str(node.place.direction), "") if both else ""
    letter = BOOK.get(node.name or "", node.name)
    return f"{letter}{layer}{way}{_when(node)}"


def _layer(node: GraphNode) -> object:
    layer = node.place.layer
    return layer + 1 if isinstance(layer, int) else layer


def _gate_values(graph: Graph) -> None:
    """Name the last node of each gate after the gate."""
    gated = (node for node in graph.nodes if node.place.gate is not None and node.op)
    last = {node.place: node for node in gated}
    for place, node in last.items():
        node.name = node.name or GATES.get(str(place.gate))


def _slices(graph: Graph) -> None:
    """Name x[t] of an input after the input and the step that reads it."""
    for node in graph.nodes:
        if node.op != "getitem" or node.name or node.step is None or not node.parents:
            continue
        parent = graph.nodes[node.parents[0]] if node.parents[0] is not None else None
        if parent is None:
            continue
        if parent.op is None and parent.role in ("input", "target") or _is_table(graph, parent):
            target = parent.role == "target" or node.place.phase == "decoder"
            base = parent.name or ("y" if target else "x")
            node.name = base.lower() + _when(node)


def _is_table(graph: Graph, node: GraphNode) -> bool:
    """Return True for the rows of a table that symbols chose, as an embedding does."""
    if node.op != "getitem" or node.step is not None:
        return False
    return any(p is not None and graph.nodes[p].role == "param" for p in node.parents)


def _joined(graph: Graph) -> None:
    """Call [h, x] by the book's letters, with the gate that acts on h where one does."""
    for node in graph.nodes:
        if node.name == "[h,x]":
            state = graph.nodes[node.parents[0] or 0] if node.parents else node
            inputs = (graph.nodes[p].name or "" for p in state.parents if p is not None)
            gate = next((name for name in inputs if name.startswith("Γ")), "")
            acts = state.op == "mul" and not state.name and gate
            node.name = f"[{gate}∘a,x]" if acts else "[a,x]"


def _initial_states(graph: Graph) -> None:
    """Give the first states their role and name: leaves standing where a state stands later."""
    places, nodes = _places(graph)
    for parent, slot, child in graph.edges():
        if parent.op is not None or parent.role in ("param", "state") or child.id not in places:
            continue
        later = _same_place(graph, places, nodes, child, slot)
        if later is not None and later.op:
            _make_initial(parent, later)


def _make_initial(node: GraphNode, later: GraphNode) -> None:
    """Turn a leaf into the state before the first step, named like the state it stands for."""
    node.role = "state"
    step = later.step or 1
    node.place = later.place._replace(step=None, gate=None)
    node.labels = {"before": step + 1 if later.place.direction == "rev" else step - 1}
    node.name = node.name or later.name


def tell_apart(graph: Graph) -> None:
    """Number the parameters that have one name, so that no two are taken for one."""
    counts: Counter[str] = Counter()
    taken = {node.name for node in graph.nodes if node.role == "param"}
    for node in (node for node in graph.nodes if node.role == "param" and node.name):
        base = str(node.name)
        counts[base] += 1
        while counts[base] > 1 and f"{base} ({counts[base]})" in taken:
            counts[base] += 1
        node.name = base if counts[base] == 1 else f"{base} ({counts[base]})"


Spot = tuple[Any, ...]  # place, other labels, step, operation, running number


def _same_place(
    graph: Graph, places: dict[int, Spot], nodes: dict[Spot, int], child: GraphNode, slot: int
) -> GraphNode | None:
    """Return what stands in the same slot of the same operation one step later."""
    scope, step, *rest = places[child.id]
    move = -1 if child.place.direction == "rev" else 1
    twin = nodes.get((scope, step + move, *rest))
    parent = graph.nodes[twin].parents[slot] if twin is not None else None
    found = graph.nodes[parent] if parent is not None else None
    return found if found is not None and found.step == child.step else None


def _places(graph: Graph) -> tuple[dict[int, Spot], dict[Spot, int]]:
    """Return where each operation stands in its step, and the operation of each such place."""
    counts: Counter[Spot] = Counter()
    places: dict[int, Spot] = {}
    for node in graph.nodes:
        if node.op is None or node.step is None:
            continue
        scope = (node.place.timeless, *sorted((k, str(v)) for k, v in node.labels.items()))
        key: Spot = (scope, node.step, node.op)
        places[node.id] = (*key, counts[key])
        counts[key] += 1
    return places, {place: node for node, place in places.items()}


def spread_names(graph: Graph, found: list[Loop], spoken: set[int]) -> None:
    """Give what every turn makes and reads the variable's name that it has in the last turn.

    Variables hold the last turn alone when a function returns; `spoken` are the nodes they name.
    """
    for loop in found:
        for column in loop.columns():
            _spread(graph, column, spoken)
            for slot in range(len(graph.nodes[column[0]].parents)):
                _spread(graph, _leaves(graph, column, slot), spoken)


def _spread(graph: Graph, column: tuple[int, ...], spoken: set[int]) -> None:
    names = (graph.nodes[i].name for i in reversed(column) if i in spoken)
    name = next(filter(None, names), None)
    for node in (graph.nodes[i] for i in column):
        if name and node.role not in ("loss", "param") and (node.id in spoken or not node.name):
            node.name = name
            spoken.add(node.id)  # what stands there in the turns of a loop round this one


def _leaves(graph: Graph, column: tuple[int, ...], slot: int) -> tuple[int, ...]:
    """Return the leaves that an operation reads in each turn, if it reads another in each."""
    parents = [graph.nodes[i].parents[slot] for i in column]
    leaves = {p for p in parents if p is not None and graph.nodes[p].op is None}
    return tuple(p for p in parents if p is not None) if len(leaves) == len(column) else ()
