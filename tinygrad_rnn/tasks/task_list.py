"""Load a task by its name when `command` or `running` asks for it."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module

from .task import DataError, Task

TASKS = {
    "characters": "characters.Characters",
    "dates": "dates.Dates",
    "numbers": "numbers.Numbers",
    "entities": "entities.Entities",
    "series": "series.Series",
    "captions": "captions.Captions",
    "speech": "speech.Speech",
    "sentiment": "sentiment.Sentiment",
    "intent": "intent.Intent",
    "music": "music.Music",
    "digits": "digits.Digits",
    "ocr": "ocr.Ocr",
    "spelling": "spelling.Spelling",
    "words": "words.WordModel",
    "adding": "adding.Adding",
    "copy": "copy.Copy",
}


def task_of(name: str) -> type[Task]:
    """Return the class of a task; DataError names those there are."""
    if name not in TASKS:
        near = get_close_matches(name, TASKS, 1)
        raise DataError(f"there is no task {name!r}" + (f"; did you mean {near[0]}?" if near
                        else f"; tasks: {', '.join(TASKS)}"))  # fmt: skip
    module, _, kind = TASKS[name].partition(".")
    return getattr(import_module(f".{module}", __package__), kind)
