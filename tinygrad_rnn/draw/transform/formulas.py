"""How an operation reads: its formula, and what its gradient rule sends to each input.

ĝ is the gradient that arrived at the result. A text names nodes by the way to them: `{}` is the
node itself, `{1}` its second input, `{1.0}` the first input of that. So the same operation of
every time step has the same text, and a picture of a thousand steps holds it once.
"""

from __future__ import annotations

import math
import re

from ..graph import Graph, GraphNode
from ..labels import glyph

# op: (how tightly it binds, formula, rule per input); y is the result, a b c the inputs
# fmt: off
WORDS: dict[str, tuple[int, str, tuple[str, ...]]] = {
    "add":          (1, "a + b",          ("ĝ", "ĝ")),
    "sub":          (1, "a − b",          ("ĝ", "−ĝ")),
    "mul":          (2, "a ∘ b",          ("ĝ ∘ b", "ĝ ∘ a")),
    "div":          (2, "a / b",          ("ĝ / b", "−ĝ ∘ y / b")),
    "matmul":       (2, "a @ b",          ("ĝ @ bᵀ", "aᵀ @ ĝ")),
    "neg":          (3, "−a",             ("−ĝ",)),
    "power":          (4, "a^b",            ("ĝ ∘ b ∘ a^(b − 1)", "ĝ ∘ y ∘ log a")),
    "transpose":    (5, "aᵀ",             ("ĝᵀ",)),
    "exp":          (9, "exp(a)",         ("ĝ ∘ y",)),
    "log":          (9, "log(a)",         ("ĝ / a",)),
    "sqrt":         (9, "√(a)",           ("ĝ / (2 y)",)),
    "abs":          (9, "|a|",            ("ĝ ∘ sign(a)",)),
    "tanh":         (9, "tanh(a)",        ("ĝ ∘ (1 − y²)",)),
    "sigmoid":      (9, "σ(a)",           ("ĝ ∘ y ∘ (1 − y)",)),
    "relu":         (9, "max(0, a)",      ("ĝ where a > 0, else 0",)),
    "clamp":        (9, "clamp(a)",       ("ĝ inside the bounds, else 0",)),
    "maximum":      (9, "max(a, b)",      ("ĝ where a is larger", "ĝ where b is larger")),
    "minimum":      (9, "min(a, b)",      ("ĝ where a is smaller", "ĝ where b is smaller")),
    "where":        (9, "(a ? b : c)",    ("0", "ĝ where a", "ĝ where not a")),
    "sum":          (9, "Σ(a)",           ("ĝ, copied to every summand",)),
    "mean":         (9, "mean(a)",        ("ĝ / n, copied to every element",)),
    "amax":         (9, "max(a)",         ("ĝ, to the largest element only",)),
    "softmax":      (9, "softmax(a)",     ("y ∘ (ĝ − Σ ĝ ∘ y)",)),
    "log_softmax":  (9, "log softmax(a)", ("ĝ − exp(y) ∘ Σ ĝ",)),
    "getitem":      (9, "a[…]",           ("ĝ into the picked places, 0 elsewhere",)),
    "reshape":      (9, "reshape(a)",     ("ĝ in the old shape",)),
    "broadcast_to": (9, "copies of a",    ("ĝ, summed over the copies",)),
    "concatenate":  (9, "[*]",            ("the slice of ĝ that came from here",)),
    "stack":        (9, "stack(*)",       ("the slice of ĝ that came from here",)),
    "astype":       (9, "a",              ("ĝ",)),
    "clone":        (9, "a",              ("ĝ",)),
}
UNDO = {  # a constant is not a node, but result and other input tell which number it was
    "add": (lambda y, b: y - b, lambda y, a: y - a),
    "sub": (lambda y, b: y + b, lambda y, a: a - y),
    "mul": (lambda y, b: y / b, lambda y, a: y / a),
    "div": (lambda y, b: y * b, lambda y, a: a / y),
}
# fmt: on
LETTER = re.compile(r"(?<![A-Za-z])[abcy](?![A-Za-z])")  # by itself, not inside a word
DEEP = 4
SHOWN = 4


def words(op: str | None) -> tuple[int, str, tuple[str, ...]]:
    """Return how an op reads; one that is not in the table is written as a call."""
    if op in WORDS:
        return WORDS[op]
    return (9, f"{glyph(op)}(*)", (f"ĝ · ∂{glyph(op)}/∂(this input)",))


def rule(op: str | None, slot: int, result: str, inputs: list[str]) -> str:
    """Return what the op sends to its input `slot`, written with the given texts."""
    rules = words(op)[2]
    return _filled(rules[min(slot, len(rules) - 1)], result, inputs)


def formula(graph: Graph, node: GraphNode, deep: int = DEEP) -> str:
    """Return the formula of a node, written out through unnamed operations; "" for a leaf."""
    return _read(graph, node, "", deep)[0] if node.op else ""


def rules(graph: Graph, node: GraphNode) -> list[str]:
    """Return the rule of each input of a node."""
    inputs = [_operand(graph, node, "", slot) for slot in range(len(node.parents))]
    return [rule(node.op, slot, "{}", inputs) for slot in range(len(inputs))]


def _read(graph: Graph, node: GraphNode, path: str, deep: int) -> tuple[str, int]:
    """Return a text and how tightly it binds; `deep` bounds how far it is written out."""
    bind, text, _ = words(node.op)
    parts = []
    for slot, parent in enumerate(node.parents[: SHOWN + 1]):
        inner, tight = _operand(graph, node, path, slot), 9
        below = graph.nodes[parent] if parent is not None else None
        if below is not None and below.op and not below.name and deep:
            inner, tight = _read(graph, below, _step(path, slot), deep - 1)
        strict = slot > 0 and node.op in ("sub", "div")
        parts.append(f"({inner})" if bind < 9 and tight < bind + strict else inner)
    return _filled(text, f"{{{path}}}", parts), bind


def _operand(graph: Graph, node: GraphNode, path: str, slot: int) -> str:
    known = node.parents[slot] is not None
    return f"{{{_step(path, slot)}}}" if known else constant(graph, node, slot)


def _step(path: str, slot: int) -> str:
    return f"{path}.{slot}" if path else str(slot)


def _filled(text: str, result: str, inputs: list[str]) -> str:
    if "*" in text:  # any number of inputs
        shown = inputs if len(inputs) <= SHOWN else [*inputs[: SHOWN - 1], "…"]
        return text.replace("*", ", ".join(shown))
    names = {"y": result, **dict(zip("abc", inputs, strict=False))}
    return LETTER.sub(lambda found: names.get(found[0], found[0]), text)


def constant(graph: Graph, node: GraphNode, slot: int) -> str:
    """Return the constant operand of a node as text; "□" where it cannot be told."""
    undo = UNDO.get(node.op or "")
    other = node.parents[1 - slot] if undo and len(node.parents) == 2 else None
    y, b = _sample(node), _sample(graph.nodes[other]) if other is not None else []
    if undo is None or not y or len(y) != len(b):
        return "□"
    found = [undo[slot](p, q) for p, q in zip(y, b, strict=True) if q]
    first = found[0] if found else math.nan
    close = all(math.isclose(each, first, rel_tol=1e-4, abs_tol=1e-6) for each in found)
    return f"{first:.4g}".replace("-", "−") if close and math.isfinite(first) else "□"


def _sample(node: GraphNode) -> list[float]:
    return list((node.value or {}).get("sample") or [])
