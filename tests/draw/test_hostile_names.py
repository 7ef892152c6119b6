"""Whatever a user names, every output is well-formed, shows it as text, and runs nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from typing import Any

import pytest
from hostile import HOSTILE, RUNS

from tinygrad_rnn import nn, primitive, scope, tensor
from tinygrad_rnn.draw import Graph, draw
from tinygrad_rnn.draw.drawing import Drawing

VIEWS = ("rolled", "cell", "gate", "op", "flow", "params", "backward", "table")
LABELS = ("gate", "layer", "dir", "phase", "cell")


def named(name: str, declared: Any = None) -> Drawing:
    """Two steps in which labels, paths, Tensors, attributes, a class and a title have a name."""
    key = name[:100]
    W = tensor([[0.1, 0.2], [0.3, 0.4]], requires_grad=True, name=name)
    model = type(
        f"{key}Model".encode("ascii", "replace").decode().replace("\0", ""), (nn.Module,), {}
    )()
    setattr(model, f"{key}_", tensor([1.0, 2.0], requires_grad=True))
    bias = getattr(model, f"{key}_")
    h = tensor([[0.0, 1.0]], name=f"{name}1")

    def run() -> Any:
        state = h
        for t in range(2):
            with scope(key, step=t, **dict.fromkeys(LABELS, name), **{f"{key}:": name}):
                state = (state @ W + bias).tanh()
                state = declared(state) if declared else state
                state.name = f"{name}h"
        return (state * state).sum()

    run.__name__ = name.encode("utf-8", "replace").decode()
    return draw(run, title=name)


def with_view(drawing: Drawing, view: str) -> Drawing:
    return draw(drawing.graph, view=view, title=drawing.settings.title)


class Page(HTMLParser):
    """The scripts of a page and everything that could run another."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts.append(data)


LONG = pytest.param("long", marks=pytest.mark.slow)


@pytest.mark.parametrize("name", [*(name for name in HOSTILE if name != "long"), LONG])
def test_every_output(name: str) -> None:
    drawing = named(HOSTILE[name])
    assert Graph.from_json(drawing.json) is not None
    for view in VIEWS:
        check_svg(with_view(drawing, view).svg)
    check_dot(drawing.dot)
    check_dot(draw(drawing.graph, positions=True, title=HOSTILE[name]).dot)
    check_tex(drawing.tikz)
    check_mermaid(drawing.mermaid)
    check_page(drawing.html)
    assert all(line.isprintable() for line in drawing.text.splitlines())
    for format in ("svg", "html", "dot", "mermaid", "tikz", "json", "txt"):
        drawing.encoded(format).decode("utf-8")


def check_svg(text: str) -> None:
    tree = ElementTree.fromstring(text)
    assert len(text) < 100_000  # names are cut
    tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert tags <= {"svg", "title", "desc", "rect", "g", "path", "polygon", "text", "circle"} | {
        "tspan", "line", "ellipse", "polyline",
    }  # fmt: skip
    names = {key for element in tree.iter() for key in element.attrib}
    assert not any(key.startswith("on") or key.endswith("href") for key in names)


def check_dot(text: str) -> None:
    """Outside of quotes there is nothing but our own words, and each quote ends."""
    plain = re.sub(r'"(?:[^"\\]|\\.)*"', "Q", text, flags=re.DOTALL)
    assert '"' not in plain and RUNS not in plain
    assert not re.search(r"[\0-\x08\x0b-\x1f\x7f\ud800-\udfff]", text)
    for label in re.findall(r"label=<(<.*?>)>(?=[; ])", plain):  # which may name files
        tags = {element.tag for element in ElementTree.fromstring(label).iter()}
        assert tags <= {"table", "tr", "td", "b", "font", "br"}
    assert not re.search(r"=\s*<(?!<table)|href|img|src", plain, re.IGNORECASE)


def check_tex(text: str) -> None:
    """No command but ours, braces in pairs, nothing that TeX reads as more than a letter."""
    plain = re.sub(r"\\[{}$&#%_]", "", text)
    depth = [0]
    for c in plain:
        depth.append(depth[-1] + (c == "{") - (c == "}"))
    assert min(depth) == 0 == depth[-1]
    known = re.findall(r"\\([A-Za-z]+)", plain)
    assert not {"input", "write", "include", RUNS, "openout", "csname"} & set(known)
    assert known.count("end") == 2
    assert not re.search(r"[\0-\x08\x0b-\x1f\x7f\ud800-\udfff]", text)


def check_mermaid(text: str) -> None:
    plain = re.sub(r'"[^"\n]*"', "Q", text)
    assert '"' not in plain and RUNS not in plain and "click" not in plain
    for label in re.findall(r'"([^"\n]*)"', text):
        assert not re.search(r"[<>](?!br>)|`", label.replace("<br>", ""))


def check_page(text: str) -> None:
    page = Page(text)
    assert not any(key.startswith("on") for _, attrs in page.tags for key in attrs)
    assert not any(tag in ("iframe", "object", "embed", "base") for tag, _ in page.tags)
    assert all("src" not in attrs for tag, attrs in page.tags if tag == "script")
    assert sum(tag == "script" for tag, _ in page.tags) == SCRIPTS


SCRIPTS = sum(tag == "script" for tag, _ in Page(named("plain").html).tags)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "empty"])
def test_a_primitive_of_that_name(name: str, primitives: Any) -> None:
    declared = primitive(HOSTILE[name], lambda a: a * 2, lambda g, y, a: g * 2)
    drawing = named("plain", declared)
    check_svg(drawing.svg)
    check_dot(drawing.dot)
    check_tex(drawing.tikz)
    check_mermaid(drawing.mermaid)
    check_page(drawing.html)
    json.loads(drawing.json)


@pytest.mark.dot
@pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz's dot is not there")
def test_dot_reads_all_of_them() -> None:
    text = "\n".join(named(name[:1000]).dot for name in HOSTILE.values())
    done = subprocess.run(["dot", "-Tcanon"], input=text.encode(), capture_output=True, timeout=60)
    assert done.returncode == 0 and b"rror" not in done.stderr, done.stderr
    assert done.stdout.count(b"digraph {") == len(HOSTILE)
