"""Lay out equal time steps once, so that every step looks the same, for `unrolled`.

Two columns share a template when their nodes, names with digits masked, and connections are
the same. Inside a template a node is its position in the column, so a template can be stamped
any number of times and every step looks the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from .. import labels
from ..graph import GraphNode
from ..transform.columns import Column, ColumnPlan, masked
from ..transform.convex import convex
from .blocks import Block, Composer, Edge, Key, leaf

LEFT, RIGHT = -1, 1


@dataclass(slots=True)
class Template:
    """The block of a column; `sources[e]` are its outer sources, `sides[e]` their sides."""

    block: Block
    faces: dict[Key, labels.Face]
    bands: int = 1


@dataclass(slots=True)
class Shape:
    """A column in local numbers: what the signature and the layout are made from."""

    nodes: list[GraphNode]
    edges: list[Edge] = field(default_factory=list)
    chips: dict[Key, GraphNode] = field(default_factory=dict)
    outer: dict[object, int] = field(default_factory=dict)  # source, or lane → its number
    sides: list[int] = field(default_factory=list)
    thin: set[Key] = field(default_factory=set)  # lanes that bear no name

    def outside(self, source: object, side: int) -> Key:
        """Return the key of a source that lies in another column."""
        if source not in self.outer:
            self.outer[source] = len(self.outer)
            self.sides.append(side)
        return (-1 - self.outer[source],)


def shape_of(plan: ColumnPlan, index: int) -> Shape:
    """Return one column in local numbers."""
    column = plan.columns[index]
    shape = Shape([plan.graph.nodes[i] for i in column.ids])
    local = {node.id: i for i, node in enumerate(shape.nodes)}
    for i, node in enumerate(shape.nodes):
        for slot, parent in enumerate(node.parents):
            if parent is None:
                continue
            key = _source(plan, shape, local, (i, node.id, slot, parent), index)
            shape.edges.append((key, i, slot))
    return shape


def _source(
    plan: ColumnPlan,
    shape: Shape,
    local: dict[int, int],
    use: tuple[int, int, int, int],
    index: int,
) -> Key:
    i, child, slot, parent = use
    if (child, slot) in plan.chips:
        shape.chips[(i, slot)] = plan.graph.nodes[parent]
        return (i, slot)
    if parent in local and (child, slot) not in plan.states:
        return (local[parent],)
    if (child, slot) in plan.lanes:
        lane = shape.outside(plan.lanes[(child, slot)], LEFT)
        shape.thin.add(lane)
        return lane
    home = plan.where.get(parent)
    late = plan.graph.nodes[parent].place.direction == "rev" if home is None else home > index
    return shape.outside(parent, RIGHT if late else LEFT)


def signature(shape: Shape) -> tuple[object, ...]:
    """Return what must be equal for two columns to share a template."""
    chips = {key: masked(labels.caption(node)) for key, node in shape.chips.items()}
    kinds = tuple(
        (
            node.op,
            node.role,
            masked(node.name),
            (node.place.timeless, *sorted(node.labels.items(), key=str)),
            labels.sign_of(node),
            len(node.parents),
        )
        for node in shape.nodes
    )
    return (kinds, tuple(shape.edges), tuple(sorted(chips.items())), tuple(shape.sides))


def template(shape: Shape, leaving: set[int], values: str, inner: bool = True) -> Template:
    """Return the layout of a column whose nodes `leaving` (local) go on to other columns."""
    faces: dict[Key, labels.Face] = {
        (i,): labels.face(node, values) for i, node in enumerate(shape.nodes)
    }
    faces |= {key: labels.chip(node) for key, node in shape.chips.items()}
    owners = {key: key[:1] for key in faces}
    bands = _groups(shape, owners, _band) if inner else {}
    bands = {key: band for key, band in bands.items() if band is not None}
    gates = _groups(shape, owners, _gate) if inner else {}
    links = [(source, (child,)) for source, child, _ in shape.edges]
    sound = convex(bands, links)
    bands = {key: band for key, band in bands.items() if band in sound}
    sound = convex(gates, links)
    gates = {key: gate for key, gate in gates.items() if gate in sound}
    builder = _Builder(shape, faces, leaving)
    return Template(builder.column(bands, gates), faces, len(set(bands.values())))


def _band(node: GraphNode) -> object:
    """Return turn of an inner loop, layer and direction of a node; each gets rows of its own."""
    layer, way = node.place.row
    turn = node.labels.get("turn")
    if turn is not None:
        return (f"turn {turn}" if layer is None else f"turn {turn}, {_layer_name(layer)}", way)
    return (layer, way) if node.place.cell is not None or (layer, way) != (None, None) else None


def _gate(node: GraphNode) -> object:
    gate = node.place.gate
    if gate is None and node.place.cell is None and node.calls and node.calls[-1][1]:
        return (_band(node), *node.calls[-1])
    return None if gate is None else (_band(node), gate)


def _groups(shape: Shape, owners: dict[Key, Key], rule: object) -> dict[Key, object]:
    """Return the group of each node and chip; groups of a single node do not count."""
    found = {key: rule(shape.nodes[owner[0]]) for key, owner in owners.items()}  # type: ignore[operator]
    count: dict[object, int] = defaultdict(int)
    for key, group in found.items():
        count[group] += len(key) == 1
    return {key: group for key, group in found.items() if group is not None and count[group] > 1}


@dataclass(slots=True)
class _Builder:
    shape: Shape
    faces: dict[Key, labels.Face]
    leaving: set[int]

    def column(self, bands: dict[Key, object], gates: dict[Key, object]) -> Block:
        """Return gates composed into bands, bands and the rest composed into the column."""
        names = sorted(set(bands.values()), key=str)
        deep = len({name[0] for name in names}) > 1  # type: ignore[index]
        both = len({name[1] for name in names}) > 1  # type: ignore[index]
        titles = [_band_label(name, deep, both) for name in names]  # type: ignore[arg-type]
        parts = [
            self._band_block(name, bands, gates, title if len(names) > 1 else None)
            for name, title in zip(names, titles, strict=True)
        ]
        rest = [key for key in self.faces if key not in bands]
        parts += self._parts(rest, {k: g for k, g in gates.items() if k not in bands})
        return self._compose(parts, lanes=True)

    def _band_block(
        self, name: object, bands: dict[Key, object], gates: dict[Key, object], title: str | None
    ) -> Block:
        keys = [key for key in self.faces if bands.get(key) == name]
        inside = {key: gate for key, gate in gates.items() if key in set(keys)}
        block = self._compose(self._parts(keys, inside), lanes=True)
        block.kind = "band"
        return block if title is None else block.framed(title, "band")

    def _parts(self, keys: list[Key], gates: dict[Key, object]) -> list[Block]:
        """Return leaves, and one framed block per gate, in creation order."""
        parts: list[Block] = []
        done: set[object] = set()
        for key in keys:
            gate = gates.get(key)
            if gate is None:
                parts.append(leaf(key, self.faces[key].w, self.faces[key].h))
            elif gate not in done:
                done.add(gate)
                members = [k for k in keys if gates.get(k) == gate]
                parts.append(self._gate_block(gate, members))
        return parts

    def _gate_block(self, gate: object, members: list[Key]) -> Block:
        leaves = [leaf(key, self.faces[key].w, self.faces[key].h) for key in members]
        block = self._compose(leaves, lanes=False)
        return block.framed(labels.clean(gate[1]), "gate")  # type: ignore[index]

    def _compose(self, parts: list[Block], lanes: bool) -> Block:
        keys = {key for part in parts for key in part.places}
        edges = [edge for edge in self.shape.edges if (edge[1],) in keys]
        used = {edge[0] for edge in self.shape.edges if (edge[1],) not in keys} & keys
        away = keys.intersection((i,) for i in self.leaving)
        if lanes:
            outer = {key for key in (e[0] for e in edges) if key[0] < 0}
            return Composer(parts, edges, outer, away, used, self.shape.thin).block()
        return Composer(parts, edges, None, None, used | away).block()


def _band_label(name: tuple[object, object], deep: bool, both: bool) -> str:
    layer, way = name
    words = {"fwd": "forward →", "rev": "reverse ←"}.get(str(way), "") if both else ""
    text = "" if layer is None else _layer_name(layer)
    text = text if deep or isinstance(layer, str) else ""
    return labels.clean(", ".join(filter(None, (text, words))))


def _layer_name(layer: object) -> str:
    return f"layer {layer + 1}" if type(layer) is int else str(layer)


def templates(
    plan: ColumnPlan, values: str = "none", inner: bool = True
) -> list[tuple[Shape, Template]]:
    """Return the local shape and the template of each column; alike columns share one."""
    shapes = [shape_of(plan, i) for i in range(len(plan.columns))]
    signs = [signature(shape) for shape in shapes]
    leaving: dict[object, set[int]] = defaultdict(set)
    for (child, slot), column in _sources(plan):
        parent = plan.graph.nodes[child].parents[slot]
        leaving[signs[column]].add(plan.columns[column].ids.index(parent))  # type: ignore[arg-type]
    made: dict[object, Template] = {}
    for shape, sign in zip(shapes, signs, strict=True):
        if sign not in made:
            made[sign] = template(shape, leaving[sign], values, inner)
    return [(shape, made[sign]) for shape, sign in zip(shapes, signs, strict=True)]


def _sources(plan: ColumnPlan) -> list[tuple[tuple[int, int], int]]:
    """Return the edges that leave a column by a lane, with that column."""
    crossing = [*plan.states, *(edge for edges in plan.gathers.values() for edge in edges)]
    found = []
    for child, slot in sorted(crossing):
        home = plan.where.get(plan.graph.nodes[child].parents[slot])  # type: ignore[arg-type]
        if home is not None:
            found.append(((child, slot), home))
    return found


def column_title(column: Column) -> str:
    return "" if column.label in (None, "before", "between", "after") else str(column.label)
