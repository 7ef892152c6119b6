"""Sphinx's settings for the site: `make site`."""

import re
from typing import Any

from latex2mathml.converter import convert

project = "tinygrad_rnn"
author = "the authors of tinygrad_rnn"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the committed notebooks hold their results
nb_merge_streams = True  # printed lines stand in one box, however they arrived
nb_ipywidgets_js: dict = {}  # nothing is loaded from outside
nb_mime_priority_overrides = [("html", "image/svg+xml", 0)]
html_theme = "furo"
html_title = "tinygrad_rnn"
html_static_path = ["theme"]
html_css_files = ["site.css"]
html_extra_path = ["extra"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_math_renderer = "mathml"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
add_module_names = False
exclude_patterns = ["examples.txt"]
suppress_warnings = ["misc.highlighting_failure"]


def as_mathml(self: Any, node: Any, display: str) -> None:
    """Write a formula as MathML, which browsers set without scripts and fonts of their own."""
    from docutils.nodes import SkipNode

    made = convert(node.astext(), display=display)
    self.body.append(f'<div class="math">{made}</div>' if display == "block" else made)
    raise SkipNode


def as_table(block: str) -> str:
    """Return a paragraph that ends in indented lines as text above preformatted lines."""
    lines = block.split("\n")
    first = next(i for i, line in enumerate(lines) if line.startswith(" "))
    head, rows = "\n".join(lines[:first]), lines[first:]
    return f"{as_text(head)}\n\n::\n\n" + "\n".join(f"   {row}" for row in rows)


def as_text(text: str) -> str:
    """Return plain text as reStructuredText: `code` is code, and nothing else is markup."""
    parts = re.split(r"`([^`]+)`", text)
    plain = [re.sub(r"([*_|\\])", r"\\\1", part) for part in parts[::2]]
    code = [f"``{part}``" for part in parts[1::2]]
    return "".join(a + b for a, b in zip(plain, [*code, ""]))


def as_rst(docstring: str) -> str:
    """Return a docstring of this project as reStructuredText."""
    blocks = docstring.strip("\n").split("\n\n")
    return "\n\n".join(
        block if block.lstrip().startswith(">>>")
        else as_table(block) if "\n " in block or block.startswith(" ")
        else as_text(block)
        for block in blocks
    )  # fmt: skip


def translate(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = as_rst("\n".join(lines)).split("\n")


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", translate)
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(lambda self, node: as_mathml(self, node, "inline"), None),
        block_renderers=(lambda self, node: as_mathml(self, node, "block"), None),
    )
