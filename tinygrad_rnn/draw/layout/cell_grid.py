"""Draw a box per cell and step, time across and layers up, for `views`.

Inputs stand below a cell, its output above it, and values of several steps in a bar over these.
States are straight lines from cell to cell; all other wires run in the channels
between rows and columns. State lines carry the colour of ‖∂L/∂state‖; the parameters stand on a
shelf below with how often each is used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable

from .. import labels
from ..graph import Graph, GraphNode
from ..scene import Box, Point, Scene, Wire, Words, elbow
from ..settings import Settings
from ..transform.cell_of_node import Cell, Cells, Row, Step, cells_of, sources_of
from .grid_router import GridRouter, GridWire, Slot
from .shelf import draw_shelf

CELL_W, CELL_H = 66.0, 50.0
GAP, LEFT = 40.0, 22.0  # between two columns, beside wires that change rows


def cell_view(graph: Graph, settings: Settings | None = None) -> Scene:
    """Return the scene with one box per cell and step."""
    return _Grid(graph, settings or Settings()).scene()


class _Grid:
    def __init__(self, graph: Graph, settings: Settings) -> None:
        self.graph = graph
        self.cells: Cells = cells_of(graph)
        norms = [*graph.edge_grads.values(), *(n.grad_norm or 0.0 for n in graph.nodes)]
        self.out = settings.sheet(norms, graph.title)
        self._choose(settings.kept)
        self.slots: dict[Hashable, Slot] = {}
        self.of: dict[int, Hashable] = {}  # node → the key of its box
        self.router = GridRouter()
        self.edges: dict[int, tuple[int, int]] = {}  # link → the edge that it shows
        self.sources: list[int] = []  # of each link
        self.letters: dict[Row, list[str]] = {}
        self.uses: dict[int, list[tuple[int, GraphNode]]] = defaultdict(list)
        for parent, slot, child in graph.edges():
            self.uses[parent.id].append((slot, child))

    def _choose(self, kept: tuple[int, int] | None) -> None:
        """Choose the columns: those of the steps that are shown, and one between two phases."""
        steps = self.cells.steps
        few = kept is None or len(steps) <= sum(kept) + 1
        shown = steps if few else [*steps[: kept[0]], *steps[len(steps) - kept[1] :]]  # type: ignore
        self.hidden = len(steps) - len(shown)
        self.column: dict[Step, int] = {}
        number = 2  # beside each phase there are columns for the states before it
        for before, step in zip([None, *shown], shown, strict=False):
            number += 2 if before and before[0] != step[0] else 0  # type: ignore[index]
            self.column[step] = number
            number += 1
        self.columns = number + 2
        self.gap = self.column[shown[kept[0]]] if kept and self.hidden else None
        self.top = len(self.cells.rows) + 1  # the row of what follows

    def scene(self) -> Scene:
        """Return the finished scene; `folded` has the edges that are inside the boxes."""
        self._boxes()
        self._connect()
        self._place()
        self.router.attach()
        for number, link in enumerate(self.router.links):
            self._wire(number, link)
        self._states()
        self._words()
        draw_shelf(self.graph, self.out)
        self.out.notes = list(self.graph.notes)
        drawn = {w.edge for w in self.out.wires}
        self.out.folded = {(c.id, s) for _, s, c in self.graph.edges()} - drawn
        self.out.description = f"{len(self.graph)} nodes as {len(self.slots)} boxes"
        return self.out

    # -- which boxes there are

    def _boxes(self) -> None:
        members: dict[Cell, list[int]] = defaultdict(list)
        for node, home in self.cells.home.items():
            members[home].append(node)
        for home, ids in members.items():
            self._cell(home, ids)
        for step, ids in self.cells.heads.items():
            self._put(("head", step), ids, step, self.top)
        for (source, step), ids in self.cells.inputs.items():
            self._put(("in", source, step), ids, step, 0)
        for (source, step), ids in self.cells.targets.items():
            self._put(("in", source, step), ids, step, self.top)
        self._first_states()
        for ids in self.cells.gathered:
            self._gather(ids)

    def _cell(self, home: Cell, ids: list[int]) -> None:
        row, step = home
        if step not in self.column:
            return
        lines = [_cell_name(self.cells.names[row])]
        lines += [_row_name(row)] if len(self.cells.rows) > 1 else []
        box = Box(0.0, 0.0, CELL_W, CELL_H, tuple(lines), "round", "cell")
        box.title = f"{lines[0]} at step {step[1]}: {len(ids)} operations"
        self._stand(home, box, ids, self.column[step], 1 + self.cells.rows.index(row))

    def _put(self, key: Hashable, ids: list[int], step: Step, row: int) -> None:
        if step in self.column:
            self._stand(key, self._box(ids), ids, self.column[step], row)

    def _box(self, ids: list[int]) -> Box:
        """Return the box of some nodes, called by the last one that has a name."""
        nodes = [self.graph.nodes[i] for i in ids]
        node = next((n for n in reversed(nodes) if n.name), nodes[-1])
        text = labels.caption(node) if node.name else self._owner(nodes) or labels.caption(node)
        role = "loss" if text.startswith("L") and node.op else node.role
        role = "input" if node.op == "getitem" and len(ids) == len(nodes) < 3 else role
        box = Box(0.0, 0.0, max(34.0, labels.width(text) + 14.0), 22.0, (text,), "round", role)
        box.node, box.title, box.bold = node.id, labels.title(node), role == "loss"
        return box

    def _owner(self, nodes: list[GraphNode]) -> str:
        """Return the module whose parameters serve in some nodes: bridge of bridge.weight."""
        parents = [p for node in nodes for p in node.parents if p is not None]
        names = (self.graph.nodes[p].name or "" for p in parents)
        owners = [name.rpartition(".")[0] for name in names if "." in name]
        return ".".join(owners[0].split(".")[-2:]) if owners else ""

    def _stand(
        self, key: Hashable, box: Box, ids: list[int], first: int, row: int, last: int | None = None
    ) -> None:
        self.slots[key] = Slot(box, first, first if last is None else last, row)
        self.of |= dict.fromkeys(ids, key)
        self.out.boxes.append(box)
        self.router.taken |= {(c, row) for c in range(first, self.slots[key].last + 1)}

    def _gather(self, ids: list[int]) -> None:
        """Put what is computed from several steps into a bar over them, or behind them."""
        parents = {p for i in ids for p in self.graph.nodes[i].parents if p is not None}
        sources = {s for p in parents for s in sources_of(self.cells, p)}
        keys = {self.of[s] for s in sources if s in self.of}
        first = [self.slots[key].first for key in keys]
        if not first:
            return
        row = self.top + bool(self.cells.heads)
        low, high = min(first), max(first)
        box = self._box(ids)
        spanned = {(c, row) for c in range(low, high + 1)}
        if len(set(first)) > 1 and not spanned & self.router.taken:
            self._stand(("end", ids[0]), box, ids, low, row, high)
            return
        alone = len(set(first)) == 1 and not spanned & self.router.taken
        spots = [(low, row)] if alone else ((high + 1, r) for r in range(1, row + 99))
        spot = next(spot for spot in spots if spot not in self.router.taken)
        self._stand(("end", ids[0]), box, ids, *spot)

    def _first_states(self) -> None:
        """Put the states before the first step beside the cells that read them."""
        for node in self.graph.nodes:
            if node.role != "state" or node.op or node.step is not None:
                continue
            homes = [self.cells.home.get(child.id) for _, child in self.uses[node.id]]
            home = next((h for h in homes if h in self.slots), None)
            if home is not None:
                box = self._box([node.id])
                box.h, beside = 18.0, 1 if home[0][1] == "rev" else -1
                cell = self.slots[home]
                self._stand(("state", node.id), box, [node.id], cell.first + beside, cell.row)

    # -- which wires there are

    def _connect(self) -> None:
        """Add a wire for each source and box that reads it, but for states and targets."""
        straight = {(source, there) for source, _, there in self.cells.states()}
        seen: set[tuple[Hashable, Hashable]] = set()
        for parent, slot, child in self.graph.edges():
            head = self.of.get(child.id)
            for source in sources_of(self.cells, parent.id) if head else ():
                tail = self.of.get(source)
                net = tail if tail and tail[0] == "in" else source  # type: ignore[index]
                new = tail is not None and tail != head and (net, head) not in seen
                if not new or (source, head) in straight or tail[0] == "state":  # type: ignore[index]
                    continue
                seen.add((net, head))
                self.edges[len(self.router.links)] = (child.id, slot)
                self.sources.append(source)
                self.router.add(net, self.slots[tail], self.slots[head])

    # -- where everything stands

    def _place(self) -> None:
        self.router.allot()
        beside = defaultdict(list)
        wide: dict[int, float] = defaultdict(float)
        tall: dict[int, float] = defaultdict(float)
        for key, slot in self.slots.items():
            if key[0] == "state":  # type: ignore[index]
                wide[slot.first] = max(wide[slot.first], slot.box.w)
            else:
                beside[(slot.first, slot.last, slot.row)].append(slot.box)
        for (first, last, row), boxes in beside.items():
            tall[row] = max(tall[row], *(box.h for box in boxes), 0.0)
            if first == last:
                wide[first] = max(wide[first], sum(box.w + 8.0 for box in boxes) - 8.0)
        self._columns(wide)
        self._rows(tall)
        for (first, last, row), boxes in beside.items():
            self._side_by_side(boxes, first, last, row)

    def _columns(self, wide: dict[int, float]) -> None:
        x = LEFT
        self.x: dict[int, float] = {}
        self.sides: dict[int, float] = {}
        for column in range(1, self.columns + 1):
            x += 40.0 if column == self.gap else 0.0
            self.x[column] = x + wide[column] / 2
            x += wide[column]
            self.sides[column] = x + 6.0
            x += max(GAP if wide[column] else 0.0, self.router.width(column))
        self.wide = wide
        ends = [self.x[c] + wide[c] / 2 for c in self.x if wide[c]]
        tracks = [self.sides[c] + self.router.width(c) for c in self.x if self.router.width(c)]
        self.right = max([*ends, *tracks], default=x)

    def _rows(self, tall: dict[int, float]) -> None:
        self.floors: dict[int, float] = {}  # row → the top edge of its boxes
        self.y: dict[int, float] = {}
        rows = range(0 if tall[0] else 1, max(tall, default=1) + 1)
        up = self.router.height(rows[0] - 1) if rows[0] - 1 in self.router.across else 0.0
        self.floors[rows[0] - 1] = 0.0
        for row in rows:
            self.y[row] = -(up + tall[row] / 2)
            up += tall[row]
            self.floors[row] = -up
            used = row < rows[-1] or row in self.router.across
            up += self.router.height(row) if tall[row] and used else 0.0
        down = 16.0 + up
        self.y = {row: y + down for row, y in self.y.items()}
        self.floors = {row: y + down for row, y in self.floors.items()}
        self.bottom = down

    def _side_by_side(self, boxes: list[Box], first: int, last: int, row: int) -> None:
        if first != last:
            left = self.x[first] - min(self.wide[first], CELL_W) / 2
            right = self.x[last] + min(self.wide[last], CELL_W) / 2
            boxes[0].x, boxes[0].y = (left + right) / 2, self.y[row]
            boxes[0].w = max(boxes[0].w, right - left)
            return
        x = self.x[first] - (sum(box.w + 8.0 for box in boxes) - 8.0) / 2
        for box in boxes:
            box.x, box.y = x + box.w / 2, self.y[row]
            x += box.w + 8.0

    # -- what is drawn

    def _wire(self, number: int, link: GridWire) -> None:
        edge = self.edges[number]
        target = self.graph.nodes[edge[0]]
        near = link.tail.row == link.head.row and link.tail.first == link.head.first
        points = _across(link) if near else self.router.path(link, self.floors, self.sides)
        norm = self.graph.nodes[self.sources[number]].grad_norm
        norm = self.graph.edge_grad(*edge) if target.role == "loss" or norm is None else norm
        self.out.wires.append(Wire(elbow(points), edge, norm))

    def _states(self) -> None:
        """Draw states as straight lines, also half of those from and to hidden steps."""
        for source, here, there in self.cells.states():
            shown = [home for home in (here, there) if home in self.slots]
            if len(shown) == 2 and self._adjacent(here, there):
                self._line(source, there, *self._ends(source, here, there))
                continue
            for home in shown:
                self._stub(source, home, there, leaves=home == here)
        for key, slot in self.slots.items():
            if key[0] == "state":  # type: ignore[index]
                self._first_state(key[1], slot)  # type: ignore[index]

    def _adjacent(self, here: Cell, there: Cell) -> bool:
        one, other = self.column[here[1]], self.column[there[1]]
        low, high = min(one, other), max(one, other)
        return all((c, self.slots[here].row) not in self.router.taken for c in range(low + 1, high))

    def _ends(self, source: int, here: Cell, there: Cell) -> tuple[Point, Point]:
        y = self._height(source, here)
        tail, head = self.slots[here].box, self.slots[there].box
        way = 1 if head.x > tail.x else -1
        return (tail.x + way * tail.w / 2, y), (head.x - way * head.w / 2, y)

    def _stub(self, source: int, home: Cell, there: Cell, leaves: bool) -> None:
        box, y = self.slots[home].box, self._height(source, home)
        way = (1 if leaves else -1) * (-1 if home[0][1] == "rev" else 1)
        edge = box.x + way * box.w / 2
        ends = ((edge, y), (edge + way * 30.0, y))
        self._line(source, there, *(ends if leaves else ends[::-1]))

    def _line(self, source: int, there: Cell, start: Point, end: Point) -> None:
        node = self.graph.nodes[source]
        reads = ((c.id, s) for s, c in self.uses[source] if self.cells.home.get(c.id) == there)
        title = f"{labels.caption(node)}: ‖gradient‖ = {labels.number(node.grad_norm)}"
        self.out.wires.append(Wire(elbow([start, end]), next(reads), node.grad_norm, title=title))
        way = 1 if end[0] > start[0] else -1
        self.out.words.append(
            Words(start[0] + way * 6.0, start[1] - 4.0, _letter(node), 9.0, "middle")
        )

    def _first_state(self, number: int, place: Slot) -> None:
        slot, child = next(
            (s, c) for s, c in self.uses[number] if self.cells.home.get(c.id) in self.slots
        )
        home = self.cells.home[child.id]
        way = -1 if home[0][1] == "rev" else 1
        cell, box, y = self.slots[home].box, place.box, self._height(number, home)
        box.x, box.y = self.x[place.first], y
        ends = [(box.x + way * box.w / 2, y), (cell.x - way * cell.w / 2, y)]
        norm = self.graph.edge_grad(child.id, slot)
        self.out.wires.append(Wire(elbow(ends), (child.id, slot), norm))

    def _height(self, source: int, home: Cell) -> float:
        """Return where on a cell's side a state leaves: states of one cell above each other."""
        if home[0] not in self.letters:
            states = (i for i, here, _ in self.cells.states() if here[0] == home[0])
            found = {_letter(self.graph.nodes[i]) for i in states}
            self.letters[home[0]] = sorted(found, key=lambda letter: (letter != "c", letter))
        every, letter = self.letters[home[0]], _letter(self.graph.nodes[source])
        spot = every.index(letter) if letter in every else 0
        return self.slots[home].box.y + (spot - (len(every) - 1) / 2) * 22.0

    def _words(self) -> None:
        for step, column in self.column.items():
            text = f"{labels.clean(step[0], 24)} t = {step[1]}".strip()
            self.out.words.append(Words(self.x[column], self.bottom + 18.0, text, 11.0, "middle"))
        if self.gap is not None:
            x = self.x[self.gap] - self.wide[self.gap] / 2 - 40.0
            middle = (self.y[1] + self.y[len(self.cells.rows)]) / 2
            self.out.words.append(Words(x, middle - 8.0, "⋯", 16.0, "middle"))
            self.out.words.append(Words(x, middle + 8.0, f"{self.hidden} steps", 10.0, "middle"))
        self.out.width, self.out.height = self.right + 22.0, self.bottom + 32.0


def _across(link: GridWire) -> list[Point]:
    """Return the way between two boxes of one row and column, as from a target to its loss."""
    tail, head = link.tail.box, link.head.box
    way = 1 if head.x > tail.x else -1
    return [(tail.x + way * tail.w / 2, tail.y), (head.x - way * head.w / 2, head.y)]


def _cell_name(name: str) -> str:
    """Return RNN for rnn, LSTM for LSTMCell, and other names as they are."""
    plain = name.removesuffix("Cell")
    return plain.upper() if len(plain) <= 4 and plain != "cell" else labels.clean(plain, 12)


def _row_name(row: Row) -> str:
    layer = "" if row[0] is None else f"layer {row[0] + 1 if isinstance(row[0], int) else row[0]}"
    return f"{layer} {({'fwd': '→', 'rev': '←'}).get(str(row[1]), '')}".strip()


def _letter(node: GraphNode) -> str:
    """Return the letter of a state: what its name says before the step."""
    return (node.name or "").split("⟨")[0].rstrip("→←0123456789[]") or "state"
