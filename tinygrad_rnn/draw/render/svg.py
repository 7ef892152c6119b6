"""A scene as SVG text: the reference renderer, with nothing to install.

The file stands alone (system fonts, no script, no link), has a title and a description for
screen readers, and the same scene gives the same bytes.
"""

from __future__ import annotations

import math
import zlib
from html import escape

from ..palette import BROKEN
from ..scene import Box, Frame, Patch, Point, Scene, Wire, Words

FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def num(value: float) -> str:
    """Return a coordinate with one decimal, without a trailing .0 and without −0."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def svg(scene: Scene) -> str:
    """Return the picture as a complete SVG document."""
    wide, high = num(math.ceil(scene.width)), num(math.ceil(scene.height))
    theme = scene.theme
    # several pictures may stand in one page: each refers to its own title
    key = f"{zlib.crc32(f'{scene.title}/{scene.description}/{wide}×{high}'.encode()):08x}"
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" '
        f'height="{high}" role="img" aria-labelledby="title-{key} desc-{key}" font-family="{FONT}" '
        f'font-size="10" fill="{theme.ink}">',
        f'<title id="title-{key}">{escape(scene.title or "graph", False)}</title>',
        f'<desc id="desc-{key}">{escape(scene.description, False)}</desc>',
        f'<rect width="{wide}" height="{high}" fill="{theme.paper}"/>',
    ]
    body = [_frame(frame, scene) for frame in scene.frames]
    body += [_patch(patch) for patch in scene.patches]
    body += [_wire(wire, scene) for wire in scene.wires]
    body += [_box(box, scene) for box in scene.boxes]
    body += [_patch(patch) for patch in scene.above]
    body += [_words(words, scene) for words in scene.words]
    return "\n".join([*head, *body, "</svg>"]) + "\n"


def _frame(frame: Frame, scene: Scene) -> str:
    theme = scene.theme
    fill = {"step": theme.panel, "gate": theme.inner}.get(frame.kind, "none")
    radius = 8 if frame.kind == "step" else 5
    dash = ' stroke-dasharray="4 3"' if frame.kind == "band" else ""
    size = 12 if frame.kind == "step" else 8
    x = frame.x + frame.w / 2 if frame.label_x is None else frame.label_x
    y = frame.y + (size + 2 if frame.label_top else frame.h - (8 if frame.kind == "step" else 4))
    text = _text(x, y, frame.label, size, "middle", theme.ink if size == 12 else theme.faint)
    return (
        f'<rect x="{num(frame.x)}" y="{num(frame.y)}" width="{num(frame.w)}" '
        f'height="{num(frame.h)}" rx="{radius}" fill="{fill}" stroke="{theme.edge}"'
        f' stroke-width="0.8"{dash}/>' + (text if frame.label else "")
    )


def _text(x: float, y: float, text: str, size: float, anchor: str, fill: str = "") -> str:
    colour = f' fill="{fill}"' if fill else ""
    where = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return (
        f'<text x="{num(x)}" y="{num(y)}"{where} font-size="{num(size)}"{colour}>'
        f"{escape(text, False)}</text>"
    )


def _patch(patch: Patch) -> str:
    rect = (
        f'<rect x="{num(patch.x)}" y="{num(patch.y)}" width="{patch.w:.2f}" '
        f'height="{patch.h:.2f}" fill="{patch.fill}"'
    )
    title = f"<title>{escape(patch.title, False)}</title>" if patch.title else ""
    return f"{rect}>{title}</rect>" if title else rect + "/>"


def _wire(wire: Wire, scene: Scene) -> str:
    stroke = scene.scale.stroke(wire.norm)
    dash = wire.dash or stroke.dash
    points, head = arrow(wire.points, stroke.width) if wire.arrow else (wire.points, [])
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    line = (
        f'<path d="{path_data(points)}" fill="none" stroke="{stroke.colour}" '
        f'stroke-width="{stroke.width:.2f}"{dashes}/>'
    )
    if head:
        corners = " ".join(f"{num(x)},{num(y)}" for x, y in head)
        line += f'<polygon points="{corners}" fill="{stroke.colour}"/>'
    if stroke.broken:
        x, y = wire.points[len(wire.points) // 2]
        line += _text(x, y + 3, "✖", 10, "middle", BROKEN)
    attributes = f' data-edge="{wire.edge[0]}:{wire.edge[1]}"' if wire.edge else ""
    title = f"<title>{escape(wire.title, False)}</title>" if wire.title else ""
    return f'<g class="edge"{attributes}>{title}{line}</g>'


def path_data(points: list[Point]) -> str:
    """Return the SVG path of a chain of cubic curves."""
    # all numbers in one go: most of the time of a large picture is spent here
    form = "M%.1f,%.1f C" + " ".join(["%.1f,%.1f"] * (len(points) - 1)) + " "
    text = form % tuple(value for point in points for value in point)
    return text.replace(".0,", ",").replace(".0 ", " ").rstrip(" C")


def arrow(points: list[Point], width: float) -> tuple[list[Point], list[Point]]:
    """Return a wire cut short at its end and the corners of the arrow head put there."""
    length, half = 4.6 + 0.9 * width, 1.9 + 0.6 * width
    (bx, by), (ex, ey) = points[-2], points[-1]
    far = math.hypot(ex - bx, ey - by) or 1.0
    ux, uy = (ex - bx) / far, (ey - by) / far
    px, py = ex - ux * length, ey - uy * length
    corners = [(ex, ey), (px - uy * half, py + ux * half), (px + uy * half, py - ux * half)]
    # the control point moves along, else the line would bend back inside the head
    start = points[:-2]
    return [*start, (bx - ux * length, by - uy * length), (px + ux, py + uy)], corners


def _box(box: Box, scene: Scene) -> str:
    theme = scene.theme
    fill = box.fill or theme.fills.get(box.role, theme.paper)
    edge = theme.param_edge if box.role == "param" else theme.ink
    thick = 1.6 if box.bold else 0.8
    style = f'fill="{fill}" stroke="{edge}" stroke-width="{thick}"'
    if box.shape == "circle":
        shape = f'<circle cx="{num(box.x)}" cy="{num(box.y)}" r="{num(box.w / 2)}" {style}/>'
    else:
        dash = ' stroke-dasharray="3 2"' if box.shape == "dashed" else ""
        radius = ' rx="6"' if box.shape == "round" else ""
        shape = (
            f'<rect x="{num(box.x - box.w / 2)}" y="{num(box.y - box.h / 2)}" '
            f'width="{num(box.w)}" height="{num(box.h)}"{radius} {style}{dash}/>'
        )
    text = "".join(_lines(box))
    if box.mark:
        x, y, size = box.corner
        text += _text(x, y, box.mark, size, "middle", BROKEN)
    node = f' data-node="{box.node}"' if box.node is not None else ""
    title = f"<title>{escape(box.title, False)}</title>" if box.title else ""
    return f'<g class="node {box.role}"{node}>{title}{shape}{text}</g>'


def _lines(box: Box) -> list[str]:
    step = box.size * 1.2
    first = box.y - box.lift + box.size * 0.35 - (len(box.lines) - 1) * step / 2
    return [
        _text(box.x, first + i * step, line, box.size, "middle")
        for i, line in enumerate(box.lines)
        if line
    ]


def _words(words: Words, scene: Scene) -> str:
    fill = scene.theme.faint if words.faint else ""
    text = _text(words.x, words.y, words.text, words.size, words.anchor, fill)
    return text.replace("<text ", '<text font-weight="bold" ', 1) if words.bold else text
