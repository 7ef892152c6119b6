"""End a command as its caller expects: one line and an exit code; `draw.cli` calls it.

Ctrl-C gives 130. A reader that has seen enough (`| head`) gives 0: what it read is right. A disk or
a device that is full gives 1, and so does a stdout that was closed before.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable

INTERRUPTED, FAILED = 130, 1


def run_command(main: Callable[[], int | None], name: str) -> int:
    """Return the exit code of a program's `main`, also of one that could not write its answer."""
    try:
        code = _code_of(main)
        flush()
        return code
    except KeyboardInterrupt:
        complain(name, "interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except OSError as error:
        complain(name, str(error))
        return FAILED
    finally:
        _silence()


def _code_of(main: Callable[[], int | None]) -> int:
    try:
        return main() or 0
    except SystemExit as end:  # of argparse after --help, or with a sentence
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return FAILED
        return end.code or 0


def flush() -> None:
    """Write what was printed, now, while an error can still be told."""
    if sys.stdout is not None:
        sys.stdout.flush()


def complain(name: str, text: str) -> None:
    """Print one line on stderr, if there is one that takes it."""
    if sys.stderr is not None:  # else print() takes stdout
        with contextlib.suppress(OSError):
            print(f"{name}: {text}", file=sys.stderr, flush=True)


def _silence() -> None:
    """Let the interpreter's own last flush fail no more: it would print a traceback of its own."""
    try:
        flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):  # not a file, as in a notebook
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
