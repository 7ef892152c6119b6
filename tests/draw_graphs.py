"""Graphs written by hand for the tests of drawing: no engine, gradients that are made up."""

from __future__ import annotations

from contextlib import contextmanager

from tinygrad_rnn.draw.graph import Graph, GraphNode


class Maker:
    """Append nodes one by one; `labels` holds the scopes that are open."""

    def __init__(self, title=""):
        self.graph = Graph(title=title)
        self.labels = {}

    @contextmanager
    def scope(self, **labels):
        before, self.labels = self.labels, self.labels | labels
        yield
        self.labels = before

    def add(self, op, *parents, name=None, role="op", shape=(2, 4)):
        node = GraphNode(
            len(self.graph.nodes),
            op,
            tuple(parents),
            shape,
            "float64",
            name,
            role,
            dict(self.labels),
        )
        self.graph.nodes.append(node)
        return node.id

    def leaf(self, name, role="input", shape=(2, 4)):
        labels, self.labels = self.labels, {} if role == "param" else self.labels
        made = self.add(None, name=name, role=role, shape=shape)
        self.labels = labels
        return made


def with_gradients(graph):
    """Return the graph with a made-up gradient on each edge and node that is smooth in time."""
    last = max(graph.steps(), default=1)
    for node in graph.nodes:
        size = 10.0 ** (0.4 * ((node.step or last) - last)) * (1 + node.id % 7) / 4
        node.grad = {"norm": size, "min": -size, "max": size, "mean": 0.0, "nonfinite": 0}
        for slot, parent in enumerate(node.parents):
            if parent is not None:
                graph.edge_grads[f"{node.id}:{slot}"] = size / (1 + slot)
    graph.order = [node.id for node in reversed(graph.nodes)]
    return graph


def gated(maker, z, letter, label, kind="sigmoid", name=None):
    """One gate of the book: kind([a, x] @ W + b)."""
    with maker.scope(gate=label):
        product = maker.add("matmul", z, maker.weights["W" + letter])
        total = maker.add("add", product, maker.weights["b" + letter])
        return maker.add(kind, total, name=name)


def lstm(steps, loss="all", gradients=True):
    """The LSTM of the book with softmax cross-entropy, 24 nodes a step."""
    m = Maker(f"LSTM, {steps} steps")
    m.weights = {k + g: m.leaf(k + g, "param", (7, 4)) for g in "fuco" for k in "Wb"}
    m.weights |= {k: m.leaf(k, "param", (4, 5)) for k in ("Wy", "by")}
    a, c = m.leaf("a⟨0⟩", "state"), m.leaf("c⟨0⟩", "state")
    total = None
    for t in range(1, steps + 1):
        with m.scope(step=t):
            x = m.leaf(f"x⟨{t}⟩", shape=(2, 3))
            with m.scope(cell="lstm", layer=0):
                z = m.add("concatenate", a, x, shape=(2, 7), name="[a,x]")
                f = gated(m, z, "f", "forget", name="Γf")
                u = gated(m, z, "u", "update", name="Γu")
                new = gated(m, z, "c", "candidate", "tanh", name="c̃")
                o = gated(m, z, "o", "output", name="Γo")
                c = m.add("add", m.add("mul", f, c), m.add("mul", u, new), name=f"c⟨{t}⟩")
                a = m.add("mul", o, m.add("tanh", c), name=f"a⟨{t}⟩")
            if loss == "all" or t == steps:
                with m.scope(head="out"):
                    y = m.add("add", m.add("matmul", a, m.weights["Wy"]), m.weights["by"])
                    m.graph.nodes[y].name = f"ŷ⟨{t}⟩"
                    target = m.leaf(f"y⟨{t}⟩", "target", (2,))
                    one = m.add(
                        "softmax_cross_entropy", y, target, name=f"L⟨{t}⟩", role="loss", shape=()
                    )
        if loss == "all" or t == steps:
            total = one if total is None else m.add("add", total, one, role="loss", shape=())
    m.graph.nodes[total].name = "L" if loss == "all" and steps > 1 else m.graph.nodes[total].name
    m.graph.validate()
    return with_gradients(m.graph) if gradients else m.graph


def rnn(steps, gradients=True):
    """A vanilla RNN of the book, loss at the last step only."""
    m = Maker(f"RNN, {steps} steps")
    m.weights = {k: m.leaf(k, "param", (7, 4)) for k in ("Wa", "ba", "Wy", "by")}
    a = m.leaf("a⟨0⟩", "state")
    for t in range(1, steps + 1):
        with m.scope(step=t):
            x = m.leaf(f"x⟨{t}⟩", shape=(2, 3))
            with m.scope(cell="rnn", layer=0):
                z = m.add("concatenate", a, x, shape=(2, 7), name="[a,x]")
                product = m.add("matmul", z, m.weights["Wa"])
                a = m.add("tanh", m.add("add", product, m.weights["ba"]), name=f"a⟨{t}⟩")
    with m.scope(step=steps, head="out"):
        y = m.add("add", m.add("matmul", a, m.weights["Wy"]), m.weights["by"], name="ŷ")
        m.add("mean", m.add("pow", y), name="L", role="loss", shape=())
    m.graph.validate()
    return with_gradients(m.graph) if gradients else m.graph


def overlapping(boxes):
    """Return the pairs of boxes that share more than an edge."""

    def apart(a, b):
        return abs(a.x - b.x) >= (a.w + b.w) / 2 - 0.01 or abs(a.y - b.y) >= (a.h + b.h) / 2 - 0.01

    rows = sorted(boxes, key=lambda b: b.x - b.w / 2)
    found, open_boxes = [], []
    for box in rows:
        open_boxes = [o for o in open_boxes if o.x + o.w / 2 > box.x - box.w / 2]
        found += [(o.lines, box.lines) for o in open_boxes if not apart(o, box)]
        open_boxes.append(box)
    return found


def crossed(graph, scene):
    """Return (edge, texts) wherever a wire runs through a box that is not one of its ends."""
    found = set()
    for wire in scene.wires:
        ends = {wire.edge[0], graph.nodes[wire.edge[0]].parents[wire.edge[1]]}
        others = [b for b in scene.boxes if b.node not in ends]
        for x, y in _along(wire.points):
            for b in others:
                if abs(x - b.x) < b.w / 2 - 1 and abs(y - b.y) < b.h / 2 - 1:
                    found.add((wire.edge, b.lines))
    return found


def _along(points, count=6):
    """Yield points of a chain of cubic curves."""
    for i in range(0, len(points) - 3, 3):
        a, b, c, d = points[i : i + 4]
        for k in range(count):
            t = (k + 0.5) / count
            w = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3)
            yield tuple(sum(f * p[n] for f, p in zip(w, (a, b, c, d))) for n in (0, 1))


def straddling(scene):
    """Return the texts of boxes that lie half inside of a gate's or a layer's frame."""
    found = set()
    for frame in scene.frames:
        for b in scene.boxes if frame.kind != "step" else ():
            left, right = b.x - b.w / 2, b.x + b.w / 2
            top, bottom = b.y - b.h / 2, b.y + b.h / 2
            apart = right <= frame.x or left >= frame.x + frame.w
            apart = apart or bottom <= frame.y or top >= frame.y + frame.h
            inside = left >= frame.x and right <= frame.x + frame.w
            inside = inside and top >= frame.y and bottom <= frame.y + frame.h
            if not apart and not inside:
                found.add((frame.label, b.lines))
    return found
