"""Read text files as they are met, by lines and pieces; `vocabulary` calls it.

Nothing here holds more than a piece of a file, whatever its size. A byte that is no UTF-8 is a
`TextError` that names file, line and byte; a line that has other columns than it should have, too.
"""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, overload

import numpy as np

Path = str | os.PathLike[str]
PIECE = 1 << 16  # bytes read at once
BLOCK = 32  # lines that share one place in the index of `Lines`


class TextError(ValueError):
    """Raised for a fault in a text file; the message says file, line and byte."""


def read_text(path: Path) -> Iterator[str]:
    r"""Yield the text of a file piece by piece; a BOM is left out, each line ends in "\n"."""
    decode = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")(), translate=True)
    line, first = 1, True
    with open(path, "rb") as file:
        while True:
            data = file.read(PIECE)
            try:
                text = decode.decode(data, final=not data)
            except UnicodeDecodeError as error:
                raise _not_utf8(path, line, error) from None
            line += data.count(b"\n")
            if first:
                text, first = text.removeprefix("\ufeff"), not text
            if text:
                yield text
            if not data:
                return


def _not_utf8(path: Path, line: int, error: UnicodeDecodeError) -> TextError:
    line += error.object[: error.start].count(b"\n")
    byte = error.object[error.start]
    utf16 = error.object[:2] in (b"\xff\xfe", b"\xfe\xff")
    guess = "it looks like UTF-16" if utf16 else error.reason
    return TextError(f"{path}, line {line}: byte 0x{byte:02x} is not UTF-8 ({guess}); "
                     "save the file as UTF-8")  # fmt: skip


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file without their ends; the empty ones too."""
    rest: list[str] = []  # a line that lies in several pieces
    for piece in read_text(path):
        *lines, last = piece.split("\n")
        for line in lines:
            yield "".join([*rest, line])
            rest = []
        rest.append(last)
    if any(rest):
        yield "".join(rest)


class Lines(Sequence[Any]):
    """The lines of a file as a sequence: any of them is read when it is asked for.

    Held in memory is the place of every 32nd line alone. `skip_empty=True` leaves out lines without
    a letter; numbers in messages are those of the file all the same.
    """

    def __init__(self, path: Path, skip_empty: bool = False):
        self.path, self.skip_empty = os.fspath(path), skip_empty
        with open(path, "rb") as file:
            kept = self._scan(file)
        self.places = np.array([place for place, _ in kept], np.int64)  # of the first of each block
        self.numbers = np.array([number for _, number in kept], np.int64)

    def _scan(self, file: BinaryIO) -> list[tuple[int, int]]:
        kept, self.size, place = [], 0, 0
        for number, line in enumerate(file, start=1):
            if not (self.skip_empty and _is_empty(line)):
                if b"\r" in line.rstrip(b"\r\n"):
                    raise TextError(f"{self.path}, line {number}: a CR inside of it; files read by "
                                    "their places have lines that end in LF or CRLF")  # fmt: skip
                if self.size % BLOCK == 0:
                    kept.append((place, number))
                self.size += 1
            place += len(line)
        return kept

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(self.size))]
        k = range(self.size)[index]  # IndexError, and negative ones count from the end
        number, data = self._find(k)
        try:
            line = data.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise _not_utf8(self.path, number, error) from None
        return self.parse(line.rstrip("\r\n"), number)

    def _find(self, k: int) -> tuple[int, bytes]:
        """Return the number and the bytes of the k-th line."""
        with open(self.path, "rb") as file:
            file.seek(self.places[k // BLOCK])
            left, number = k % BLOCK, int(self.numbers[k // BLOCK])
            for line in file:
                if not (self.skip_empty and _is_empty(line)):
                    if not left:
                        return number, line
                    left -= 1
                number += 1
        raise TextError(f"{self.path} became shorter while it was read")

    def parse(self, line: str, number: int) -> Any:
        """Return what a line holds; a subclass may cut it up."""
        return line


class Columns(Lines):
    """The lines of a fixed number of columns, as tuples of strings; empty lines are left out."""

    def __init__(self, path: Path, columns: int, separator: str = "\t"):
        self.columns, self.separator = columns, separator
        super().__init__(path, skip_empty=True)

    def parse(self, line: str, number: int) -> tuple[str, ...]:
        """Cut a line at the separator; TextError unless there are as many parts as columns."""
        parts = tuple(line.split(self.separator))
        if len(parts) != self.columns:
            told = f"{len(parts)} columns instead of {self.columns} (between {self.separator!r})"
            raise TextError(f"{self.path}, line {number}: {told}: {line[:60]!r}")
        return parts


def _is_empty(line: bytes) -> bool:
    return not line.strip() or line.strip() == codecs.BOM_UTF8
