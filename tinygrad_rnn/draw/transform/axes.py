"""Find what axes are called, for `edge_shapes`: B batch, H state, D input, T time.

An axis has a letter only where its size leaves no doubt; all other sizes stay numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..graph import Graph, GraphNode

WORDS = {"B": "batch", "H": "state", "D": "input", "T": "time"}
GATES = 4  # a product for all gates at once is so many states wide, at most


@dataclass(frozen=True, slots=True)
class Axes:
    """The sizes of a graph's axes by letter, where they are known.

    `inputs` are the nodes that the input's letter is for; where cells are labelled the state's
    letter is for what is inside them.
    """

    sizes: dict[str, int]
    inputs: frozenset[int] = frozenset()
    celled: bool = False

    def text(self, node: GraphNode) -> str:
        """Return a node's shape in letters: B×4H, T×B×D, scalar.

        >>> Axes({"B": 2, "H": 5}).text(GraphNode(0, "matmul", shape=(2, 20)))
        'B×4H'
        """
        early = {self.sizes.get("T"): "T", self.sizes.get("B"): "B"}
        words = [str(n) if node.role == "param" else early.get(n, str(n)) for n in node.shape[:-1]]
        return "×".join([*words, *(self._last(node, n) for n in node.shape[-1:])]) or "scalar"

    def legend(self) -> str:
        """Return what the letters mean, with their sizes."""
        return ", ".join(f"{letter} = {n} ({WORDS[letter]})" for letter, n in self.sizes.items())

    def _last(self, node: GraphNode, size: int) -> str:
        state = self.sizes.get("H", 0)
        if node.id in self.inputs:
            return "D" if size == self.sizes.get("D") else str(size)
        inside = node.place.cell is not None or not self.celled
        if not inside or node.role == "param" or state < 2 or size % state:
            return str(size)
        many = size // state
        return "H" if many == 1 else f"{many}H" if many <= GATES else str(size)


def axes_of(graph: Graph) -> Axes:
    """Return the letters of a graph: sizes that states, and inputs, have in common."""
    edges = [(p, c) for p, _, c in graph.edges() if p.op and p.shape]
    states = [p for p, c in edges if None not in (p.step, c.step) and p.step != c.step]
    inputs = [node for node in graph.nodes if _is_input(graph, node)]
    found = {
        "B": _one(node.shape[-2] for node in states or inputs if len(node.shape) > 1),
        "H": _one(node.shape[-1] for node in states),
        "D": _one(node.shape[-1] for node in inputs),
        "T": len(graph.steps()) or None,
    }
    sizes = {letter: size for letter, size in found.items() if size is not None}
    celled = any(node.place.cell is not None for node in graph.nodes)
    return Axes(sizes, frozenset(node.id for node in inputs), celled)


def _is_input(graph: Graph, node: GraphNode) -> bool:
    """Return whether a node is an input, or the slice of one that a step reads."""
    made_of = node.parents[0] if node.op == "getitem" else None
    leaf = graph.nodes[made_of] if made_of is not None else node
    return leaf.op is None and leaf.role == "input" and bool(node.shape)


def _one(sizes: Iterable[int]) -> int | None:
    """Return the size that all have, None where they differ."""
    found = set(sizes)
    return found.pop() if len(found) == 1 else None
