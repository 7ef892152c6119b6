"""List the entries of a zip archive and refuse what is wrong with them, for `torch_files`.

torch and NumPy both keep their arrays in zip archives. `zipfile` reads these and compares each
entry's CRC; what it lets pass is looked at here: names that stand twice, entries that overlap or
lie behind other data, and those that would fill the memory when unpacked.
"""

from __future__ import annotations

import struct
import zipfile

from .bounded_file import BoundedFile, CheckpointError

DIRECTORY_LIMIT = 4 << 20  # bytes of the list of entries: some 50,000 of them
UNPACKED_LIMIT = 64 << 20  # bytes that archives of any size may unpack to
RATIO = 100  # beyond that: how many times its size in the file an entry may have


class ZipEntries:
    """Name → bytes of a zip archive that has been looked over."""

    def __init__(self, file: BoundedFile):
        self.file = file
        _check_directory(file)
        self.archive = zipfile.ZipFile(file.file)
        entries = [e for e in self.archive.infolist() if not e.filename.endswith("/")]
        self.entries = {entry.filename: entry for entry in entries}
        if len(self.entries) != len(entries):
            raise CheckpointError("two entries of the archive have one name")
        for entry in entries:
            _check(entry)
        _check_places(file, entries, self.archive.start_dir)
        _check_sizes(entries)

    def size(self, name: str) -> int:
        """Return how many bytes an entry has; CheckpointError if there is none of that name."""
        if name not in self.entries:
            raise CheckpointError(f"the archive has no entry {name!r}")
        return self.entries[name].file_size

    def read(self, name: str) -> bytes:
        """Return an entry's bytes, exactly as many as its size says."""
        size = self.size(name)
        with self.archive.open(self.entries[name]) as entry:
            data = entry.read(size)
            if len(data) != size or entry.read(1):
                raise CheckpointError(f"entry {name!r} has not the {size} bytes it should have")
        return data


def _check_directory(file: BoundedFile) -> None:
    """Bound the list of entries before `zipfile` makes an object of each."""
    end = file.read(file.size - 22, 22)
    if end[:4] != b"PK\x05\x06" or end[20:] != b"\0\0":
        raise CheckpointError("the archive does not end as one written by torch or NumPy")
    (size,) = struct.unpack("<I", end[12:16])
    if file.size >= 98 and file.read(file.size - 42, 4) == b"PK\x06\x07":  # as large ones have
        (size,) = struct.unpack("<Q", file.read(file.size - 98 + 40, 8))
    if size > min(DIRECTORY_LIMIT, file.size):
        raise CheckpointError(
            f"a list of entries of {size} bytes; at most {DIRECTORY_LIMIT} are read"
        )


def _check(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    if (
        name.startswith("/")
        or ".." in name.split("/")
        or "\\" in name
        or "\0" in entry.orig_filename
    ):
        raise CheckpointError(f"entry {name!r} has a name that leads out of the archive")
    if entry.flag_bits & 0x1:
        raise CheckpointError(f"entry {name!r} is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise CheckpointError(f"entry {name!r} is compressed by method {entry.compress_type}")
    if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
        raise CheckpointError(f"entry {name!r} has two sizes")


def _check_places(file: BoundedFile, entries: list[zipfile.ZipInfo], end: int) -> None:
    """Refuse entries that share bytes, and bytes of none up to `end`, where the list begins.

    Shared bytes could unpack to any size; bytes of none are an entry that the list has lost.
    """
    reached, ends = 0, {0}
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset not in ends:
            raise CheckpointError(f"entry {entry.filename!r} does not begin where another ends")
        lengths = struct.unpack("<HH", file.read(entry.header_offset + 26, 4))
        reached = entry.header_offset + 30 + sum(lengths) + entry.compress_size
        trailers = (12, 16, 20, 24) if entry.flag_bits & 0x8 else ()  # sizes told afterwards
        ends = {reached, *(reached + n for n in trailers)}
    if end not in ends:
        raise CheckpointError(f"the entries end at byte {reached}, their list begins at {end}")


def _check_sizes(entries: list[zipfile.ZipInfo]) -> None:
    packed = sum(entry.compress_size for entry in entries)
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > max(UNPACKED_LIMIT, RATIO * packed):
        raise CheckpointError(f"{packed} bytes that unpack to {unpacked}: not read")
