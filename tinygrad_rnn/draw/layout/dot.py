"""A graph as DOT, the native tongue of Graphviz, twice.

`dot_text` writes no positions: the recipe that `dot` itself draws well and fast, with a chip per
use of a parameter and invisible fences that keep the steps in time order. `dot_scene` writes the
positions of a finished scene, so `neato -n2` gives the same picture as the built-in renderer.
"""

from __future__ import annotations

from collections import defaultdict

from .. import labels
from ..graph import Graph, GraphNode
from ..palette import THEMES, Scale, Theme
from ..render.svg import num
from ..scene import Box, Patch, Point, Scene
from ..transform.columns import Plan, plan

GATHERED = 6
HEAD = (
    "digraph {\n"
    " rankdir=LR; newrank=true; nodesep=.14; ranksep=.26; mclimit=.5;"
    ' fontname="Helvetica"; fontsize=11;\n'
    ' node [shape=box style="filled,rounded" fontname="Helvetica" fontsize=10 height=.28'
    ' width=.4 margin="0.06,0.03" penwidth=.8];\n'
    ' edge [arrowsize=.55 fontname="Helvetica" fontsize=8];\n'
)


def quoted(text: str) -> str:
    """Return text as a DOT string: backslashes and quotes cannot end it or start an escape."""
    lines = [line.replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n")]
    return '"' + "\\n".join(lines) + '"'


def dot_text(
    graph: Graph, palette: str = "cividis", theme: str = "light", chips: bool = True
) -> str:
    """Return DOT without positions; `chips=False` draws parameters once, which `dot` survives
    only for a few steps."""
    return _Recipe(
        graph, Scale.over(graph.edge_grads.values(), palette), THEMES[theme], chips
    ).text()


class _Recipe:
    def __init__(self, graph: Graph, scale: Scale, theme: Theme, chips: bool) -> None:
        self.graph, self.scale, self.theme, self.chips = graph, scale, theme, chips
        self.plan: Plan = plan(graph)
        self.lines: list[str] = []

    def text(self) -> str:
        self.lines = [HEAD + f" label={quoted(labels.clean(self.graph.title, 120))}; labelloc=t;"]
        stepped = [i for i, c in enumerate(self.plan.columns) if c.step is not None]
        for index, column in enumerate(self.plan.columns):
            if index in stepped:
                self._cluster(index)
            else:
                self._nodes(column.ids, " ")
        self._loose()
        self._fences(stepped)
        self._gate_order()
        for parent, slot, child in self.graph.edges():
            self._edge(parent, slot, child)
        return "\n".join([*self.lines, "}"]) + "\n"

    def _cluster(self, index: int) -> None:
        column = self.plan.columns[index]
        fill, edge = self.theme.panel, self.theme.edge
        self.lines.append(
            f" subgraph cluster_t{index} {{ label={quoted(str(column.label))};"
            f' style="rounded,filled"; fillcolor="{fill}"; color="{edge}";'
        )
        fence = "style=invis shape=point width=0 height=0"
        self.lines.append(f"  in{index} [{fence}]; out{index} [{fence}];")
        gates: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for i in column.ids:
            gate = self.graph.nodes[i].labels.get("gate")
            gates[_gate_key(self.graph.nodes[i]) if gate is not None else ()].append(i)
        self._nodes(gates.pop((), []), "  ")
        for number, (key, ids) in enumerate(gates.items()):
            name = quoted(labels.clean(key[-1]))
            self.lines.append(
                f"  subgraph cluster_t{index}_{number} {{ label={name}; margin=4; fontsize=9;"
                f' fillcolor="{self.theme.inner}";'
            )
            self._nodes(ids, "   ")
            self.lines.append("  }")
        self.lines.append(" }")

    def _nodes(self, ids: list[int], indent: str) -> None:
        for i in ids:
            node = self.graph.nodes[i]
            self.lines.append(f"{indent}n{i} [{self._look(node)}];")
            for slot, parent in enumerate(node.parents):
                if self._is_chip(i, slot) and parent is not None:
                    self.lines.append(f"{indent}c{i}_{slot} [{self._chip(parent)}];")

    def _is_chip(self, child: int, slot: int) -> bool:
        parent = self.graph.nodes[child].parents[slot]
        if parent is None:
            return False
        if len(self.plan.gathers.get(child, ())) > GATHERED:
            return True  # many long edges into one node would take dot most of its time
        if (child, slot) not in self.plan.chips:
            return False
        return self.chips or self.graph.nodes[parent].role != "param"

    def _look(self, node: GraphNode) -> str:
        face = labels.face(node)
        fill = self.theme.fills[node.role]
        shape = " shape=circle width=.3 fixedsize=true" if face.shape == "circle" else ""
        shape = ' style="filled"' if face.shape == "square" else shape
        bold = " penwidth=1.6" if node.role == "loss" else ""
        text, tip = quoted("\n".join(face.lines)), quoted(labels.title(node))
        return f'label={text} tooltip={tip} fillcolor="{fill}"{shape}{bold}'

    def _chip(self, parent: int) -> str:
        node = self.graph.nodes[parent]
        return (
            f"label={quoted(labels.caption(node))} tooltip={quoted(labels.title(node))}"
            f' style="filled,dashed" fillcolor="{self.theme.fills[node.role]}"'
            ' fontsize=8 height=.18 width=.25 margin="0.03,0.01"'
        )

    def _loose(self) -> None:
        """Write the nodes outside of all columns that are drawn as themselves."""
        drawn = {self.graph.nodes[c].parents[s] for c, s in self.plan.states}
        if not self.chips:
            drawn |= {node.id for node in self.graph.nodes if node.role == "param"}
        for node in self.graph.nodes:
            if node.id not in self.plan.where and node.id in drawn:
                self.lines.append(f" n{node.id} [{self._look(node)}];")

    def _fences(self, stepped: list[int]) -> None:
        """Keep the ranks of the steps apart, so that clusters stand in time order in one row."""
        used = {
            parent.id
            for parent, _, child in self.graph.edges()
            if self.plan.where.get(parent.id) == self.plan.where[child.id]
        }
        for index in stepped:
            inside = self.plan.columns[index].ids
            first = [i for i in inside if self.graph.nodes[i].op and not self._inner(i, index)]
            heads = " ".join(f"n{i}" for i in first)
            tails = " ".join(f"n{i}" for i in inside if i not in used)
            if heads:
                self.lines.append(f" in{index} -> {{{heads}}} [style=invis weight=0];")
            if tails:
                self.lines.append(f" {{{tails}}} -> out{index} [style=invis weight=2];")
        for index, after in zip(stepped, stepped[1:], strict=False):
            self.lines.append(f" out{index} -> in{after} [style=invis weight=0];")

    def _inner(self, node: int, index: int) -> bool:
        """Return whether an operation of this step comes before a node in the same step."""
        return any(
            p is not None and self.plan.where.get(p) == index and self.graph.nodes[p].op
            for p in self.graph.nodes[node].parents
        )

    def _gate_order(self) -> None:
        """Chain the gates' first products, so that gates have the same order in every step."""
        chains: dict[tuple[object, ...], dict[object, int]] = defaultdict(dict)
        for node in self.graph.nodes:
            if node.op == "matmul" and "gate" in node.labels and node.step is not None:
                key = _gate_key(node)
                chains[key[:-1]].setdefault(key[-1], node.id)
        for chain in chains.values():
            if len(chain) > 1:
                ids = "->".join(f"n{i}" for i in chain.values())
                self.lines.append(f" {{rank=same; {ids} [style=invis]}}")

    def _edge(self, parent: GraphNode, slot: int, child: GraphNode) -> None:
        edge = (child.id, slot)
        tail = f"c{child.id}_{slot}" if self._is_chip(*edge) else f"n{parent.id}"
        looks = self._stroke(self.graph.edge_grad(*edge))
        if edge in self.plan.states and parent.id in self.plan.where:
            looks += " weight=4"
        if edge in self.plan.gathers.get(child.id, ()) or parent.role == "loss":
            looks += " weight=0"
        self.lines.append(f" {tail}->n{child.id} [{looks.strip()}];")

    def _stroke(self, norm: float | None) -> str:
        stroke = self.scale.stroke(norm)
        dash = {"": "", "2 2": " style=dotted"}.get(stroke.dash, " style=dashed")
        mark = ' label="✖" fontcolor="#d55e00"' if stroke.broken else ""
        return f'color="{stroke.colour}" penwidth={stroke.width:.2f}{dash}{mark}'


def _gate_key(node: GraphNode) -> tuple[object, ...]:
    names = ("phase", "layer", "dir", "step", "gate")
    return tuple(node.labels.get(name) for name in names)


def dot_scene(scene: Scene) -> str:
    """Return DOT with the positions of a scene, for `neato -n2`: the same picture."""
    high = scene.height
    lines = [
        "digraph {",
        f' graph [bb="0,0,{num(scene.width)},{num(high)}" bgcolor="{scene.theme.paper}"'
        f" outputorder=nodesfirst splines=true notranslate=true];",
        ' node [fixedsize=true fontname="Helvetica" penwidth=.8 style=filled label=""];',
        " edge [arrowsize=.55 arrowhead=normal];",
    ]
    lines += _backgrounds(scene, high)
    lines += [_pinned_box(i, box, scene, high) for i, box in enumerate(scene.boxes)]
    lines += [_pinned_patch(f"a{i}", patch, high) for i, patch in enumerate(scene.above)]
    lines += _pinned_words(scene, high)
    lines += _pinned_wires(scene, high)
    return "\n".join([*lines, "}"]) + "\n"


def _backgrounds(scene: Scene, high: float) -> list[str]:
    """Return frames and patches as borderless nodes drawn before the others."""
    lines = []
    for i, frame in enumerate(scene.frames):
        fill = {"step": scene.theme.panel, "gate": scene.theme.inner}.get(frame.kind, "none")
        style = "rounded,filled" if fill != "none" else "rounded,dashed"
        lines.append(
            f" f{i} [shape=box {_at(frame.x + frame.w / 2, frame.y + frame.h / 2, high)}"
            f' {_size(frame.w, frame.h)} style="{style}" fillcolor="{fill}"'
            f' color="{scene.theme.edge}"];'
        )
    lines += [_pinned_patch(f"p{i}", patch, high) for i, patch in enumerate(scene.patches)]
    return lines


def _pinned_patch(name: str, patch: Patch, high: float) -> str:
    return (
        f" {name} [shape=box {_at(patch.x + patch.w / 2, patch.y + patch.h / 2, high)}"
        f' {_size(patch.w, patch.h)} color="{patch.fill}" fillcolor="{patch.fill}" penwidth=0];'
    )


def _pinned_box(i: int, box: Box, scene: Scene, high: float) -> str:
    style = {"round": "rounded,filled", "dashed": "dashed,filled"}.get(box.shape, "filled")
    fill = box.fill or scene.theme.fills.get(box.role, scene.theme.paper)
    edge = scene.theme.param_edge if box.role == "param" else scene.theme.ink
    shape = "circle" if box.shape == "circle" else "box"
    text = "\n".join([*box.lines, *([box.mark] if box.mark else [])])
    text += "\n " if box.lift else ""  # room for the heat map below the text
    return (
        f' b{i} [shape={shape} {_at(box.x, box.y, high)} {_size(box.w, box.h)} style="{style}"'
        f' fillcolor="{fill}" color="{edge}" penwidth={1.6 if box.bold else 0.8}'
        f' label={quoted(text)} fontsize={num(box.size)} fontcolor="{scene.theme.ink}"'
        f" tooltip={quoted(box.title)}];"
    )


def _pinned_words(scene: Scene, high: float) -> list[str]:
    """Return texts and frame labels as plain nodes placed by their measured width."""
    items = [(w.x, w.y, w.text, w.size, w.anchor, w.faint) for w in scene.words]
    for frame in scene.frames:
        if frame.label:
            size = 12.0 if frame.kind == "step" else 8.0
            x = frame.x + frame.w / 2 if frame.label_x is None else frame.label_x
            down = 8.0 if frame.kind == "step" else 4.0
            y = frame.y + (size + 2 if frame.label_top else frame.h - down)
            items.append((x, y, frame.label, size, "middle", size < 12))
    lines = []
    for i, (x, y, text, size, anchor, faint) in enumerate(items):
        wide = 0.93 * labels.width(text, size)
        x += {"start": wide / 2, "end": -wide / 2}.get(anchor, 0.0)
        colour = scene.theme.faint if faint else scene.theme.ink
        where = f"{_at(x, y - size * 0.35, high)} {_size(wide, size)}"
        side = {"start": r"\l", "end": r"\r"}.get(anchor, "")  # where a wider font may overhang
        lines.append(
            f' t{i} [shape=plaintext fixedsize=shape margin=0 style="" {where}'
            f' label={quoted(text)[:-1]}{side}" fontsize={num(size)} fontcolor="{colour}"];'
        )
    return lines


def _pinned_wires(scene: Scene, high: float) -> list[str]:
    """Return the wires between two invisible points each: their course is given, not routed."""
    lines = [" node [shape=point width=.001 height=.001 style=invis];"]
    for i, wire in enumerate(scene.wires):
        stroke = scene.scale.stroke(wire.norm)
        dash = {"": "", "2 2": " style=dotted"}.get(wire.dash or stroke.dash, " style=dashed")
        start, end = wire.points[0], wire.points[-1]
        head = f"e,{_point(end, high)} " if wire.arrow else ""
        body = wire.points
        if wire.arrow:
            body = [*wire.points[:-1], _back(wire.points[-2], end, 5.5)]
        course = head + " ".join(_point(p, high) for p in body)
        lines.append(f" s{i} [{_at(*start, high)}]; d{i} [{_at(*end, high)}];")
        lines.append(
            f' s{i}->d{i} [pos="{course}" color="{stroke.colour}"'
            f" penwidth={stroke.width:.2f}{dash}{'' if wire.arrow else ' arrowhead=none'}];"
        )
    return lines


def _back(before: Point, end: Point, distance: float) -> Point:
    dx, dy = end[0] - before[0], end[1] - before[1]
    far = (dx * dx + dy * dy) ** 0.5 or 1.0
    return (end[0] - dx / far * distance, end[1] - dy / far * distance)


def _point(point: Point, high: float) -> str:
    return f"{num(point[0])},{num(high - point[1])}"


def _at(x: float, y: float, high: float) -> str:
    return f'pos="{num(x)},{num(high - y)}"'


def _size(w: float, h: float) -> str:
    return f"width={max(w, 0.5) / 72:.3f} height={max(h, 0.5) / 72:.3f}"
