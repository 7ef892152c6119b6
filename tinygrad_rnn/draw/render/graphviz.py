"""Have Graphviz draw all formats that are not written here, for `drawing` and `cli`.

The package graphviz (extra `viz`) knows its engines and formats and starts its program `dot`.
Where they are missing, resvg_py draws PNG from SVG; nothing else of this package needs them.
"""

from __future__ import annotations

import importlib
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import Any

from ..draw_error import NO_RENDERER, DrawError

PICTURES = ("png", "pdf", "ps", "eps", "webp", "jpg", "gif")
ENGINES = ("dot", "neato", "fdp", "sfdp", "circo", "twopi", "osage", "patchwork")
RENDERERS = {"ps": "cairo", "eps": "cairo"}  # Graphviz's own driver knows Latin letters alone
DATE = re.compile(rb"(/CreationDate \(D:)\d{14}|(%%CreationDate: )[^\n]*")
POINT = 96 / 72  # pixels of a PNG per unit of a scene
NOT_FOUND = (
    "{} is drawn by Graphviz (the program dot and the package graphviz), which is not here:\n"
    "  apt install graphviz && pip install 'tinygrad_rnn[viz]'\n"
    "  pip install resvg_py    (instead, for PNG alone)"
)


class TookTooLong(Exception):
    """Graphviz was still at work after the time that was allowed."""


def package(name: str) -> ModuleType | None:
    """Return an optional package, None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def here() -> bool:
    """Return whether both the package and the program are there."""
    return shutil.which("dot") is not None and package("graphviz") is not None


def formats() -> set[str]:
    """Return the formats that Graphviz draws, all it has where the package tells them."""
    return set(PICTURES) | set(getattr(package("graphviz"), "FORMATS", ()))


def drawn(dot: str, format: str, engine: str = "dot", seconds: float = 0.0) -> bytes:
    """Return DOT drawn by Graphviz; TookTooLong after some seconds, 0 meaning any time.

    A DrawError says how to install Graphviz, or quotes its complaint.
    """
    graphviz: Any = package("graphviz")
    if not here():
        raise DrawError(NOT_FOUND.format(format.upper()), NO_RENDERER)
    text = dot.encode("utf-8", "replace")
    try:
        with _limit(seconds):
            data = graphviz.pipe(engine, format, text, renderer=RENDERERS.get(format), quiet=True)
    except graphviz.CalledProcessError as error:
        words = error.stderr.decode(errors="replace").strip()[:400]
        raise DrawError(f"Graphviz failed: {words}", NO_RENDERER) from error
    # the same picture has the same bytes; a date of another length would break a PDF
    return DATE.sub(lambda date: (date[1] or date[2]) + b"19700101000000", data)


def png_of(svg: str) -> bytes | None:
    """Return SVG as PNG by resvg_py, None where that is not installed."""
    resvg: Any = package("resvg_py")
    return bytes(resvg.svg_to_bytes(svg_string=svg, zoom=POINT)) if resvg else None


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Raise TookTooLong after some seconds; `subprocess.run` then ends the program it waits for.

    Only the main thread of a POSIX system has an alarm; elsewhere there is no limit.
    """
    main = threading.current_thread() is threading.main_thread()
    if not seconds or not main or not hasattr(signal, "setitimer"):
        yield
        return

    def over(number: int, frame: FrameType | None) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
