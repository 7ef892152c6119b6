"""Make a user's name fit for a comment in generated code; `row_text` and `listing` call it."""

from __future__ import annotations

MOST = 60  # characters


def comment(text: object, most: int = MOST) -> str:
    r"""Return text that ends no comment of C, CUDA or Python and starts none.

    >>> comment("*/ int evil; /*")
    '* / int evil; / *'
    >>> comment("forget\n\\σ")
    'forget...'
    """
    # ASCII: a compiler's idea of a line, and a locale's of a letter, may be another than ours
    shown = str(text)[:most]
    plain = "".join(c if c.isascii() and c.isprintable() and c != "\\" else "." for c in shown)
    return plain.replace("*/", "* /").replace("/*", "/ *").replace("??", "?.")
