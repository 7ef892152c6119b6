"""Pictures of all cells × levels and of the five architectures, as recorded.

A picture is recorded as a sketch: one line per frame, box and wire with rounded coordinates, so
that a change can be read in a diff. After looking at the new pictures:
    python tests/draw/test_golden.py
records them again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

from tinygrad_rnn.draw.capture.models import CELLS, Sizes
from tinygrad_rnn.draw.capture.sources import of_cell
from tinygrad_rnn.draw.layout.architectures import NAMES, arch_graph, arch_view
from tinygrad_rnn.draw.layout.dot_recipe import dot_text
from tinygrad_rnn.draw.layout.legend import finish
from tinygrad_rnn.draw.settings import Settings
from tinygrad_rnn.draw.transform.fold import fold_sums
from tinygrad_rnn.draw.views import measured, scene_of

FOLDER = Path(__file__).parents[1] / "golden" / "draw"
LEVELS = ("cell", "gate", "op")


def sketch(scene):
    """Return the geometry and the texts of a scene, without what rounding could change."""
    lines = [f"{scene.title}: {scene.width:.0f}×{scene.height:.0f}"]
    lines += [
        f"frame {f.kind} {f.x:.0f},{f.y:.0f} {f.w:.0f}×{f.h:.0f} {f.label}" for f in scene.frames
    ]
    lines += [
        f"{b.shape} {b.role} {b.x:.0f},{b.y:.0f} {b.w:.0f}×{b.h:.0f} {' / '.join(b.lines)}"
        for b in scene.boxes
    ]
    wires = []
    for w in scene.wires:
        course = " ".join(f"{x:.0f},{y:.0f}" for x, y in (w.points[0], *w.points[3::3]))
        wires.append(f"wire {w.edge} {course}")
    lines += sorted(wires)
    lines += [f"words {w.x:.0f},{w.y:.0f} {w.text}" for w in scene.words]
    return lines


def cell_graph(cell):
    graph, error = of_cell(cell, Sizes(steps=3))
    assert error is None
    return measured(graph, "none")  # gradients are tested elsewhere, by number


def pictures():
    """Return name → sketch of everything that is recorded."""
    found = {name: sketch(finish(arch_view(arch_graph(name)))) for name in NAMES}
    for cell in CELLS:
        graph = cell_graph(cell)
        for level in LEVELS:
            found[f"{cell}-{level}"] = sketch(scene_of([graph], Settings(level)))
    return found


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


@pytest.fixture(scope="module")
def drawn():
    return pictures()


@pytest.mark.parametrize("name", [*NAMES, *(f"{c}-{v}" for c in CELLS for v in LEVELS)])
def test_the_picture_is_the_recorded_one(drawn, name):
    recorded = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    different = [(a, b) for a, b in zip(drawn[name], recorded) if not close(a, b)]
    assert not different, different[:5]
    assert len(drawn[name]) == len(recorded)


@pytest.mark.parametrize("cell", CELLS)
def test_the_dot_is_the_recorded_one(cell):
    recorded = (FOLDER / f"{cell}.dot").read_text(encoding="utf-8")
    assert dot_text(fold_sums(cell_graph(cell))) == recorded


def test_the_comparison_of_pictures_can_fail():
    assert close("round op 10,20 a", "round op 11,22 a")
    assert not close("round op 10,20 a", "round op 14,20 a")
    assert not close("round op 10,20 a", "round op 10,20 b")
    assert not close("wire (1, 0) 1,2", "wire (1, 0) 1,2 3,4")


if __name__ == "__main__":
    for name, lines in pictures().items():
        (FOLDER / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for cell in CELLS:
        text = dot_text(fold_sums(cell_graph(cell)))
        (FOLDER / f"{cell}.dot").write_text(text, encoding="utf-8")
