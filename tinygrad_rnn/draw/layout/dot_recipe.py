"""Write a graph as DOT without positions, so that `dot` lays it out well; for `drawing`.

Parameters are chips, one per use, since shared nodes are what `dot` cannot survive. Invisible
heavy fences keep the steps in one straight row, in time order; what comes from farther than the
step beside is a chip too, for a long edge pushes the steps that it passes out of the row.
"""

from __future__ import annotations

from collections import defaultdict

from .. import labels
from ..escapes import dot as quoted
from ..escapes import xml
from ..graph import Graph, GraphNode, Place
from ..palette import THEMES, Scale, Theme
from ..transform.columns import ColumnPlan, plan
from . import legend

HEAD = (
    "digraph {\n"
    " rankdir=LR; newrank=true; nodesep=.14; ranksep=.26; mclimit=2;"
    ' fontname="Helvetica"; fontsize=11;\n'
    ' node [shape=box style="filled,rounded" fontname="Helvetica" fontsize=10 height=.28'
    ' width=.4 margin="0.06,0.03" penwidth=.8];\n'
    ' edge [arrowsize=.55 fontname="Helvetica" fontsize=8];\n'
)


def dot_text(
    graph: Graph, palette: str = "cividis", theme: str = "light", chips: bool = True
) -> str:
    """Return DOT without positions; `chips=False` draws parameters once, which `dot` survives
    only for a few steps."""
    scale = Scale.over(graph.edge_grads.values(), palette, theme)
    return _Recipe(graph, scale, THEMES[theme], chips).text()


class _Recipe:
    def __init__(self, graph: Graph, scale: Scale, theme: Theme, chips: bool) -> None:
        self.graph, self.scale, self.theme, self.chips = graph, scale, theme, chips
        self.plan: ColumnPlan = plan(graph)
        # one wire of a state is held straight: two of them push the steps out of the row
        self.last_use = {self._parent(edge): edge for edge in sorted(self.plan.states)}
        self.lines: list[str] = []

    def _parent(self, edge: tuple[int, int]) -> int | None:
        return self.graph.nodes[edge[0]].parents[edge[1]]

    def text(self) -> str:
        look = f'bgcolor="{self.theme.paper}"; fontcolor="{self.theme.ink}";'
        ink = f' node [color="{self.theme.ink}" fontcolor="{self.theme.ink}"];'
        self.lines = [HEAD + ink, f" {look} label=<{self._heading()}>; labelloc=t;"]
        stepped = [i for i, c in enumerate(self.plan.columns) if c.step is not None]
        for index, column in enumerate(self.plan.columns):
            if index in stepped:
                self._cluster(index)
            else:
                self._nodes(column.ids, " ")
        self._loose()
        self._fences(stepped)
        for parent, slot, child in self.graph.edges():
            self._edge(parent, slot, child)
        return "\n".join([*self.lines, "}"]) + "\n"

    def _heading(self) -> str:
        """Return title and legend as a table, in the HTML that Graphviz knows."""
        title = xml(labels.clean(self.graph.title, 120))
        cells = self._scale_cells() if self.scale.high is not None else []
        used = {node.role for node in self.graph.nodes}
        for role, word in legend.ROLES.items():
            if role in used:
                style = "dashed" if role == "param" else "rounded"
                box = f'border="1" style="{style}" width="18" height="12"'
                cells.append(f'<td {box} bgcolor="{self.theme.fills[role]}"></td><td>{word}</td>')
        row = "".join(cells)
        second = f'<tr><td><table border="0"><tr>{row}</tr></table></td></tr>' if row else ""
        return f'<table border="0"><tr><td><b>{title}</b></td></tr>{second}</table>'

    def _scale_cells(self) -> list[str]:
        low, high = legend.limits(self.scale)
        stops = [f'<td width="14" bgcolor="{colour}"></td>' for colour in self.scale.stops[::-1]]
        return [f"<td>‖∂L/∂·‖  {low}</td>", *stops, f"<td>{high}</td>"]

    def _cluster(self, index: int) -> None:
        column = self.plan.columns[index]
        fill, edge = self.theme.panel, self.theme.edge
        self.lines.append(
            f" subgraph cluster_t{index} {{ label={quoted(str(column.label))};"
            f' style="rounded,filled"; fillcolor="{fill}"; color="{edge}";'
        )
        fence = "style=invis shape=point width=0 height=0"
        self.lines.append(f"  in{index} [{fence}]; out{index} [{fence}];")
        gates: dict[Place | None, list[int]] = defaultdict(list)
        for i in column.ids:
            place = self.graph.nodes[i].place
            gates[place._replace(cell=None) if place.gate is not None else None].append(i)
        self._nodes(gates.pop(None, []), "  ")
        for number, (key, ids) in enumerate(gates.items()):
            name = quoted(labels.clean(key.gate if key else ""))
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
        if (child, slot) in self.plan.chips:
            return self.chips or self.graph.nodes[parent].role != "param"
        far, last = self._far(parent, child), self.last_use.get(parent, (child, slot))
        looks_on = self.graph.nodes[child].place.gate is not None
        goes_on = self.graph.nodes[last[0]].place.gate is None
        enters = (child, slot) in self.plan.states
        return abs(far) > 1 or enters and looks_on and goes_on  # a peephole is a chip

    def _far(self, parent: int, child: int) -> int:
        """Return how many columns an edge goes to the right, 0 where it starts in none."""
        home = self.plan.where[child]
        return home - self.plan.where.get(parent, home)

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
            self.lines.append(f" in{index} -> out{index} [style=invis weight=1000];")
        for index, after in zip(stepped, stepped[1:], strict=False):
            self.lines.append(f" out{index} -> in{after} [style=invis weight=1000];")

    def _inner(self, node: int, index: int) -> bool:
        """Return whether an operation of this step comes before a node in the same step."""
        return any(
            p is not None and self.plan.where.get(p) == index and self.graph.nodes[p].op
            for p in self.graph.nodes[node].parents
        )

    def _edge(self, parent: GraphNode, slot: int, child: GraphNode) -> None:
        edge = (child.id, slot)
        tail = f"c{child.id}_{slot}" if self._is_chip(*edge) else f"n{parent.id}"
        looks = self._stroke(self.graph.edge_grad(*edge))
        ends = [tail, f"n{child.id}"]
        if self.last_use.get(parent.id) == edge and parent.id in self.plan.where:
            looks += " weight=4"
        elif not self._is_chip(*edge) and self._far(parent.id, child.id):
            looks += " weight=0"
        if self._far(parent.id, child.id) == -1 and not self._is_chip(*edge):
            ends, looks = ends[::-1], looks + " dir=back"  # dot wants all edges to go with time
        self.lines.append(f" {'->'.join(ends)} [{looks.strip()}];")

    def _stroke(self, norm: float | None) -> str:
        stroke = self.scale.stroke(norm)
        dash = {"": "", "2 2": " style=dotted"}.get(stroke.dash, " style=dashed")
        mark = ' label="✖" fontcolor="#d55e00"' if stroke.broken else ""
        return f'color="{stroke.colour}" penwidth={stroke.width:.2f}{dash}{mark}'
