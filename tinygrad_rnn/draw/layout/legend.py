"""Add the legend and the notes to a scene, so that all renderers show them; for `views`."""

from __future__ import annotations

from ..labels import clean, width
from ..palette import Scale
from ..scene import Box, Patch, Scene, Wire, Words

ROW = 30.0
ROLES = {
    "input": "input, target, state", "param": "parameter (one chip per use)", "op": "operation",
    "loss": "loss",
}  # fmt: skip
NOT_RUN = "backward() not run — gradients not shown"


def finish(scene: Scene) -> Scene:
    """Return the scene with title, notes and legend; it grows upwards and downwards."""
    scene.title = clean(scene.title, 120)
    scene.notes = [clean(note, 400) for note in scene.notes]
    if scene.title:
        scene.move(0.0, 24.0)
        scene.words.append(Words(14.0, 20.0, scene.title, 13.0, bold=True))
        scene.width = max(scene.width, 28.0 + width(scene.title, 14.0))
    for note in scene.notes:
        scene.words.append(Words(14.0, scene.height + 4.0, note, 10.0, faint=True))
        scene.width = max(scene.width, 28.0 + width(note, 10.0))
        scene.height += 16.0
    if scene.legend:
        _legend(scene)
    return scene


def _legend(scene: Scene) -> None:
    y = scene.height + 10.0
    x = _scale(scene, 14.0, y) if scene.scale.high is not None else 14.0
    x = _roles(scene, x, y)
    scene.width = max(scene.width, x + 8.0)
    scene.height += ROW


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
    x = _say(scene, x + 9 * 12 + 6.0, y, high_text)
    return _dashes(scene, x, y)


def limits(scale: Scale) -> tuple[str, str]:
    """Return the smallest and the largest norm of a scale with one digit."""
    ends = (f"{10**v:.0e}" for v in (scale.low, scale.high or 0.0))
    low, high = (text.replace("e-0", "e-").replace("e+0", "e") for text in ends)
    return low, high


def _dashes(scene: Scene, x: float, y: float) -> float:
    norms = [wire.norm for wire in scene.wires]
    if any(norm == 0 for norm in norms):
        scene.wires.append(_sample(x, y, 0.0))
        x = _say(scene, x + 30.0, y, "exactly 0")
    if any(norm is None for norm in norms):
        scene.wires.append(_sample(x, y, None))
        x = _say(scene, x + 30.0, y, "no gradient")
    return x


def _sample(x: float, y: float, norm: float | None) -> Wire:
    points = [(x, y), (x + 8.0, y), (x + 16.0, y), (x + 24.0, y)]
    return Wire(points, None, norm, arrow=False)


def _say(scene: Scene, x: float, y: float, text: str) -> float:
    scene.words.append(Words(x, y + 3.5, text, 9.0, faint=True))
    return x + width(text, 9.0) + 14.0


def _roles(scene: Scene, x: float, y: float) -> float:
    """Draw one small box per role that occurs in the picture."""
    used = {box.role for box in scene.boxes}
    shapes = {"param": "dashed", "input": "round", "op": "round", "loss": "round"}
    for role in (role for role in ROLES if role in used):
        scene.boxes.append(
            Box(x + 10.0, y, 18.0, 12.0, ("",), shapes[role], role, bold=role == "loss")
        )
        x = _say(scene, x + 24.0, y, ROLES[role])
    return x
