"""Raise what drawing cannot do, with the command's exit code; all of `draw` raises it."""

from __future__ import annotations

BAD_ARGUMENTS, NO_RENDERER, TOO_LARGE, USER_CODE = 2, 3, 4, 5


class DrawError(Exception):
    """A message for the reader, without a traceback; `code` is what the command exits with."""

    def __init__(self, message: str, code: int = BAD_ARGUMENTS) -> None:
        super().__init__(message)
        self.code = code
