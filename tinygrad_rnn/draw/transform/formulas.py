"""Write a node's formula and what its rule sends to each input, for `backward_graph`.

Both are read off the engine's rules, run on letters; ĝ is the gradient that arrived at the result.
A text names nodes by the way to them: `{}` is the node itself, `{1}` its second input, `{1.0}` the
first input of that. So the same operation of every time step has the same text, and a picture of a
thousand steps holds it once.
"""

from __future__ import annotations

from functools import lru_cache, reduce

from ...engine import letters
from ...engine.primitive import PRIMITIVES, ForEach
from ..graph import Graph, GraphNode
from ..labels import BOUNDS, glyph, operands, options_text

DEEP = 4  # how many unnamed operations a formula is written out through
IN_FORMULAS = (*BOUNDS, "index", "subscripts")  # options that no shape tells
SHOWN = 4  # inputs of an operation that takes any number of them


def formula(graph: Graph, node: GraphNode, deep: int = DEEP) -> str:
    """Return the formula of a node, written out through unnamed operations; "" for a leaf."""
    options = options_text(node, IN_FORMULAS)
    return f"{_read(graph, node, '', deep)}{options and f'  ({options})'}" if node.op else ""


def rules(node: GraphNode) -> list[str]:
    """Return what a node sends to each of its inputs."""
    inputs = tuple(_operand(node, "", slot) for slot in range(len(node.parents)))
    if _is_chain(node):
        return ["ĝ"] * len(inputs)
    return [rule(node.op, slot, "{}", inputs) for slot in range(len(inputs))]


@lru_cache(maxsize=10_000)
def rule(op: str | None, slot: int, result: str, inputs: tuple[str, ...]) -> str:
    """Return what an op sends to its input `slot`, written with the given texts.

    >>> rule("matmul", 1, "y", ("h", "W"))
    'hᵀ @ ĝ'
    """
    known = PRIMITIVES.get(op or "")
    if known is None or not known.rules:
        return f"ĝ · ∂{glyph(op)}/∂(this input)"
    if isinstance(known.rules, ForEach):  # all its rules read alike
        slot, inputs = min(slot, 1), (*inputs, "b")[:2]
    return letters.rule_text(known.name, slot, inputs, result)


def _read(graph: Graph, node: GraphNode, path: str, deep: int) -> letters.Letter:
    """Return a node as an expression; `deep` bounds how far it is written out."""
    parts: list[str | letters.Letter] = []
    for slot, parent in enumerate(node.parents):
        below = graph.nodes[parent] if parent is not None else None
        if below is not None and below.op and not below.name and deep:
            parts.append(_read(graph, below, _step(path, slot), deep - 1))
        else:
            parts.append(_operand(node, path, slot))
    if _is_chain(node):
        shown = parts if len(parts) <= SHOWN else [*parts[:2], "…", parts[-1]]
        return reduce(lambda sum, part: letters.forward("add", [sum, part]), shown)  # type: ignore
    if len(parts) > SHOWN:
        parts[SHOWN - 1 :] = ["…"]
    return letters.forward(node.op if node.op in PRIMITIVES else glyph(node.op), parts)


def _is_chain(node: GraphNode) -> bool:
    """Return whether a node is the Σ that a chain of additions was folded into."""
    return node.op == "sum" and len(node.parents) > 1


def _operand(node: GraphNode, path: str, slot: int) -> str:
    known = node.parents[slot] is not None
    return f"{{{_step(path, slot)}}}" if known else operands(node)[slot]


def _step(path: str, slot: int) -> str:
    return f"{path}.{slot}" if path else str(slot)
