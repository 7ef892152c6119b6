"""Move a bar while a model learns, tqdm's or a plain one; `fit` calls it."""

from __future__ import annotations

import sys
from typing import Any, TextIO


class Progress:
    """Say how far a run is. `shown=None` shows it on a terminal alone; tqdm is asked for late."""

    def __init__(
        self, total: int | None, start: int, shown: bool | None, out: TextIO | None = None
    ):
        self.out = out or sys.stderr
        shown = self.out.isatty() if shown is None else shown
        self.bar: Any = _bar(total, start, self.out) if shown else None

    def step(self, words: str) -> None:
        if self.bar is not None:
            self.bar.set_postfix_str(words, refresh=False)
            self.bar.update()

    def say(self, sentence: str) -> None:
        """Print a line above the bar, whether there is a bar or not."""
        if self.bar is not None:
            self.bar.clear()
        print(sentence, file=self.out, flush=True)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _bar(total: int | None, start: int, out: TextIO) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return PlainBar(total, start, out)
    return tqdm(total=total, initial=start, file=out, unit="step", dynamic_ncols=True)


class PlainBar:
    """Show progress as tqdm does: one line, written over; in a file a line now and then."""

    def __init__(self, total: int | None, start: int, out: TextIO):
        self.total, self.done, self.out, self.words = total, start, out, ""
        self.live = out.isatty()

    def set_postfix_str(self, words: str, refresh: bool = False) -> None:
        self.words = words

    def update(self) -> None:
        self.done += 1
        every = 1 if self.live else max(1, (self.total or 1000) // 10)
        if self.done % every == 0 or self.done == self.total:
            print(f"\r{self._line()}" if self.live else self._line(), file=self.out,
                  end="" if self.live else "\n", flush=True)  # fmt: skip

    def _line(self) -> str:
        if self.total is None:
            return f"step {self.done}  {self.words}"
        full = 24 * self.done // max(1, self.total)
        return f"{'█' * min(24, full):░<24} {self.done}/{self.total}  {self.words}"

    def clear(self) -> None:
        if self.live:
            print("\r\x1b[K", file=self.out, end="")

    def close(self) -> None:
        if self.live:
            print(file=self.out)
