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
