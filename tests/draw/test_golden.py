"""Pictures of every view and of every option of a layout, as recorded.

A picture is recorded as a sketch: one line per frame, box and wire with rounded coordinates, so
that a change can be read in a diff; files of the other forms are recorded as they are. After
looking at the new pictures:
    python tests/draw/test_golden.py
records them again.
"""

from __future__ import annotations

import re
import sys
from functools import cache, partial
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import draw_graphs

from tinygrad_rnn.draw import Drawing
from tinygrad_rnn.draw.capture.models import CELLS, Sizes
from tinygrad_rnn.draw.capture.sources import of_cell
from tinygrad_rnn.draw.layout.architectures import NAMES, arch_graph, arch_view
from tinygrad_rnn.draw.layout.dot_recipe import dot_text
from tinygrad_rnn.draw.layout.legend import finish
from tinygrad_rnn.draw.scene import Box, Wire, Words
from tinygrad_rnn.draw.settings import Settings
from tinygrad_rnn.draw.transform.fold import fold_sums
from tinygrad_rnn.draw.views import measured, scene_of

FOLDER = Path(__file__).parents[1] / "golden" / "draw"
LEVELS = ("cell", "gate", "op")
FEW, OTHERS = ("lstm", "brnn", "deep"), ("rolled", "backward", "flow", "params")
OPTIONS = {
    "wrapped": {"view": "gate", "wrap": 2},
    "elided": {"view": "gate", "elide": "1,2"},
    "elided-cells": {"view": "cell", "elide": "2,2"},
    "shapes": {"view": "op", "values": "shape", "elide": "1,1"},
    "shelf": {"view": "gate", "params": "shelf", "elide": "1,1"},
    "letters": {"view": "cell", "ascii": True, "legend": False},
}
NUMBER = re.compile(r"(?<![\d.])-?\d+(?:\.\d+)?")
FORMS = ("svg", "dot", "tikz", "mermaid", "txt")


def sketch(scene):
    """Return the geometry and the texts of a scene, without what rounding could change."""
    lines = [f"{scene.title}: {scene.width:.0f}×{scene.height:.0f}, {scene.description}"]
    lines += [
        f"frame {f.kind} {f.x:.0f},{f.y:.0f} {f.w:.0f}×{f.h:.0f} {f.label} {_rounded(f.label_x)}"
        for f in scene.frames
    ]
    lines += [
        f"{b.shape} {b.role} {b.x:.0f},{b.y:.0f} {b.w:.0f}×{b.h:.0f} {' / '.join(b.lines)}"
        f"{_beside(b, Box(0, 0, 0, 0, ()), ('size', 'bold', 'mark', 'fill', 'lift'))}"
        for b in scene.boxes
    ]
    wires = []
    for w in scene.wires:
        course = " ".join(f"{x:.0f},{y:.0f}" for x, y in (w.points[0], *w.points[3::3]))
        wires.append(f"wire {w.edge} {course}{_beside(w, Wire([]), ('arrow', 'dash'))}")
    lines += sorted(wires)
    lines += [
        f"words {w.x:.0f},{w.y:.0f} {w.text}"
        f"{_beside(w, Words(0, 0, ''), ('size', 'anchor', 'bold', 'faint'))}"
        for w in scene.words
    ]
    for kind, patches in (("patch", scene.patches), ("above", scene.above)):
        lines += [f"{kind} {p.x:.0f},{p.y:.0f} {p.w:.0f}×{p.h:.0f}" for p in patches]
    return [re.sub(r"max diff \S+\)", "max diff …)", line) for line in lines]


def _rounded(value):
    return "" if value is None else f"{value:.0f}"


def _beside(made, plain, names):
    """Return what of these differs from the defaults."""
    found = [(name, getattr(made, name)) for name in names]
    return "".join(f" {k}={v}" for k, v in found if v != getattr(plain, k))


@cache
def cell_graph(cell, grad="none"):
    graph, error = of_cell(cell, Sizes(steps=3))
    assert error is None
    return measured(graph, grad)  # gradients are tested elsewhere, by number


def of(cell, view):
    grad = "norm" if view in ("flow", "params") else "none"
    return scene_of([cell_graph(cell, grad)], Settings(view))


def pictures():
    """Return name → what draws the scene, of everything that is recorded."""
    found = {
        name: partial(lambda name: finish(arch_view(arch_graph(name))), name) for name in NAMES
    }
    found |= {f"{c}-{v}": partial(of, c, v) for c in CELLS for v in LEVELS}
    found |= {f"{c}-{v}": partial(of, c, v) for c in FEW for v in OTHERS}
    found["lstm-diff"] = lambda: scene_of(
        [cell_graph("lstm"), cell_graph("lstm-notanh")], Settings("diff")
    )
    for name, wishes in OPTIONS.items():
        lstm = partial(draw_graphs.lstm, 6)
        found[f"option-{name}"] = partial(lambda w, g: scene_of([g()], Settings(**w)), wishes, lstm)
    return found


def texts():
    """Return name → what writes one small graph in every form that is text."""
    found = {f"step.{form}": partial(encoded, form) for form in FORMS}
    return found | {f"{c}.dot": partial(unplaced, c) for c in CELLS}


def encoded(form):
    return Drawing([draw_graphs.lstm(1)], Settings("gate")).encoded(form).decode()


def unplaced(cell):
    return dot_text(fold_sums(cell_graph(cell)))


def close(line, recorded):
    """Return whether two lines say the same, coordinates within 2 px."""
    ours, theirs = line.replace(",", " ").split(), recorded.replace(",", " ").split()
    return len(ours) == len(theirs) and all(map(same_word, ours, theirs))


def same_word(a, b):
    if a == b:
        return True
    numbers = [_number(part) for part in (*a.split("×"), *b.split("×"))]
    half = len(numbers) // 2
    if None in numbers or a.count("×") != b.count("×"):
        return False
    return all(abs(x - y) <= 2 for x, y in zip(numbers[:half], numbers[half:]))


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


@pytest.mark.parametrize("name", pictures())
def test_the_picture_is_the_recorded_one(name):
    recorded = (FOLDER / f"{name}.scene").read_text(encoding="utf-8").splitlines()
    drawn = sketch(pictures()[name]())
    different = [(a, b) for a, b in zip(drawn, recorded) if not close(a, b)]
    assert not different, different[:5]
    assert len(drawn) == len(recorded)


@pytest.mark.parametrize("name", texts())
def test_the_file_is_the_recorded_one(name):
    """Numbers may differ in the last digit: Python 3.12 adds floats more exactly than 3.11."""
    made, recorded = texts()[name](), (FOLDER / name).read_text(encoding="utf-8")
    assert NUMBER.sub("", made) == NUMBER.sub("", recorded)
    numbers = zip(NUMBER.findall(made), NUMBER.findall(recorded))
    assert not [(a, b) for a, b in numbers if abs(float(a) - float(b)) > 0.15]


def test_nothing_else_is_recorded():
    names = {f"{name}.scene" for name in pictures()} | set(texts())
    assert {path.name for path in FOLDER.iterdir()} == names


def test_the_comparison_of_pictures_can_fail():
    assert close("round op 10,20 a", "round op 11,22 a")
    assert not close("round op 10,20 a", "round op 14,20 a")
    assert not close("round op 10,20 a", "round op 10,20 b")
    assert not close("wire (1, 0) 1,2", "wire (1, 0) 1,2 3,4")


if __name__ == "__main__":
    scenes = {f"{name}.scene": sketch(draw()) for name, draw in pictures().items()}
    made = {name: "\n".join(lines) + "\n" for name, lines in scenes.items()}
    for name, text in (made | {name: write() for name, write in texts().items()}).items():
        (FOLDER / name).write_text(text, encoding="utf-8")
