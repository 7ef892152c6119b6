"""Hold a graph as plain data, JSON schema v1; every view and renderer of `draw` reads it.

Every view starts from a `Graph` and every renderer ends from one, so a picture can be made
from a traced computation, from a file somebody sent, or from what the compiler rewrote.
Nothing here knows the engine. Node ids are creation numbers, dense from 0, and a parent's id
is smaller than its child's: the list of nodes is already a topological order.
"""

from __future__ import annotations

import heapq
import json
import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from .schema import ROLES, SCHEMA, GraphError, check


class Place(NamedTuple):
    """Say where a node stands in the model, as the scopes round it do; None where they say nothing.

    As a tuple it is what nodes of one cell, one gate or one moment have in common.

    >>> Place(layer=0, step=3, gate="forget").cell_place
    Place(phase=None, layer=0, direction=None, step=3, cell=None, gate=None)
    """

    phase: str | None = None  # encoder or decoder: their steps count apart
    layer: Any = None
    direction: str | None = None  # fwd or rev
    step: int | None = None
    cell: str | None = None
    gate: Any = None

    @property
    def moment(self) -> tuple[str, int | None]:
        """Return the step with the phase that it counts in."""
        return (str(self.phase or ""), self.step)

    @property
    def row(self) -> tuple[Any, str | None]:
        """Return layer and direction: what runs along time."""
        return (self.layer, self.direction)

    @property
    def cell_place(self) -> Place:
        """Return the place without its gate."""
        return self._replace(gate=None)

    @property
    def timeless(self) -> Place:
        """Return the place without its step, the same for what repeats in every step."""
        return self._replace(step=None)

    def words(self) -> dict[str, Any]:
        """Return what is known, by the names that scopes have."""
        return {k: v for k, v in zip(SCOPES, self, strict=True) if v is not None}


NOWHERE = Place()
SCOPES = ("phase", "layer", "dir", "step", "cell", "gate")


def place_of(labels: Mapping[str, Any]) -> tuple[Place, dict[str, Any]]:
    """Return the place that labels tell, and the labels that tell something else."""
    known = [labels.get(key) for key in SCOPES]
    if type(known[3]) is not int:  # a step that is not counted is a name like any other
        known[3] = None
    used = {key for key, value in zip(SCOPES, known, strict=True) if value is not None}
    return Place(*known), {k: v for k, v in labels.items() if k not in used}


Call = tuple[str, str, int]  # its name, the kind of module ("" for a function), which call it is


@dataclass(slots=True)
class GraphNode:
    """One tensor: its operation (`op`, None for a leaf), its parents, and its numbers.

    Labels that tell a place become part of `place`; `labels` keeps the others. A number among the
    inputs has no node: its parent is None, and `numbers` holds it by its slot; `options` are the
    words and numbers that the operation was called with. `lines` are the lines of code that made
    it, as (place in the graph's code, line), the innermost first; `calls` are the modules and
    functions that it was made in, the outermost first.
    """

    id: int
    op: str | None = None
    parents: tuple[int | None, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    name: str | None = None
    role: str = "op"
    labels: dict[str, Any] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    value: dict[str, Any] | None = None
    grad: dict[str, Any] | None = None
    place: Place = NOWHERE
    numbers: dict[int, float] = field(default_factory=dict)
    lines: tuple[tuple[int, int], ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    calls: tuple[Call, ...] = ()

    def __post_init__(self) -> None:
        if self.labels:
            told, self.labels = place_of(self.labels)
            self.place = self.place._replace(**{
                k: v for k, v in told._asdict().items() if v is not None
            })  # fmt: skip

    @property
    def step(self) -> int | None:
        """Return the time step this node belongs to, None when it belongs to all or none."""
        return self.place.step

    @property
    def scopes(self) -> dict[str, Any]:
        """Return everything that is said of where the node stands, by name."""
        return self.place.words() | self.labels

    def put(self, **place: Any) -> None:
        """Change some parts of the node's place."""
        self.place = self.place._replace(**place)

    def moved(self, number: int, parents: tuple[int | None, ...]) -> GraphNode:
        """Return the same node with another number, made from other parents."""
        return replace(
            self, id=number, parents=parents, labels=dict(self.labels), numbers=dict(self.numbers)
        )

    @property
    def grad_norm(self) -> float | None:
        """Return ‖∂L/∂node‖, None when backward did not reach the node (never 0 for that)."""
        return None if self.grad is None else self.grad.get("norm")


@dataclass(slots=True)
class Graph:
    """A computation as data; `edge_grads["child:k"]` is the norm that flowed to parent k.

    `members` lists, in a folded graph, the nodes that each node stands for. `live` holds the
    engine's nodes and roots of a graph that was just recorded, and `unfolded` is the graph that
    was folded to this one; neither is part of the data. `code`
    has the functions that made the nodes, each as {file, name, first line, text}.
    """

    nodes: list[GraphNode] = field(default_factory=list)
    title: str = ""
    edge_grads: dict[str, float] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    param_uses: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    edge_samples: dict[str, list[float]] = field(default_factory=dict)
    code: list[dict[str, Any]] = field(default_factory=list)
    members: list[list[int]] = field(default_factory=list)
    live: Any = field(default=None, compare=False, repr=False)
    unfolded: Graph | None = field(default=None, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.nodes)

    def edges(self) -> Iterator[tuple[GraphNode, int, GraphNode]]:
        """Yield (parent, slot, child) for each edge, children in creation order."""
        for child in self.nodes:
            for slot, parent in enumerate(child.parents):
                if parent is not None:
                    yield self.nodes[parent], slot, child

    def edge_grad(self, child: int, slot: int) -> float | None:
        """Return the norm that flowed along one edge, None when nothing was recorded."""
        return self.edge_grads.get(f"{child}:{slot}")

    def children(self) -> list[list[tuple[int, int]]]:
        """Return, per node id, the (child, slot) pairs that use it."""
        uses: list[list[tuple[int, int]]] = [[] for _ in self.nodes]
        for parent, slot, child in self.edges():
            uses[parent.id].append((child.id, slot))
        return uses

    def steps(self) -> list[int]:
        """Return the time steps in order."""
        return sorted({s for s in (node.step for node in self.nodes) if s is not None})

    @property
    def has_gradients(self) -> bool:
        return bool(self.edge_grads) or any(node.grad is not None for node in self.nodes)

    def validate(self) -> Graph:
        """Return the graph itself; a GraphError says which node breaks which rule."""
        for position, node in enumerate(self.nodes):
            _check_node(position, node)
            _check_lines(node, self.code)
        known = range(len(self.nodes))
        for what in ("edge_grads", "edge_samples"):
            for key in getattr(self, what):
                _check_edge(what, key, self)
        for what, ids in (("order", self.order), ("param_uses", self.param_uses)):
            for number in ids:
                if number not in known:
                    raise GraphError(f"{what} names node {number}, which does not exist")
        for number, uses in self.param_uses.items():
            for use in uses:
                _check_edge(f"param_uses of node {number}", f"{use['node']}:{use['k']}", self)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the graph as plain data."""
        nodes = [_node_dict(node) for node in self.nodes]
        uses = {str(key): value for key, value in self.param_uses.items()}
        data: dict[str, Any] = {"schema": SCHEMA, "title": self.title, "nodes": nodes}
        data |= {"edge_grads": self.edge_grads, "order": self.order, "param_uses": uses}
        if self.edge_samples:
            data["edge_samples"] = self.edge_samples
        if self.code:
            data["code"] = self.code
        return data | {"notes": self.notes}

    def to_json(self, indent: int | None = None) -> str:
        """Return the graph as text: the same graph gives the same bytes."""
        try:
            return _text(self.to_dict(), indent)
        except ValueError:  # something is not finite: strict JSON has no word for it
            return _text(_plain(self.to_dict()), indent)

    @classmethod
    def from_dict(cls, data: Any) -> Graph:
        """Return the graph that `to_dict` described; a GraphError on anything else."""
        check(data)
        return _read(data).validate()

    @classmethod
    def from_json(cls, text: str) -> Graph:
        """Return the graph that `to_json` wrote; a GraphError when the text is not one."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:  # no JSON; a number, or a depth, without end
            raise GraphError(f"not JSON: {error}") from error
        return cls.from_dict(data)


Key = TypeVar("Key", bound=Hashable)


def topological_order(ages: Mapping[Key, Any], edges: Iterable[tuple[Key, Key]]) -> list[Key]:
    """Return the keys of `ages`, each after all that lead to it, the oldest first.

    What is on a cycle, or behind one, is left out.

    >>> topological_order({"a": 3, "b": 1, "c": 2}, [("a", "c")])
    ['b', 'a', 'c']
    """
    users: dict[Key, set[Key]] = defaultdict(set)
    for tail, head in edges:
        users[tail].add(head)
    missing = dict.fromkeys(ages, 0)
    for heads in users.values():
        for head in heads:
            missing[head] += 1
    entries = {key: (age, turn, key) for turn, (key, age) in enumerate(ages.items())}
    ready = [entries[key] for key, count in missing.items() if not count]
    heapq.heapify(ready)
    order = []
    while ready:
        key = heapq.heappop(ready)[2]
        order.append(key)
        for head in users[key]:
            missing[head] -= 1
            if not missing[head]:
                heapq.heappush(ready, entries[head])
    return order


def _text(data: Any, indent: int | None) -> str:
    close = (",", ":") if indent is None else None
    options: dict[str, Any] = {"ensure_ascii": False, "allow_nan": False, "separators": close}
    return json.dumps(data, indent=indent, **options) + "\n"


def _read(data: dict[str, Any]) -> Graph:
    uses = data.get("param_uses", {}).items()
    return Graph(
        nodes=[_read_node(node) for node in data["nodes"]],
        title=data.get("title", ""),
        edge_grads={key: float(norm) for key, norm in data.get("edge_grads", {}).items()},
        order=data.get("order", []),
        param_uses={int(key): [_numbers(use) or {} for use in listed] for key, listed in uses},
        notes=data.get("notes", []),
        edge_samples=_numbers(data.get("edge_samples")) or {},
        code=data.get("code", []),
    )


def _read_node(data: dict[str, Any]) -> GraphNode:
    return GraphNode(
        id=data["id"],
        op=data.get("op"),
        parents=tuple(data.get("parents", ())),
        shape=tuple(data.get("shape", ())),
        dtype=data.get("dtype", "float32"),
        name=data.get("name"),
        role=data.get("role", "op"),
        labels=dict(data.get("labels", {})),
        path=tuple(data.get("path", ())),
        value=_numbers(data.get("value")),
        grad=_numbers(data.get("grad")),
        numbers={int(k): float(v) for k, v in data.get("numbers", {}).items()},
        lines=tuple((place, line) for place, line in data.get("lines", ())),
        options=dict(data.get("options", {})),
        calls=tuple((name, kind, place) for name, kind, place in data.get("calls", ())),
    )


def _numbers(stats: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return statistics with "nan" and "inf" read back as floats."""
    if stats is None:
        return None
    words = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

    def number(value: Any) -> Any:
        return words.get(value, value) if isinstance(value, str) else value

    return {
        key: [number(v) for v in value] if isinstance(value, list) else number(value)
        for key, value in stats.items()
    }


def _check_node(position: int, node: GraphNode) -> None:
    if node.id != position:
        raise GraphError(f"node at position {position} has id {node.id}: ids are dense from 0")
    if node.role not in ROLES:
        raise GraphError(f"node {node.id} has role {node.role!r}; roles are {', '.join(ROLES)}")
    if node.op is None and node.parents:
        raise GraphError(f"node {node.id} has parents and no op: a leaf is made of nothing")
    for parent in node.parents:
        if parent is not None and not (isinstance(parent, int) and 0 <= parent < node.id):
            raise GraphError(f"node {node.id} has parent {parent!r}: parents come before it")


def _check_lines(node: GraphNode, code: list[dict[str, Any]]) -> None:
    for place, line in node.lines:
        if not 0 <= place < len(code):
            raise GraphError(f"node {node.id} has line {line} of code {place}, which is not there")


def _check_edge(what: str, key: str, graph: Graph) -> None:
    child, _, slot = key.partition(":")
    if not (child.isdecimal() and slot.isdecimal() and int(child) < len(graph.nodes)):
        raise GraphError(f"{what} names {key!r}, expected 'child:slot'")
    if int(slot) >= len(graph.nodes[int(child)].parents):
        raise GraphError(f"{what} names {key!r}: node {child} has no slot {slot}")


def _node_dict(node: GraphNode) -> dict[str, Any]:
    seldom = {
        "numbers": {str(slot): number for slot, number in node.numbers.items()},
        "options": node.options,
        "lines": [list(line) for line in node.lines],
        "calls": [list(call) for call in node.calls],
    }
    return {key: value for key, value in seldom.items() if value} | {
        "id": node.id,
        "op": node.op,
        "parents": list(node.parents),
        "shape": list(node.shape),
        "dtype": node.dtype,
        "name": node.name,
        "role": node.role,
        "labels": node.scopes,
        "path": list(node.path),
        "value": node.value,
        "grad": node.grad,
    }


def _plain(data: Any) -> Any:
    """Return data that strict JSON can hold: non-finite floats as words, tuples as lists."""
    if isinstance(data, float) and not math.isfinite(data):
        return "NaN" if math.isnan(data) else "Infinity" if data > 0 else "-Infinity"
    if isinstance(data, dict):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_plain(value) for value in data]
    return data
