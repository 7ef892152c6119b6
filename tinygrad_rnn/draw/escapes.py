"""Escape text for a picture's file, one function per language, for `render` and `player`.

Names come from users. In each language they end no string, start no markup and no command, and
hold no character that a reader of that language refuses.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

# controls, halves of surrogate pairs and what is no character: XML and TeX refuse them, DOT ends
ODD = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\^{}", "~": r"\~{}",
    "⟨": r"$\langle$", "⟩": r"$\rangle$", "Γ": r"$\Gamma$", "σ": r"$\sigma$", "Σ": r"$\Sigma$",
    "×": r"$\times$", "÷": r"$\div$", "−": "$-$", "∂": r"$\partial$", "‖": r"$\|$", "·": r"$\cdot$",
    "∘": r"$\circ$", "√": r"$\surd$", "→": r"$\to$", "←": r"$\leftarrow$", "⋯": r"$\cdots$",
    "ᵀ": r"${}^\top$", "ⁿ": "${}^n$", "²": "${}^2$", "ŷ": r"$\hat{y}$", "ĝ": r"$\hat{g}$",
    "…": r"\dots{}", "✖": r"$\times$", "Δ": r"$\Delta$", "ₜ": "${}_t$", "≤": r"$\le$",
    "◧": "[A]", "◨": "[B]", "—": "---",
}  # fmt: skip


def visible(text: str) -> str:
    r"""Return text in which every character is one: '\ufffd' stands for what is none.

    >>> visible("a\0b\ud800")
    'a\ufffdb\ufffd'
    """
    return ODD.sub("\ufffd", text)


def xml(text: str) -> str:
    """Return text for an element of SVG or HTML.

    >>> xml("<script> & co")
    '&lt;script&gt; &amp; co'
    """
    return html.escape(visible(text), quote=False)


def dot(text: str) -> str:
    r"""Return a string of DOT: backslashes and quotes neither end it nor start an escape.

    >>> print(dot('a"\\N'))
    "a\"\\N"
    """
    lines = [line.replace("\\", "\\\\").replace('"', '\\"') for line in visible(text).split("\n")]
    return '"' + "\\n".join(lines) + '"'


def tex(text: str) -> str:
    r"""Return text for TeX: specials escaped, the book's signs as mathematics.

    >>> print(tex("σ_50%"))
    $\sigma$\_50\%
    """
    text = visible(text).replace("ŷ", "ŷ").replace("c̃", "\0")
    return "".join(TEX.get(c, c) for c in text).replace("\0", r"$\tilde{c}$")


def mermaid(text: str) -> str:
    """Return text in which nothing ends a label or starts markup: Mermaid's #code; form.

    >>> mermaid('a"]')
    'a#34;#93;'
    """
    text = visible(text)
    return "".join(c if c.isalnum() or c in " .,+-=_⟨⟩()/" else f"#{ord(c)};" for c in text)


def json_in_html(data: Any) -> str:
    """Return JSON that cannot end the script element it stands in.

    >>> json_in_html("</script>")
    '"\\\\u003c/script>"'
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return visible(text).replace("<", "\\u003c")
