"""Add the legend and the notes to a scene, so that all renderers show them; for `views`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..labels import clean, width
from ..palette import Scale
from ..scene import Box, Patch, Scene, Wire, Words

ROW, NARROW = 30.0, 260.0
ROLES = {
    "input": "input, target, state", "param": "parameter (one chip per use)", "op": "operation",
    "loss": "loss",
}  # fmt: skip
NOT_RUN = "backward() not run — gradients not shown"


def finish(scene: Scene) -> Scene:
    """Return the scene with title, notes and legend; it grows upwards and downwards."""
    scene.title = clean(scene.title, 120)
    scene.notes = [clean(note, 400) for note in scene.notes]
    scene.width = max(scene.width, NARROW)
    title = _wrapped(scene.title, 14.0, scene.width - 28.0)
    scene.move(0.0, 18.0 * len(title) + 6.0 if title else 0.0)
    for number, line in enumerate(title):
        scene.words.append(Words(14.0, 20.0 + 18.0 * number, line, 13.0, bold=True))
        scene.width = max(scene.width, 28.0 + width(line, 14.0))
    for note in scene.notes:
        for line in _wrapped(note, 10.0, scene.width - 28.0):
            scene.words.append(Words(14.0, scene.height + 4.0, line, 10.0, faint=True))
            scene.width = max(scene.width, 28.0 + width(line, 10.0))
            scene.height += 16.0
    if scene.legend:
        _legend(scene)
    return scene


def _wrapped(text: str, size: float, room: float) -> list[str]:
    """Return a text in lines that are as long as there is room, a word at least."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        fits = lines and width(longer, size) <= room
        lines[-1 if fits else len(lines) :] = [longer if fits else word]
    return lines


def _legend(scene: Scene) -> None:
    """Add the scale and the roles below, in as many rows as the width needs."""
    items: list[Callable[[Scene, float, float], float]] = []
    if scene.scale.high is not None:
        items += [_scale, *_dashes(scene)]
    used = {box.role for box in scene.boxes}
    items += [partial(_role, role=role) for role in ROLES if role in used]
    x, y = 14.0, scene.height + 10.0
    for item in items:
        parts = len(scene.wires), len(scene.boxes), len(scene.words), len(scene.patches)
        end = item(scene, x, y)
        if end > scene.width + 8.0 and x > 14.0:
            for what, kept in zip(
                (scene.wires, scene.boxes, scene.words, scene.patches), parts, strict=True
            ):
                del what[kept:]  # type: ignore[attr-defined]
            x, y = 14.0, y + 18.0
            end = item(scene, x, y)
        x = end
        scene.width = max(scene.width, x - 6.0)
    scene.height = y - 10.0 + ROW


def _scale(scene: Scene, x: float, y: float) -> float:
    """Draw the gradient scale as wires from thin to thick, and what the dashes mean."""
    scale = scene.scale
    high = scale.high or 0.0
    low_text, high_text = limits(scale)
    x = _say(scene, x, y, f"‖∂L/∂·‖  {low_text}")
    for i in range(12):
        norm = 10 ** (scale.low + (high - scale.low) * (i + 0.5) / 12)
        thick = scale.stroke(norm).width + 1.6
        scene.patches.append(Patch(x + 9 * i, y - thick / 2, 9.2, thick, scale.colour(norm)))
    return _say(scene, x + 9 * 12 + 6.0, y, high_text)


def limits(scale: Scale) -> tuple[str, str]:
    """Return the smallest and the largest norm of a scale with one digit."""
    ends = (f"{10**v:.0e}" for v in (scale.low, scale.high or 0.0))
    low, high = (text.replace("e-0", "e-").replace("e+0", "e") for text in ends)
    return low, high


def _dashes(scene: Scene) -> list[Callable[[Scene, float, float], float]]:
    """Return what writes the meaning of the wires without a colour, as far as there are any."""
    norms = [wire.norm for wire in scene.wires]
    found: list[Callable[[Scene, float, float], float]] = []
    if any(norm == 0 for norm in norms):
        found.append(partial(_dash, norm=0.0, text="exactly 0"))
    if any(norm is None for norm in norms):
        found.append(partial(_dash, norm=None, text="no gradient"))
    return found


def _dash(scene: Scene, x: float, y: float, norm: float | None, text: str) -> float:
    scene.wires.append(_sample(x, y, norm))
    return _say(scene, x + 30.0, y, text)


def _sample(x: float, y: float, norm: float | None) -> Wire:
    points = [(x, y), (x + 8.0, y), (x + 16.0, y), (x + 24.0, y)]
    return Wire(points, None, norm, arrow=False)


def _say(scene: Scene, x: float, y: float, text: str) -> float:
    scene.words.append(Words(x, y + 3.5, text, 9.0, faint=True))
    return x + width(text, 9.0) + 14.0


def _role(scene: Scene, x: float, y: float, role: str) -> float:
    """Draw a small box of a role, and what the role is."""
    shape = "dashed" if role == "param" else "round"
    scene.boxes.append(Box(x + 10.0, y, 18.0, 12.0, ("",), shape, role, bold=role == "loss"))
    return _say(scene, x + 24.0, y, ROLES[role])
