"""Draw a box per cell and step, time across and layers up, for `views`.

All of it is arithmetic: column = step, row = layer and direction. State lines carry the colour
of ‖∂L/∂state‖; the parameters stand on a shelf below with how often each is used.
"""

from __future__ import annotations

from collections import defaultdict

from .. import labels
from ..graph import Graph, GraphNode
from ..scene import Box, Point, Scene, Wire, Words, curve, elbow
from ..settings import Settings
from ..transform.cell_of_node import Row, cells_of, in_step

CELL_W, CELL_H = 66.0, 50.0
COLUMN, ROW = 112.0, 104.0
LEFT = 92.0


def cell_view(graph: Graph, settings: Settings | None = None) -> Scene:
    """Return the scene with one box per cell and step."""
    return _Grid(graph, settings or Settings()).scene()


class _Grid:
    def __init__(self, graph: Graph, settings: Settings) -> None:
        self.graph = graph
        self.cells = cells_of(graph)
        norms = [*graph.edge_grads.values(), *(n.grad_norm or 0.0 for n in graph.nodes)]
        self.out = settings.sheet(norms, graph.title)
        count = len(self.cells.steps)
        shown = list(range(count))
        kept = settings.kept
        if kept and count > sum(kept) + 1:
            shown = [*range(kept[0]), *range(count - kept[1], count)]
        self.column = {self.cells.steps[i]: c for c, i in enumerate(shown)}
        self.gap = kept[0] if kept and len(self.column) < count else None
        self.hidden = count - len(self.column)
        self.boxes: dict[object, Box] = {}
        self.letters: dict[Row, list[str]] = {}

    def scene(self) -> Scene:
        """Return the finished scene; `folded` has the edges that are inside the boxes."""
        rows = len(self.cells.rows)
        self.top = 30.0 + (ROW if self.cells.heads else 30.0)
        self.floor = self.top + (rows - 1) * ROW + CELL_H / 2
        for step in self.column:
            self._column(step)
        for state in self.cells.states():
            self._state(*state)
        self._first_states()
        self._inputs()
        self._ups()
        self._ends()
        self._words()
        self._shelf()
        self.out.notes = list(self.graph.notes)
        drawn = {w.edge for w in self.out.wires}
        self.out.folded = {(c.id, s) for _, s, c in self.graph.edges()} - drawn
        self.out.description = f"{len(self.graph)} nodes as {len(self.boxes)} boxes"
        return self.out

    def _x(self, step: tuple[str, int]) -> float:
        column = self.column[step]
        wide = 40.0 if self.gap is not None and column >= self.gap else 0.0
        return LEFT + CELL_W / 2 + column * COLUMN + wide

    def _y(self, row: Row) -> float:
        return self.top + (len(self.cells.rows) - 1 - self.cells.rows.index(row)) * ROW

    def _column(self, step: tuple[str, int]) -> None:
        for row in self.cells.rows:
            if self.cells.sizes[(row, step)]:
                self._cell(row, step)
        if self.cells.heads.get(step):
            ids = self.cells.heads[step]
            node = self._head_node(ids)
            box = self._add(("head", step), self._x(step), 34.0, labels.caption(node), node)
            box.bold = box.role == "loss"

    def _head_node(self, ids: list[int]) -> GraphNode:
        named = [self.graph.nodes[i] for i in ids if self.graph.nodes[i].name]
        return named[-1] if named else self.graph.nodes[ids[-1]]

    def _cell(self, row: Row, step: tuple[str, int]) -> None:
        lines = [_cell_name(self.cells.names[row])]
        if len(self.cells.rows) > 1:
            lines.append(_row_name(row))
        box = Box(self._x(step), self._y(row), CELL_W, CELL_H, tuple(lines), "round", "cell")
        count = self.cells.sizes[(row, step)]
        box.title = f"{lines[0]} at step {step[1]}: {count} operations"
        self.boxes[(row, step)] = box
        self.out.boxes.append(box)

    def _add(self, key: object, x: float, y: float, text: str, node: GraphNode) -> Box:
        role = "loss" if text.startswith("L") and node.op else node.role
        box = Box(x, y, max(34.0, labels.width(text) + 14.0), 22.0, (text,), "round", role, node.id)
        box.title = labels.title(node)
        self.boxes[key] = box
        self.out.boxes.append(box)
        return box

    def _height(self, source: int, home: tuple[Row, tuple[str, int]]) -> float:
        """Return where on a cell's side a state leaves: states of one cell above each other."""
        letters = self._letters(home[0])
        letter = _letter(self.graph.nodes[source])
        spot = letters.index(letter) if letter in letters else 0
        return self._y(home[0]) + (spot - (len(letters) - 1) / 2) * 20.0

    def _letters(self, row: Row) -> list[str]:
        """Return the letters of the states of a row, c above the others."""
        if row not in self.letters:
            states = (i for i, here, _ in self.cells.states() if here[0] == row)
            found = {_letter(self.graph.nodes[i]) for i in states}
            self.letters[row] = sorted(found, key=lambda letter: (letter != "c", letter))
        return self.letters[row]

    def _state(
        self, source: int, here: tuple[Row, tuple[str, int]], there: tuple[Row, tuple[str, int]]
    ) -> None:
        if here[1] not in self.column or there[1] not in self.column:
            self._stub(source, here, there)
            return
        y = self._height(source, here)
        way = 1 if self.column[there[1]] > self.column[here[1]] else -1
        start = self._x(here[1]) + way * CELL_W / 2
        end = self._x(there[1]) - way * CELL_W / 2
        self._line([(start, y), (end, y)], source, there)

    def _stub(
        self, source: int, here: tuple[Row, tuple[str, int]], there: tuple[Row, tuple[str, int]]
    ) -> None:
        """Draw the visible half of a state that goes into, or comes out of, the hidden steps."""
        if here[1] not in self.column and there[1] not in self.column:
            return
        y = self._height(source, here)
        for home, sign in ((here, 1), (there, -1)):
            if home[1] in self.column:
                way = sign * (-1 if home[0][1] == "rev" else 1)
                edge = self._x(home[1]) + way * CELL_W / 2
                points = [(edge, y), (edge + way * 34.0, y)]
                self._line(points if sign > 0 else points[::-1], source, there)

    def _line(self, points: list[Point], source: int, there: object) -> None:
        node = self.graph.nodes[source]
        edge = next(
            (c.id, s) for p, s, c in self._uses(source) if self.cells.home.get(c.id) == there
        )
        title = f"{labels.caption(node)}: ‖gradient‖ = {labels.number(node.grad_norm)}"
        self.out.wires.append(Wire(elbow(points), edge, node.grad_norm, title=title))

    def _uses(self, source: int) -> list[tuple[GraphNode, int, GraphNode]]:
        if not hasattr(self, "_by_parent"):
            self._by_parent: dict[int, list] = defaultdict(list)
            for edge in self.graph.edges():
                self._by_parent[edge[0].id].append(edge)
        return self._by_parent[source]

    def _first_states(self) -> None:
        """Draw the states before the first step beside the cells that read them."""
        done: dict[tuple[object, float], None] = {}
        for node in self.graph.nodes:
            if node.role != "state" or node.op or node.step is not None:
                continue
            for _, slot, child in self._uses(node.id)[:1]:
                home = self.cells.home.get(child.id)
                if home is None or home[1] not in self.column:
                    continue
                way = -1 if home[0][1] == "rev" else 1
                y = self._height(node.id, home)
                x = self._x(home[1]) - way * (CELL_W / 2 + 46.0)
                if (x, y) in done:
                    continue
                done[(x, y)] = None
                box = self._add(("state", node.id), x, y, labels.caption(node), node)
                box.h = 18.0
                points = [(x + way * box.w / 2, y), (self._x(home[1]) - way * CELL_W / 2, y)]
                norm = self.graph.edge_grad(child.id, slot)
                self.out.wires.append(Wire(elbow(points), (child.id, slot), norm))

    def _inputs(self) -> None:
        for step in self.column:
            nodes = [self.graph.nodes[i] for i in self.cells.below.get(step, ())]
            leaves = [n for n in nodes if self._feeds(n.id, step)]
            for k, node in enumerate(leaves):
                x = self._x(step) + (k - (len(leaves) - 1) / 2) * 40.0
                self._add(("in", node.id), x, self.floor + 44.0, labels.caption(node), node)
                self._rise(node, step)
            marks = [n for n in nodes if n.role == "target" and ("head", step) in self.boxes]
            for node in marks[:1]:
                head = self.boxes[("head", step)]
                box = self._add(("in", node.id), head.x, 34.0, labels.caption(node), node)
                box.x = head.x + head.w / 2 + 16.0 + box.w / 2
                self._target(node, box, head)

    def _target(self, node: GraphNode, box: Box, head: Box) -> None:
        points = [(box.x - box.w / 2, box.y), (head.x + head.w / 2, box.y)]
        for _, slot, child in self._uses(node.id)[:1]:
            norm = self.graph.edge_grad(child.id, slot)
            self.out.wires.append(Wire(elbow(points), (child.id, slot), norm))

    def _feeds(self, node: int, step: tuple[str, int]) -> bool:
        return any(self.cells.home.get(c.id, (0, 0))[1] == step for _, _, c in self._uses(node))

    def _rise(self, node: GraphNode, step: tuple[str, int]) -> None:
        """Draw the wires from an input up to each cell that reads it, round lower cells."""
        box = self.boxes[("in", node.id)]
        done: set[object] = set()
        for _, slot, child in self._uses(node.id):
            home = self.cells.home.get(child.id)
            if home is None or home in done or home not in self.boxes:
                continue
            done.add(home)
            target = self.boxes[home]
            end = (target.x - (16.0 if done - {home} else 0.0), target.y + CELL_H / 2)
            points: list[Point] = [(box.x, box.y - 11.0), (end[0], end[1])]
            if target.y + ROW / 2 < self.floor - CELL_H / 2 - 4:
                side = target.x - CELL_W / 2 - 10.0
                points = [(box.x, box.y - 11.0), (side, self.floor + 6.0)]
                points += [(side, target.y + CELL_H / 2 + 22.0), (end[0], end[1])]
            norm = self.graph.edge_grad(child.id, slot)
            self.out.wires.append(Wire(curve(points), (child.id, slot), norm))

    def _ups(self) -> None:
        """Draw what goes up within a step: from cell to cell and to the head."""
        done: set[tuple[object, object]] = set()
        for parent, slot, child in self.graph.edges():
            there = self._place(child.id)
            for source in self._sources(parent.id):
                here = self._place(source)
                if here == there or (here, there) in done:
                    continue
                if here not in self.boxes or there not in self.boxes or here[1] != there[1]:  # type: ignore[index]
                    continue
                done.add((here, there))
                norm = self.graph.nodes[source].grad_norm
                self._up(self.boxes[here], self.boxes[there], (child.id, slot), norm)

    def _sources(self, node: int) -> list[int]:
        """Return the node itself, or the nodes in cells that lead to it between two cells."""
        found, stack = [], [node]
        while stack:
            one = stack.pop()
            if one in self.cells.through:
                stack += [p for p in reversed(self.graph.nodes[one].parents) if p is not None]
            else:
                found.append(one)
        return found

    def _place(self, node: int) -> object:
        if node in self.cells.home:
            return self.cells.home[node]
        where = self.graph.nodes[node].place.moment
        if where[1] is None:
            return None
        return ("head", where) if in_step(self.cells.heads, where, node) else None

    def _up(self, low: Box, high: Box, edge: tuple[int, int], norm: float | None) -> None:
        start, end = (low.x, low.y - low.h / 2), (high.x, high.y + high.h / 2)
        points: list[Point] = [start, end]
        if low.y - high.y > ROW * 1.5:  # pass the cells between on their right side
            side = low.x + CELL_W / 2 + 10.0
            points = [start, (side, start[1] - 24.0), (side, end[1] + 26.0), end]
            if high.role != "cell":
                points[-1] = (end[0] + 6.0, end[1])
        self.out.wires.append(Wire(curve(points), edge, norm))

    def _ends(self) -> None:
        """Draw what follows after all steps as one box at the right, joined by a line above."""
        wanted = [i for i in self.cells.ends if any(self._place(p) for p in self._parents(i))]
        if not wanted:
            return
        last = self.graph.nodes[self.cells.ends[-1]]
        x = max((b.x for b in self.out.boxes), default=LEFT) + 84.0
        y = 34.0 if self.cells.heads else self.top
        box = self._add("end", x, y, labels.caption(last), last)
        box.bold = last.role == "loss"
        done: set[object] = set()
        for i in wanted:
            for slot, parent in enumerate(self.graph.nodes[i].parents):
                here = self._place(parent) if parent is not None else None
                if here is None or here in done or here not in self.boxes:
                    continue
                done.add(here)
                self._join_end(self.boxes[here], box, (i, slot))

    def _parents(self, node: int) -> list[int]:
        return [p for p in self.graph.nodes[node].parents if p is not None]

    def _join_end(self, low: Box, box: Box, edge: tuple[int, int]) -> None:
        bus = 10.0 if self.cells.heads else self.top - CELL_H / 2 - 24.0
        points = [(low.x, low.y - low.h / 2), (low.x, bus), (box.x, bus), (box.x, box.y - 11.0)]
        self.out.wires.append(Wire(elbow(points), edge, self.graph.edge_grad(*edge)))

    def _words(self) -> None:
        for step in self.column:
            below = self.floor + (78.0 if self.cells.below else 26.0)
            text = f"{labels.clean(step[0], 24)} t = {step[1]}".strip()
            self.out.words.append(Words(self._x(step), below, text, 11.0, "middle"))
        if self.gap is not None:
            x = LEFT + CELL_W / 2 + (self.gap - 0.5) * COLUMN + 20.0
            middle = (self.top + self.floor) / 2
            self.out.words.append(Words(x, middle - 8.0, "⋯", 16.0, "middle"))
            self.out.words.append(Words(x, middle + 8.0, f"{self.hidden} steps", 10.0, "middle"))
        right = max((b.x + b.w / 2 for b in self.out.boxes), default=LEFT)
        self.out.width = right + 48.0
        self.out.height = self.floor + (96.0 if self.cells.below else 44.0)

    def _shelf(self) -> None:
        """Draw the parameters once, with shape and number of uses, in rows below."""
        x, y, right = 20.0, self.out.height + 6.0, max(self.out.width, 420.0)
        params = [n for n in self.graph.nodes if n.role == "param"]
        for node in params:
            uses = len(self.graph.param_uses.get(node.id, ())) or len(self._uses(node.id))
            text = f"{labels.caption(node)}  {labels.shape_text(node.shape)}  used {uses}×"
            wide = labels.width(text, 8.5) + 10.0
            if x + wide > right - 14.0 and x > 20.0:
                x, y = 20.0, y + 22.0
            box = Box(x + wide / 2, y, wide, 16.0, (text,), "dashed", "param", node.id, size=8.5)
            box.title = labels.title(node)
            self.out.boxes.append(box)
            x += wide + 8.0
        if params:
            self.out.height = y + 20.0
            self.out.width = right


def _cell_name(name: str) -> str:
    """Return RNN for rnn, LSTM for LSTMCell, and other names as they are."""
    plain = name.removesuffix("Cell")
    return plain.upper() if len(plain) <= 4 else labels.clean(plain, 12)


def _row_name(row: Row) -> str:
    layer = "" if row[0] is None else f"layer {row[0] + 1 if isinstance(row[0], int) else row[0]}"
    return f"{layer} {({'fwd': '→', 'rev': '←'}).get(str(row[1]), '')}".strip()


def _letter(node: GraphNode) -> str:
    """Return the letter of a state: what its name says before the step."""
    return (node.name or "").split("⟨")[0].rstrip("→←0123456789[]") or "state"
