"""Finish and save the step at hand before Ctrl-C or SIGTERM ends it; `fit` listens here."""

from __future__ import annotations

import signal
import threading
from typing import Any


class Interrupts:
    """Note the block's first signal in `heard`; a second one ends the program at once.

    At the end of the block the handlers of before are back, and what was heard is obeyed: Ctrl-C
    raises KeyboardInterrupt, SIGTERM SystemExit with the exit code shells expect, 143.
    """

    signals = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.heard: int | None = None
        self.before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():  # others get no signals
            self.before = {number: signal.signal(number, self._hear) for number in self.signals}
        return self

    def _hear(self, number: int, frame: Any) -> None:
        if self.heard is not None:
            self._obey(number)
        self.heard = number

    def __exit__(self, kind: Any, *_: Any) -> None:
        for number, handler in self.before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if self.heard is not None and kind is None:
            self._obey(self.heard)

    @staticmethod
    def _obey(number: int) -> None:
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)
