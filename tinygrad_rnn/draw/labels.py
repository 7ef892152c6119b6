"""Write a node's label, measure it and choose the node's shape, for `layout` and `render`.

Names come from users, so they are cleaned here once: no control characters, bounded length.
Escaping for a format is the renderer's business.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from ..engine.primitive import PRIMITIVES
from .graph import GraphNode

# fmt: off
SIGNS = {"∘": "×", "/": "÷", "^": "xⁿ", "||": "|x|", "[]": "concat"}  # as a picture has them
ROUND = {"+", "−", "×", "÷", "@", "Σ", "ᵀ", "xⁿ", "√", "[…]"}
GATES = {
    "forget": "Γf", "update": "Γu", "output": "Γo", "reset": "Γr", "relevance": "Γr",
    "candidate": "c̃", "input": "Γu",
}
PLAIN = {
    "⟨": "<", "⟩": ">", "Γ": "G", "σ": "sigmoid", "Σ": "sum", "×": "*", "÷": "/", "−": "-",
    "ŷ": "yhat", "c̃": "c~", "ᵀ": "T", "∂": "d", "‖": "|", "⋯": "...", "→": "->", "←": "<-",
    "·": ".", "√": "sqrt", "ⁿ": "^n", "²": "^2", "≤": "<=", "∞": "inf", "✖": "x", "…": "...",
    "₋": "-", "⁻": "-", "\u0302": "^", "\u0303": "~", "θ": "theta", "λ": "lambda", "ĝ": "g",
    "Δ": "d", "≠": "!=", "∘": "o", "◧": "[A]", "◨": "[B]", "—": "-", "–": "-", "’": "'", "ᵢ": "i",
}
# fmt: on
CALL = re.compile(r"\((?:[a-z*](?:, )?)+\)$")  # the inputs of σ(a), max(a, b), stack(*)
VARIABLE = re.compile(r"(?<![A-Za-z])[a-z*](?![A-Za-z])")
LONGEST = 28
CHIP = 8.0
HEAT = 7.0  # height of the mini heat map
TEXT = 10.0


@dataclass(frozen=True, slots=True)
class Face:
    """The look of a node: its lines of text, shape and size."""

    lines: tuple[str, ...]
    shape: str
    w: float
    h: float
    size: float = TEXT


def clean(text: object, longest: int = LONGEST) -> str:
    """Return text on one line, without control characters, cut with … when too long."""
    return _cleaned(str(text), longest)


@lru_cache(maxsize=10_000)
def _cleaned(text: str, longest: int) -> str:
    raw = text[: 8 * longest]
    good = "".join(c if unicodedata.category(c)[0] != "C" else "\ufffd" for c in raw)
    flat = " ".join(good.split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


def clean_code(text: str) -> str:
    """Return source text line by line without what no page can show.

    >>> clean_code("if x:\\n    y = 1\\0")
    'if x:\\n    y = 1'
    """
    lines = (line.expandtabs(4) for line in text.split("\n"))
    return "\n".join(re.sub(r"[\0-\x08\x0b-\x1f\ud800-\udfff]", "", line) for line in lines)


def ascii_only(text: str) -> str:
    """Return the text in ASCII: brackets, Greek and accents by their nearest spelling."""
    for sign, plain in PLAIN.items():
        text = text.replace(sign, plain)
    flat = unicodedata.normalize("NFKD", text)
    kept = (c for c in flat if not unicodedata.combining(c))
    return "".join(c if ord(c) < 128 else "?" for c in kept)


def width(text: str, size: float = TEXT) -> float:
    """Return a width in px that the text does not exceed in common sans-serif fonts."""
    return _ems(text) * size


@lru_cache(maxsize=10_000)
def _ems(text: str) -> float:
    return sum(_advance(c) for c in text)


def _advance(c: str) -> float:
    if unicodedata.combining(c):
        return 0.0
    if c in "iljtfrI.,:;'|![]()⟨⟩ ":
        return 0.36
    if c in "mwMW@—⋯" or unicodedata.east_asian_width(c) in "WF":
        return 0.95 if ord(c) < 0x2E80 else 1.05
    return 0.68 if c.isupper() or c in "ΓΣ+−×÷=<>~" else 0.59


@lru_cache(maxsize=10_000)
def glyph(op: str | None) -> str:
    """Return the sign of an operation, read from how it is written; else its cleaned name.

    >>> glyph("add"), glyph("sigmoid"), glyph("transpose"), glyph("relu")
    ('+', 'σ', 'ᵀ', 'relu')
    """
    known = PRIMITIVES.get(op or "")
    sign = CALL.sub("", known.writes or "") if known else ""
    sign = VARIABLE.sub("", sign).strip().replace(" ", "-")
    return clean(SIGNS.get(sign, sign) if sign and not set(sign) & set("(,") else op or "")


def number_text(value: float) -> str:
    """Return a number operand with four digits.

    >>> number_text(-0.5), number_text(1000000.0)
    ('−0.5', '1e6')
    """
    return f"{value:.4g}".replace("e+0", "e").replace("e-0", "e-").replace("-", "−")


POWERS = {"2": "x²", "3": "x³", "−1": "x⁻¹", "0.5": "√"}
UNKNOWN = "□"  # an operand whose value was not recorded


def operands(node: GraphNode) -> dict[int, str]:
    """Return the inputs of a node that are no nodes, by slot: numbers, □ for unknown ones."""
    absent = (slot for slot, parent in enumerate(node.parents) if parent is None)
    known = node.numbers
    return {slot: number_text(known[slot]) if slot in known else UNKNOWN for slot in absent}


BOUNDS = ("low", "high", "decimals")  # options that are numbers: they belong to the sign


def options_text(node: GraphNode, told: Collection[str] | None = None) -> str:
    """Return the options of a node's operation, each with its name; all of them, or those told."""
    known = ((name, text) for name, text in node.options.items() if told is None or name in told)
    return clean(", ".join(f"{name} {text}" for name, text in known), 60)


def sign_of(node: GraphNode) -> str:
    """Return the sign of a node's operation with the operands that are no nodes: 1 −, × 0.5, x²."""
    sign, beside = glyph(node.op), operands(node)
    sign = " ".join([sign, *(f"{k} {node.options[k]}" for k in BOUNDS if k in node.options)])
    if len(beside) != 1:
        return " ".join([sign, *beside.values()])
    ((slot, text),) = beside.items()
    if sign == "xⁿ" and slot == 1:
        return POWERS.get(text, f"x^{text}")
    return f"{text} {sign}" if slot == 0 and sign != "×" else f"{sign} {text}"


def caption(node: GraphNode) -> str:
    """Return the shortest name of a node: its own, its operation's sign, or its role."""
    return clean(node.name) if node.name else sign_of(node) or node.role


def shape_text(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "scalar"


def face(node: GraphNode, values: str = "none") -> Face:
    """Return how a node looks: signs as circles, names over operations, leaves as boxes."""
    sign = sign_of(node)
    lines = [clean(node.name)] if node.name else []
    lines += [sign] if sign and sign != (lines or [""])[0] else []
    lines = lines or [node.role]
    if values in ("stats", "full") and node.value:
        lines.append(f"‖v‖ {number(node.value.get('norm'))}")
    round_one = sign in ROUND or None in node.parents and len(sign) <= 3
    if len(lines) == 1 and round_one and not node.name:
        return Face((sign,), "circle", 22.0, 22.0)
    wide = max(width(line) for line in lines) + 12.0
    if values in ("stats", "full"):  # the same room in every step, whatever the number is
        wide = max(wide, width("‖v‖ 0.000e-0") + 8.0)
    shape = "square" if node.role in ("param", "const") else "round"
    room = HEAT + 3.0 if values == "full" and heat(node) else 0.0
    return Face(tuple(lines), shape, max(30.0, wide), 8.0 + 12.0 * len(lines) + room)


def heat(node: GraphNode) -> list[float]:
    """Return the numbers of a node's mini heat map, at most sixteen."""
    return list((node.value or {}).get("sample", ()))[:16]


def chip(node: GraphNode) -> Face:
    """Return the look of a small reference to a node that is drawn elsewhere or not at all."""
    text = caption(node)
    return Face((text,), "dashed", max(18.0, width(text, CHIP) + 8.0), 14.0, CHIP)


def number(value: float | None) -> str:
    """Return a number with three digits; "–" when there is none."""
    return "–" if value is None else f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e")


def title(node: GraphNode) -> str:
    """Return the tool tip of a node: what it is, its shape, value and gradient."""
    words = [clean(node.name or ""), clean(node.op or node.role), *operands(node).values()]
    words += [options_text(node)]
    parts = [" ".join(filter(None, words))]
    parts += [f"{shape_text(node.shape)} {clean(node.dtype)}"]
    if node.value:
        parts += [f"‖value‖ = {number(node.value.get('norm'))}"]
    parts += [f"‖gradient‖ = {number(node.grad_norm)}"] if node.grad else ["no gradient yet"]
    return " · ".join(parts)
